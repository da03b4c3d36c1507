"""The scheduler's arithmetic: what a pod requests (pkg/api/v1/resource PodRequests), and who in it asks for it."""

from __future__ import annotations

from collections.abc import Mapping

from k8sdiag.evidence import Json
from k8sdiag.quantity import format_quantity, parse_quantity

_NATIVE = ("cpu", "memory", "ephemeral-storage", "pods")


def pod_requests(pod: Json) -> dict[str, float]:
    """max(init containers, sum of app containers + sidecars) + overhead; requests of the pod itself stand for those of
    its containers."""
    spec = pod.get("spec") or {}
    total: dict[str, float] = {}
    for container in spec.get("containers") or []:
        _add(total, container_requests(container))
    peak: dict[str, float] = {}
    sidecars: dict[str, float] = {}
    for container in spec.get("initContainers") or []:
        own = container_requests(container)
        if container.get("restartPolicy") == "Always":
            _add(total, own)
            _add(sidecars, own)
            own = dict(sidecars)
        else:
            _add(own, sidecars)
        _peak(peak, own)
    _peak(total, peak)
    level = (spec.get("resources") or {}).get("requests") or {}
    total |= {name: parse_quantity(amount) or 0.0 for name, amount in level.items()}
    _add(total, {name: parse_quantity(amount) or 0.0 for name, amount in (spec.get("overhead") or {}).items()})
    return total


def container_requests(container: Json) -> dict[str, float]:
    """Requests of one container, its limits standing in where a request is not given."""
    resources = container.get("resources") or {}
    merged = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return {name: parse_quantity(amount) or 0.0 for name, amount in merged.items()}


def request_parts(pod: Json, resource: str) -> list[str]:
    """Who in the pod asks for a resource: `container app 64`, `init container migrate 4`, `overhead 250m`."""
    spec, found = pod.get("spec") or {}, []
    level = ((spec.get("resources") or {}).get("requests") or {}).get(resource)
    if level is not None:
        found.append(f"spec.resources {level}")
    for group, word in (("containers", "container"), ("initContainers", "init container")):
        for container in spec.get(group) or [] if level is None else []:
            amount = container_requests(container).get(resource)
            if amount:
                kind = "sidecar" if container.get("restartPolicy") == "Always" else word
                found.append(f"{kind} {container.get('name')} {format_quantity(resource, amount)}")
    overhead = (spec.get("overhead") or {}).get(resource)
    if overhead:
        found.append(f"overhead {overhead}")
    return found


def is_extended(resource: str) -> bool:
    """A resource that a driver or device plugin announces (nvidia.com/gpu), not one that every node has."""
    return resource not in _NATIVE and not resource.startswith("hugepages-")


def _add(total: dict[str, float], more: Mapping[str, float]) -> None:
    for name, amount in more.items():
        total[name] = total.get(name, 0.0) + amount


def _peak(total: dict[str, float], other: Mapping[str, float]) -> None:
    for name, amount in other.items():
        total[name] = max(total.get(name, 0.0), amount)
