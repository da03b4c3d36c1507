"""What a process writes to and reads from: logs, files, pipes, the client of an exec."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from k8sdiag.minicluster.nodes.log_lines import ContainerLog
from k8sdiag.minicluster.runtimes.machine.threads import BrokenPipe, Thread, Timers

_LONGEST_LINE = 16 * 1024  # containerd splits longer ones
_PIPE = 64 * 1024


class Writer(Protocol):
    """An open file to write to."""

    def write(self, data: bytes) -> None: ...


class Discard:
    """/dev/null."""

    def write(self, data: bytes) -> None: ...


class Call:
    """Bytes for a function."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[[bytes], None]) -> None:
        self._call = call

    def write(self, data: bytes) -> None:
        if data:
            self._call(data)


class Captured:
    """What `$(…)` takes in."""

    __slots__ = ("data", "overflow")

    def __init__(self, overflow: Callable[[], None]) -> None:
        self.data = bytearray()
        self.overflow = overflow  # what comes of more than a variable can hold

    def write(self, data: bytes) -> None:
        self.data += data
        if len(self.data) > 2**20:
            self.overflow()


class LogWriter:
    """One stream of a container's first process: whole lines go to the log, and to who is attached."""

    __slots__ = ("_log", "_part", "_stream", "_timers", "watchers")

    def __init__(self, log: ContainerLog, timers: Timers, stream: int) -> None:
        self._log, self._timers, self._stream = log, timers, stream
        self._part = b""
        self.watchers: list[Callable[[int, bytes], None]] | None = None

    def write(self, data: bytes) -> None:
        for watcher in self.watchers or ():
            watcher(self._stream, data)
        *lines, self._part = (self._part + data).split(b"\n")
        for line in lines:
            self._tell(line)
        if len(self._part) > _LONGEST_LINE:
            self.flush()

    def flush(self) -> None:
        """The process is gone: what it wrote without a line end is a line too."""
        if self._part:
            self._tell(self._part)
            self._part = b""

    def _tell(self, line: bytes) -> None:
        self._log.write(self._timers.now, line.decode(errors="replace"))


class Pipe:
    """Bytes from one thread to another; also an exec's or a container's stdin."""

    __slots__ = ("_data", "_reader", "closed", "deaf", "heavy")

    def __init__(self) -> None:
        self._data = bytearray()
        self._reader: Thread | None = None
        self.closed = False  # nobody will write any more
        self.deaf = False  # nobody will read any more
        self.heavy = 0  # bytes that were only counted

    def write(self, data: bytes) -> None:
        if self.deaf:
            raise BrokenPipe
        self._data += data
        self._wake()

    @property
    def full(self) -> bool:
        return len(self._data) >= _PIPE

    def close(self) -> None:
        self.closed = True
        self._wake()

    def take(self) -> bytes:
        """All that is there."""
        data = bytes(self._data)
        self._data.clear()
        return data

    def line(self) -> bytes | None:
        """The next line with its end; the rest where the pipe is closed; None where one must wait."""
        at = self._data.find(b"\n")
        if at < 0 and not self.closed:
            return None
        at = len(self._data) if at < 0 else at + 1
        data = bytes(self._data[:at])
        del self._data[:at]
        return data

    def listen(self, reader: Thread) -> None:
        """Wake this thread when there is something, or never will be."""
        self._reader = reader

    def _wake(self) -> None:
        if self._reader is not None:
            reader, self._reader = self._reader, None
            reader.wake()
