"""What a pod asks for, as whole numbers: milli-cores for cpu, units for all else.

component-helpers/resource/helpers.go (PodRequests): containers run side by side, init containers one after the other
beside the sidecars started before them; pod-level requests stand above the containers'; overhead comes on top.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from k8sdiag.evidence import Json
from k8sdiag.minicluster import amounts

Requests = dict[str, int]

# pkg/scheduler/util/pod_resources.go: what scoring assumes of a container that asks for nothing
DEFAULT_MILLI_CPU = 100
DEFAULT_MEMORY = 200 * 1024 * 1024
_NON_ZERO = {"cpu": DEFAULT_MILLI_CPU, "memory": DEFAULT_MEMORY}


@lru_cache(maxsize=8192)
def milli(text: str | float) -> int:
    amount = amounts.parse(text)
    return 0 if amount is None else amount.milli


@lru_cache(maxsize=8192)
def units(text: str | float) -> int:
    amount = amounts.parse(text)
    return 0 if amount is None else amount.whole


def numbers(resources: Mapping[str, Any] | None) -> Requests:
    """A resource list in the scheduler's units."""
    return {name: milli(value) if name == "cpu" else units(value) for name, value in (resources or {}).items()}


def pod_requests(spec: Json, status: Json | None = None) -> Requests:
    """What the pod takes of a node."""
    return _total(spec, {}, _allocated(status or {}))


def scored_requests(spec: Json, status: Json | None = None) -> tuple[int, int]:
    """cpu and memory as scoring counts them: a container that asks for nothing counts a little."""
    total = _total(spec, _NON_ZERO, _allocated(status or {}))
    return total.get("cpu", 0), total.get("memory", 0)


def _total(spec: Json, missing: Requests, allocated: Mapping[str, Requests]) -> Requests:
    total: Requests = {}
    for container in spec.get("containers") or ():
        _add(total, _of(container, missing, allocated))
    sidecars: Requests = {}
    start: Requests = {}
    for container in spec.get("initContainers") or ():
        wanted = _of(container, missing, allocated)
        if container.get("restartPolicy") == "Always":
            _add(total, wanted)
            _add(sidecars, wanted)
            wanted = dict(sidecars)
        else:
            _add(wanted, sidecars)
        _raise(start, wanted)
    _raise(total, start)
    for name, amount in numbers((spec.get("resources") or {}).get("requests")).items():
        if name in ("cpu", "memory") or name.startswith("hugepages-"):
            total[name] = amount
    _add(total, numbers(spec.get("overhead")))
    return total


def _of(container: Json, missing: Requests, allocated: Mapping[str, Requests]) -> Requests:
    wanted = {**missing, **numbers((container.get("resources") or {}).get("requests"))}
    if allocated:
        _raise(wanted, allocated.get(container.get("name", ""), {}))
    return wanted


def _allocated(status: Json) -> dict[str, Requests]:
    """While a pod is resized, it counts with the larger of what it asks for and what it has."""
    return {
        entry.get("name", ""): numbers(entry["allocatedResources"])
        for entry in [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]
        if entry.get("allocatedResources")
    }


def _add(total: Requests, more: Mapping[str, int]) -> None:
    for name, amount in more.items():
        total[name] = total.get(name, 0) + amount


def _raise(total: Requests, least: Mapping[str, int]) -> None:
    for name, amount in least.items():
        if amount > total.get(name, 0):
            total[name] = amount
