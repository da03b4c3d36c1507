"""The journal of one node: what its kubelet and its container runtime write, kept in memory, a bounded number of lines
for each unit, and shown as journalctl shows it (`--utc --output=short-precise`).

klog's lines: k8s.io/klog/v2/internal/serialize, internal/buffer; containerd's: logrus' TextFormatter.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from hashlib import md5

from k8sdiag.clock import Clock
from k8sdiag.evidence import JournalEntry

KUBELET, CONTAINERD = "kubelet", "containerd"
MOST = 2000
"""Lines kept of a unit; the oldest go first."""
_PIDS = {KUBELET: "811", CONTAINERD: "702"}
_SEVERITIES = {"I": 6, "W": 4, "E": 3, "F": 2}
_LEVELS = {"debug": 7, "info": 6, "warning": 4, "error": 3, "fatal": 2}
_PLAIN = re.compile(r"[A-Za-z0-9\-._/@^+]+")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_ESCAPED = re.compile(r'[\\"\x00-\x1f\x7f]')
_NOTHING = "-- No entries --\n"


class Journal:
    """What a node's units have written. Nothing is set aside for a unit before its first line."""

    __slots__ = ("_clock", "_node", "_units")

    def __init__(self, node: str, clock: Clock) -> None:
        self._node, self._clock = node, clock
        self._units: dict[str, deque[tuple[float, int, str]]] = {}

    def klog(self, severity: str, where: str, text: str) -> None:
        """A line of the kubelet: `where` is the source file and line, `text` the message and its keys."""
        now = round(self._clock.now() * 1e6) / 1e6
        stamp = _moment(now).strftime("%m%d %H:%M:%S.%f")
        self._write(KUBELET, now, _SEVERITIES[severity], f"{severity}{stamp} {_PIDS[KUBELET]:>7} {where}] {text}")

    def logrus(self, level: str, message: str, **fields: str) -> None:
        """A line of containerd."""
        now = round(self._clock.now() * 1e6) / 1e6
        stamp = f"{_moment(now):%Y-%m-%dT%H:%M:%S.%f}000Z"
        told = "".join(f" {key}={one if _PLAIN.fullmatch(one) else quoted(one)}" for key, one in fields.items())
        self._write(CONTAINERD, now, _LEVELS[level], f'time="{stamp}" level={level} msg={quoted(message)}{told}')

    def _write(self, unit: str, at: float, priority: int, text: str) -> None:
        lines = self._units.get(unit)
        if lines is None:
            lines = self._units[unit] = deque(maxlen=MOST)
        for line in text.split("\n"):  # journald makes an entry of each line of a unit's output
            lines.append((at, priority, line))

    def entries(self, unit: str = "") -> Iterator[JournalEntry]:
        """Those of a unit, or of all units one after the other, oldest first."""
        for name, lines in [*self._units.items()]:
            if unit in ("", name):
                fields = {"_COMM": name, "_TRANSPORT": "stdout", "_BOOT_ID": self._boot(), "SYSLOG_IDENTIFIER": name}
                for at, priority, line in [*lines]:
                    yield JournalEntry(at, self._node, name, priority, _PIDS.get(name, ""), line, fields)

    def _boot(self) -> str:
        return md5(self._node.encode(), usedforsecurity=False).hexdigest()


class Unwritten:
    """Where lines go that nobody is to read."""

    def logrus(self, level: str, message: str, **fields: str) -> None:
        """Not kept."""


def short_precise(entries: Iterable[JournalEntry]) -> str:
    """As `journalctl --utc --output=short-precise` prints them."""
    lines = [
        f"{_moment(one.at):%b %d %H:%M:%S.%f} {one.node} {one.unit}[{one.pid}]: {one.message}\n" for one in entries
    ]
    return "".join(lines) or _NOTHING


def quoted(text: str) -> str:
    """As Go's %q."""
    return '"' + _ESCAPED.sub(lambda found: _ESCAPES.get(found[0], f"\\x{ord(found[0]):02x}"), text) + '"'


def value(text: str) -> str:
    """A string or an error as klog writes it after `key=`."""
    if "\n" not in text:
        return quoted(text)
    lines = text.split("\n")
    return "<\n\t" + "\n\t".join(lines) + "\n >"


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
