"""A node's journal through the kubelet's log query (`GET /api/v1/nodes/NAME/proxy/logs/?query=kubelet`).

The kubelet runs `journalctl --utc --output=short-precise`: no year, no priority. The year is the latest that does not
lie in the future; the priority is read from the message, as klog (`E1121 …`) and logrus (`level=error`) write it.
Sample: `Nov 21 22:31:07.512345 node1 kubelet[811]: E1121 22:31:07.512300 811 pod_workers.go:1301] "Error syncing pod"`
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import quote

from k8sdiag.clock import Clock, format_time, parse_time
from k8sdiag.evidence import JournalEntry
from k8sdiag.target import Api, ApiError

_LINES = "2000"
_DAY = 86400.0
_MONTHS = {name: number for number, name in enumerate("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}
_LINE = re.compile(
    r"(?P<month>[A-Z][a-z]{2}) (?P<day>[ \d]\d) (?P<time>\d\d:\d\d:\d\d(?:\.\d{1,6})?) \S+"
    r" (?P<from>[^\s:\[]+)(?:\[(?P<pid>\d+)\])?: ?(?P<message>.*)"
)
_KLOG = re.compile(r"([IWEF])\d{4} \d\d:\d\d:\d\d")
_LOGRUS = re.compile(r"\blevel=\"?(\w+)")
_PRIORITIES = {
    "I": 6, "W": 4, "E": 3, "F": 2,
    "trace": 7, "debug": 7, "info": 6, "warn": 4, "warning": 4, "error": 3, "fatal": 2, "panic": 2,
}  # fmt: skip
_INFO = 6


class LiveJournal:
    """`Journal` over an Api. Needs `get` on `nodes/proxy` and the kubelet's `enableSystemLogQuery`."""

    def __init__(self, api: Api, clock: Clock) -> None:
        self._api = api
        self._clock = clock

    def read(self, node: str, units: Iterable[str], since: float | None) -> Iterable[JournalEntry]:
        """Entries of these units, oldest first."""
        entries: list[JournalEntry] = []
        for unit in units:
            query = {"query": unit, "tailLines": _LINES}
            if since is not None:
                query["sinceTime"] = format_time(since)
            text = self._api.text(f"/api/v1/nodes/{quote(node, safe='')}/proxy/logs/", query)
            if text.lstrip().startswith("<"):
                # Without the query, the kubelet shows its log folder as a web page.
                raise ApiError(0, "the kubelet does not answer log queries (enableSystemLogQuery is off)")
            entries += parse(text, node, unit, self._clock.now())
        return sorted(entries, key=lambda entry: entry.at)


def parse(text: str, node: str, unit: str, now: float) -> Iterator[JournalEntry]:
    """journalctl's short lines as entries; indented lines continue the entry before them."""
    pending: JournalEntry | None = None
    for line in text.splitlines():
        found = _LINE.match(line)
        if found:
            if pending:
                yield pending
            at = _moment(found["month"], int(found["day"]), found["time"], now)
            fields = {"SYSLOG_IDENTIFIER": found["from"]}
            message = found["message"]
            entry = JournalEntry(at or 0.0, node, unit, _priority(message), found["pid"] or "", message, fields)
            pending = entry if at else None
        elif pending and line[:1].isspace():
            pending = replace(pending, message=f"{pending.message}\n{line.strip()}")
    if pending:
        yield pending


def _moment(month: str, day: int, time: str, now: float) -> float | None:
    """`Nov 21 22:31:07.5`, of the latest year that is not in the future (a day is granted to clocks that differ)."""
    year = datetime.fromtimestamp(now + _DAY, UTC).year
    for candidate in range(year, year - 5, -1):  # 29 February needs up to four years back
        moment = parse_time(f"{candidate}-{_MONTHS.get(month, 0):02}-{day:02}T{time}Z")
        if moment is not None and moment <= now + _DAY:
            return moment
    return None


def _priority(message: str) -> int:
    klog = _KLOG.match(message)
    if klog:
        return _PRIORITIES[klog[1]]
    logrus = _LOGRUS.search(message)
    return _PRIORITIES.get(logrus[1].lower(), _INFO) if logrus else _INFO
