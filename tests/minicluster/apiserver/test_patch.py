"""JSON patch and merge patch against tiny reference implementations, and the server's errors."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.apiserver.jsonpatch import PatchError, apply_json_patch
from k8sdiag.minicluster.apiserver.patch import (
    APPLY_PATCH,
    JSON_PATCH,
    MERGE_PATCH,
    STRATEGIC_PATCH,
    apply_patch,
    check_content_type,
    merge,
)
from k8sdiag.minicluster.apiserver.schema import ANY, builtin

DEPLOYMENT = builtin("io.k8s.api.apps.v1.Deployment")

KEYS = st.sampled_from(["a", "b", "c/d", "e~f", ""])
SCALARS = st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["", "x", "y"])
JSON = st.recursive(SCALARS, lambda below: st.lists(below, max_size=3) | st.dictionaries(KEYS, below, max_size=3))
OBJECTS = st.dictionaries(KEYS, JSON, max_size=4)


def reference_merge(target: Any, patch: Any) -> Any:
    """RFC 7386, section 2, as it stands there."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    if not isinstance(target, dict):
        target = {}
    target = copy.deepcopy(target)
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        else:
            target[name] = reference_merge(target.get(name), value)
    return target


@given(OBJECTS, OBJECTS)
def test_merge_patch_is_rfc_7386(target: Any, patch: Any) -> None:
    before = copy.deepcopy(target)
    assert merge(target, patch) == reference_merge(target, patch)
    assert target == before


@given(OBJECTS, OBJECTS)
def test_merge_patch_twice_is_once(target: Any, patch: Any) -> None:
    once = merge(target, patch)
    assert merge(once, patch) == once


def pointers(value: Any, prefix: str = "") -> list[str]:
    """Every pointer into a document."""
    found = [prefix]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in items:
        token = str(key).replace("~", "~0").replace("/", "~1")
        found += pointers(child, f"{prefix}/{token}")
    return found


def reference_apply(document: Any, operation: dict[str, Any]) -> Any:  # noqa: C901 (the operations, one by one)
    """RFC 6902, in place on a copy, with evanphx/json-patch's liberties."""
    document = {"": orjson.loads(orjson.dumps(document))}  # a deepcopy would keep one list that is there twice one

    def place(path: str) -> tuple[Any, Any]:
        tokens = [token.replace("~1", "/").replace("~0", "~") for token in path.split("/")[1:]]
        parent, key = document, ""
        for token in tokens:
            parent = parent[key]
            key = token
            if isinstance(parent, list):
                key = len(parent) if token == "-" else int(token)  # type: ignore[assignment]
            elif not isinstance(parent, dict):
                raise KeyError(token)
        return parent, key

    def read(path: str) -> Any:
        parent, key = place(path)
        return parent[key]

    def add(path: str, value: Any) -> None:
        parent, key = place(path)
        if isinstance(parent, list):
            if key > len(parent):
                raise IndexError
            parent.insert(key, value)
        else:
            parent[key] = value

    def remove(path: str) -> Any:
        parent, key = place(path)
        return parent.pop(key)

    name, path = operation["op"], operation["path"]
    if name == "add":
        add(path, operation["value"])
    elif name == "remove":
        remove(path)
    elif name == "replace":
        read(path)
        parent, key = place(path)
        parent[key] = operation["value"]
    elif name == "copy":
        add(path, copy.deepcopy(read(operation["from"])))
    elif name == "move":
        add(path, remove(operation["from"]))
    return document[""]


@given(st.data(), OBJECTS)
def test_json_patch_is_rfc_6902(data: st.DataObject, document: Any) -> None:
    for _ in range(data.draw(st.integers(1, 4))):
        there = pointers(document)
        path = data.draw(st.sampled_from(there))
        if data.draw(st.booleans()):
            path += data.draw(st.sampled_from(["/a", "/0", "/1", "/-", "/c~1d"]))
        source = data.draw(st.sampled_from(there))
        name = data.draw(st.sampled_from(["add", "remove", "replace", "copy", "move"]))
        if path.startswith(f"{source}/") and name == "move":
            continue
        if (not path and name == "remove") or not source:
            continue
        operation = {"op": name, "path": path, "from": source, "value": data.draw(JSON)}
        before = copy.deepcopy(document)
        try:
            expected = reference_apply(document, operation)
        except (KeyError, IndexError, ValueError, TypeError):
            with pytest.raises(PatchError):
                apply_json_patch(document, [operation])
            continue
        result = apply_json_patch(document, [operation])
        assert result == expected
        assert document == before
        document = result


def test_a_failing_operation_undoes_all() -> None:
    document = {"a": 1}
    with pytest.raises(PatchError):
        apply_json_patch(document, [{"op": "add", "path": "/b", "value": 2}, {"op": "remove", "path": "/c"}])
    assert document == {"a": 1}


@pytest.mark.parametrize(("value", "fits"), [(1, True), (2, False), (True, False), ("1", False), (None, False)])
def test_test_compares_as_json(value: Any, fits: bool) -> None:
    operation = [{"op": "test", "path": "/a", "value": value}]
    if fits:
        assert apply_json_patch({"a": 1}, operation) == {"a": 1}
    else:
        with pytest.raises(PatchError):
            apply_json_patch({"a": 1}, operation)


def refused(content_type: str, patch: Any) -> ApiError:
    with pytest.raises(ApiError) as found:
        apply_patch(content_type, {"spec": {}}, patch, DEPLOYMENT)
    return found.value


def test_the_servers_errors() -> None:
    failed = refused(JSON_PATCH, [{"op": "test", "path": "/spec/replicas", "value": 3}])
    assert (failed.code, failed.reason) == (422, "Invalid")
    assert failed.message == "the server rejected our request due to an error in our request"
    assert refused(JSON_PATCH, {"op": "add"}).code == 400
    many = refused(JSON_PATCH, [{"op": "test", "path": "/spec", "value": {}}] * 10_001)
    assert many.code == 413
    assert many.message.endswith("The allowed maximum operations in a JSON patch is 10000, got 10001")
    assert refused(STRATEGIC_PATCH, {"spec": {"$retainKeys": 1}}).message == "invalid patch format of retainKeys"
    assert refused(MERGE_PATCH, 5).code == 422


def test_custom_resources_take_no_strategic_merge_patch() -> None:
    assert check_content_type(f"{STRATEGIC_PATCH}; charset=utf-8", custom=False) == STRATEGIC_PATCH
    assert check_content_type(APPLY_PATCH, custom=True) == APPLY_PATCH
    with pytest.raises(ApiError) as found:
        check_content_type(STRATEGIC_PATCH, custom=True)
    assert found.value.code == 415
    assert found.value.message == (
        "the body of the request was in an unknown format - accepted media types include: "
        "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
    )


def test_any_takes_merges_of_unknown_fields() -> None:
    assert apply_patch(MERGE_PATCH, {"a": {"b": 1}}, {"a": {"c": None, "d": {"e": None}}}, ANY) == {
        "a": {"b": 1, "d": {}}
    }
