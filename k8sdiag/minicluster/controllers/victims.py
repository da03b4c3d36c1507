"""Which pods go first when there are too many (pkg/controller/controller_utils.go, ActivePodsWithRanks).

Not assigned before assigned, pending before running, not ready before ready, cheaper before dearer (the annotation
controller.kubernetes.io/pod-deletion-cost), crowded nodes first, then by age in powers of two, restarts, and uid.
"""

from __future__ import annotations

from math import frexp
from typing import Any

from k8sdiag.clock import parse_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.controllers.pod_states import phase_of, ready_since, restarts

COST = "controller.kubernetes.io/pod-deletion-cost"
_PHASES = {"Pending": 0, "Unknown": 1}


def victims(pods: list[Json], count: int, now: float) -> list[Json]:
    """The `count` pods to delete."""
    if count >= len(pods):
        return pods
    crowd: dict[str, int] = {}
    for pod in pods:
        node = pod["spec"].get("nodeName", "")
        crowd[node] = crowd.get(node, 0) + 1
    return sorted(pods, key=lambda pod: _rank(pod, crowd, now))[:count]


def _rank(pod: Json, crowd: dict[str, int], now: float) -> tuple[Any, ...]:
    node, since = pod["spec"].get("nodeName", ""), ready_since(pod)
    return (
        bool(node),
        _PHASES.get(phase_of(pod), 2),
        since is not None,
        _cost(pod),
        -crowd[node],
        _age(since, now),
        -restarts(pod),
        _age(parse_time(pod["metadata"].get("creationTimestamp")), now),
        pod["metadata"]["uid"],
    )


def _cost(pod: Json) -> int:
    text = (pod["metadata"].get("annotations") or {}).get(COST, "0")
    try:
        return int(text)
    except ValueError:
        return 0


def _age(since: float | None, now: float) -> int:
    """The power of two of an age in nanoseconds: pods of about one age are told apart by their uids, not by seconds."""
    return 0 if since is None else frexp(max(0.0, now - since) * 1e9)[1]
