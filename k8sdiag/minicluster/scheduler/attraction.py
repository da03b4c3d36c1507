"""Scores by pod affinity that is only preferred (plugins/interpodaffinity/scoring.go): this pod's wishes about the pods
that are there, and theirs about this one; their required affinity counts as a wish of weight 1."""

from __future__ import annotations

from k8sdiag.minicluster.scheduler.nodes import NodeInfo
from k8sdiag.minicluster.scheduler.plugin import World
from k8sdiag.minicluster.scheduler.pods import PodInfo
from k8sdiag.minicluster.scheduler.scores import MOST
from k8sdiag.minicluster.scheduler.terms import NamespaceLabels, Term

_HARD_WEIGHT = 1
_Sums = dict[str, dict[str, int]]


def scores(pod: PodInfo, feasible: list[NodeInfo], world: World) -> list[int] | None:
    """0..100 for each feasible node; None where nobody has a wish."""
    wishes = bool(pod.preferred_affinity or pod.preferred_anti_affinity)
    if not wishes and not world.snapshot.affine:
        return None
    own = world.namespace_labels(pod.namespace)
    sums: _Sums = {}
    snapshot = world.snapshot
    for other, node in snapshot.on_nodes(snapshot.pods() if wishes else snapshot.affine.values()):
        _wishes_of_pod(sums, pod, other, node, world.namespace_labels)
        _wishes_of_other(sums, pod, other, node, lambda _: own)
    if not sums:
        return None
    raw = [
        sum(values.get(node.labels[key], 0) for key, values in sums.items() if key in node.labels) for node in feasible
    ]
    least, spread = min(raw), max(raw) - min(raw)
    return [int(MOST * ((value - least) / spread)) if spread else 0 for value in raw]


def _wishes_of_pod(sums: _Sums, pod: PodInfo, other: PodInfo, node: NodeInfo, labels: NamespaceLabels) -> None:
    for terms, sign in ((pod.preferred_affinity, 1), (pod.preferred_anti_affinity, -1)):
        for term in terms:
            _add(sums, term, other, node, term.weight * sign, labels)


def _wishes_of_other(sums: _Sums, pod: PodInfo, other: PodInfo, node: NodeInfo, labels: NamespaceLabels) -> None:
    for term in other.affinity:
        _add(sums, term, pod, node, _HARD_WEIGHT, labels)
    for terms, sign in ((other.preferred_affinity, 1), (other.preferred_anti_affinity, -1)):
        for term in terms:
            _add(sums, term, pod, node, term.weight * sign, labels)


def _add(sums: _Sums, term: Term, target: PodInfo, node: NodeInfo, weight: int, labels: NamespaceLabels) -> None:
    value = node.labels.get(term.topology_key)
    if value is not None and weight and term.matches(target.namespace, target.labels, labels):
        domain = sums.setdefault(term.topology_key, {})
        domain[value] = domain.get(value, 0) + weight
