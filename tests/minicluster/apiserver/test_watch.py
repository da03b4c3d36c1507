"""Watches: whoever lists and then watches ends with exactly the server's state, from wherever and however often."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from k8sdiag.clock import ManualClock
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import watcher as watchers
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.apiserver.request import ADMIN, Request
from k8sdiag.minicluster.apiserver.storage import Storage
from k8sdiag.minicluster.apiserver.watch import Watches
from k8sdiag.minicluster.apiserver.watcher import View, Watcher
from k8sdiag.minicluster.kinds import Registry
from tests.minicluster.apiserver.server import START, Server, config, make_server, pod

REGISTRY = Registry()


def events(watcher: Watcher) -> list[tuple[str, Json]]:
    found = [orjson.loads(line) for line in watcher.take()]
    return [(event["type"], event["object"]) for event in found]


def names(watcher: Watcher) -> list[tuple[str, str]]:
    return [(kind, obj["metadata"]["name"]) for kind, obj in events(watcher)]


@pytest.fixture
def server() -> Server:
    return make_server()


@pytest.fixture
def watches(server: Server) -> Watches:
    return Watches(server.storage, server.clock, Random(1))


def request(word: str = "configmaps", namespace: str = "shop", **query: str) -> Request:
    return Request("watch", REGISTRY.named(word), ADMIN, namespace, query=query)


# ---- one informer against one server


class Informer:
    """A client that keeps a copy: lists, watches from there, and starts again where it was cut off or told to."""

    def __init__(self, server: Server, watches: Watches, query: dict[str, str], streaming: bool) -> None:
        self.server, self.watches, self.query, self.streaming = server, watches, query, streaming
        self.copy: dict[str, Json] = {}
        self.version = ""
        self.watcher: Watcher | None = None
        self.relist()

    def relist(self) -> None:
        self.stop()
        self.copy = {}
        if self.streaming:
            self.version = ""
            more = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
            self.watcher = self.watches.open(request(allowWatchBookmarks="true", **self.query, **more))
        else:
            token = ""
            while True:
                query = {**self.query, "limit": "2", **({"continue": token} if token else {})}
                page = self.server.ask("list", "configmaps", query=query).body
                for obj in page["items"]:
                    self.copy[obj["metadata"]["name"]] = {"kind": "ConfigMap", "apiVersion": "v1", **obj}
                self.version = page["metadata"]["resourceVersion"]
                token = page["metadata"].get("continue", "")
                if not token:
                    break
            self.rewatch()

    def rewatch(self) -> None:
        self.stop()
        if not self.version:
            self.relist()
            return
        bookmarks = {"allowWatchBookmarks": "true"}
        self.watcher = self.watches.open(request(resourceVersion=self.version, **bookmarks, **self.query))

    def stop(self) -> None:
        if self.watcher is not None:
            self.watches.close(self.watcher)
            self.watcher = None

    def read(self) -> None:
        assert self.watcher is not None
        for kind, obj in events(self.watcher):
            if kind == "ERROR":
                assert obj["code"] == 410
                self.relist()
                self.read()
                return
            self.version = obj["metadata"]["resourceVersion"]
            name = obj["metadata"].get("name")
            if kind == "ADDED":
                assert name not in self.copy
                self.copy[name] = obj
            elif kind == "MODIFIED":
                assert name in self.copy
                self.copy[name] = obj
            elif kind == "DELETED":
                del self.copy[name]
        if self.watcher.ended:
            self.rewatch()
            self.read()


SELECTORS: list[dict[str, str]] = [
    {},
    {"labelSelector": "tier=a"},
    {"labelSelector": "tier notin (a),tier"},
    {"fieldSelector": "metadata.name=c1"},
    {"fieldSelector": "metadata.name!=c1", "labelSelector": "!tier"},
]
NAMES = [f"c{number}" for number in range(5)]


class Watching(RuleBasedStateMachine):
    """Any writes, any restarts, any loss of history."""

    def __init__(self) -> None:
        super().__init__()
        self.server = make_server()
        self.watches = Watches(self.server.storage, self.server.clock, Random(1))
        self.informers = [
            Informer(self.server, self.watches, query, streaming) for query in SELECTORS for streaming in (False, True)
        ]
        self.numbers = iter(range(1_000_000))

    @rule(name=st.sampled_from(NAMES), tier=st.sampled_from(["a", "b", ""]))
    def write(self, name: str, tier: str) -> None:
        labels = {"tier": tier} if tier else {}
        made = {**config(name, **labels), "data": {"n": str(next(self.numbers))}}
        there = self.server.client.find("configmaps", "shop", name)
        self.server.ask("update" if there else "create", "configmaps", name if there else "", made)

    @rule(name=st.sampled_from(NAMES))
    def delete(self, name: str) -> None:
        if self.server.client.find("configmaps", "shop", name):
            self.server.ask("delete", "configmaps", name)

    @rule(which=st.integers(0, 9))
    def read_some(self, which: int) -> None:
        self.informers[which].read()

    @rule(which=st.integers(0, 9))
    def break_off(self, which: int) -> None:
        """The connection is gone with what was on its way; the client goes on from what it had."""
        self.informers[which].rewatch()

    @rule()
    def forget(self) -> None:
        self.server.clock.advance(400)
        self.server.storage.compact()
        self.watches.tick()

    @rule()
    def bookmarks(self) -> None:
        self.server.clock.advance(61)
        self.watches.tick()

    @rule()
    def expire(self) -> None:
        self.server.clock.advance(3601)
        self.watches.tick()

    @precondition(lambda self: self.informers)
    @invariant()
    def everybody_knows_everything(self) -> None:
        for informer in self.informers:
            informer.read()
            found = self.server.ask("list", "configmaps", query=informer.query).body["items"]
            state = {obj["metadata"]["name"]: {"kind": "ConfigMap", "apiVersion": "v1", **obj} for obj in found}
            assert informer.copy == state


TestWatching = Watching.TestCase
TestWatching.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)


# ---- one thing at a time


def test_without_a_version_what_there_is_comes_first(server: Server, watches: Watches) -> None:
    server.client.create("configmaps", config("a"))
    watcher = watches.open(request())
    server.client.create("configmaps", config("b"))
    assert names(watcher) == [("ADDED", "a"), ("ADDED", "b")]


def test_initial_events_end_with_a_marked_bookmark(server: Server, watches: Watches) -> None:
    server.client.create("configmaps", config("a"))
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    found = events(watches.open(request(**query)))
    assert [kind for kind, _ in found] == ["ADDED", "BOOKMARK"]
    bookmark = found[1][1]
    assert bookmark["kind"] == "ConfigMap"
    assert bookmark["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert bookmark["metadata"]["resourceVersion"] == str(server.storage.revision)


def test_who_leaves_the_selection_goes_as_it_was_in_it(server: Server, watches: Watches) -> None:
    made = server.client.create("configmaps", config("a", tier="x"))
    watcher = watches.open(request(labelSelector="tier=x", resourceVersion=str(server.storage.revision)))
    left = server.client.update("configmaps", {**made, "metadata": {**made["metadata"], "labels": {"tier": "y"}}})
    ((kind, obj),) = events(watcher)
    assert (kind, obj["metadata"]["labels"]) == ("DELETED", {"tier": "x"})
    assert obj["metadata"]["resourceVersion"] == left["metadata"]["resourceVersion"]
    server.client.update("configmaps", {**left, "metadata": {**left["metadata"], "labels": {"tier": "x"}}})
    assert names(watcher) == [("ADDED", "a")]


def test_too_old_a_version_is_an_event(server: Server, watches: Watches) -> None:
    server.client.create("configmaps", config("a"))
    server.clock.advance(1000)
    server.storage.compact()
    watcher = watches.open(request(resourceVersion="1"))
    ((kind, status),) = events(watcher)
    assert kind == "ERROR"
    assert (status["code"], status["reason"]) == (410, "Expired")
    assert status["message"] == f"too old resource version: 1 ({server.storage.revision})"
    assert watcher.ended


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        ({"resourceVersion": "x"}, 400, 'invalid resource version: resourceVersion: Invalid value: "x": strconv.'),
        ({"labelSelector": "a b"}, 400, "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt"),
        ({"timeoutSeconds": "soon"}, 400, 'strconv.ParseInt: parsing "soon": invalid syntax'),
        ({"sendInitialEvents": "true"}, 422, "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"),
        ({"resourceVersionMatch": "Exact"}, 422, 'resourceVersionMatch: Unsupported value: "Exact"'),
    ],
)
def test_refusals(watches: Watches, query: dict[str, str], code: int, message: str) -> None:
    with pytest.raises(ApiError) as refused:
        watches.open(request(**query))
    assert refused.value.code == code
    assert message in refused.value.message


def test_from_a_version_yet_to_come(server: Server, watches: Watches) -> None:
    now = server.storage.revision
    watcher = watches.open(request(resourceVersion=str(now + 2)))
    other = watches.open(request(resourceVersion=str(now)))
    for name in ("a", "b", "c"):
        server.client.create("configmaps", config(name))
    assert names(watcher) == [("ADDED", "c")]
    assert len(other.take()) == 3


def test_its_time_ends_with_a_bookmark(server: Server, watches: Watches) -> None:
    watcher = watches.open(request(timeoutSeconds="30", allowWatchBookmarks="true", resourceVersion="2"))
    server.clock.advance(28)
    watches.tick()
    assert [kind for kind, _ in events(watcher)] == ["BOOKMARK"]
    server.clock.advance(2)
    watches.tick()
    assert watcher.ended
    assert len(watches) == 0


def test_a_slow_reader_is_shut_out_and_blocks_nobody(
    server: Server, watches: Watches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchers, "MOST_EVENTS", 10)
    slow, quick = watches.open(request()), watches.open(request())
    seen = 0
    for number in range(30):
        server.client.create("configmaps", config(f"c{number}"))
        seen += len(quick.take())
    assert seen == 30
    assert slow.ended
    kinds = [kind for kind, _ in events(slow)]
    assert kinds == ["ADDED"] * 10 + ["ERROR"]
    assert len(watches) == 1


def test_what_there_is_to_begin_with_is_never_too_much(
    server: Server, watches: Watches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchers, "MOST_EVENTS", 10)
    before = str(server.storage.revision)
    for number in range(20):
        server.client.create("configmaps", config(f"c{number:02}"))
    both = [watches.open(request()), watches.open(request(resourceVersion=before))]
    server.client.create("configmaps", config("d"))
    for watcher in both:
        assert [name for _, name in names(watcher)] == [*(f"c{number:02}" for number in range(20)), "d"]


def test_nodes_see_their_pods_only(server: Server, watches: Watches) -> None:
    mine = watches.open(request("pods", "", fieldSelector="spec.nodeName=n1"))
    server.client.create("pods", pod("a", "n1"))
    server.client.create("pods", pod("b", "n2"))
    waiting = server.client.create("pods", pod("c"))
    target = {"target": {"kind": "Node", "name": "n1"}, "metadata": {"name": "c"}}
    server.client.create("pods", target, "shop", "binding", "c")
    assert waiting["spec"].get("nodeName") is None
    assert names(mine) == [("ADDED", "a"), ("ADDED", "c")]


def test_an_event_is_encoded_once_for_all_who_see_it_alike(server: Server, watches: Watches) -> None:
    rendered: list[str] = []

    def render(obj: Json) -> Json:
        rendered.append(obj["metadata"]["name"])
        return obj

    open_ = [watches.open(request(resourceVersion="1"), View("mine", render)) for _ in range(1000)]
    server.client.create("configmaps", config("a"))
    assert rendered == ["a"]
    lines = [watcher.take() for watcher in open_]
    assert all(line[0] is lines[0][0] for line in lines)


def test_the_first_event_may_look_different(server: Server, watches: Watches) -> None:
    view = View("table", lambda obj: {"row": obj["metadata"]["name"]}, lambda _: {"columns": []})
    watcher = watches.open(request(resourceVersion="1"), view)
    for name in ("a", "b"):
        server.client.create("configmaps", config(name))
    assert [obj for _, obj in events(watcher)] == [{"columns": []}, {"row": "b"}]


def test_only_what_is_safe_is_told(tmp_path: Any) -> None:
    storage = Storage(ManualClock(START), tmp_path / "lab.db")
    watches = Watches(storage, ManualClock(START), Random(1))
    before = watches.open(request())
    storage.create("configmaps", config("a"))
    after = watches.open(request())
    assert (before.take(), after.take()) == ([], [])
    storage.flush()
    assert (names(before), names(after)) == ([("ADDED", "a")], [("ADDED", "a")])
    storage.close()


def test_both_versions_of_events(server: Server, watches: Watches) -> None:
    new = server.registry.find("events.k8s.io", "v1", "events")
    assert new is not None
    watcher = watches.open(Request("watch", new, ADMIN, "shop", query={"fieldSelector": "regarding.name=p"}))
    for name in ("p", "q"):
        event = {"metadata": {"name": f"e-{name}", "namespace": "shop"}, "message": "m", "reason": "R"}
        about = {"kind": "Pod", "namespace": "shop", "name": name}
        server.client.create("events", {"kind": "Event", "apiVersion": "v1", **event, "involvedObject": about})
    ((kind, obj),) = events(watcher)
    assert kind == "ADDED"
    assert (obj["apiVersion"], obj["note"], obj["regarding"]["name"]) == ("events.k8s.io/v1", "m", "p")


@pytest.fixture(autouse=True)
def _no_leftovers(watches: Watches) -> Iterator[None]:
    yield
    for table in list(watches._tables.values()):
        for watcher in table.all():
            watches.close(watcher)
    assert len(watches) == 0
