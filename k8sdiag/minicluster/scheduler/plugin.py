"""The shape of a filter, and what filters may look at (framework/interface.go, in three functions)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from k8sdiag.evidence import Json
from k8sdiag.minicluster.scheduler.nodes import NodeInfo
from k8sdiag.minicluster.scheduler.pods import PodInfo
from k8sdiag.minicluster.scheduler.snapshot import Snapshot
from k8sdiag.minicluster.scheduler.status import Status
from k8sdiag.minicluster.scheduler.terms import Labels

Found = list[Json]  # `list` is a method below


class Objects(Protocol):
    """Claims, volumes, classes, services: what is looked up when a pod needs it."""

    def find(self, resource: str, namespace: str, name: str) -> Json | None: ...

    def list(self, resource: str, namespace: str = "") -> Found: ...


@dataclass(frozen=True, slots=True)
class World:
    snapshot: Snapshot
    objects: Objects

    def namespace_labels(self, namespace: str) -> Labels:
        found = self.objects.find("namespaces", "", namespace) or {}
        return (found.get("metadata") or {}).get("labels") or {}


def _nothing_moves(state: Any, pod: PodInfo, other: PodInfo, node: NodeInfo, sign: int) -> None:
    """For filters that look at the node itself each time."""


@dataclass(frozen=True, slots=True)
class Filter:
    """`prepare` is PreFilter: the state `check` needs, None where the filter has nothing to say of this pod, or
    RefusalError. `check` is Filter. `moved` tells the state that `other` came to a node (sign 1) or left it (-1)."""

    name: str
    prepare: Callable[[PodInfo, World], Any]
    check: Callable[[Any, PodInfo, NodeInfo], Status | None]
    moved: Callable[[Any, PodInfo, PodInfo, NodeInfo, int], None] = _nothing_moves
    copied: Callable[[Any], Any] = lambda state: state
    names: Callable[[Any], frozenset[str] | None] = lambda _: None  # the only nodes it can be, None for any
