"""What a client sends, as Go would decode it: types checked, unknown fields found and dropped, nulls and empty values
left out, amounts and times in their one spelling (apimachinery/pkg/runtime/serializer/json, sigs.k8s.io/json).

The object given is not changed, for the in-process client may hand in parts of stored objects: a copy is made along the
path to whatever differs, and the same object comes back where nothing does.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from k8sdiag.clock import format_micro_time, format_time, parse_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors, structural
from k8sdiag.minicluster.apiserver.duplicates import duplicate_fields
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.apiserver.patch import json_type, undecodable
from k8sdiag.minicluster.apiserver.quantities import QuantityError, canonical
from k8sdiag.minicluster.apiserver.schema import ANY, Type, object_meta
from k8sdiag.minicluster.kinds import Resource
from k8sdiag.patterns import regex

Path = tuple[str | int, ...]
STRICT, WARN, IGNORE = "Strict", "Warn", "Ignore"
_MOST = 100  # complaints a server lists at most


class DecodeError(ValueError):
    """A value of the wrong type; the words are Go's."""


class _MismatchError(Exception):
    """Where a value is not of its type; the message is worked out from the root, when it is too late to be fast."""

    def __init__(self, path: Path, message: str = "", shown: str = "") -> None:
        super().__init__(message)
        self.path = path
        self.message = message
        self.shown = shown


def decode(node: Type, obj: Any) -> tuple[Json, list[str]]:
    """The object as the server keeps it, and the paths of the fields that nobody knows. DecodeError for wrong types."""
    if not isinstance(obj, dict):
        raise DecodeError(f"json: cannot unmarshal {json_type(obj)} into Go value of type {node.go}")
    unknown: list[Path] = []
    try:
        if node.schema is not None:
            return _custom(node.schema, obj, unknown)
        out = _object(node, obj, (), unknown)
    except _MismatchError as mismatch:
        raise DecodeError(mismatch.message or _type_error(node, mismatch)) from None
    return out, [shown_path(path) for path in unknown[:_MOST]]


def shown_path(path: Path) -> str:
    """`spec.containers[0].image`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


# ---- the complaints


def strict_complaints(unknown: list[str], raw: bytes, body: Any) -> list[str]:
    """What strict decoding does not like: fields that nobody knows, and fields stated twice."""
    found = [f'unknown field "{path}"' for path in unknown]
    found += [f'duplicate field "{path}"' for path in duplicate_fields(raw, body)]
    return found[:_MOST]


def check_body(resource: Resource, complaints: list[str], directive: str) -> list[str]:
    """What to warn of; ApiError 400 where the client asked for strictness."""
    if complaints and directive == STRICT:
        raise not_handled(resource, f"strict decoding error: {', '.join(complaints)}")
    return [] if directive == IGNORE else complaints


def check_patched(patch: str, complaints: list[str], directive: str) -> list[str]:
    """The same for what a patch led to; ApiError 422."""
    if complaints and directive == STRICT:
        raise undecodable(patch, f"strict decoding error: {', '.join(complaints)}")
    return [] if directive == IGNORE else complaints


def not_handled(resource: Resource, why: str) -> ApiError:
    """transformDecodeError of apiserver/pkg/endpoints/handlers/rest.go."""
    kind = resource.kind
    return errors.bad_request(f'{kind} in version "{resource.version}" cannot be handled as a {kind}: {why}')


def decode_body(
    resource: Resource, node: Type, body: Any, directive: str = WARN, raw: bytes = b""
) -> tuple[Json, list[str]]:
    """The body of a create or update, and what to warn of."""
    try:
        obj, unknown = decode(node, body)
    except DecodeError as error:
        raise not_handled(resource, str(error)) from None
    if not unknown and not raw:
        return obj, []
    return obj, check_body(resource, strict_complaints(unknown, raw, body), directive or WARN)


# ---- decoding


def _custom(schema: Json, obj: Json, unknown: list[Path]) -> tuple[Json, list[str]]:
    """A custom resource: only its metadata has Go types; the rest is pruned, filled in, and judged by validation."""
    if isinstance(obj.get("metadata"), dict):
        meta = _struct(object_meta(), obj["metadata"], ("metadata",), unknown)
        if meta is not obj["metadata"]:
            obj = {**obj, "metadata": meta}
    pruned, gone = structural.prune(schema, obj)
    filled: Json = structural.apply_defaults(schema, pruned)
    return filled, [*(shown_path(path) for path in unknown), *gone][:_MOST]


def _object(node: Type, value: Json, path: Path, unknown: list[Path]) -> Json:
    out = value
    fields, omitted = node.fields, node.omitted
    for key, given in value.items():
        child = fields.get(key)
        if child is None:
            unknown.append((*path, key))
            out = _dropped(out, value, key)
        elif given is None:
            if not _written_as_null(node, key, path):
                out = _dropped(out, value, key)
        elif not given and key in omitted and type(given) in _EMPTY.get(child.kind, ()):
            out = _dropped(out, value, key)
        else:
            read = _READERS[child.kind](child, given, (*path, key), unknown)
            if read is not given:
                if out is value:
                    out = dict(value)
                out[key] = read
                if not read and key in omitted and not isinstance(read, str):
                    del out[key]
    return _completed(node, out, value) if node.always else out


def _written_as_null(node: Type, key: str, path: Path) -> bool:
    """Does Go write a null there: `lastProbeTime`, and the time of creation of what is only a template?"""
    return key in node.always or (key == "creationTimestamp" and len(path) > 1)


# Which JSON types may be empty values of a kind: "" for a list is no empty list but a mistake.
_EMPTY: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "bytes": (str,),
    "list": (list,),
    "map": (dict,),
    "boolean": (bool,),
    "integer": (int,),
}


def _dropped(out: Json, value: Json, key: str) -> Json:
    if out is value:
        out = dict(value)
    del out[key]
    return out


_ABSENT: Any = object()


def _completed(node: Type, out: Json, value: Json) -> Json:
    """With what Go writes even when it is empty; a template's metadata say that it was never created."""
    for name, least in node.always.items():
        held = out.get(name, _ABSENT)
        if held is _ABSENT or (held is None and least is not None):
            made = _fresh(node.fields[name], least)
        elif name == "metadata" and "creationTimestamp" not in held:
            made = {**least, **held}
        else:
            continue
        if out is value:
            out = dict(value)
        out[name] = made
    return out


def _fresh(node: Type, least: Any) -> Any:
    """A value of its own, with what is always in it in turn."""
    if not isinstance(least, dict):
        return least
    nested = {key: _fresh(node.fields[key], value) for key, value in least.items()}
    return _completed(node, nested, nested)


def _struct(node: Type, value: Any, path: Path, unknown: list[Path]) -> Any:
    if type(value) is not dict:
        raise _MismatchError(path, shown=json_type(value))
    return _object(node, value, path, unknown)


def _map(node: Type, value: Any, path: Path, unknown: list[Path]) -> Any:
    if type(value) is not dict:
        raise _MismatchError(path, shown=json_type(value))
    element = node.element or ANY
    reader, out = _READERS[element.kind], value
    for key, given in value.items():
        read = _nothing(element) if given is None else reader(element, given, (*path, key), unknown)
        if read is not given:
            if out is value:
                out = dict(value)
            out[key] = read
    return out


def _list(node: Type, value: Any, path: Path, unknown: list[Path]) -> Any:
    if type(value) is not list:
        raise _MismatchError(path, shown=json_type(value))
    element = node.element or ANY
    reader, out = _READERS[element.kind], value
    for at, given in enumerate(value):
        read = _nothing(element) if given is None else reader(element, given, (*path, at), unknown)
        if read is not given:
            if out is value:
                out = list(value)
            out[at] = read
    return out


def _nothing(node: Type) -> Any:
    """What Go makes of null where something has to be."""
    return {"string": "", "bytes": "", "object": {}, "integer": 0, "number": 0, "boolean": False, "quantity": "0"}.get(
        node.kind
    )


def _string(node: Type, value: Any, path: Path, unknown: list[Path]) -> Any:  # noqa: ARG001 (readers are called alike)
    if type(value) is not str:
        raise _MismatchError(path, shown=json_type(value))
    return value


def _integer(node: Type, value: Any, path: Path, unknown: list[Path]) -> Any:  # noqa: ARG001
    if type(value) is not int:
        raise _MismatchError(path, shown=f"number {value}" if type(value) is float else json_type(value))
    if value.bit_length() >= node.bits:
        raise _MismatchError(path, shown=f"number {value}")
    return value


def _number(node: Type, value: Any, path: Path, unknown: list[Path]) -> Any:  # noqa: ARG001
    if type(value) is not int and type(value) is not float:
        raise _MismatchError(path, shown=json_type(value))
    return value


def _boolean(node: Type, value: Any, path: Path, unknown: list[Path]) -> Any:  # noqa: ARG001
    if type(value) is not bool:
        raise _MismatchError(path, shown=json_type(value))
    return value


_NO_BASE64 = regex(r"[^A-Za-z0-9+/\r\n]")


def _bytes(node: Type, value: Any, path: Path, unknown: list[Path]) -> Any:  # noqa: ARG001
    if type(value) is not str:
        raise _MismatchError(path, shown=json_type(value))
    try:
        base64.b64decode(value.replace("\n", ""), validate=True)
    except (binascii.Error, ValueError):
        found = _NO_BASE64.search(value)
        at = found.start() if found else len(value)
        raise _MismatchError(path, f"illegal base64 data at input byte {at}") from None
    return value


def _quantity(node: Type, value: Any, path: Path, unknown: list[Path]) -> Any:  # noqa: ARG001
    try:
        found = canonical(value)
    except QuantityError as error:
        raise _MismatchError(path, str(error)) from None
    return value if found == value else found


_TIME = regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_MICRO_TIME = regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_LAYOUT = "2006-01-02T15:04:05Z07:00"
_MICRO_LAYOUT = "2006-01-02T15:04:05.000000Z07:00"


def _time(node: Type, value: Any, path: Path, unknown: list[Path]) -> Any:  # noqa: ARG001
    if type(value) is not str:
        raise _MismatchError(path, f"json: cannot unmarshal {json_type(value)} into Go value of type string")
    micro = node.kind == "micro-time"
    if (_MICRO_TIME if micro else _TIME).fullmatch(value):
        return value
    at = parse_time(value)
    if at is None:
        layout = _MICRO_LAYOUT if micro else _LAYOUT
        raise _MismatchError(path, f'parsing time "{value}" as "{layout}": cannot parse "{value}" as "2006"')
    return format_micro_time(at) if micro else format_time(at)


def _int_or_string(node: Type, value: Any, path: Path, unknown: list[Path]) -> Any:  # noqa: ARG001
    if type(value) is not int and type(value) is not str:
        shown = f"number {value}" if type(value) is float else json_type(value)
        raise _MismatchError(path, f"json: cannot unmarshal {shown} into Go value of type int32")
    return value


def _any(node: Type, value: Any, path: Path, unknown: list[Path]) -> Any:  # noqa: ARG001
    return value


_READERS: Mapping[str, Callable[[Type, Any, Path, list[Path]], Any]] = {
    "object": _struct,
    "map": _map,
    "list": _list,
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "bytes": _bytes,
    "quantity": _quantity,
    "time": _time,
    "micro-time": _time,
    "int-or-string": _int_or_string,
    "any": _any,
}


def _type_error(root: Type, mismatch: _MismatchError) -> str:
    """`json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32`: the innermost
    struct, the fields on the way to it without indexes and without the keys of maps."""
    node, struct, fields = root, root.go, []
    for step in mismatch.path:
        if node.kind == "object" and isinstance(step, str):
            struct = node.go
            fields.append(step)
        node = node.child(str(step))
    name = struct.rpartition(".")[2]
    return f"json: cannot unmarshal {mismatch.shown} into Go struct field {name}.{'.'.join(fields)} of type {node.go}"
