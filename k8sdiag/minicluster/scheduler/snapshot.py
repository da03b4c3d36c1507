"""What the scheduler knows of nodes and the pods on them, kept up to date change by change.

pkg/scheduler/backend/cache. Decisions must not cost a look at all pods, so everything that is asked for often is
counted as pods come and go: what is left of a node, who uses a claim, how many pods of a selector are where.
`epoch` moves when the list of nodes does; `changes` lists the nodes that were touched since, so that results kept for
pods of one kind can be mended instead of made anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from k8sdiag.evidence import Json
from k8sdiag.minicluster.scheduler.counts import HOSTNAME, ZONE_LABEL, Counts
from k8sdiag.minicluster.scheduler.nodes import NodeInfo
from k8sdiag.minicluster.scheduler.pods import PodInfo
from k8sdiag.minicluster.scheduler.terms import Selector

_KEPT_CHANGES = 100_000
_KEPT_COUNTS = 512


class Snapshot:
    def __init__(self) -> None:
        self.epoch = 0
        self.changes: list[int] = []
        self.claims: Counter[tuple[str, str]] = Counter()  # (namespace, claim): pods on nodes that use it
        self.priorities: Counter[int] = Counter()
        self.image_nodes: Counter[str] = Counter()
        self.affine: dict[str, PodInfo] = {}  # pods on nodes that have a say in where others go, by uid
        self.repelling = 0  # … of these, those that insist on keeping others away
        self.nominated: dict[str, dict[str, PodInfo]] = {}
        self._nodes: dict[str, NodeInfo] = {}  # also of pods whose node is not known (any more)
        self._order: list[NodeInfo] | None = None
        self._uniform: bool | None = None
        self._pods: dict[str, PodInfo] = {}  # by uid
        self._counts: dict[tuple[str, Selector], Counts] = {}
        self._counts_of: dict[str, list[Counts]] = {}  # by namespace

    # nodes

    def set_node(self, obj: Json) -> bool:
        """A node as it is now; whether anything of it changed that a pod could notice."""
        name = obj["metadata"]["name"]
        node = self._nodes.get(name)
        if node is None:
            node = self._nodes[name] = NodeInfo(name)
        fresh, zone, images = node.obj is None, node.zone, node.images
        if not node.describe(obj):
            return False
        self.image_nodes.subtract(images.keys())
        self.image_nodes.update(node.images.keys())
        self._uniform = None
        if fresh or node.zone != zone:
            self._reorder()
        else:
            self._touch(node)
        return True

    def remove_node(self, name: str) -> None:
        node = self._nodes.get(name)
        if node is None:
            return
        self.image_nodes.subtract(node.images.keys())
        if not node.pods:
            del self._nodes[name]
        node.obj, node.index, node.images = None, -1, {}
        self._reorder()

    def node(self, name: str) -> NodeInfo | None:
        """A node that exists."""
        node = self._nodes.get(name)
        return node if node is not None and node.obj is not None else None

    @property
    def nodes(self) -> list[NodeInfo]:
        """All nodes, one zone's after another's in turn, so that a search that ends early has seen all zones
        (backend/cache/node_tree.go)."""
        if self._order is None:
            self._order = self._in_turn()
            for index, node in enumerate(self._order):
                node.index = index
        return self._order

    @property
    def uniform(self) -> bool:
        """Whether all nodes are alike in having, or not having, a host name and a zone as labels."""
        if self._uniform is None:
            self._uniform = len({(HOSTNAME in node.labels, ZONE_LABEL in node.labels) for node in self.nodes}) <= 1
        return self._uniform

    def _in_turn(self) -> list[NodeInfo]:
        zones: dict[str, list[NodeInfo]] = {}
        for node in self._nodes.values():
            if node.obj is not None:
                zones.setdefault(node.zone, []).append(node)
        if len(zones) == 1:
            return next(iter(zones.values()))
        order: list[NodeInfo] = []
        for turn in range(max((len(nodes) for nodes in zones.values()), default=0)):
            order += [nodes[turn] for nodes in zones.values() if turn < len(nodes)]
        return order

    def _reorder(self) -> None:
        self._order = self._uniform = None
        self.epoch += 1
        self.changes = []
        self._counts.clear()
        self._counts_of.clear()

    def _touch(self, node: NodeInfo) -> None:
        if node.index < 0 or self._order is None:
            return
        self.changes.append(node.index)
        if len(self.changes) > _KEPT_CHANGES:
            self.epoch += 1
            self.changes = []

    # pods on nodes

    def set_pod(self, pod: PodInfo) -> None:
        """A pod that is on `pod.node_name`, in place of what was known of it."""
        known = self._pods.get(pod.uid)
        if known is not None:
            self.remove_pod(known.uid)
        node = self._nodes.get(pod.node_name)
        if node is None:
            node = self._nodes[pod.node_name] = NodeInfo(pod.node_name)
        self._pods[pod.uid] = pod
        node.add(pod)
        self._count(pod, node, 1)

    def remove_pod(self, uid: str) -> PodInfo | None:
        pod = self._pods.pop(uid, None)
        if pod is None:
            return None
        node = self._nodes[pod.node_name]
        node.remove(pod)
        self._count(pod, node, -1)
        if node.obj is None and not node.pods:
            del self._nodes[node.name]
        return pod

    def pod(self, uid: str) -> PodInfo | None:
        return self._pods.get(uid)

    def pods(self) -> Iterator[PodInfo]:
        return iter(self._pods.values())

    def on_nodes(self, pods: Iterable[PodInfo]) -> Iterator[tuple[PodInfo, NodeInfo]]:
        """Those of the pods whose node exists, with it."""
        for pod in pods:
            node = self._nodes[pod.node_name]
            if node.obj is not None:
                yield pod, node

    def _count(self, pod: PodInfo, node: NodeInfo, sign: int) -> None:
        self.priorities[pod.priority] += sign
        if not self.priorities[pod.priority]:
            del self.priorities[pod.priority]
        for claim, _ in pod.claims:
            self.claims[pod.namespace, claim] += sign
        if pod.has_affinity:
            if sign > 0:
                self.affine[pod.uid] = pod
            else:
                self.affine.pop(pod.uid, None)
            self.repelling += sign if pod.anti_affinity else 0
        for counts in self._counts_of.get(pod.namespace, ()):
            counts.count(pod, node, sign)
        self._touch(node)

    def counts(self, namespace: str, selector: Selector) -> Counts:
        """Where the pods of a selector are; made once, kept up to date from then on."""
        key = (namespace, selector)
        found = self._counts.get(key)
        if found is None:
            if len(self._counts) >= _KEPT_COUNTS:
                oldest = next(iter(self._counts))
                self._counts_of[oldest[0]].remove(self._counts.pop(oldest))
            found = self._counts[key] = Counts(selector, self.nodes)
            for node in self.nodes:
                for pod in node.pods.values():
                    if pod.namespace == namespace:
                        found.count(pod, node, 1)
            self._counts_of.setdefault(namespace, []).append(found)
        return found

    # pods that were promised a node

    def nominate(self, pod: PodInfo, node: str) -> None:
        self.forget_nomination(pod.uid)
        if node:
            self.nominated.setdefault(node, {})[pod.uid] = pod

    def forget_nomination(self, uid: str) -> None:
        for node, pods in list(self.nominated.items()):
            if pods.pop(uid, None) is not None and not pods:
                del self.nominated[node]
