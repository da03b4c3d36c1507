"""Events are kept for an hour after they were last written (kube-apiserver --event-ttl; etcd does it with leases)."""

from __future__ import annotations

from k8sdiag.clock import parse_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.controllers import Context

NAME = "event-expiry"

_TTL = 3600.0

Key = tuple[str, str]


def start(context: Context) -> None:
    _Expiry(context)


class _Expiry:
    def __init__(self, context: Context) -> None:
        self._client, self._clock = context.client, context.clock
        self._queue = context.loop.queue("event-expiry", self._sync)
        self._client.watch("events", self._on_event)

    def _on_event(self, kind: str, event: Json, _: Json | None) -> None:
        key = (event["metadata"]["namespace"], event["metadata"]["name"])
        if kind == "DELETED":
            self._queue.forget(key)
        elif kind == "ADDED":
            self._queue.add(key, max(0.0, _written(event) + _TTL - self._clock.now()))

    def _sync(self, key: Key) -> float | None:
        event = self._client.find("events", *key)
        if event is None:
            return None
        left = _written(event) + _TTL - self._clock.now()
        if left > 0:
            return left
        self._client.delete("events", *key, uid=event["metadata"]["uid"])
        return None


def _written(event: Json) -> float:
    """When it was written last."""
    times = (
        event["metadata"].get("creationTimestamp"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        (event.get("series") or {}).get("lastObservedTime"),
    )
    return max(parse_time(time) or 0.0 for time in times)
