"""How many replicas a metric asks for (pkg/controller/podautoscaler/replica_calculator.go, metrics/utilization.go).

Pods without figures and pods that have only just started are counted in the way that moves the number the least.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from k8sdiag.clock import parse_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.amounts import parse

TOLERANCE = 0.1
_CPU_START = 300.0  # --horizontal-pod-autoscaler-cpu-initialization-period
_READY_DELAY = 30.0  # --horizontal-pod-autoscaler-initial-readiness-delay
_WINDOW = 15.0

Figures = dict[str, int]  # thousandths by pod name


class MetricError(Exception):
    """A metric that no number of replicas can be had from; the text says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is measured: a resource, of one container or ('') of all, against a share of the request or an amount."""

    resource: str
    container: str = ""
    utilization: int | None = None
    average: int | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """A number of replicas, and what was measured: percent of the requests, and thousandths per pod."""

    replicas: int
    utilization: int | None
    raw: int


@dataclass(slots=True)
class _Groups:
    """Pods by what their figures are worth."""

    ready: int
    unready: set[str]
    missing: set[str]
    ignored: set[str]


def propose(current: int, target: Target, pods: list[Json], metrics: list[Json], now: float) -> Proposal:
    """What the figures of these pods ask for. Raises MetricError."""
    figures = _figures(metrics, target)
    if not figures:
        raise MetricError(
            f"unable to get metrics for resource {target.resource}: no metrics returned from resource metrics API"
        )
    if not pods:
        raise MetricError("no pods returned by selector while calculating replica count")
    groups = _group(pods, figures, target.resource, now)
    for name in groups.ignored | groups.unready:
        figures.pop(name, None)
    if target.utilization is not None:
        requests = _requests(pods, target)
        if not figures:
            raise MetricError("did not receive metrics for targeted pods (pods might be unready)")
        return _by_utilization(current, target.utilization, figures, requests, groups)
    if not figures:
        raise MetricError("did not receive metrics for targeted pods (pods might be unready)")
    average = target.average or 1
    raw = sum(figures.values()) // len(figures)
    replicas = _weigh(
        current,
        figures,
        groups,
        lambda some: sum(some.values()) / len(some) / average,
        lambda _: average,
    )
    return Proposal(replicas, None, raw)


def _by_utilization(current: int, target: int, figures: Figures, requests: Figures, groups: _Groups) -> Proposal:
    def percent(some: Figures) -> int:
        asked = sum(requests[name] for name in some if name in requests)
        if not asked:
            raise MetricError("no metrics returned matched known pods")
        return sum(value for name, value in some.items() if name in requests) * 100 // asked

    raw = sum(figures.values()) // len(figures)
    utilization = percent(figures)
    full = max(100, target)
    replicas = _weigh(
        current,
        figures,
        groups,
        lambda some: percent(some) / target,
        lambda name: requests.get(name, 0) * full // 100,
    )
    return Proposal(replicas, utilization, raw)


def _weigh(
    current: int,
    figures: Figures,
    groups: _Groups,
    ratio_of: Callable[[Figures], float],
    full: Callable[[str], int],
) -> int:
    """From the ratio of what is to what should be to replicas; pods that say nothing hold back either way."""
    ratio = ratio_of(figures)
    with_unready = bool(groups.unready) and ratio > 1.0
    if not with_unready and not groups.missing:
        return current if abs(1.0 - ratio) <= TOLERANCE else ceil(round(ratio * groups.ready, 9))
    figures = dict(figures)
    for name in groups.missing:
        if ratio < 1.0:
            figures[name] = full(name)
        elif ratio > 1.0:
            figures[name] = 0
    if with_unready:
        figures |= dict.fromkeys(groups.unready, 0)
    again = ratio_of(figures)
    if abs(1.0 - again) <= TOLERANCE or (ratio < 1.0 < again) or (again < 1.0 < ratio):
        return current
    replicas = ceil(round(again * len(figures), 9))
    if (again < 1.0 and replicas > current) or (again > 1.0 and replicas < current):
        return current
    return replicas


def _figures(metrics: list[Json], target: Target) -> Figures:
    found: Figures = {}
    for one in metrics:
        values = [
            amount.milli
            for container in one["containers"]
            if not target.container or container["name"] == target.container
            if (amount := parse(container["usage"].get(target.resource, ""))) is not None
        ]
        if values:
            found[one["metadata"]["name"]] = sum(values)
    return found


def _group(pods: list[Json], figures: Figures, resource: str, now: float) -> _Groups:
    groups = _Groups(0, set(), set(), set())
    for pod in pods:
        name, status = pod["metadata"]["name"], pod.get("status") or {}
        if pod["metadata"].get("deletionTimestamp") or status.get("phase") == "Failed":
            groups.ignored.add(name)
        elif status.get("phase") == "Pending":
            groups.unready.add(name)
        elif name not in figures:
            groups.missing.add(name)
        elif resource == "cpu" and _too_young(status, now):
            groups.unready.add(name)
        else:
            groups.ready += 1
    return groups


def _too_young(status: Json, now: float) -> bool:
    """What a pod uses of the CPU while it starts says nothing."""
    ready = next((one for one in status.get("conditions") or () if one["type"] == "Ready"), None)
    started = parse_time(status.get("startTime"))
    if ready is None or started is None:
        return True
    since = parse_time(ready.get("lastTransitionTime")) or 0.0
    if started + _CPU_START > now:
        return ready["status"] == "False" or now < since + _WINDOW
    return ready["status"] == "False" and started + _READY_DELAY > since


def _requests(pods: list[Json], target: Target) -> Figures:
    found: Figures = {}
    for pod in pods:
        total = 0
        spec = pod["spec"]
        sidecars = [one for one in spec.get("initContainers") or () if one.get("restartPolicy") == "Always"]
        for container in (*spec["containers"], *sidecars):
            if target.container and container["name"] != target.container:
                continue
            amount = parse(((container.get("resources") or {}).get("requests") or {}).get(target.resource, ""))
            if amount is None:
                raise MetricError(
                    f"missing request for {target.resource} in container {container['name']} of Pod"
                    f" {pod['metadata']['name']}"
                )
            total += amount.milli
        found[pod["metadata"]["name"]] = total
    return found
