"""A whole cluster that stands still until it is stepped, and small manifests."""

from __future__ import annotations

from typing import Any

from k8sdiag.clock import ManualClock
from k8sdiag.evidence import Json
from k8sdiag.minicluster.client import Client
from k8sdiag.minicluster.cluster import MiniCluster

START = 1_800_000_000.0


class World:
    """A stepped cluster with three nodes, and an administrator's client."""

    def __init__(self, nodes: int = 3) -> None:
        self.clock = ManualClock(START)
        self.cluster = MiniCluster(self.clock, seed=1).start(nodes)
        self.client: Client = self.cluster.client()
        self.cluster.run_for(1)

    def run(self, seconds: float = 2.0) -> None:
        self.cluster.run_for(seconds)

    def make(self, word: str, name: str, namespace: str = "default", **parts: Any) -> Json:
        meta = {"name": name, **parts.pop("metadata", {})}
        if self.cluster.registry.named(word).namespaced:
            meta["namespace"] = namespace
        return self.client.create(word, {"metadata": meta, **parts})

    def pod(self, name: str, namespace: str = "default", **spec: Any) -> Json:
        labels = spec.pop("labels", {"app": "web"})
        own = {"metadata": {"labels": labels, **spec.pop("metadata", {})}}
        containers = spec.pop("containers", [container()])
        return self.make("pods", name, namespace, spec={"containers": containers, **spec}, **own)

    def get(self, word: str, name: str, namespace: str = "default") -> Json:
        if not self.cluster.registry.named(word).namespaced:
            namespace = ""
        return self.client.get(word, namespace, name)

    def find(self, word: str, name: str, namespace: str = "default") -> Json | None:
        if not self.cluster.registry.named(word).namespaced:
            namespace = ""
        return self.client.find(word, namespace, name)

    def change(self, word: str, name: str, patch: Json, namespace: str = "default", subresource: str = "") -> Json:
        if not self.cluster.registry.named(word).namespaced:
            namespace = ""
        return self.client.patch(word, namespace, name, patch, subresource=subresource)

    def delete(self, word: str, name: str, namespace: str = "default", policy: str = "") -> None:
        if not self.cluster.registry.named(word).namespaced:
            namespace = ""
        self.client.delete(word, namespace, name, policy=policy)

    def names(self, word: str, namespace: str = "") -> list[str]:
        return [obj["metadata"]["name"] for obj in self.client.list(word, namespace)]

    def events(self, kind: str, name: str, namespace: str = "default") -> list[tuple[str, str, str]]:
        """Type, reason and message of what was said of an object."""
        return [
            (event["type"], event["reason"], event["message"])
            for event in self.client.list("events", namespace)
            if (event["involvedObject"]["kind"], event["involvedObject"]["name"]) == (kind, name)
        ]


def container(**more: Any) -> Json:
    """A web server, whose image every node has."""
    return {"name": "app", "image": "nginx:1.27", "ports": [{"name": "http", "containerPort": 8080}], **more}


def condition(obj: Json, kind: str) -> Json:
    found: Json = next(one for one in obj["status"]["conditions"] if one["type"] == kind)
    return found
