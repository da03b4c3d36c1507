"""CustomResourceDefinitions and webhook configurations (apiextensions-apiserver/pkg/apis/apiextensions/validation,
pkg/apis/admissionregistration/validation)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import (
    forbidden_field,
    invalid_value,
    not_supported,
    required,
)
from k8sdiag.minicluster.apiserver.validation import formats
from k8sdiag.minicluster.apiserver.validation.fields import Causes, each, immutable, label_selector
from k8sdiag.minicluster.apiserver.validation.rules import Rules
from k8sdiag.patterns import regex

_PROTECTED = ("k8s.io", "kubernetes.io")
_APPROVAL = "api-approved.kubernetes.io"
_VERBS = ("*", "CONNECT", "CREATE", "DELETE", "UPDATE")
_SCOPES = ("*", "Cluster", "Namespaced")
_URL = regex(r"https://[^/?#@]+[^?#]*")


def _definition(obj: Json, out: Causes) -> None:
    spec, called = obj.get("spec") or {}, obj["metadata"].get("name") or ""
    names, group = spec.get("names") or {}, spec.get("group") or ""
    plural = names.get("plural") or ""
    if called != f"{plural}.{group}":
        out.append(invalid_value("metadata.name", called, 'must be spec.names.plural+"."+spec.group'))
    if not group:
        out.append(required("spec.group"))
    else:
        each(formats.dns_subdomain(group), "spec.group", group, out)
        if "." not in group:
            out.append(invalid_value("spec.group", group, "should be a domain with at least one dot"))
    _approval(obj, group, out)
    scope = spec.get("scope") or ""
    if not scope:
        out.append(required("spec.scope"))
    if scope not in ("Cluster", "Namespaced"):
        out.append(not_supported("spec.scope", scope, ("Cluster", "Namespaced")))
    _versions(spec.get("versions") or [], out)
    for name in ("plural", "singular", "kind", "listKind"):
        value = names.get(name) or ""
        if not value:
            out.append(required(f"spec.names.{name}"))
        else:
            each(formats.dns_1035_label(value.lower()), f"spec.names.{name}", value, out)
    for index, short in enumerate(names.get("shortNames") or ()):
        each(formats.dns_1035_label(short), f"spec.names.shortNames[{index}]", short, out)
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        out.append(invalid_value("spec.names.listKind", names["listKind"], "kind and listKind may not be the same"))


def _approval(obj: Json, group: str, out: Causes) -> None:
    """Kubernetes' own domains are for reviewed APIs only."""
    if any(group == domain or group.endswith(f".{domain}") for domain in _PROTECTED):
        approved = (obj["metadata"].get("annotations") or {}).get(_APPROVAL) or ""
        path = f"metadata.annotations[{_APPROVAL}]"
        if not approved:
            why = "protected groups must have approval annotation"
            link = "see https://github.com/kubernetes/enhancements/pull/1111"
            out.append(required(path, f'{why} "{_APPROVAL}", {link}'))


def _versions(versions: list[Json], out: Causes) -> None:
    path = "spec.versions"
    stored = [version for version in versions if version.get("storage")]
    if len(stored) != 1:
        out.append(invalid_value(path, versions or None, "must have exactly one version marked as storage version"))
    names = [version.get("name") or "" for version in versions]
    if len(set(names)) != len(names):
        out.append(invalid_value(path, versions, "must contain unique version names"))
    for index, version in enumerate(versions):
        where = f"{path}[{index}]"
        each(formats.dns_1035_label(names[index]), f"{where}.name", names[index], out)
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if schema is None:
            out.append(required(f"{where}.schema.openAPIV3Schema", "schemas are required"))
        elif not schema.get("type"):
            out.append(required(f"{where}.schema.openAPIV3Schema.type", "must not be empty at the root"))
        elif schema["type"] != "object":
            why = "must be object at the root"
            out.append(invalid_value(f"{where}.schema.openAPIV3Schema.type", schema["type"], why))
        scale = (version.get("subresources") or {}).get("scale")
        if scale is not None:
            _scale(scale, f"{where}.subresources.scale", out)


def _scale(scale: Json, path: str, out: Causes) -> None:
    for name, root in (("specReplicasPath", ".spec."), ("statusReplicasPath", ".status.")):
        value = scale.get(name) or ""
        if not value:
            out.append(required(f"{path}.{name}"))
        elif not value.startswith(root):
            out.append(invalid_value(f"{path}.{name}", value, f"should be a json path under {root[:-1]}"))


def _definition_change(obj: Json, old: Json, out: Causes) -> None:
    new, was = obj.get("spec") or {}, old.get("spec") or {}
    immutable(new.get("group"), was.get("group"), "spec.group", out)
    immutable((new.get("names") or {}).get("plural"), (was.get("names") or {}).get("plural"), "spec.names.plural", out)
    established = any(
        item.get("type") == "Established" and item.get("status") == "True"
        for item in (old.get("status") or {}).get("conditions") or ()
    )
    if established:
        immutable(new.get("scope"), was.get("scope"), "spec.scope", out)
        immutable((new.get("names") or {}).get("kind"), (was.get("names") or {}).get("kind"), "spec.names.kind", out)


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


def _status(obj: Json, _old: Json, out: Causes) -> None:
    if not (obj.get("status") or {}).get("storedVersions"):
        out.append(invalid_value("status.storedVersions", [], "must have at least one stored version"))


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
    "customresourcedefinitions.apiextensions.k8s.io": Rules(_definition, _definition_change),
    f"validatingwebhookconfigurations.{GROUP}": Rules(_webhooks),
    f"mutatingwebhookconfigurations.{GROUP}": Rules(_webhooks),
    f"validatingadmissionpolicies.{GROUP}": Rules(_policy),
    f"validatingadmissionpolicybindings.{GROUP}": Rules(_binding),
}
