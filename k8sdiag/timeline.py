"""What happened to a subject, in order: its events and those of what it depends on, starts and ends of containers, and
recorded changes of phase."""

from __future__ import annotations

from collections.abc import Iterator

from k8sdiag.clock import parse_time
from k8sdiag.evidence import Ref, Snapshot, event_count, event_first_time, event_message, event_time, involved
from k8sdiag.finding import Moment
from k8sdiag.podstate import containers_of

MAX_MOMENTS = 40
_DULL = frozenset({"NodeAllocatableEnforced", "RegisteredNode", "CgroupV1", "Starting", "SuccessfulCreate"})


def timeline_of(snapshot: Snapshot, subject: Ref, scope: frozenset[Ref]) -> tuple[Moment, ...]:
    """The newest moments, oldest first. Of a node that merely carries the subject only warnings are told."""
    moments = {*_events(snapshot, subject, scope), *_containers(snapshot, scope)}
    ordered = sorted(moments, key=lambda moment: (parse_time(moment.time) or 0.0, moment.ref, moment.text))
    return tuple(ordered[-MAX_MOMENTS:])


def _events(snapshot: Snapshot, subject: Ref, scope: frozenset[Ref]) -> Iterator[Moment]:
    for ref in scope:
        for event in snapshot.events_of(ref):
            if event.get("reason") in _DULL or (
                ref.kind == "Node" and ref != subject and event.get("type") != "Warning"
            ):
                continue
            about = involved(event)
            word, count = f"{(about.get('kind') or '').lower()}/{about.get('name')}", event_count(event)
            text = (
                f"{event.get('reason')}: {event_message(event)}" if event_message(event) else str(event.get("reason"))
            )
            if count > 1:
                yield Moment(event_first_time(event), word, f"{text} (first of {count})")
                text = f"{text} (x{count})"
            yield Moment(event_time(event), word, text)


def _containers(snapshot: Snapshot, scope: frozenset[Ref]) -> Iterator[Moment]:
    for ref in scope:
        pod = snapshot.find(ref) if ref.kind == "Pod" else None
        for container in containers_of(pod) if pod else ():
            for part in ("lastState", "state"):
                for word, detail in (container.status.get(part) or {}).items():
                    where = f"pod/{ref.name} container {container.name}"
                    if word == "terminated" and detail.get("finishedAt"):
                        text = f"ended with exit code {detail.get('exitCode')} ({detail.get('reason') or 'no reason'})"
                        yield Moment(detail["finishedAt"], where, text)
                    elif word == "running" and detail and detail.get("startedAt"):
                        yield Moment(detail["startedAt"], where, "started, and runs")
