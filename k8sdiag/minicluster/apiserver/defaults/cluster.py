"""What is about the cluster rather than in it: priority classes, roles and their bindings, budgets, custom resource
definitions (pkg/apis/{scheduling,rbac,policy}/v1/defaults.go, apiextensions v1/defaults.go, flowcontrol/v1)."""

from __future__ import annotations

from k8sdiag.evidence import Json

RBAC = "rbac.authorization.k8s.io"


def priority_class(obj: Json) -> None:
    if obj.get("preemptionPolicy") is None:
        obj["preemptionPolicy"] = "PreemptLowerPriority"
    obj.setdefault("value", 0)


def role(obj: Json) -> None:
    obj.setdefault("rules", None)


def binding(obj: Json) -> None:
    reference = obj.get("roleRef")
    if reference is not None:
        reference["apiGroup"] = reference.get("apiGroup") or RBAC
    for subject in obj.get("subjects") or ():
        if subject.get("kind") in ("User", "Group"):
            subject["apiGroup"] = subject.get("apiGroup") or RBAC


def budget(obj: Json) -> None:
    obj.setdefault("spec", {})
    status = obj.setdefault("status", {})
    for name in ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"):
        status.setdefault(name, 0)


def custom_resource_definition(obj: Json) -> None:
    inner = obj.setdefault("spec", {})
    conversion = inner.get("conversion")
    if conversion is None:
        inner["conversion"] = {"strategy": "None"}
    else:
        service = ((conversion.get("webhook") or {}).get("clientConfig") or {}).get("service")
        if service is not None and service.get("port") is None:
            service["port"] = 443
    names = inner.setdefault("names", {})
    kind = names.get("kind") or ""
    names["singular"] = names.get("singular") or kind.lower()
    if not names.get("listKind") and kind:
        names["listKind"] = f"{kind}List"


def flow_schema(obj: Json) -> None:
    inner = obj.setdefault("spec", {})
    inner["matchingPrecedence"] = inner.get("matchingPrecedence") or 1000
    obj.setdefault("status", {})


def stateful(obj: Json) -> None:
    """Kinds whose status is always written, were it empty."""
    obj.setdefault("status", {})


DEFAULTS = {
    "priorityclasses.scheduling.k8s.io": priority_class,
    f"roles.{RBAC}": role,
    f"clusterroles.{RBAC}": role,
    f"rolebindings.{RBAC}": binding,
    f"clusterrolebindings.{RBAC}": binding,
    "poddisruptionbudgets.policy": budget,
    "customresourcedefinitions.apiextensions.k8s.io": custom_resource_definition,
    "flowschemas.flowcontrol.apiserver.k8s.io": flow_schema,
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": stateful,
    "certificatesigningrequests.certificates.k8s.io": stateful,
    "apiservices.apiregistration.k8s.io": stateful,
    "servicecidrs.networking.k8s.io": stateful,
}
