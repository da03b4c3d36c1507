"""A stepped lab whose nodes run kubelets over scripted runtimes, and what its watchers saw."""

from __future__ import annotations

from typing import Any

from k8sdiag.clock import ManualClock
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.request import ADMIN
from k8sdiag.minicluster.cluster import MiniCluster
from k8sdiag.minicluster.kubelet import fleet
from k8sdiag.minicluster.runtimes.base import Machine

from .scripted import ScriptedRuntime

BEGIN = 1_700_000_000.0


class Stage:
    """The lab, its first node's runtime, and every version of every pod."""

    def __init__(self, nodes: int = 1, seed: int = 1) -> None:
        self.cluster = MiniCluster(ManualClock(BEGIN), seed).start(nodes=0)
        self.runtimes: dict[str, ScriptedRuntime] = {}
        self.seen: list[tuple[float, str, Json]] = []
        self.fleet = fleet.register(
            self.cluster.context(ADMIN, "kubelet"), nodes, self.cluster.agents, self._make_runtime
        )
        self.client = self.cluster.client()
        self.cluster.run_for(1.0)
        self.client.watch("pods", lambda kind, pod, _: self.seen.append((self.now, kind, pod)))

    def _make_runtime(self, machine: Machine) -> ScriptedRuntime:
        made = self.runtimes[machine.name] = ScriptedRuntime(machine, self.cluster.loop)
        made.has("busybox:1.36")
        return made

    @property
    def runtime(self) -> ScriptedRuntime:
        return self.runtimes["node1"]

    @property
    def now(self) -> float:
        return self.cluster.clock.now() - BEGIN

    def pod(self, name: str = "web", **spec: Any) -> Json:
        container = {"name": "app", "image": "busybox:1.36", "command": ["serve"]}
        containers = spec.pop("containers", [container | spec.pop("container", {})])
        meta = {"name": name, "namespace": "default"} | spec.pop("metadata", {})
        whole = {"kind": "Pod", "apiVersion": "v1", "metadata": meta, "spec": {"containers": containers, **spec}}
        return self.client.create("pods", whole)

    def get(self, name: str = "web") -> Json:
        return self.client.get("pods", "default", name)

    def run(self, seconds: float) -> Json:
        """Step; the pod as it is then ({} where it is gone)."""
        self.cluster.run_for(seconds)
        return self.client.find("pods", "default", "web") or {}

    def events(self, reason: str = "", name: str = "web") -> list[Json]:
        return [
            event
            for event in self.client.list("events")
            if event["involvedObject"].get("name") == name and reason in ("", event["reason"])
        ]

    def messages(self, reason: str = "", name: str = "web") -> list[str]:
        return [event["message"] for event in self.events(reason, name)]

    def states(self, container: str = "app", group: str = "containerStatuses") -> list[str]:
        """The distinct states of a container, as a watcher saw them."""
        found: list[str] = []
        for _, _, pod in self.seen:
            for one in (pod.get("status") or {}).get(group) or ():
                if one["name"] == container:
                    found += [told] if (told := state(one)) != (found or [""])[-1] else []
        return found


def state(status: Json) -> str:
    kind, what = next(iter(status["state"].items()))
    if kind == "terminated":
        return f"{kind}/{what['reason']}/{what['exitCode']}"
    return f"{kind}/{what['reason']}" if kind == "waiting" else str(kind)
