"""Whatever decodes is filled in and judged: no object of any kind, however odd, brings the server down."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import defaults, fieldvalidation, validation
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.apiserver.schema import builtin
from k8sdiag.minicluster.kinds import Registry, Resource, read_openapi

SCHEMAS: dict[str, Json] = read_openapi("definitions.json.gz")
SCHEMAS = SCHEMAS.get("definitions", SCHEMAS)
KINDS = [resource for resource in Registry().all() if resource.definition in SCHEMAS]
SPECIAL: dict[str, list[Any]] = {
    "Quantity": ["1", "500m", "1Gi", "-1", "0", 2],
    "IntOrString": [0, 1, 80, "25%", "abc", "-5", "http"],
    "Time": ["2026-01-01T00:00:00Z"],
    "MicroTime": ["2026-01-01T00:00:00.000001Z"],
    "FieldsV1": [{}],
    "RawExtension": [{}],
    "JSON": [{}],
}
WORDS = ["", "a", "x.y", "A b", "10.0.0.1", "10.0.0.0/8", "/p", "metadata.name", "* * * * *", "RollingUpdate", "In"]
KEYS = ["cpu", "memory", "a", "storage", "example.com/x", "B b"]


def some(schema: Json, depth: int, random: Random) -> Any:
    """Some value that a schema allows, now and then null."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if name.rpartition(".")[2] in SPECIAL:
            return random.choice(SPECIAL[name.rpartition(".")[2]])
        schema = SCHEMAS[name]
    if random.random() < 0.04:
        return None
    if "additionalProperties" in schema:
        keys = random.sample(KEYS, random.randint(0, 3))
        return {key: some(schema["additionalProperties"], depth - 1, random) for key in keys}
    if "properties" in schema:
        share = 0.9 if depth > 8 else 0.5 if depth > 3 else 0.25
        chosen = [name for name in schema["properties"] if depth > 0 and random.random() < share]
        return {name: some(schema["properties"][name], depth - 1, random) for name in chosen}
    if schema.get("type") == "array":
        return [some(schema["items"], depth - 1, random) for _ in range(random.randint(0, 2) if depth > 0 else 0)]
    if schema.get("type") == "string":
        return random.choice(schema.get("enum", []) + WORDS)
    if schema.get("type") in ("integer", "number"):
        return random.choice([0, 1, -1, 80, 70000])
    return random.random() < 0.5 if schema.get("type") == "boolean" else {}


def an_object(resource: Resource, random: Random) -> Json | None:
    """An object as it comes to validation; None where it cannot be decoded."""
    obj = some({"$ref": f"#/definitions/{resource.definition}"}, 10, random) or {}
    meta = {key: value for key, value in (obj.get("metadata") or {}).items() if key != "managedFields"}
    obj["metadata"] = {**meta, "name": "x", "uid": "u", "resourceVersion": "1"}
    obj |= {"apiVersion": resource.api_version, "kind": resource.kind}
    try:
        decoded: Json = fieldvalidation.decode(builtin(resource.definition), obj)[0]
        defaults.apply(resource, decoded)
    except (ApiError, fieldvalidation.DecodeError):
        return None
    defaults.prepare(resource, decoded)
    return decoded


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(KINDS), st.integers(0, 2**32))
def test_any_object_is_judged(resource: Resource, seed: int) -> None:
    random = Random(seed)
    new, old = an_object(resource, random), an_object(resource, random)
    if new is None or old is None:
        return
    filled = copy.deepcopy(new)
    defaults.apply(resource, filled)
    assert filled == new
    for cause in validation.validate(resource, new, None, ""):
        assert cause.message
    for subresource in ("", "status", "resize", "ephemeralcontainers", "finalize"):
        validation.validate(resource, copy.deepcopy(new), old, subresource)
    assert new == filled, "validation changes nothing"
