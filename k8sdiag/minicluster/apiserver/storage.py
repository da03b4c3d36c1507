"""Every object there is, by storage key, with the history of changes that watches and consistent pages need.

Stands in for etcd and the API server's watch cache: one counter of revisions for everything
(apiserver/pkg/storage/etcd3/store.go), keys in etcd's order (`namespace/name`, compared as text), a window of past
changes (storage/cacher/watch_cache.go). All of it is in memory; a file, where there is one, is written behind
(`durable.py`), and `durable` says how far that has come.

What is handed out is shared: nobody changes it in place. What is handed in belongs to the storage.
"""

from __future__ import annotations

import gc
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import NamedTuple

from k8sdiag.clock import Clock
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.durable import Batch, Disk

ADDED, MODIFIED, DELETED = "ADDED", "MODIFIED", "DELETED"
PODS = "pods"

# A real server's etcd forgets after five minutes (--etcd-compaction-interval).
KEEP_SECONDS = 300.0
KEEP_CHANGES = 50_000
# After a crash, revisions go on well above any that was given out but not yet written.
_LEAP = 100_000

Callback = Callable[[str, Json, Json | None], None]
Objects = list[Json]  # `list` is a method below


class Change(NamedTuple):
    """One write. A DELETED change's `obj` is the object as it last was, at the revision of its deletion."""

    revision: int
    type: str
    obj: Json
    old: Json | None
    at: float


Changes = list[Change]
Placed = list[tuple[str, Json]]  # with their keys
Listeners = list[Callable[[], None]]

_revision_of = attrgetter("revision")


def key_of(namespace: str, name: str) -> str:
    """Where an object stands in its table: etcd's key below the resource's prefix."""
    return f"{namespace}/{name}" if namespace else name


def key_of_object(obj: Json) -> str:
    meta = obj["metadata"]
    return key_of(meta.get("namespace", ""), meta["name"])


class Table:
    """The objects of one storage key, their order, indexes and past."""

    __slots__ = ("forgotten", "history", "keys", "nodes", "objects", "owners", "subscribers")

    def __init__(self, forgotten: int) -> None:
        self.objects: dict[str, Json] = {}
        self.keys: list[str] = []  # sorted
        self.owners: dict[str, dict[str, None]] = {}
        self.nodes: dict[str, dict[str, None]] = {}
        self.history: list[Change] = []
        self.forgotten = forgotten  # changes up to this revision are no longer known
        self.subscribers: list[Callback] = []

    def put(self, key: str, obj: Json, old: Json | None) -> None:
        self.objects[key] = obj
        if old is None:
            insort(self.keys, key)
        self._index(key, obj, old)

    def drop(self, key: str) -> None:
        old = self.objects.pop(key)
        del self.keys[bisect_left(self.keys, key)]
        self._index(key, None, old)

    def _index(self, key: str, obj: Json | None, old: Json | None) -> None:
        before, after = _owners(old), _owners(obj)
        if before != after:
            _reindex(self.owners, key, before, after)
        if (was := _node(old)) != (now := _node(obj)):
            _reindex(self.nodes, key, was, now)

    def within(self, namespace: str) -> list[str]:
        """The keys of one namespace, in order; of all where it is ''."""
        if not namespace:
            return self.keys
        first = bisect_left(self.keys, f"{namespace}/")
        return self.keys[first : bisect_left(self.keys, f"{namespace}0", first)]  # '0' comes right after '/'

    def since(self, revision: int) -> list[Change]:
        return self.history[bisect_right(self.history, revision, key=_revision_of) :]

    def forget(self, before: float, most: int) -> None:
        """Drop what is too old or too much, so many at a time that it costs next to nothing."""
        history = self.history
        surplus = max(len(history) - most, 0)
        while surplus < len(history) and history[surplus].at < before:
            surplus += 1
        if surplus:
            self.forgotten = history[surplus - 1].revision
            del history[:surplus]


def _owners(obj: Json | None) -> list[str]:
    if obj is None:
        return []
    references = obj["metadata"].get("ownerReferences")
    return [reference["uid"] for reference in references] if references else []


def _node(obj: Json | None) -> list[str]:
    spec = obj.get("spec") if obj is not None else None
    node = spec.get("nodeName") if isinstance(spec, dict) else None
    return [node] if isinstance(node, str) and node else []


def _reindex(index: dict[str, dict[str, None]], key: str, before: Iterable[str], after: Iterable[str]) -> None:
    for value in before:
        held = index.get(value)
        if held is not None:
            held.pop(key, None)
            if not held:
                del index[value]
    for value in after:
        index.setdefault(value, {})[key] = None


@contextmanager
def _collector_off() -> Iterator[None]:
    """Reading makes nothing that is garbage, and much that the collector would look through over and over."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _nobody() -> None:
    """Who is told of writes while nobody asked to be."""


class Storage:
    """All tables and the one revision. Not for threads: one at a time, the file's writer apart."""

    def __init__(self, clock: Clock, path: Path | None = None) -> None:
        self.revision = self._opened = 1  # as in an etcd that nobody has written to
        self._clock = clock
        self._tables: dict[str, Table] = {}
        self._pending: dict[tuple[str, str], Json | None] = {}
        self._committed = 1
        self._on_commit: Listeners = []
        self._on_write: Callable[[], None] = _nobody
        self._disk = Disk(path) if path is not None else None
        if self._disk is not None:
            self._load(self._disk)

    def _load(self, disk: Disk) -> None:
        with _collector_off():
            saved = disk.read()
        self.revision = self._opened = self._committed = saved.revision if saved.closed else saved.revision + _LEAP
        for storage, obj in saved.objects:
            self._table(storage).put(key_of_object(obj), obj, None)
        if not saved.closed:
            disk.write(Batch(self.revision, {}))

    def _table(self, storage: str) -> Table:
        table = self._tables.get(storage)
        if table is None:
            table = self._tables[storage] = Table(self._opened)
        return table

    # ---- reading

    def get(self, storage: str, namespace: str, name: str) -> Json | None:
        table = self._tables.get(storage)
        return table.objects.get(key_of(namespace, name)) if table is not None else None

    def list(self, storage: str, namespace: str = "") -> Objects:
        table = self._tables.get(storage)
        if table is None:
            return []
        objects = table.objects
        return [objects[key] for key in table.within(namespace)]

    def count(self, storage: str, namespace: str = "") -> int:
        table = self._tables.get(storage)
        return len(table.within(namespace)) if table is not None else 0

    def owned(self, storage: str, uid: str) -> Objects:
        """The objects with an ownerReference to this uid, oldest reference first."""
        table = self._tables.get(storage)
        return [table.objects[key] for key in table.owners.get(uid, ())] if table is not None else []

    def on_node(self, node: str) -> Objects:
        """The pods with this `spec.nodeName`."""
        table = self._tables.get(PODS)
        return [table.objects[key] for key in table.nodes.get(node, ())] if table is not None else []

    def stored(self) -> tuple[str, ...]:
        """The storage keys under which anything was ever kept."""
        return tuple(self._tables)

    # ---- the past

    def changes(self, storage: str, since: int) -> Changes:
        """What was written after a revision; 410 where that is no longer known."""
        table = self._table(storage)
        if since < table.forgotten:
            raise errors.expired(f"too old resource version: {since} ({table.forgotten})")
        return table.since(since)

    def remembered(self, storage: str) -> Changes:
        """All that is still known to have been written."""
        return [*self._table(storage).history]

    def snapshot(self, storage: str, namespace: str, revision: int, after: str = "") -> Placed:
        """Keys and objects as they were at a revision, in order, from a key on; 410 where that is no longer known."""
        later = self.changes(storage, revision)
        table = self._table(storage)
        keys = table.within(namespace)
        if after:
            keys = keys[bisect_left(keys, after) :]
        if not later:
            return [(key, table.objects[key]) for key in keys]
        held: dict[str, Json | None] = {key: table.objects[key] for key in keys}
        prefix = f"{namespace}/" if namespace else ""
        for change in reversed(later):
            key = key_of_object(change.obj)
            if key.startswith(prefix) and key >= after:
                held[key] = change.old
        return sorted(((key, obj) for key, obj in held.items() if obj is not None), key=itemgetter(0))

    def compact(self) -> None:
        """Forget changes that are older than a real server would keep; to be called now and then."""
        before = self._clock.now() - KEEP_SECONDS
        for table in self._tables.values():
            table.forget(before, KEEP_CHANGES)

    # ---- writing

    def create(self, storage: str, obj: Json) -> Json:
        """Keep a new object; the caller has seen that there is none of that name."""
        table = self._table(storage)
        key = key_of_object(obj)
        if key in table.objects:
            raise ValueError(f"{storage} {key} is there already")
        return self._write(storage, table, key, ADDED, obj, None)

    def update(self, storage: str, obj: Json) -> Json:
        """Put an object in the place of the one that is there."""
        table = self._table(storage)
        key = key_of_object(obj)
        return self._write(storage, table, key, MODIFIED, obj, table.objects[key])

    def delete(self, storage: str, namespace: str, name: str) -> Json:
        """Drop an object; gives it as it last was, at the revision of its deletion."""
        table = self._table(storage)
        key = key_of(namespace, name)
        return self._write(storage, table, key, DELETED, table.objects[key], table.objects[key])

    def _write(self, storage: str, table: Table, key: str, kind: str, obj: Json, old: Json | None) -> Json:
        self.revision += 1
        # A new metadata, for the one handed in may still be shared with the object it was made from.
        obj = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self.revision)}}
        if kind == DELETED:
            table.drop(key)
        else:
            table.put(key, obj, old)
        table.history.append(Change(self.revision, kind, obj, old, self._clock.now()))
        if len(table.history) > 2 * KEEP_CHANGES:
            table.forget(0.0, KEEP_CHANGES)
        if self._disk is not None:
            self._pending[storage, key] = None if kind == DELETED else obj
            self._on_write()
        for callback in table.subscribers:
            callback(kind, obj, old)
        if self._disk is None:
            self._tell()
        return obj

    def subscribe(self, storage: str, callback: Callback) -> None:
        """Have `callback(type, obj, old)` called after each write. It may enqueue, and must not write."""
        self._table(storage).subscribers.append(callback)

    # ---- durability

    @property
    def durable(self) -> int:
        """The last revision that would survive a crash; without a file, the last there is."""
        return self.revision if self._disk is None else self._committed

    def on_commit(self, callback: Callable[[], None]) -> None:
        """Have `callback()` called whenever `durable` has grown."""
        self._on_commit.append(callback)

    def on_write(self, callback: Callable[[], None]) -> None:
        """Have `callback()` called whenever there is something to take to the file."""
        self._on_write = callback

    def take(self) -> Batch | None:
        """What is yet to be written to the file, now the caller's to write; None where there is nothing."""
        if self._disk is None or self.revision == self._committed:
            return None
        batch, self._pending = Batch(self.revision, self._pending), {}
        return batch

    def put_back(self, batch: Batch) -> None:
        """A batch that could not be written goes before what has come since."""
        self._pending = {**batch.objects, **self._pending}

    def save(self, batch: Batch) -> None:
        """Write a batch to the file: the one part that may run in another thread."""
        if self._disk is not None:
            self._disk.write(batch)

    def committed(self, revision: int) -> None:
        """A batch up to this revision is safe."""
        self._committed = revision
        self._tell()

    def flush(self) -> None:
        """Write what is pending here and now."""
        batch = self.take()
        if batch is not None:
            self.save(batch)
            self.committed(batch.revision)

    def close(self) -> None:
        """Write what is pending, and leave the file so that the next start can go on right where this one ended."""
        self.flush()
        if self._disk is not None:
            self._disk.close()

    def _tell(self) -> None:
        for callback in self._on_commit:
            callback()
