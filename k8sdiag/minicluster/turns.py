"""Two threads that take turns, so that nothing in the cluster needs a lock: requests, and the work of the controllers.

Only who holds the baton runs. The event loop gives it away while it sleeps in `select`; the worker holds it for a slice
of work at a time; and whoever has to wait for something outside (a webhook that a controller's write needs) gives it
away for so long, for the webhook may ask the API server something before it answers.
"""

from __future__ import annotations

import asyncio
import logging
import selectors
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from k8sdiag.minicluster.loop import Loop

LOG = logging.getLogger("k8sdiag.lab")

# How long the controllers may work before requests have their turn again: what a request waits at most, about.
SLICE = 0.004
_AFTER_A_FAULT = 1.0


class Baton:
    """Who has it runs. Who asked first has it next: a thread that gives it away and wants it back waits its turn."""

    def __init__(self) -> None:
        self._next = threading.Lock()
        self._held = threading.Lock()

    def take(self) -> None:
        with self._next:
            self._held.acquire()

    def give(self) -> None:
        self._held.release()

    @contextmanager
    def outside(self) -> Iterator[None]:
        """Without the baton, while waiting for something outside the cluster."""
        self.give()
        try:
            yield
        finally:
            self.take()


class _Selector(selectors.DefaultSelector):
    """Sleeps without the baton."""

    def __init__(self, baton: Baton) -> None:
        super().__init__()
        self._baton = baton

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._baton.give()
        try:
            found: list[tuple[selectors.SelectorKey, int]] = super().select(timeout)
        finally:
            self._baton.take()
        return found


class TurnsEventLoop(asyncio.SelectorEventLoop):
    """An event loop that runs only while it holds its baton."""

    def __init__(self) -> None:
        self.baton = Baton()
        super().__init__(_Selector(self.baton))

    def run_forever(self) -> None:
        self.baton.take()
        try:
            super().run_forever()
        finally:
            self.baton.give()


class Worker:
    """Runs a work loop in slices, in a thread of its own: at once while there is something to do, else when due."""

    def __init__(self, work: Loop, event_loop: TurnsEventLoop) -> None:
        self._work, self._event_loop, self._baton = work, event_loop, event_loop.baton
        self._news = threading.Event()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="controllers", daemon=True)

    def start(self) -> None:
        self._work.on_plan = self._tell
        self._thread.start()

    async def stop(self) -> None:
        """Let it end its slice. The event loop goes on meanwhile, for the worker may need its turn to end."""
        self._ending = True
        self._news.set()
        await asyncio.to_thread(self._thread.join)
        self._work.on_plan = None

    def _tell(self) -> None:
        if not self._news.is_set():
            self._news.set()

    def _run(self) -> None:
        while not self._ending:
            pause = self._slice()
            with suppress(RuntimeError):  # the event loop is closed: nobody is there to be told
                self._event_loop.call_soon_threadsafe(_nothing)  # what was done may have woken something there
            if pause is None or pause > 0:
                self._news.wait(pause)

    def _slice(self) -> float | None:
        self._baton.take()
        try:
            self._news.clear()
            return self._work.work(SLICE)
        except Exception:  # (the loop's own fault, for reconcilers' are its business): go on, and say so
            LOG.exception("the work loop failed")
            return _AFTER_A_FAULT
        finally:
            self._baton.give()


def _nothing() -> None:
    """Wakes the event loop."""
