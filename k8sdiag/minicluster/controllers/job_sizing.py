"""A Job's pods brought to the number that is wanted now (pkg/controller/job/job_controller.go manageJob)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.client import Client
from k8sdiag.minicluster.controllers import job_backoff, job_tracking
from k8sdiag.minicluster.controllers.job_backoff import Failures, finished_at
from k8sdiag.minicluster.controllers.job_indexes import index_of, indexed
from k8sdiag.minicluster.controllers.job_pods import (
    all_failures_of,
    misplaced,
    new_pod,
    per_index,
    replaces_failed_only,
    tracked,
)
from k8sdiag.minicluster.controllers.job_tracking import Look
from k8sdiag.minicluster.controllers.pod_control import PodControl, namespace_ends
from k8sdiag.minicluster.controllers.pod_states import ready
from k8sdiag.minicluster.controllers.victims import victims

_BURST = 500


class Sizing:
    """Makes and deletes the pods of jobs."""

    def __init__(self, client: Client, pods: PodControl) -> None:
        self._client, self._pods = client, pods

    def stop(self, look: Look) -> ApiError | None:
        """Delete what still runs. Their finalizers stay until they are counted."""
        fault, gone = self._delete(look, look.active, release=False)
        if gone != len(look.active):
            look.finished = None
        look.status["active"] = len(look.active) - gone
        return fault

    def fit(self, look: Look, failures: Failures) -> tuple[int, float | None, ApiError | None]:
        """How many run now, the seconds until more may be made, and what went wrong."""
        running = len(look.active)
        wanted = self._wanted(look, running)
        surplus = self._surplus(look, max(0, running - wanted))
        if surplus:
            fault, gone = self._delete(look, surplus[:_BURST], release=True)
            return running - gone, None, fault
        leaving = look.terminating if replaces_failed_only(look.job) else 0
        missing = min(wanted - leaving - running, _BURST)
        if missing <= 0:
            return running, None, None
        pause = 0.0 if per_index(look.job) else failures.wait(look.now)
        if pause:
            return 0, pause, None
        pods, pause = self._new(look, missing)
        if not pods:
            return running, pause or None, None
        fault, made = self._create(pods, look.job)
        return running + made, None, fault

    def _wanted(self, look: Look, running: int) -> int:
        spec = look.job["spec"]
        if spec.get("suspend"):
            return 0
        at_once = int(spec.get("parallelism", 1))
        if spec.get("completions") is None:
            return running if look.succeeded else at_once
        return max(0, min(at_once, int(spec["completions"]) - look.succeeded))

    def _surplus(self, look: Look, count: int) -> list[Json]:
        wrong, left = misplaced(look.job, look.active) if indexed(look.job) else ([], look.active)
        more = count - len(wrong)
        return [*wrong, *(victims(left, more, look.now) if more > 0 else [])]

    def _new(self, look: Look, missing: int) -> tuple[list[Json], float]:
        """The pods to make, and for how long there is nothing to make where there is none."""
        if not indexed(look.job):
            return [new_pod(look.job, None, None)] * missing, 0.0
        taken = {index_of(pod) for pod in look.active} | look.succeeded_indexes | (look.failed_indexes or set())
        if replaces_failed_only(look.job):
            taken |= {index_of(pod) for pod in look.pods if "deletionTimestamp" in pod["metadata"]}
        free = [index for index in range(look.job["spec"]["completions"]) if index not in taken][:missing]
        pauses = {index: self._pause(look, index) for index in free}
        now = [index for index in free if not pauses[index]]
        pause = 0.0 if now else min(pauses.values(), default=0.0)
        return [new_pod(look.job, index, look.delayed.get(index)) for index in now], pause

    def _pause(self, look: Look, index: int) -> float:
        replaced = look.delayed.get(index)
        if replaced is None:
            return 0.0
        return job_backoff.wait(all_failures_of(replaced) + 1, finished_at(replaced), look.now)

    def _create(self, pods: list[Json], job: Json) -> tuple[ApiError | None, int]:
        """In batches that double, as long as nothing goes wrong."""
        made, done, batch, fault = 0, 0, 1, None
        while done < len(pods) and fault is None:
            for pod in pods[done : done + batch]:
                try:
                    self._pods.create(pod, job)
                    made += 1
                except ApiError as error:
                    if not namespace_ends(error):
                        fault = fault or error
            done, batch = done + batch, batch * 2
        return fault, made

    def _delete(self, look: Look, pods: list[Json], *, release: bool) -> tuple[ApiError | None, int]:
        fault, gone = None, 0
        for pod in pods:
            try:
                if release and tracked(pod):
                    job_tracking.release(self._client, pod)
                self._pods.delete(pod, look.job)
            except ApiError as error:
                fault = fault or error
                continue
            gone += 1
            look.ready -= ready(pod)
            look.terminating += 1
        return fault, gone
