"""Over HTTP, with connections that break at any moment: a client that lists and then watches ends with exactly the
server's state. (Without HTTP, with history that is forgotten: tests/minicluster/apiserver/test_watch.py.)"""

from __future__ import annotations

from itertools import count
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from k8sdiag.evidence import Json
from tests.minicluster.faults.process import Door

NUMBERS = count()
SELECTORS = ("", "tier=a", "tier notin (b)")
NAMES = st.sampled_from([f"c{number}" for number in range(5)])
WHICH = st.integers(0, 2 * len(SELECTORS) - 1)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), NAMES, st.sampled_from(["a", "b", ""])),
        st.tuples(st.just("delete"), NAMES, st.just("")),
        st.tuples(st.just("read"), WHICH, st.integers(1, 4)),
        st.tuples(st.just("break"), WHICH, st.just("")),
        st.tuples(st.just("relist"), WHICH, st.just("")),
    ),
    max_size=30,
)


class Informer:
    """Keeps a copy. `streaming`: it lets the watch bring what there is instead of listing."""

    def __init__(self, door: Door, path: str, selector: str, streaming: bool) -> None:
        self._door, self._path, self._streaming = door, path, streaming
        self._query = f"labelSelector={quote(selector)}"
        self._connection: Any = None
        self.copy: dict[str, Json] = {}
        self.relist()

    def relist(self) -> None:
        self.copy, self._version, token = {}, "", ""
        while not self._streaming:
            page = self.page(f"limit=2{f'&continue={token}' if token else ''}")
            self.copy |= {item["metadata"]["name"]: _plain(item) for item in page["items"]}
            self._version, token = page["metadata"]["resourceVersion"], page["metadata"].get("continue", "")
            if not token:
                break
        self.watch()

    def page(self, query: str) -> Any:
        code, page = self._door.request("GET", f"{self._path}?{self._query}&{query}")
        assert code == 200, page
        return page

    def watch(self) -> None:
        """On a new connection, from what it knows; what was on its way is lost."""
        self.close()
        start = f"resourceVersion={self._version}"
        if not self._version:
            self.copy = {}  # it had not heard the end of what there is to begin with
            start = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
        self._connection = self._door.connect(5)
        query = f"{self._query}&watch=true&allowWatchBookmarks=true&{start}"
        self._connection.request(
            "GET", f"{self._path}?{query}", headers={"Authorization": f"Bearer {self._door.token}"}
        )
        self._events = self._connection.getresponse()
        assert self._events.status == 200

    def read(self) -> str:
        """One event, and whom it is about."""
        event = orjson.loads(self._events.readline())
        kind, obj = event["type"], event["object"]
        meta = obj["metadata"]
        name: str = meta.get("name", "")
        if kind == "BOOKMARK":
            self._version = meta["resourceVersion"]
            return ""
        assert kind in ("ADDED", "MODIFIED", "DELETED"), event
        assert (name in self.copy) == (kind != "ADDED"), event
        if kind == "DELETED":
            del self.copy[name]
        else:
            self.copy[name] = _plain(obj)
        if self._version:  # before the first bookmark, what there is comes in no order of versions
            self._version = meta["resourceVersion"]
        return name

    def close(self) -> None:
        if self._connection is not None:
            self._events.close()
            self._connection.close()


def _plain(obj: Json) -> Json:
    return {key: value for key, value in obj.items() if key not in ("kind", "apiVersion")}


@pytest.mark.slow
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate),  # an event that is lost takes a time-out to notice: no shrinking
)
@given(STEPS)
def test_everybody_ends_with_the_servers_state(door: Door, steps: list[tuple[str, Any, Any]]) -> None:
    namespace = f"n{next(NUMBERS)}"
    assert door.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})[0] == 201
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    informers = [Informer(door, path, selector, streaming) for selector in SELECTORS for streaming in (False, True)]
    try:
        for step, what, more in steps:
            _step(door, path, informers, (step, what, more))
        _write(door, path, "last", "a")  # which all of them select
        for informer in informers:
            while informer.read() != "last":
                pass
            found = informer.page("")["items"]
            assert informer.copy == {item["metadata"]["name"]: item for item in found}
    finally:
        for informer in informers:
            informer.close()


def _step(door: Door, path: str, informers: list[Informer], step: tuple[str, Any, Any]) -> None:
    kind, what, more = step
    if kind == "write":
        _write(door, path, what, more)
    elif kind == "delete":
        assert door.request("DELETE", f"{path}/{what}")[0] in (200, 404)
    elif kind == "break":
        informers[what].watch()
    elif kind == "relist":
        informers[what].relist()
    else:
        _read_some(door, path, informers[what], more)


def _read_some(door: Door, path: str, informer: Informer, most: int) -> None:
    """At most so many events, with one more to come for certain."""
    _write(door, path, "mark", "a" if next(NUMBERS) % 2 else "b")
    _write(door, path, "mark", "a")
    for _ in range(most):
        if informer.read() == "mark":
            break


def _write(door: Door, path: str, name: str, tier: str) -> None:
    body = {"metadata": {"name": name, "labels": {"tier": tier} if tier else {}}, "data": {"n": str(next(NUMBERS))}}
    if door.request("PUT", f"{path}/{name}", body)[0] == 404:
        assert door.request("POST", path, body)[0] == 201
