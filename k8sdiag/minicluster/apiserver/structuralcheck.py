"""Is the schema of a CustomResourceDefinition structural?

apiextensions-apiserver/pkg/apiserver/schema/validation.go, pkg/apis/apiextensions/validation/validation.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import structural
from k8sdiag.minicluster.apiserver.errors import Cause, forbidden_field, invalid_value, not_supported, required

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_NESTED_FORBIDDEN = {
    "type": "must be empty to be structural",
    "additionalProperties": "must be undefined to be structural",
    "default": "must be undefined to be structural",
    "title": "must be empty to be structural",
    "description": "must be empty to be structural",
    "nullable": "must be false to be structural",
    "externalDocs": "must be undefined to be structural",
    "x-kubernetes-preserve-unknown-fields": "must be false to be structural",
    "x-kubernetes-embedded-resource": "must be false to be structural",
    "x-kubernetes-int-or-string": "must be false to be structural",
    "x-kubernetes-list-map-keys": "must be empty to be structural",
    "x-kubernetes-list-type": "must be undefined to be structural",
    "x-kubernetes-map-type": "must be undefined to be structural",
    "x-kubernetes-validations": "must be empty to be structural",
}
_INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]
_EMPTY = {
    "root": "must not be empty at the root",
    "item": "must not be empty for specified array items",
    "field": "must not be empty for specified object fields",
}


def check_schema(schema: Json, path: str) -> list[Cause]:
    """What keeps a version's schema from being structural, or from making sense, in alphabetical order."""
    return sorted({*_node(schema, "root", path), *_complete(schema, schema, path)}, key=str)


def has_rules(schema: Any) -> bool:
    """Are there CEL rules (`x-kubernetes-validations`) anywhere in it?"""
    if isinstance(schema, dict):
        return bool(schema.get("x-kubernetes-validations")) or any(map(has_rules, schema.values()))
    return isinstance(schema, list) and any(map(has_rules, schema))


def _children(schema: Json, path: str) -> Iterator[tuple[Json, str, str]]:
    """The nodes right below, each with its level and path."""
    if isinstance(schema.get("items"), dict):
        yield schema["items"], "item", f"{path}.items"
    for key, child in (schema.get("properties") or {}).items():
        yield child, "field", f"{path}.properties[{key}]"
    if isinstance(schema.get("additionalProperties"), dict):
        yield schema["additionalProperties"], "field", f"{path}.additionalProperties"


def _node(schema: Json, level: str, path: str) -> Iterator[Cause]:
    kind = schema.get("type") or ""
    if kind and kind not in _TYPES:
        yield not_supported(f"{path}.type", kind, _TYPES)
    if kind == "array" and schema.get("items") is None:
        yield required(f"{path}.items", "must be specified")
    for child, below, where in _children(schema, path):
        yield from _node(child, below, where)
    if level == "root" and "additionalProperties" in schema:
        yield forbidden_field(f"{path}.additionalProperties", "must not be used at the root")
    if schema.get("properties") and schema.get("additionalProperties"):
        yield forbidden_field(
            f"{path}.additionalProperties", "additionalProperties and properties are mutual exclusive"
        )
    if schema.get("uniqueItems"):
        text = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield forbidden_field(f"{path}.uniqueItems", text)
    yield from _type(schema, kind, level, path)
    yield from _extensions(schema, kind, path)
    yield from _junctors(schema, path)
    if schema.get("pattern"):
        yield from _pattern(schema["pattern"], path)
    if "default" in schema:
        yield from _default(schema, path)
    if level == "root":
        yield from _metadata((schema.get("properties") or {}).get("metadata"), path)


def _type(schema: Json, kind: str, level: str, path: str) -> Iterator[Cause]:
    embedded = schema.get("x-kubernetes-embedded-resource")
    if embedded and kind != "object":
        text = "must be object if x-kubernetes-embedded-resource is true"
        yield invalid_value(f"{path}.type", kind, text) if kind else required(f"{path}.type", text)
    elif not kind and not any(
        schema.get(mark) for mark in ("x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields")
    ):
        yield required(f"{path}.type", _EMPTY[level])
    if level == "root" and kind and kind != "object":
        yield invalid_value(f"{path}.type", kind, "must be object at the root")


def _extensions(schema: Json, kind: str, path: str) -> Iterator[Cause]:
    if schema.get("x-kubernetes-int-or-string"):
        for mark in ("x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"):
            if schema.get(mark):
                yield invalid_value(f"{path}.{mark}", True, "must be false if x-kubernetes-int-or-string is true")
    relation, keys = schema.get("x-kubernetes-list-type"), schema.get("x-kubernetes-list-map-keys")
    if relation is not None and relation not in ("atomic", "set", "map"):
        yield not_supported(f"{path}.x-kubernetes-list-type", relation, ("atomic", "map", "set"))
    if relation is not None and kind != "array":
        text = "must be array if x-kubernetes-list-type is specified"
        yield invalid_value(f"{path}.type", kind, text) if kind else required(f"{path}.type", text)
    if relation == "map":
        if not keys:
            yield required(f"{path}.x-kubernetes-list-map-keys", "must not be empty if x-kubernetes-list-type is map")
        items = schema.get("items") or {}
        for at, key in enumerate(keys or ()):
            if key not in (items.get("properties") or {}):
                where = f"{path}.x-kubernetes-list-map-keys[{at}]"
                yield invalid_value(where, key, "entries must all be names of item properties")
            elif key not in (items.get("required") or ()) and "default" not in items["properties"][key]:
                where = f"{path}.items.properties[{key}].default"
                text = (
                    "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required"
                    " property"
                )
                yield required(where, text)
    elif keys:
        where = f"{path}.x-kubernetes-list-type"
        text = "must be map if x-kubernetes-list-map-keys is non-empty"
        yield invalid_value(where, relation, text) if relation else required(where, text)


def _junctors(schema: Json, path: str) -> Iterator[Cause]:
    """Inside anyOf, allOf, oneOf and not, only validation is allowed; the usual way to say int-or-string apart."""
    loose = bool(schema.get("x-kubernetes-int-or-string"))
    for word in ("anyOf", "allOf", "oneOf"):
        for at, nested in enumerate(schema.get(word) or ()):
            if loose and word == "anyOf" and schema["anyOf"] == _INT_OR_STRING:
                continue
            usual = loose and word == "allOf" and at == 0 and nested.get("anyOf") == _INT_OR_STRING
            yield from _nested({**nested, "anyOf": []} if usual else nested, f"{path}.{word}[{at}]")
    if isinstance(schema.get("not"), dict):
        yield from _nested(schema["not"], f"{path}.not")


def _nested(schema: Json, path: str) -> Iterator[Cause]:
    for word, text in _NESTED_FORBIDDEN.items():
        if schema.get(word) or (word == "default" and "default" in schema):
            yield forbidden_field(f"{path}.{word}", text)
    for child, _, where in _children({**schema, "additionalProperties": None}, path):
        yield from _nested(child, where)
    if "metadata" in (schema.get("properties") or {}):
        yield forbidden_field(f"{path}.properties[metadata]", "must not be specified in a nested context")
    yield from _junctors(schema, path)


def _pattern(pattern: str, path: str) -> Iterator[Cause]:
    try:
        re.compile(pattern.replace(r"\z", r"\Z"))
    except (re.error, OverflowError) as error:
        text = f"must be a valid regular expression, but isn't: error parsing regexp: {error}"
        yield invalid_value(f"{path}.pattern", pattern, text)


def _default(schema: Json, path: str) -> Iterator[Cause]:
    """A default is valid itself, and has nothing that would be pruned."""
    value = schema["default"]
    for cause in structural.validate({"properties": {"default": {**schema, "default": None}}}, {"default": value}):
        yield Cause(f"{path}.{cause.field}", cause.reason, cause.message.replace("default", f"{path}.default", 1))
    pruned, _ = structural.prune({"properties": {"default": schema}}, {"default": value})
    if pruned != {"default": value}:
        yield invalid_value(f"{path}.default", value, "must not have unknown fields")


def _metadata(stated: Json | None, path: str) -> Iterator[Cause]:
    if stated is None:
        return
    where = f"{path}.properties[metadata]"
    if stated.get("type") != "object":
        yield invalid_value(f"{where}.type", stated.get("type") or "", "must be object")
    rest = {key for key in stated if key not in ("type", "description", "default")}
    named = set(stated.get("properties") or ()) <= {"name", "generateName"}
    if rest - {"properties"} or not named:
        text = "must not specify anything other than name and generateName, but metadata is implicitly specified"
        yield forbidden_field(where, text)


def _complete(schema: Json, root: Json, path: str) -> Iterator[Cause]:
    """What anyOf, allOf, oneOf and not speak of is also specified outside of them."""
    for child, _, where in _children(schema, path):
        yield from _complete(child, child, where)
    for word in ("anyOf", "allOf", "oneOf"):
        for at, nested in enumerate(schema.get(word) or ()):
            yield from _specified(nested, root, f"{path}.{word}[{at}]", path)
    if isinstance(schema.get("not"), dict):
        yield from _specified(schema["not"], root, f"{path}.not", path)


def _specified(nested: Json, root: Json, path: str, outside: str) -> Iterator[Cause]:
    for key, child in (nested.get("properties") or {}).items():
        stated = (root.get("properties") or {}).get(key)
        where = f"{outside}.properties[{key}]"
        if stated is None and not isinstance(root.get("additionalProperties"), dict):
            yield required(where, f"because it is defined in {path}.properties[{key}]")
        elif stated is not None:
            yield from _specified(child, stated, f"{path}.properties[{key}]", where)
    if isinstance(nested.get("items"), dict):
        if not isinstance(root.get("items"), dict):
            yield required(f"{outside}.items", f"because it is defined in {path}.items")
        else:
            yield from _specified(nested["items"], root["items"], f"{path}.items", f"{outside}.items")
