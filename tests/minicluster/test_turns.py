"""Requests and controllers take turns: nothing runs at the same time, nobody starves, and waiting stops nobody."""

from __future__ import annotations

import asyncio
import threading
import time
from random import Random

import pytest

from k8sdiag.clock import SystemClock
from k8sdiag.minicluster.hosting import run
from k8sdiag.minicluster.loop import Loop, Queue
from k8sdiag.minicluster.turns import TurnsEventLoop, Worker


class Stage:
    """A worker beside an event loop, and a count of who is inside at the same time."""

    def __init__(self) -> None:
        event_loop = asyncio.get_running_loop()
        assert isinstance(event_loop, TurnsEventLoop)
        self.baton = event_loop.baton
        self.loop = Loop(SystemClock(), Random(1))
        self.worker = Worker(self.loop, event_loop)
        self.inside = 0
        self.most = 0

    def busy(self, seconds: float) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pass
        self.inside -= 1


def test_nothing_runs_at_the_same_time_and_nobody_starves() -> None:
    async def play() -> tuple[int, int, int]:
        stage, done, asked = Stage(), 0, 0

        def work(_: str) -> float:
            nonlocal done
            stage.busy(0.001)
            done += 1
            return 0.0

        queue: Queue[str] = stage.loop.queue("work", work)
        queue.add("always")
        stage.worker.start()
        end = time.monotonic() + 20
        while (done < 100 or asked < 40) and time.monotonic() < end:
            await asyncio.sleep(0)
            stage.busy(0.0005)
            asked += 1
        await stage.worker.stop()
        return stage.most, done, asked

    most, done, asked = run(play())
    assert most == 1
    assert done >= 100
    assert 40 <= asked < 20 * done


def test_who_waits_outside_stops_nobody() -> None:
    async def play() -> tuple[int, bool]:
        stage, answered, asked = Stage(), threading.Event(), 0

        def work(_: str) -> None:
            with stage.baton.outside():
                assert answered.wait(10)

        queue: Queue[str] = stage.loop.queue("work", work)
        queue.add("once")
        stage.worker.start()
        for _ in range(50):
            await asyncio.sleep(0.001)
            asked += 1
        answered.set()
        await stage.worker.stop()
        return asked, answered.is_set()

    assert run(play()) == (50, True)


def test_what_a_controller_does_wakes_the_event_loop() -> None:
    async def play() -> None:
        stage, news = Stage(), asyncio.Event()
        queue: Queue[str] = stage.loop.queue("work", lambda _: news.set())
        stage.worker.start()
        for _ in range(20):
            news.clear()
            queue.add("tell", 0.002)
            await asyncio.wait_for(news.wait(), 2)
        await stage.worker.stop()

    run(play())


def test_a_fault_of_the_loop_itself_is_told_and_survived(caplog: pytest.LogCaptureFixture) -> None:
    class Faulty(Loop):
        def work(self, budget: float) -> float | None:
            raise RuntimeError(f"no slice of {budget}")

    async def play() -> None:
        stage = Stage()
        stage.worker = Worker(Faulty(SystemClock(), Random(1)), stage.worker._event_loop)
        stage.worker.start()
        await asyncio.sleep(0.05)
        await asyncio.wait_for(stage.worker.stop(), 3)

    run(play())
    assert "the work loop failed" in caplog.text
