"""Role-based access control: who may do what, and why not, in the real server's words
(plugin/pkg/auth/authorizer/rbac/rbac.go, apiserver/pkg/endpoints/handlers/responsewriters/errors.go).

Bindings are turned into one table of grants for each user and namespace, kept until a role or binding changes: a
decision is a few look-ups, whatever number of roles there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.request import User
from k8sdiag.minicluster.apiserver.routes import Route
from k8sdiag.minicluster.apiserver.storage import Storage

RBAC_GROUP = "rbac.authorization.k8s.io"
ROLES = f"roles.{RBAC_GROUP}"
BINDINGS = f"rolebindings.{RBAC_GROUP}"
CLUSTER_ROLES = f"clusterroles.{RBAC_GROUP}"
CLUSTER_BINDINGS = f"clusterrolebindings.{RBAC_GROUP}"
MASTERS = "system:masters"
NODES = "system:nodes"
NODE_ROLE = "system:node"
SERVICE_ACCOUNT = "system:serviceaccount:"
_MOST_KNOWN = 10_000  # tables of grants; who impersonates may have any name

Names = frozenset[str] | None  # None: every name


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: may this be done? `path` is set for what is no resource."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def whole(self) -> str:
        """`pods`, `pods/log`."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


@dataclass(frozen=True, slots=True)
class Decision:
    """Yes or no. The reason names the binding that allows, or what is broken among the bindings that do not."""

    allowed: bool
    reason: str = ""


@dataclass(slots=True)
class Grants:
    """What one user may do in one place."""

    resources: dict[tuple[str, str, str], list[tuple[Names, str]]] = field(default_factory=dict)
    paths: list[tuple[str, str, str]] = field(default_factory=list)  # verb, pattern, why
    rules: list[Json] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, rules: Iterable[Json], why: str) -> None:
        for rule in rules:
            self.rules.append(rule)
            names = frozenset(rule["resourceNames"]) if rule.get("resourceNames") else None
            for verb in rule.get("verbs") or ():
                for group in rule.get("apiGroups") or ():
                    for resource in rule.get("resources") or ():
                        self.resources.setdefault((verb, group, resource), []).append((names, why))
                self.paths.extend((verb, pattern, why) for pattern in rule.get("nonResourceURLs") or ())

    def find(self, asked: Asked) -> str | None:
        """The reason for a yes; None for no."""
        if asked.path:
            return self._find_path(asked)
        wildcard = f"*/{asked.subresource}" if asked.subresource else ""
        for verb in (asked.verb, "*"):
            for group in (asked.group, "*"):
                for resource in (asked.whole, "*", wildcard):
                    for names, why in self.resources.get((verb, group, resource), ()):
                        if names is None or asked.name in names:
                            return why
        return None

    def _find_path(self, asked: Asked) -> str | None:
        for verb, pattern, why in self.paths:
            if verb in (asked.verb, "*") and _path_matches(pattern, asked.path):
                return why
        return None


def _path_matches(pattern: str, path: str) -> bool:
    if pattern.endswith("*"):
        return path.startswith(pattern.rstrip("*"))
    return pattern == path


class Authorizer:
    """Answers questions from the roles and bindings in the storage. Members of system:masters may do anything."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._cluster: dict[tuple[str, tuple[str, ...]], Grants] = {}
        self._spaced: dict[tuple[str, tuple[str, ...], str], Grants] = {}
        for key in (ROLES, BINDINGS, CLUSTER_ROLES, CLUSTER_BINDINGS):
            storage.subscribe(key, self._changed)

    def _changed(self, _type: str, _obj: Json, _old: Json | None) -> None:
        self._cluster.clear()
        self._spaced.clear()

    def decide(self, user: User, asked: Asked) -> Decision:
        if MASTERS in user.groups:
            return Decision(True)
        cluster = self._of_cluster(user)
        why = cluster.find(asked)
        if why is not None:
            return Decision(True, why)
        problems = cluster.problems
        if asked.namespace:
            local = self._of_namespace(user, asked.namespace)
            why = local.find(asked)
            if why is not None:
                return Decision(True, why)
            problems = problems + local.problems
        return Decision(False, f"RBAC: {_aggregate(problems)}" if problems else "")

    def rules(self, user: User, namespace: str) -> tuple[list[Json], list[str]]:
        """Every rule that holds for a user in a namespace ('': the cluster's own), and what could not be resolved."""
        cluster = self._of_cluster(user)
        if not namespace:
            return list(cluster.rules), list(cluster.problems)
        local = self._of_namespace(user, namespace)
        return [*cluster.rules, *local.rules], [*cluster.problems, *local.problems]

    def role_rules(self, reference: Json, namespace: str) -> list[Json] | None:
        """The rules of the role a binding refers to; None where there is none."""
        kind, name = reference.get("kind"), str(reference.get("name", ""))
        role = self._storage.get(CLUSTER_ROLES, "", name)
        if kind == "Role":
            role = self._storage.get(ROLES, namespace, name)
        return list(role.get("rules") or ()) if role is not None else None

    def _of_cluster(self, user: User) -> Grants:
        key = user.name, user.groups
        grants = self._cluster.get(key)
        if grants is None:
            if len(self._cluster) > _MOST_KNOWN:
                self._cluster.clear()
            grants = self._cluster[key] = Grants()
            if NODES in user.groups:  # as far as the node authorizer goes here: the rules of its role, for all nodes
                role = self._storage.get(CLUSTER_ROLES, "", NODE_ROLE)
                grants.add((role or {}).get("rules") or (), "")
            self._collect(grants, user, self._storage.list(CLUSTER_BINDINGS), "")
        return grants

    def _of_namespace(self, user: User, namespace: str) -> Grants:
        key = user.name, user.groups, namespace
        grants = self._spaced.get(key)
        if grants is None:
            if len(self._spaced) > _MOST_KNOWN:
                self._spaced.clear()
            grants = self._spaced[key] = Grants()
            self._collect(grants, user, self._storage.list(BINDINGS, namespace), namespace)
        return grants

    def _collect(self, grants: Grants, user: User, bindings: Iterable[Json], namespace: str) -> None:
        for binding in bindings:
            subject = next((who for who in binding.get("subjects") or () if _is_meant(who, user, namespace)), None)
            if subject is None:
                continue
            reference = binding["roleRef"]
            rules = self.role_rules(reference, namespace)
            if rules is None:
                kind = str(reference.get("kind", "")).lower()
                grants.problems.append(f'{kind}.{RBAC_GROUP} "{reference.get("name", "")}" not found')
                continue
            grants.add(rules, _allowed_by(binding, reference, subject, namespace))


def _aggregate(problems: list[str]) -> str:
    distinct = list(dict.fromkeys(problems))
    return distinct[0] if len(distinct) == 1 else f"[{', '.join(distinct)}]"


def _is_meant(subject: Json, user: User, namespace: str) -> bool:
    kind, name = subject.get("kind"), subject.get("name")
    if kind == "Group":
        return name in user.groups
    if kind == "User":
        return bool(name == user.name)
    return bool(f"{SERVICE_ACCOUNT}{subject.get('namespace') or namespace}:{name}" == user.name)


def _allowed_by(binding: Json, reference: Json, subject: Json, namespace: str) -> str:
    """rbac.go describeBinding: what `kubectl auth can-i -v` and audit logs show."""
    name = binding["metadata"]["name"]
    bound = f'RoleBinding "{name}/{namespace}"' if namespace else f'ClusterRoleBinding "{name}"'
    who = f'{subject.get("kind")} "{subject.get("name")}"'
    if subject.get("kind") == "ServiceAccount":
        who = f'ServiceAccount "{subject.get("name")}/{subject.get("namespace") or namespace}"'
    return f'RBAC: allowed by {bound} of {reference.get("kind")} "{reference.get("name")}" to {who}'


def asked_of(route: Route) -> Asked:
    """What a request's route must be allowed."""
    if not route.plural:
        return Asked(route.verb, path=route.path)
    scope = route.scope or route.namespace
    return Asked(route.verb, route.group, route.plural, route.subresource, scope, route.name)


def refusal(user: User, asked: Asked, reason: str = "") -> errors.ApiError:
    """403, word for word."""
    after = f": {reason}" if reason else ""
    if asked.path:
        return errors.forbidden_path(f'User "{user.name}" cannot {asked.verb} path "{asked.path}"{after}')
    where = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    why = f'User "{user.name}" cannot {asked.verb} resource "{asked.whole}" in API group "{asked.group}" {where}{after}'
    called = f"{asked.resource}.{asked.group}" if asked.group else asked.resource
    details: Json = {"name": asked.name} if asked.name else {}
    if asked.group:
        details["group"] = asked.group
    details["kind"] = asked.resource
    subject = f'{called} "{asked.name}"' if asked.name else called
    return errors.ApiError(403, "Forbidden", f"{subject} is forbidden: {why}", details)


# ---- does one set of rules cover another? (component-helpers/auth/rbac/validation/policy_comparator.go)


def uncovered(held: list[Json], wanted: list[Json]) -> list[Json]:
    """Of what `wanted` grants, the smallest pieces that `held` does not."""
    return [piece for rule in wanted for piece in _pieces(rule) if not any(_covers(owner, piece) for owner in held)]


def _pieces(rule: Json) -> Iterator[Json]:
    for group in rule.get("apiGroups") or ():
        for resource in rule.get("resources") or ():
            for verb in rule.get("verbs") or ():
                piece: dict[str, Any] = {"apiGroups": [group], "resources": [resource], "verbs": [verb]}
                for name in rule.get("resourceNames") or (None,):
                    yield piece if name is None else {**piece, "resourceNames": [name]}
    for url in rule.get("nonResourceURLs") or ():
        for verb in rule.get("verbs") or ():
            yield {"nonResourceURLs": [url], "verbs": [verb]}


def _covers(owner: Json, piece: Json) -> bool:
    verbs = owner.get("verbs") or ()
    if "*" not in verbs and piece["verbs"][0] not in verbs:
        return False
    if "nonResourceURLs" in piece:
        url = piece["nonResourceURLs"][0]
        return any(held == url or _path_matches(held, url) for held in owner.get("nonResourceURLs") or ())
    groups, resources = owner.get("apiGroups") or (), owner.get("resources") or ()
    if "*" not in groups and piece["apiGroups"][0] not in groups:
        return False
    resource = piece["resources"][0]
    below = resource.partition("/")[2]
    if "*" not in resources and resource not in resources and not (below and f"*/{below}" in resources):
        return False
    names = owner.get("resourceNames")
    return not names or ("resourceNames" in piece and piece["resourceNames"][0] in names)


def compact(rules: list[Json]) -> list[Json]:
    """Pieces that differ in their verb alone, joined; names likewise (component-helpers CompactRules)."""
    joined: dict[tuple[Any, ...], Json] = {}
    for rule in rules:
        key = tuple(
            tuple(rule.get(part) or ()) for part in ("apiGroups", "resources", "resourceNames", "nonResourceURLs")
        )
        known = joined.get(key)
        if known is None:
            joined[key] = {**rule, "verbs": list(rule["verbs"])}
        else:
            known["verbs"].extend(verb for verb in rule["verbs"] if verb not in known["verbs"])
    return list(joined.values())


def describe(rule: Json) -> str:
    """`{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}` (rbac/v1 CompactString)."""
    labels = (
        ("NonResourceURLs", "nonResourceURLs"),
        ("APIGroups", "apiGroups"),
        ("Resources", "resources"),
        ("ResourceNames", "resourceNames"),
        ("Verbs", "verbs"),
    )
    shown = [f"{label}:[{' '.join(_quoted(rule[key]))}]" for label, key in labels if rule.get(key)]
    return f"{{{', '.join(shown)}}}"


def _quoted(words: Iterable[str]) -> Iterator[str]:
    return (f'"{word}"' for word in words)
