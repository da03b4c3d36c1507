"""What a deployment says of itself: numbers, Available, Progressing, ReplicaFailure
(pkg/controller/deployment/progress.go, sync.go calculateStatus)."""

from __future__ import annotations

from k8sdiag.clock import format_time, parse_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.controllers import conditions
from k8sdiag.minicluster.controllers.deployment_budget import unavailable
from k8sdiag.minicluster.controllers.deployment_history import counted, total

COMPLETE = "NewReplicaSetAvailable"
TIMED_OUT = "ProgressDeadlineExceeded"
PAUSED = "DeploymentPaused"
_NO_DEADLINE = 2**31 - 1  # of math.MaxInt32 seconds


def deadline_of(deployment: Json) -> int | None:
    seconds = deployment["spec"].get("progressDeadlineSeconds")
    return None if seconds is None or seconds == _NO_DEADLINE else int(seconds)


def condition(kind: str, status: str, reason: str, message: str, now: float) -> Json:
    at = format_time(now)
    return {
        "type": kind,
        "status": status,
        "lastUpdateTime": at,
        "lastTransitionTime": at,
        "reason": reason,
        "message": message,
    }


def progressing(status: str, reason: str, message: str, now: float) -> Json:
    return condition("Progressing", status, reason, message, now)


def conditions_of(deployment: Json) -> list[Json]:
    return (deployment.get("status") or {}).get("conditions") or []


def assemble(counts: dict[str, int], found: list[Json], collisions: int | None) -> Json:
    """A status as the server shows it: numbers that are zero are left out."""
    status: Json = {name: count for name, count in counts.items() if count}
    if found:
        status["conditions"] = found
    if collisions is not None:
        status["collisionCount"] = collisions
    return status


def calculate(deployment: Json, new: Json | None, sets: list[Json], now: float) -> Json:
    """Numbers and Available; the other conditions as they were."""
    desired = int(deployment["spec"]["replicas"])
    available = sum(counted(entry, "availableReplicas") for entry in sets)
    counts = {
        "observedGeneration": deployment["metadata"].get("generation", 0),
        "replicas": sum(counted(entry, "replicas") for entry in sets),
        "updatedReplicas": counted(new, "replicas") if new is not None else 0,
        "readyReplicas": sum(counted(entry, "readyReplicas") for entry in sets),
        "availableReplicas": available,
        "unavailableReplicas": max(0, total(sets) - available),
    }
    if available >= desired - unavailable(deployment):
        entry = ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    else:
        entry = ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    found = conditions.put(conditions_of(deployment), condition("Available", *entry, now))
    return assemble(counts, found, (deployment.get("status") or {}).get("collisionCount"))


def complete(deployment: Json, status: Json) -> bool:
    """All replicas are of the new template and available, and no old pod is left."""
    desired = int(deployment["spec"]["replicas"])
    numbers = (status.get(name, 0) for name in ("updatedReplicas", "replicas", "availableReplicas"))
    generation = int(deployment["metadata"].get("generation", 0))
    return all(count == desired for count in numbers) and status.get("observedGeneration", 0) >= generation


def with_progress(deployment: Json, new: Json | None, sets: list[Json], status: Json, now: float) -> Json:
    """The status with what is to be said of the rollout."""
    found, deadline = status.get("conditions", []), deadline_of(deployment)
    current = conditions.find(conditions_of(deployment), "Progressing")
    if deadline is None:
        found = conditions.without(found, "Progressing")
    settled = (
        status.get("replicas", 0) == status.get("updatedReplicas", 0)
        and current is not None
        and current["reason"] == COMPLETE
    )
    if deadline is not None and not settled:
        found = _rollout(deployment, new, status, found, deadline, now)
    failure = _failure(new, sets)
    found = conditions.put(found, failure) if failure else conditions.without(found, "ReplicaFailure")
    ordered = {name: value for name, value in status.items() if name not in ("conditions", "collisionCount")}
    return assemble(ordered, found, status.get("collisionCount"))


def _rollout(
    deployment: Json, new: Json | None, status: Json, found: list[Json], deadline: int, now: float
) -> list[Json]:
    subject = f'ReplicaSet "{new["metadata"]["name"]}"' if new else f'Deployment "{deployment["metadata"]["name"]}"'
    current = conditions.find(conditions_of(deployment), "Progressing")
    if complete(deployment, status):
        return conditions.put(found, progressing("True", COMPLETE, f"{subject} has successfully progressed.", now))
    if _moves(deployment.get("status") or {}, status):
        entry = progressing("True", "ReplicaSetUpdated", f"{subject} is progressing.", now)
        if current is not None and current["status"] == "True":
            entry["lastTransitionTime"] = current["lastTransitionTime"]
        return [*conditions.without(found, "Progressing"), entry]
    if timed_out(conditions.find(found, "Progressing"), deadline, now):
        return conditions.put(found, progressing("False", TIMED_OUT, f"{subject} has timed out progressing.", now))
    return found


def _moves(before: Json, after: Json) -> bool:
    """More new pods, fewer old ones, or more ready or available ones than when last looked."""

    def old_pods(status: Json) -> int:
        return int(status.get("replicas", 0) - status.get("updatedReplicas", 0))

    grown = ("updatedReplicas", "readyReplicas", "availableReplicas")
    return old_pods(after) < old_pods(before) or any(after.get(name, 0) > before.get(name, 0) for name in grown)


def timed_out(current: Json | None, deadline: int, now: float) -> bool:
    if current is None or current["reason"] == COMPLETE:
        return False
    if current["reason"] == TIMED_OUT:
        return True
    return (parse_time(current["lastUpdateTime"]) or 0.0) + deadline < now


def _failure(new: Json | None, sets: list[Json]) -> Json | None:
    """The new replica set's ReplicaFailure, else any one's."""
    for entry in [*([new] if new is not None else []), *sets]:
        held = conditions.find((entry.get("status") or {}).get("conditions") or [], "ReplicaFailure")
        if held is not None:
            at = held["lastTransitionTime"]
            return {
                "type": "ReplicaFailure",
                "status": held["status"],
                "lastUpdateTime": at,
                "lastTransitionTime": at,
                "reason": held["reason"],
                "message": held["message"],
            }
    return None


def look_again(deployment: Json, status: Json, now: float) -> float | None:
    """The seconds until a rollout that does not move is out of time (requeueStuckDeployment)."""
    deadline, current = deadline_of(deployment), conditions.find(status.get("conditions", []), "Progressing")
    if deadline is None or current is None:
        return None
    if complete(deployment, status) or current["reason"] in (TIMED_OUT, COMPLETE):
        return None
    return max(0.0, (parse_time(current["lastUpdateTime"]) or 0.0) + deadline - now) + 1.0
