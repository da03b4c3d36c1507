"""Roles and their bindings (pkg/apis/rbac/validation/validation.go)."""

from __future__ import annotations

from functools import partial

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import invalid_value, not_supported, required
from k8sdiag.minicluster.apiserver.validation import formats
from k8sdiag.minicluster.apiserver.validation.fields import Causes, each, label_selector
from k8sdiag.minicluster.apiserver.validation.rules import Rules

GROUP = "rbac.authorization.k8s.io"


def _role(namespaced: bool, obj: Json, out: Causes) -> None:
    for index, rule in enumerate(obj.get("rules") or ()):
        _rule(rule, namespaced, f"rules[{index}]", out)
    selectors = (obj.get("aggregationRule") or {}).get("clusterRoleSelectors")
    if obj.get("aggregationRule") is not None and not selectors:
        why = "at least one clusterRoleSelector required if aggregationRule is non-nil"
        out.append(required("aggregationRule.clusterRoleSelectors", why))
    for index, selector in enumerate(selectors or ()):
        label_selector(selector, f"aggregationRule.clusterRoleSelectors[{index}]", out)


def _rule(rule: Json, namespaced: bool, path: str, out: Causes) -> None:
    if not rule.get("verbs"):
        out.append(required(f"{path}.verbs", "verbs must contain at least one value"))
    urls = rule.get("nonResourceURLs")
    if urls:
        if namespaced:
            why = "namespaced rules cannot apply to non-resource URLs"
            out.append(invalid_value(f"{path}.nonResourceURLs", urls, why))
        if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
            why = "rules cannot apply to both regular resources and non-resource URLs"
            out.append(invalid_value(f"{path}.nonResourceURLs", urls, why))
        return
    if not rule.get("apiGroups"):
        out.append(required(f"{path}.apiGroups", "resource rules must supply at least one api group"))
    if not rule.get("resources"):
        out.append(required(f"{path}.resources", "resource rules must supply at least one resource"))


def _binding(namespaced: bool, obj: Json, out: Causes) -> None:
    reference = obj.get("roleRef") or {}
    if reference.get("apiGroup") != GROUP:
        out.append(not_supported("roleRef.apiGroup", reference.get("apiGroup") or "", (GROUP,)))
    kinds = ("Role", "ClusterRole") if namespaced else ("ClusterRole",)
    if reference.get("kind") not in kinds:
        out.append(not_supported("roleRef.kind", reference.get("kind") or "", kinds))
    name = reference.get("name") or ""
    if not name:
        out.append(required("roleRef.name"))
    else:
        each(formats.path_segment(name), "roleRef.name", name, out)
    for index, subject in enumerate(obj.get("subjects") or ()):
        _subject(subject, namespaced, f"subjects[{index}]", out)


def _subject(subject: Json, namespaced: bool, path: str, out: Causes) -> None:
    name, group = subject.get("name") or "", subject.get("apiGroup") or ""
    if not name:
        out.append(required(f"{path}.name"))
    kind = subject.get("kind") or ""
    if kind == "ServiceAccount":
        if name:
            each(formats.dns_subdomain(name), f"{path}.name", name, out)
        if group:
            out.append(not_supported(f"{path}.apiGroup", group, ("",)))
        if not namespaced and not subject.get("namespace"):
            out.append(required(f"{path}.namespace"))
    elif kind in ("User", "Group"):
        if not name:
            out.append(invalid_value(f"{path}.name", name, f"{kind.lower()} name cannot be empty"))
        if group != GROUP:
            out.append(not_supported(f"{path}.apiGroup", group, (GROUP,)))
    else:
        out.append(not_supported(f"{path}.kind", kind, ("ServiceAccount", "User", "Group")))


def _binding_change(obj: Json, old: Json, out: Causes) -> None:
    if obj.get("roleRef") != old.get("roleRef"):
        out.append(invalid_value("roleRef", obj.get("roleRef"), "cannot change roleRef"))


_segment = formats.path_segment
RULES = {
    f"roles.{GROUP}": Rules(partial(_role, True), name=_segment),
    f"clusterroles.{GROUP}": Rules(partial(_role, False), name=_segment),
    f"rolebindings.{GROUP}": Rules(partial(_binding, True), _binding_change, name=_segment),
    f"clusterrolebindings.{GROUP}": Rules(partial(_binding, False), _binding_change, name=_segment),
}
