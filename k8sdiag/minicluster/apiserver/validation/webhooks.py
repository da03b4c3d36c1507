"""Webhook configurations and admission policies (pkg/apis/admissionregistration/validation/validation.go).

CustomResourceDefinitions have a file of their own beside this folder, `definitioncheck.py`.
"""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import (
    forbidden_field,
    invalid_value,
    not_supported,
    required,
)
from k8sdiag.minicluster.apiserver.validation import formats
from k8sdiag.minicluster.apiserver.validation.fields import Causes, label_selector
from k8sdiag.minicluster.apiserver.validation.rules import Rules
from k8sdiag.patterns import regex

_VERBS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_SCOPES = ("*", "Cluster", "Namespaced")
_URL = regex(r"https://[^/?#@]+[^?#]*")


def _webhooks(obj: Json, out: Causes) -> None:
    names: set[str] = set()
    for index, hook in enumerate(obj.get("webhooks") or ()):
        path, name = f"webhooks[{index}]", hook.get("name") or ""
        if name in names:
            out.append(invalid_value(f"{path}.name", name, "must be unique"))
        names.add(name)
        _webhook(hook, path, out)


def _webhook(hook: Json, path: str, out: Causes) -> None:
    name = hook.get("name") or ""
    if not name:
        out.append(required(f"{path}.name"))
    elif formats.dns_subdomain(name):
        out.append(invalid_value(f"{path}.name", name, ",".join(formats.dns_subdomain(name))))
    elif name.count(".") < 2:
        why = "should be a domain with at least three segments separated by dots"
        out.append(invalid_value(f"{path}.name", name, why))
    for index, rule in enumerate(hook.get("rules") or ()):
        _rule(rule, f"{path}.rules[{index}]", out)
    _choices(hook, path, out)
    versions = hook.get("admissionReviewVersions") or []
    where = f"{path}.admissionReviewVersions"
    if not versions:
        out.append(required(where, "must specify one of v1, v1beta1"))
    elif not {"v1", "v1beta1"} & set(versions):
        out.append(invalid_value(where, versions, "must include at least one of v1, v1beta1"))
    for selector in ("namespaceSelector", "objectSelector"):
        label_selector(hook.get(selector), f"{path}.{selector}", out)
    seconds = hook.get("timeoutSeconds")
    if seconds is not None and not 1 <= seconds <= 30:
        out.append(
            invalid_value(f"{path}.timeoutSeconds", seconds, "the timeout value must be between 1 and 30 seconds")
        )
    _client(hook.get("clientConfig") or {}, f"{path}.clientConfig", out)


def _choices(hook: Json, path: str, out: Causes) -> None:
    effects = hook.get("sideEffects")
    if effects is None:
        out.append(required(f"{path}.sideEffects", "must specify one of None, NoneOnDryRun"))
    for name, choices in (
        ("sideEffects", ("None", "NoneOnDryRun")),
        ("failurePolicy", ("Fail", "Ignore")),
        ("matchPolicy", ("Equivalent", "Exact")),
        ("reinvocationPolicy", ("IfNeeded", "Never")),
    ):
        value = hook.get(name)
        if value is not None and value not in choices:
            out.append(not_supported(f"{path}.{name}", value, choices))


def _client(client: Json, path: str, out: Causes) -> None:
    url, service = client.get("url"), client.get("service")
    if (url is None) == (service is None):
        out.append(required(path, "exactly one of url or service is required"))
    elif url is not None:
        if not _URL.fullmatch(url):
            why = "'https' is the only allowed URL scheme; desired format: https://host[/path]"
            out.append(invalid_value(f"{path}.url", url, why))
    else:
        for name in ("name", "namespace"):
            if not (service or {}).get(name):
                out.append(required(f"{path}.service.{name}", f"service {name} is required"))


def _rule(rule: Json, path: str, out: Causes) -> None:
    operations = rule.get("operations") or []
    if not operations:
        out.append(required(f"{path}.operations"))
    if len(operations) > 1 and "*" in operations:
        out.append(
            invalid_value(f"{path}.operations", operations, "if '*' is present, must not specify other operations")
        )
    for index, operation in enumerate(operations):
        if operation not in _VERBS:
            out.append(not_supported(f"{path}.operations[{index}]", operation, _VERBS))
    for name in ("apiGroups", "apiVersions", "resources"):
        values = rule.get(name) or []
        if not values:
            out.append(required(f"{path}.{name}"))
        if name != "resources" and len(values) > 1 and "*" in values:
            called = "API groups" if name == "apiGroups" else "API versions"
            out.append(invalid_value(f"{path}.{name}", values, f"if '*' is present, must not specify other {called}"))
    scope = rule.get("scope")
    if scope is not None and scope not in _SCOPES:
        out.append(not_supported(f"{path}.scope", scope, _SCOPES))


def _binding(obj: Json, out: Causes) -> None:
    if not (obj.get("spec") or {}).get("policyName"):
        out.append(required("spec.policyName"))


def _policy(obj: Json, out: Causes) -> None:
    spec = obj.get("spec") or {}
    if not spec.get("validations") and not spec.get("auditAnnotations"):
        why = "validations or auditAnnotations must contain at least one item"
        out.append(required("spec.validations", f"{why}"))
    if spec.get("matchConstraints") is None:
        out.append(required("spec.matchConstraints"))
    for index, item in enumerate(spec.get("validations") or ()):
        if not (item.get("expression") or "").strip():
            out.append(required(f"spec.validations[{index}].expression", "expression is not specified"))
    if spec.get("paramKind") is not None and not spec["paramKind"].get("kind"):
        out.append(forbidden_field("spec.paramKind.kind", "must be specified"))


GROUP = "admissionregistration.k8s.io"
RULES = {
    f"validatingwebhookconfigurations.{GROUP}": Rules(_webhooks),
    f"mutatingwebhookconfigurations.{GROUP}": Rules(_webhooks),
    f"validatingadmissionpolicies.{GROUP}": Rules(_policy),
    f"validatingadmissionpolicybindings.{GROUP}": Rules(_binding),
}
