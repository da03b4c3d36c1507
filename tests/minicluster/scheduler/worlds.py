"""Small makers of nodes and pods, and a world to look at them in."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any

from k8sdiag.minicluster.scheduler.plugin import Found, World
from k8sdiag.minicluster.scheduler.pods import PodInfo
from k8sdiag.minicluster.scheduler.preemption import Verdict, decide
from k8sdiag.minicluster.scheduler.search import Search
from k8sdiag.minicluster.scheduler.snapshot import Snapshot
from k8sdiag.minicluster.scheduler.spreading import Workloads
from k8sdiag.minicluster.scheduler.status import fit_error

Json = dict[str, Any]
HOST = "kubernetes.io/hostname"
ZONE = "topology.kubernetes.io/zone"


class Shelf:
    """Objects by resource, in memory."""

    def __init__(self, **objects: Iterable[Json]) -> None:
        self.objects: dict[str, list[Json]] = {resource: list(each) for resource, each in objects.items()}

    def find(self, resource: str, namespace: str, name: str) -> Json | None:
        for obj in self.list(resource, namespace):
            if obj["metadata"]["name"] == name:
                return obj
        return None

    def list(self, resource: str, namespace: str = "") -> Found:
        found = self.objects.get(resource, [])
        return [obj for obj in found if not namespace or obj["metadata"].get("namespace") == namespace]


def node(name: str, labels: Json | None = None, taints: Iterable[Json] = (), **allocatable: Any) -> Json:
    room = {
        "cpu": "4",
        "memory": "8Gi",
        "pods": "110",
        **{key.replace("_", "-"): value for key, value in allocatable.items()},
    }
    return {
        "metadata": {"name": name, "labels": {HOST: name, **(labels or {})}},
        "spec": {"taints": list(taints)} if taints else {},
        "status": {"allocatable": room, "capacity": room},
    }


def pod(
    name: str, cpu: str = "", memory: str = "", on: str = "", labels: Json | None = None, priority: int = 0, **spec: Any
) -> Json:
    requests = {key: value for key, value in (("cpu", cpu), ("memory", memory)) if value}
    whole: Json = {
        "schedulerName": "default-scheduler",
        "priority": priority,
        "containers": [{"name": "app", "image": "web:1", "resources": {"requests": requests} if requests else {}}],
        **spec,
    }
    if on:
        whole["nodeName"] = on
    metadata = {"name": name, "namespace": "shop", "uid": f"uid-{name}", "labels": labels or {}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": whole, "status": {"phase": "Pending"}}


def world(nodes: Iterable[Json], pods: Iterable[Json] = (), **objects: Iterable[Json]) -> World:
    snapshot = Snapshot()
    for each in nodes:
        snapshot.set_node(each)
    for each in pods:
        snapshot.set_pod(PodInfo(each))
    return World(snapshot, Shelf(**objects))


def search(around: World, seed: int = 1) -> Search:
    return Search(around, Workloads(around.objects), Random(seed))


def placed(around: World, new: Json, seed: int = 1) -> str:
    """The node a pod gets, '' for none."""
    found = search(around, seed).find(PodInfo(new)).node
    return found.name if found else ""


def verdict(around: World, new: Json, seed: int = 1) -> tuple[str, Verdict]:
    """What is said of a pod that does not fit, and what preemption makes of it."""
    info = PodInfo(new)
    outcome = search(around, seed).find(info)
    assert outcome.node is None, outcome.node.name
    decision = decide(info, outcome.diagnosis, outcome.prepared, around, Random(seed))
    return fit_error(outcome.diagnosis, len(around.snapshot.nodes), decision.message), decision


def message(around: World, new: Json) -> str:
    return verdict(around, new)[0]
