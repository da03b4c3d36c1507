"""A cluster that stands still until it is stepped: real API server, scheduler, controllers; nodes without kubelets."""

from __future__ import annotations

from typing import Any

from k8sdiag.clock import ManualClock
from k8sdiag.minicluster.cluster import MiniCluster
from tests.minicluster.scheduler.worlds import Json, node

START = 1_795_300_000.0


class Stepped:
    """Nodes are as they are made: nobody watches their health, and pods on them stay where they are."""

    def __init__(self, seed: int = 1, nodes: int = 0) -> None:
        without = () if nodes else ("node-controller", "taint-eviction-controller", "pod-garbage-collector")
        self.cluster = MiniCluster(ManualClock(START), seed).start(nodes=nodes, without=without)
        self.client = self.cluster.client()
        self.client.create("namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
        self.step(2)

    def step(self, seconds: float = 0.0) -> None:
        self.cluster.run_for(seconds)

    def add_node(self, name: str, labels: Json | None = None, taints: Any = (), **allocatable: Any) -> None:
        whole = {"apiVersion": "v1", "kind": "Node", **node(name, labels, **allocatable)}
        made = self.client.create("nodes", whole)
        spec = {key: value for key, value in made["spec"].items() if key != "taints"}
        self.client.update("nodes", {**made, "spec": {**spec, **({"taints": list(taints)} if taints else {})}})

    def change_node(self, name: str, spec: Json | None = None, labels: Json | None = None) -> None:
        patch: Json = {"spec": spec or {}, "metadata": {"labels": labels or {}}}
        self.client.patch("nodes", "", name, patch)

    def add_pod(self, name: str, cpu: str = "", labels: Json | None = None, **spec: Any) -> Json:
        requests = {"requests": {"cpu": cpu}} if cpu else {}
        containers = [{"name": "app", "image": "web:1", "resources": requests}]
        whole = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": labels or {}},
            "spec": {"containers": containers, **spec},
        }
        return self.client.create("pods", whole, "shop")

    def pod(self, name: str) -> Json:
        return self.client.get("pods", "shop", name)

    def node_of(self, name: str) -> str:
        return str(self.pod(name)["spec"].get("nodeName") or "")

    def condition(self, name: str) -> Json:
        """PodScheduled, {} where it is not set."""
        conditions = self.pod(name)["status"].get("conditions") or ()
        return next((each for each in conditions if each["type"] == "PodScheduled"), {})

    def events(self, name: str, reason: str) -> list[Json]:
        found = self.client.list("events", "shop")
        return [event for event in found if (event["involvedObject"]["name"], event["reason"]) == (name, reason)]

    def remove(self, name: str, grace: int = 0) -> None:
        self.client.delete("pods", "shop", name, grace=grace)

    def priority(self, name: str, value: int) -> None:
        whole = {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": name},
            "value": value,
        }
        self.client.create("priorityclasses", whole)
