"""Room for a pod's requests (plugins/noderesources/fit.go).

A request larger than all a node has is `Unschedulable` here as on the recorded 1.33 server, whose pod of 64 cores on a
two-core node was told "No preemption victims found"; later releases say that preemption does not help.
"""

from __future__ import annotations

from functools import lru_cache

from k8sdiag.minicluster.scheduler.nodes import NodeInfo
from k8sdiag.minicluster.scheduler.plugin import Filter, World
from k8sdiag.minicluster.scheduler.pods import PodInfo
from k8sdiag.minicluster.scheduler.requests import Requests
from k8sdiag.minicluster.scheduler.status import Status, rejected

NAME = "NodeResourcesFit"


@lru_cache(maxsize=1024)
def _short(reasons: tuple[str, ...]) -> Status:
    """One value for each set of reasons, so that thousands of nodes share it."""
    return rejected(NAME, *reasons)


def prepare(pod: PodInfo, _world: World | None = None) -> Requests:
    return {name: amount for name, amount in pod.requests.items() if amount}


def check(state: Requests, _pod: PodInfo, node: NodeInfo) -> Status | None:
    full = len(node.pods) + 1 > node.allowed_pods
    allocatable, requested = node.allocatable, node.requested
    missing = [name for name, amount in state.items() if amount > allocatable.get(name, 0) - requested.get(name, 0)]
    if not full and not missing:
        return None
    reasons = [f"Insufficient {name}" for name in missing]
    return _short(("Too many pods", *reasons) if full else tuple(reasons))


def fits_empty(pod: PodInfo, node: NodeInfo) -> bool:
    """Whether an empty node of this size would do (fit.go isFit, for queueing hints)."""
    return node.allowed_pods > 0 and all(
        amount <= node.allocatable.get(name, 0) for name, amount in pod.requests.items() if amount
    )


FILTER = Filter(NAME, prepare, check)
