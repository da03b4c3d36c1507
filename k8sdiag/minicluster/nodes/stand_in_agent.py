"""What a stand-in node answers when it is asked for logs, a command, a port or its figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import md5, sha256

import orjson

from k8sdiag.clock import Clock, format_time, parse_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import bad_request
from k8sdiag.minicluster.client import Client
from k8sdiag.minicluster.loop import Loop
from k8sdiag.minicluster.nodes.agent import (
    STDOUT,
    Closed,
    Command,
    ContainerUsage,
    Input,
    LogOptions,
    NodeUsage,
    Output,
    Page,
)
from k8sdiag.minicluster.nodes.commands import Run, run_of
from k8sdiag.minicluster.nodes.log_lines import ContainerLog, serve
from k8sdiag.minicluster.nodes.pod_status import containers_of
from k8sdiag.minicluster.nodes.pretend_shell import SHELLS, Echo, Shell, Terminal, tell
from k8sdiag.quantity import parse_quantity

# A pod's annotations say what it is to use, so that `kubectl top` and the autoscaler have something to see.
CPU = "lab.k8sdiag.dev/cpu"
MEMORY = "lab.k8sdiag.dev/memory"
_IDLE_CPU, _IDLE_MEMORY = 0.001, 8 * 2**20
_NODE_CPU, _NODE_MEMORY = 0.12, 900 * 2**20  # what a node uses without pods


class FollowedLogs:
    """Logs of containers that somebody follows: their lines are written when their time has come."""

    def __init__(self, loop: Loop, clock: Clock) -> None:
        self._clock = clock
        self._open: dict[int, tuple[ContainerLog, float, Run]] = {}
        self._count = 0
        self._queue = loop.queue("stand-in-logs", self._advance)

    def open(self, started: float, run: Run) -> ContainerLog:
        """The log of a run as it is now, and as it grows."""
        log = ContainerLog()
        self._write(log, started, run)
        if not log.ended and run.seconds is not None:
            self._count += 1
            self._open[self._count] = (log, started, run)
            self._queue.add(self._count, self._next(started, run))
        return log

    def _next(self, started: float, run: Run) -> float:
        now = self._clock.now()
        moments = [started + at for at, _ in run.lines] + ([started + run.seconds] if run.seconds is not None else [])
        return min((at - now for at in moments if at > now), default=0.0)

    def _write(self, log: ContainerLog, started: float, run: Run) -> None:
        now = self._clock.now()
        due = [(started + at, text) for at, text in run.lines if started + at <= now]
        for at, text in due[len(log.lines) :]:
            log.write(at, text)
        if run.seconds is not None and started + run.seconds <= now:
            log.end()

    def _advance(self, key: int) -> float | None:
        log, started, run = self._open[key]
        self._write(log, started, run)
        if log.ended or not log.followers:
            del self._open[key]
            return None
        return self._next(started, run)


class StandInAgent:
    """One stand-in node (an Agent)."""

    def __init__(
        self, node: str, client: Client, clock: Clock, logs: FollowedLogs, leave: Callable[[Json, str, int], None]
    ) -> None:
        self._node, self._client, self._clock, self._logs = node, client, clock, logs
        self._leave = leave

    def logs(self, pod: Json, container: str, options: LogOptions, output: Output) -> Input:
        status = _status(pod, container)
        state, last = status.get("state") or {}, status.get("lastState") or {}
        shown = last.get("terminated") if options.previous else state.get("running") or state.get("terminated")
        shown = shown or (None if options.previous else last.get("terminated"))
        name = pod["metadata"]["name"]
        if shown is None and options.previous:
            raise bad_request(f'previous terminated container "{container}" in pod "{name}" not found')
        if shown is None:
            reason = (state.get("waiting") or {}).get("reason") or "ContainerCreating"
            raise bad_request(f'container "{container}" in pod "{name}" is waiting to start: {reason}')
        started = parse_time(shown.get("startedAt")) or 0.0
        run = _log_of(_spec(pod, container), pod, self._clock)
        if "finishedAt" in shown:
            run = Run(max(0.0, (parse_time(shown["finishedAt"]) or started) - started), run.code, run.lines)
        return serve(self._logs.open(started, run), options, output)

    def exec(self, pod: Json, container: str, command: Command, output: Output) -> Input:
        words = list(command.words)
        if not (_status(pod, container).get("state") or {}).get("running"):
            output.end(1, f'unable to upgrade connection: container not found ("{container}")')
            return Closed()
        shell = Shell(pod, _spec(pod, container), self._clock)
        if not shell.knows(words):
            what = words[0] if words else ""
            missing = f'exec: "{what}": executable file not found in $PATH'
            if "/" in what:
                missing = f'exec: "{what}": stat {what}: no such file or directory'
            run = sha256(f"{pod['metadata']['uid']}/{container}/{what}".encode()).hexdigest()
            output.end(
                126,
                f'error executing command in container: failed to exec in container: failed to start exec "{run}":'
                f" OCI runtime exec failed: exec failed: unable to start container process: {missing}: unknown",
            )
            return Closed()
        if command.stdin and len(words) == 1 and words[0].rsplit("/", 1)[-1] in ("sh", "bash", "ash"):
            return Terminal(shell, command, output)
        if command.stdin and words == ["cat"]:
            return Echo(output)
        answer = shell.run(words)
        tell(answer, output, command.tty)
        output.end(answer.code)
        return Closed()

    def attach(self, pod: Json, container: str, command: Command, output: Output) -> Input:
        """The container's output from now on; what is typed reaches a shell or a `cat` that waits for it, and when that
        ends the container does."""
        spec = _spec(pod, container)
        if command.stdin and spec.get("stdin"):
            words = [*(spec.get("command") or ()), *(spec.get("args") or ())]
            watched = _Leaving(output, lambda code: self._leave(pod, container, code))
            if words == ["cat"]:
                return Echo(watched)
            if words[1:] in ([], ["-i"], ["-l"], ["-il"]) and (not words or words[0] in SHELLS):
                return Terminal(Shell(pod, spec, self._clock), command, watched)
        return self.logs(pod, container, LogOptions(follow=True, since=self._clock.now()), output)

    def forward(self, pod: Json, port: int, output: Output) -> Input:
        ports = {entry["containerPort"] for one in containers_of(pod) for entry in one.get("ports") or ()}
        if ports and port not in ports:
            output.end(
                1,
                f"error forwarding port {port} to pod {pod['metadata']['uid']}, uid : failed to execute portforward in"
                f" network namespace: failed to connect to localhost:{port} inside namespace, IPv4: dial tcp4"
                f" 127.0.0.1:{port}: connect: connection refused",
            )
            return Closed()
        return _Website(pod["metadata"]["name"], output)

    def page(self, path: str, query: Mapping[str, str]) -> Page:  # noqa: ARG002
        where = path.strip("/")
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
        pods = {
            pod["metadata"]["uid"]: _usage_of(pod) for pod in self._pods() if pod["status"].get("phase") == "Running"
        }
        every = [one for containers in pods.values() for one in containers]
        return NodeUsage(
            _NODE_CPU + sum(one.cpu for one in every), _NODE_MEMORY + sum(one.memory for one in every), pods
        )

    def _pods(self) -> list[Json]:
        return self._client.on_node(self._node)

    def _summary(self) -> Json:
        usage, now = self.usage(), format_time(self._clock.now())
        named = {pod["metadata"]["uid"]: pod["metadata"] for pod in self._pods()}
        return {
            "node": {"nodeName": self._node, **_figures(usage.cpu, usage.memory, now)},
            "pods": [
                {
                    "podRef": {"name": named[uid]["name"], "namespace": named[uid]["namespace"], "uid": uid},
                    "containers": [{"name": one.name, **_figures(one.cpu, one.memory, now)} for one in containers],
                }
                for uid, containers in usage.pods.items()
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


class _Leaving:
    """The output of what somebody is attached to: its end is the container's end, and no failure of the attaching."""

    def __init__(self, output: Output, leave: Callable[[int], None]) -> None:
        self._output, self._leave = output, leave

    def write(self, stream: int, data: bytes) -> None:
        self._output.write(stream, data)

    def end(self, code: int = 0, message: str = "") -> None:
        self._leave(code)
        self._output.end(0, message)


class _Website(Closed):
    """What listens on a forwarded port: something that answers every HTTP request with the pod's name."""

    def __init__(self, name: str, output: Output) -> None:
        self._name, self._output, self._got = name, output, b""

    def feed(self, data: bytes) -> None:
        self._got += data
        while b"\r\n\r\n" in self._got:
            self._got = self._got.partition(b"\r\n\r\n")[2]
            body = f"{self._name}\n".encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
            self._output.write(STDOUT, head.encode() + body)

    def end(self) -> None:
        self._output.end()


def _figures(cpu: float, memory: float, now: str) -> Json:
    return {
        "cpu": {"time": now, "usageNanoCores": round(cpu * 1e9)},
        "memory": {"time": now, "workingSetBytes": round(memory)},
    }


def _spec(pod: Json, container: str) -> Json:
    found: Json = next((one for one in containers_of(pod) if one["name"] == container), {})
    return found


def _status(pod: Json, container: str) -> Json:
    status = pod.get("status") or {}
    lists = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
    found: Json = next((one for key in lists for one in status.get(key) or () if one["name"] == container), {})
    return found


def _log_of(container: Json, pod: Json, clock: Clock) -> Run:
    """What a container writes: its echoes; a server says that it has started."""
    run = run_of(container, any(owner.get("kind") == "Job" for owner in pod["metadata"].get("ownerReferences") or ()))
    words = [*(container.get("command") or ()), *(container.get("args") or ())]
    shell = Shell(pod, container, clock)
    if not run.lines and run.seconds is not None and shell.knows(words) and words[0] not in SHELLS:
        answer = shell.run(words)
        return Run(run.seconds, run.code, tuple((0.0, line) for line in (answer.out + answer.err).splitlines()))
    if run.lines or run.seconds is not None or container.get("stdin"):
        return run
    return Run(None, 0, ((0.0, f"{container.get('name')}: started"),))


def _usage_of(pod: Json) -> Sequence[ContainerUsage]:
    """As the annotations say, shared among the containers; else next to nothing, a little different for each pod."""
    meta = pod["metadata"]
    said = meta.get("annotations") or {}
    containers = pod["spec"]["containers"]
    cpu, memory = parse_quantity(said.get(CPU)), parse_quantity(said.get(MEMORY))
    spread = 1 + md5(meta["uid"].encode(), usedforsecurity=False).digest()[0] / 256
    return [
        ContainerUsage(
            one["name"],
            _IDLE_CPU * spread if cpu is None else cpu / len(containers),
            _IDLE_MEMORY * spread if memory is None else memory / len(containers),
        )
        for one in containers
    ]
