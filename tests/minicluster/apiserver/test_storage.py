"""What the storage keeps, in which order, over restarts and crashes, and what it refuses."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import orjson
import pytest

from k8sdiag.clock import ManualClock
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.commits import GroupCommit
from k8sdiag.minicluster.apiserver.durable import StorageUnusableError
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.apiserver.storage import KEEP_SECONDS, Storage


def thing(name: str, namespace: str = "shop", **more: object) -> Json:
    return {"metadata": {"name": name, "namespace": namespace, "uid": name}, **more}


def test_order_is_etcds() -> None:
    storage = Storage(ManualClock())
    for namespace, name in (("a", "x"), ("a-b", "x"), ("a", "w"), ("a.b", "y"), ("ab", "x")):
        storage.create("things", thing(name, namespace))
    keys = [f"{obj['metadata']['namespace']}/{obj['metadata']['name']}" for obj in storage.list("things")]
    assert keys == ["a-b/x", "a.b/y", "a/w", "a/x", "ab/x"]
    assert [obj["metadata"]["name"] for obj in storage.list("things", "a")] == ["w", "x"]
    assert storage.count("things", "a-b") == 1


def test_one_counter_for_all_and_a_new_object_for_each_write() -> None:
    storage = Storage(ManualClock())
    first = storage.create("things", thing("x"))
    storage.create("others", thing("x"))
    second = storage.update("things", {**first, "data": 1})
    assert [first["metadata"]["resourceVersion"], second["metadata"]["resourceVersion"]] == ["2", "4"]
    gone = storage.delete("things", "shop", "x")
    assert gone["metadata"]["resourceVersion"] == "5"
    assert second["metadata"]["resourceVersion"] == "4"
    assert storage.get("things", "shop", "x") is None


def test_indexes_follow() -> None:
    storage = Storage(ManualClock())
    obj = storage.create("pods", {**thing("p"), "spec": {}})
    assert storage.on_node("n1") == []
    bound = storage.update("pods", {**obj, "spec": {"nodeName": "n1"}})
    assert storage.on_node("n1") == [bound]
    owner = {"uid": "u1"}
    owned = storage.update("pods", {**bound, "metadata": {**bound["metadata"], "ownerReferences": [owner]}})
    assert storage.owned("pods", "u1") == [owned]
    storage.delete("pods", "shop", "p")
    assert (storage.owned("pods", "u1"), storage.on_node("n1")) == ([], [])


def test_snapshot_of_the_past_equals_the_list_of_then() -> None:
    random, storage = Random(3), Storage(ManualClock())
    then: dict[int, list[Json]] = {}
    for _ in range(300):
        name = f"t{random.randrange(20)}"
        there = storage.get("things", "shop", name)
        if there is None:
            storage.create("things", thing(name))
        elif random.random() < 0.3:
            storage.delete("things", "shop", name)
        else:
            storage.update("things", {**there, "n": random.random()})
        then[storage.revision] = storage.list("things")
    for revision, state in then.items():
        assert [obj for _, obj in storage.snapshot("things", "shop", revision)] == state
        after = [obj for obj in state if obj["metadata"]["name"] >= "t5"]
        assert [obj for _, obj in storage.snapshot("things", "shop", revision, "shop/t5")] == after


def test_history_is_forgotten_in_time() -> None:
    clock = ManualClock(1000.0)
    storage = Storage(clock)
    first = storage.create("things", thing("x"))
    clock.advance(KEEP_SECONDS - 1)
    storage.update("things", {**first, "n": 1})
    clock.advance(2)
    storage.compact()
    assert [change.revision for change in storage.changes("things", 2)] == [3]
    with pytest.raises(ApiError, match=r"too old resource version: 1 \(2\)") as refused:
        storage.changes("things", 1)
    assert (refused.value.code, refused.value.reason) == (410, "Expired")


def test_a_kind_that_nobody_wrote_has_a_past_too() -> None:
    storage = Storage(ManualClock())
    for number in range(5):
        storage.create("others", thing(f"t{number}"))
    assert storage.changes("things", 3) == []


def test_reopened_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "lab.db"
    storage = Storage(ManualClock(), path)
    kept = storage.create("things", thing("kept", text="ü"))
    storage.create("things", thing("gone"))
    storage.delete("things", "shop", "gone")
    storage.close()
    again = Storage(ManualClock(), path)
    assert again.list("things") == [kept]
    assert again.revision == 4
    assert again.changes("things", 4) == []
    with pytest.raises(ApiError, match="too old"):
        again.changes("things", 3)
    again.close()


def test_writes_are_not_safe_before_the_flush(tmp_path: Path) -> None:
    storage = Storage(ManualClock(), tmp_path / "lab.db")
    storage.create("things", thing("x"))
    assert storage.durable < storage.revision
    storage.flush()
    assert storage.durable == storage.revision
    storage.close()


def test_two_labs_on_one_file(tmp_path: Path) -> None:
    path = tmp_path / "lab.db"
    storage = Storage(ManualClock(), path)
    with pytest.raises(StorageUnusableError, match="in use by another lab"):
        Storage(ManualClock(), path)
    storage.close()
    Storage(ManualClock(), path).close()


@pytest.mark.parametrize("size", [0.1, 0.5, 0.9])
def test_a_damaged_file_is_refused(tmp_path: Path, size: float) -> None:
    path = tmp_path / "lab.db"
    storage = Storage(ManualClock(), path)
    for number in range(200):
        storage.create("things", thing(f"t{number}", text="x" * 1000))
    storage.close()
    data = bytearray(path.read_bytes())
    at = int(len(data) * size)
    data[at : at + 4096] = os.urandom(4096)
    path.write_bytes(data)
    with pytest.raises(StorageUnusableError, match="is damaged"):
        Storage(ManualClock(), path)


def test_another_programs_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("dear diary\n" * 500)
    with pytest.raises(StorageUnusableError, match="is damaged"):
        Storage(ManualClock(), path)
    assert path.read_text().startswith("dear diary")


def test_group_commit_answers_when_it_is_safe(tmp_path: Path) -> None:
    path = tmp_path / "lab.db"

    async def work() -> int:
        storage = Storage(ManualClock(), path)
        commits = GroupCommit(storage)
        task = asyncio.create_task(commits.run())

        async def write(number: int) -> None:
            storage.create("things", thing(f"t{number}"))
            revision = storage.revision
            await commits.wait(revision)
            assert storage.durable >= revision

        await asyncio.gather(*(write(number) for number in range(500)))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        durable = storage.durable
        storage.close()
        return durable

    assert asyncio.run(work()) == 501
    again = Storage(ManualClock(), path)
    assert again.count("things") == 500
    again.close()


_WRITER = """
import asyncio, sys
from pathlib import Path
from random import Random
import orjson
from k8sdiag.clock import ManualClock
from k8sdiag.minicluster.apiserver.commits import GroupCommit
from k8sdiag.minicluster.apiserver.storage import Storage

async def work(path, seed):
    random = Random(seed)
    storage = Storage(ManualClock(), Path(path))
    commits = GroupCommit(storage)
    task = asyncio.create_task(commits.run())
    print(orjson.dumps(["start", storage.revision]).decode(), flush=True)

    async def writer(me):
        while True:
            name = f"w{me}-{random.randrange(8)}"
            there = storage.get("things", "", name)
            if there is None:
                storage.create("things", {"metadata": {"name": name}, "n": random.random(), "pad": "x" * 500})
            elif random.random() < 0.2:
                storage.delete("things", "", name)
            else:
                storage.update("things", {**there, "n": random.random()})
            revision, now = storage.revision, storage.get("things", "", name)
            await commits.wait(revision)
            print(orjson.dumps([name, revision, now]).decode(), flush=True)

    await asyncio.gather(*(writer(me) for me in range(4)))

asyncio.run(work(sys.argv[1], int(sys.argv[2])))
"""


@pytest.mark.slow
def test_no_acknowledged_write_is_lost_over_fifty_kills(tmp_path: Path) -> None:
    path, random = tmp_path / "lab.db", Random(11)
    acknowledged: dict[str, tuple[int, Json | None]] = {}
    highest = 0
    for round_ in range(50):
        child = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(path), str(round_)], stdout=subprocess.PIPE, start_new_session=True
        )
        assert child.stdout is not None
        left = random.randrange(1, 120)
        lines = []
        for line in child.stdout:
            lines.append(line)
            left -= 1
            if not left:
                os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
        started = orjson.loads(lines[0])
        assert started[1] >= highest, "the revision went backwards"
        for line in lines[1:]:
            if line.endswith(b"\n"):
                name, revision, state = orjson.loads(line)
                acknowledged[name] = (revision, state)
                highest = max(highest, revision)
        storage = Storage(ManualClock(), path)
        assert storage.revision >= highest
        unanswered = 0
        for name, (revision, state) in acknowledged.items():
            now = storage.get("things", "", name)
            if now != state:
                # The write that each of the four writers had no answer to may be there or not; nothing older may.
                unanswered += 1
                assert now is None or int(now["metadata"]["resourceVersion"]) > revision, name
                acknowledged[name] = (revision, now)
        assert unanswered <= 4
        storage.close()
    assert len(acknowledged) > 20
