"""Pods that nobody will ever clean up: too many that have ended, those of nodes that are gone, those that were deleted
before they had a node (pkg/controller/podgc/gc_controller.go)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.controllers import Context
from k8sdiag.minicluster.controllers.taint_eviction import disrupted

NAME = "pod-garbage-collector"

_MOST_ENDED = 12_500  # --terminated-pod-gc-threshold
_PERIOD = 20.0
_QUARANTINE = 40.0
_OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
_OVER = ("Succeeded", "Failed")

Key = tuple[str, str]


def start(context: Context) -> None:
    _PodGc(context)


class _PodGc:
    def __init__(self, context: Context) -> None:
        self._client, self._clock = context.client, context.clock
        self._ended: dict[Key, str] = {}  # and when they were created
        self._lost = context.loop.queue("pods-of-lost-nodes", self._sync_node)
        self._unbound = context.loop.queue("deleted-without-node", self._sync_pod)
        self._client.watch("nodes", self._on_node)
        self._client.watch("pods", self._on_pod)
        context.loop.every("pod-gc", _PERIOD, self._collect, first=_PERIOD)

    def _on_node(self, kind: str, node: Json, _: Json | None) -> None:
        name = node["metadata"]["name"]
        if kind == "DELETED":
            self._lost.add(name, _QUARANTINE)
        elif any(taint["key"] == _OUT_OF_SERVICE for taint in node["spec"].get("taints") or ()):
            self._lost.add(name)

    def _on_pod(self, kind: str, pod: Json, old: Json | None) -> None:
        key = (pod["metadata"]["namespace"], pod["metadata"]["name"])
        node = pod["spec"].get("nodeName")
        if kind == "DELETED":
            self._ended.pop(key, None)
            return
        if (pod.get("status") or {}).get("phase") in _OVER:
            self._ended[key] = pod["metadata"].get("creationTimestamp", "")
        if node and (old is None or not old["spec"].get("nodeName")):
            if self._client.find("nodes", "", node) is None:
                self._lost.add(node, _QUARANTINE)
        elif not node and pod["metadata"].get("deletionTimestamp"):
            self._unbound.add(key)

    def _collect(self) -> None:
        """The oldest of too many."""
        surplus = len(self._ended) - _MOST_ENDED
        if surplus > 0:
            for key in sorted(self._ended, key=lambda key: (self._ended[key], key))[:surplus]:
                self._force(key, "")

    def _sync_node(self, name: str) -> None:
        node = self._client.find("nodes", "", name)
        for pod in self._client.on_node(name):
            key = (pod["metadata"]["namespace"], pod["metadata"]["name"])
            if node is None:
                self._force(key, "PodGC: node no longer exists")
            elif pod["metadata"].get("deletionTimestamp") and not _ready(node):
                self._force(key, "")

    def _sync_pod(self, key: Key) -> None:
        pod = self._client.find("pods", *key)
        if pod is None or pod["spec"].get("nodeName") or pod["metadata"].get("finalizers"):
            return
        if pod["metadata"].get("deletionTimestamp"):
            self._force(key, "")

    def _force(self, key: Key, message: str) -> None:
        """Delete at once; a pod that still ran is Failed from now on, and says why."""
        pod = self._client.find("pods", *key)
        if pod is None:
            return
        try:
            if (pod.get("status") or {}).get("phase") not in _OVER:
                marked = disrupted(pod, "DeletionByPodGC", message, self._clock.now()) if message else pod
                failed = {**marked, "status": {**(marked.get("status") or {}), "phase": "Failed"}}
                self._client.update("pods", failed, subresource="status")
            self._client.delete("pods", *key, uid=pod["metadata"]["uid"], grace=0)
        except ApiError as refused:
            if refused.code != 404:
                raise


def _ready(node: Json) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
