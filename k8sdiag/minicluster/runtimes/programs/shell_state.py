"""What a shell knows: its variables, parameters, functions, flags and streams."""

from __future__ import annotations

from collections.abc import Mapping

from k8sdiag.minicluster.runtimes.machine.files import DENIED
from k8sdiag.minicluster.runtimes.machine.machine import Process
from k8sdiag.minicluster.runtimes.machine.threads import Thread
from k8sdiag.minicluster.runtimes.programs.tree import Node


class State:
    """What a shell process knows."""

    __slots__ = (
        "arguments",
        "depth",
        "errexit",
        "exported",
        "folder",
        "functions",
        "interactive",
        "jobs",
        "last_job",
        "machine",
        "name",
        "pending",
        "process",
        "quiet",
        "seconds",
        "status",
        "stderr",
        "stdin",
        "stdout",
        "strict",
        "thread",
        "trace",
        "traps",
        "variables",
        "waiting",
    )  # fmt: skip

    def __init__(self, process: Process, parent: State | None = None) -> None:
        self.process, self.machine, self.thread = process, process.machine, process.thread
        self.stdin, self.stdout, self.stderr = process.stdin, process.stdout, process.stderr
        self.folder = process.folder
        self.variables: dict[str, str] = dict(parent.variables if parent else process.env)
        self.exported: set[str] | None = set(parent.exported) if parent and parent.exported is not None else None
        self.functions: dict[str, Node] = dict(parent.functions) if parent else {}
        self.arguments: list[str] = list(parent.arguments) if parent else []
        self.name: str = parent.name if parent else process.words[0] if process.words else "sh"
        self.errexit: bool = parent.errexit if parent else False
        self.strict: bool = parent.strict if parent else False
        self.trace: bool = parent.trace if parent else False
        self.interactive = False
        self.quiet = 0  # in a condition, where -e does not count
        self.status = 0
        self.jobs: list[Thread] = []
        self.last_job = 0
        self.depth: int = parent.depth + 1 if parent else 0
        self.traps: dict[str, str] = {}
        self.pending: list[str] = []
        self.waiting = False

    # -- state --

    def path(self, word: str) -> str:
        return word if word.startswith("/") else f"{self.folder.rstrip('/')}/{word}"

    def value(self, name: str) -> str | None:
        """A variable or parameter; None where it is not set."""
        if name in self.variables:
            return self.variables[name]
        if name.isdigit():
            index = int(name)
            return self.name if index == 0 else self.arguments[index - 1] if index <= len(self.arguments) else None
        if name in ("@", "*"):
            return " ".join(self.arguments)
        special = {"?": self.status, "#": len(self.arguments), "$": 1 if self.process.first else 42, "-": "hB"}
        if name == "!":
            return str(self.last_job) if self.last_job else ""
        if name == "RANDOM":
            return str(self.machine.world.random.randrange(32768))
        if name == "PWD":
            return self.folder
        return str(special[name]) if name in special else None

    def assign(self, name: str, value: str) -> None:
        self.variables[name] = value

    def complain(self, text: str) -> None:
        self.stderr.write(f"{self.shown()}: {text}\n".encode(errors="replace"))

    def shown(self) -> str:
        """How this shell names itself in front of an error."""
        name = self.name.rsplit("/", 1)[-1]
        if name == "bash" or self.name.startswith("/"):
            return f"{self.name}: line 1" if name == "bash" else self.name
        return f"{self.name}: 1" if self.machine.image.base == "debian" else self.name

    def environment(self) -> Mapping[str, str]:
        """What a command that is started gets: as plain a rule as `set -a`, but for names that were never exported."""
        if self.exported is None:
            return {**self.process.env, **{k: v for k, v in self.variables.items() if k in self.process.env}}
        known = self.exported | set(self.process.env)
        return {name: value for name, value in self.variables.items() if name in known}

    def missing(self, word: str, why: str) -> str:
        """What a shell says of a command that it cannot start."""
        if why == DENIED or "/" in word:
            if why != DENIED and "bash" not in self.name:
                return f"{word}: not found"
            return f"{word}: {why}"
        return f"{word}: command not found" if "bash" in self.name else f"{word}: not found"
