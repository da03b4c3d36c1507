"""`kill -9` at random moments under writes: what was acknowledged is there, what was deleted stays away."""

from __future__ import annotations

import http.client
import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.minicluster.faults.process import Door, LabProcess

PATH = "/api/v1/namespaces/default/configmaps"
WRITERS, KILLS, KILLS_AT_START = 4, 50, 12


@dataclass(slots=True)
class Ledger:
    """What one writer knows of its objects: by name, the data last acknowledged, None once it is deleted. `doubt` is
    the name and the data of the request that nobody answered."""

    number: int
    random: Random
    known: dict[str, str | None] = field(default_factory=dict)
    doubt: tuple[str, str | None] | None = None
    newest: int = 0
    writes: int = 0
    wrong: list[str] = field(default_factory=list)

    def write(self, door: Door, ending: threading.Event) -> None:
        """Write until the lab is gone."""
        connection = door.connect()
        try:
            while not ending.is_set():
                self._one(door, connection)
        except (OSError, http.client.HTTPException):
            pass  # killed
        finally:
            connection.close()

    def _one(self, door: Door, connection: http.client.HTTPSConnection) -> None:
        name = f"w{self.number}-{self.random.randrange(12)}"
        there = self.known.get(name) is not None
        self.writes += 1
        value = f"{self.number}-{self.writes}-{self.random.random()}"
        body = {"metadata": {"name": name}, "data": {"value": value}}
        kind = self.random.choice(("update", "patch", "delete")) if there else "create"
        self.doubt = (name, None if kind == "delete" else value)
        if kind == "create":
            code, answer = door.ask(connection, "POST", PATH, body)
        elif kind == "update":
            code, answer = door.ask(connection, "PUT", f"{PATH}/{name}", body)
        elif kind == "patch":
            code, answer = door.ask(
                connection, "PATCH", f"{PATH}/{name}", {"data": {"value": value}}, "merge-patch+json"
            )
        else:
            code, answer = door.ask(connection, "DELETE", f"{PATH}/{name}")
        self.doubt = None
        if code not in (200, 201):
            self.wrong.append(f"{kind} {name}: {answer}")
            return
        self.known[name] = None if kind == "delete" else value
        if kind != "delete":
            version = int(answer["metadata"]["resourceVersion"])
            if version <= self.newest:
                self.wrong.append(f"{kind} {name}: version {version} after {self.newest}")
            self.newest = version

    def compare(self, found: dict[str, str]) -> None:
        """After a start: all is as it was acknowledged; what was in doubt is either way, and known from now on."""
        if self.doubt is not None:
            name, value = self.doubt
            assert found.get(name) in (value, self.known.get(name)), f"{name} is neither before nor after"
            self.known[name] = found.get(name)
            self.doubt = None
        for name, value in self.known.items():
            assert found.get(name) == value, f"{name}: {found.get(name)!r}, acknowledged was {value!r}"


@pytest.mark.slow
def test_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    random = Random(20)
    process = LabProcess(tmp_path / "lab")
    ledgers = [Ledger(number, Random(number)) for number in range(WRITERS)]
    try:
        _compare(process.start(), ledgers)
        process.kill()
        for _ in range(KILLS):
            if random.random() < KILLS_AT_START / KILLS:
                _kill_while_it_starts(process, random)
            door = process.start()
            _compare(door, ledgers)
            _kill_while_they_write(process, door, ledgers, random)
            assert not [line for ledger in ledgers for line in ledger.wrong]
        _compare(process.start(), ledgers)
        process.stop()
        _compare(process.start(), ledgers)
    finally:
        process.kill()
    assert sum(ledger.writes for ledger in ledgers) > 10 * KILLS
    assert "Traceback" not in process.log()


def _kill_while_they_write(process: LabProcess, door: Door, ledgers: list[Ledger], random: Random) -> None:
    ending = threading.Event()
    threads = [threading.Thread(target=ledger.write, args=(door, ending), daemon=True) for ledger in ledgers]
    for thread in threads:
        thread.start()
    time.sleep(random.uniform(0.02, 0.3))
    process.kill()
    ending.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


def _kill_while_it_starts(process: LabProcess, random: Random) -> None:
    descriptor = process.begin()
    time.sleep(random.uniform(0.05, 0.5))
    process.kill()
    os.close(descriptor)


def _compare(door: Door, ledgers: list[Ledger]) -> None:
    code, listed = door.request("GET", PATH)
    assert code == 200
    items: list[Any] = [item for item in listed["items"] if item["metadata"]["name"].startswith("w")]
    found = {item["metadata"]["name"]: item["data"]["value"] for item in items}
    given = max(ledger.newest for ledger in ledgers)
    version = int(listed["metadata"]["resourceVersion"])
    assert version >= given, f"a version from before: {version}, {given} was given out"
    for ledger in ledgers:
        ledger.newest = max(ledger.newest, given)
        ledger.compare(found)
    assert set(found) <= {name for ledger in ledgers for name in ledger.known}
