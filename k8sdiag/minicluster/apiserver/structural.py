"""Custom resources against the structural schema of their definition: pruning, defaults, validation
(apiextensions-apiserver/pkg/apiserver/schema: pruning, defaulting, listtype; messages: kube-openapi/pkg/validation).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import (
    Cause,
    duplicate,
    invalid_value,
    not_supported,
    required,
    too_long,
    too_many,
    type_invalid,
)
from k8sdiag.minicluster.apiserver.stringformats import fits_format, fits_pattern

_ROOT = ("apiVersion", "kind", "metadata")
_ABSENT: Any = object()


# ---- pruning


def prune(schema: Json, obj: Json) -> tuple[Json, list[str]]:
    """The object without what its schema does not know, and the paths of that. The same object where all is known."""
    unknown: list[str] = []
    pruned = _pruned(schema, obj, "", unknown, whole=True)
    return pruned, unknown


def _pruned(schema: Json, value: Any, path: str, unknown: list[str], *, whole: bool = False) -> Any:
    """`whole`: a whole object with apiVersion, kind and metadata, which are not the schema's to know."""
    if isinstance(value, list):
        items = schema.get("items")
        if items is None:
            return value
        out = [_pruned(items, item, f"{path}[{at}]", unknown) for at, item in enumerate(value)]
        return value if all(new is old for new, old in zip(out, value, strict=True)) else out
    if not isinstance(value, dict):
        return value
    whole = whole or bool(schema.get("x-kubernetes-embedded-resource"))
    properties, values = schema.get("properties") or {}, schema.get("additionalProperties")
    keeps = bool(schema.get("x-kubernetes-preserve-unknown-fields")) or values is True
    kept: Json = {}
    changed = False
    for key, child in value.items():
        below = f"{path}.{key}" if path else key
        stated = properties.get(key, values if isinstance(values, dict) else None)
        if whole and key in _ROOT:
            kept[key] = child
        elif stated is not None:
            kept[key] = _pruned(stated, child, below, unknown)
            changed = changed or kept[key] is not child
        elif keeps:
            kept[key] = child
        else:
            unknown.append(below)
            changed = True
    return kept if changed else value


# ---- defaults


def apply_defaults(schema: Json, value: Any) -> Any:
    """The value with what the schema fills in; a null where none is allowed counts as missing. The same value where
    nothing is missing."""
    if isinstance(value, list):
        items = schema.get("items")
        out_items = [apply_defaults(items, item) for item in value] if items else value
        return value if all(new is old for new, old in zip(out_items, value, strict=True)) else out_items
    if not isinstance(value, dict):
        return value
    out = dict(value)
    properties, values = schema.get("properties") or {}, schema.get("additionalProperties")
    for key, stated in properties.items():
        held = out.get(key, _ABSENT)
        if "default" in stated and (held is _ABSENT or (held is None and not stated.get("nullable"))):
            held = out[key] = copy.deepcopy(stated["default"])
        if held is not _ABSENT:
            out[key] = apply_defaults(stated, held)
    if isinstance(values, dict):
        for key, held in value.items():
            if key not in properties:
                out[key] = apply_defaults(values, held)
    return value if len(out) == len(value) and all(out[key] is held for key, held in value.items()) else out


# ---- validation


def validate(schema: Json, obj: Json, old: Json | None = None) -> list[Cause]:
    """What is wrong with an object. What was as wrong before and did not change is let pass (CRD ratcheting)."""
    return list(_whole(schema, obj, _ABSENT if old is None else old))


def _whole(schema: Json, obj: Json, old: Any) -> Iterator[Cause]:
    yield from _required(schema, obj, "")
    properties = schema.get("properties") or {}
    for key, child in obj.items():
        stated = properties.get(key)
        if stated is not None and key not in _ROOT:
            yield from _value(stated, child, key, old.get(key, _ABSENT) if isinstance(old, dict) else _ABSENT)
    yield from _junctors(schema, obj, "")


def _value(schema: Json, value: Any, path: str, old: Any = _ABSENT) -> Iterator[Cause]:
    if old is not _ABSENT and type(old) is type(value) and old == value:
        return
    if value is None:
        if not schema.get("nullable") and not schema.get("x-kubernetes-preserve-unknown-fields"):
            yield _mistyped(schema, value, path)
        return
    wanted = _types(schema)
    if wanted and not _is_of(wanted, value):
        yield _mistyped(schema, value, path)
        return
    choices = schema.get("enum")
    if choices is not None and value not in choices:
        yield not_supported(path, value, [each if isinstance(each, str) else str(each) for each in choices])
    if isinstance(value, str):
        yield from _text(schema, value, path)
    elif isinstance(value, dict):
        yield from _map(schema, value, path, old)
    elif isinstance(value, list):
        yield from _list(schema, value, path, old)
    elif not isinstance(value, bool):
        yield from _number(schema, value, path)
    yield from _junctors(schema, value, path)


def _types(schema: Json) -> tuple[str, ...]:
    if schema.get("x-kubernetes-int-or-string"):
        return ("integer", "string")
    kind = schema.get("type")
    return (kind,) if kind else ()


def type_of(value: Any) -> str:
    """The JSON schema type of a value."""
    if value is None:
        return "null"
    if isinstance(value, float):
        return "integer" if value.is_integer() else "number"
    names = {bool: "boolean", int: "integer", str: "string", dict: "object", list: "array"}
    return names[type(value)]


def _is_of(wanted: tuple[str, ...], value: Any) -> bool:
    kind = type_of(value)
    return kind in wanted or (kind == "integer" and "number" in wanted)


def _mistyped(schema: Json, value: Any, path: str) -> Cause:
    kind = type_of(value)
    wanted = ",".join(_types(schema)) or "object"
    return type_invalid(path, kind, f'{path} in body must be of type {wanted}: "{kind}"')


def _text(schema: Json, value: str, path: str) -> Iterator[Cause]:
    most, least = schema.get("maxLength"), schema.get("minLength")
    if most is not None and len(value) > most:
        yield too_long(path, most)
    if least is not None and len(value) < least:
        yield invalid_value(path, value, f"{path} in body should be at least {least} chars long")
    pattern = schema.get("pattern")
    if pattern and not fits_pattern(pattern, value):
        yield invalid_value(path, value, f"{path} in body should match '{pattern}'")
    form = schema.get("format")
    if form and not fits_format(form, value):
        yield type_invalid(path, value, f'{path} in body must be of type {form}: "{value}"')


def _number(schema: Json, value: float, path: str) -> Iterator[Cause]:
    most, least, step = schema.get("maximum"), schema.get("minimum"), schema.get("multipleOf")
    says = f"{path} in body should be"
    if most is not None and (value >= most if schema.get("exclusiveMaximum") else value > most):
        word = "less than" if schema.get("exclusiveMaximum") else "less than or equal to"
        yield invalid_value(path, value, f"{says} {word} {most:g}")
    if least is not None and (value <= least if schema.get("exclusiveMinimum") else value < least):
        word = "greater than" if schema.get("exclusiveMinimum") else "greater than or equal to"
        yield invalid_value(path, value, f"{says} {word} {least:g}")
    if step and value % step:
        yield invalid_value(path, value, f"{says} a multiple of {step:g}")


def _required(schema: Json, value: Json, path: str) -> Iterator[Cause]:
    for key in schema.get("required") or ():
        if key not in value:
            yield required(f"{path}.{key}" if path else key)


def _map(schema: Json, value: Json, path: str, old: Any) -> Iterator[Cause]:
    yield from _required(schema, value, path)
    most, least = schema.get("maxProperties"), schema.get("minProperties")
    if most is not None and len(value) > most:
        yield too_many(path, len(value), most)
    if least is not None and len(value) < least:
        yield invalid_value(path, value, f"{path} in body should have at least {least} properties")
    properties, values = schema.get("properties") or {}, schema.get("additionalProperties")
    for key, child in value.items():
        stated = properties.get(key, values if isinstance(values, dict) else None)
        if stated is not None:
            before = old.get(key, _ABSENT) if isinstance(old, dict) else _ABSENT
            yield from _value(stated, child, f"{path}.{key}" if path else key, before)


def _list(schema: Json, value: list[Any], path: str, old: Any) -> Iterator[Cause]:
    most, least = schema.get("maxItems"), schema.get("minItems")
    if most is not None and len(value) > most:
        yield too_many(path, len(value), most)
    if least is not None and len(value) < least:
        yield invalid_value(path, value, f"{path} in body should have at least {least} items")
    relation = schema.get("x-kubernetes-list-type")
    keys = schema.get("x-kubernetes-list-map-keys") or ()
    before = old if isinstance(old, list) and relation == "map" else []
    seen: list[Any] = []
    for at, item in enumerate(value):
        was = _ABSENT
        if relation in ("set", "map"):
            mark = item if relation == "set" else _marks(keys, item)
            if mark in seen:
                yield duplicate(f"{path}[{at}]", mark)
            seen.append(mark)
            was = next((each for each in before if _marks(keys, each) == mark), _ABSENT)
        yield from _value(schema.get("items") or {}, item, f"{path}[{at}]", was)


def _marks(keys: Any, item: Any) -> Json:
    return {key: item[key] for key in keys if key in item} if isinstance(item, dict) else {}


def _junctors(schema: Json, value: Any, path: str) -> Iterator[Cause]:
    """allOf, anyOf, oneOf, not: the parts of them that fail are told as well where all must hold."""
    for each in schema.get("allOf") or ():
        yield from _nested(each, value, path)
    if "anyOf" in schema and not schema.get("x-kubernetes-int-or-string"):
        failures = [list(_nested(each, value, path)) for each in schema["anyOf"]]
        if failures and all(failures):
            yield invalid_value(path, value, f'"{path}" must validate at least one schema (anyOf)')
            yield from failures[0]
    if "oneOf" in schema:
        failures = [list(_nested(each, value, path)) for each in schema["oneOf"]]
        valid = sum(not failed for failed in failures)
        if valid != 1:
            found = "Found none valid" if not valid else f"Found {valid} valid alternatives"
            yield invalid_value(path, value, f'"{path}" must validate one and only one schema (oneOf). {found}')
            if not valid and failures:
                yield from failures[0]
    if "not" in schema and not list(_nested(schema["not"], value, path)):
        yield invalid_value(path, value, f'"{path}" must not validate the schema (not)')


def _nested(schema: Json, value: Any, path: str) -> Iterator[Cause]:
    """Inside a junctor: validation only, and what it says nothing of may be anything, null too."""
    if value is None and not _types(schema) and "enum" not in schema:
        return
    yield from _value(schema, value, path)
