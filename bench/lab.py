"""The mini-cluster under load, in one process on one core: how soon it is ready, how many nodes, pods and watches it
bears, how long others wait meanwhile. The client is on another core, where there is one, and speaks TLS as any does.

There is no peer to measure beside it that runs here; the limits are those that were promised.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench._lab_client import Connection, Door, Watching, count, door, post_all, watch

NODES, PODS, WATCHES, WRITES = 5_000, 10_000, 1_000, 200
READY, REGISTERED, SCHEDULED, LISTED = 1.5, 20.0, 60.0, 2.0
STARTS = 5
PODS_PATH = "/api/v1/namespaces/default/pods"
MAPS_PATH = "/api/v1/namespaces/default/configmaps"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
NAMES = re.compile(rb'"name":"seen-(\d+)"')


class Figures:
    """Prints what was measured beside its limit, and remembers what was over."""

    def __init__(self) -> None:
        self.over = 0

    def say(self, what: str, seconds: float, limit: float) -> None:
        self.over += seconds > limit
        print(f"{what:<62} {seconds:7.2f} s  (limit {limit:g} s){'  OVER' if seconds > limit else ''}", flush=True)

    def state(self, what: str, figure: str) -> None:
        print(f"{what:<62} {figure}", flush=True)


class Lab:
    """A lab in a folder of its own, pinned to the first core."""

    def __init__(self, home: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = str(free.getsockname()[1])
        self.folder = home / "k8sdiag" / "labs" / "bench"
        self._environ = {**os.environ, "XDG_STATE_HOME": str(home), "K8SDIAG_LAB": "bench"}
        # Byte code is kept, as it is wherever a package is installed: ours is not to be compiled for each run.
        self._environ.pop("PYTHONDONTWRITEBYTECODE", None)

    def up(self, *words: str) -> float:
        """Start it; the seconds until the command said that it is ready."""
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, set(ALL_CORES[:1]))  # what is started inherits it
        try:
            begin = time.perf_counter()
            self._run("up", "--port", self._port, *words)
            return time.perf_counter() - begin
        finally:
            os.sched_setaffinity(0, set(cores))

    def down(self) -> None:
        self._run("down")

    def forget(self) -> None:
        self._run("reset", "--yes")

    def _run(self, *words: str) -> None:
        command = [str(Path(sys.executable).parent / "k8sdiag"), "lab", *words]
        subprocess.run(command, env=self._environ, check=True, stdout=subprocess.DEVNULL)

    def memory(self) -> int:
        """What its process has in memory, in bytes."""
        status = Path(f"/proc/{self._pid()}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    def worked(self) -> float:
        """The seconds that its process has had the core for: on a busy machine the honest part of what it took."""
        fields = Path(f"/proc/{self._pid()}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _pid(self) -> int:
        pid: int = json.loads((self.folder / "lab.json").read_text())["pid"]
        assert os.sched_getaffinity(pid) == set(ALL_CORES[:1])
        return pid


ALL_CORES = sorted(os.sched_getaffinity(0))


def main() -> int:
    if len(ALL_CORES) > 1:
        os.sched_setaffinity(0, set(ALL_CORES[1:]))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4 * WATCHES)), hard))
    figures = Figures()
    with tempfile.TemporaryDirectory() as home:
        lab = Lab(Path(home))
        try:
            _starts(lab, figures)
            asyncio.run(_nodes(lab, figures))
            _load(lab, figures)
        finally:
            lab.down()
    return int(figures.over > 0)


def _starts(lab: Lab, figures: Figures) -> None:
    lab.up()  # the byte code is there from now on
    taken = []
    for _ in range(STARTS):
        lab.down()
        lab.forget()
        taken.append(lab.up())
    figures.say(f"`lab up`, three nodes, empty: ready, median of {STARTS}", sorted(taken)[STARTS // 2], READY)
    figures.state("  memory with nothing in it", f"{lab.memory() / 1e6:7.0f} MB")
    lab.down()
    lab.forget()


async def _nodes(lab: Lab, figures: Figures) -> None:
    """Nodes that a client registers, as kubelets do."""
    lab.up("--nodes", "0")
    bodies = [json.dumps(_node(index)).encode() for index in range(NODES)]
    with _probing(lab) as lags:
        begin = time.perf_counter()
        way = door(lab.folder)
        await post_all(way, "/api/v1/nodes", bodies)
        figures.say(f"{NODES:,} nodes POSTed", time.perf_counter() - begin, REGISTERED)
    _say_lags(figures, lags)
    await _expect(way, "/api/v1/nodes", NODES)
    lab.down()
    lab.forget()


def _load(lab: Lab, figures: Figures) -> None:
    figures.say(f"`lab up --nodes {NODES}`: all registered", lab.up("--nodes", str(NODES)), REGISTERED)
    asyncio.run(_pods(lab, figures))
    asyncio.run(_watches(lab, figures))
    lab.down()
    seconds = lab.up("--nodes", str(NODES))
    figures.state(f"started again with {PODS:,} pods and {NODES:,} nodes kept: ready", f"{seconds:7.2f} s")
    asyncio.run(_expect(door(lab.folder), PODS_PATH, PODS))


async def _pods(lab: Lab, figures: Figures) -> None:
    way = door(lab.folder)
    await _expect(way, "/api/v1/nodes", NODES)
    await _calm(way)
    before, worked = lab.memory(), lab.worked()
    bodies = [json.dumps(_pod(index)).encode() for index in range(PODS)]
    with _probing(lab) as lags:
        begin = time.perf_counter()
        await post_all(way, PODS_PATH, bodies)
        created = time.perf_counter() - begin
        await _until_none(way, "spec.nodeName=")
        scheduled = time.perf_counter() - begin
        await _until_none(way, "status.phase!=Running")
        running, worked = time.perf_counter() - begin, lab.worked() - worked
    figures.say(f"{PODS:,} pods on {NODES:,} nodes: created and scheduled", scheduled, SCHEDULED)
    figures.state(
        "  created after, all Running after", f"{created:7.2f} s, {running:.2f} s; of the core {worked:.2f} s"
    )
    _say_lags(figures, lags)
    await _calm(way)
    figures.state("  memory of an idle pod", f"{(lab.memory() - before) / PODS / 1e3:7.1f} KB")
    figures.state("  memory in all", f"{lab.memory() / 1e6:7.0f} MB")
    await _lists(way, figures)


async def _lists(way: Door, figures: Figures) -> None:
    connection = await Connection.open(way)
    whole, rows, pages = [], [], []
    for _ in range(3):
        begin = time.perf_counter()
        answer = await connection.ask("GET", PODS_PATH)
        whole.append(time.perf_counter() - begin)
        assert count(answer) == PODS
        begin = time.perf_counter()
        table = await connection.ask("GET", PODS_PATH, accept=TABLE)
        rows.append(time.perf_counter() - begin)
        assert count(table, "rows") == PODS
        taken, found, token = 0.0, 0, ""
        while token or not found:
            begin = time.perf_counter()
            page = await connection.ask("GET", f"{PODS_PATH}?limit=500{f'&continue={token}' if token else ''}")
            taken += time.perf_counter() - begin
            token, found = json.loads(page)["metadata"].get("continue", ""), found + count(page)
        assert found == PODS
        pages.append(taken)
    for what, seconds in (("whole", whole), ("as a table", rows), ("in pages of 500", pages)):
        figures.say(f"a list of {PODS:,} pods {what}, median of 3", sorted(seconds)[1], LISTED)
    connection.close()


async def _watches(lab: Lab, figures: Figures) -> None:
    """Each watcher gets each event, in order."""
    way = door(lab.folder)
    version = json.loads(await (await Connection.open(way)).ask("GET", MAPS_PATH))["metadata"]["resourceVersion"]
    path = f"{MAPS_PATH}?watch=true&resourceVersion={version}"
    begin = time.perf_counter()
    watchers: list[Watching] = []
    for _ in range(WATCHES // 50):
        watchers += await asyncio.gather(*(watch(way, path) for _ in range(50)))
    figures.state(f"{WATCHES:,} watches: open, a TLS connection each", f"{time.perf_counter() - begin:7.2f} s")
    await asyncio.gather(*(watcher.answered.wait() for watcher in watchers))
    with _probing(lab) as lags:
        begin = time.perf_counter()
        bodies = [json.dumps({"metadata": {"name": f"seen-{number}"}}).encode() for number in range(WRITES)]
        await post_all(way, MAPS_PATH, bodies, connections=1)
        wanted = [str(number).encode() for number in range(WRITES)]
        for _ in range(600):
            if all(NAMES.findall(watcher.received) == wanted for watcher in watchers):
                break
            await asyncio.sleep(0.1)
        taken = time.perf_counter() - begin
    lost = sum(watcher.lost for watcher in watchers)
    short = sum(NAMES.findall(watcher.received) != wanted for watcher in watchers)
    figures.over += bool(lost or short)
    figures.state(f"{WRITES} writes to all {WATCHES:,}: seen by all after", f"{taken:7.2f} s")
    figures.state("  watches cut off, watches without some event", f"{lost:7d}, {short} (limit 0)")
    _say_lags(figures, lags)
    for watcher in watchers:
        watcher.transport.abort()


async def _expect(way: Door, path: str, wanted: int) -> None:
    connection = await Connection.open(way)
    found = count(await connection.ask("GET", path))
    assert found == wanted, f"{path}: {found}"
    connection.close()


async def _until_none(way: Door, selector: str) -> None:
    """Until no pod is left that a field selector matches."""
    connection = await Connection.open(way)
    encoded = selector.replace("=", "%3D").replace("!", "%21")
    left = 1
    while left:
        left = count(await connection.ask("GET", f"{PODS_PATH}?limit=1&fieldSelector={encoded}"))
        await asyncio.sleep(0.2 if left else 0)
    connection.close()


async def _calm(way: Door) -> None:
    """Until the lab has caught up: the same answer is quick several times in a row."""
    connection, quick = await Connection.open(way), 0
    while quick < 20:
        begin = time.perf_counter()
        await connection.ask("GET", "/readyz")
        quick = quick + 1 if time.perf_counter() - begin < 0.003 else 0
        await asyncio.sleep(0.1)
    connection.close()


@contextmanager
def _probing(lab: Lab) -> Iterator[list[float]]:
    """What others wait for an answer while the block runs, filled in at its end."""
    taken: list[float] = []
    with subprocess.Popen(
        [sys.executable, "-m", "bench._lab_probe", str(lab.folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as probe:
        assert probe.stdout is not None
        probe.stdout.readline()
        yield taken
        taken.extend(sorted(json.loads(probe.communicate()[0])))


def _say_lags(figures: Figures, taken: list[float]) -> None:
    p50, p99, worst = (taken[min(int(len(taken) * part), len(taken) - 1)] * 1000 for part in (0.5, 0.99, 1))
    figures.state("  GET /readyz meanwhile: p50, p99, longest", f"{p50:7.1f} ms, {p99:.1f} ms, {worst:.0f} ms")


def _node(index: int) -> dict[str, object]:
    room = {"cpu": "8", "memory": "32Gi", "pods": "110", "ephemeral-storage": "100Gi"}
    condition = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready"}
    name = f"kubelet-{index}"
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}},
        "status": {"capacity": room, "allocatable": room, "conditions": [condition]},
    }


def _pod(index: int) -> dict[str, object]:
    requests = {"cpu": "10m", "memory": "16Mi"}
    container = {"name": "app", "image": "registry.k8s.io/pause:3.10", "resources": {"requests": requests}}
    return {"metadata": {"name": f"pod-{index}", "labels": {"app": "load"}}, "spec": {"containers": [container]}}


if __name__ == "__main__":
    sys.exit(main())
