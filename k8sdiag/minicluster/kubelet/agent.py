"""What a kubelet answers when it is asked for logs, a command, a port or its figures (pkg/kubelet/server,
pkg/kubelet/kubelet_pods.go)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import orjson

from k8sdiag.clock import format_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import ApiError, bad_request
from k8sdiag.minicluster.kubelet.containers import Record
from k8sdiag.minicluster.kubelet.log_query import log_page
from k8sdiag.minicluster.nodes.agent import Closed, Command, ContainerUsage, Input, LogOptions, NodeUsage, Output, Page
from k8sdiag.minicluster.runtimes.base import Attach, Connect, ContainerState, Exec, Logs
from k8sdiag.quantity import parse_quantity

if TYPE_CHECKING:
    from k8sdiag.minicluster.kubelet.kubelet import Kubelet

CPU, MEMORY = "lab.k8sdiag.dev/cpu", "lab.k8sdiag.dev/memory"
_NODE_CPU, _NODE_MEMORY = 0.12, 900 * 2**20  # what a node uses without pods
_PULLING = {
    "ErrImagePull": "image can't be pulled",
    "ImagePullBackOff": "trying and failing to pull image",
}


class KubeletAgent:
    """One kubelet's HTTP side, without HTTP (an Agent)."""

    def __init__(self, kubelet: Kubelet) -> None:
        self._kubelet = kubelet

    def logs(self, pod: Json, container: str, options: LogOptions, output: Output) -> Input:
        identity = _log_of(pod, container, options.previous)
        return self._kubelet.runtime.converse(Logs(identity, options), output)

    def exec(self, pod: Json, container: str, command: Command, output: Output) -> Input:
        run = self._running(pod, container)
        return self._kubelet.runtime.converse(Exec(run.id, command), _Told(output))

    def attach(self, pod: Json, container: str, command: Command, output: Output) -> Input:
        run = self._running(pod, container)
        return self._kubelet.runtime.converse(Attach(run.id, command), output)

    def forward(self, pod: Json, port: int, output: Output) -> Input:
        uid = str(pod["metadata"]["uid"])
        worker = self._kubelet.workers.get(uid)
        if worker is None or worker.sandbox is None:
            output.end(1, f"error forwarding port {port} to pod {uid}, uid : failed to find sandbox")
            return Closed()
        return self._kubelet.runtime.converse(Connect(worker.sandbox.id, port), _Forwarded(output, port, uid))

    def page(self, path: str, query: Mapping[str, str]) -> Page:
        where = path.strip("/")
        if where == "logs":
            return log_page(self._kubelet.journal, query)
        if where == "healthz":
            return Page(200, b"ok")
        if where == "pods":
            pods = {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": self._pods()}
            return Page(200, orjson.dumps(pods), "application/json")
        if where == "stats/summary":
            return Page(200, orjson.dumps(self._summary()), "application/json")
        if where == "configz":
            config = {"kubeletconfig": {"maxPods": 110, "clusterDomain": "cluster.local", "clusterDNS": ["10.96.0.10"]}}
            return Page(200, orjson.dumps(config), "application/json")
        if where in ("metrics", "metrics/resource"):
            return Page(200, self._metrics().encode(), "text/plain; version=0.0.4; charset=utf-8")
        return Page(404, b"404 page not found\n")

    def usage(self) -> NodeUsage:
        inspect = self._kubelet.runtime.inspect
        pods: dict[str, list[ContainerUsage]] = {}
        cpu, memory = _NODE_CPU, float(_NODE_MEMORY)
        for uid, worker in self._kubelet.workers.items():
            for name, runs in worker.runs.items():
                state = inspect(runs[-1].id) if runs[-1].running else None
                if state is not None and state.state == "running":
                    used = _said(worker.pod, name, state)
                    pods.setdefault(uid, []).append(used)
                    cpu, memory = cpu + used.cpu, memory + used.memory
        return NodeUsage(cpu, memory, pods)

    def _running(self, pod: Json, container: str) -> Record:
        worker = self._kubelet.workers.get(str(pod["metadata"]["uid"]))
        run = worker.run_of(container) if worker is not None else None
        if run is None or not run.running:
            text = f'unable to upgrade connection: container not found ("{container}")'
            raise ApiError(500, "InternalError", f"Internal error occurred: {text}")
        return run

    def _pods(self) -> list[Json]:
        return self._kubelet.client.on_node(self._kubelet.name)

    def _summary(self) -> Json:
        usage, now = self.usage(), format_time(self._kubelet.clock.now())
        named = {pod["metadata"]["uid"]: pod["metadata"] for pod in self._pods()}
        return {
            "node": {"nodeName": self._kubelet.name, **_figures(usage.cpu, usage.memory, now)},
            "pods": [
                {
                    "podRef": {"name": named[uid]["name"], "namespace": named[uid]["namespace"], "uid": uid},
                    "containers": [{"name": one.name, **_figures(one.cpu, one.memory, now)} for one in containers],
                }
                for uid, containers in usage.pods.items()
                if uid in named
            ],
        }

    def _metrics(self) -> str:
        usage = self.usage()
        return (
            "# TYPE node_memory_working_set_bytes gauge\n"
            f"node_memory_working_set_bytes {usage.memory:.0f}\n"
            "# TYPE kubelet_running_pods gauge\n"
            f"kubelet_running_pods {len(usage.pods)}\n"
        )


def _said(pod: Json, container: str, state: ContainerState) -> ContainerUsage:
    """What a container uses; annotations of the pod may say so, so that there is something to scale by."""
    said = pod["metadata"].get("annotations") or {}
    cpu, memory = parse_quantity(said.get(CPU)), parse_quantity(said.get(MEMORY))
    return ContainerUsage(container, state.cpu if cpu is None else cpu, state.memory if memory is None else memory)


def _figures(cpu: float, memory: float, now: str) -> Json:
    return {
        "cpu": {"time": now, "usageNanoCores": round(cpu * 1e9)},
        "memory": {"time": now, "workingSetBytes": round(memory)},
    }


def _log_of(pod: Json, container: str, previous: bool) -> str:
    """The id of the container whose log is asked for, or the refusal (validateContainerLogStatus)."""
    status: Json = {}
    for group in ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"):
        for one in (pod.get("status") or {}).get(group) or ():
            if one["name"] == container:
                status = one
    state, name = status.get("state") or {}, pod["metadata"]["name"]
    last = ((status.get("lastState") or {}).get("terminated") or {}).get("containerID", "")
    current = str(status.get("containerID") or "")
    if previous:
        if not last:
            raise bad_request(f'previous terminated container "{container}" in pod "{name}" not found')
        return str(last).partition("://")[2]
    if state.get("running"):
        return current.partition("://")[2]
    found = (state.get("terminated") or {}).get("containerID") or last
    if found:
        return str(found).partition("://")[2]
    reason = str((state.get("waiting") or {}).get("reason") or "ContainerCreating")
    why = _PULLING.get(reason, reason)
    raise bad_request(f'container "{container}" in pod "{name}" is waiting to start: {why}')


class _Told:
    """The output of a command for a client: what could not be run is said as the API server says it."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def write(self, stream: int, data: bytes) -> None:
        self._output.write(stream, data)

    def end(self, code: int = 0, message: str = "") -> None:
        self._output.end(code, f"error executing command in container: {message}" if message else "")


class _Forwarded:
    """The output of a connection: that it stands is not told to the client."""

    def __init__(self, output: Output, port: int, uid: str) -> None:
        self._output, self._port, self._uid, self._stands = output, port, uid, False

    def write(self, stream: int, data: bytes) -> None:
        self._stands = True
        if data:
            self._output.write(stream, data)

    def end(self, code: int = 0, message: str = "") -> None:
        if self._stands or not code:
            self._output.end(0)
            return
        port = self._port
        self._output.end(
            1,
            f"error forwarding port {port} to pod {self._uid}, uid : failed to execute portforward in network"
            f" namespace: failed to connect to localhost:{port} inside namespace, IPv4: dial tcp4 127.0.0.1:{port}:"
            f" connect: {message or 'connection refused'}",
        )
