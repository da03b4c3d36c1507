"""Pods that wait to be placed (pkg/scheduler/backend/queue/scheduling_queue.go).

Active: next by priority, then by how long they wait. Backing off: they failed lately, 1 s doubling to 10 s; where
nothing is active they are taken early, as 1.33 does (SchedulerPopFromBackoffQ), but not after an error. Unschedulable:
until something happens that may help, and at most five minutes. Gated: until their gates go.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from k8sdiag.minicluster.scheduler.pods import PodInfo

ACTIVE, BACKOFF, UNSCHEDULABLE, GATED, AWAY = "active", "backoff", "unschedulable", "gated", "away"
_FIRST_BACKOFF, _LAST_BACKOFF = 1.0, 10.0
_LONGEST_WAIT = 300.0

Key = tuple[str, str]
_Item = tuple[float, float, int, Key]  # two things to order by, the ticket, the pod


@dataclass(slots=True)
class Waiting:
    """A pod in the queue. `plugins` refused it last time; after an error there are none."""

    pod: PodInfo
    since: float
    attempts: int = 0
    place: str = AWAY
    plugins: set[str] = field(default_factory=set)
    ticket: int = 0  # tells a current heap entry from one that was left behind

    def ready_at(self) -> float:
        """When its back-off is over."""
        if not self.attempts:
            return self.since
        return self.since + min(_FIRST_BACKOFF * 2.0 ** min(self.attempts - 1, 8), _LAST_BACKOFF)


class SchedulingQueue:
    def __init__(self) -> None:
        self._waiting: dict[Key, Waiting] = {}
        self._active: list[_Item] = []
        self._backoff: list[_Item] = []
        self._refused_by: dict[str, dict[Key, Waiting]] = {}
        self._tickets = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def get(self, key: Key) -> Waiting | None:
        return self._waiting.get(key)

    def add(self, pod: PodInfo, now: float) -> None:
        """A pod that is new, or has changed in a way that gives it a fresh chance."""
        entry = self._waiting.get(pod.key)
        if entry is None:
            entry = self._waiting[pod.key] = Waiting(pod, now)
        entry.pod = pod
        if pod.gates:
            self._put(entry, GATED)
        else:
            self._put(entry, ACTIVE)

    def remove(self, key: Key) -> None:
        entry = self._waiting.pop(key, None)
        if entry is not None:
            self._leave(entry)

    def pop(self, now: float) -> Waiting | None:
        """The next to try. It is `AWAY` until it is put back or removed."""
        self.wake(now)
        entry = self._top(self._active) or self._early()
        if entry is not None:
            self._leave(entry)
            entry.attempts += 1
        return entry

    def refused(self, entry: Waiting, plugins: Iterable[str], now: float) -> None:
        """Put back one that no node would take; without plugins it was an error, which only time can help."""
        entry.since = now
        entry.plugins = set(plugins)
        self._put(entry, UNSCHEDULABLE if entry.plugins else BACKOFF)

    def refused_by(self, plugin: str) -> Iterator[Waiting]:
        """The unschedulable pods that a filter refused."""
        return iter(list(self._refused_by.get(plugin, {}).values()))

    def move(self, entry: Waiting, now: float) -> None:
        """Something happened that may help an unschedulable pod."""
        if entry.place == UNSCHEDULABLE:
            self._put(entry, BACKOFF if entry.ready_at() > now else ACTIVE)

    def flush(self, now: float) -> None:
        """Try pods again that waited for five minutes (flushUnschedulablePodsLeftover)."""
        for entry in list(self._waiting.values()):
            if entry.place == UNSCHEDULABLE and now - entry.since > _LONGEST_WAIT:
                self.move(entry, now)

    def wake(self, now: float) -> None:
        """What has backed off long enough becomes active."""
        while self._backoff and (self._backoff[0][0] <= now or self._stale(self._backoff[0])):
            entry = self._top(self._backoff)
            if entry is None:
                return
            if entry.ready_at() > now:
                return
            self._put(entry, ACTIVE)

    def next_at(self, now: float) -> float | None:
        """When there is something to try: now, later, or never as far as is known."""
        if self._top(self._active) is not None or self._early() is not None:
            return now
        entry = self._top(self._backoff)
        return None if entry is None else entry.ready_at()

    def places(self) -> dict[str, int]:
        """How many pods are where."""
        found: dict[str, int] = {}
        for entry in self._waiting.values():
            found[entry.place] = found.get(entry.place, 0) + 1
        return found

    def _early(self) -> Waiting | None:
        """The first that backs off and has not failed by an error."""
        if not self._backoff:
            return None
        entry = self._top(self._backoff)
        if entry is None or entry.plugins:
            return entry
        ready = [each for each in self._backoff if not self._stale(each) and self._waiting[each[3]].plugins]
        return self._waiting[min(ready)[3]] if ready else None

    def _put(self, entry: Waiting, place: str) -> None:
        self._leave(entry)
        entry.place = place
        self._tickets += 1
        entry.ticket = self._tickets
        if place == ACTIVE:
            heapq.heappush(self._active, (-entry.pod.priority, entry.since, entry.ticket, entry.pod.key))
        elif place == BACKOFF:
            heapq.heappush(self._backoff, (entry.ready_at(), -entry.pod.priority, entry.ticket, entry.pod.key))
        elif place == UNSCHEDULABLE:
            for plugin in entry.plugins:
                self._refused_by.setdefault(plugin, {})[entry.pod.key] = entry

    def _leave(self, entry: Waiting) -> None:
        if entry.place == UNSCHEDULABLE:
            for plugin in entry.plugins:
                self._refused_by.get(plugin, {}).pop(entry.pod.key, None)
        entry.place = AWAY
        entry.ticket = 0

    def _stale(self, item: _Item) -> bool:
        entry = self._waiting.get(item[3])
        return entry is None or entry.ticket != item[2]

    def _top(self, heap: list[_Item]) -> Waiting | None:
        while heap and self._stale(heap[0]):
            heapq.heappop(heap)
        return self._waiting[heap[0][3]] if heap else None
