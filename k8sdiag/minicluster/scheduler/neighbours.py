"""Pod affinity and anti-affinity that is required (plugins/interpodaffinity/filtering.go).

Three counts by (topology key, value): pods already placed that refuse this one; pods that meet all of this one's
affinity terms; pods that meet one of its anti-affinity terms.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from k8sdiag.minicluster.scheduler.nodes import NodeInfo
from k8sdiag.minicluster.scheduler.plugin import Filter, World
from k8sdiag.minicluster.scheduler.pods import PodInfo
from k8sdiag.minicluster.scheduler.status import Status, rejected, unresolvable
from k8sdiag.minicluster.scheduler.terms import Labels

NAME = "InterPodAffinity"
_NEAR = unresolvable(NAME, "node(s) didn't match pod affinity rules")
_APART = rejected(NAME, "node(s) didn't match pod anti-affinity rules")
_REFUSED = rejected(NAME, "node(s) didn't satisfy existing pods anti-affinity rules")

Domain = tuple[str, str]


@dataclass(slots=True)
class State:
    own_labels: Labels  # of the pod's namespace
    world: World
    refusing: dict[Domain, int] = field(default_factory=dict)
    near: dict[Domain, int] = field(default_factory=dict)
    apart: dict[Domain, int] = field(default_factory=dict)


def prepare(pod: PodInfo, world: World) -> State | None:
    snapshot = world.snapshot
    if not snapshot.repelling and not pod.affinity and not pod.anti_affinity:
        return None
    state = State(world.namespace_labels(pod.namespace), world)
    own = bool(pod.affinity or pod.anti_affinity)
    for other, node in snapshot.on_nodes(snapshot.affine.values()):
        if other.anti_affinity:
            _refusals(state, pod, other, node, 1)
    if own:
        for other, node in snapshot.on_nodes(snapshot.pods()):
            _attractions(state, pod, other, node, 1)
    if not own and not state.refusing:
        return None
    return state


def _refusals(state: State, pod: PodInfo, other: PodInfo, node: NodeInfo, sign: int) -> None:
    for term in other.anti_affinity:
        if term.topology_key in node.labels and term.matches(pod.namespace, pod.labels, lambda _: state.own_labels):
            _shift(state.refusing, (term.topology_key, node.labels[term.topology_key]), sign)


def _attractions(state: State, pod: PodInfo, other: PodInfo, node: NodeInfo, sign: int) -> None:
    if pod.affinity and _meets_all(pod, other, state.world):
        for term in pod.affinity:
            if term.topology_key in node.labels:
                _shift(state.near, (term.topology_key, node.labels[term.topology_key]), sign)
    for term in pod.anti_affinity:
        if term.topology_key in node.labels and term.matches(
            other.namespace, other.labels, state.world.namespace_labels
        ):
            _shift(state.apart, (term.topology_key, node.labels[term.topology_key]), sign)


def _meets_all(pod: PodInfo, other: PodInfo, world: World) -> bool:
    return all(term.matches(other.namespace, other.labels, world.namespace_labels) for term in pod.affinity)


def _shift(counts: dict[Domain, int], domain: Domain, sign: int) -> None:
    left = counts.get(domain, 0) + sign
    if left:
        counts[domain] = left
    else:
        counts.pop(domain, None)


def check(state: State, pod: PodInfo, node: NodeInfo) -> Status | None:
    if pod.affinity and not _near_enough(state, pod, node):
        return _NEAR
    labels = node.labels
    for term in pod.anti_affinity:
        if term.topology_key in labels and state.apart.get((term.topology_key, labels[term.topology_key]), 0) > 0:
            return _APART
    if state.refusing and any(state.refusing.get(domain, 0) > 0 for domain in labels.items()):
        return _REFUSED
    return None


def _near_enough(state: State, pod: PodInfo, node: NodeInfo) -> bool:
    there = True
    for term in pod.affinity:
        value = node.labels.get(term.topology_key)
        if value is None:
            return False
        if state.near.get((term.topology_key, value), 0) <= 0:
            there = False
    # the first of a group that wants to be near itself may go anywhere
    return there or (not state.near and _meets_all(pod, pod, state.world))


def moved(state: State, pod: PodInfo, other: PodInfo, node: NodeInfo, sign: int) -> None:
    if other.anti_affinity:
        _refusals(state, pod, other, node, sign)
    _attractions(state, pod, other, node, sign)


def copied(state: State) -> State:
    return State(state.own_labels, state.world, dict(state.refusing), dict(state.near), dict(state.apart))


FILTER = Filter(NAME, prepare, check, moved, copied)
