"""Jobs run pods until enough of them succeed, or too many fail (pkg/controller/job/job_controller.go)."""

from __future__ import annotations

from k8sdiag.clock import format_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.controllers import Context, conditions, job_tracking
from k8sdiag.minicluster.controllers.adoption import Adoption, OwnerKind, label_selector
from k8sdiag.minicluster.controllers.job_backoff import Failures
from k8sdiag.minicluster.controllers.job_end import end_of, note_indexes
from k8sdiag.minicluster.controllers.job_pods import failed, in_range, per_index, tracked
from k8sdiag.minicluster.controllers.job_policies import judge
from k8sdiag.minicluster.controllers.job_sizing import Sizing
from k8sdiag.minicluster.controllers.job_tracking import Look, condition, ensure
from k8sdiag.minicluster.controllers.ownership import Key, controller_of, key_of
from k8sdiag.minicluster.controllers.pod_control import PodControl
from k8sdiag.minicluster.controllers.pod_states import active, finished, phase_of, ready, terminating

NAME = "job-controller"
_BATCH = 1.0  # changes of pods wait so long for others (SyncJobBatchPeriod)
_OURS = ("", "kubernetes.io/job-controller")


def start(context: Context) -> None:
    _Jobs(context)


def over(job: Json) -> bool:
    """Complete or Failed."""
    known = (job.get("status") or {}).get("conditions") or []
    return conditions.true(known, "Complete") or conditions.true(known, "Failed")


class _Jobs:
    def __init__(self, context: Context) -> None:
        self._client, self._clock, self._events = context.client, context.clock, context.events
        self._pods = PodControl(context.client, context.events)
        self._sizing = Sizing(context.client, self._pods)
        self._adoption = Adoption(context.client, OwnerKind("batch/v1", "Job", "jobs", label_selector), "pods")
        self._failures: dict[str, Failures] = {}  # by the job's uid
        self._queue = context.loop.queue("jobs", self._sync)
        self._orphans = context.loop.queue("job-orphan-pods", self._release_orphan)
        self._client.watch("jobs", self._on_job)
        self._client.watch("pods", self._on_pod)

    def _on_job(self, change: str, job: Json, _: Json | None) -> None:
        self._adoption.see_owner(change, job)
        if change != "DELETED":
            self._queue.add(key_of(job))
            return
        self._queue.forget(key_of(job))
        self._failures.pop(job["metadata"]["uid"], None)
        for pod in self._client.owned("pods", job["metadata"]["uid"]):
            if tracked(pod):
                self._orphans.add(key_of(pod))

    def _on_pod(self, change: str, pod: Json, old: Json | None) -> None:
        keys = self._adoption.see_child(change, pod, old)
        for key in keys:
            self._queue.add(key, _BATCH)
        if change == "DELETED" or not tracked(pod):
            return
        if controller_of(pod) is None or not any(self._client.find("jobs", *key) for key in keys):
            self._orphans.add(key_of(pod), 2 * _BATCH)  # a job that selects it has adopted it by then

    def _release_orphan(self, key: Key) -> None:
        """A pod whose job is gone is let go."""
        pod = self._client.find("pods", *key)
        if pod is None or not tracked(pod):
            return
        reference = controller_of(pod)
        job = self._client.find("jobs", key[0], reference["name"]) if reference is not None else None
        if job is None or reference is None or job["metadata"]["uid"] != reference["uid"]:
            job_tracking.release(self._client, pod)

    def _sync(self, key: Key) -> float | None:
        job = self._client.find("jobs", *key)
        if job is None or job["spec"].get("managedBy", "") not in _OURS:
            return None
        uid = job["metadata"]["uid"]
        if over(job):
            self._failures.pop(uid, None)
            return None
        look = self._look(job)
        failures = self._count(look)
        look.finished, deadline = end_of(look)
        note_indexes(look)
        fault, pause, changed = self._act(look, failures)
        before = job.get("status") or {}
        active_now = look.status.get("active", 0)
        changed = changed or active_now != before.get("active", 0) or look.ready != before.get("ready")
        changed = changed or look.terminating != before.get("terminating")
        look.status |= {"ready": look.ready, "terminating": look.terminating}
        self._announce(look, job_tracking.settle(self._client, look, changed))
        self._failures[uid] = failures
        if fault is not None:
            raise fault
        waits = [seconds for seconds in (deadline, pause) if seconds is not None]
        return min(waits, default=None)

    def _look(self, job: Json) -> Look:
        now, pods = self._clock.now(), self._adoption.claim(job)
        status = dict(job.get("status") or {})
        if "startTime" not in status and not job["spec"].get("suspend"):
            status["startTime"] = format_time(now)
        status.setdefault("uncountedTerminatedPods", {})
        running = [pod for pod in pods if active(pod)]
        leaving = sum(terminating(pod) and not finished(pod) for pod in pods)
        return Look(job, pods, running, now, status, leaving, sum(map(ready, running)))

    def _count(self, look: Look) -> Failures:
        """What ended since it was last written down."""
        job, known = look.job, {*look.uncounted("succeeded"), *look.uncounted("failed")}
        fresh = [
            pod for pod in look.pods if tracked(pod) and in_range(job, pod) and pod["metadata"]["uid"] not in known
        ]
        succeeded = [pod for pod in fresh if phase_of(pod) == "Succeeded"]
        lost = [pod for pod in fresh if failed(job, pod)]
        look.succeeded = look.status.get("succeeded", 0) + len(succeeded) + len(look.uncounted("succeeded"))
        look.failed = look.status.get("failed", 0) + len(look.uncounted("failed"))
        look.failed += sum(judge(job, pod).counts for pod in lost)
        before = self._failures.get(job["metadata"]["uid"], Failures())
        # A pod that waits for its replacement is seen to end at each look; its index waits on its own.
        return before if per_index(job) else before.after(succeeded, lost)

    def _act(self, look: Look, failures: Failures) -> tuple[ApiError | None, float | None, bool]:
        """Delete what a finished job still runs; else make and delete pods as wanted. What went wrong, when to look
        again, and whether the conditions changed."""
        if look.finished is not None:
            fault = self._sizing.stop(look)
            return fault, None, False
        fault, pause, running = None, None, len(look.active)
        if "deletionTimestamp" not in look.job["metadata"]:
            running, pause, fault = self._sizing.fit(look, failures)
        look.status["active"] = running
        wanted = look.job["spec"].get("completions")
        enough = look.succeeded > 0 if wanted is None else look.succeeded >= wanted
        if enough and not running and fault is None:
            text = "Reached expected number of succeeded pods"
            look.finished = condition("SuccessCriteriaMet", "True", "CompletionsReached", text, look.now)
            return fault, pause, False
        if "deletionTimestamp" in look.job["metadata"]:
            return fault, pause, False
        return fault, pause, self._note_suspension(look)

    def _note_suspension(self, look: Look) -> bool:
        known = look.status.get("conditions", [])
        if look.job["spec"].get("suspend"):
            entry = condition("Suspended", "True", "JobSuspended", "Job suspended", look.now)
        else:
            entry = condition("Suspended", "False", "JobResumed", "Job resumed", look.now)
        found = ensure(known, entry)
        if found is known:
            return False
        look.status["conditions"] = found
        if entry["status"] == "False":
            look.status["startTime"] = format_time(look.now)
        self._events.event(look.job, "Normal", entry["reason"].removeprefix("Job"), entry["message"])
        return True

    def _announce(self, look: Look, done: Json | None) -> None:
        if done is None:
            return
        if done["type"] != "Complete":
            self._events.event(look.job, "Warning", done["reason"], done["message"])
            return
        wanted = look.job["spec"].get("completions")
        if wanted is not None and look.status.get("succeeded", 0) > wanted:
            message = "Too many succeeded pods running after completion count reached"
            self._events.event(look.job, "Warning", "TooManySucceededPods", message)
        self._events.event(look.job, "Normal", "Completed", "Job completed")
