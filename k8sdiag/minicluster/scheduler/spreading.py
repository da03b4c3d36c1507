"""Scores for spreading pods: constraints that are only wished for, and the default ones of every workload.

plugins/podtopologyspread/scoring.go; plugin.go systemDefaultConstraints; plugins/helper/spread.go DefaultSelector: pods
of one Service or one controller are spread over hosts and zones unless they say something else.
"""

from __future__ import annotations

from math import log

from k8sdiag.evidence import Json
from k8sdiag.minicluster.scheduler import node_affinity, spread
from k8sdiag.minicluster.scheduler.counts import HOSTNAME, ZONE_LABEL
from k8sdiag.minicluster.scheduler.nodes import NodeInfo
from k8sdiag.minicluster.scheduler.plugin import Objects, World
from k8sdiag.minicluster.scheduler.pods import PodInfo
from k8sdiag.minicluster.scheduler.scores import MOST
from k8sdiag.minicluster.scheduler.spread import Constraint
from k8sdiag.minicluster.scheduler.terms import Selector, selector

HOST_SKEW, ZONE_SKEW = 3, 5
_CONTROLLERS = {
    "ReplicaSet": "replicasets",
    "StatefulSet": "statefulsets",
    "ReplicationController": "replicationcontrollers",
}


class Workloads:
    """Which pods belong together: by pod labels and controller, remembered until a Service changes."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._known: dict[object, Selector | None] = {}

    def forget(self) -> None:
        self._known.clear()

    def selector(self, pod: PodInfo) -> Selector | None:
        """None for a pod that belongs to nothing."""
        owner = next(
            (each for each in pod.obj["metadata"].get("ownerReferences") or () if each.get("controller")), None
        )
        key = (pod.namespace, tuple(pod.labels.items()), owner and owner.get("uid"))
        if key not in self._known:
            if len(self._known) > 10_000:
                self._known.clear()
            self._known[key] = self._find(pod, owner)
        return self._known[key]

    def _find(self, pod: PodInfo, owner: Json | None) -> Selector | None:
        pairs: dict[str, str] = {}
        for service in self._objects.list("services", pod.namespace):
            chosen = (service.get("spec") or {}).get("selector")
            if chosen and all(pod.labels.get(key) == value for key, value in chosen.items()):
                pairs.update(chosen)
        found = Selector(tuple(sorted(pairs.items())))
        resource = _CONTROLLERS.get((owner or {}).get("kind", ""))
        if owner is not None and resource is not None:
            its = self._objects.find(resource, pod.namespace, owner.get("name") or "") or {}
            chosen = (its.get("spec") or {}).get("selector")
            more = (
                Selector(tuple(sorted((chosen or {}).items())))
                if owner["kind"] == "ReplicationController"
                else selector(chosen)
            )
            found = found if more is None else found.plus(more)
        return None if found.empty else found


def wishes(pod: PodInfo, workloads: Workloads) -> tuple[list[Constraint], bool]:
    """The constraints to score by, and whether they are the pod's own."""
    if pod.spec.get("topologySpreadConstraints"):
        return spread.constraints(pod, "ScheduleAnyway"), True
    chosen = workloads.selector(pod)
    if chosen is None:
        return [], False
    return [Constraint(HOST_SKEW, HOSTNAME, chosen), Constraint(ZONE_SKEW, ZONE_LABEL, chosen)], False


def scores(pod: PodInfo, feasible: list[NodeInfo], world: World, workloads: Workloads) -> list[int] | None:
    """0..100 for each feasible node; None where there is nothing to spread by."""
    chosen, own = wishes(pod, workloads)
    if not chosen:
        return None
    ignored = {node.name for node in feasible if own and any(each.key not in node.labels for each in chosen)}
    domains = _domains(pod, chosen, own, [node for node in feasible if node.name not in ignored], world)
    weights = [
        weight(len(feasible) - len(ignored) if each.key == HOSTNAME else len(counts))
        for each, counts in zip(chosen, domains, strict=True)
    ]
    numbers = [spread.matching(each, pod.namespace, world.snapshot) for each in chosen]
    raw: list[int | None] = []
    for node in feasible:
        if node.name in ignored:
            raw.append(None)
            continue
        total = 0.0
        for each, counts, factor, number in zip(chosen, domains, weights, numbers, strict=True):
            domain = node.labels.get(each.key)
            if domain is not None:
                there = number[node.index] if each.key == HOSTNAME else counts.get(domain, 0)
                total += credit(there, each.max_skew, factor)
        raw.append(rounded(total))
    return normalized(raw)


def _domains(
    pod: PodInfo, chosen: list[Constraint], own: bool, feasible: list[NodeInfo], world: World
) -> list[dict[str, int]]:
    """Matching pods by domain, for each constraint; host names are counted node by node instead."""
    domains: list[dict[str, int]] = [
        {} if each.key == HOSTNAME else dict.fromkeys((node.labels.get(each.key, "") for node in feasible), 0)
        for each in chosen
    ]
    needs = node_affinity.wanted(pod)
    for each, counts in zip(chosen, domains, strict=True):
        number = spread.matching(each, pod.namespace, world.snapshot) if counts else []
        for node, there in zip(world.snapshot.nodes, number, strict=False):
            domain = node.labels.get(each.key, "")
            if not there or domain not in counts or not spread.counts(each, pod, node, needs):
                continue
            if not own or all(other.key in node.labels for other in chosen):
                counts[domain] += there
    return domains


def weight(domains: int) -> float:
    """topologyNormalizingWeight."""
    return log(domains + 2)


def credit(number: int, max_skew: int, factor: float) -> float:
    """scoreForCount."""
    return number * factor + (max_skew - 1)


def rounded(total: float) -> int:
    """math.Round of what is never negative."""
    return int(total + 0.5)


def normalized(raw: list[int | None]) -> list[int]:
    """The fewest matching pods score most; nodes that lack a key score nothing."""
    known = [value for value in raw if value is not None]
    least, largest = min(known, default=0), max(known, default=0)
    if largest == 0:
        return [0 if value is None else MOST for value in raw]
    return [0 if value is None else MOST * (largest + least - value) // largest for value in raw]
