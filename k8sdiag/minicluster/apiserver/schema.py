"""The types of the API as trees of nodes, from `openapi/definitions.json.gz`: what patches, server-side apply and
strict decoding walk along with an object.

Merge keys and list types are the `x-kubernetes-*` marks of the definitions. How they are read follows
kube-openapi/pkg/schemaconv: a list without marks is atomic, a map is not; `list-type` wins over `patch-strategy`.
A definition is compiled when first asked for, once in a process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.gotypes import ALWAYS, NO_POINTER, POINTERS
from k8sdiag.minicluster.kinds import read_openapi

_REF = len("#/definitions/")
_PREFIX = "io.k8s.apimachinery.pkg."
_SCALARS = {
    _PREFIX + "api.resource.Quantity": ("quantity", "resource.Quantity"),
    _PREFIX + "apis.meta.v1.Time": ("time", "v1.Time"),
    _PREFIX + "apis.meta.v1.MicroTime": ("micro-time", "v1.MicroTime"),
    _PREFIX + "util.intstr.IntOrString": ("int-or-string", "intstr.IntOrString"),
}
_GO_SCALARS = {"string": "string", "integer": "int64", "boolean": "bool", "number": "float64", "bytes": "[]uint8"}
_KEY_DEFAULTS = {"protocol": "TCP"}  # the only key of a list that has a default: ports without a protocol


@dataclass(slots=True, eq=False)
class Type:
    """One node. `kind` is object (known fields), map, list, string, integer, number, boolean, bytes, quantity, time,
    micro-time, int-or-string or any (what nobody looks into).

    `element` is what a list or map holds. `relation` of a list is atomic, map (told apart by `keys`) or set; an object
    or map that is `atomic` is changed and owned as a whole. `merge` and `merge_key` say how strategic merge patch
    treats a list. `always` are the fields Go writes even when nobody set them, `omitted` those it leaves out when they
    hold their type's zero value.
    """

    kind: str
    go: str
    fields: dict[str, Type] = field(default_factory=dict)
    element: Type | None = None
    atomic: bool = False
    relation: str = ""
    keys: tuple[str, ...] = ()
    key_defaults: Mapping[str, Any] = field(default_factory=dict)
    merge: bool = False
    merge_key: str = ""
    required: tuple[str, ...] = ()
    enum: tuple[str, ...] = ()
    always: Mapping[str, Any] = field(default_factory=dict)
    omitted: frozenset[str] = frozenset()
    bits: int = 64
    schema: Json | None = None  # of a custom resource, at its root

    def child(self, name: str) -> Type:
        """The type of a field or of a map's value; ANY where nothing is known of it."""
        return self.fields.get(name) or self.element or ANY


ANY = Type("any", "interface {}")


@cache
def definitions() -> Json:
    """All OpenAPI definitions by name, as they were stated."""
    found: Json = read_openapi("definitions.json.gz")["definitions"]
    return found


_compiled: dict[str, Type] = {}


def builtin(definition: str) -> Type:
    """The type of a definition: `io.k8s.api.core.v1.Pod`. ANY for a name that is none."""
    found = _compiled.get(definition)
    if found is not None:
        return found
    if definition in _SCALARS:
        kind, go = _SCALARS[definition]
        found = _compiled[definition] = Type(kind, go)
        return found
    stated = definitions().get(definition)
    if stated is None or "properties" not in stated:
        found = _compiled[definition] = ANY
        return found
    package, _, name = definition.rpartition(".")
    found = _compiled[definition] = Type("object", f"{package.rpartition('.')[2]}.{name}")
    _fill(found, stated, name)
    return found


def _fill(node: Type, stated: Json, name: str) -> None:
    """Properties after the node is known by its name, for types hold themselves (JSONSchemaProps)."""
    for key, value in stated["properties"].items():
        node.fields[key] = compile_node(value)
    node.atomic = stated.get("x-kubernetes-map-type") == "atomic"
    node.required = tuple(stated.get("required", ()))
    written = {**_always_in_conditions(node, name), **ALWAYS.get(name, {})}
    node.always = {key: least for key, least in written.items() if key in node.fields}
    kept = POINTERS.get(name, frozenset())
    node.omitted = frozenset(
        key
        for key, child in node.fields.items()
        if key not in node.required and key not in kept and _droppable(name, key, child)
    )


def _always_in_conditions(node: Type, name: str) -> Json:
    """Go writes a condition's type and status were they empty, and everybody who looks for one relies on it."""
    if not name.endswith("Condition"):
        return {}
    return {key: "" for key in node.required if node.fields[key].kind == "string"}


def _droppable(name: str, key: str, child: Type) -> bool:
    """Is this a field that Go leaves out when empty? Lists, maps and strings are, numbers and booleans seldom."""
    if child.kind in ("list", "map", "string", "bytes"):
        return True
    return key in NO_POINTER.get(name, ()) and child.kind in ("boolean", "integer")


def compile_node(stated: Json) -> Type:
    """The node of a property, an item or a map's value as OpenAPI states it."""
    if "$ref" in stated:
        return builtin(stated["$ref"][_REF:])
    kind = stated.get("type")
    if kind == "array":
        return _list(stated)
    if kind == "object":
        values = stated.get("additionalProperties")
        if not isinstance(values, dict):
            return ANY
        element = compile_node(values)
        atomic = stated.get("x-kubernetes-map-type") == "atomic"
        return Type("map", f"map[string]{element.go}", element=element, atomic=atomic)
    if kind == "string" and stated.get("format") == "byte":
        kind = "bytes"
    if kind not in _GO_SCALARS:
        return ANY
    bits = 32 if stated.get("format") == "int32" else 64
    go = "int32" if kind == "integer" and bits == 32 else _GO_SCALARS[kind]
    return Type(kind, go, enum=tuple(stated.get("enum", ())), bits=bits)


def _list(stated: Json) -> Type:
    element = compile_node(stated.get("items") or {})
    strategy = stated.get("x-kubernetes-patch-strategy", "")
    merge, merge_key = strategy.startswith("merge"), stated.get("x-kubernetes-patch-merge-key", "")
    relation = stated.get("x-kubernetes-list-type", "")
    keys = tuple(stated.get("x-kubernetes-list-map-keys", ()))
    if not relation and merge:
        relation, keys = ("map", (merge_key,)) if merge_key else ("set", ())
    return Type(
        "list",
        f"[]{element.go}",
        element=element,
        relation=relation or "atomic",
        keys=keys,
        key_defaults={key: _KEY_DEFAULTS[key] for key in keys if key in _KEY_DEFAULTS},
        merge=merge,
        merge_key=merge_key,
    )


def structural_type(stated: Json) -> Type:
    """The node of a custom resource's structural schema (apiextensions-apiserver/pkg/controller/openapi)."""
    if stated.get("x-kubernetes-int-or-string"):
        return Type("int-or-string", "intstr.IntOrString")
    kind = stated.get("type")
    if kind == "array":
        keys = tuple(stated.get("x-kubernetes-list-map-keys") or ())
        items = stated.get("items") or {}
        given = {
            name: value["default"] for name, value in (items.get("properties") or {}).items() if "default" in value
        }
        return Type(
            "list",
            "[]interface {}",
            element=structural_type(items),
            relation=stated.get("x-kubernetes-list-type") or "atomic",
            keys=keys,
            key_defaults={key: given[key] for key in keys if key in given},
        )
    if kind == "object" or "properties" in stated:
        return _structural_object(stated)
    return Type(kind, _GO_SCALARS[kind]) if kind in _GO_SCALARS else ANY


def _structural_object(stated: Json) -> Type:
    values = stated.get("additionalProperties")
    fields = {name: structural_type(value) for name, value in (stated.get("properties") or {}).items()}
    atomic = stated.get("x-kubernetes-map-type") == "atomic"
    if not fields and isinstance(values, dict):
        return Type("map", "map[string]interface {}", element=structural_type(values), atomic=atomic)
    node = Type("object", "map[string]interface {}", fields=fields, atomic=atomic)
    if stated.get("x-kubernetes-preserve-unknown-fields") or values is True:
        node.element = ANY
    if stated.get("x-kubernetes-embedded-resource"):
        fields.setdefault("metadata", object_meta())
    return node


def object_meta() -> Type:
    return builtin(_PREFIX + "apis.meta.v1.ObjectMeta")


def custom_type(stated: Json | None) -> Type:
    """The type of a custom resource in one version: its schema, and the metadata every object has."""
    stated = stated or {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    node = structural_type(stated)
    if node.kind != "object":
        node = Type("object", "map[string]interface {}")
    node.schema = stated
    scalar = Type("string", "string")
    node.fields.update(apiVersion=scalar, kind=scalar, metadata=object_meta())
    return node
