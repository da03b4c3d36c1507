"""One work loop for the scheduler, the controllers and the nodes: keyed queues with back-off, real or stepped in time.

A key is queued at most once; the earlier time wins. `work` does what is due for as long as it is given, so that a
server in the same thread stays responsive. With a ManualClock `settle` and `run_until` move time from one planned
moment to the next, which makes a five-minute back-off take no time and every run the same.
"""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable, Hashable
from random import Random
from typing import Any, Generic, TypeVar

from k8sdiag.clock import Clock, ManualClock, stopwatch

LOG = logging.getLogger("k8sdiag.minicluster")

K = TypeVar("K", bound=Hashable)

# client-go's DefaultTypedControllerRateLimiter: 5 ms doubling to 1000 s.
_FIRST_RETRY = 0.005
_LAST_RETRY = 1000.0
_SET_BACK = 1.0  # less is what keeping the time right takes


class Queue(Generic[K]):
    """Keys that wait for one reconciler."""

    def __init__(self, loop: Loop, name: str, reconcile: Callable[[K], float | None]) -> None:
        self.name = name
        self._loop = loop
        self._reconcile = reconcile
        self._due: dict[K, float] = {}  # the one moment at which a key is to be looked at
        self._failures: dict[K, int] = {}

    def __len__(self) -> int:
        return len(self._due)

    def add(self, key: K, after: float = 0.0) -> None:
        """Look at `key` in `after` seconds, or earlier where that was planned."""
        at = self._loop.clock.now() + after
        planned = self._due.get(key)
        if planned is None or at < planned:
            self._due[key] = at
            self._loop.plan(at, self, key)

    def forget(self, key: K) -> None:
        """Drop what is planned for `key`, and the memory of its failures."""
        self._due.pop(key, None)
        self._failures.pop(key, None)

    def waits(self, key: K, at: float) -> bool:
        """Whether this moment is still the planned one for `key`."""
        return self._due.get(key) == at

    def shift(self, seconds: float) -> None:
        """The clock was set: all that is planned moves along."""
        self._due = {key: at + seconds for key, at in self._due.items()}

    def run(self, key: K, at: float) -> bool:
        """Reconcile `key` if this moment is still the planned one."""
        if not self.waits(key, at):
            return False
        del self._due[key]
        try:
            again = self._reconcile(key)
        except Exception as fault:  # the boundary: a reconciler that fails is tried again
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            # A refusal (conflict, quota, a webhook that is down) comes with a cluster's life; all else is our fault.
            refused = hasattr(fault, "code")
            LOG.log(
                logging.DEBUG if refused else logging.ERROR, "%s: %s: %s", self.name, key, fault, exc_info=not refused
            )
            again = min(_FIRST_RETRY * 2.0 ** (failures - 1), _LAST_RETRY)
        else:
            self._failures.pop(key, None)
        if again is not None:
            self.add(key, again)
        return True


class Loop:
    """All queues of a cluster, in order of time, then of planning."""

    def __init__(self, clock: Clock, random: Random) -> None:
        self.clock = clock
        self.random = random
        self.on_plan: Callable[[], None] | None = None  # tells whoever runs the loop that something came in
        self._heap: list[tuple[float, int, Queue[Any], Hashable]] = []
        self._count = 0
        self._queues: list[Queue[Any]] = []
        self._last = clock.now()

    def queue(self, name: str, reconcile: Callable[[K], float | None]) -> Queue[K]:
        made = Queue(self, name, reconcile)
        self._queues.append(made)
        return made

    def every(self, name: str, seconds: float, run: Callable[[], None], first: float = 0.0) -> None:
        """Call `run` after `first` seconds and then every so many."""

        def again(_: str) -> float:
            run()
            return seconds

        self.queue(name, again).add(name, first)

    def plan(self, at: float, queue: Queue[Any], key: Hashable) -> None:
        """For queues: put a moment into the plan."""
        self._count += 1
        heapq.heappush(self._heap, (at, self._count, queue, key))
        if self.on_plan is not None:
            self.on_plan()

    def next_at(self) -> float | None:
        """When something is planned next; None for never."""
        while self._heap and self._stale(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def work(self, budget: float) -> float | None:
        """Do what is due for at most `budget` seconds. The seconds until more is due (0: at once), None for never."""
        end = stopwatch() + budget
        self._follow_clock()
        while self._step(self.clock.now()):
            if stopwatch() >= end:
                break
        at = self.next_at()
        return None if at is None else max(0.0, at - self.clock.now())

    def _follow_clock(self) -> None:
        """A wall clock that was set back must not put off what is planned until it is where it was."""
        now = self.clock.now()
        back = now - self._last
        self._last = now
        if back < -_SET_BACK:
            for queue in self._queues:
                queue.shift(back)
            self._heap = [(at + back, count, queue, key) for at, count, queue, key in self._heap]
            heapq.heapify(self._heap)

    def settle(self, most: int = 1_000_000) -> None:
        """Do all that is due now, and what comes of it, without moving time."""
        for _ in range(most):
            if not self._step(self.clock.now()):
                return
        raise RuntimeError(f"the cluster does not settle: {self._busy()} is planned again and again")

    def run_until(self, at: float) -> None:
        """Step a ManualClock from one planned moment to the next, up to `at`."""
        clock = self.clock
        if not isinstance(clock, ManualClock):
            raise TypeError("only a clock that stands still can be stepped")
        while True:
            self.settle()
            upcoming = self.next_at()
            if upcoming is None or upcoming > at:
                clock.at = max(clock.at, at)
                return
            clock.at = max(clock.at, upcoming)

    def run_for(self, seconds: float) -> None:
        self.run_until(self.clock.now() + seconds)

    def _step(self, now: float) -> bool:
        while self._heap and self._heap[0][0] <= now:
            at, _, queue, key = heapq.heappop(self._heap)
            if queue.run(key, at):
                return True
        return False

    def _stale(self, item: tuple[float, int, Queue[Any], Hashable]) -> bool:
        return not item[2].waits(item[3], item[0])

    def _busy(self) -> str:
        return f"{self._heap[0][2].name} {self._heap[0][3]}" if self._heap else "nothing"
