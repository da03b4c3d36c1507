"""How many pods of one selector are on each node and in each zone: what spreading a workload's pods goes by.

podtopologyspread/common.go countPodsMatchSelector: pods that are going away do not count.
"""

from __future__ import annotations

from k8sdiag.minicluster.scheduler.nodes import NodeInfo
from k8sdiag.minicluster.scheduler.pods import PodInfo
from k8sdiag.minicluster.scheduler.terms import Selector

HOSTNAME = "kubernetes.io/hostname"
ZONE_LABEL = "topology.kubernetes.io/zone"


class Counts:
    __slots__ = ("nodes", "selector", "total", "zones")

    def __init__(self, selector: Selector, nodes: list[NodeInfo]) -> None:
        self.selector = selector
        self.nodes = [0] * len(nodes)  # by the node's index
        self.zones: dict[str, int] = {}
        self.total = 0

    def count(self, pod: PodInfo, node: NodeInfo, sign: int) -> None:
        if node.index < 0 or pod.terminating or not self.selector.matches(pod.labels):
            return
        self.nodes[node.index] += sign
        self.total += sign
        zone = node.labels.get(ZONE_LABEL)
        if zone is not None:
            self.zones[zone] = self.zones.get(zone, 0) + sign
