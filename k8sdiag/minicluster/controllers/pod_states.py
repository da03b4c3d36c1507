"""What controllers ask of a pod: active, ready, available (pkg/api/v1/pod/util.go,
pkg/controller/controller_utils.go)."""

from __future__ import annotations

from collections.abc import Iterable

from k8sdiag.clock import parse_time
from k8sdiag.evidence import Json


def phase_of(pod: Json) -> str:
    return str((pod.get("status") or {}).get("phase") or "")


def finished(pod: Json) -> bool:
    return phase_of(pod) in ("Succeeded", "Failed")


def terminating(pod: Json) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def active(pod: Json) -> bool:
    """Neither finished nor on its way out."""
    return not terminating(pod) and not finished(pod)


def condition_of(pod: Json, kind: str) -> Json | None:
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition["type"] == kind:
            found: Json = condition
            return found
    return None


def ready(pod: Json) -> bool:
    condition = condition_of(pod, "Ready")
    return condition is not None and condition["status"] == "True"


def ready_since(pod: Json) -> float | None:
    condition = condition_of(pod, "Ready")
    if condition is None or condition["status"] != "True":
        return None
    return parse_time(condition.get("lastTransitionTime")) or 0.0


def available(pod: Json, min_ready_seconds: int, now: float) -> bool:
    """Ready for at least so long."""
    if not min_ready_seconds:
        return ready(pod)
    since = ready_since(pod)
    return since is not None and since + min_ready_seconds <= now


def available_in(pods: Iterable[Json], min_ready_seconds: int, now: float) -> float | None:
    """In how many seconds the next of these pods will count as available; None where none is on its way."""
    if not min_ready_seconds:
        return None
    left = [since + min_ready_seconds - now for pod in pods if (since := ready_since(pod)) is not None]
    return min((seconds for seconds in left if seconds > 0), default=None)


def restarts(pod: Json) -> int:
    """The most restarts that one of its containers has had."""
    status = pod.get("status") or {}
    counts = [entry.get("restartCount", 0) for entry in status.get("containerStatuses") or ()]
    counts += [entry.get("restartCount", 0) for entry in status.get("initContainerStatuses") or ()]
    return max(counts, default=0)
