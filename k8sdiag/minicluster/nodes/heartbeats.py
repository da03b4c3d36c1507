"""The heartbeats of nodes: leases and statuses, in slices, so that 5,000 nodes are no load.

A kubelet renews its lease every 10 s and reports its status every 5 minutes. Beyond 500 nodes the lab renews less often
and says so in the lease itself (`leaseDurationSeconds` is four periods, as a kubelet's 40 s are), which the node
lifecycle controller takes into account.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from k8sdiag.clock import Clock, format_micro_time, parse_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.client import Client
from k8sdiag.minicluster.loop import Loop
from k8sdiag.minicluster.nodes import node_objects

_RENEW = 10.0
_REPORT = 300.0
_FIRST = 20.0  # within which all have had their first lease, before anybody gives them up
_SLICE = 25  # nodes renewed in one go
_RATE = 50.0  # renewals a second at most
LEASES = "kube-node-lease"


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a node of so many renews its lease and reports its status, in seconds."""

    renew: float
    report: float
    slices: int

    @property
    def lease_seconds(self) -> int:
        return ceil(self.renew * 4)


def pace_of(count: int) -> Pace:
    return Pace(max(_RENEW, count / _RATE), max(_REPORT, count / _RATE * 10), max(1, ceil(count / _SLICE)))


class Heartbeats:
    """Renews the leases of `names`, except those of which `is_up` says no."""

    def __init__(
        self, client: Client, clock: Clock, loop: Loop, names: Callable[[], list[str]], is_up: Callable[[str], bool]
    ) -> None:
        self._client, self._clock = client, clock
        self._names, self._is_up = names, is_up
        self._next = 0
        self._queue = loop.queue("node-heartbeats", self._beat)

    def start(self) -> None:
        self._queue.add("beat", _RENEW)

    def _beat(self, _: str) -> float:
        """One slice; then the next one, so that all have had their turn when the period is over."""
        names = self._names()
        pace = pace_of(len(names))
        at = self._next % pace.slices
        for name in names[at * _SLICE : (at + 1) * _SLICE]:
            if self._is_up(name):
                self.beat(name, pace)
        self._next += 1
        return min(pace.renew, _FIRST if self._next < pace.slices else pace.renew) / pace.slices

    def beat(self, name: str, pace: Pace) -> None:
        """One node's lease, and its status where that is old or says that it is not well."""
        node = self._client.find("nodes", "", name)
        if node is None:
            return
        now = self._clock.now()
        old = self._client.find("leases", LEASES, name)
        try:
            if old is None:
                self._client.create("leases", node_objects.lease(node, pace.lease_seconds, now), LEASES)
            else:
                spec = {**old["spec"], "renewTime": format_micro_time(now), "leaseDurationSeconds": pace.lease_seconds}
                self._client.update("leases", {**old, "spec": spec})
        except ApiError as refused:
            if refused.code not in (404, 409):  # its namespace is not there yet: next time
                raise
        self._report(node, pace, now)

    def _report(self, node: Json, pace: Pace, now: float) -> None:
        status = node["status"]
        held = status.get("conditions") or []
        last = max((parse_time(condition.get("lastHeartbeatTime")) or 0.0 for condition in held), default=0.0)
        unwell = not any(condition["type"] == "Ready" and condition["status"] == "True" for condition in held)
        # Not all in the same second: each has its own part of the period to come (a kubelet's jitter).
        spread = (sum(node["metadata"]["name"].encode()) % 16) / 16 * 0.5
        if unwell or now - last >= pace.report * (1 - spread):
            changed = {**status, "conditions": node_objects.beaten(held, now)}
            self._client.update("nodes", {**node, "status": changed}, subresource="status")
