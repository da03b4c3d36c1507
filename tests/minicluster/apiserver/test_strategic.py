"""Strategic merge patches with Kubernetes' own merge keys; examples follow apimachinery's patch_test.go."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.schema import builtin
from k8sdiag.minicluster.apiserver.strategic import StrategicError, strategic_merge

POD = builtin("io.k8s.api.core.v1.Pod")


def patched(spec: Json, patch: Json) -> Json:
    before = copy.deepcopy((spec, patch))
    out = strategic_merge(POD, {"spec": spec}, {"spec": patch})
    assert (spec, patch) == before
    found: Json = out["spec"]
    return found


def container(name: str, **more: Any) -> Json:
    return {"name": name, **more}


def test_lists_with_a_merge_key_merge_item_by_item() -> None:
    held = {"containers": [container("a", image="1", env=[{"name": "X", "value": "1"}]), container("b", image="2")]}
    patch = {"containers": [container("b", image="3"), container("a", env=[{"name": "Y", "value": "2"}])]}
    result = patched(held, patch)["containers"]
    by_name = {item["name"]: item for item in result}
    assert by_name["b"]["image"] == "3"
    assert {each["name"]: each["value"] for each in by_name["a"]["env"]} == {"X": "1", "Y": "2"}
    assert by_name["a"]["image"] == "1"


def test_atomic_lists_are_replaced() -> None:
    held = {"containers": [container("a", command=["x", "y"])], "tolerations": [{"key": "a"}]}
    result = patched(held, {"containers": [container("a", command=["z"])], "tolerations": [{"key": "b"}]})
    assert result["containers"][0]["command"] == ["z"]
    assert result["tolerations"] == [{"key": "b"}]


def test_an_item_is_deleted_by_its_key() -> None:
    held = {"containers": [container("a"), container("b")]}
    assert patched(held, {"containers": [{"name": "a", "$patch": "delete"}]}) == {"containers": [container("b")]}


def test_replace_takes_the_place_of_a_list() -> None:
    held = {"containers": [container("a"), container("b")]}
    assert patched(held, {"containers": [{"$patch": "replace"}, container("c")]}) == {"containers": [container("c")]}


def test_replace_and_delete_of_a_map() -> None:
    held = {"securityContext": {"runAsUser": 1, "fsGroup": 2}}
    assert patched(held, {"securityContext": {"$patch": "replace", "runAsUser": 3}}) == {
        "securityContext": {"runAsUser": 3}
    }
    assert patched(held, {"securityContext": {"$patch": "delete"}}) == {"securityContext": {}}


def test_null_removes_a_field_and_what_is_not_there_is_no_matter() -> None:
    assert patched({"nodeName": "x"}, {"nodeName": None, "hostname": None}) == {}
    assert patched({}, {"securityContext": {"runAsUser": None, "fsGroup": 1}}) == {"securityContext": {"fsGroup": 1}}


def test_primitive_lists_merge_as_sets_and_lose_what_is_listed() -> None:
    node = strategic_merge(POD, {"metadata": {"finalizers": ["a", "b"]}}, {"metadata": {"finalizers": ["c"]}})
    assert sorted(node["metadata"]["finalizers"]) == ["a", "b", "c"]
    node = strategic_merge(POD, node, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}})
    assert sorted(node["metadata"]["finalizers"]) == ["b", "c"]


def test_the_order_is_the_patchs_and_the_servers_own_stay_where_they_were() -> None:
    held = {"containers": [container("a"), container("injected"), container("b")]}
    patch = {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}], "containers": [container("b", image="1")]}
    result = patched(held, patch)["containers"]
    assert [item["name"] for item in result if item["name"] != "injected"] == ["b", "a"]
    assert len(result) == 3


def test_retain_keys_clears_the_rest() -> None:
    held = {"volumes": [{"name": "v", "emptyDir": {}}]}
    patch = {"volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}]}
    assert patched(held, patch) == {"volumes": [{"name": "v", "hostPath": {"path": "/x"}}]}
    with pytest.raises(StrategicError, match="retainKeys"):
        patched(held, {"volumes": [{"name": "v", "$retainKeys": ["name"], "hostPath": {"path": "/x"}}]})


def test_ports_merge_by_the_first_key_alone() -> None:
    """`containerPort` is the patch's merge key, though server-side apply also has the protocol."""
    held = {"containers": [container("a", ports=[{"containerPort": 53, "protocol": "UDP"}])]}
    result = patched(held, {"containers": [container("a", ports=[{"containerPort": 53, "protocol": "TCP"}])]})
    assert result["containers"][0]["ports"] == [{"containerPort": 53, "protocol": "TCP"}]


def test_an_item_without_its_key_is_refused() -> None:
    with pytest.raises(StrategicError, match="does not contain declared merge key: name"):
        patched({"containers": [container("a")]}, {"containers": [{"image": "x"}]})


NAMES = ["a", "b", "c", "d"]
IMAGES = st.sampled_from(["1", "2", "3"])
ENV = st.dictionaries(st.sampled_from(["X", "Y"]), IMAGES, max_size=2).map(
    lambda held: [{"name": name, "value": value} for name, value in held.items()]
)


@st.composite
def specs(draw: st.DrawFn) -> Json:
    names = draw(st.permutations(NAMES))[: draw(st.integers(1, 4))]
    found: Json = {"containers": []}
    for name in names:
        item: Json = {"name": name, "image": draw(IMAGES)}
        if env := draw(ENV):
            item["env"] = env
        if draw(st.booleans()):
            item["command"] = draw(st.lists(IMAGES, min_size=1, max_size=2))
        found["containers"].append(item)
    if draw(st.booleans()):
        found["nodeSelector"] = draw(st.dictionaries(st.sampled_from(["k", "l"]), IMAGES, min_size=1))
    return {"spec": found}


def difference(original: Any, modified: Any) -> Any:
    """A patch as kubectl makes it: what changed and was added, nulls for what is gone, deletions by key, the order."""
    out: Json = {}
    for key in original.keys() - modified.keys():
        out[key] = None
    for key, value in modified.items():
        held = original.get(key)
        if key not in original:
            out[key] = value
        elif isinstance(value, dict):
            if below := difference(held, value):
                out[key] = below
        elif key in ("containers", "env") and held != value:
            out[f"$setElementOrder/{key}"] = [{"name": item["name"]} for item in value]
            befores = {item["name"]: item for item in held}
            items = []
            for item in value:
                change = difference(befores[item["name"]], item) if item["name"] in befores else item
                if change:
                    items.append({**change, "name": item["name"]})
            names = {item["name"] for item in value}
            items += [{"name": item["name"], "$patch": "delete"} for item in held if item["name"] not in names]
            if items:
                out[key] = items
        elif held != value:
            out[key] = value
    return out


@given(specs(), specs())
def test_kubectls_patch_leads_from_one_to_the_other(original: Json, modified: Json) -> None:
    assert strategic_merge(POD, original, difference(original, modified)) == modified


@given(specs(), specs())
def test_a_patch_twice_is_a_patch_once(original: Json, modified: Json) -> None:
    patch = difference(original, modified)
    once = strategic_merge(POD, original, patch)
    assert strategic_merge(POD, once, patch) == once


@given(specs(), specs(), st.sampled_from(["1", "2"]))
def test_three_ways_keep_what_the_server_added(original: Json, modified: Json, image: str) -> None:
    """Live has a container more than the configuration last applied: it stays, and what was applied follows."""
    extra = {"name": "sidecar", "image": image}
    live = {"spec": {**original["spec"], "containers": [*original["spec"]["containers"], extra]}}
    result = strategic_merge(POD, live, difference(original, modified))["spec"]["containers"]
    assert extra in result
    assert [item for item in result if item != extra] == modified["spec"]["containers"]
