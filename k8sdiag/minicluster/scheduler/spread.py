"""Topology spread: constraints that a pod insists on (plugins/podtopologyspread/filtering.go, common.go).

For each constraint the matching pods are counted by domain over the nodes that count: those that have all the keys,
and, by policy, those that the pod's node affinity and tolerations allow. A node fails when its domain would be more
than `maxSkew` above the emptiest domain.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from k8sdiag.evidence import Json
from k8sdiag.minicluster.scheduler import node_affinity
from k8sdiag.minicluster.scheduler.nodes import NodeInfo
from k8sdiag.minicluster.scheduler.plugin import Filter, World
from k8sdiag.minicluster.scheduler.pods import PodInfo
from k8sdiag.minicluster.scheduler.snapshot import Snapshot
from k8sdiag.minicluster.scheduler.status import Status, rejected, unresolvable
from k8sdiag.minicluster.scheduler.taints import untolerated
from k8sdiag.minicluster.scheduler.terms import Selector, keyed, selector

NAME = "PodTopologySpread"
_SKEWED = rejected(NAME, "node(s) didn't match pod topology spread constraints")
_NO_LABEL = unresolvable(NAME, "node(s) didn't match pod topology spread constraints (missing required label)")


@dataclass(frozen=True, slots=True)
class Constraint:
    max_skew: int
    key: str
    selector: Selector | None
    min_domains: int = 1
    honor_affinity: bool = True
    honor_taints: bool = False

    def matches(self, pod: PodInfo) -> bool:
        return self.selector is not None and self.selector.matches(pod.labels)


def constraints(pod: PodInfo, action: str) -> list[Constraint]:
    """The pod's own constraints of one kind, `DoNotSchedule` or `ScheduleAnyway`."""
    return [
        Constraint(
            each.get("maxSkew") or 1,
            each.get("topologyKey") or "",
            keyed(selector(each.get("labelSelector")), each.get("matchLabelKeys"), None, pod.labels),
            each.get("minDomains") or 1,
            (each.get("nodeAffinityPolicy") or "Honor") == "Honor",
            (each.get("nodeTaintsPolicy") or "Ignore") == "Honor",
        )
        for each in pod.spec.get("topologySpreadConstraints") or ()
        if each.get("whenUnsatisfiable") == action
    ]


def counts(constraint: Constraint, pod: PodInfo, node: NodeInfo, needs: node_affinity.Wanted | None) -> bool:
    """Whether a node takes part (matchNodeInclusionPolicies)."""
    if constraint.honor_affinity and needs is not None and not node_affinity.fits(needs, node):
        return False
    return not (constraint.honor_taints and node.blocking and untolerated(pod.tolerations, node.blocking))


def matching(constraint: Constraint, namespace: str, snapshot: Snapshot) -> list[int]:
    """Pods that a constraint counts (of its namespace, and not on their way out), by the index of their node."""
    if constraint.selector is None:
        return [0] * len(snapshot.nodes)
    return snapshot.counts(namespace, constraint.selector).nodes


@dataclass(slots=True)
class State:
    constraints: list[Constraint]
    needs: node_affinity.Wanted | None
    mine: list[int]  # by constraint: 1 where it counts the pod itself
    domains: list[dict[str, int]] = field(default_factory=list)  # by constraint: matching pods by domain
    least: list[int | None] = field(default_factory=list)

    def emptiest(self, index: int) -> int:
        """The global minimum, 0 while there are fewer domains than `minDomains`."""
        known = self.least[index]
        if known is None:
            domains = self.domains[index]
            few = len(domains) < self.constraints[index].min_domains
            known = self.least[index] = 0 if few else min(domains.values(), default=2**31 - 1)
        return known


def prepare(pod: PodInfo, world: World) -> State | None:
    if not pod.spec.get("topologySpreadConstraints"):
        return None
    chosen = constraints(pod, "DoNotSchedule")
    if not chosen:
        return None
    mine = [1 if constraint.matches(pod) else 0 for constraint in chosen]
    state = State(chosen, node_affinity.wanted(pod), mine, [{} for _ in chosen], [None] * len(chosen))
    numbers = [matching(constraint, pod.namespace, world.snapshot) for constraint in chosen]
    keys = frozenset(constraint.key for constraint in chosen)
    nodes = [node for node in world.snapshot.nodes if keys <= node.labels.keys()]
    for constraint, domains, number in zip(chosen, state.domains, numbers, strict=True):
        key = constraint.key
        picky = constraint.honor_taints or (constraint.honor_affinity and state.needs is not None)
        for node in nodes:
            if not picky or counts(constraint, pod, node, state.needs):
                domain = node.labels[key]
                domains[domain] = domains.get(domain, 0) + number[node.index]
    return state


def check(state: State, _pod: PodInfo, node: NodeInfo) -> Status | None:
    for index, constraint in enumerate(state.constraints):
        domain = node.labels.get(constraint.key)
        if domain is None:
            return _NO_LABEL
        if state.domains[index].get(domain, 0) + state.mine[index] - state.emptiest(index) > constraint.max_skew:
            return _SKEWED
    return None


def moved(state: State, pod: PodInfo, other: PodInfo, node: NodeInfo, sign: int) -> None:
    if other.namespace != pod.namespace or other.terminating:
        return
    if any(constraint.key not in node.labels for constraint in state.constraints):
        return
    for index, constraint in enumerate(state.constraints):
        if constraint.matches(other) and counts(constraint, pod, node, state.needs):
            domain = node.labels[constraint.key]
            state.domains[index][domain] = state.domains[index].get(domain, 0) + sign
            state.least[index] = None


def copied(state: State) -> State:
    return State(
        state.constraints, state.needs, state.mine, [dict(domains) for domains in state.domains], list(state.least)
    )


def concerns(pod: PodInfo, other: Json) -> bool:
    """Whether the coming and going of a pod changes what this one's constraints count (queueing hint)."""
    metadata = other["metadata"]
    if (metadata.get("namespace") or "") != pod.namespace:
        return False
    labels = metadata.get("labels") or {}
    return any(
        each.selector is not None and each.selector.matches(labels) for each in constraints(pod, "DoNotSchedule")
    )


FILTER = Filter(NAME, prepare, check, moved, copied)
