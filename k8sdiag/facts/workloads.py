"""Controllers that have not what they want: Deployments to CronJobs, HorizontalPodAutoscalers, disruption budgets.

Sample: Job condition `Failed=True BackoffLimitExceeded: Job has reached the specified backoff limit`; Deployment
condition `Progressing=False ProgressDeadlineExceeded: ReplicaSet "web-7c5f" has timed out progressing.`
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from k8sdiag.clock import parse_time
from k8sdiag.evidence import Json, Ref, ref_of
from k8sdiag.facts import Fact, workload_key
from k8sdiag.finding import Proof
from k8sdiag.podstate import conditions_of, is_finished, is_ready
from k8sdiag.relations import View, owner_chain, pods_of
from k8sdiag.selectors import format_selector

KIND = "workload"
KEYS = ("workload", "namespace")
FIELDS = {
    "kind": "Deployment, ReplicaSet, StatefulSet, DaemonSet, Job, CronJob, HorizontalPodAutoscaler, PodDisruptionBudget",
    "name": "metadata.name",
    "namespace": "metadata.namespace",
    "word": "kubectl's word for it: deployment/web",
    "desired": "pods wanted",
    "ready": "pods ready",
    "updated": "pods of the newest template",
    "pods": "pods there are",
    "pods.bad": "pods that are not ready and not finished, by name",
    "behind": "fewer ready than wanted",
    "lagging": "status.observedGeneration is behind metadata.generation",
    "paused": "spec.paused",
    "suspended": "spec.suspend",
    "failed": "status.failed of a Job",
    "succeeded": "status.succeeded of a Job",
    "active": "status.active of a Job, active Jobs of a CronJob",
    "terminating": "status.terminating of a Job",
    "completions": "spec.completions of a Job",
    "backoffLimit": "spec.backoffLimit of a Job",
    "deadline": "spec.activeDeadlineSeconds of a Job, spec.progressDeadlineSeconds of a Deployment",
    "reason": "reason of the condition that says what is wrong",
    "message": "its message",
    "condition": "its type",
    "selector": "spec.selector",
    "schedule": "spec.schedule of a CronJob",
    "timeZone": "spec.timeZone of a CronJob",
    "concurrency": "spec.concurrencyPolicy of a CronJob",
    "startingDeadline": "spec.startingDeadlineSeconds of a CronJob",
    "sinceSchedule": "seconds since status.lastScheduleTime of a CronJob",
    "strategy": "spec.strategy or updateStrategy type",
    "management": "spec.podManagementPolicy of a StatefulSet",
    "ordinal": "the first pod of an ordered StatefulSet that is not ready",
    "updating": "updateRevision differs from currentRevision",
    "nodes": "nodes there are (DaemonSet)",
    "misscheduled": "status.numberMisscheduled (DaemonSet)",
    "nodeSelector": "spec.template.spec.nodeSelector (DaemonSet)",
    "disruptions": "status.disruptionsAllowed of a budget",
    "healthy": "status.currentHealthy of a budget",
    "needed": "status.desiredHealthy of a budget",
    "target": "what a HorizontalPodAutoscaler scales",
    "min": "spec.minReplicas",
    "max": "spec.maxReplicas",
    "age": "seconds since metadata.creationTimestamp",
}
_KINDS = (
    "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicationController",
    "HorizontalPodAutoscaler", "PodDisruptionBudget",
)  # fmt: skip
_BAD_CONDITIONS = (
    ("Failed", "True"), ("FailureTarget", "True"), ("Suspended", "True"), ("ReplicaFailure", "True"),
    ("Progressing", "False"), ("Available", "False"), ("AbleToScale", "False"), ("ScalingActive", "False"),
    ("ScalingLimited", "True"), ("DisruptionAllowed", "False"),
)  # fmt: skip


def derive(view: View) -> Iterator[Fact]:
    for kind in _KINDS:
        for obj in view.of_kind(kind):
            if kind == "ReplicaSet" and not (obj.get("spec") or {}).get("replicas"):
                continue  # an older revision, scaled to nothing
            if not _well(obj):
                yield _fact(view, obj)


def _well(obj: Json) -> bool:
    """Has what it wants, and says so: most have, so this is asked first."""
    spec, status, kind = obj.get("spec") or {}, obj.get("status") or {}, obj.get("kind")
    desired, ready = wanted_and_ready(obj)
    if kind in ("Job", "CronJob", "HorizontalPodAutoscaler", "PodDisruptionBudget"):
        return any(c.get("type") == "Complete" and c.get("status") == "True" for c in status.get("conditions") or [])
    lagging = (status.get("observedGeneration") or 0) < (obj["metadata"].get("generation") or 0)
    return desired > 0 and ready >= desired and not spec.get("paused") and not lagging and not _bad(obj)


def wanted_and_ready(obj: Json) -> tuple[int, int]:
    """(pods wanted, pods ready) of a controller."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    if obj.get("kind") == "DaemonSet":
        return status.get("desiredNumberScheduled") or 0, status.get("numberReady") or 0
    if obj.get("kind") == "Job":
        return spec.get("completions") or spec.get("parallelism") or 1, status.get("succeeded") or 0
    replicas = spec.get("replicas")
    return 1 if replicas is None else replicas, status.get("readyReplicas") or 0


def _bad(obj: Json) -> Json:
    found = conditions_of(obj)
    return next((found[kind] for kind, status in _BAD_CONDITIONS if (found.get(kind) or {}).get("status") == status), {})


def _fact(view: View, obj: Json) -> Fact:
    ref = ref_of(obj)
    spec, status, meta = obj.get("spec") or {}, obj.get("status") or {}, obj["metadata"]
    desired, ready = wanted_and_ready(obj)
    pods = pods_of(view.snapshot, obj)
    created = parse_time(meta.get("creationTimestamp"))
    bad = _bad(obj)
    template = ((spec.get("template") or {}).get("spec")) or {}
    fields: dict[str, Any] = {
        "kind": ref.kind,
        "name": ref.name,
        "namespace": ref.namespace,
        "word": str(ref),
        "desired": desired,
        "ready": ready,
        "updated": status.get("updatedReplicas") or status.get("updatedNumberScheduled") or 0,
        "pods": len(pods),
        "pods.bad": tuple(pod["metadata"]["name"] for pod in pods if not is_ready(pod) and not is_finished(pod)),
        "behind": ready < desired,
        "lagging": (status.get("observedGeneration") or 0) < (meta.get("generation") or 0) and "status" in obj,
        "paused": bool(spec.get("paused")),
        "suspended": bool(spec.get("suspend")),
        "reason": bad.get("reason") or "",
        "message": bad.get("message") or "",
        "condition": bad.get("type") or "",
        "selector": format_selector(spec.get("selector")) if isinstance(spec.get("selector"), dict) else "",
        "nodeSelector": format_selector({"matchLabels": template.get("nodeSelector") or {}}),
        "nodes": view.snapshot.count("Node"),
        "misscheduled": status.get("numberMisscheduled") or 0,
        "age": int(view.snapshot.taken_at - created) if created else None,
    }
    fields |= _batch(view, spec, status) | _rolling(spec, status, pods) | _policies(spec, status)
    chain = [ref, *owner_chain(view.snapshot, obj)]
    keys = {"workload": tuple(workload_key(item) for item in chain), "namespace": (ref.namespace,)}
    return Fact(KIND, ref, fields, keys, tuple(_proof(ref, obj, desired, ready, bad)))


def _batch(view: View, spec: Json, status: Json) -> dict[str, Any]:
    active, scheduled = status.get("active"), parse_time(status.get("lastScheduleTime"))
    return {
        "failed": status.get("failed") or 0,
        "succeeded": status.get("succeeded") or 0,
        "active": len(active) if isinstance(active, list) else active or 0,
        "terminating": status.get("terminating") or 0,
        "completions": spec.get("completions"),
        "backoffLimit": spec.get("backoffLimit"),
        "deadline": spec.get("activeDeadlineSeconds") or spec.get("progressDeadlineSeconds"),
        "schedule": spec.get("schedule") or "",
        "timeZone": spec.get("timeZone") or "",
        "concurrency": spec.get("concurrencyPolicy") or "",
        "startingDeadline": spec.get("startingDeadlineSeconds"),
        "sinceSchedule": int(view.snapshot.taken_at - scheduled) if scheduled else None,
    }


def _rolling(spec: Json, status: Json, pods: list[Json]) -> dict[str, Any]:
    names = {pod["metadata"]["name"]: pod for pod in pods}
    strategy = spec.get("strategy") or spec.get("updateStrategy") or {}
    ordered = sorted(names, key=lambda name: int(name.rsplit("-", 1)[-1]) if name.rsplit("-", 1)[-1].isdigit() else 0)
    return {
        "strategy": strategy.get("type") or "",
        "management": spec.get("podManagementPolicy") or "",
        "ordinal": next((name for name in ordered if not is_ready(names[name])), ""),
        "updating": (status.get("updateRevision") or "") != (status.get("currentRevision") or ""),
    }


def _policies(spec: Json, status: Json) -> dict[str, Any]:
    target = spec.get("scaleTargetRef") or {}
    return {
        "disruptions": status.get("disruptionsAllowed"),
        "healthy": status.get("currentHealthy"),
        "needed": status.get("desiredHealthy"),
        "target": f"{target.get('kind', '').lower()}/{target.get('name')}" if target else "",
        "min": spec.get("minReplicas"),
        "max": spec.get("maxReplicas"),
    }


def _proof(ref: Ref, obj: Json, desired: int, ready: int, bad: Json) -> Iterator[Proof]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    if ref.kind == "Job":
        text = f"spec.backoffLimit: {spec.get('backoffLimit')}; status.failed: {status.get('failed') or 0}"
        yield Proof("status", str(ref), "", f"{text}; status.succeeded: {status.get('succeeded') or 0} of {desired}")
    elif ref.kind == "CronJob":
        yield Proof("spec", str(ref), "", f"spec.schedule: {spec.get('schedule')}; spec.suspend: {bool(spec.get('suspend'))}")
    elif ref.kind in ("HorizontalPodAutoscaler", "PodDisruptionBudget"):
        pass
    else:
        yield Proof("status", str(ref), "", f"{ready} of {desired} pods ready")
    for kind, status_word in _BAD_CONDITIONS:
        item = conditions_of(obj).get(kind) or {}
        if item.get("status") == status_word and (item is bad or kind != "FailureTarget"):
            text = f"condition {kind}={item.get('status')} {item.get('reason') or ''}: {item.get('message') or ''}"
            yield Proof("status", str(ref), item.get("lastTransitionTime") or "", text)
