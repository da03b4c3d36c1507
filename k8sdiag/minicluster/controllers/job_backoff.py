"""How long a Job waits before it makes another pod: 10 s after a failure, twice as long after each further one, up to
ten minutes (pkg/controller/job/backoff_utils.go)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ldexp

from k8sdiag.clock import parse_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.controllers.pod_states import condition_of

_FIRST = 10.0
_LAST = 600.0


def wait(failures: int, last_failure: float, now: float) -> float:
    """The seconds left."""
    if not failures:
        return 0.0
    pause = min(ldexp(_FIRST, min(failures - 1, 20)), _LAST)
    return max(0.0, last_failure + pause - now)


def finished_at(pod: Json) -> float:
    """When its last container ended; else when it stopped being ready, was deleted, or was made."""
    status, meta = pod.get("status") or {}, pod["metadata"]
    ends = [
        parse_time(((entry.get("state") or {}).get("terminated") or {}).get("finishedAt"))
        for entry in [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]
    ]
    known = [end for end in ends if end is not None]
    if known and len(known) == len(ends):
        return max(known)
    condition = condition_of(pod, "Ready")
    if condition is not None and condition["status"] == "False":
        return parse_time(condition.get("lastTransitionTime")) or 0.0
    if "deletionTimestamp" in meta:
        return (parse_time(meta["deletionTimestamp"]) or 0.0) - float(meta.get("deletionGracePeriodSeconds", 0))
    return parse_time(meta.get("creationTimestamp")) or 0.0


@dataclass(frozen=True, slots=True)
class Failures:
    """How many in a row, and when the last one was."""

    count: int = 0
    last: float = 0.0

    def after(self, succeeded: Iterable[Json], failed: Iterable[Json]) -> Failures:
        """With pods that have just been seen to end: a success ends the row."""
        success = max(map(finished_at, succeeded), default=None)
        later = [at for at in map(finished_at, failed) if success is None or at > success]
        count = len(later) if success is not None else self.count + len(later)
        return Failures(count, max([*later, *([self.last] if success is None else [])], default=0.0))

    def wait(self, now: float) -> float:
        return wait(self.count, self.last, now)
