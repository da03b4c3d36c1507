"""`spec.nodeName` (plugins/nodename/node_name.go). The scheduler leaves such pods alone; when it tries an eviction for
one that was promised a node, the rule still holds."""

from __future__ import annotations

from typing import Any

from k8sdiag.minicluster.scheduler.nodes import NodeInfo
from k8sdiag.minicluster.scheduler.plugin import Filter, World
from k8sdiag.minicluster.scheduler.pods import PodInfo
from k8sdiag.minicluster.scheduler.status import Status, unresolvable

NAME = "NodeName"
_OTHER = unresolvable(NAME, "node(s) didn't match the requested node name")


def prepare(pod: PodInfo, _world: World) -> Any:
    return pod.node_name or None


def check(state: str, _pod: PodInfo, node: NodeInfo) -> Status | None:
    return None if node.name == state else _OTHER


FILTER = Filter(NAME, prepare, check)
