"""The search for a node: filter until enough will do, score those, take the best (pkg/scheduler/schedule_one.go
schedulePod, findNodesThatFitPod, prioritizeNodes, selectHost).

This is the plain path, which looks at each node anew. `shapes` gives the same answers faster for most pods.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Any

from k8sdiag.minicluster.scheduler import (
    attraction,
    disks,
    neighbours,
    node_affinity,
    node_name,
    ports,
    resources,
    scores,
    spread,
    spreading,
    taints,
    volume_binding,
    volume_limits,
    volume_zone,
)
from k8sdiag.minicluster.scheduler.nodes import NodeInfo
from k8sdiag.minicluster.scheduler.plugin import Filter, World
from k8sdiag.minicluster.scheduler.pods import PodInfo
from k8sdiag.minicluster.scheduler.spreading import Workloads
from k8sdiag.minicluster.scheduler.status import Diagnosis, RefusalError, Status, unresolvable

# apis/config/v1/default_plugins.go: the order in which a node is looked at; the first objection counts
FILTERS: tuple[Filter, ...] = (
    taints.CORDON_FILTER,
    node_name.FILTER,
    taints.TAINT_FILTER,
    node_affinity.FILTER,
    ports.FILTER,
    resources.FILTER,
    disks.FILTER,
    volume_limits.FILTER,
    volume_binding.FILTER,
    volume_zone.FILTER,
    spread.FILTER,
    neighbours.FILTER,
)
_FEWEST = 100  # minFeasibleNodesToFind
_LEAST_PERCENT = 5  # minFeasibleNodesPercentageToFind

Prepared = list[tuple[Filter, Any]]


@dataclass(slots=True)
class Outcome:
    """The node, or why there is none; and what filters learnt on the way."""

    node: NodeInfo | None
    diagnosis: Diagnosis
    prepared: Prepared


def enough(nodes: int) -> int:
    """How many nodes that will do are enough (numFeasibleNodesToFind)."""
    if nodes < _FEWEST:
        return nodes
    percent = max(50 - nodes // 125, _LEAST_PERCENT)
    return max(nodes * percent // 100, _FEWEST)


def prepare(pod: PodInfo, world: World) -> Prepared:
    """All filters that have a say about this pod; RefusalError where one refuses it whatever the node."""
    found = []
    for each in FILTERS:
        state = each.prepare(pod, world)
        if state is not None:
            found.append((each, state))
    return found


def objection(prepared: Prepared, pod: PodInfo, node: NodeInfo) -> Status | None:
    for each, state in prepared:
        status = each.check(state, pod, node)
        if status is not None:
            return status
    return None


def objection_with_nominated(prepared: Prepared, pod: PodInfo, node: NodeInfo, world: World) -> Status | None:
    """As if the pods of at least this priority that were promised the node were there already, and as if they were
    not: both have to be fine (RunFilterPluginsWithNominatedPods)."""
    promised = world.snapshot.nominated.get(node.name)
    if promised:
        coming = [other for other in promised.values() if other.priority >= pod.priority and other.uid != pod.uid]
        if coming:
            crowded, states = node.clone(), copies(prepared)
            for other in coming:
                crowded.add(other)
                shift(states, pod, other, crowded, 1)
            status = objection(states, pod, crowded)
            if status is not None:
                return status
    return objection(prepared, pod, node)


def copies(prepared: Prepared) -> Prepared:
    """States to try changes on."""
    return [(each, each.copied(state)) for each, state in prepared]


def shift(prepared: Prepared, pod: PodInfo, other: PodInfo, node: NodeInfo, sign: int) -> None:
    for each, state in prepared:
        each.moved(state, pod, other, node, sign)


class Search:
    """Finds nodes for pods one after another. Each search begins where the last one ended, so that all nodes get their
    share although a search ends early."""

    def __init__(self, world: World, workloads: Workloads, random: Random) -> None:
        self.world, self.workloads, self.random = world, workloads, random
        self.start = 0

    def find(self, pod: PodInfo) -> Outcome:
        nodes = self.world.snapshot.nodes
        diagnosis = Diagnosis()
        try:
            prepared = prepare(pod, self.world)
        except RefusalError as refusal:
            diagnosis.absent = refusal.status
            diagnosis.pre_filter = ", ".join(refusal.status.reasons)
            diagnosis.plugins.add(refusal.status.plugin)
            return Outcome(None, diagnosis, [])
        promised = self.world.snapshot.node(pod.nominated) if pod.nominated else None
        if promised is not None:
            status = objection_with_nominated(prepared, pod, promised, self.world)
            if status is None:
                return Outcome(promised, diagnosis, prepared)
            self._note(diagnosis, promised, status)
        feasible = self._feasible(pod, prepared, self._allowed(prepared, diagnosis), diagnosis)
        self.start = (self.start + len(feasible) + len(diagnosis.nodes)) % len(nodes)
        return Outcome(self._best(pod, feasible), diagnosis, prepared)

    def _allowed(self, prepared: Prepared, diagnosis: Diagnosis) -> list[NodeInfo]:
        """All nodes, or those that PreFilter leaves."""
        for each, state in prepared:
            names = each.names(state)
            if names is not None:
                diagnosis.absent = unresolvable(each.name, f"node(s) didn't satisfy plugin(s) [{each.name}]")
                diagnosis.plugins.add(each.name)
                found = (self.world.snapshot.node(name) for name in sorted(names))
                return [node for node in found if node is not None]
        return self.world.snapshot.nodes

    def _feasible(
        self, pod: PodInfo, prepared: Prepared, nodes: list[NodeInfo], diagnosis: Diagnosis
    ) -> list[NodeInfo]:
        most, total = enough(len(nodes)), len(nodes)
        feasible: list[NodeInfo] = []
        for step in range(total):
            node = nodes[(self.start + step) % total]
            status = objection_with_nominated(prepared, pod, node, self.world)
            if status is not None:
                self._note(diagnosis, node, status)
                continue
            feasible.append(node)
            if len(feasible) >= most:
                break
        return feasible

    @staticmethod
    def _note(diagnosis: Diagnosis, node: NodeInfo, status: Status) -> None:
        diagnosis.nodes[node.name] = status
        diagnosis.plugins.add(status.plugin)

    def _best(self, pod: PodInfo, feasible: list[NodeInfo]) -> NodeInfo | None:
        if len(feasible) < 2:
            return feasible[0] if feasible else None
        totals = self.totals(pod, feasible)
        best = max(totals)
        return pick(self.random, [node for node, total in zip(feasible, totals, strict=True) if total == best])

    def totals(self, pod: PodInfo, feasible: list[NodeInfo]) -> list[int]:
        """The weighted sum of all scores, node by node."""
        snapshot = self.world.snapshot
        totals = [scores.least_allocated(pod, node) + scores.balanced(pod, node) for node in feasible]
        images = scores.images_of(pod)
        if scores.images_matter(images, snapshot.image_nodes):
            count = len(snapshot.nodes)
            local = [scores.image_locality(images, node, snapshot.image_nodes, count) for node in feasible]
            _add(totals, local, 1)
        unwelcome = scores.normalized([taints.unwelcome(pod, node) for node in feasible], reverse=True)
        _add(totals, unwelcome, scores.TAINTS)
        preferred = node_affinity.preferences(pod)
        if preferred:
            liked = scores.normalized([node_affinity.liking(preferred, node) for node in feasible])
            _add(totals, liked, scores.AFFINITY)
        _add(totals, spreading.scores(pod, feasible, self.world, self.workloads), scores.SPREAD)
        _add(totals, attraction.scores(pod, feasible, self.world), scores.NEIGHBOURS)
        return totals


def _add(totals: list[int], more: Iterable[int] | None, weight: int) -> None:
    if more is not None:
        totals[:] = [total + value * weight for total, value in zip(totals, more, strict=True)]


def pick(random: Random, best: list[NodeInfo]) -> NodeInfo:
    """Any of the best (selectHost); chance is asked only where there is a choice."""
    return best[0] if len(best) == 1 else best[random.randrange(len(best))]
