"""Whether a Job has failed, or succeeded early, and why (pkg/controller/job/job_controller.go syncJob)."""

from __future__ import annotations

from k8sdiag.clock import parse_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.controllers.conditions import true
from k8sdiag.minicluster.controllers.job_indexes import index_of, indexed, parse_indexes
from k8sdiag.minicluster.controllers.job_pods import (
    failed,
    in_range,
    index_failed,
    per_index,
    tracked,
    waiting_for_replacement,
)
from k8sdiag.minicluster.controllers.job_policies import judge, succeeds_early
from k8sdiag.minicluster.controllers.job_tracking import Look, condition
from k8sdiag.minicluster.controllers.pod_states import phase_of


def end_of(look: Look) -> tuple[Json | None, float | None]:
    """The condition that ends the job, if one does; and the seconds that are left of its deadline."""
    _read_indexes(look)
    known = look.status.get("conditions", [])
    for kind in ("SuccessCriteriaMet", "FailureTarget"):
        if true(known, kind):
            return next(entry for entry in known if entry["type"] == kind), None
    left = _deadline(look)
    reason, message = _failure(look, left)
    if reason:
        return condition("FailureTarget", "True", reason, message, look.now), None
    if indexed(look.job):
        met = succeeds_early(look.job, look.succeeded_indexes)
        if met:
            return condition("SuccessCriteriaMet", "True", "SuccessPolicy", met, look.now), None
    return None, left


def _failure(look: Look, deadline: float | None) -> tuple[str, str]:
    for pod in look.pods:
        if failed(look.job, pod):
            verdict = judge(look.job, pod)
            if verdict.action == "FailJob":
                return "PodFailurePolicy", verdict.message
    if look.failed > look.job["spec"].get("backoffLimit", 6) or _restarted_too_often(look):
        return "BackoffLimitExceeded", "Job has reached the specified backoff limit"
    if deadline is not None and deadline <= 0:
        return "DeadlineExceeded", "Job was active longer than specified deadline"
    return _failed_indexes(look) if per_index(look.job) and look.failed_indexes else ("", "")


def _failed_indexes(look: Look) -> tuple[str, str]:
    spec, lost = look.job["spec"], len(look.failed_indexes or ())
    if spec.get("maxFailedIndexes") is not None and lost > spec["maxFailedIndexes"]:
        return "MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes"
    if lost + len(look.succeeded_indexes) >= spec["completions"]:
        return "FailedIndexes", "Job has failed indexes"
    return "", ""


def _restarted_too_often(look: Look) -> bool:
    """Where containers are restarted in place, their restarts count against the limit."""
    spec = look.job["spec"]
    if spec["template"]["spec"].get("restartPolicy") != "OnFailure":
        return False
    restarts = sum(
        entry.get("restartCount", 0)
        for pod in look.pods
        if phase_of(pod) in ("Running", "Pending")
        for field in ("initContainerStatuses", "containerStatuses")
        for entry in (pod.get("status") or {}).get(field) or ()
    )
    limit = spec.get("backoffLimit", 6)
    return bool(restarts >= limit if limit else restarts > 0)


def _deadline(look: Look) -> float | None:
    """The seconds left; None for a job without a deadline, or one that is suspended."""
    spec, since = look.job["spec"], parse_time(look.status.get("startTime"))
    if spec.get("activeDeadlineSeconds") is None or since is None or spec.get("suspend"):
        return None
    return float(since + spec["activeDeadlineSeconds"] - look.now)


def _read_indexes(look: Look) -> None:
    """Which indexes have succeeded and, with back-off per index, which have failed for good."""
    if not indexed(look.job):
        return
    completions = look.job["spec"]["completions"]
    look.succeeded_before = parse_indexes(look.status.get("completedIndexes", ""), completions)
    ended = [pod for pod in look.pods if tracked(pod) and in_range(look.job, pod)]
    new = {index_of(pod) for pod in ended if phase_of(pod) == "Succeeded"}
    look.succeeded_indexes = look.succeeded_before | {index for index in new if index is not None}
    look.succeeded = len(look.succeeded_indexes)
    if per_index(look.job):
        lost = {index_of(pod) for pod in ended if failed(look.job, pod) and index_failed(look.job, pod)}
        known = parse_indexes(look.status.get("failedIndexes") or "", completions)
        look.failed_indexes = known | {index for index in lost if index is not None}


def note_indexes(look: Look) -> None:
    """Which failed pods stay until their index is tried again."""
    if per_index(look.job):
        done = look.succeeded_indexes | (look.failed_indexes or set())
        running = {index_of(pod) for pod in look.active}
        look.delayed = waiting_for_replacement(look.job, look.pods, done, running)
