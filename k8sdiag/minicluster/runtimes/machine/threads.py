"""Programs as generators on the work loop: one that waits costs nothing until its moment has come.

A program yields the seconds for which it wants to sleep, or None to sleep until it is woken. One that never sleeps is
made to: after so many operations its thread waits for a while, and counts as one that keeps a core busy.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

from k8sdiag.minicluster.loop import Loop
from k8sdiag.minicluster.runtimes.machine.files import FileFault

Steps = Generator[float | None, None, int]

_OPERATIONS = 500  # after which a thread that has not slept is made to wait
_LONGEST_TURN = 10.0


class Timers:
    """Calls to be made later, on one queue of the loop."""

    __slots__ = ("_calls", "_count", "_queue", "loop")

    def __init__(self, loop: Loop, name: str) -> None:
        self.loop = loop
        self._calls: dict[int, Callable[[], None]] = {}
        self._count = 0
        self._queue = loop.queue(name, self._run)

    @property
    def now(self) -> float:
        return self.loop.clock.now()

    def later(self, seconds: float, call: Callable[[], None]) -> int:
        """Make a call after so many seconds; the number cancels it."""
        self._count += 1
        self._calls[self._count] = call
        self._queue.add(self._count, max(0.0, seconds))
        return self._count

    def cancel(self, number: int) -> None:
        if self._calls.pop(number, None) is not None:
            self._queue.forget(number)

    def _run(self, number: int) -> None:
        call = self._calls.pop(number, None)
        if call is not None:
            call()


class BrokenPipe(Exception):  # noqa: N818 (a signal, not a fault)
    """Nobody reads any more of what a program writes."""


class OutOfMemory(Exception):  # noqa: N818 (an end, not a fault)
    """The container has passed its memory limit: all its processes are killed."""


class Thread:
    """A program that runs: a generator and the timer that will resume it."""

    __slots__ = ("_left", "_steps", "_timer", "_timers", "_turns", "_waiters", "busy", "code", "on_end", "over")

    def __init__(self, timers: Timers, steps: Steps, on_end: Callable[[int], None] | None = None) -> None:
        self._timers = timers
        self._steps: Steps | None = steps
        self._timer = 0
        self._left = _OPERATIONS
        self._turns = 0
        self._waiters: list[Thread] | None = None
        self.on_end = on_end
        self.over = False
        self.busy = False
        self.code = 0

    def start(self) -> Thread:
        """Run until it first waits."""
        self._step()
        return self

    def start_soon(self) -> Thread:
        self._timer = self._timers.later(0.0, self._step)
        return self

    def wake(self) -> None:
        """Resume it now, whatever it is waiting for."""
        if not self.over:
            self._timers.cancel(self._timer)
            self._timer = self._timers.later(0.0, self._step)

    def spend(self) -> float | None:
        """One operation is done: the seconds that the thread must wait because it did too many, or None."""
        self._left -= 1
        if self._left > 0:
            return None
        self._turns += 1
        return min(float(self._turns), _LONGEST_TURN)

    def join(self, waiter: Thread) -> None:
        """Wake the waiter when this one is over."""
        self._waiters = [*(self._waiters or ()), waiter]

    def kill(self, code: int = 137) -> None:
        """End it where it is."""
        if not self.over:
            steps = self._steps
            self._finish(code)
            if steps is not None and not getattr(steps, "gi_running", False):
                steps.close()

    def _step(self) -> None:
        steps = self._steps
        if self.over or steps is None:
            return
        self.busy = False
        self._left = _OPERATIONS
        try:
            seconds = next(steps)
        except StopIteration as end:
            self._finish(end.value)
            return
        except BrokenPipe:
            self._finish(141)
            return
        except OutOfMemory:
            self._finish(137)
            return
        except FileFault:  # what it wrote to is full or gone, and it did not look
            self._finish(1)
            return
        except RecursionError:
            self._finish(139)
            return
        if self.over:
            steps.close()
            return
        self.busy = self._left <= 0
        if not self.busy:
            self._turns = 0
        if seconds is not None:
            self._timer = self._timers.later(seconds, self._step)

    def _finish(self, code: int) -> None:
        if self.over:
            return
        self.over, self.busy, self.code = True, False, code
        self._timers.cancel(self._timer)
        self._steps = None
        for waiter in self._waiters or ():
            waiter.wake()
        if self.on_end is not None:
            self.on_end(code)
