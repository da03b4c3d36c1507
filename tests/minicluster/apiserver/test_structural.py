"""Structural schemas: pruning, defaults, validation, and what is wrong with a schema itself."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import structural
from k8sdiag.minicluster.apiserver.definitioncheck import validate_definition, warnings_of
from k8sdiag.minicluster.apiserver.structuralcheck import check_schema


def schema(**spec: Any) -> Json:
    return {"type": "object", "properties": {"spec": {"type": "object", "properties": spec}}}


def complaints(stated: Json, value: Any) -> list[str]:
    return [str(cause) for cause in structural.validate(schema(f=stated), {"spec": {"f": value}})]


@pytest.mark.parametrize(
    ("stated", "value", "said"),
    [
        ({"type": "integer"}, "x", 'Invalid value: "string": spec.f in body must be of type integer: "string"'),
        ({"type": "string"}, None, 'Invalid value: "null": spec.f in body must be of type string: "null"'),
        ({"type": "string", "enum": ["a", "b"]}, "c", 'Unsupported value: "c": supported values: "a", "b"'),
        ({"type": "string", "pattern": "^a+$"}, "b", "Invalid value: \"b\": spec.f in body should match '^a+$'"),
        ({"type": "string", "maxLength": 1}, "ab", "Too long: may not be more than 1 bytes"),
        (
            {"type": "string", "minLength": 3},
            "ab",
            'Invalid value: "ab": spec.f in body should be at least 3 chars long',
        ),
        ({"type": "integer", "minimum": 1}, 0, "Invalid value: 0: spec.f in body should be greater than or equal to 1"),
        (
            {"type": "number", "maximum": 1.5, "exclusiveMaximum": True},
            1.5,
            "Invalid value: 1.5: spec.f in body should be less than 1.5",
        ),
        ({"type": "integer", "multipleOf": 3}, 4, "Invalid value: 4: spec.f in body should be a multiple of 3"),
        (
            {"type": "string", "format": "date-time"},
            "x",
            'Invalid value: "x": spec.f in body must be of type date-time: "x"',
        ),
        (
            {"x-kubernetes-int-or-string": True},
            True,
            'Invalid value: "boolean": spec.f in body must be of type integer,string: "boolean"',
        ),
        ({"type": "array", "maxItems": 1, "items": {}}, [1, 2], "Too many: 2: must have at most 1 item"),
        (
            {"type": "array", "minItems": 1, "items": {}},
            [],
            "Invalid value: []: spec.f in body should have at least 1 items",
        ),
    ],
)
def test_values_that_do_not_fit(stated: Json, value: Any, said: str) -> None:
    assert complaints(stated, value) == [f"spec.f: {said}"]


@pytest.mark.parametrize(
    ("stated", "value"),
    [
        ({"type": "string", "nullable": True}, None),
        ({"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}, "50%"),
        ({"type": "number"}, 3),
        ({"type": "integer"}, 3.0),
        ({"type": "string", "format": "unknown-format"}, "x"),
        ({"type": "object", "x-kubernetes-preserve-unknown-fields": True}, {"a": [1]}),
    ],
)
def test_values_that_fit(stated: Json, value: Any) -> None:
    assert complaints(stated, value) == []


def test_lists_that_are_maps_or_sets_hold_nothing_twice() -> None:
    items = {"type": "object", "properties": {"name": {"type": "string"}}}
    listed = {"type": "array", "items": items, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
    assert complaints(listed, [{"name": "a"}, {"name": "a"}]) == ['spec.f[1]: Duplicate value: {"name":"a"}']
    unique = {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"}
    assert complaints(unique, ["a", "b", "a"]) == ['spec.f[2]: Duplicate value: "a"']


def test_what_must_hold_together() -> None:
    either = {
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
    }
    assert complaints(either, {"a": 1}) == []
    assert 'spec.f: Invalid value: {}: "spec.f" must validate one and only one schema (oneOf). Found none valid' in (
        complaints(either, {})
    )
    assert complaints({"type": "object", "required": ["x"]}, {}) == ["spec.f.x: Required value"]
    assert complaints({"type": "string", "not": {"enum": ["x"]}}, "x") == [
        'spec.f: Invalid value: "x": "spec.f" must not validate the schema (not)'
    ]


def test_what_was_wrong_before_may_stay() -> None:
    stated = schema(f={"type": "integer", "maximum": 1}, g={"type": "string"})
    old = {"spec": {"f": 5, "g": "a"}}
    assert structural.validate(stated, {"spec": {"f": 5, "g": "b"}}, old) == []
    assert len(structural.validate(stated, {"spec": {"f": 6, "g": "b"}}, old)) == 1


def test_pruning() -> None:
    stated = schema(
        f={"type": "object", "properties": {"a": {"type": "string"}}},
        free={"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        named={"type": "object", "additionalProperties": {"type": "object", "properties": {"x": {"type": "string"}}}},
        pod={"type": "object", "x-kubernetes-embedded-resource": True, "properties": {"spec": {"type": "object"}}},
    )
    obj = {
        "apiVersion": "v", "kind": "K", "metadata": {"name": "n"}, "extra": 1,
        "spec": {
            "f": {"a": "1", "b": "2"}, "free": {"x": 1}, "named": {"k": {"x": "1", "y": "2"}},
            "pod": {"kind": "Pod", "metadata": {}, "spec": {}, "junk": 1},
        },
    }  # fmt: skip
    before = copy.deepcopy(obj)
    pruned, unknown = structural.prune(stated, obj)
    assert obj == before
    assert sorted(unknown) == ["extra", "spec.f.b", "spec.named.k.y", "spec.pod.junk"]
    assert pruned["spec"] == {
        "f": {"a": "1"},
        "free": {"x": 1},
        "named": {"k": {"x": "1"}},
        "pod": {"kind": "Pod", "metadata": {}, "spec": {}},
    }
    assert structural.prune(stated, pruned)[0] is pruned


def test_defaults() -> None:
    stated = schema(
        a={"type": "integer", "default": 3},
        b={"type": "string", "nullable": True, "default": "x"},
        c={"type": "object", "default": {}, "properties": {"d": {"type": "string", "default": "deep"}}},
        e={"type": "array", "items": {"type": "object", "properties": {"f": {"type": "boolean", "default": True}}}},
    )
    filled = structural.apply_defaults(stated, {"spec": {"a": None, "b": None, "e": [{}]}})
    assert filled == {"spec": {"a": 3, "b": None, "c": {"d": "deep"}, "e": [{"f": True}]}}
    assert structural.apply_defaults(stated, filled) is filled
    assert structural.apply_defaults(stated, {}) == {}


ROOT = "spec.validation.openAPIV3Schema"


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ({}, "type: Required value: must not be empty at the root"),
        ({"type": "array", "items": {"type": "string"}}, 'type: Invalid value: "array": must be object at the root'),
        (
            schema(f={}),
            "properties[spec].properties[f].type: Required value: must not be empty for specified object fields",
        ),
        (schema(f={"type": "array"}), "properties[spec].properties[f].items: Required value: must be specified"),
        (
            schema(f={"type": "array", "items": {}}),
            "properties[spec].properties[f].items.type: Required value: must not be empty for specified array items",
        ),
        (
            schema(f={"type": "int"}),
            (
                'properties[spec].properties[f].type: Unsupported value: "int": supported values: "array", "boolean", '
                '"integer", "number", "object", "string"'
            ),
        ),
        (
            schema(f={"type": "string", "anyOf": [{"type": "string"}]}),
            "properties[spec].properties[f].anyOf[0].type: Forbidden: must be empty to be structural",
        ),
        (
            schema(f={"type": "object", "oneOf": [{"properties": {"x": {"maxLength": 1}}}]}),
            (
                "properties[spec].properties[f].properties[x]: Required value: because it is defined in "
                f"{ROOT}.properties[spec].properties[f].oneOf[0].properties[x]"
            ),
        ),
        (
            schema(f={"type": "array", "items": {"type": "object"}, "x-kubernetes-list-type": "map"}),
            (
                "properties[spec].properties[f].x-kubernetes-list-map-keys: Required value: must not be empty if "
                "x-kubernetes-list-type is map"
            ),
        ),
        (
            schema(f={"type": "integer", "default": "x"}),
            (
                'properties[spec].properties[f].default: Invalid value: "string": '
                f'{ROOT}.properties[spec].properties[f].default in body must be of type integer: "string"'
            ),
        ),
    ],
)
def test_schemas_that_are_not_structural(stated: Json, said: str) -> None:
    assert [str(cause) for cause in check_schema(stated, ROOT)] == [f"{ROOT}.{said}"]


def test_a_structural_schema_has_nothing_wrong() -> None:
    port = {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}
    named = {"type": "object", "required": ["n"], "properties": {"n": {"type": "string"}}}
    listed = {"type": "array", "items": named, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n"]}
    assert check_schema(schema(port=port, listed=listed), ROOT) == []


def definition(**spec: Any) -> Json:
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema(f={"type": "string"})},
    }
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"}
    base = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]}
    return {"metadata": {"name": "widgets.example.com"}, "spec": {**base, **spec}}


def test_definitions() -> None:
    assert validate_definition(definition()) == []
    assert [str(cause) for cause in validate_definition(definition(group="com", scope="Global"))] == [
        'metadata.name: Invalid value: "widgets.example.com": must be spec.names.plural+"."+spec.group',
        'spec.group: Invalid value: "com": should be a domain with at least one dot',
        'spec.scope: Unsupported value: "Global": supported values: "Cluster", "Namespaced"',
    ]
    twice = definition()
    twice["spec"]["versions"] *= 2
    assert [cause.field for cause in validate_definition(twice)] == ["spec.versions[1].name", "spec.versions"]
    assert [str(cause) for cause in validate_definition(definition(scope="Cluster"), definition())] == [
        'spec.scope: Invalid value: "Cluster": field is immutable'
    ]


def test_rules_in_cel_are_warned_of() -> None:
    crd = definition()
    assert warnings_of(crd) == []
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["x-kubernetes-validations"] = [{"rule": "true"}]
    [warning] = warnings_of(crd)
    assert "not evaluated" in warning


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 5) | st.sampled_from(["a", "b"]),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "f"]), below, max_size=3),
)
NODES = st.recursive(
    st.sampled_from(["string", "integer", "boolean"]).map(lambda kind: {"type": kind}),
    lambda below: (
        st.dictionaries(st.sampled_from(["a", "b", "f"]), below, max_size=3).map(
            lambda held: {"type": "object", "properties": held}
        )
        | below.map(lambda item: {"type": "array", "items": item})
    ),
    max_leaves=6,
)


@given(NODES, JSON)
def test_pruning_twice_is_pruning_once_and_what_is_left_is_known(node: Json, value: Any) -> None:
    stated = schema(f=node)
    pruned, _ = structural.prune(stated, {"spec": {"f": value}})
    again, unknown = structural.prune(stated, pruned)
    assert again is pruned
    assert unknown == []
    structural.validate(stated, pruned)
