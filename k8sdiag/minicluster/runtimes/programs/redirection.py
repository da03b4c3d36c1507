"""Files as the targets of `>`, `>>` and `<`, with the devices that every container has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from k8sdiag.minicluster.runtimes.machine.files import FileFault
from k8sdiag.minicluster.runtimes.machine.machine import Machine
from k8sdiag.minicluster.runtimes.machine.streams import Discard, Pipe, Writer

if TYPE_CHECKING:
    from k8sdiag.minicluster.runtimes.programs.shell import Shell


class FileWriter:
    """A file that is open for writing."""

    __slots__ = ("_machine", "_path")

    def __init__(self, machine: Machine, path: str) -> None:
        self._machine, self._path = machine, path

    def write(self, data: bytes) -> None:
        self.grow(data, len(data))

    def grow(self, data: bytes, size: int) -> None:
        """Write these bytes, and count as many as are said."""
        entry = self._machine.files.find(self._path)
        if entry is None:
            self._machine.files.write(self._path, data, size=size)
        else:
            self._machine.files.write(self._path, data, append=True)
            more = size - len(data)
            if more > 0:
                whole = self._machine.files.read(self._path)
                self._machine.files.write(self._path, whole.data, size=whole.size + more, mode=whole.mode)
        self._machine.check()


class Target:
    """The three streams of a command."""

    __slots__ = ("stderr", "stdin", "stdout")

    def __init__(self, stdin: Pipe | None, stdout: Writer, stderr: Writer) -> None:
        self.stdin, self.stdout, self.stderr = stdin, stdout, stderr


def opened(shell: Shell, target: Target, descriptor: int, how: str, name: str) -> None:
    """Apply one redirection; FileFault where the file cannot be opened."""
    if how in (">&", "<&") and (name.isdigit() or name == "-"):
        writer: Writer = {"1": target.stdout, "2": target.stderr}.get(name, Discard())
        _set(target, descriptor, writer)
        return
    if how in ("<", "<&"):
        target.stdin = source(shell.machine, shell.path(name), target.stdin)
        return
    _set(target, descriptor, sink(shell.machine, shell.path(name), how == ">>", target))


def _set(target: Target, descriptor: int, writer: Writer) -> None:
    if descriptor == 1:
        target.stdout = writer
    elif descriptor == 2:
        target.stderr = writer


def sink(machine: Machine, path: str, append: bool, target: Target) -> Writer:
    """A file, made empty unless it is appended to."""
    devices = {"/dev/null": Discard(), "/dev/stdout": target.stdout, "/dev/stderr": target.stderr}
    devices |= {"/dev/fd/1": target.stdout, "/dev/fd/2": target.stderr, "/dev/tty": target.stdout}
    for number, writer in (("1", machine.stdout), ("2", machine.stderr)):
        if writer is not None:  # the first process's own: what is written there is in the log
            devices[f"/proc/1/fd/{number}"] = writer
    if path in devices:
        return devices[path]
    if not append or machine.files.find(path) is None:
        machine.files.write(path, b"")
    elif machine.files.find(path) is not None:
        machine.files.write(path, b"", append=True)
    return FileWriter(machine, path)


def source(machine: Machine, path: str, stdin: Pipe | None) -> Pipe | None:
    """A file to read from."""
    if path in ("/dev/stdin", "/dev/fd/0", "/dev/tty"):
        return stdin
    pipe = Pipe()
    if path not in ("/dev/null", "/dev/zero", "/dev/urandom"):
        pipe.write(machine.files.read(path).data)
    pipe.close()
    return pipe


__all__ = ["FileFault", "FileWriter", "Target", "opened", "sink", "source"]
