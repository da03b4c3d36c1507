"""Acting on a preemption: victims are marked, deleted and told why (framework/preemption/executor.go)."""

from __future__ import annotations

from k8sdiag.clock import format_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.controllers import Context
from k8sdiag.minicluster.scheduler.pods import PodInfo
from k8sdiag.minicluster.scheduler.preemption import Candidate


def with_condition(status: Json, condition: Json, now: float) -> list[Json] | None:
    """The conditions with one set; None where it is so already (podutil.UpdatePodCondition)."""
    conditions: list[Json] = list(status.get("conditions") or ())
    made: Json = {
        "type": condition["type"],
        "status": condition["status"],
        "lastProbeTime": None,
        "lastTransitionTime": format_time(now),
        "reason": condition["reason"],
        "message": condition["message"],
    }
    for index, known in enumerate(conditions):
        if known.get("type") != made["type"]:
            continue
        if known.get("status") == made["status"]:
            made["lastTransitionTime"] = known.get("lastTransitionTime")
        if all(known.get(key) == made[key] for key in ("status", "reason", "message", "lastTransitionTime")):
            return None
        conditions[index] = made
        return conditions
    return [*conditions, made]


def evict(context: Context, pod: PodInfo, candidate: Candidate) -> None:
    """Make room for `pod`."""
    for victim in candidate.victims:
        if victim.terminating:
            continue
        try:
            _evict(context, pod, victim)
        except ApiError as refused:
            if refused.code != 404:
                raise
            continue
        message = f"Preempted by pod {pod.uid} on node {candidate.node.name}"
        context.events.series_event(victim.obj, "Normal", "Preempted", "Preempting", message, related=pod.obj)


def _evict(context: Context, pod: PodInfo, victim: PodInfo) -> None:
    client = context.client
    condition = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "PreemptionByScheduler",
        "message": f"{pod.spec.get('schedulerName')}: preempting to accommodate a higher priority pod",
    }
    conditions = with_condition(victim.obj.get("status") or {}, condition, context.clock.now())
    if conditions is not None:
        client.patch("pods", *victim.key, {"status": {"conditions": conditions}}, subresource="status")
    client.delete("pods", *victim.key, uid=victim.uid)
