"""Rows of what configures a cluster: networking, storage, access, scheduling, admission (printers.go)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from k8sdiag.clock import short_duration
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.tables.cells import NONE, UNSET, born, listed
from k8sdiag.podstate import conditions_of
from k8sdiag.selectors import format_selector


def _parts(obj: Json) -> tuple[str, Json, Json]:
    return obj["metadata"]["name"], obj.get("spec") or {}, obj.get("status") or {}


def _ingress(obj: Json, now: float) -> list[Any]:
    name, spec, status = _parts(obj)
    hosts = list(dict.fromkeys(rule["host"] for rule in spec.get("rules") or [] if rule.get("host")))
    shown = ",".join(hosts[:3]) + (f" + {len(hosts) - 3} more..." if len(hosts) > 3 else "")
    ingress = (status.get("loadBalancer") or {}).get("ingress") or []
    return [
        name,
        spec.get("ingressClassName") or NONE,
        shown or "*",
        ",".join(filter(None, (item.get("ip") or item.get("hostname") for item in ingress))),
        "80, 443" if spec.get("tls") else "80",
        born(obj, now),
    ]


def _ingress_class(obj: Json, now: float) -> list[Any]:
    name, spec, _ = _parts(obj)
    given = spec.get("parameters")
    shown = NONE
    if given:
        shown = f"{given['kind']}{'.' + given['apiGroup'] if given.get('apiGroup') else ''}/{given['name']}"
    return [name, spec.get("controller", ""), shown, born(obj, now)]


def _network_policy(obj: Json, now: float) -> list[Any]:
    name, spec, _ = _parts(obj)
    return [name, format_selector(spec.get("podSelector")) or NONE, born(obj, now)]


def _ip_address(obj: Json, now: float) -> list[Any]:  # noqa: ARG001 (all rows take the same)
    name, spec, _ = _parts(obj)
    parent = spec.get("parentRef") or {}
    group = f".{parent['group']}" if parent.get("group") else ""
    space = f"{parent['namespace']}/" if parent.get("namespace") else ""
    return [name, f"{parent.get('resource', '')}{group}/{space}{parent.get('name', '')}"]


def _service_cidr(obj: Json, now: float) -> list[Any]:
    name, spec, _ = _parts(obj)
    return [name, ",".join(spec.get("cidrs") or []), born(obj, now)]


def _role_binding(obj: Json, now: float) -> list[Any]:
    role, subjects = obj.get("roleRef") or {}, obj.get("subjects") or []

    def named(kind: str) -> str:
        return ", ".join(
            f"{item.get('namespace') or ''}/{item['name']}" if kind == "ServiceAccount" else item["name"]
            for item in subjects
            if item.get("kind") == kind
        )

    return [
        obj["metadata"]["name"],
        f"{role.get('kind')}/{role.get('name')}",
        born(obj, now),
        *map(named, ("User", "Group", "ServiceAccount")),
    ]


def _storage_class(obj: Json, now: float) -> list[Any]:
    name = obj["metadata"]["name"]
    marks = obj["metadata"].get("annotations") or {}
    if marks.get("storageclass.kubernetes.io/is-default-class") == "true":
        name += " (default)"
    return [
        name,
        obj.get("provisioner", ""),
        obj.get("reclaimPolicy") or "Delete",
        obj.get("volumeBindingMode") or UNSET,
        "true" if obj.get("allowVolumeExpansion") else "false",
        born(obj, now),
    ]


def _volume_attachment(obj: Json, now: float) -> list[Any]:
    name, spec, status = _parts(obj)
    volume = (spec.get("source") or {}).get("persistentVolumeName") or ""
    attached = bool(status.get("attached"))
    return [name, spec.get("attacher", ""), volume, spec.get("nodeName", ""), attached, born(obj, now)]


def _csi_driver(obj: Json, now: float) -> list[Any]:
    name, spec, _ = _parts(obj)
    audiences = [item.get("audience", "") for item in spec.get("tokenRequests") or []]
    return [
        name,
        spec.get("attachRequired", True),
        bool(spec.get("podInfoOnMount")),
        bool(spec.get("storageCapacity")),
        listed(audiences, UNSET),
        bool(spec.get("requiresRepublish")),
        listed(spec.get("volumeLifecycleModes") or []),
        born(obj, now),
    ]


def _csi_node(obj: Json, now: float) -> list[Any]:
    name, spec, _ = _parts(obj)
    return [name, len(spec.get("drivers") or []), born(obj, now)]


def _priority_class(obj: Json, now: float) -> list[Any]:
    policy = obj.get("preemptionPolicy") or "PreemptLowerPriority"
    return [obj["metadata"]["name"], obj.get("value") or 0, bool(obj.get("globalDefault")), born(obj, now), policy]


def _lease(obj: Json, now: float) -> list[Any]:
    name, spec, _ = _parts(obj)
    return [name, spec.get("holderIdentity", ""), born(obj, now)]


def _runtime_class(obj: Json, now: float) -> list[Any]:
    return [obj["metadata"]["name"], obj.get("handler", ""), born(obj, now)]


def _webhooks(obj: Json, now: float) -> list[Any]:
    return [obj["metadata"]["name"], len(obj.get("webhooks") or []), born(obj, now)]


def _policy(obj: Json, now: float) -> list[Any]:
    name, spec, _ = _parts(obj)
    param = spec.get("paramKind") or {}
    shown = f"{param['apiVersion']}/{param['kind']}" if param else UNSET
    return [name, len(spec.get("validations") or []), shown, born(obj, now)]


def _policy_binding(obj: Json, now: float) -> list[Any]:
    name, spec, _ = _parts(obj)
    param = spec.get("paramRef") or {}
    shown = UNSET
    if param.get("name"):
        shown = f"{param['namespace']}/{param['name']}" if param.get("namespace") else f"*/{param['name']}"
    elif param.get("selector") is not None:
        shown = format_selector(param["selector"]) or NONE
    return [name, spec.get("policyName", ""), shown, born(obj, now)]


def _signing_request(obj: Json, now: float) -> list[Any]:
    name, spec, status = _parts(obj)
    held: list[str] = [kind for kind in ("Approved", "Denied", "Failed") if kind in conditions_of(obj)]
    words = [*(held or ["Pending"]), *(["Issued"] if status.get("certificate") else [])]
    seconds = spec.get("expirationSeconds")
    return [
        name,
        born(obj, now),
        spec.get("signerName", ""),
        spec.get("username", ""),
        NONE if seconds is None else short_duration(seconds),
        ",".join(words),
    ]


def _api_service(obj: Json, now: float) -> list[Any]:
    name, spec, _ = _parts(obj)
    service = spec.get("service")
    available = conditions_of(obj).get("Available") or {}
    word = available.get("status") or "Unknown"
    shown = f"{word} ({available['reason']})" if word != "True" and available.get("reason") else word
    return [name, f"{service['namespace']}/{service['name']}" if service else "Local", shown, born(obj, now)]


def _flow_schema(obj: Json, now: float) -> list[Any]:
    name, spec, _ = _parts(obj)
    dangling = (conditions_of(obj).get("Dangling") or {}).get("status")
    return [
        name,
        (spec.get("priorityLevelConfiguration") or {}).get("name", ""),
        str(spec.get("matchingPrecedence") or 0),
        (spec.get("distinguisherMethod") or {}).get("type") or NONE,
        born(obj, now),
        dangling or "?",
    ]


def _priority_level(obj: Json, now: float) -> list[Any]:
    name, spec, _ = _parts(obj)
    limited = spec.get("limited") or {}
    queuing = (limited.get("limitResponse") or {}).get("queuing") or {}

    def shown(value: Any) -> str:
        return NONE if value is None else str(value)

    return [
        name,
        spec.get("type", ""),
        shown((limited or spec.get("exempt") or {}).get("nominalConcurrencyShares")),
        *(shown(queuing.get(word)) for word in ("queues", "handSize", "queueLengthLimit")),
        born(obj, now),
    ]


ROWS: dict[str, Callable[[Json, float], list[Any]]] = {
    "ingresses.networking.k8s.io": _ingress,
    "ingressclasses.networking.k8s.io": _ingress_class,
    "networkpolicies.networking.k8s.io": _network_policy,
    "ipaddresses.networking.k8s.io": _ip_address,
    "servicecidrs.networking.k8s.io": _service_cidr,
    "clusterrolebindings.rbac.authorization.k8s.io": _role_binding,
    "rolebindings.rbac.authorization.k8s.io": _role_binding,
    "storageclasses.storage.k8s.io": _storage_class,
    "volumeattachments.storage.k8s.io": _volume_attachment,
    "csidrivers.storage.k8s.io": _csi_driver,
    "csinodes.storage.k8s.io": _csi_node,
    "priorityclasses.scheduling.k8s.io": _priority_class,
    "leases.coordination.k8s.io": _lease,
    "runtimeclasses.node.k8s.io": _runtime_class,
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": _webhooks,
    "validatingwebhookconfigurations.admissionregistration.k8s.io": _webhooks,
    "validatingadmissionpolicies.admissionregistration.k8s.io": _policy,
    "validatingadmissionpolicybindings.admissionregistration.k8s.io": _policy_binding,
    "certificatesigningrequests.certificates.k8s.io": _signing_request,
    "apiservices.apiregistration.k8s.io": _api_service,
    "flowschemas.flowcontrol.apiserver.k8s.io": _flow_schema,
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": _priority_level,
}
