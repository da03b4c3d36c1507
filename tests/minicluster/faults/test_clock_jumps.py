"""The wall clock jumps under a running lab: nothing spins, nothing that is planned is put off for as long as the jump,
and no node or pod is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from k8sdiag.clock import SystemClock
from k8sdiag.evidence import Json
from k8sdiag.minicluster.cluster import MiniCluster
from k8sdiag.minicluster.hosting import hosting, run
from k8sdiag.minicluster.loop import Loop, Queue
from k8sdiag.minicluster.turns import TurnsEventLoop, Worker

HOUR = 3600.0
POD: Json = {"metadata": {"name": "web"}, "spec": {"containers": [{"name": "app", "image": "nginx"}]}}


class JumpingClock:
    """The wall clock, set wrong."""

    def __init__(self) -> None:
        self.off = 0.0

    def now(self) -> float:
        return time.time() + self.off


async def _until(true: Callable[[], bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0.02)


def _ready(cluster: MiniCluster) -> bool:
    nodes = cluster.client().list("nodes")
    return all(
        any(each["type"] == "Ready" and each["status"] == "True" for each in node["status"]["conditions"])
        for node in nodes
    )


def _running(cluster: MiniCluster, name: str) -> bool:
    pod = cluster.client().find("pods", "default", name)
    return pod is not None and pod["status"]["phase"] == "Running"


@pytest.mark.slow
@pytest.mark.parametrize("jumps", [(HOUR,), (-HOUR,), (HOUR, -HOUR), (-HOUR, HOUR, -24 * HOUR)], ids=str)
def test_jumps(tmp_path: Path, jumps: tuple[float, ...]) -> None:
    run(_jump(tmp_path, jumps))


async def _jump(folder: Path, jumps: tuple[float, ...]) -> None:
    clock = JumpingClock()
    cluster = MiniCluster(clock, seed=3, path=folder / "state.db").start(2)
    try:
        async with hosting(cluster, folder / "keys", "127.0.0.1", 0):
            client = cluster.client()
            await _until(lambda: client.find("serviceaccounts", "default", "default") is not None)
            uid = client.create("pods", POD, "default")["metadata"]["uid"]
            await _until(lambda: _running(cluster, "web"))
            ticks: list[float] = []
            cluster.loop.every("ticks", 0.5, lambda: ticks.append(time.monotonic()), 0.5)
            for number, jump in enumerate(jumps):
                clock.off += jump
                ticks.clear()
                revision, worked = cluster.storage.revision, time.process_time()
                await asyncio.sleep(2.5)
                assert 3 <= len(ticks) <= 7
                assert cluster.storage.revision - revision < 200
                assert time.process_time() - worked < 1.0
                client.create("pods", {**POD, "metadata": {"name": f"web-{number}"}}, "default")
                await _until(lambda number=number: _running(cluster, f"web-{number}"))  # type: ignore[misc]
            await _until(lambda: _ready(cluster), 15)
            assert client.get("pods", "default", "web")["metadata"]["uid"] == uid
            assert _running(cluster, "web")
    finally:
        cluster.close()


def test_news_at_the_very_end_keep_nobody_running() -> None:
    """Told to end in the same moment as something comes in."""

    async def end() -> None:
        event_loop = asyncio.get_running_loop()
        assert isinstance(event_loop, TurnsEventLoop)
        loop = Loop(SystemClock(), Random(1))
        queue: Queue[str] = loop.queue("nothing", lambda _: None)
        for _ in range(20):
            queue.add("later", 100)
            worker = Worker(loop, event_loop)
            worker.start()
            await asyncio.sleep(0.001)
            queue.add("now")
            await asyncio.wait_for(worker.stop(), timeout=2)

    run(end())
