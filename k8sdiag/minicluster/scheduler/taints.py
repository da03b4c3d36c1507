"""Taints, tolerations and cordoned nodes.

plugins/tainttoleration/taint_toleration.go, plugins/nodeunschedulable/node_unschedulable.go.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from k8sdiag.evidence import Json
from k8sdiag.minicluster.scheduler.nodes import NodeInfo
from k8sdiag.minicluster.scheduler.plugin import Filter, World
from k8sdiag.minicluster.scheduler.pods import PodInfo
from k8sdiag.minicluster.scheduler.status import Status, unresolvable
from k8sdiag.minicluster.tolerations import tolerates

TAINTS = "TaintToleration"
CORDON = "NodeUnschedulable"
_CORDON_TAINT: Json = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
_CORDONED = unresolvable(CORDON, "node(s) were unschedulable")


def tolerated(tolerations: Iterable[Json], taint: Json) -> bool:
    return any(tolerates(toleration, taint) for toleration in tolerations)


def untolerated(tolerations: list[Json], taints: Iterable[Json]) -> Json | None:
    """The first taint that the pod does not bear."""
    return next((taint for taint in taints if not tolerated(tolerations, taint)), None)


def _always(_pod: PodInfo, _world: World) -> Any:
    return True


def check_taints(_state: Any, pod: PodInfo, node: NodeInfo) -> Status | None:
    if not node.blocking:
        return None
    taint = untolerated(pod.tolerations, node.blocking)
    if taint is None:
        return None
    text = f"node(s) had untolerated taint {{{taint.get('key', '')}: {taint.get('value') or ''}}}"
    return unresolvable(TAINTS, text)


def check_cordon(_state: Any, pod: PodInfo, node: NodeInfo) -> Status | None:
    if not node.unschedulable or tolerated(pod.tolerations, _CORDON_TAINT):
        return None
    return _CORDONED


def unwelcome(pod: PodInfo, node: NodeInfo) -> int:
    """Score's raw count: PreferNoSchedule taints that the pod does not bear."""
    if not node.preferring:
        return 0
    borne = [each for each in pod.tolerations if not each.get("effect") or each["effect"] == "PreferNoSchedule"]
    return sum(1 for taint in node.preferring if not tolerated(borne, taint))


CORDON_FILTER = Filter(CORDON, _always, check_cordon)
TAINT_FILTER = Filter(TAINTS, _always, check_taints)
