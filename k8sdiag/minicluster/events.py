"""Events as the components of a cluster record them: repeats counted, floods joined and cut.

Two styles, as on a real cluster. Kubelet and controllers use client-go's tools/record: a repeat raises `count` on the
event there is; more than ten of a kind within ten minutes become one "(combined from similar events)"; one object gets
at most 25 at once and then one in five minutes (events_cache.go). The scheduler uses client-go's tools/events: a repeat
within six minutes becomes a `series` (event_broadcaster.go).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from k8sdiag.clock import Clock, format_micro_time, format_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.client import Client

# events_cache.go: maxLruCacheEntries, defaultAggregateMaxEvents, …IntervalInSeconds, defaultSpamBurst, defaultSpamQPS
_REMEMBERED = 4096
_SIMILAR = 10
_WITHIN = 600.0
_BURST = 25
_PER_SECOND = 1.0 / 300.0
# event_broadcaster.go: a series ends when nothing came for this long, and is written again this often
_SERIES_ENDS = 360.0
_SERIES_WRITTEN = 1800.0


@dataclass(slots=True)
class _Seen:
    """An event that was written: its name, how often it happened, and when last."""

    name: str
    count: int
    last: float
    written: float


class _Memory(OrderedDict[Hashable, _Seen]):
    """What was seen lately; the oldest is forgotten."""

    def keep(self, key: Hashable, seen: _Seen) -> None:
        self[key] = seen
        self.move_to_end(key)
        if len(self) > _REMEMBERED:
            self.popitem(last=False)


class Recorder:
    """Writes one component's events. `host` is the node for a kubelet, '' for others."""

    def __init__(self, client: Client, clock: Clock, component: str, host: str = "") -> None:
        self._client, self._clock = client, clock
        self._component, self._host = component, host
        self._seen = _Memory()
        self._series = _Memory()
        self._similar: OrderedDict[Hashable, tuple[float, set[str]]] = OrderedDict()
        self._tokens: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()
        self._last_stamp = 0

    def event(self, about: Json, kind: str, reason: str, message: str, *, field_path: str = "") -> None:
        """One event, `kind` Normal or Warning, in the style of kubelet and controllers."""
        reference = _reference(about, field_path)
        subject = (reference["kind"], reference.get("namespace"), reference["name"], reference.get("uid"))
        if not self._allowed(subject):
            return
        key: Hashable = (*subject, field_path, kind, reason, message)
        key, message = self._aggregate((*subject, kind, reason), key, message)
        now = self._clock.now()
        seen = self._seen.get(key)
        if seen is not None and self._again(reference, seen, message, now):
            self._seen.move_to_end(key)
            return
        stamp = format_time(now)
        source = {"component": self._component, **({"host": self._host} if self._host else {})}
        made = self._write(
            reference,
            {
                "reason": reason,
                "message": message,
                "source": source,
                "firstTimestamp": stamp,
                "lastTimestamp": stamp,
                "count": 1,
                "type": kind,
                "eventTime": None,
                "reportingComponent": self._component,
                "reportingInstance": self._host,
            },
        )
        self._seen.keep(key, _Seen(made, 1, now, now))

    def series_event(
        self, about: Json, kind: str, reason: str, action: str, message: str, related: Json | None = None
    ) -> None:
        """One event in the scheduler's style: times in microseconds, repeats as a series."""
        reference = _reference(about, "")
        # getKey: the object as it was (with its resourceVersion), but not what the event says of it
        key = (*reference.items(), action, reason, kind)
        now = self._clock.now()
        seen = self._series.get(key)
        if seen is not None and now - seen.last < _SERIES_ENDS:
            seen.count += 1
            seen.last = now
            if seen.count > 2 and now - seen.written < _SERIES_WRITTEN:
                return
            seen.written = now
            series = {"count": seen.count, "lastObservedTime": format_micro_time(now)}
            if self._change(reference, seen.name, {"series": series}):
                return
        event: Json = {
            "reason": reason,
            "message": message,
            "source": {},
            "firstTimestamp": None,
            "lastTimestamp": None,
            "type": kind,
            "eventTime": format_micro_time(now),
            "action": action,
            "reportingComponent": self._component,
            "reportingInstance": f"{self._component}-{self._host or 'lab'}",
        }
        if related is not None:
            event["related"] = _reference(related, "")
        self._series.keep(key, _Seen(self._write(reference, event), 1, now, now))

    def _allowed(self, subject: Hashable) -> bool:
        """A bucket of 25 tokens for each object, refilled by one in five minutes (EventSourceObjectSpamFilter)."""
        now = self._clock.now()
        tokens, at = self._tokens.pop(subject, (float(_BURST), now))
        tokens = min(float(_BURST), tokens + (now - at) * _PER_SECOND)
        self._tokens[subject] = (tokens - 1.0 if tokens >= 1.0 else tokens, now)
        if len(self._tokens) > _REMEMBERED:
            self._tokens.popitem(last=False)
        return tokens >= 1.0

    def _aggregate(self, group: Hashable, key: Hashable, message: str) -> tuple[Hashable, str]:
        """From the tenth different message of one reason on, they are one event (EventAggregator)."""
        now = self._clock.now()
        at, messages = self._similar.pop(group, (now, set()))
        if now - at > _WITHIN:
            messages = set()
        messages.add(message)
        self._similar[group] = (now, messages)
        if len(self._similar) > _REMEMBERED:
            self._similar.popitem(last=False)
        if len(messages) < _SIMILAR:
            return key, message
        messages.pop()  # as many as that are kept, not each one that ever came
        return group, f"(combined from similar events): {message}"

    def _again(self, reference: Json, seen: _Seen, message: str, now: float) -> bool:
        """Count a repeat; False where the event is gone by now."""
        seen.count += 1
        seen.last = now
        return self._change(
            reference, seen.name, {"count": seen.count, "lastTimestamp": format_time(now), "message": message}
        )

    def _change(self, reference: Json, name: str, change: Json) -> bool:
        try:
            self._client.patch("events", reference.get("namespace") or "default", name, change)
        except ApiError as refused:
            if refused.code not in (403, 404, 409):
                raise
            return refused.code != 404
        return True

    def _write(self, reference: Json, event: Json) -> str:
        """Write it, and answer its name. An event that is refused (its namespace is going away) is lost, as there."""
        namespace = reference.get("namespace") or "default"
        stamp = max(self._last_stamp + 1, int(self._clock.now() * 1e9))
        # Where time stands still, another component may have said something of an object of that name already.
        while self._client.find("events", namespace, name := f"{reference['name']}.{stamp:x}") is not None:
            stamp += 1
        self._last_stamp = stamp
        whole = {
            "kind": "Event",
            "apiVersion": "v1",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": reference,
            **event,
        }
        try:
            self._client.create("events", whole, namespace)
        except ApiError as refused:
            if refused.code not in (403, 404, 409):
                raise
        return name


def _reference(about: Json, field_path: str) -> Json:
    """An ObjectReference (client-go/tools/reference): kind first, as events show it."""
    metadata = about.get("metadata") or {}
    reference: Json = {"kind": about.get("kind", "")}
    if metadata.get("namespace"):
        reference["namespace"] = metadata["namespace"]
    reference["name"] = metadata.get("name", "")
    if metadata.get("uid"):
        reference["uid"] = metadata["uid"]
    reference["apiVersion"] = about.get("apiVersion", "v1")
    if metadata.get("resourceVersion"):
        reference["resourceVersion"] = metadata["resourceVersion"]
    if field_path:
        reference["fieldPath"] = field_path
    return reference
