"""Nobody hands out more than they have: what writing a role or a binding takes
(pkg/registry/rbac/*/policybased/storage.go, pkg/registry/rbac/escalation_check.go)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.authorization import (
    MASTERS,
    RBAC_GROUP,
    Asked,
    Authorizer,
    compact,
    describe,
    uncovered,
)
from k8sdiag.minicluster.apiserver.request import User
from k8sdiag.minicluster.kinds import Resource

ROLE_KINDS = frozenset(("roles", "clusterroles"))
BINDING_KINDS = frozenset(("rolebindings", "clusterrolebindings"))


def check(authorizer: Authorizer, user: User, resource: Resource, obj: Json, old: Json | None) -> None:
    """Refuse a role or binding that would grant what its writer does not hold. Raises ApiError."""
    if resource.group != RBAC_GROUP or MASTERS in user.groups:
        return
    if resource.plural in ROLE_KINDS:
        _check_role(authorizer, user, resource, obj, old)
    elif resource.plural in BINDING_KINDS:
        _check_binding(authorizer, user, resource, obj, old)


def _check_role(authorizer: Authorizer, user: User, resource: Resource, obj: Json, old: Json | None) -> None:
    meta = obj.get("metadata") or {}
    namespace, name = meta.get("namespace", ""), meta.get("name", "")
    if old is not None and old.get("rules") == obj.get("rules") and _selectors(old) == _selectors(obj):
        return  # who changes labels grants nothing
    asked = Asked("escalate", RBAC_GROUP, resource.plural, "", namespace, name)
    if authorizer.decide(user, asked).allowed:
        return
    if _selectors(obj) and _selectors(obj) != _selectors(old or {}):
        full = [
            {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
            {"nonResourceURLs": ["*"], "verbs": ["*"]},
        ]
        held, _ = authorizer.rules(user, "")
        if uncovered(held, full):
            why = "must have cluster-admin privileges to use an aggregationRule"
            raise errors.forbidden(resource, name, why)
    _must_hold(authorizer, user, resource, name, (obj.get("rules") or [], namespace))


def _selectors(role: Json) -> object:
    return (role.get("aggregationRule") or {}).get("clusterRoleSelectors") or None


def _check_binding(authorizer: Authorizer, user: User, resource: Resource, obj: Json, old: Json | None) -> None:
    meta, reference = obj.get("metadata") or {}, obj.get("roleRef") or {}
    namespace, name = meta.get("namespace", ""), meta.get("name", "")
    if old is not None and old.get("roleRef") == reference and old.get("subjects") == obj.get("subjects"):
        return
    plural = "roles" if reference.get("kind") == "Role" else "clusterroles"
    asked = Asked("bind", RBAC_GROUP, plural, "", namespace, str(reference.get("name", "")))
    if authorizer.decide(user, asked).allowed:
        return
    rules = authorizer.role_rules(reference, namespace)
    if rules is None:
        kind = str(reference.get("kind", "")).lower()
        role = f'{plural}.{RBAC_GROUP} "{reference.get("name", "")}" not found'
        raise errors.ApiError(
            404, "NotFound", role, {"name": reference.get("name", ""), "group": RBAC_GROUP, "kind": f"{kind}s"}
        )
    _must_hold(authorizer, user, resource, name, (rules, namespace))


def _must_hold(
    authorizer: Authorizer, user: User, resource: Resource, name: str, granted: tuple[list[Json], str]
) -> None:
    rules, namespace = granted
    held, problems = authorizer.rules(user, namespace)
    missing = uncovered(held, rules)
    if not missing:
        return
    groups = " ".join(f'"{group}"' for group in user.groups)
    listed = "\n".join(sorted({describe(rule) for rule in compact(missing)}))
    why = (
        f'user "{user.name}" (groups=[{groups}]) is attempting to grant RBAC permissions not currently held:\n{listed}'
    )
    if problems:
        why += f"; resolution errors: [{', '.join(problems)}]"
    raise errors.forbidden(resource, name, why)
