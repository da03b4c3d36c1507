"""A behaviour as a program: its steps happen at their time in a simulated container."""

from __future__ import annotations

from dataclasses import dataclass, field

from k8sdiag.minicluster.runtimes.base import ContainerSpec
from k8sdiag.minicluster.runtimes.behaviours import FOREVER, Behaviour, Health, Page, Step, said_of
from k8sdiag.minicluster.runtimes.machine.files import FileFault
from k8sdiag.minicluster.runtimes.machine.http import HttpListener, Reply, Request
from k8sdiag.minicluster.runtimes.machine.machine import Machine, Process, Program
from k8sdiag.minicluster.runtimes.machine.threads import Steps, Timers

_DEFAULT_PORT = 8080


def behaviour_of(spec: ContainerSpec) -> Program | None:
    """The program that a container's annotation describes; BadBehaviour where it cannot be read."""
    steps = said_of(spec.annotations, spec.name)
    if steps is None:
        return None
    return _Acting(tuple(step for step in steps if step.attempts is None or spec.attempt in step.attempts))


class _Site(HttpListener):
    """A port: pages by path, and gRPC's health service."""

    __slots__ = ("checks", "grpc", "left", "pages")

    def __init__(self, timers: Timers, tls: bool) -> None:
        super().__init__(timers, self._answer, tls)
        self.pages: dict[str, Page] = {}
        self.left: dict[str, int] = {}
        self.checks: dict[str, Health] = {}
        self.grpc = False

    def put(self, page: Page) -> None:
        self.pages[page.path] = page
        if page.times is not None:
            self.left[page.path] = page.times

    def health(self, service: str) -> tuple[str, float | None]:
        """gRPC's health service, as Health asks for it."""
        if not self.grpc:
            return "UNIMPLEMENTED", 0.0
        check = self.checks.get(service)
        return ("SERVICE_UNKNOWN", 0.0) if check is None else (check.status, check.delay)

    def _answer(self, request: Request) -> Reply:
        path = request.path.partition("?")[0]
        page = self.pages.get(path)
        if page is None and "/" in self.pages and len(self.pages) == 1:
            page = self.pages["/"]
        if page is None:
            return Reply(404, b"not found\n") if self.pages and path != "/" else Reply(200, b"ok\n")
        if page.times is not None:
            left = self.left.get(page.path, 0)
            if left <= 0:
                return Reply(200, b"ok\n")
            self.left[page.path] = left - 1
        return Reply(page.status, page.body.encode(), dict(page.headers), page.delay)


@dataclass(slots=True)
class _State:
    """How far a behaviour has come."""

    process: Process
    started: float
    port: int = 0
    sites: dict[int, _Site] = field(default_factory=dict)
    ending: bool = False


class _Acting:
    """The program."""

    __slots__ = ("_signals", "_steps")

    def __init__(self, steps: Behaviour) -> None:
        self._steps = tuple(step for step in steps if not step.on)
        self._signals: dict[str, Behaviour] = {}
        for step in steps:
            if step.on:
                self._signals[step.on] = (*self._signals.get(step.on, ()), step)
            elif step.action == "ignore":
                self._signals.setdefault(step.value, (step,))

    def __call__(self, process: Process) -> Steps:
        machine = process.machine
        state = _State(process, machine.world.timers.now)
        machine.on_term = lambda name: self._signalled(state, name)
        for step in self._steps:
            code = yield from self._take(state, step)
            if code >= 0:
                return code
        yield None
        return 0

    def _signalled(self, state: _State, name: str) -> None:
        machine = state.process.machine
        steps = self._signals.get(name)
        if steps is None:
            if name in ("TERM", "INT", "QUIT"):
                machine.end(0)
            return
        if state.ending:
            return
        state.ending = True
        process = state.process

        def run(_: Process) -> Steps:
            for step in steps:
                code = yield from self._take(state, step)
                if code >= 0:
                    machine.end(code)
            return 0

        other = Process(machine, process.words, process.env, process.folder, process.stdout, process.stderr)
        machine.spawn(run, other).start_soon()

    def _take(self, state: _State, step: Step) -> Steps:
        """One step; an exit code, or -1 to go on."""
        now = state.process.machine.world.timers.now
        wait = step.after if step.at is None else state.started + step.at - now
        if wait > 0:
            yield wait
        if step.action == "exit":
            return int(step.number)
        if step.repeat != 1:
            return (yield from self._repeat(state, step))
        if step.over > 0:
            yield from _slowly(state.process.machine, step)
            return -1
        _happen(state, step, 1)
        return -1

    def _repeat(self, state: _State, step: Step) -> Steps:
        if step.repeat != FOREVER:
            for count in range(1, step.repeat + 1):
                _happen(state, step, count)
                if step.every and count < step.repeat:
                    yield step.every
            return -1

        def run(_: Process) -> Steps:
            count = 0
            while True:
                count += 1
                _happen(state, step, count)
                yield step.every

        process = state.process
        other = Process(process.machine, process.words, process.env, process.folder, process.stdout, process.stderr)
        process.machine.spawn(run, other).start_soon()
        return -1
        yield None


def _slowly(machine: Machine, step: Step) -> Steps:
    """Memory that is taken little by little."""
    before = (machine.volatile or {}).get("memory", 0)
    parts = 20
    for part in range(1, parts + 1):
        yield step.over / parts
        _use(machine, "memory", before + (int(step.number) - before) * part // parts)
    return -1


def _use(machine: Machine, what: str, amount: int) -> None:
    machine.volatile = {**(machine.volatile or {}), what: max(0, amount)}
    machine.check()


def _happen(state: _State, step: Step, count: int) -> None:
    process = state.process
    machine = process.machine
    if step.action in ("log", "stderr"):
        (process.err if step.action == "stderr" else process.out)(step.value + "\n")
    elif step.action == "memory":
        _use(
            machine,
            "memory",
            max(0, int(step.number) * count - machine.image.memory if count == 1 else int(step.number) * count),
        )
    elif step.action == "cpu":
        machine.cpu = step.number
    elif step.action == "disk":
        _fill(machine, step, count)
    elif step.action == "listen":
        state.port = int(step.number)
        _site(state, state.port, False)
    elif step.action == "close":
        machine.host.close(int(step.number))
        state.sites.pop(int(step.number), None)
    elif step.action == "http" and step.page is not None:
        _site(state, step.page.port or _usual_port(state), step.page.tls).put(step.page)
    elif step.action == "grpc" and step.health is not None:
        site = _site(state, step.health.port or _usual_port(state), False)
        site.grpc = True
        site.checks[step.health.service] = step.health
    elif step.action == "file" and step.page is not None:
        data = step.page.body.encode()
        try:
            machine.files.write(step.value, data, size=max(int(step.number), len(data)))
        except FileFault as fault:
            process.err(f"{step.value}: {fault}\n")
        machine.check()
    elif step.action == "lookup" and step.page is not None:
        answer = () if step.fails else (step.page.body or "203.0.113.10",)
        machine.host.names = {**(machine.host.names or {}), step.value: answer}


def _fill(machine: Machine, step: Step, count: int) -> None:
    amount = int(step.number) * count
    mount = next((mount for mount in machine.spec.mounts if step.value and mount.volume.name == step.value), None)
    if mount is None:
        _use(machine, "disk", amount)
        return
    try:
        machine.files.write(f"{mount.path}/.lab-fill", b"", size=amount)
    except FileFault as fault:
        if machine.stderr is not None:
            machine.stderr.write(f"{mount.path}: {fault}\n".encode())
    machine.check()


def _usual_port(state: _State) -> int:
    """The port that was opened last, else the first that the container names."""
    if state.port:
        return state.port
    ports = state.process.machine.spec.raw.get("ports") or ()
    named = [entry.get("containerPort") for entry in ports if isinstance(entry, dict)]
    return int(named[0]) if named and isinstance(named[0], int) else _DEFAULT_PORT


def _site(state: _State, port: int, tls: bool) -> _Site:
    site = state.sites.get(port)
    if site is None:
        machine = state.process.machine
        site = state.sites[port] = _Site(machine.world.timers, tls)
        if not machine.host.listen(port, machine, site):
            state.process.err(f"listen tcp :{port}: bind: address already in use\n")
            machine.end(1)
    state.port = port
    return site
