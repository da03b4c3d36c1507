"""A container's log, and the part of it that was asked for, as a kubelet cuts it (pkg/kubelet/kuberuntime/logs)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from k8sdiag.minicluster.nodes.agent import STDOUT, Closed, LogOptions, Output

KEPT_LINES = 10_000  # of one container; the kubelet rotates at 10 MiB


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line, without its line end."""

    at: float
    text: str


@dataclass(slots=True)
class ContainerLog:
    """What one run of a container has written so far, and who is following it."""

    lines: list[LogLine] = field(default_factory=list)
    ended: bool = False
    followers: list[Callable[[LogLine | None], None]] = field(default_factory=list)

    def write(self, at: float, text: str) -> None:
        line = LogLine(at, text)
        self.lines.append(line)
        if len(self.lines) > KEPT_LINES:
            del self.lines[: KEPT_LINES // 10]
        for follower in [*self.followers]:
            follower(line)

    def end(self) -> None:
        """The container has stopped."""
        self.ended = True
        followers, self.followers = self.followers, []
        for follower in followers:
            follower(None)


class _Following(Closed):
    """A `kubectl logs -f`: writes every new line until the container stops or the client goes."""

    def __init__(self, log: ContainerLog, options: LogOptions, output: Output, left: int | None) -> None:
        self._log = log
        self._options = options
        self._output = output
        self._left = left
        log.followers.append(self._take)

    def close(self) -> None:
        if self._take in self._log.followers:
            self._log.followers.remove(self._take)

    def _take(self, line: LogLine | None) -> None:
        if line is None:
            self._output.end()
            return
        data = _bytes(line, self._options)[: self._left]
        self._output.write(STDOUT, data)
        if self._left is not None:
            self._left -= len(data)
            if self._left <= 0:
                self.close()
                self._output.end()


def serve(log: ContainerLog, options: LogOptions, output: Output) -> Closed:
    """Write what was asked for; stay where it is to be followed."""
    data = b"".join(_bytes(line, options) for line in chosen(log.lines, options))[: options.limit]
    if data:
        output.write(STDOUT, data)
    left = None if options.limit is None else options.limit - len(data)
    if options.follow and not log.ended and (left is None or left > 0):
        return _Following(log, options, output, left)
    output.end()
    return Closed()


def chosen(lines: Sequence[LogLine], options: LogOptions) -> Sequence[LogLine]:
    """First the last so many lines, of those the ones since then: in the kubelet's order."""
    if options.tail is not None:
        lines = lines[len(lines) - options.tail :] if 0 < options.tail <= len(lines) else lines if options.tail else ()
    since = options.since
    return lines if since is None else [line for line in lines if line.at >= since]


def _bytes(line: LogLine, options: LogOptions) -> bytes:
    if not options.timestamps:
        return f"{line.text}\n".encode()
    moment = datetime.fromtimestamp(line.at, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}000Z {line.text}\n".encode()
