"""Decisions against a plain reading of what RBAC means, over made-up roles and bindings."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from k8sdiag.clock import ManualClock
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import authorization as rbac
from k8sdiag.minicluster.apiserver.authorization import Asked, Authorizer, compact, describe, uncovered
from k8sdiag.minicluster.apiserver.bootstrap_rbac import aggregated, default_objects
from k8sdiag.minicluster.apiserver.request import User
from k8sdiag.minicluster.apiserver.storage import Storage

VERBS = ["get", "list", "*"]
GROUPS = ["", "apps", "*"]
RESOURCES = ["pods", "pods/log", "deployments", "*", "*/log"]
NAMES = ["a", "b"]
PLACES = ["shop", "home"]
USERS = ["ann", "bob"]


def _some(values: list[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True)


RULES = st.lists(
    st.fixed_dictionaries(
        {"verbs": _some(VERBS), "apiGroups": _some(GROUPS), "resources": _some(RESOURCES)},
        optional={"resourceNames": _some(NAMES)},
    ),
    max_size=2,
)
SUBJECTS = st.lists(
    st.one_of(
        st.fixed_dictionaries({"kind": st.just("User"), "name": st.sampled_from(USERS)}),
        st.fixed_dictionaries({"kind": st.just("Group"), "name": st.sampled_from(["dev", "ops"])}),
    ),
    max_size=2,
)
GRANTS = st.lists(st.tuples(st.sampled_from(["", *PLACES]), RULES, SUBJECTS), max_size=4)
QUESTIONS = st.builds(
    Asked,
    verb=st.sampled_from(["get", "list", "delete"]),
    group=st.sampled_from(["", "apps", "batch"]),
    resource=st.sampled_from(["pods", "deployments"]),
    subresource=st.sampled_from(["", "log", "exec"]),
    namespace=st.sampled_from(["", *PLACES]),
    name=st.sampled_from(["", *NAMES]),
)


def _covers(rule: Json, asked: Asked) -> bool:
    resource = f"{asked.resource}/{asked.subresource}" if asked.subresource else asked.resource
    below = f"*/{asked.subresource}" if asked.subresource else None
    return (
        bool({"*", asked.verb} & set(rule["verbs"]))
        and bool({"*", asked.group} & set(rule["apiGroups"]))
        and bool({"*", resource, below} & set(rule["resources"]))
        and ("resourceNames" not in rule or asked.name in rule["resourceNames"])
    )


def _filled(grants: list[tuple[str, list[Json], list[Json]]]) -> Storage:
    storage = Storage(ManualClock())
    for number, (place, rules, subjects) in enumerate(grants):
        meta = {"name": f"g{number}", **({"namespace": place} if place else {})}
        kind = "Role" if place else "ClusterRole"
        storage.create(rbac.ROLES if place else rbac.CLUSTER_ROLES, {"metadata": meta, "rules": rules})
        binding = {"metadata": meta, "roleRef": {"kind": kind, "name": f"g{number}"}, "subjects": subjects}
        storage.create(rbac.BINDINGS if place else rbac.CLUSTER_BINDINGS, binding)
    return storage


@settings(max_examples=300)
@given(GRANTS, st.sampled_from(USERS), st.lists(st.sampled_from(["dev", "ops"]), unique=True), QUESTIONS)
def test_decisions(grants: list[Any], name: str, groups: list[str], asked: Asked) -> None:
    user = User(name, tuple(groups))
    expected = any(
        place in ("", asked.namespace)
        and any(each["name"] == name if each["kind"] == "User" else each["name"] in groups for each in subjects)
        and any(_covers(rule, asked) for rule in rules)
        for place, rules, subjects in grants
    )
    authorizer = Authorizer(_filled(grants))
    assert authorizer.decide(user, asked).allowed is expected
    assert authorizer.decide(user, asked).allowed is expected  # once more, from what is kept


@given(RULES, RULES)
def test_what_is_uncovered(held: list[Json], wanted: list[Json]) -> None:
    assert uncovered(wanted, wanted) == []
    missing = uncovered(held, wanted)
    assert uncovered([*held, *missing], wanted) == []
    again = uncovered(held, compact(missing))
    assert {describe(rule) for rule in again} == {describe(rule) for rule in missing}
    assert uncovered([{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}], wanted) == []


def test_changes_count_at_once() -> None:
    storage = _filled([("shop", [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}], [])])
    authorizer, user, asked = Authorizer(storage), User("ann"), Asked("get", "", "pods", namespace="shop")
    assert not authorizer.decide(user, asked).allowed
    binding = storage.get(rbac.BINDINGS, "shop", "g0")
    assert binding is not None
    storage.update(rbac.BINDINGS, {**binding, "subjects": [{"kind": "User", "name": "ann"}]})
    assert authorizer.decide(user, asked).allowed
    assert authorizer.decide(user, asked).reason == (
        'RBAC: allowed by RoleBinding "g0/shop" of Role "g0" to User "ann"'
    )
    storage.delete(rbac.ROLES, "shop", "g0")
    assert authorizer.decide(user, asked).reason == 'RBAC: role.rbac.authorization.k8s.io "g0" not found'


def test_default_roles_are_whole() -> None:
    """Every binding refers to a role that is there, and aggregation reaches through roles that aggregate."""
    objects = list(default_objects())
    roles = {
        (obj["metadata"].get("namespace", ""), obj["metadata"]["name"]) for kind, obj in objects if "bind" not in kind
    }
    for kind, obj in objects:
        if kind.endswith("bindings"):
            place = obj["metadata"].get("namespace", "")
            assert (place, obj["roleRef"]["name"]) in roles
    cluster = [obj for kind, obj in objects if kind == "clusterroles"]
    admin = next(obj for obj in cluster if obj["metadata"]["name"] == "admin")
    assert admin["rules"] == aggregated(admin, cluster)
    assert any("pods/log" in rule["resources"] for rule in admin["rules"])
