"""What happened in a cluster, as a recording tells it (docs/recording.md): one change after the other, as far back as
the storage remembers, and before that each object as it was when memory begins.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter

from k8sdiag.clock import format_micro_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.storage import Storage, key_of_object

Told = tuple[str, str, Json]  # when (RFC 3339), ADDED, MODIFIED or DELETED, and the object


def history(storage: Storage, now: float) -> Iterator[Told]:
    """All changes in their order; applied one after the other they lead to what is there now."""
    known: list[Told] = []
    told: list[tuple[int, Told]] = []
    for name in storage.stored():
        changes = storage.remembered(name)
        begun: set[str] = set()
        for change in changes:
            key = key_of_object(change.obj)
            if key not in begun:
                begun.add(key)
                if change.old is not None:
                    known.append((format_micro_time(change.at), "ADDED", change.old))
            if not (change.type == "DELETED" and change.old is None):
                told.append((change.revision, (format_micro_time(change.at), change.type, change.obj)))
        known += (
            (format_micro_time(now), "ADDED", obj) for obj in storage.list(name) if key_of_object(obj) not in begun
        )
    told.sort(key=itemgetter(0))
    start = min((entry[0] for _, entry in told), default=format_micro_time(now))
    yield from ((start, kind, obj) for _, kind, obj in known)
    yield from (entry for _, entry in told)
