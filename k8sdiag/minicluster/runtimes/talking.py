"""Conversations with simulated containers: logs, exec, attach, connections to ports."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from k8sdiag.minicluster.nodes.agent import STDERR, STDOUT, Closed, Command, Input, Output
from k8sdiag.minicluster.nodes.log_lines import serve
from k8sdiag.minicluster.runtimes import commands
from k8sdiag.minicluster.runtimes.base import Attach, Connect, Conversation, Exec, Health, Logs
from k8sdiag.minicluster.runtimes.machine.http import HttpListener
from k8sdiag.minicluster.runtimes.machine.machine import Machine, Process, Program, World
from k8sdiag.minicluster.runtimes.machine.network import NO_ROUTE, REFUSED, Connection, Host
from k8sdiag.minicluster.runtimes.machine.streams import Call, Pipe
from k8sdiag.minicluster.runtimes.machine.threads import BrokenPipe, Thread


class Node(Protocol):
    """What conversations need of the runtime."""

    def machine_of(self, container: str) -> Machine | None: ...

    def host_of(self, sandbox: str) -> Host | None: ...

    @property
    def world(self) -> World: ...


class GrpcListener(Protocol):
    """A port that serves gRPC's health service."""

    def health(self, service: str) -> tuple[str, float | None]: ...


def converse(node: Node, what: Conversation, output: Output) -> Input:
    if isinstance(what, Logs):
        machine = node.machine_of(what.container)
        if machine is None:
            output.end()
            return Closed()
        return serve(machine.log, what.options, output)
    if isinstance(what, Exec):
        return _exec(node, what, output)
    if isinstance(what, Attach):
        return _attach(node, what, output)
    if isinstance(what, Connect):
        return _connect(node, what, output)
    return _health(node, what, output)


def _exec(node: Node, what: Exec, output: Output) -> Input:
    machine = node.machine_of(what.container)
    words = what.command.words
    if machine is None or machine.killed or machine.main is None or not words:
        output.end(
            126,
            f"failed to exec in container: failed to load task: no running task found: task {what.container} not found",
        )
        return Closed()
    env = dict(machine.env)
    folder = machine.spec.working_dir or machine.image.workdir or "/"
    wrong = commands.refusal(words, machine.files, env, folder)
    program = commands.find(
        machine, words[0] if "/" not in words[0] or words[0][0] == "/" else f"{folder}/{words[0]}", env
    )
    if wrong or isinstance(program, str):
        output.end(
            126,
            "failed to exec in container: failed to start exec"
            f' "{node.world.random.getrandbits(256):064x}": OCI runtime exec failed: exec failed: unable to start'
            f" container process: {wrong or program}: unknown",
        )
        return Closed()
    return _Session(machine, what.command, output, env, folder, program)


class _Session(Closed):
    """A command that runs in a container for a client."""

    def __init__(
        self,
        machine: Machine,
        command: Command,
        output: Output,
        env: dict[str, str],
        folder: str,
        program: Program,
    ) -> None:
        self._output = output
        self._tty = command.tty
        self._open = True
        self._stdin = Pipe() if command.stdin else None
        out = Call(self._writer(STDOUT if command.stdout else 0))
        err = Call(self._writer(STDOUT if command.tty else STDERR if command.stderr else 0))
        process = Process(machine, command.words, env, folder, out, err, self._stdin, tty=command.tty)
        self._thread: Thread = machine.spawn(program, process, self._ended)
        self._thread.start()

    def _writer(self, stream: int) -> Callable[[bytes], None]:
        def write(data: bytes) -> None:
            if self._open and stream:
                self._output.write(stream, data.replace(b"\n", b"\r\n") if self._tty else data)

        return write

    def _ended(self, code: int) -> None:
        if self._open:
            self._open = False
            self._output.end(code)

    def feed(self, data: bytes) -> None:
        if self._stdin is None or self._thread.over:
            return
        if self._tty:
            if b"\x03" in data:
                self._thread.kill(130)
                return
            self._output.write(STDOUT, data.replace(b"\x04", b"").replace(b"\r", b"\r\n"))
            ended = b"\x04" in data
            data = data.replace(b"\x04", b"").replace(b"\r", b"\n")
        else:
            ended = False
        try:
            self._stdin.write(data)
        except BrokenPipe:
            return
        if ended:
            self._stdin.close()

    def end(self) -> None:
        if self._stdin is not None:
            self._stdin.close()

    def close(self) -> None:
        self._open = False
        self._thread.kill(137)


class _Attached(Closed):
    """The streams of a container's first process."""

    def __init__(self, machine: Machine, command: Command, output: Output) -> None:
        self._machine, self._command, self._output = machine, command, output
        self._open = True
        writers = (machine.stdout, machine.stderr if machine.stderr is not machine.stdout else None)
        for writer in writers:
            if writer is None:
                continue
            writer.watchers = [*(writer.watchers or ()), self._take]
        machine.log.followers.append(self._line)

    def _take(self, stream: int, data: bytes) -> None:
        wanted = self._command.stdout if stream == STDOUT else self._command.stderr
        if self._open and wanted:
            tty = self._command.tty
            self._output.write(STDOUT if tty else stream, data.replace(b"\n", b"\r\n") if tty else data)

    def _line(self, line: object) -> None:
        if line is None and self._open:
            self._open = False
            self._output.end()

    def feed(self, data: bytes) -> None:
        if self._machine.stdin is not None and not self._machine.killed:
            if self._command.tty:
                self._output.write(STDOUT, data.replace(b"\r", b"\r\n"))
                data = data.replace(b"\r", b"\n")
            try:
                self._machine.stdin.write(data)
            except BrokenPipe:
                return

    def end(self) -> None:
        if self._machine.stdin is not None and self._machine.spec.stdin_once:
            self._machine.stdin.close()

    def close(self) -> None:
        self._open = False
        for writer in (self._machine.stdout, self._machine.stderr):
            if writer is not None and writer.watchers:
                writer.watchers = [one for one in writer.watchers if one != self._take] or None
        if self._line in self._machine.log.followers:
            self._machine.log.followers.remove(self._line)


def _attach(node: Node, what: Attach, output: Output) -> Input:
    machine = node.machine_of(what.container)
    if machine is None or machine.killed:
        output.end()
        return Closed()
    return _Attached(machine, what.command, output)


class _Link(Closed):
    """A connection to a port."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def feed(self, data: bytes) -> None:
        self._connection.feed(data)

    def close(self) -> None:
        self._connection.close()


def _connect(node: Node, what: Connect, output: Output) -> Input:
    host = node.host_of(what.sandbox)
    if host is None:
        output.end(1, NO_ROUTE)
        return Closed()
    open_now = [True]

    def write(data: bytes) -> None:
        if open_now:
            output.write(STDOUT, data)

    def end() -> None:
        if open_now:
            open_now.clear()
            output.end()

    local = what.host in ("", host.address, "localhost") or what.host.startswith("127.")
    if local:
        listener = host.at(what.port)
        if listener is None:
            output.end(1, REFUSED)
            return Closed()
        if what.tls and not listener.tls:
            output.end(
                1, "http: server gave HTTP response to HTTPS client" if isinstance(listener, HttpListener) else "EOF"
            )
            return Closed()
        output.write(STDOUT, b"")
        return _Link(listener.open(host.gateway or "127.0.0.1", write, end))
    addresses = node.world.network.lookup(host, what.host)
    found = node.world.network.connect(host, addresses[0], what.port, write, end) if addresses else None
    if isinstance(found, str):
        output.end(1, found)
        return Closed()
    if found is None:
        return Closed()
    output.write(STDOUT, b"")
    return _Link(found)


def _health(node: Node, what: Health, output: Output) -> Input:
    host = node.host_of(what.sandbox)
    listener = host.at(what.port) if host is not None else None
    if listener is None:
        output.end(1, REFUSED)
        return Closed()
    ask = getattr(listener, "health", None)
    if ask is None:
        return Closed()  # it does not speak gRPC: nobody answers
    status, delay = ask(what.service)
    if delay is None:
        return Closed()

    def answer() -> None:
        output.write(STDOUT, status.encode())
        output.end()

    node.world.timers.later(delay, answer)
    return Closed()
