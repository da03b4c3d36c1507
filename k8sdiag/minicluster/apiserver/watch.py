"""Watches: what happens to the objects that somebody asked for, as a stream
(apiserver/pkg/storage/cacher, endpoints/handlers/watch.go).

Everything here is synchronous. A Watcher is a bounded buffer of encoded events; the HTTP side takes from it when its
reader can take more, and nobody waits for a slow one: whose buffer overflows is shut out. An event is encoded once for
all who see it alike, and handed only to those whom it may concern.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from random import Random

from k8sdiag.clock import Clock
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.errors import ApiError, Cause
from k8sdiag.minicluster.apiserver.listing import is_true, read_version, too_large
from k8sdiag.minicluster.apiserver.request import Request
from k8sdiag.minicluster.apiserver.selecting import Selection, select
from k8sdiag.minicluster.apiserver.storage import ADDED, DELETED, MODIFIED, PODS, Change, Storage
from k8sdiag.minicluster.apiserver.watcher import PLAIN, Address, View, Watcher, bookmark_of, event_of

_SHORTEST = 1800.0  # --min-request-timeout: a watch without timeoutSeconds lasts this long to twice as long
_BOOKMARK_EVERY = 60.0
_BOOKMARK_BEFORE_END = 2.0


def _addresses(storage: str, change: Change) -> Iterator[Address]:
    meta = change.obj["metadata"]
    namespace = meta.get("namespace", "")
    yield ()
    yield ("namespace", namespace)
    yield ("name", "", meta["name"])
    if namespace:
        yield ("name", namespace, meta["name"])
    if storage == PODS:
        node = change.obj.get("spec", {}).get("nodeName", "")
        yield ("node", node)
        was = change.old.get("spec", {}).get("nodeName", "") if change.old is not None else node
        if was != node:
            yield ("node", was)


class _Watched:
    """One table's watchers, by address, and how far they have been told."""

    __slots__ = ("by_address", "count", "told")

    def __init__(self, told: int) -> None:
        self.by_address: dict[Address, dict[Watcher, None]] = {}
        self.told = told
        self.count = 0

    def all(self) -> list[Watcher]:
        return [watcher for held in self.by_address.values() for watcher in held]


class Watches:
    """All watches. `tick` is to be called about once a second."""

    def __init__(self, storage: Storage, clock: Clock, random: Random) -> None:
        self._storage, self._clock, self._random = storage, clock, random
        self._tables: dict[str, _Watched] = {}
        self._subscribed: set[str] = set()
        self._dirty: set[str] = set()
        storage.on_commit(self._deliver)

    def __len__(self) -> int:
        return sum(table.count for table in self._tables.values())

    def open(self, request: Request, view: View = PLAIN) -> Watcher:
        """Start a watch. Raises ApiError for what a real server answers with a status instead of a stream."""
        resource, query = request.resource, request.query
        _check_options(query)
        selection = select(resource, request.namespace, query)
        watcher = Watcher(resource, selection, view, is_true(query.get("allowWatchBookmarks", "")))
        now = self._clock.now()
        watcher.expires = now + _timeout(query, self._random)
        watcher.next_bookmark = min(now + _BOOKMARK_EVERY, watcher.expires - _BOOKMARK_BEFORE_END)
        version = query.get("resourceVersion", "")
        initial = query.get("sendInitialEvents", "")
        revision = read_version(version)
        try:
            if is_true(initial) and revision > self._storage.revision:
                raise too_large(revision, self._storage.revision)
            if is_true(initial) or (not initial and revision == 0):
                self._send_state(watcher)
            else:
                self._send_past(watcher, revision or self._storage.durable)
        except ApiError as error:
            if error.code == 504:
                raise
            watcher.fail(error)
        else:
            if is_true(initial) and watcher.bookmarks:
                watcher.push(bookmark_of(watcher, self._storage.durable, initial_end=True))
            self._enter(watcher)
        return watcher

    def _send_state(self, watcher: Watcher) -> None:
        """An ADDED for each object there is."""
        key, selection = watcher.resource.storage, watcher.selection
        watcher.since = self._storage.durable
        state = self._storage.snapshot(key, selection.namespace, watcher.since)
        for _, obj in state:
            if selection.matches(obj):
                watcher.push(event_of(watcher, ADDED, obj))

    def _send_past(self, watcher: Watcher, since: int) -> None:
        watcher.since = since
        for change in self._storage.changes(watcher.resource.storage, since):
            if change.revision > self._storage.durable:
                break
            self._show(watcher, change, {})

    def _enter(self, watcher: Watcher) -> None:
        key = watcher.resource.storage
        if key not in self._subscribed:
            self._subscribed.add(key)
            self._storage.subscribe(key, lambda *_: self._dirty.add(key))
        table = self._tables.get(key)
        if table is None:
            table = self._tables[key] = _Watched(self._storage.durable)
            self._dirty.add(key)
        table.by_address.setdefault(watcher.address, {})[watcher] = None
        table.count += 1
        watcher.bounded = True

    def close(self, watcher: Watcher) -> None:
        """Its reader is gone."""
        watcher.ended = True
        table = self._tables.get(watcher.resource.storage)
        held = table.by_address.get(watcher.address) if table is not None else None
        if table is None or held is None or watcher not in held:
            return
        del held[watcher]
        table.count -= 1
        if not held:
            del table.by_address[watcher.address]
        if not table.count:
            del self._tables[watcher.resource.storage]

    def end_all(self) -> None:
        """The server stops."""
        for table in list(self._tables.values()):
            for watcher in table.all():
                watcher.end()
                self.close(watcher)

    def _deliver(self) -> None:
        """Pass on what has become safe."""
        if not self._dirty:
            return
        durable = self._storage.durable
        for key in list(self._dirty):
            table = self._tables.get(key)
            if table is None:
                self._dirty.discard(key)
                continue
            try:
                changes = self._storage.changes(key, table.told)
            except ApiError as error:
                for watcher in table.all():
                    watcher.fail(error)
                    self.close(watcher)
                continue
            for change in changes:
                if change.revision > durable:
                    break
                self._spread(key, table, change)
            else:
                self._dirty.discard(key)
            table.told = durable

    def _spread(self, key: str, table: _Watched, change: Change) -> None:
        shared: dict[Hashable, bytes] = {}
        overrun: list[Watcher] = []
        for address in _addresses(key, change):
            for watcher in table.by_address.get(address, ()):
                if change.revision > watcher.since:
                    self._show(watcher, change, shared)
                    if watcher.ended:
                        overrun.append(watcher)
        for watcher in overrun:
            self.close(watcher)

    def _show(self, watcher: Watcher, change: Change, shared: dict[Hashable, bytes]) -> None:
        kind, obj = _as_seen(watcher.selection, change)
        if not kind:
            return
        if not watcher.opened and watcher.view.opening is not None:
            watcher.push(event_of(watcher, kind, obj))
            return
        resource = watcher.resource
        key = (kind, resource.group, resource.version, watcher.view.key)
        data = shared.get(key)
        if data is None:
            data = shared[key] = event_of(watcher, kind, obj)
        watcher.push(data)

    def tick(self) -> None:
        """Bookmarks that are due, and the end of watches whose time is over."""
        now, durable = self._clock.now(), self._storage.durable
        for table in list(self._tables.values()):
            for watcher in table.all():
                if now >= watcher.expires:
                    watcher.end()
                    self.close(watcher)
                elif now >= watcher.next_bookmark:
                    left = watcher.expires - _BOOKMARK_BEFORE_END
                    watcher.next_bookmark = min(now + _BOOKMARK_EVERY, left) if now < left else watcher.expires
                    if watcher.bookmarks:
                        watcher.push(bookmark_of(watcher, max(durable, watcher.since)))


def _as_seen(selection: Selection, change: Change) -> tuple[str, Json]:
    """What a change is to those who see only what is selected; '' for nothing (cacher/cache_watcher.go
    convertToWatchEvent). Who leaves the selection goes as it last was in it, at the revision of its leaving."""
    obj, old = change.obj, change.old
    if selection.namespace and obj["metadata"].get("namespace") != selection.namespace:
        return "", obj
    if selection.is_everything:
        return change.type, obj
    now = change.type != DELETED and selection.matches(obj)
    before = old is not None and selection.matches(old)
    if now:
        return (MODIFIED if before else ADDED), obj
    if not before or old is None:
        return "", obj
    version = obj["metadata"]["resourceVersion"]
    return DELETED, {**old, "metadata": {**old["metadata"], "resourceVersion": version}}


def _timeout(query: Mapping[str, str], random: Random) -> float:
    text = query.get("timeoutSeconds", "")
    if not text:
        return _SHORTEST * (1 + random.random())
    try:
        seconds = int(text)
    except ValueError:
        raise errors.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None
    return float(seconds) if seconds > 0 else _SHORTEST * (1 + random.random())


def _check_options(query: Mapping[str, str]) -> None:
    """apimachinery/pkg/apis/meta/internalversion/validation validateWatchOptions."""
    causes: list[Cause] = []
    match, initial = query.get("resourceVersionMatch", ""), query.get("sendInitialEvents", "")
    field = "resourceVersionMatch"
    if initial and match != "NotOlderThan":
        why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        causes.append(errors.forbidden_field(field, why))
    if match:
        if not initial:
            why = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            causes.append(errors.forbidden_field(field, why))
        if match != "NotOlderThan":
            causes.append(errors.not_supported(field, match, ("NotOlderThan",)))
        if query.get("continue"):
            why = "resourceVersionMatch is forbidden when continue is provided"
            causes.append(errors.forbidden_field(field, why))
    if causes:
        raise errors.invalid_kind("meta.k8s.io", "ListOptions", "", causes)
