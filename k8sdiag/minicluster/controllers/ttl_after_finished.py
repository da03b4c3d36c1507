"""Deletes Jobs some time after they have finished (pkg/controller/ttlafterfinished)."""

from __future__ import annotations

from k8sdiag.clock import parse_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.controllers import Context

NAME = "ttl-after-finished-controller"

Key = tuple[str, str]


def start(context: Context) -> None:
    _Finished(context)


class _Finished:
    def __init__(self, context: Context) -> None:
        self._client, self._clock = context.client, context.clock
        self._queue = context.loop.queue("finished-jobs", self._sync)
        self._client.watch("jobs", self._on_job)

    def _on_job(self, kind: str, job: Json, _: Json | None) -> None:
        if kind != "DELETED" and job["spec"].get("ttlSecondsAfterFinished") is not None and _finished_at(job):
            self._queue.add((job["metadata"]["namespace"], job["metadata"]["name"]))

    def _sync(self, key: Key) -> float | None:
        job = self._client.find("jobs", *key)
        if job is None or job["metadata"].get("deletionTimestamp"):
            return None
        ttl, finished = job["spec"].get("ttlSecondsAfterFinished"), _finished_at(job)
        if ttl is None or finished is None:
            return None
        left = finished + float(ttl) - self._clock.now()
        if left > 0:
            return left
        self._client.delete("jobs", *key, uid=job["metadata"]["uid"], policy="Foreground")
        return None


def _finished_at(job: Json) -> float | None:
    for condition in (job.get("status") or {}).get("conditions") or ():
        if condition["type"] in ("Complete", "Failed") and condition["status"] == "True":
            return parse_time(condition.get("lastTransitionTime"))
    return None
