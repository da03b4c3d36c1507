"""A Job's status: which pods have ended, counted once each and for good, and what became of the whole
(pkg/controller/job/job_controller.go trackJobStatusAndRemoveFinalizers).

A pod keeps its finalizer until its uid is in the job's status, and its uid stays there until the finalizer is gone:
so no pod is counted twice or forgotten, whatever falls over in between.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from k8sdiag.clock import format_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.client import Client
from k8sdiag.minicluster.controllers.job_indexes import format_indexes, index_of, indexed
from k8sdiag.minicluster.controllers.job_pods import FINALIZER, failed, in_range, per_index, tracked
from k8sdiag.minicluster.controllers.job_policies import judge
from k8sdiag.minicluster.controllers.pod_states import phase_of

MOST_UNCOUNTED = 500

_ORDER = (
    "conditions",
    "startTime",
    "completionTime",
    "active",
    "succeeded",
    "failed",
    "terminating",
    "completedIndexes",
    "failedIndexes",
    "uncountedTerminatedPods",
    "ready",
)
_SHOWN_AT_ZERO = frozenset(("terminating", "uncountedTerminatedPods", "ready", "failedIndexes"))


@dataclass(slots=True)
class Look:
    """One look at a job: its status as it is going to be, and what was found out."""

    job: Json
    pods: list[Json]
    active: list[Json]
    now: float
    status: Json
    terminating: int
    ready: int
    succeeded: int = 0
    failed: int = 0
    finished: Json | None = None  # the condition that ends the job
    succeeded_before: set[int] = field(default_factory=set)
    succeeded_indexes: set[int] = field(default_factory=set)
    failed_indexes: set[int] | None = None
    delayed: dict[int, Json] = field(default_factory=dict)  # index: failed pod that waits for its replacement

    def uncounted(self, kind: str) -> list[str]:
        return list((self.status.get("uncountedTerminatedPods") or {}).get(kind) or ())


def condition(kind: str, status: str, reason: str, message: str, now: float) -> Json:
    at = format_time(now)
    entry = {"type": kind, "status": status, "lastProbeTime": at, "lastTransitionTime": at}
    return entry | {name: text for name, text in (("reason", reason), ("message", message)) if text}


def ensure(known: list[Json], new: Json) -> list[Json]:
    """The conditions with `new` in its place, or at the end; false is not worth a first entry."""
    for number, entry in enumerate(known):
        if entry["type"] == new["type"]:
            same = all(entry.get(name) == new.get(name) for name in ("status", "reason", "message"))
            return known if same else [*known[:number], new, *known[number + 1 :]]
    return known if new["status"] == "False" else [*known, new]


def settle(client: Client, look: Look, write: bool) -> Json | None:
    """Count what ended, let go of the pods, write the status. The condition that ended the job in this look."""
    ended, changed = _collect(look)
    held = {pod["metadata"]["uid"] for pod in look.pods if tracked(pod)}
    write = _count(look, held) or write or changed
    if indexed(look.job):
        write = _note_indexes(look) or write
    known = look.status.get("conditions", [])
    final = _interim(look)
    if write or look.status.get("conditions", []) is not known:
        _flush(client, look)
    for pod in ended:
        release(client, pod)
    write = _count(look, set())
    done = final if final is not None and _may_end(look) and len(ended) < MOST_UNCOUNTED else None
    if done is not None:
        look.status["conditions"] = ensure(look.status.get("conditions", []), done)
        if done["type"] == "Complete":
            look.status["completionTime"] = done["lastTransitionTime"]
    if write or done is not None:
        client.update("jobs", {**look.job, "status": _shown(look.status)}, "status")
    return done


def _collect(look: Look) -> tuple[list[Json], bool]:
    """The pods whose finalizers can go, their uids noted in the status; whether any was."""
    ended, changed = [], False
    succeeded, lost = look.uncounted("succeeded"), look.uncounted("failed")
    pods = sorted(look.pods, key=lambda pod: index_of(pod) or 0) if indexed(look.job) else look.pods
    gives_up = look.finished is not None and look.finished["type"] not in ("SuccessCriteriaMet", "Complete")
    for pod in pods:
        uid, fails = pod["metadata"]["uid"], failed(look.job, pod)
        if not tracked(pod) or not _may_go(look, pod, fails):
            continue
        ended.append(pod)
        if phase_of(pod) == "Succeeded" and uid not in lost:
            if indexed(look.job):
                changed = changed or (in_range(look.job, pod) and index_of(pod) not in look.succeeded_before)
            elif uid not in succeeded:
                succeeded.append(uid)
                changed = True
        elif (fails or gives_up) and uid not in lost and in_range(look.job, pod) and judge(look.job, pod).counts:
            lost.append(uid)
            changed = True
        if len(ended) >= MOST_UNCOUNTED:
            break
    _keep_uncounted(look, succeeded, lost)
    return ended, changed


def _may_go(look: Look, pod: Json, fails: bool) -> bool:
    if "deletionTimestamp" in look.job["metadata"] or look.finished is not None or phase_of(pod) == "Succeeded":
        return True
    if not fails:
        return False
    waiting = look.delayed.get(index_of(pod) or 0) if per_index(look.job) else None
    return waiting is None or bool(waiting["metadata"]["uid"] != pod["metadata"]["uid"])


def _keep_uncounted(look: Look, succeeded: list[str], lost: list[str]) -> None:
    entry = {name: uids for name, uids in (("succeeded", succeeded), ("failed", lost)) if uids}
    look.status["uncountedTerminatedPods"] = entry


def _count(look: Look, held: set[str]) -> bool:
    """Turn uids of pods that no longer have their finalizer into numbers; whether there were any."""
    succeeded, lost = look.uncounted("succeeded"), look.uncounted("failed")
    left, gone = [uid for uid in succeeded if uid in held], [uid for uid in lost if uid in held]
    look.status["succeeded"] = look.status.get("succeeded", 0) + len(succeeded) - len(left)
    look.status["failed"] = look.status.get("failed", 0) + len(lost) - len(gone)
    _keep_uncounted(look, left, gone)
    return len(left) != len(succeeded) or len(gone) != len(lost)


def _note_indexes(look: Look) -> bool:
    before = (look.status.get("completedIndexes", ""), look.status.get("failedIndexes"))
    look.status["succeeded"] = len(look.succeeded_indexes)
    look.status["completedIndexes"] = format_indexes(look.succeeded_indexes)
    if look.failed_indexes is not None:
        look.status["failedIndexes"] = format_indexes(look.failed_indexes)
    return before != (look.status["completedIndexes"], look.status.get("failedIndexes"))


def _interim(look: Look) -> Json | None:
    """Say before the pods are let go how the job will end. The condition for when they are gone."""
    if look.finished is None:
        return None
    known, found = look.status.get("conditions", []), look.finished
    ends = {"FailureTarget": "Failed", "SuccessCriteriaMet": "Complete"}
    if found["type"] not in ends:
        return found
    if not any(entry["type"] == found["type"] for entry in known):
        look.status["conditions"] = [*known, found]
    return condition(ends[found["type"]], "True", found.get("reason", ""), found.get("message", ""), look.now)


def _may_end(look: Look) -> bool:
    return not look.terminating and not look.uncounted("succeeded") and not look.uncounted("failed")


def _flush(client: Client, look: Look) -> None:
    look.job = client.update("jobs", {**look.job, "status": _shown(look.status)}, "status")


def _shown(status: Json) -> Json:
    """A status as the server shows it: in the type's order, zeros left out but for those it always has."""
    return {name: status[name] for name in _ORDER if name in status and (status[name] or name in _SHOWN_AT_ZERO)}


def release(client: Client, pod: Json) -> None:
    """Take the job's finalizer off a pod; one that is gone already is fine."""
    meta = pod["metadata"]
    left = [entry for entry in meta.get("finalizers") or () if entry != FINALIZER]
    try:
        client.patch("pods", meta["namespace"], meta["name"], {"metadata": {"finalizers": left or None}})
    except ApiError as error:
        if error.code != 404:
            raise
