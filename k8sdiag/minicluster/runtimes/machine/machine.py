"""One simulated container from inside: its processes, memory, files, log and network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from k8sdiag.minicluster.nodes.log_lines import ContainerLog
from k8sdiag.minicluster.runtimes.base import ContainerSpec
from k8sdiag.minicluster.runtimes.images import Image
from k8sdiag.minicluster.runtimes.machine.files import Files
from k8sdiag.minicluster.runtimes.machine.network import Host, Network
from k8sdiag.minicluster.runtimes.machine.streams import LogWriter, Pipe, Writer
from k8sdiag.minicluster.runtimes.machine.threads import OutOfMemory, Steps, Thread, Timers

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PROCESS = 2**20  # what a small process uses


@dataclass(frozen=True, slots=True)
class World:
    """What all containers of a node share."""

    timers: Timers
    random: Random
    network: Network
    find: Callable[[Machine, str, Mapping[str, str]], Program | str]  # a command's program, or why there is none
    node: str = ""


@dataclass(slots=True)
class Process:
    """What a program is given: its words, its variables, where it stands and what it reads from and writes to."""

    machine: Machine
    words: tuple[str, ...]
    env: Mapping[str, str]
    folder: str
    stdout: Writer
    stderr: Writer
    stdin: Pipe | None = None
    thread: Thread | None = None
    first: bool = False  # the container's first process (or what it has become by exec)
    tty: bool = False

    @property
    def name(self) -> str:
        return self.words[0].rsplit("/", 1)[-1] if self.words else ""

    def out(self, text: str) -> None:
        self.stdout.write(text.encode(errors="replace"))

    def err(self, text: str) -> None:
        self.stderr.write(text.encode(errors="replace"))

    def path(self, word: str) -> str:
        return word if word.startswith("/") else f"{self.folder.rstrip('/')}/{word}"

    def spend(self) -> float | None:
        """See Thread.spend: what a loop calls at each turn."""
        return self.thread.spend() if self.thread is not None else None


Program = Callable[[Process], Steps]


class Machine:
    """A container that runs."""

    __slots__ = (
        "_used", "cpu", "env", "files", "host", "image", "killed", "listeners", "log", "main", "on_end", "on_term",
        "peak", "spec", "stderr", "stdin", "stdout", "threads", "title", "volatile", "world",
    )  # fmt: skip

    def __init__(
        self,
        world: World,
        spec: ContainerSpec,
        image: Image,
        files: Files,
        host: Host,
        on_end: Callable[[int, str], None],
    ) -> None:
        self.world, self.spec, self.image, self.files, self.host = world, spec, image, files, host
        self.on_end = on_end
        self.log = ContainerLog()
        self.stdout: LogWriter | None = None
        self.stderr: LogWriter | None = None
        self.stdin: Pipe | None = None
        self.threads: list[Thread] = []
        self.main: Thread | None = None
        self.on_term: Callable[[str], None] | None = None  # what the first process does when it is sent a signal
        self.cpu = 0.0  # cores that a program says it uses
        self._used = 0
        self.volatile: dict[str, int] | None = None  # bytes in named pools (memory, disk of a behaviour)
        self.title: tuple[str, ...] = ()
        self.env: Mapping[str, str] = {}
        self.killed = False

    # -- life --

    def begin(self, program: Program, process: Process) -> None:
        """Start the first process."""
        process.first = True
        self.title = process.words
        self.main = self.spawn(program, process, self._main_ended)
        self.main.start()

    def spawn(self, program: Program, process: Process, on_end: Callable[[int], None] | None = None) -> Thread:
        """A thread for a program, not started yet."""
        thread = Thread(self.world.timers, program(process), on_end)
        process.thread = thread
        if len(self.threads) > 64:
            self.threads = [one for one in self.threads if not one.over]
        self.threads.append(thread)
        return thread

    def signal(self, name: str) -> None:
        """A signal to the first process, which ignores those that it does not handle, as PID 1 does."""
        if self.killed:
            return
        if name == "KILL":
            self.end(137, "Error")
        elif self.on_term is not None:
            self.on_term(name)
        elif self.spec.share_processes and name in ("TERM", "INT", "HUP", "QUIT"):
            self.end(128 + {"HUP": 1, "INT": 2, "QUIT": 3, "TERM": 15}[name], "Error")

    def end(self, code: int, reason: str = "") -> None:
        """All processes are gone."""
        if self.killed:
            return
        self.killed = True
        for thread in self.threads:
            thread.kill(code)
        for writer in (self.stdout, self.stderr):
            if writer is not None:
                writer.flush()
        self.host.leave(self)
        self.threads = []
        self.on_term = None
        self.on_end(code, reason or ("Error" if code else "Completed"))

    def _main_ended(self, code: int) -> None:
        self.end(code)

    # -- use --

    @property
    def memory(self) -> int:
        """Bytes in use: its processes', and its files in memory."""
        pools = sum(size for name, size in (self.volatile or {}).items() if name == "memory")
        return self.image.memory + self._used + pools + self.files.in_memory

    @property
    def cores(self) -> float:
        used = self.cpu + sum(1.0 for thread in self.threads if thread.busy)
        limit = self.spec.limits.cpu
        return used if limit is None else min(used, limit)

    def allocate(self, count: int) -> None:
        """A process takes more memory (or gives some back). Past the limit the kernel kills the container."""
        self._used = max(0, self._used + count)
        self.check()

    def release(self, count: int) -> None:
        """A process gives memory back."""
        self._used = max(0, self._used - count)

    def check(self) -> None:
        """Kill it if it uses too much."""
        limit = self.spec.limits.memory
        if limit is not None and self.memory > limit and not self.killed:
            self.end(137, "OOMKilled")
            raise OutOfMemory

    def starve(self) -> None:
        """A process takes all the memory there is."""
        limit = self.spec.limits.memory
        self._used = 2**62 if limit is None else limit + 1
        self.end(137, "OOMKilled")
        raise OutOfMemory
