"""Request bodies in Kubernetes' protobuf, which kubectl's and Go programs' typed clients send; answers are JSON, which
all of them take (apimachinery/pkg/runtime/serializer/protobuf/protobuf.go, the types' generated.proto).

Field numbers are data, `openapi/protobuf.json.gz`, made by `tools/protobuf_fields.py`. What comes out is what the same
client would have sent as JSON: whether a field at zero is there depends on its Go type.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import orjson

from k8sdiag.clock import format_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.kinds import read_openapi

_MAGIC = b"k8s\x00"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_DEEPEST = 64
_ZERO = {"string": "", "int": 0, "bool": False, "double": 0.0, "bytes": ""}

Value = int | bytes
Field = tuple[str, str, str]  # JSON name ('' for an embedded struct), type, mark: see tools/protobuf_fields.py


class ProtobufError(ValueError):
    """Bytes that are no such message; the sentence says why."""


def decode(data: bytes) -> Json:
    """An object with its envelope. Raises ProtobufError."""
    if not data.startswith(_MAGIC):
        raise ProtobufError("provided data does not appear to be a protobuf message, expected prefix 6b 38 73 00")
    envelope = dict(_fields(memoryview(data)[len(_MAGIC) :]))
    kind = dict(_fields(_bytes(envelope.get(1, b""))))
    version, name = _text(kind.get(1, b"")), _text(kind.get(2, b""))
    message = _message_of(version, name)
    if message is None:
        raise ProtobufError(f'no kind "{name}" is registered for version "{version}" in protobuf')
    return {"kind": name, "apiVersion": version, **_message(_bytes(envelope.get(2, b"")), message)}


@cache
def _table() -> Mapping[str, Mapping[int, Field]]:
    found = read_openapi("protobuf.json.gz")
    return {
        name: {int(number): (each[0], each[1], each[2]) for number, each in fields.items()}
        for name, fields in found.items()
    }


def _message_of(version: str, kind: str) -> str | None:
    """`apps/v1`, Deployment: `apps/v1.Deployment`. Options that meta/v1 has are served in every group."""
    group, _, number = version.rpartition("/")
    package = {"rbac.authorization.k8s.io": "rbac", "flowcontrol.apiserver.k8s.io": "flowcontrol"}.get(group)
    name = f"{package or group.partition('.')[0] or 'core'}/{number}.{kind}"
    for candidate in (name, f"meta/v1.{kind}"):
        if candidate in _table():
            return candidate
    return None


def _fields(data: memoryview | bytes) -> Iterator[tuple[int, Value]]:
    """Numbers and values, in the order of the wire."""
    view = memoryview(data)
    place, end = 0, len(view)
    while place < end:
        tag, place = _varint(view, place)
        number, wire = tag >> 3, tag & 7
        if wire == _VARINT:
            value, place = _varint(view, place)
            yield number, value
            continue
        if wire == _BYTES:
            size, place = _varint(view, place)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise ProtobufError(f"proto: illegal wireType {wire}")
        if place + size > end:
            raise ProtobufError("unexpected EOF")
        yield number, bytes(view[place : place + size])
        place += size


def _varint(view: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if place >= len(view):
            raise ProtobufError("unexpected EOF")
        byte = view[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
        if shift >= 70:
            raise ProtobufError("proto: integer overflow")


def _message(data: bytes, name: str, depth: int = 0) -> Json:
    """A struct's fields under their JSON names."""
    if depth > _DEEPEST:
        raise ProtobufError("exceeded max depth")
    known = _table()[name]
    made: Json = {}
    for number, raw in _fields(data):
        field = known.get(number)
        if field is None:
            continue  # from a newer client
        json_name, kind, mark = field
        if mark == "{}":
            key, value = _entry(_bytes(raw), kind, depth)
            made.setdefault(json_name, {})[key] = value
        elif mark == "[]":
            made.setdefault(json_name, []).append(_value(raw, kind, depth))
        else:
            value = _value(raw, kind, depth)
            if not json_name:
                made.update(value)
            elif mark == "*" or kind not in _ZERO or value != _ZERO[kind]:
                made[json_name] = value
    return made


def _entry(data: bytes, kind: str, depth: int) -> tuple[str, Any]:
    entry = dict(_fields(data))
    empty: Value = 0 if kind in ("int", "bool") else b""
    return _text(entry.get(1, b"")), _value(entry.get(2, empty), kind, depth)


def _value(raw: Value, kind: str, depth: int) -> Any:
    special = _SPECIAL.get(kind)
    if special is not None:
        return special(raw, depth)
    return _message(_bytes(raw), kind, depth + 1)


def _bytes(raw: Value) -> bytes:
    if isinstance(raw, int):
        raise ProtobufError("proto: wrong wireType = 0")
    return raw


def _text(raw: Value) -> str:
    try:
        return _bytes(raw).decode()
    except UnicodeDecodeError:
        raise ProtobufError("string field contains invalid UTF-8") from None


def _integer(raw: Value) -> int:
    if not isinstance(raw, int):
        raise ProtobufError("proto: wrong wireType = 2")
    return raw - (1 << 64) if raw >= 1 << 63 else raw


def _double(raw: Value) -> float:
    if len(_bytes(raw)) != 8:
        raise ProtobufError("proto: wrong wireType for a double")
    value: float = struct.unpack("<d", _bytes(raw))[0]
    return value


def _time(raw: Value) -> str | None:
    """Seconds and nanoseconds; none at all is Go's zero time, null. MicroTime keeps six digits."""
    parts = dict(_fields(_bytes(raw)))
    if not parts:
        return None
    seconds, nanos = _integer(parts.get(1, 0)), _integer(parts.get(2, 0))
    text = format_time(seconds)
    return f"{text[:-1]}.{nanos // 1000:06d}Z" if nanos else text


def _raw(raw: Value) -> Any:
    """JSON inside."""
    inner = _bytes(dict(_fields(_bytes(raw))).get(1, b""))
    if not inner:
        return None
    try:
        return orjson.loads(inner)
    except orjson.JSONDecodeError as error:
        raise ProtobufError(str(error)) from None


def _int_or_string(raw: Value) -> int | str:
    parts = dict(_fields(_bytes(raw)))
    return _text(parts.get(3, b"")) if parts.get(1) else _integer(parts.get(2, 0))


def _items(raw: Value) -> list[str]:
    return [_text(value) for number, value in _fields(_bytes(raw)) if number == 1]


def _or_array(raw: Value, depth: int) -> Any:
    """JSONSchemaPropsOrArray: one schema, or several."""
    schemas = [_message(_bytes(value), _SCHEMA, depth + 1) for number, value in _fields(_bytes(raw)) if number == 2]
    one = [_message(_bytes(value), _SCHEMA, depth + 1) for number, value in _fields(_bytes(raw)) if number == 1]
    return schemas or (one[0] if one else None)


def _or_bool(raw: Value, depth: int) -> Any:
    parts = dict(_fields(_bytes(raw)))
    return _message(_bytes(parts[2]), _SCHEMA, depth + 1) if 2 in parts else bool(parts.get(1, 0))


def _or_strings(raw: Value, depth: int) -> Any:
    parts = dict(_fields(_bytes(raw)))
    if 1 in parts:
        return _message(_bytes(parts[1]), _SCHEMA, depth + 1)
    return [_text(value) for number, value in _fields(_bytes(raw)) if number == 2]


_SCHEMA = "apiextensions/v1.JSONSchemaProps"
_SPECIAL: Mapping[str, Callable[[Value, int], Any]] = {
    "string": lambda raw, _: _text(raw),
    "int": lambda raw, _: _integer(raw),
    "bool": lambda raw, _: bool(_integer(raw)),
    "double": lambda raw, _: _double(raw),
    "bytes": lambda raw, _: base64.b64encode(_bytes(raw)).decode(),
    "Quantity": lambda raw, _: _text(dict(_fields(_bytes(raw))).get(1, b"")),
    "Time": lambda raw, _: _time(raw),
    "Raw": lambda raw, _: _raw(raw),
    "IntOrString": lambda raw, _: _int_or_string(raw),
    "Items": lambda raw, _: _items(raw),
    "OrArray": _or_array,
    "OrBool": _or_bool,
    "OrStringArray": _or_strings,
}
