"""The roles and bindings that every cluster starts with, made from `bootstrap_rbac.yaml`; and what an aggregated
role holds (bootstrappolicy/policy.go, pkg/registry/rbac/rest/storage_rbac.go, clusterroleaggregation_controller.go)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.authorization import RBAC_GROUP
from k8sdiag.selectors import matches_selector

_FILE = Path(__file__).with_suffix(".yaml")
_VERSION = f"{RBAC_GROUP}/v1"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SUBJECTS = {"group": "Group", "user": "User", "account": "ServiceAccount"}


def default_objects() -> Iterator[tuple[str, Json]]:
    """Plural and object of each, the aggregated roles with their rules filled in; roles before what binds them."""
    data = yaml.load(_FILE.read_bytes(), Loader=_LOADER)  # noqa: S506 (a safe loader, see above)
    cluster_roles = [_cluster_role(name, entry) for name, entry in data["clusterRoles"].items()]
    for name, rules in data["controllers"].items():
        cluster_roles.append(_cluster_role(f"system:controller:{name}", {"rules": rules}))
    for role in cluster_roles:
        yield "clusterroles", {**role, "rules": aggregated(role, cluster_roles)}
    for where, rules in data["roles"].items():
        namespace, _, name = where.partition("/")
        yield "roles", {**_object("Role", name, namespace), "rules": [_rule(*rule) for rule in rules]}
    for name, subjects in data["clusterBindings"].items():
        yield "clusterrolebindings", _binding("ClusterRole", name, name, "", subjects)
    for name in data["controllers"]:
        bound = f"system:controller:{name}"
        yield "clusterrolebindings", _binding("ClusterRole", bound, bound, "", [f"account kube-system/{name}"])
    for where, (role_name, *subjects) in data["bindings"].items():
        namespace, _, name = where.partition("/")
        yield "rolebindings", _binding("Role", role_name, name, namespace, subjects)


def _object(kind: str, name: str, namespace: str = "") -> Json:
    meta: Json = {"name": name}
    if namespace:
        meta["namespace"] = namespace
    meta["labels"] = {"kubernetes.io/bootstrapping": "rbac-defaults"}
    meta["annotations"] = {"rbac.authorization.kubernetes.io/autoupdate": "true"}
    return {"apiVersion": _VERSION, "kind": kind, "metadata": meta}


def _cluster_role(name: str, entry: Json) -> Json:
    role = _object("ClusterRole", name)
    for target in entry.get("to", ()):
        role["metadata"]["labels"][_label(target)] = "true"
    if "aggregates" in entry:
        role["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": {_label(entry["aggregates"]): "true"}}]}
    role["rules"] = [_rule(*rule) for rule in entry.get("rules", ())]
    return role


def _label(role: str) -> str:
    return f"{RBAC_GROUP}/aggregate-to-{role}"


def _rule(groups: str, resources: str, verbs: str, names: str = "") -> Json:
    if groups == "paths":
        return {"nonResourceURLs": resources.split(), "verbs": verbs.split()}
    rule: Json = {"apiGroups": ["" if group == "core" else group for group in groups.split()]}
    if names:
        rule["resourceNames"] = names.split()
    return {**rule, "resources": resources.split(), "verbs": verbs.split()}


def _binding(role_kind: str, role: str, name: str, namespace: str, subjects: Iterable[str]) -> Json:
    binding = _object(f"{role_kind}Binding", name, namespace)
    binding["roleRef"] = {"apiGroup": RBAC_GROUP, "kind": role_kind, "name": role}
    listed = [_subject(text) for text in subjects]
    if listed:
        binding["subjects"] = listed
    return binding


def _subject(text: str) -> Json:
    kind, _, name = text.partition(" ")
    if kind == "account":
        namespace, _, account = name.partition("/")
        return {"kind": "ServiceAccount", "name": account, "namespace": namespace}
    return {"apiGroup": RBAC_GROUP, "kind": _SUBJECTS[kind], "name": name}


def aggregated(role: Json, roles: Iterable[Json]) -> list[Json]:
    """The rules a ClusterRole holds: its own, or where it aggregates those of all that its selectors find, one after
    the other in the order of their names, aggregated ones with what they in turn collect."""
    known = sorted(roles, key=lambda each: str(each["metadata"]["name"]))
    return _aggregated(role, known, frozenset())


def _aggregated(role: Json, roles: list[Json], above: frozenset[str]) -> list[Json]:
    selectors = (role.get("aggregationRule") or {}).get("clusterRoleSelectors")
    if not selectors:
        return list(role.get("rules") or ())
    name = role["metadata"]["name"]
    rules: list[Json] = []
    for selector in selectors:
        for other in roles:
            meta = other["metadata"]
            if meta["name"] == name or meta["name"] in above or not matches_selector(selector, meta.get("labels")):
                continue
            found = _aggregated(other, roles, above | {name})
            rules.extend(rule for rule in found if rule not in rules)
    return rules
