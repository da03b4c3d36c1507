"""A simulated node on a stepped clock, and one container on it at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from k8sdiag.clock import ManualClock
from k8sdiag.evidence import Json
from k8sdiag.minicluster.loop import Loop
from k8sdiag.minicluster.nodes.agent import Command, LogOptions
from k8sdiag.minicluster.runtimes.base import (
    Connect,
    ContainerSpec,
    ContainerState,
    Conversation,
    Exec,
    Failure,
    ImageInfo,
    Limits,
    Logs,
    Mount,
    Sandbox,
    Volume,
)
from k8sdiag.minicluster.runtimes.sim import SimRuntime

START = 1_700_000_000.0


@dataclass
class Heard:
    """An Output."""

    data: bytes = b""
    errors: bytes = b""
    over: tuple[int, str] | None = None

    def write(self, stream: int, data: bytes) -> None:
        if stream == 1:
            self.data += data
        else:
            self.errors += data

    def end(self, code: int = 0, message: str = "") -> None:
        self.over = (code, message)


class Rig:
    """A node; `run` starts a container in a pod of its own."""

    def __init__(self) -> None:
        self.clock = ManualClock(START)
        self.loop = Loop(self.clock, Random(1))
        self.runtime = SimRuntime("node1", self.loop, Random(2))
        self.changes: list[str] = []
        self.runtime.on_change = self.changes.append
        self.container = ""
        self.sandbox: Sandbox | None = None
        self.failure: Failure | None = None

    def open(self, name: str = "web", annotations: Mapping[str, str] | None = None, image: str = "") -> Sandbox:
        found: list[Sandbox | Failure] = []
        pod: Json = {
            "metadata": {
                "name": name,
                "namespace": "shop",
                "uid": f"uid-{name}",
                "annotations": dict(annotations or {}),
            },
            "spec": {"containers": [{"name": "app", "image": image}]},
        }
        self.runtime.open_pod(pod, 0, found.append)
        self.loop.run_for(1)
        assert isinstance(found[0], Sandbox), found
        return found[0]

    def pull(self, image: str, credentials: Sequence[Json] = ()) -> ImageInfo | Failure:
        found: list[ImageInfo | Failure] = []
        self.runtime.pull(image, credentials, found.append)
        self.loop.run_for(60)
        return found[0]

    def make(self, spec: ContainerSpec, sandbox: Sandbox) -> str | Failure:
        made: list[str | Failure] = []
        self.runtime.create(sandbox.id, spec, made.append)
        self.loop.run_for(1)
        return made[0]

    def start(self, container: str) -> Failure | None:
        done: list[Failure | None] = []
        self.runtime.start(container, done.append)
        while not done:
            self.loop.run_for(0.01)
        return done[0]

    def run(
        self, *command: str, image: str = "busybox:1.36", name: str = "web", seconds: float = 0.0,
        annotations: Mapping[str, str] | None = None, mounts: Sequence[Mount] = (), limits: Limits | None = None,
        security: Mapping[str, object] | None = None, env: Mapping[str, str] | None = None, args: Sequence[str] = (),
        attempt: int = 0, sandbox: Sandbox | None = None, **more: object,
    ) -> Rig:  # fmt: skip
        """Start a container and let so much time pass."""
        self.sandbox = sandbox or self.open(name, annotations, image)
        info = self.pull(image)
        assert isinstance(info, ImageInfo), info
        spec = ContainerSpec(
            "shop", name, f"uid-{name}", "app", info, attempt, command, tuple(args), dict(env or {}), "", tuple(mounts),
            limits or Limits(), dict(security or {}), dict(annotations or {}),
        )  # fmt: skip
        spec = replace(spec, **more)  # type: ignore[arg-type]
        made = self.make(spec, self.sandbox)
        if isinstance(made, Failure):
            self.failure = made
            return self
        self.container = made
        self.failure = self.start(made)
        self.loop.run_for(seconds)
        return self

    def shell(self, script: str, seconds: float = 10.0, **more: object) -> Rig:
        return self.run("sh", "-c", script, seconds=seconds, **more)  # type: ignore[arg-type]

    def python(self, script: str, seconds: float = 10.0, **more: object) -> Rig:
        return self.run("python3", "-c", script, image="python:3.11-slim", seconds=seconds, **more)  # type: ignore[arg-type]

    @property
    def state(self) -> ContainerState:
        found = self.runtime.inspect(self.container)
        assert found is not None
        return found

    @property
    def lines(self) -> list[str]:
        heard = self.talk(Logs(self.container, LogOptions()))
        return heard.data.decode().splitlines()

    @property
    def end(self) -> tuple[int, str]:
        state = self.state
        assert state.state == "exited", state
        return state.exit_code, state.reason

    def talk(self, what: Conversation, send: bytes = b"", seconds: float = 0.0, close: bool = False) -> Heard:
        heard = Heard()
        given = self.runtime.converse(what, heard)
        if send:
            given.feed(send)
        if close:
            given.end()
        self.loop.run_for(seconds)
        return heard

    def exec(self, *words: str, stdin: bytes | None = None, seconds: float = 5.0, tty: bool = False) -> Heard:
        command = Command(words, stdin=stdin is not None, tty=tty)
        return self.talk(Exec(self.container, command), stdin or b"", seconds, close=stdin is not None and not tty)

    def get(self, path: str, port: int = 8080, seconds: float = 2.0, tls: bool = False) -> Heard:
        assert self.sandbox is not None
        request = f"GET {path} HTTP/1.1\r\nHost: {self.sandbox.addresses[0]}\r\n\r\n".encode()
        return self.talk(Connect(self.sandbox.id, port, tls=tls), request, seconds)

    def stop(self, grace: float) -> None:
        self.runtime.stop(self.container, grace)
        self.loop.run_for(grace + 1)


def files(path: str, **content: str) -> Mount:
    """A ConfigMap at a path."""
    data = {name.replace("_", "."): text.encode() for name, text in content.items()}
    return Mount(Volume("config", "files", data), path, read_only=True)


def empty(path: str, name: str = "cache", **more: object) -> Mount:
    return Mount(replace(Volume(name, "empty"), **more), path)  # type: ignore[arg-type]
