"""Server-side apply and managed fields: what structured-merge-diff promises, and the shapes a real server writes."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import fieldset
from k8sdiag.minicluster.apiserver.apply import LAST_APPLIED, apply
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.apiserver.managed import ANCIENT, Manager, manager_name, track
from k8sdiag.minicluster.apiserver.schema import builtin, custom_type
from k8sdiag.minicluster.apiserver.typed import field_set

DEPLOYMENT = builtin("io.k8s.api.apps.v1.Deployment")
CONFIG_MAP = builtin("io.k8s.api.core.v1.ConfigMap")
KUBECTL = Manager("kubectl", "apps/v1")
OTHER = Manager("other", "apps/v1")


def deployment(replicas: int | None = 1, image: str = "nginx:1", **container: Any) -> Json:
    spec: Json = {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": image, **container}]},
        },
    }
    if replicas is not None:
        spec["replicas"] = replicas
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "n"}, "spec": spec}


def created(obj: Json, manager: Manager, now: float = 0.0) -> Json:
    entries = track(DEPLOYMENT, None, obj, manager, now)
    return {**obj, "metadata": {**obj["metadata"], "uid": "u", "managedFields": entries}}


def updated(old: Json, new: Json, manager: Manager, now: float = 1.0) -> Json:
    new = {**new, "metadata": {**new["metadata"], "uid": "u"}}
    new["metadata"].pop("managedFields", None)
    return {**new, "metadata": {**new["metadata"], "managedFields": track(DEPLOYMENT, old, new, manager, now)}}


def owned(obj: Json, manager: str, operation: str = "Apply") -> Json:
    found = [
        entry
        for entry in obj["metadata"]["managedFields"]
        if entry["manager"] == manager and entry["operation"] == operation
    ]
    return found[0]["fieldsV1"] if found else {}


def test_a_creator_owns_what_a_real_server_says() -> None:
    """Dots where the whole was added, none where Go has the struct anyway (metadata, spec, template, strategy)."""
    obj = deployment(ports=[{"containerPort": 80}], resources={})
    obj["metadata"]["labels"] = {"app": "web"}
    obj["spec"]["strategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}
    [entry] = created(obj, Manager("kubectl-create", "apps/v1"), 1_000_000_000)["metadata"]["managedFields"]
    container: Json = {
        ".": {},
        "f:image": {},
        "f:name": {},
        "f:ports": {".": {}, 'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}},
        "f:resources": {},
    }
    assert entry == {
        "manager": "kubectl-create",
        "operation": "Update",
        "apiVersion": "apps/v1",
        "time": "2001-09-09T01:46:40Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": {
            "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
            "f:spec": {
                "f:replicas": {},
                "f:selector": {},
                "f:strategy": {"f:rollingUpdate": {".": {}, "f:maxSurge": {}}, "f:type": {}},
                "f:template": {
                    "f:metadata": {"f:labels": {".": {}, "f:app": {}}},
                    "f:spec": {"f:containers": {'k:{"name":"web"}': container}},
                },
            },
        },
    }


def test_a_conflict_says_who_and_what() -> None:
    live = created(deployment(1), Manager("kubectl-client-side-apply", "apps/v1"))
    with pytest.raises(ApiError) as found:
        apply(DEPLOYMENT, live, deployment(2), OTHER, 1.0)
    assert found.value.code == 409
    assert found.value.message == (
        'Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using apps/v1: .spec.replicas'
    )
    assert found.value.details == {
        "causes": [
            {
                "reason": "FieldManagerConflict",
                "message": 'conflict with "kubectl-client-side-apply" using apps/v1',
                "field": ".spec.replicas",
            }
        ]
    }


def test_several_conflicts_are_listed_by_manager() -> None:
    live = created(deployment(1), Manager("a", "apps/v1"))
    with pytest.raises(ApiError) as found:
        apply(DEPLOYMENT, live, deployment(2, "nginx:2"), OTHER, 1.0)
    assert found.value.message == (
        'Apply failed with 2 conflicts: conflicts with "a" using apps/v1:\n- .spec.replicas\n'
        '- .spec.template.spec.containers[name="web"].image'
    )


def test_force_takes_the_field() -> None:
    live = created(deployment(1), Manager("a", "apps/v1"))
    obj = apply(DEPLOYMENT, live, deployment(2), OTHER, 1.0, force=True)
    assert obj["spec"]["replicas"] == 2
    assert "f:replicas" not in owned(obj, "a", "Update")["f:spec"]
    assert "f:replicas" in owned(obj, "other")["f:spec"]


def test_the_same_value_is_owned_together() -> None:
    live = created(deployment(1), Manager("a", "apps/v1"))
    obj = apply(DEPLOYMENT, live, deployment(1), OTHER, 1.0)
    assert "f:replicas" in owned(obj, "a", "Update")["f:spec"]
    assert "f:replicas" in owned(obj, "other")["f:spec"]


def test_applying_again_changes_nothing_at_all() -> None:
    first = apply(DEPLOYMENT, None, deployment(2), KUBECTL, 0.0)
    assert apply(DEPLOYMENT, first, deployment(2), KUBECTL, 100.0) is first


def test_what_is_no_longer_applied_goes() -> None:
    first = apply(DEPLOYMENT, None, deployment(2, env=[{"name": "A", "value": "1"}]), KUBECTL, 0.0)
    second = apply(DEPLOYMENT, first, deployment(None), KUBECTL, 1.0)
    assert "replicas" not in second["spec"]
    assert "env" not in second["spec"]["template"]["spec"]["containers"][0]


def test_what_another_applies_too_stays() -> None:
    first = apply(DEPLOYMENT, None, deployment(2), KUBECTL, 0.0)
    both = apply(DEPLOYMENT, first, deployment(2), OTHER, 1.0)
    left = apply(DEPLOYMENT, both, deployment(None), KUBECTL, 2.0)
    assert left["spec"]["replicas"] == 2
    assert "f:replicas" not in owned(left, "kubectl")["f:spec"]


def test_an_object_keeps_its_identity_when_its_metadata_are_no_longer_applied() -> None:
    """kubectl does this to give back the annotation of its client-side apply."""
    labelled = deployment(2)
    labelled["metadata"]["labels"] = {"a": "b"}
    first = apply(DEPLOYMENT, None, labelled, KUBECTL, 0.0)
    first["metadata"] |= {"uid": "u", "resourceVersion": "1"}
    bare = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}
    second = apply(DEPLOYMENT, first, bare, KUBECTL, 1.0)
    kept = {key: value for key, value in second["metadata"].items() if key != "managedFields"}
    assert kept == {"name": "web", "namespace": "n", "uid": "u", "resourceVersion": "1"}


def test_defaults_that_nobody_owns_stay() -> None:
    first = apply(DEPLOYMENT, None, deployment(2), KUBECTL, 0.0)
    filled = copy.deepcopy(first)
    filled["spec"]["revisionHistoryLimit"] = 10
    filled["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] = "Always"
    second = apply(DEPLOYMENT, filled, deployment(3), KUBECTL, 1.0)
    assert second["spec"]["revisionHistoryLimit"] == 10
    assert second["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] == "Always"


def test_objects_from_before_managed_fields_get_an_owner() -> None:
    live = deployment(1)
    with pytest.raises(ApiError, match="before-first-apply"):
        apply(DEPLOYMENT, live, deployment(2), OTHER, 1.0)


def test_kubectl_takes_over_what_it_applied_from_the_clients_side() -> None:
    live = deployment(1)
    live["metadata"]["annotations"] = {LAST_APPLIED: orjson.dumps(deployment(1)).decode()}
    live = created(live, Manager("kubectl-client-side-apply", "apps/v1"))
    obj = apply(DEPLOYMENT, live, deployment(5), KUBECTL, 1.0)
    assert obj["spec"]["replicas"] == 5
    assert orjson.loads(obj["metadata"]["annotations"][LAST_APPLIED])["spec"]["replicas"] == 5


def test_what_does_not_fit_the_type() -> None:
    with pytest.raises(ApiError) as found:
        apply(DEPLOYMENT, None, {**deployment(1), "foo": 1}, KUBECTL, 0.0)
    assert (found.value.code, found.value.message) == (
        500,
        "failed to create typed patch object (n/web; apps/v1, Kind=Deployment): .foo: field not declared in schema",
    )
    core = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "n"}, "foo": 1}
    with pytest.raises(ApiError, match=r"\(n/a; /v1, Kind=ConfigMap\): \.foo: field not declared in schema$"):
        apply(CONFIG_MAP, None, core, KUBECTL, 0.0)
    twice = deployment(1)
    twice["spec"]["template"]["spec"]["containers"] *= 2
    with pytest.raises(ApiError, match=r"containers: duplicate entries for key \[name=\"web\"\]"):
        apply(DEPLOYMENT, None, twice, KUBECTL, 0.0)


def test_a_status_has_an_entry_of_its_own() -> None:
    live = created(deployment(1), KUBECTL)
    controller = Manager("kube-controller-manager", "apps/v1", "status")
    obj = updated(live, {**live, "status": {"replicas": 1}}, controller)
    entry = obj["metadata"]["managedFields"][-1]
    assert (entry["subresource"], entry["fieldsV1"]) == ("status", {"f:status": {"f:replicas": {}}})


def test_an_update_that_changes_nothing_keeps_the_time() -> None:
    live = created(deployment(1), KUBECTL)
    again = updated(live, live, KUBECTL, 50.0)
    assert again["metadata"]["managedFields"] == live["metadata"]["managedFields"]


def test_managed_fields_can_be_reset() -> None:
    live = created(deployment(1), KUBECTL)
    resets: list[list[Json]] = [[], [{}]]
    for reset in resets:
        new = {**live, "metadata": {**live["metadata"], "managedFields": reset}}
        assert track(DEPLOYMENT, live, new, OTHER, 1.0) == []


def test_old_updaters_are_merged() -> None:
    obj = created(deployment(1), Manager("m0", "apps/v1"))
    for number in range(1, 15):
        changed = copy.deepcopy(obj)
        changed["metadata"].setdefault("labels", {})[f"l{number}"] = "x"
        obj = updated(obj, changed, Manager(f"m{number:02}", "apps/v1"), float(number))
    entries = obj["metadata"]["managedFields"]
    assert len(entries) == 10
    [ancient] = [entry for entry in entries if entry["manager"] == ANCIENT]
    assert "f:replicas" in ancient["fieldsV1"]["f:spec"]
    union: Json = {}
    for entry in entries:
        union = fieldset.join(union, entry["fieldsV1"])
    assert {f"f:l{number}" for number in range(1, 15)} <= union["f:metadata"]["f:labels"].keys()


@pytest.mark.parametrize(
    ("field_manager", "agent", "name"),
    [("x", "kubectl/v1", "x"), ("", "kubectl/v1.33 (linux)", "kubectl"), ("", "", "unknown"), ("", "a\x00b/1", "ab")],
)
def test_names_of_managers(field_manager: str, agent: str, name: str) -> None:
    assert manager_name(field_manager, agent) == name


def test_lists_of_custom_resources_are_atomic_unless_they_say() -> None:
    node = custom_type(
        {
            "type": "object",
            "properties": {
                "spec": {
                    "type": "object",
                    "properties": {
                        "a": {"type": "array", "items": {"type": "object"}},
                        "s": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
                    },
                }
            },
        }
    )
    assert field_set(node, {"spec": {"a": [{}], "s": ["x"]}}) == {"f:spec": {"f:a": {}, "f:s": {'v:"x"': {}}}}


# ---- properties, on a map of data and a list of owners' finalizers: granular map and set

DATA = st.dictionaries(st.sampled_from("abcd"), st.sampled_from("xyz"), min_size=1, max_size=4)
SETS: st.SearchStrategy[Json] = st.recursive(
    st.just({}),
    lambda below: st.dictionaries(st.sampled_from([".", "f:a", "f:b", 'k:{"name":"x"}', "v:1"]), below, max_size=3),
    max_leaves=8,
)


def tidy(node: Json) -> Json:
    """A set as the module writes it: dots are leaves, and do not stand alone."""
    out = {key: {} if key == "." else tidy(below) for key, below in node.items()}
    return {} if list(out) == ["."] else out


def paths(node: Json) -> set[fieldset.Path]:
    return set(fieldset.members(node))


TIDY = SETS.map(tidy).map(lambda node: {key: below for key, below in node.items() if key != "."})


@given(TIDY, TIDY)
def test_sets_of_fields_are_sets(left: Json, right: Json) -> None:
    before = copy.deepcopy((left, right))
    assert paths(fieldset.join(left, right)) == paths(left) | paths(right)
    assert paths(fieldset.minus(left, right)) == paths(left) - paths(right)
    assert paths(fieldset.shared(left, right)) == paths(left) & paths(right)
    assert (left, right) == before
    assert all(fieldset.has(left, path) for path in paths(left))


@given(TIDY)
def test_fields_v1_goes_round(node: Json) -> None:
    assert fieldset.parse(orjson.loads(orjson.dumps(node))) == node


def config_map(data: dict[str, str]) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "n"}, "data": data}


def applied(live: Json | None, data: dict[str, str], manager: str, force: bool = False) -> Json:
    return apply(CONFIG_MAP, live, config_map(data), Manager(manager, "v1"), 1.0, force=force)


@given(DATA, DATA)
def test_conflicts_are_with_other_values_of_others(mine: dict[str, str], theirs: dict[str, str]) -> None:
    live = applied(None, theirs, "they")
    clashing = {key for key in mine.keys() & theirs.keys() if mine[key] != theirs[key]}
    if not clashing:
        assert applied(live, mine, "me")["data"] == {**theirs, **mine}
        return
    with pytest.raises(ApiError) as found:
        applied(live, mine, "me")
    assert {cause["field"] for cause in (found.value.details or {})["causes"]} == {f".data.{key}" for key in clashing}
    assert applied(live, mine, "me", force=True)["data"] == {**theirs, **mine}


@given(DATA, DATA, DATA)
def test_a_field_goes_when_nobody_owns_it(
    first: dict[str, str], second: dict[str, str], theirs: dict[str, str]
) -> None:
    live = applied(None, first, "me")
    live = applied(live, theirs, "they", force=True)
    result = applied(live, second, "me", force=True)
    assert result.get("data", {}) == {**theirs, **second}
    assert applied(result, second, "me") is result


@given(st.lists(st.tuples(st.sampled_from(["p", "q", "r"]), DATA), min_size=1, max_size=6))
def test_every_field_has_an_owner_and_no_owner_lacks_its_field(steps: list[tuple[str, dict[str, str]]]) -> None:
    live: Json | None = None
    for manager, data in steps:
        live = applied(live, data, manager, force=True)
    assert live is not None
    held = {
        key
        for entry in live["metadata"].get("managedFields", [])
        for key in entry["fieldsV1"].get("f:data", {})
        if key != "."
    }
    assert held == {f"f:{key}" for key in live.get("data", {})}
