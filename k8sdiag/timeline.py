"""What happened to a subject, in order: its events and those of what it depends on, and what its pods' containers went
through, as recorded."""

from __future__ import annotations

from collections.abc import Iterator

from k8sdiag.clock import parse_time
from k8sdiag.evidence import (
    Json,
    Ref,
    Snapshot,
    event_count,
    event_first_time,
    event_message,
    event_time,
    involved,
)
from k8sdiag.finding import Moment
from k8sdiag.podstate import conditions_of, containers_of

MAX_MOMENTS = 40
_DULL = frozenset({"NodeAllocatableEnforced", "RegisteredNode", "CgroupV1", "Starting", "SuccessfulCreate"})


def timeline_of(snapshot: Snapshot, subject: Ref, scope: frozenset[Ref]) -> tuple[Moment, ...]:
    """The newest moments, oldest first. Of a node that merely carries the subject only warnings are told."""
    moments = {*_events(snapshot, subject, scope)}
    for ref in scope:
        if ref.kind == "Pod":
            moments |= {*_endings(snapshot, ref), *_changes(snapshot, ref)}
        elif ref.kind == "Node":
            moments |= {*_node_changes(snapshot, ref)}
    ordered = sorted(moments, key=lambda moment: (parse_time(moment.time) or 0.0, moment.ref, moment.text))
    return tuple(ordered[-MAX_MOMENTS:])


def _events(snapshot: Snapshot, subject: Ref, scope: frozenset[Ref]) -> Iterator[Moment]:
    for ref in scope:
        for event in snapshot.events_of(ref):
            merely_carries = ref.kind == "Node" and ref != subject and event.get("type") != "Warning"
            if event.get("reason") in _DULL or merely_carries:
                continue
            about = involved(event)
            word, count = f"{(about.get('kind') or '').lower()}/{about.get('name')}", event_count(event)
            message = event_message(event)
            text = f"{event.get('reason')}: {message}" if message else str(event.get("reason"))
            if count > 1:
                yield Moment(event_first_time(event), word, f"{text} (first of {count})")
                text = f"{text} (x{count})"
            yield Moment(event_time(event), word, text)


def _endings(snapshot: Snapshot, ref: Ref) -> Iterator[Moment]:
    pod = snapshot.find(ref)
    for container in containers_of(pod) if pod else ():
        yield from _ending(ref, container.name, container.status)


def _ending(ref: Ref, container: str, status: Json) -> Iterator[Moment]:
    where = f"pod/{ref.name} container {container}"
    for part in ("lastState", "state"):
        ended = (status.get(part) or {}).get("terminated") or {}
        if ended.get("finishedAt"):
            text = f"ended with exit code {ended.get('exitCode')} ({ended.get('reason') or 'no reason'})"
            yield Moment(ended["finishedAt"], where, text)


def _changes(snapshot: Snapshot, ref: Ref) -> Iterator[Moment]:
    """From the history: every end of a container, when the pod became ready or ceased to be, when it was deleted."""
    ready: str | None = None
    for change in snapshot.history_of(ref):
        if change.type == "DELETED":
            yield Moment(change.time, str(ref), "deleted")
            continue
        pod = change.load()
        for container in containers_of(pod):
            yield from _ending(ref, container.name, container.status)
        now = (conditions_of(pod).get("Ready") or {}).get("status")
        if ready is not None and now is not None and now != ready:
            yield Moment(change.time, str(ref), "became ready" if now == "True" else "is not ready any more")
        ready = now or ready


def _node_changes(snapshot: Snapshot, ref: Ref) -> Iterator[Moment]:
    """From the history: changes of a node's conditions."""
    before: dict[str, str] = {}
    for change in snapshot.history_of(ref):
        for kind, item in conditions_of(change.load()).items() if change.type != "DELETED" else ():
            status = str(item.get("status"))
            if before.get(kind, status) != status:
                yield Moment(
                    change.time, str(ref), f"{kind} became {status}: {item.get('message') or item.get('reason') or ''}"
                )
            before[kind] = status
