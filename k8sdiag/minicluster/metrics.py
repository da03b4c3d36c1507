"""What pods and nodes use, as a metrics server serves it (metrics.k8s.io), from what the nodes say.

`kubectl top` and the horizontal pod autoscaler read it. Nothing is stored: each object is made when it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable

from k8sdiag.clock import Clock, format_time, parse_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.nodes.agent import Agents, ContainerUsage, NodeUsage

_VERSION = "metrics.k8s.io/v1beta1"
_WINDOW = "15.0s"
_SETTLING = 15.0  # a container is measured twice before there is a rate


class Metrics:
    """The metrics server of a lab. Figures are asked of each node at most once a second."""

    def __init__(self, clock: Clock, agents: Agents) -> None:
        self._clock, self._agents = clock, agents
        self._known: dict[str, tuple[float, NodeUsage | None]] = {}

    def node(self, node: Json) -> Json | None:
        """A node's NodeMetrics; None where it does not answer."""
        usage = self._usage(node["metadata"]["name"])
        if usage is None:
            return None
        return self._object("NodeMetrics", node, {"usage": _figures(usage.cpu, usage.memory)})

    def pod(self, pod: Json) -> Json | None:
        """A pod's PodMetrics; None where it does not run, or not for long enough."""
        status = pod.get("status") or {}
        if status.get("phase") != "Running" or not self._settled(status):
            return None
        usage = self._usage(pod["spec"].get("nodeName", ""))
        containers = usage.pods.get(pod["metadata"]["uid"]) if usage else None
        if not containers:
            return None
        listed = [_container(one) for one in sorted(containers, key=lambda one: one.name)]
        return self._object("PodMetrics", pod, {"containers": listed})

    def nodes(self, nodes: Iterable[Json]) -> list[Json]:
        return [made for node in nodes if (made := self.node(node)) is not None]

    def pods(self, pods: Iterable[Json]) -> list[Json]:
        return [made for pod in pods if (made := self.pod(pod)) is not None]

    def _settled(self, status: Json) -> bool:
        running = [(one.get("state") or {}).get("running") or {} for one in status.get("containerStatuses") or ()]
        moments = [parse_time(state.get("startedAt")) for state in running]
        now = self._clock.now()
        return any(at is not None and now - at >= _SETTLING for at in moments)

    def _usage(self, node: str) -> NodeUsage | None:
        now = self._clock.now()
        at, usage = self._known.get(node, (-1.0, None))
        if now - at < 1.0 and at >= 0:
            return usage
        agent = self._agents.find(node)
        usage = agent.usage() if agent is not None else None
        self._known[node] = (now, usage)
        return usage

    def _object(self, kind: str, about: Json, figures: Json) -> Json:
        now = format_time(self._clock.now())
        meta = {"name": about["metadata"]["name"]}
        if about["metadata"].get("namespace"):
            meta["namespace"] = about["metadata"]["namespace"]
        labels = about["metadata"].get("labels")
        return {
            "kind": kind,
            "apiVersion": _VERSION,
            "metadata": {**meta, "creationTimestamp": now, **({"labels": labels} if labels else {})},
            "timestamp": now,
            "window": _WINDOW,
            **figures,
        }


def _container(usage: ContainerUsage) -> Json:
    return {"name": usage.name, "usage": _figures(usage.cpu, usage.memory)}


def _figures(cpu: float, memory: float) -> Json:
    """In a metrics server's units: nano-cores and kibibytes."""
    return {"cpu": f"{round(cpu * 1e9)}n" if cpu else "0", "memory": f"{round(memory / 1024)}Ki"}
