"""Rows of the core group's other kinds, of events and of endpoint slices (printers.go)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.tables.cells import (
    NONE,
    UNKNOWN,
    UNSET,
    access_modes,
    age,
    born,
    containers,
    labels,
    listed,
)

_CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"


def _name(obj: Json) -> str:
    name: str = obj["metadata"]["name"]
    return name


def _config_map(obj: Json, now: float) -> list[Any]:
    return [_name(obj), str(len(obj.get("data") or {}) + len(obj.get("binaryData") or {})), born(obj, now)]


def _secret(obj: Json, now: float) -> list[Any]:
    return [_name(obj), obj.get("type", ""), str(len(obj.get("data") or {})), born(obj, now)]


def _service_account(obj: Json, now: float) -> list[Any]:
    return [_name(obj), str(len(obj.get("secrets") or [])), born(obj, now)]


def _namespace(obj: Json, now: float) -> list[Any]:
    return [_name(obj), (obj.get("status") or {}).get("phase", ""), born(obj, now)]


def _endpoints(obj: Json, now: float) -> list[Any]:
    return [_name(obj), _addresses(obj.get("subsets") or []), born(obj, now)]


def _addresses(subsets: list[Json]) -> str:
    """At most three, then how many more (formatEndpoints)."""
    shown: list[str] = []
    more = 0
    for subset in subsets:
        addresses = [item["ip"] for item in subset.get("addresses") or []]
        ports = subset.get("ports") or []
        pairs = [f"{ip}:{port['port']}" for port in ports for ip in addresses] if ports else addresses
        for pair in pairs:
            if len(shown) < 3:
                shown.append(pair)
            else:
                more += 1
    return f"{','.join(shown)} + {more} more..." if more else listed(shown)


def _endpoint_slice(obj: Json, now: float) -> list[Any]:
    ports = obj.get("ports") or []
    first = [str(port["port"]) if port.get("port") else "*" for port in ports[:3]]
    shown = UNSET if not ports else ",".join(first) + (f" + {len(ports) - 3} more..." if len(ports) > 3 else "")
    addresses = [ip for endpoint in obj.get("endpoints") or [] for ip in endpoint.get("addresses") or []]
    listed_addresses = ",".join(addresses[:3]) + (f" + {len(addresses) - 3} more..." if len(addresses) > 3 else "")
    return [_name(obj), obj.get("addressType", ""), shown, listed_addresses or UNSET, born(obj, now)]


def _event(obj: Json, now: float) -> list[Any]:
    series, last = obj.get("series") or {}, obj.get("lastTimestamp")
    first = age(obj.get("firstTimestamp") or obj.get("eventTime"), now)
    seen = age(series.get("lastObservedTime") or last, now) if series or last else first
    count = series.get("count") or obj.get("count") or 1
    about, source = obj.get("involvedObject") or {}, obj.get("source") or {}
    target = (about.get("kind") or "").lower()
    by = source.get("component") or obj.get("reportingComponent") or ""
    host = source.get("host") or (obj.get("reportingInstance") if not source.get("component") else "")
    return [
        seen,
        obj.get("type", ""),
        obj.get("reason", ""),
        f"{target}/{about['name']}" if about.get("name") else target,
        about.get("fieldPath", ""),
        ", ".join(word for word in (by, host) if word),
        (obj.get("message") or "").strip(),
        first,
        str(count),
        _name(obj),
    ]


def _limit_range(obj: Json, now: float) -> list[Any]:  # noqa: ARG001 (all rows take the same)
    return [_name(obj), obj["metadata"].get("creationTimestamp")]


def _resource_quota(obj: Json, now: float) -> list[Any]:
    status = obj.get("status") or {}
    used = status.get("used") or {}
    requests: list[str] = []
    limits: list[str] = []
    for word, hard in sorted((status.get("hard") or {}).items()):
        text = f"{word}: {used.get(word, '0')}/{hard}"
        (limits if word.startswith("limits.") else requests).append(text)
    return [_name(obj), ", ".join(requests), ", ".join(limits), born(obj, now)]


def _volume(obj: Json, now: float) -> list[Any]:
    spec, status, claim = obj.get("spec") or {}, obj.get("status") or {}, (obj.get("spec") or {}).get("claimRef")
    phase = status.get("phase") or ""
    return [
        _name(obj),
        (spec.get("capacity") or {}).get("storage", ""),
        access_modes(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy", ""),
        "Terminating" if obj["metadata"].get("deletionTimestamp") else phase,
        f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else "",
        spec.get("storageClassName", ""),
        spec.get("volumeAttributesClassName") or UNSET,
        status.get("reason", ""),
        born(obj, now),
        spec.get("volumeMode") or UNSET,
    ]


def _claim(obj: Json, now: float) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    bound = bool(spec.get("volumeName"))
    phase = status.get("phase") or ""
    named = (obj["metadata"].get("annotations") or {}).get(_CLASS_ANNOTATION) or spec.get("storageClassName") or ""
    return [
        _name(obj),
        "Terminating" if obj["metadata"].get("deletionTimestamp") else phase,
        spec.get("volumeName", ""),
        (status.get("capacity") or {}).get("storage", "") if bound else "",
        access_modes(status.get("accessModes")) if bound else "",
        named,
        spec.get("volumeAttributesClassName") or UNSET,
        born(obj, now),
        spec.get("volumeMode") or UNSET,
    ]


def _pod_template(obj: Json, now: float) -> list[Any]:  # noqa: ARG001 (all rows take the same)
    template = obj.get("template") or {}
    return [_name(obj), *containers(template), labels((template.get("metadata") or {}).get("labels"))]


def _replication_controller(obj: Json, now: float) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    return [
        _name(obj),
        spec.get("replicas") or 0,
        status.get("replicas") or 0,
        status.get("readyReplicas") or 0,
        born(obj, now),
        *containers(spec.get("template")),
        labels(spec.get("selector")),
    ]


def _service(obj: Json, now: float) -> list[Any]:
    spec = obj.get("spec") or {}
    kind = spec.get("type") or "ClusterIP"
    addresses = spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else [])
    ports = [
        f"{port['port']}:{port['nodePort']}/{port.get('protocol', 'TCP')}"
        if port.get("nodePort")
        else f"{port['port']}/{port.get('protocol', 'TCP')}"
        for port in spec.get("ports") or []
    ]
    return [
        _name(obj),
        kind,
        addresses[0] if addresses else NONE,
        _outside(obj, spec, kind),
        listed(ports),
        born(obj, now),
        labels(spec.get("selector")),
    ]


def _outside(obj: Json, spec: Json, kind: str) -> str:
    """EXTERNAL-IP (getServiceExternalIP)."""
    given = spec.get("externalIPs") or []
    if kind == "ExternalName":
        return spec.get("externalName") or NONE
    if kind != "LoadBalancer":
        return listed(given)
    ingress = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    balanced = [item.get("ip") or item.get("hostname") or "" for item in ingress]
    return listed([*filter(None, balanced), *given], "<pending>")


def _component(obj: Json, now: float) -> list[Any]:  # noqa: ARG001 (all rows take the same)
    healthy: Json = next((item for item in obj.get("conditions") or [] if item.get("type") == "Healthy"), {})
    word = {"True": "Healthy", "False": "Unhealthy"}.get(healthy.get("status", ""), UNKNOWN)
    return [_name(obj), word, healthy.get("message", ""), healthy.get("error", "")]


ROWS: dict[str, Callable[[Json, float], list[Any]]] = {
    "componentstatuses": _component,
    "configmaps": _config_map,
    "secrets": _secret,
    "serviceaccounts": _service_account,
    "namespaces": _namespace,
    "endpoints": _endpoints,
    "endpointslices.discovery.k8s.io": _endpoint_slice,
    "events": _event,
    "limitranges": _limit_range,
    "resourcequotas": _resource_quota,
    "persistentvolumes": _volume,
    "persistentvolumeclaims": _claim,
    "podtemplates": _pod_template,
    "replicationcontrollers": _replication_controller,
    "services": _service,
}
