"""Webhook configurations and admission policies (pkg/apis/admissionregistration/v1/defaults.go)."""

from __future__ import annotations

from k8sdiag.evidence import Json


def _webhook(hook: Json) -> None:
    for key, value in (("failurePolicy", "Fail"), ("matchPolicy", "Equivalent"), ("timeoutSeconds", 10)):
        if hook.get(key) is None:
            hook[key] = value
    for key in ("namespaceSelector", "objectSelector"):
        if hook.get(key) is None:
            hook[key] = {}
    service = (hook.get("clientConfig") or {}).get("service")
    if service is not None and service.get("port") is None:
        service["port"] = 443
    _scopes(hook.get("rules"))


def _scopes(rules: list[Json] | None) -> None:
    for rule in rules or ():
        if rule.get("scope") is None:
            rule["scope"] = "*"


def validating(obj: Json) -> None:
    for hook in obj.get("webhooks") or ():
        _webhook(hook)


def mutating(obj: Json) -> None:
    for hook in obj.get("webhooks") or ():
        _webhook(hook)
        if hook.get("reinvocationPolicy") is None:
            hook["reinvocationPolicy"] = "Never"


def _match(resources: Json | None) -> None:
    if resources is None:
        return
    if resources.get("matchPolicy") is None:
        resources["matchPolicy"] = "Equivalent"
    for key in ("namespaceSelector", "objectSelector"):
        if resources.get(key) is None:
            resources[key] = {}
    _scopes(resources.get("resourceRules"))
    _scopes(resources.get("excludeResourceRules"))


def policy(obj: Json) -> None:
    inner = obj.setdefault("spec", {})
    if inner.get("failurePolicy") is None:
        inner["failurePolicy"] = "Fail"
    _match(inner.get("matchConstraints"))
    obj.setdefault("status", {})


def policy_binding(obj: Json) -> None:
    _match(obj.setdefault("spec", {}).get("matchResources"))


GROUP = "admissionregistration.k8s.io"
DEFAULTS = {
    f"validatingwebhookconfigurations.{GROUP}": validating,
    f"mutatingwebhookconfigurations.{GROUP}": mutating,
    f"validatingadmissionpolicies.{GROUP}": policy,
    f"validatingadmissionpolicybindings.{GROUP}": policy_binding,
}
