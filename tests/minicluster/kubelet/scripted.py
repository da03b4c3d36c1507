"""A runtime whose containers do what a test says, and that remembers what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from k8sdiag.evidence import Json
from k8sdiag.minicluster.loop import Loop
from k8sdiag.minicluster.nodes.agent import STDOUT, Closed, Input, Output
from k8sdiag.minicluster.runtimes.base import (
    CREATED,
    EXITED,
    PULL_FAILED,
    RUNNING,
    SANDBOX_FAILED,
    START_FAILED,
    Connect,
    ContainerSpec,
    ContainerState,
    Conversation,
    Exec,
    Failure,
    Health,
    ImageInfo,
    Logs,
    Machine,
    NodeFacts,
    Sandbox,
    image_name,
)


@dataclass
class Script:
    """What each run of a container does: how long it runs (None: for ever) and how it ends."""

    seconds: float | None = None
    code: int = 0
    reason: str = ""
    message: str = ""
    start_error: str = ""
    create_error: str = ""
    ignores_term: bool = False
    http: dict[str, int] = field(default_factory=dict)  # path to status
    port: int | None = None
    commands: dict[str, tuple[int, str]] = field(default_factory=dict)  # what exec answers
    silent: bool = False  # connections stand, nothing is said
    health: str = ""


@dataclass
class _Made:
    id: str
    sandbox: str
    spec: ContainerSpec
    script: Script
    state: ContainerState = field(default_factory=lambda: ContainerState(CREATED))


class ScriptedRuntime:
    """One node's (a Runtime)."""

    def __init__(self, machine: Machine, loop: Loop) -> None:
        self.machine, self._loop = machine, loop
        self.on_change: Callable[[str], None] = lambda _: None
        self.node = NodeFacts()
        self.scripts: dict[str, Script | list[Script]] = {}
        self.images: dict[str, ImageInfo] = {}
        self.pulls: dict[str, tuple[float, str]] = {}  # seconds and error
        self.sandbox_error = ""
        self.asked: list[tuple[float, str, str]] = []
        self._made: dict[str, _Made] = {}
        self._sandboxes: dict[str, tuple[str, ContainerState]] = {}
        self._count = 0
        self._later: dict[int, Callable[[], None]] = {}
        self._queue = loop.queue(f"scripted-{machine.name}", self._turn)

    def _turn(self, number: int) -> None:
        self._later.pop(number)()

    def _after(self, seconds: float, then: Callable[[], None]) -> None:
        self._count += 1
        self._later[self._count] = then
        self._queue.add(self._count, seconds)

    def _note(self, what: str, about: str) -> None:
        self.asked.append((self._loop.clock.now(), what, about))

    def _id(self) -> str:
        self._count += 1
        return f"{self._count:064x}"

    def image(self, name: str) -> ImageInfo | None:
        return self.images.get(image_name(name))

    def has(self, name: str, user: str = "") -> None:
        full = image_name(name)
        self.images[full] = ImageInfo(full, f"sha256:{len(full):064x}", 2_000_000, user)

    def pull(self, name: str, credentials: Sequence[Json], done: Callable[[ImageInfo | Failure], None]) -> None:
        self._note("pull", name)
        seconds, error = self.pulls.get(name, (0.5, "" if name in self.pulls else "not found"))

        def ended() -> None:
            if error:
                done(Failure(PULL_FAILED, f"rpc error: code = NotFound desc = {name}: {error}"))
            else:
                self.has(name)
                done(self.images[image_name(name)])

        self._after(seconds, ended)

    def open_pod(self, pod: Json, attempt: int, done: Callable[[Sandbox | Failure], None]) -> None:
        self._note("open", f"{pod['metadata']['name']} {attempt}")
        if self.sandbox_error:
            self._after(0.05, lambda: done(Failure(SANDBOX_FAILED, self.sandbox_error)))
            return
        identity = self._id()
        self._sandboxes[identity] = (pod["metadata"]["uid"], ContainerState(RUNNING))
        address = self.machine.address if pod["spec"].get("hostNetwork") else f"10.244.0.{self._count % 250 + 2}"
        self._after(0.08, lambda: done(Sandbox(identity, (address,))))

    def close_pod(self, sandbox: str, done: Callable[[], None]) -> None:
        self._note("close", sandbox)
        self.stop(sandbox, 0)
        self._sandboxes.pop(sandbox, None)
        for identity in [one.id for one in self._made.values() if one.sandbox == sandbox]:
            del self._made[identity]
        done()

    def create(self, sandbox: str, spec: ContainerSpec, done: Callable[[str | Failure], None]) -> None:
        self._note("create", spec.name)
        scripts = self.scripts.get(spec.name, Script())
        script = scripts[min(spec.attempt, len(scripts) - 1)] if isinstance(scripts, list) else scripts
        if script.create_error:
            self._after(0.01, lambda: done(Failure("CreateContainerError", script.create_error)))
            return
        made = _Made(self._id(), sandbox, spec, script)
        self._made[made.id] = made
        self._after(0.01, lambda: done(made.id))

    def start(self, container: str, done: Callable[[Failure | None], None]) -> None:
        made = self._made[container]
        self._note("start", made.spec.name)

        def begun() -> None:
            now = self._loop.clock.now()
            if made.script.start_error:
                made.state = ContainerState(EXITED, 0.0, now, 128, "StartError", made.script.start_error)
                done(Failure(START_FAILED, made.script.start_error))
                return
            made.state = ContainerState(RUNNING, now)
            if made.script.seconds is not None:
                self._after(made.script.seconds, lambda: self._end(made, made.script.code))
            done(None)

        self._after(0.05, begun)

    def _end(self, made: _Made, code: int, reason: str = "") -> None:
        if made.state.state != RUNNING:
            return
        script = made.script
        made.state = replace(
            made.state,
            state=EXITED,
            finished_at=self._loop.clock.now(),
            exit_code=code,
            reason=reason or script.reason or ("Error" if code else "Completed"),
            message=script.message,
        )
        self.on_change(made.spec.uid)

    def change(self, container: str, spec: ContainerSpec) -> None:
        self._note("change", spec.name)

    def stop(self, container: str, grace: float) -> None:
        if container in self._sandboxes:
            uid, _ = self._sandboxes[container]
            self._sandboxes[container] = (uid, ContainerState(EXITED))
            for inside in self._made.values():
                if inside.sandbox == container:
                    self._end(inside, 137, "Error")
            return
        if container not in self._made:
            return
        made = self._made[container]
        self._note(f"stop {grace:g}", made.spec.name)
        wait, code = (grace, 137) if made.script.ignores_term else (0.02, 143)
        self._after(wait, lambda: self._end(made, code, "Error"))

    def inspect(self, container: str) -> ContainerState | None:
        if container in self._sandboxes:
            return self._sandboxes[container][1]
        found = self._made.get(container)
        return found.state if found else None

    def kill(self, name: str, code: int, reason: str = "Error") -> None:
        """Something ends a container that nobody asked for."""
        for made in [*self._made.values()]:
            if made.spec.name == name:
                self._end(made, code, reason)

    def lose_sandboxes(self) -> None:
        for identity, (uid, _) in [*self._sandboxes.items()]:
            self.stop(identity, 0)
            self.on_change(uid)

    def spec(self, name: str) -> ContainerSpec:
        return next(made.spec for made in reversed(self._made.values()) if made.spec.name == name)

    def converse(self, what: Conversation, output: Output) -> Input:
        if isinstance(what, Exec):
            code, text = self._made[what.container].script.commands.get(" ".join(what.command.words), (126, ""))
            self._note("exec", " ".join(what.command.words))
            if text:
                output.write(STDOUT, text.encode())
            output.end(code, "failed to exec in container: not found" if code == 126 else "")
            return Closed()
        if isinstance(what, Logs):
            output.write(STDOUT, b"a line\n")
            output.end()
            return Closed()
        if isinstance(what, Connect | Health):
            return self._connect(what, output)
        output.end()
        return Closed()

    def _connect(self, what: Connect | Health, output: Output) -> Input:
        inside = [made for made in self._made.values() if made.sandbox == what.sandbox and made.state.state == RUNNING]
        listening = next((made.script for made in inside if made.script.port == what.port), None)
        if listening is None:
            output.end(1, "connection refused")
            return Closed()
        if isinstance(what, Health):
            output.write(STDOUT, listening.health.encode())
            output.end()
            return Closed()
        output.write(STDOUT, b"")
        return Closed() if listening.silent else _Server(listening, output)


class _Server(Closed):
    def __init__(self, script: Script, output: Output) -> None:
        self._script, self._output, self._got = script, output, b""

    def feed(self, data: bytes) -> None:
        self._got += data
        if b"\r\n\r\n" not in self._got:
            return
        path = self._got.split(b" ")[1].decode()
        status = self._script.http.get(path, 404)
        self._output.write(STDOUT, f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode())
        self._output.end()
