"""systemd's Journal Export Format: `KEY=value` lines, a binary-safe long form, an empty line between entries.

Specification: systemd.io/JOURNAL_EXPORT_FORMATS.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO

from k8sdiag.evidence import JournalEntry

MAX_FIELD = 1 << 20
"""A longer field is read past and cut."""
_PRIORITIES = frozenset("01234567")
_KEPT = frozenset({"_COMM", "_TRANSPORT", "_BOOT_ID", "SYSLOG_IDENTIFIER"})


def parse_export(stream: IO[bytes], node: str, unit: str) -> Iterator[JournalEntry]:
    """Entries of one node's unit; a stream that breaks off ends the last entry where it broke."""
    fields: dict[str, str] = {}
    while True:
        line = stream.readline(MAX_FIELD)
        if not line or line == b"\n":
            if fields:
                yield _entry(fields, node, unit)
                fields = {}
            if not line:
                return
            continue
        name, mark, value = line.partition(b"=")
        if not mark:
            value = _binary(stream)
        elif not line.endswith(b"\n"):
            _skip_line(stream)
        key = name.strip().decode("ascii", "replace")
        if key == "MESSAGE" or key.startswith("_") or key in ("PRIORITY", "SYSLOG_IDENTIFIER"):
            fields[key] = value.rstrip(b"\n").decode("utf-8", "replace")


def write_export(stream: IO[bytes], entries: Iterable[JournalEntry]) -> None:
    """Entries as `journalctl --output=export` writes them."""
    for number, entry in enumerate(entries):
        stamp = round(entry.at * 1e6)
        fields = {
            "__CURSOR": f"s=k8sdiag;i={number:x}",
            "__REALTIME_TIMESTAMP": str(stamp),
            "_HOSTNAME": entry.node,
            "PRIORITY": str(entry.priority),
            "_PID": entry.pid,
            "_SYSTEMD_UNIT": f"{entry.unit}.service",
            **entry.fields,
            "MESSAGE": entry.message,
        }
        for key, text in fields.items():
            value = text.encode("utf-8", "replace")
            if b"\n" in value:
                stream.write(key.encode() + b"\n" + len(value).to_bytes(8, "little") + value + b"\n")
            elif value or key == "MESSAGE":
                stream.write(key.encode() + b"=" + value + b"\n")
        stream.write(b"\n")


def _binary(stream: IO[bytes]) -> bytes:
    size = int.from_bytes(stream.read(8), "little")
    value = stream.read(min(size, MAX_FIELD))
    left = size - len(value)
    while left > 0:
        part = stream.read(min(left, MAX_FIELD))
        if not part:
            break
        left -= len(part)
    stream.read(1)  # the newline that ends the field
    return value


def _skip_line(stream: IO[bytes]) -> None:
    while True:
        part = stream.readline(MAX_FIELD)
        if not part or part.endswith(b"\n"):
            return


def _entry(fields: dict[str, str], node: str, unit: str) -> JournalEntry:
    stamp, priority = fields.get("__REALTIME_TIMESTAMP", ""), fields.get("PRIORITY", "")
    return JournalEntry(
        at=int(stamp) / 1e6 if stamp.isascii() and stamp.isdecimal() else 0.0,
        node=node,
        unit=unit.removesuffix(".service"),
        priority=int(priority) if priority in _PRIORITIES else 6,
        pid=fields.get("_PID", ""),
        message=fields.get("MESSAGE", ""),
        fields={key: value for key, value in fields.items() if key in _KEPT},
    )
