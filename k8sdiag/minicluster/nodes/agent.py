"""What the API server asks of a node: a kubelet's HTTP side (pkg/kubelet/server) as six verbs without HTTP.

Log, exec, attach and port-forward have one shape: the asker hands over an `Output`, which the node writes to whenever
it has something, and gets an `Input` back, through which it sends what the client sends. All is called in the lab's
one thread and none of it blocks; how bytes travel (chunks, websocket channels) is the business of the HTTP side.
Refusals are ApiErrors with the text a kubelet answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import ApiError

STDOUT = 1
STDERR = 2


@dataclass(frozen=True, slots=True)
class LogOptions:
    """What of a container's log (PodLogOptions). `since` is a moment, `tail` a number of lines."""

    previous: bool = False
    follow: bool = False
    timestamps: bool = False
    tail: int | None = None
    since: float | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """What to run in a container, and which of its streams the client wants."""

    words: tuple[str, ...]
    stdin: bool = False
    stdout: bool = True
    stderr: bool = True
    tty: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """A node's answer to a plain GET (`/healthz`, `/stats/summary`…)."""

    code: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class ContainerUsage:
    """What a container uses right now: cores and bytes."""

    name: str
    cpu: float
    memory: float


@dataclass(frozen=True, slots=True)
class NodeUsage:
    """What a node uses in all, and each of its pods (by uid). Pods that have not run long enough are left out."""

    cpu: float
    memory: float
    pods: Mapping[str, Sequence[ContainerUsage]] = field(default_factory=dict)


class Output(Protocol):
    """Where a node writes to."""

    def write(self, stream: int, data: bytes) -> None:
        """Bytes of STDOUT or STDERR; for a log and a forwarded port all is STDOUT."""

    def end(self, code: int = 0, message: str = "") -> None:
        """Nothing more will come: the exit code, or `message` where the command could not be run at all."""


class Input(Protocol):
    """What the client does while the node answers."""

    def feed(self, data: bytes) -> None: ...

    def end(self) -> None:
        """The client's stdin has ended."""

    def resize(self, width: int, height: int) -> None: ...

    def close(self) -> None:
        """The client is gone: stop."""


class Agent(Protocol):
    """One node. `pod` is the stored object, `container` a name in it; the caller has checked that both exist."""

    def logs(self, pod: Json, container: str, options: LogOptions, output: Output) -> Input: ...

    def exec(self, pod: Json, container: str, command: Command, output: Output) -> Input: ...

    def attach(self, pod: Json, container: str, command: Command, output: Output) -> Input: ...

    def forward(self, pod: Json, port: int, output: Output) -> Input:
        """A connection to a port of the pod; one call for each connection."""

    def page(self, path: str, query: Mapping[str, str]) -> Page: ...

    def usage(self) -> NodeUsage: ...


class Agents:
    """The nodes that can be asked, by name. A node that is registered but not here is one that does not answer."""

    def __init__(self) -> None:
        self._agents: dict[str, Agent] = {}

    def add(self, node: str, agent: Agent) -> None:
        self._agents[node] = agent

    def remove(self, node: str) -> None:
        self._agents.pop(node, None)

    def find(self, node: str) -> Agent | None:
        return self._agents.get(node)

    def reach(self, node: str, address: str, path: str) -> Agent:
        """The node's agent, or the 500 with which an API server says that it cannot be reached; `path` is what it
        would have asked for, such as `/containerLogs/shop/web/app`."""
        agent = self._agents.get(node)
        if agent is None:
            place = f"{address or node}:10250"
            text = f'Get "https://{place}{path}": dial tcp {place}: connect: connection refused'
            raise ApiError(500, "InternalError", text)
        return agent


class Closed:
    """The Input of an answer that is already complete."""

    def feed(self, data: bytes) -> None:
        """Nobody reads it."""

    def end(self) -> None:
        """Nobody reads it."""

    def resize(self, width: int, height: int) -> None:
        """There is no terminal."""

    def close(self) -> None:
        """Nothing is running."""
