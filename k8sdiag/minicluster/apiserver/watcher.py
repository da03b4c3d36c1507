"""One watch: how its objects are shown, and the bounded buffer from which its reader takes
(apiserver/pkg/storage/cacher/cache_watcher.go)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import orjson

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.conversion import convert
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.apiserver.selecting import Selection
from k8sdiag.minicluster.kinds import Resource

BOOKMARK, ERROR = "BOOKMARK", "ERROR"
INITIAL_END = "k8s.io/initial-events-end"

MOST_EVENTS = 10_000
MOST_BYTES = 64 << 20

Address = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class View:
    """How objects are shown: `render` makes of an object what goes into an event, `opening` does for a watcher's first
    one (a table's columns are stated once). Views with equal keys show one resource alike."""

    key: Hashable
    render: Callable[[Json], Json]
    opening: Callable[[Json], Json] | None = None


def _whole(obj: Json) -> Json:
    return obj


PLAIN = View("", _whole)


class Watcher:
    """One watch. Take from it when `wake` was called or when there is room again; it is over when `ended` is true and
    nothing is left."""

    __slots__ = (
        "_behind", "_buffer", "_bytes", "address", "bookmarks", "bounded", "ended", "expires", "next_bookmark",
        "opened", "resource", "selection", "since", "view", "wake",
    )  # fmt: skip

    def __init__(self, resource: Resource, selection: Selection, view: View, bookmarks: bool) -> None:
        self.resource, self.selection, self.view, self.bookmarks = resource, selection, view, bookmarks
        self.address = _address(selection)
        self.since = 0
        self.expires = self.next_bookmark = 0.0
        self.opened = self.ended = False
        self.bounded = False  # the limits are for readers that do not keep up, not for what there is to begin with
        self.wake: Callable[[], None] = _ignore
        self._buffer: deque[bytes] = deque()
        self._behind = self._bytes = 0

    def take(self) -> list[bytes]:
        """All events there are, each one a line of JSON."""
        taken = list(self._buffer)
        self._buffer.clear()
        self._behind = self._bytes = 0
        return taken

    def push(self, data: bytes) -> None:
        if self.ended:
            return
        if self.bounded:
            if self._behind >= MOST_EVENTS or self._bytes >= MOST_BYTES:
                self.fail(errors.expired("the watch was closed because its reader fell too far behind"))
                return
            self._behind += 1
            self._bytes += len(data)
        self._buffer.append(data)
        if len(self._buffer) == 1:
            self.wake()

    def fail(self, error: ApiError) -> None:
        """A last event that says why there are no more."""
        if not self.ended:
            self._buffer.append(_line(ERROR, error.status()))
            self.end()

    def end(self) -> None:
        self.ended = True
        self.wake()


def _ignore() -> None:
    """What a watcher wakes while nobody reads it."""


def _address(selection: Selection) -> Address:
    """Where a change has to come by to concern this selection."""
    if selection.name:
        return ("name", selection.namespace, selection.name)
    if selection.node:
        return ("node", selection.node)
    return ("namespace", selection.namespace) if selection.namespace else ()


def event_of(watcher: Watcher, kind: str, obj: Json) -> bytes:
    render = watcher.view.render
    if not watcher.opened:
        watcher.opened = True
        render = watcher.view.opening or render
    return _line(kind, render(convert(obj, watcher.resource)))


def bookmark_of(watcher: Watcher, revision: int, initial_end: bool = False) -> bytes:
    meta: Json = {"resourceVersion": str(revision), "creationTimestamp": None}
    if initial_end:
        meta["annotations"] = {INITIAL_END: "true"}
    resource = watcher.resource
    return _line(
        BOOKMARK,
        watcher.view.render({"kind": resource.kind, "apiVersion": resource.api_version, "metadata": meta}),
    )


def _line(kind: str, obj: Json) -> bytes:
    return b'{"type":"%s","object":%s}\n' % (kind.encode(), orjson.dumps(obj))
