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
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from k8sdiag.minicluster.loop import Loop

LOG = logging.getLogger("k8sdiag.lab")

# How long the controllers may work before requests have their turn again: what a request waits at most, about.
SLICE = 0.004
_AFTER_A_FAULT = 1.0


class Baton:
    """Who has it runs. It is handed straight to whoever has waited longest: a thread that gives it away and wants it
    back in the same moment waits its turn, whoever is quicker to wake up."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._held = False
        self._waiting: deque[threading.Lock] = deque()

    def take(self) -> None:
        with self._guard:
            if not self._held:
                self._held = True
                return
            turn = self._line_up()
        turn.acquire()

    def give(self) -> None:
        with self._guard:
            self._hand_on()

    def pass_on(self) -> None:
        """Let the others have it, and have it again after them: at once where nobody waits."""
        with self._guard:
            if not self._waiting:
                return
            turn = self._line_up()
            self._hand_on()
        turn.acquire()

    @contextmanager
    def outside(self) -> Iterator[None]:
        """Without the baton, while waiting for something outside the cluster."""
        self.give()
        try:
            yield
        finally:
            self.take()

    def _line_up(self) -> threading.Lock:
        turn = threading.Lock()
        turn.acquire()
        self._waiting.append(turn)
        return turn

    def _hand_on(self) -> None:
        if self._waiting:
            self._waiting.popleft().release()
        else:
            self._held = False


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
        self._baton.take()
        try:
            while not self._ending:
                pause = self._slice()
                with suppress(RuntimeError):  # the event loop is closed: nobody is there to be told
                    self._event_loop.call_soon_threadsafe(_nothing)  # what was done may have woken something there
                if pause is not None and pause <= 0:
                    self._baton.pass_on()
                    continue
                with self._baton.outside():
                    self._news.wait(pause)
        finally:
            self._baton.give()

    def _slice(self) -> float | None:
        self._news.clear()
        try:
            return self._work.work(SLICE)
        except Exception:  # (the loop's own fault, for reconcilers' are its business): go on, and say so
            LOG.exception("the work loop failed")
            return _AFTER_A_FAULT


def _nothing() -> None:
    """Wakes the event loop."""
