"""A stepped cluster without scheduler and nodes of its own: the test plays both, by writing pods' statuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from k8sdiag.clock import ManualClock, format_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.client import Client
from k8sdiag.minicluster.cluster import MiniCluster

START = 1_800_000_000.0  # 2027-01-15T08:00:00Z, a Friday
SPACE = "shop"
RECORDINGS = Path(__file__).parents[3] / "recordings"


def template(app: str = "web", **spec: Any) -> Json:
    container = {"name": "app", "image": "nginx"}
    return {"metadata": {"labels": {"app": app}}, "spec": {"containers": [container], **spec}}


class Stage:
    """The cluster, and the hands that move its pods."""

    def __init__(self, nodes: int = 2, seed: int = 1) -> None:
        self.clock = ManualClock(START)
        self.cluster = MiniCluster(self.clock, seed=seed).start(nodes=0, without={"scheduler", "node-controller"})
        self.client: Client = self.cluster.client()
        self.client.create("namespaces", {"metadata": {"name": SPACE}})
        for number in range(nodes):
            self.add_node(f"node{number + 1}")
        self.settle()

    # ---- time

    def settle(self) -> None:
        self.cluster.settle()

    def run_for(self, seconds: float) -> None:
        self.cluster.run_for(seconds)

    def now(self) -> str:
        return format_time(self.clock.now())

    # ---- objects

    def make(self, resource: str, name: str, spec: Json, **meta: Any) -> Json:
        made = self.client.create(resource, {"metadata": {"name": name, "namespace": SPACE, **meta}, "spec": spec})
        self.settle()
        return made

    def get(self, resource: str, name: str) -> Json:
        return self.client.get(resource, SPACE, name)

    def status(self, resource: str, name: str) -> Json:
        found: Json = self.get(resource, name).get("status", {})
        return found

    def change(self, resource: str, name: str, patch: Json) -> None:
        self.client.patch(resource, SPACE, name, patch)
        self.settle()

    def add_node(self, name: str, taints: list[Json] | None = None) -> None:
        """A node that is Ready, and free of the taint that new nodes are given."""
        self.client.create("nodes", {"metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}}})
        self.client.patch("nodes", "", name, {"spec": {"taints": taints}})
        ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": self.now()}
        self.client.patch("nodes", "", name, {"status": {"conditions": [ready]}}, subresource="status")

    def pods(self, app: str = "") -> list[Json]:
        return self.client.list("pods", SPACE, {"app": app} if app else None)

    def living(self, app: str = "") -> list[Json]:
        return [pod for pod in self.pods(app) if "deletionTimestamp" not in pod["metadata"]]

    def names(self, resource: str = "pods") -> list[str]:
        return [obj["metadata"]["name"] for obj in self.client.list(resource, SPACE)]

    def events(self, reason: str = "", about: str = "") -> list[str]:
        """Their messages, the oldest first."""
        found = [
            event
            for event in self.client.list("events", SPACE)
            if reason in ("", event["reason"]) and about in ("", event["involvedObject"]["kind"])
        ]
        found.sort(key=lambda event: int(event["metadata"]["resourceVersion"]))
        return [event["message"] for event in found]

    # ---- what a scheduler and a kubelet would do

    def bind(self, pod: Json, node: str = "node1") -> Json:
        meta = pod["metadata"]
        if not pod["spec"].get("nodeName"):
            body = {"metadata": {"name": meta["name"]}, "target": {"kind": "Node", "name": node}}
            self.client.create("pods", body, SPACE, "binding", meta["name"])
        return self.client.get("pods", SPACE, meta["name"])

    def set_status(self, pod: Json, status: Json) -> None:
        fresh = self.client.get("pods", SPACE, pod["metadata"]["name"])
        self.client.update("pods", {**fresh, "status": {**fresh["status"], **status}}, "status")

    def ready(self, pod: Json, node: str = "node1") -> None:
        self.bind(pod, node)
        condition = {"type": "Ready", "status": "True", "lastTransitionTime": self.now()}
        running = {"name": "app", "image": "nginx", "imageID": "", "ready": True, "restartCount": 0}
        running["state"] = {"running": {"startedAt": self.now()}}
        self.set_status(pod, {"phase": "Running", "conditions": [condition], "containerStatuses": [running]})

    def broken(self, pod: Json) -> None:
        condition = {"type": "Ready", "status": "False", "lastTransitionTime": self.now()}
        self.set_status(pod, {"conditions": [condition]})

    def end(self, pod: Json, code: int = 0) -> None:
        """Its container ended with this exit code."""
        self.bind(pod)
        ended = {"name": "app", "image": "nginx", "imageID": "", "ready": False, "restartCount": 0}
        ended["state"] = {
            "terminated": {"exitCode": code, "reason": "Error", "startedAt": self.now(), "finishedAt": self.now()}
        }
        phase = "Failed" if code else "Succeeded"
        condition = {"type": "Ready", "status": "False", "lastTransitionTime": self.now()}
        self.set_status(pod, {"phase": phase, "conditions": [condition], "containerStatuses": [ended]})

    def bury(self, pod: Json) -> None:
        """Let a pod that is being deleted go, as its kubelet would."""
        meta = pod["metadata"]
        if self.client.find("pods", SPACE, meta["name"]) is not None:
            self.client.delete("pods", SPACE, meta["name"], grace=0)

    def bury_all(self) -> None:
        for pod in self.pods():
            if "deletionTimestamp" in pod["metadata"]:
                self.bury(pod)
        self.settle()

    def ready_all(self, app: str = "") -> None:
        for pod in self.living(app):
            if pod["status"].get("phase") == "Pending":
                self.ready(pod)
        self.settle()

    def history(self, resource: str) -> list[Json]:
        """Every object of a kind that is written from now on, in order."""
        seen: list[Json] = []
        self.client.watch(resource, lambda change, obj, _: seen.append(obj) if change != "DELETED" else None)
        return seen


def recorded(incident: str, kind: str) -> list[Json]:
    """Every state of a kind's objects that a real cluster's recording holds, in order."""
    lines = (RECORDINGS / incident / "objects.jsonl").read_text(encoding="utf-8").splitlines()
    objects = [json.loads(line) for line in lines]
    return [entry["object"] for entry in objects if entry.get("object", {}).get("kind") == kind]
