"""CronJobs make a Job whenever their schedule says so (pkg/controller/cronjob/cronjob_controllerv2.go)."""

from __future__ import annotations

from datetime import UTC, datetime

from k8sdiag.clock import format_time, parse_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.controllers import Context, conditions
from k8sdiag.minicluster.controllers.cron_schedule import Due, look_up
from k8sdiag.minicluster.controllers.ownership import Key, controlled_by, key_of, owner_key, reference_to
from k8sdiag.minicluster.controllers.pod_control import namespace_ends
from k8sdiag.minicluster.cron import CronError, load_zone, parse

NAME = "cronjob-controller"
SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"
_LEEWAY = 0.1  # a look is planned a little after the moment (nextScheduleDelta)


def start(context: Context) -> None:
    _CronJobs(context)


def ending(job: Json) -> str:
    """`Complete` or `Failed` for a job that is over, else ''."""
    known = (job.get("status") or {}).get("conditions") or []
    return next((kind for kind in ("Complete", "Failed") if conditions.true(known, kind)), "")


class _CronJobs:
    def __init__(self, context: Context) -> None:
        self._client, self._clock, self._events = context.client, context.clock, context.events
        self._queue = context.loop.queue("cronjobs", self._sync)
        self._client.watch("cronjobs", self._on_cron_job)
        self._client.watch("jobs", self._on_job)

    def _on_cron_job(self, change: str, cron_job: Json, _: Json | None) -> None:
        if change == "DELETED":
            self._queue.forget(key_of(cron_job))
        else:
            self._queue.add(key_of(cron_job))

    def _on_job(self, _: str, job: Json, __: Json | None) -> None:
        key = owner_key(job, "CronJob")
        if key is not None:
            self._queue.add(key)

    def _sync(self, key: Key) -> float | None:
        cron_job = self._client.find("cronjobs", *key)
        if cron_job is None:
            return None
        jobs = [job for job in self._client.owned("jobs", cron_job["metadata"]["uid"]) if controlled_by(job, cron_job)]
        self._clean_up(cron_job, jobs)
        status = self._follow(cron_job, jobs, dict(cron_job.get("status") or {}))
        again = self._run(cron_job, status) if "deletionTimestamp" not in cron_job["metadata"] else None
        shown = {name: value for name, value in status.items() if value}
        if shown != (cron_job.get("status") or {}):
            self._client.update("cronjobs", {**cron_job, "status": shown}, "status")
        return again

    # ---- jobs that there are

    def _follow(self, cron_job: Json, jobs: list[Json], status: Json) -> Json:
        """Take jobs that ended or went missing off the list of active ones."""
        listed = {entry.get("uid", ""): entry for entry in status.get("active") or ()}
        for job in jobs:
            uid, name, end = job["metadata"]["uid"], job["metadata"]["name"], ending(job)
            if uid not in listed and not end:
                message = f"Saw a job that the controller did not create or forgot: {name}"
                self._events.event(cron_job, "Warning", "UnexpectedJob", message)
            elif uid in listed and end:
                del listed[uid]
                message = f"Saw completed job: {name}, condition: {end}"
                self._events.event(cron_job, "Normal", "SawCompletedJob", message)
            elif end == "Complete":
                done = job["status"].get("completionTime", "")
                status["lastSuccessfulTime"] = max(status.get("lastSuccessfulTime", ""), done)
        there = {job["metadata"]["uid"] for job in jobs}
        for uid in [uid for uid in listed if uid not in there]:
            message = f"Active job went missing: {listed.pop(uid).get('name', '')}"
            self._events.event(cron_job, "Normal", "MissingJob", message)
        status["active"] = list(listed.values())
        order = ("active", "lastScheduleTime", "lastSuccessfulTime")
        return {name: status[name] for name in order if name in status}

    def _clean_up(self, cron_job: Json, jobs: list[Json]) -> None:
        """Delete the oldest of the jobs that ended, beyond what is to be kept of each sort."""
        spec = cron_job["spec"]
        for kind, limit in (
            ("Complete", spec.get("successfulJobsHistoryLimit")),
            ("Failed", spec.get("failedJobsHistoryLimit")),
        ):
            ended = sorted((job for job in jobs if ending(job) == kind), key=_start_of)
            for job in ended[: len(ended) - limit] if limit is not None and limit < len(ended) else ():
                self._delete(cron_job, job["metadata"]["name"])

    def _delete(self, cron_job: Json, name: str) -> None:
        try:
            self._client.delete("jobs", cron_job["metadata"]["namespace"], name, policy="Background")
        except ApiError as error:
            self._events.event(cron_job, "Warning", "FailedDelete", f"Deleted job: {error}")
            return
        self._events.event(cron_job, "Normal", "SuccessfulDelete", f"Deleted job {name}")

    # ---- jobs that are due

    def _run(self, cron_job: Json, status: Json) -> float | None:
        """Start the job that is due, if one is; the seconds until the next one."""
        spec, now = cron_job["spec"], self._clock.now()
        zone = spec.get("timeZone") or ""
        try:
            load_zone(zone)
        except CronError as error:
            self._events.event(cron_job, "Warning", "UnknownTimeZone", f'invalid timeZone: "{zone}": {error}')
            return None
        if spec.get("suspend"):
            return None
        try:
            schedule = parse(spec["schedule"], zone)
        except CronError as error:
            message = f'unparseable schedule: "{spec["schedule"]}" : {error}'
            self._events.event(cron_job, "Warning", "UnparseableSchedule", message)
            return None
        due = look_up(schedule, cron_job, now)
        if due.missed > 100:
            message = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
            self._events.event(cron_job, "Warning", "TooManyMissedTimes", message)
        if due.at is not None:
            self._start(cron_job, status, due, now)
        return max(0.0, due.next - now) + _LEEWAY if due.next is not None else None

    def _start(self, cron_job: Json, status: Json, due: Due, now: float) -> None:
        spec, at = cron_job["spec"], due.at or 0.0
        deadline, policy = spec.get("startingDeadlineSeconds"), spec.get("concurrencyPolicy", "Allow")
        if deadline is not None and at + deadline < now:
            stamp = datetime.fromtimestamp(at, UTC).strftime("%a, %d %b %Y %H:%M:%S +0000")
            self._events.event(cron_job, "Warning", "MissSchedule", f"Missed scheduled time to start a job: {stamp}")
            return
        body = _job(cron_job, at)
        running = status.get("active") or []
        known = any(entry["name"] == body["metadata"]["name"] for entry in running)
        if known or parse_time(status.get("lastScheduleTime")) == at:
            return
        if policy == "Forbid" and running:
            message = "Not starting job because prior execution is running and concurrency policy is Forbid"
            self._events.event(cron_job, "Normal", "JobAlreadyActive", message)
            return
        if policy == "Replace":
            for entry in running:
                self._delete(cron_job, entry["name"])
            running = []
        made = self._create(cron_job, body)
        if made is not None:
            before = dict(status)
            status.clear()
            status["active"] = [*running, _reference(made)]
            status["lastScheduleTime"] = format_time(at)
            status |= {name: value for name, value in before.items() if name == "lastSuccessfulTime"}

    def _create(self, cron_job: Json, body: Json) -> Json | None:
        name = body["metadata"]["name"]
        try:
            made = self._client.create("jobs", body)
        except ApiError as error:
            if error.reason == "AlreadyExists":
                there = self._client.find("jobs", cron_job["metadata"]["namespace"], name)
                return there if there is not None and controlled_by(there, cron_job) else None
            if namespace_ends(error):
                return None
            self._events.event(cron_job, "Warning", "FailedCreate", f"Error creating job: {error}")
            raise
        self._events.event(cron_job, "Normal", "SuccessfulCreate", f"Created job {name}")
        return made


def _start_of(job: Json) -> tuple[str, str]:
    return (job.get("status") or {}).get("startTime", ""), job["metadata"]["name"]


def _reference(job: Json) -> Json:
    meta = job["metadata"]
    return {
        "kind": "Job",
        "namespace": meta["namespace"],
        "name": meta["name"],
        "uid": meta["uid"],
        "apiVersion": "batch/v1",
        "resourceVersion": meta["resourceVersion"],
    }


def _job(cron_job: Json, at: float) -> Json:
    """The job of one moment: its name holds the minute, so that no moment has two."""
    meta, template = cron_job["metadata"], cron_job["spec"]["jobTemplate"]
    pattern = template.get("metadata") or {}
    place = load_zone(cron_job["spec"].get("timeZone") or "")
    stamp = datetime.fromtimestamp(at, place).isoformat(timespec="seconds").replace("+00:00", "Z")
    made: Json = {"name": f"{meta['name']}-{int(at) // 60}", "namespace": meta["namespace"]}
    if pattern.get("labels"):
        made["labels"] = pattern["labels"]
    made["annotations"] = {**(pattern.get("annotations") or {}), SCHEDULED: stamp}
    made["ownerReferences"] = [reference_to(cron_job, "batch/v1", "CronJob")]
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": made, "spec": template["spec"]}
