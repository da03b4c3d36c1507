"""The pods of a Job: how they are made, counted, and which go when there are too many
(pkg/controller/job/job_controller.go, indexed_job_utils.go)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.controllers.job_backoff import finished_at
from k8sdiag.minicluster.controllers.job_indexes import INDEX, index_of, indexed
from k8sdiag.minicluster.controllers.job_policies import judge
from k8sdiag.minicluster.controllers.ownership import reference_to
from k8sdiag.minicluster.controllers.pod_control import pod_from, with_labels
from k8sdiag.minicluster.controllers.pod_states import phase_of, terminating

FINALIZER = "batch.kubernetes.io/job-tracking"
FAILURES = "batch.kubernetes.io/job-index-failure-count"
IGNORED = "batch.kubernetes.io/job-index-ignored-failure-count"
_VARIABLE = "JOB_COMPLETION_INDEX"
_LONGEST_PREFIX = 58  # of a generated name, which gets five letters more


def tracked(pod: Json) -> bool:
    """Whether it has not been counted yet."""
    return FINALIZER in (pod["metadata"].get("finalizers") or ())


def replaces_failed_only(job: Json) -> bool:
    return job["spec"].get("podReplacementPolicy") == "Failed" or bool(job["spec"].get("podFailurePolicy"))


def failed(job: Json, pod: Json) -> bool:
    """Failed, or on its way out without having succeeded (unless only the failed are replaced)."""
    phase = phase_of(pod)
    return phase == "Failed" or (terminating(pod) and phase != "Succeeded" and not replaces_failed_only(job))


def in_range(job: Json, pod: Json) -> bool:
    """Whether its completion index is one that the job has; always, for a job without indexes."""
    index = index_of(pod)
    return not indexed(job) or (index is not None and index < job["spec"]["completions"])


def failures_of(pod: Json, annotation: str) -> int:
    text = (pod["metadata"].get("annotations") or {}).get(annotation, "")
    return int(text) if text.isdigit() else 0


def all_failures_of(pod: Json) -> int:
    return failures_of(pod, FAILURES) + failures_of(pod, IGNORED)


def per_index(job: Json) -> bool:
    return job["spec"].get("backoffLimitPerIndex") is not None


def index_failed(job: Json, pod: Json) -> bool:
    """Whether this failed pod was its index's last chance."""
    if job["spec"].get("podFailurePolicy") and judge(job, pod).action == "FailIndex":
        return True
    return failures_of(pod, FAILURES) >= int(job["spec"]["backoffLimitPerIndex"])


def waiting_for_replacement(job: Json, pods: list[Json], done: set[int], running: set[int | None]) -> dict[int, Json]:
    """With back-off per index: the last failed pod of each index that is to be tried again. It stays until then, for
    it knows how often its index failed."""
    found: dict[int, Json] = {}
    for pod in pods:
        index = index_of(pod)
        if index is None or index in done or index in running or not tracked(pod) or not failed(job, pod):
            continue
        known = found.get(index)
        if known is None or _lateness(known) <= _lateness(pod):
            found[index] = pod
    return found


def _lateness(pod: Json) -> tuple[int, float]:
    return all_failures_of(pod), finished_at(pod)


def new_pod(job: Json, index: int | None, replaced: Json | None) -> Json:
    """A pod for an index, or for a job without indexes."""
    reference = reference_to(job, "batch/v1", "Job")
    template = job["spec"]["template"]
    if index is None:
        return pod_from(template, job, reference, finalizers=(FINALIZER,))
    name = job["metadata"]["name"]
    tail = f"-{index}-"
    spec = {**_with_variable(template["spec"]), "hostname": f"{name}-{index}"}
    prefix = name[: _LONGEST_PREFIX - len(tail)] + tail
    pod = pod_from({**template, "spec": spec}, job, reference, prefix=prefix, finalizers=(FINALIZER,))
    annotations = {INDEX: str(index)}
    if per_index(job):
        annotations |= _failure_counts(job, replaced)
    return with_labels(pod, {INDEX: str(index)}, annotations)


def _failure_counts(job: Json, replaced: Json | None) -> dict[str, str]:
    if replaced is None:
        return {FAILURES: "0"}
    counted, ignored = failures_of(replaced, FAILURES), failures_of(replaced, IGNORED)
    if judge(job, replaced).counts:
        counted += 1
    else:
        ignored += 1
    return {FAILURES: str(counted), **({IGNORED: str(ignored)} if ignored else {})}


def _with_variable(spec: Json) -> Json:
    """Every container learns its index from an environment variable, unless it sets that itself."""
    entry = {"name": _VARIABLE, "valueFrom": {"fieldRef": {"fieldPath": f"metadata.labels['{INDEX}']"}}}
    changed = dict(spec)
    for field in ("initContainers", "containers"):
        if spec.get(field):
            changed[field] = [
                container
                if any(known["name"] == _VARIABLE for known in container.get("env") or ())
                else {**container, "env": [*(container.get("env") or ()), entry]}
                for container in spec[field]
            ]
    return changed


def misplaced(job: Json, pods: list[Json]) -> tuple[list[Json], list[Json]]:
    """Of an Indexed Job's active pods: those with an index that is taken or out of range, and the others."""
    wrong, right, seen = [], [], set()
    for pod in sorted(pods, key=lambda entry: entry["metadata"].get("creationTimestamp", "")):
        index = index_of(pod)
        if not in_range(job, pod) or index in seen:
            wrong.append(pod)
        else:
            seen.add(index)
            right.append(pod)
    return wrong, right
