"""Controllers that have not what they want: Deployments to CronJobs, HorizontalPodAutoscalers, disruption budgets.

Sample: Job condition `Failed=True BackoffLimitExceeded: Job has reached the specified backoff limit`; Deployment
condition `Progressing=False ProgressDeadlineExceeded: ReplicaSet "web-7c5f" has timed out progressing.`
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from k8sdiag.clock import parse_time
from k8sdiag.evidence import Json, Ref, ref_of
from k8sdiag.facts import Fact, workload_key
from k8sdiag.finding import Proof
from k8sdiag.placement.daemons import left_out
from k8sdiag.podstate import conditions_of, is_finished, is_ready, status_word
from k8sdiag.relations import View, controller_of, owner_chain, pods_of, top_owner
from k8sdiag.selectors import format_selector

KIND = "workload"
KEYS = ("workload", "namespace")
FIELDS = {
    "kind": "Deployment, ReplicaSet, StatefulSet, DaemonSet, Job, CronJob, ReplicationController, "
    "HorizontalPodAutoscaler or PodDisruptionBudget",
    "name": "metadata.name",
    "namespace": "metadata.namespace",
    "word": "kubectl's word for it: deployment/web",
    "desired": "pods wanted",
    "ready": "pods ready",
    "updated": "pods of the newest template",
    "outdated": "pods that are not",
    "pods": "pods there are",
    "pods.bad": "pods that are not ready and not finished, by name",
    "behind": "fewer ready than wanted",
    "short": "what it lacks in words: 0 of 3 pods ready, only 1 of 3 pods updated",
    "stuck.seconds": "how long the longest of those pods has not been ready; the controller's age where it has none",
    "pods.words": "the pods that are not ready, with their STATUS",
    "gone": "it has been deleted; the history tells how it last was",
    "ttl": "spec.ttlSecondsAfterFinished of a Job",
    "parallelism": "spec.parallelism of a Job",
    "complete": "condition Complete of a Job is True",
    "owned": "the controller that owns it, where that is known: deployment/web",
    "started": "status.startTime of a Job is set",
    "top": "the uppermost controller: cronjob/report of a Job it made, else itself",
    "lagging": "status.observedGeneration is behind metadata.generation",
    "paused": "spec.paused",
    "suspended": "spec.suspend",
    "failed": "status.failed of a Job",
    "succeeded": "status.succeeded of a Job",
    "active": "status.active of a Job, active Jobs of a CronJob",
    "terminating": "status.terminating of a Job",
    "outlived": "a later Job of the same CronJob has succeeded",
    "failedIndexes": "status.failedIndexes of a Job",
    "replacement": "spec.podReplacementPolicy of a Job",
    "policy": "spec.podFailurePolicy.rules of a Job, the one its message names",
    "template.restartPolicy": "spec.template.spec.restartPolicy",
    "completions": "spec.completions of a Job",
    "backoffLimit": "spec.backoffLimit of a Job",
    "deadline": "spec.activeDeadlineSeconds of a Job, spec.progressDeadlineSeconds of a Deployment",
    "deadline.more": "twice that",
    "reason": "reason of the condition that says what is wrong",
    "message": "its message",
    "condition": "its type",
    "selector": "spec.selector",
    "schedule": "spec.schedule of a CronJob",
    "timeZone": "spec.timeZone of a CronJob",
    "concurrency": "spec.concurrencyPolicy of a CronJob",
    "startingDeadline": "spec.startingDeadlineSeconds of a CronJob",
    "sinceSchedule": "seconds since status.lastScheduleTime of a CronJob",
    "activeJobs": "status.active[].name of a CronJob",
    "active.seconds": "age of the oldest of them",
    "strategy": "spec.strategy or updateStrategy type",
    "management": "spec.podManagementPolicy of a StatefulSet",
    "ordinal": "the first pod of an ordered StatefulSet that is not ready",
    "ordinal.stale": "that pod is of another revision than status.updateRevision",
    "ordinal.revision": "label controller-revision-hash of that pod",
    "ordinal.status": "STATUS of that pod",
    "revision": "status.updateRevision of a StatefulSet",
    "partition": "spec.updateStrategy.rollingUpdate.partition of a StatefulSet",
    "updating": "updateRevision differs from currentRevision",
    "nodes": "nodes there are (DaemonSet)",
    "nodes.shell": "their names, or --all where there are many, for a shell",
    "unplaced": "why a DaemonSet wants no pod on a node, a node each",
    "misscheduled": "status.numberMisscheduled (DaemonSet)",
    "nodeSelector": "spec.template.spec.nodeSelector (DaemonSet)",
    "disruptions": "status.disruptionsAllowed of a budget",
    "healthy": "status.currentHealthy of a budget",
    "needed": "status.desiredHealthy of a budget",
    "expected": "status.expectedPods of a budget",
    "minAvailable": "spec.minAvailable of a budget",
    "maxUnavailable": "spec.maxUnavailable of a budget",
    "unhealthyPolicy": "spec.unhealthyPodEvictionPolicy of a budget",
    "guarded": "what the first pod of a budget belongs to: deployment/web",
    "enough": "one more than it needs",
    "target": "what a HorizontalPodAutoscaler scales",
    "min": "spec.minReplicas",
    "max": "spec.maxReplicas",
    "current": "status.currentReplicas of a HorizontalPodAutoscaler",
    "target.exists": "yes, no or unknown",
    "metrics": "its metrics in the words of kubectl get hpa: cpu: 95%/50%",
    "age": "seconds since metadata.creationTimestamp",
}
_KINDS = (
    "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicationController",
    "HorizontalPodAutoscaler", "PodDisruptionBudget",
)  # fmt: skip
_BAD_CONDITIONS = (
    ("Failed", "True"), ("FailureTarget", "True"), ("Suspended", "True"), ("ReplicaFailure", "True"),
    ("Progressing", "False"), ("Progressing", "Unknown"), ("Available", "False"), ("AbleToScale", "False"),
    ("ScalingActive", "False"), ("ScalingLimited", "True"), ("DisruptionAllowed", "False"),
)  # fmt: skip


def derive(view: View) -> Iterator[Fact]:
    for kind in _KINDS:
        for obj in view.of_kind(kind):
            if kind == "ReplicaSet" and not (obj.get("spec") or {}).get("replicas") and controller_of(obj):
                continue  # an older revision, scaled to nothing
            if not _well(obj) or _gone(view, obj):
                yield _fact(view, obj)


def _gone(view: View, obj: Json) -> bool:
    """Deleted, and known from a recording's history only."""
    changes = view.snapshot.history_of(ref_of(obj))
    return bool(changes) and changes[-1].type == "DELETED"


def _well(obj: Json) -> bool:
    """Has what it wants, and says so: most have, so this is asked first."""
    spec, status, kind = obj.get("spec") or {}, obj.get("status") or {}, obj.get("kind")
    desired, ready = wanted_and_ready(obj)
    if kind in ("Job", "CronJob", "HorizontalPodAutoscaler", "PodDisruptionBudget"):
        return _complete(status)
    lagging = (status.get("observedGeneration") or 0) < (obj["metadata"].get("generation") or 0)
    enough = desired > 0 and ready >= desired and _updated(obj) >= desired
    return enough and not spec.get("paused") and not lagging and not _bad(obj) and not status.get("numberMisscheduled")


def _complete(status: Json) -> bool:
    return any(c.get("type") == "Complete" and c.get("status") == "True" for c in status.get("conditions") or [])


def _updated(obj: Json) -> int:
    """Pods of the newest template; all, where nothing says."""
    status, (desired, _) = obj.get("status") or {}, wanted_and_ready(obj)
    if obj.get("kind") == "DaemonSet":
        return int(status.get("updatedNumberScheduled") or 0)
    if obj.get("kind") == "Deployment":
        return int(status.get("updatedReplicas") or 0)
    if obj.get("kind") == "StatefulSet" and status.get("updateRevision") != status.get("currentRevision"):
        return int(status.get("updatedReplicas") or 0)
    return desired


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
    bad = (found[kind] for kind, status in _BAD_CONDITIONS if (found.get(kind) or {}).get("status") == status)
    return next(bad, {})


def _fact(view: View, obj: Json) -> Fact:
    ref = ref_of(obj)
    spec, status, meta = obj.get("spec") or {}, obj.get("status") or {}, obj["metadata"]
    desired, ready = wanted_and_ready(obj)
    pods = pods_of(view.snapshot, obj)
    bad = _bad(obj)
    chain = [ref, *owner_chain(view.snapshot, obj)]
    template = ((spec.get("template") or {}).get("spec")) or {}
    fields: dict[str, Any] = {
        "kind": ref.kind,
        "name": ref.name,
        "namespace": ref.namespace,
        "word": str(ref),
        "owned": str(chain[1]) if len(chain) > 1 and view.snapshot.find(chain[1]) else "",
        "top": str(chain[-1]),
        "gone": _gone(view, obj),
        "desired": desired,
        "ready": ready,
        "behind": ready < desired or (ref.kind == "DaemonSet" and not status.get("observedGeneration")),
        "lagging": (status.get("observedGeneration") or 0) < (meta.get("generation") or 0) and "status" in obj,
        "started": bool(status.get("startTime")),
        "paused": bool(spec.get("paused")),
        "suspended": bool(spec.get("suspend")),
        "reason": bad.get("reason") or "",
        "message": bad.get("message") or "",
        "condition": bad.get("type") or "",
        "selector": format_selector(spec.get("selector")) if isinstance(spec.get("selector"), dict) else "",
        "nodeSelector": format_selector({"matchLabels": template.get("nodeSelector") or {}}),
        "template.restartPolicy": template.get("restartPolicy") or "",
        "nodes": view.snapshot.count("Node"),
        "nodes.shell": _nodes_shell(view) if ref.kind == "DaemonSet" else "",
        "unplaced": tuple(left_out(obj, view.snapshot.of_kind("Node"))) if ref.kind == "DaemonSet" else (),
        "misscheduled": status.get("numberMisscheduled") or 0,
        "age": _since(view, meta.get("creationTimestamp")),
    }
    fields |= _pods(view, obj, pods, desired, ready)
    fields |= _batch(view, ref, spec, status, str(bad.get("message") or ""))
    fields |= _rolling(spec, status, pods) | _policies(view, ref, spec, status)
    guarded = pods[0] if pods and ref.kind == "PodDisruptionBudget" else None
    fields["guarded"] = str(top_owner(view.snapshot, guarded)) if guarded else ""
    fields["enough"] = None if fields["needed"] is None else fields["needed"] + 1
    fields["deadline.more"] = 2 * fields["deadline"] if fields["deadline"] else None
    keys = {"workload": tuple(workload_key(item) for item in chain), "namespace": (ref.namespace,)}
    return Fact(KIND, ref, fields, keys, tuple(_proof(ref, obj, desired, ready, bad)))


def _nodes_shell(view: View) -> str:
    names = [node["metadata"]["name"] for node in view.snapshot.of_kind("Node")]
    return shlex.join(names) if len(names) <= 5 else "--all"


def _since(view: View, time: object) -> int | None:
    seconds = parse_time(time)
    return int(view.snapshot.taken_at - seconds) if seconds is not None else None


def _pods(view: View, obj: Json, pods: list[Json], desired: int, ready: int) -> dict[str, Any]:
    """The pods there are, and what is lacking."""
    updated = _updated(obj)
    unready = [pod for pod in pods if not is_ready(pod) and not is_finished(pod)]
    waited = [_unready_for(view, pod) for pod in unready]
    short = f"{ready} of {desired} pods ready" if ready < desired else ""
    if not short and unready and updated < desired and obj.get("kind") == "Deployment":
        short = f"only {updated} of {desired} pods updated"
    return {
        "updated": updated,
        "outdated": max(0, desired - updated),
        "pods": len(pods),
        "pods.bad": tuple(pod["metadata"]["name"] for pod in unready),
        "pods.words": tuple(f"{pod['metadata']['name']} ({status_word(pod)})" for pod in unready),
        "short": short,
        "stuck.seconds": max(waited) if waited else _since(view, obj["metadata"].get("creationTimestamp")),
    }


def _unready_for(view: View, pod: Json) -> int:
    """Seconds a pod has not been ready: since its condition says so, or since it was made."""
    ready = conditions_of(pod).get("Ready") or {}
    since = _since(view, ready.get("lastTransitionTime"))
    return since if since is not None else _since(view, pod["metadata"].get("creationTimestamp")) or 0


def _batch(view: View, ref: Ref, spec: Json, status: Json, message: str) -> dict[str, Any]:
    active = status.get("active")
    names = [item.get("name") or "" for item in active] if isinstance(active, list) else []
    jobs = [view.snapshot.get("Job", ref.namespace, name) or {} for name in names]
    ages = [_since(view, (job.get("metadata") or {}).get("creationTimestamp")) for job in jobs]
    known = [age for age in ages if age is not None]
    return {
        "failed": status.get("failed") or 0,
        "succeeded": status.get("succeeded") or 0,
        "active": len(active) if isinstance(active, list) else active or 0,
        "activeJobs": tuple(names),
        "active.seconds": max(known) if known else None,
        "terminating": status.get("terminating") or 0,
        "outlived": ref.kind == "Job" and _outlived(view, ref),
        "failedIndexes": status.get("failedIndexes") or "",
        "replacement": spec.get("podReplacementPolicy") or "",
        "policy": _policy_rule(spec, message),
        "completions": spec.get("completions"),
        "parallelism": spec.get("parallelism"),
        "ttl": spec.get("ttlSecondsAfterFinished"),
        "complete": _complete(status),
        "backoffLimit": spec.get("backoffLimit"),
        "deadline": spec.get("activeDeadlineSeconds") or spec.get("progressDeadlineSeconds"),
        "schedule": spec.get("schedule") or "",
        "timeZone": spec.get("timeZone") or "",
        "concurrency": spec.get("concurrencyPolicy") or "",
        "startingDeadline": spec.get("startingDeadlineSeconds"),
        "sinceSchedule": _since(view, status.get("lastScheduleTime")),
    }


def _outlived(view: View, ref: Ref) -> bool:
    job = view.snapshot.find(ref) or {}
    owner = controller_of(job)
    made = (job.get("metadata") or {}).get("creationTimestamp") or ""
    return owner is not None and any(
        other["metadata"].get("creationTimestamp", "") > made
        and (conditions_of(other).get("Complete") or {}).get("status") == "True"
        for other in view.snapshot.owned_by("Job", owner.get("uid") or "")
    )


def _policy_rule(spec: Json, message: str) -> str:
    """The rule of a podFailurePolicy that a Job's message names: `FailJob on exit codes In 42 of container app`."""
    rules = (spec.get("podFailurePolicy") or {}).get("rules") or []
    number = message.rpartition(" rule at index ")[2]
    if not number.isdigit() or int(number) >= len(rules):
        return ""
    rule = rules[int(number)]
    codes = rule.get("onExitCodes")
    if codes:
        words = f"exit codes {codes.get('operator')} {', '.join(str(code) for code in codes.get('values') or [])}"
        words += f" of container {codes['containerName']}" if codes.get("containerName") else ""
    else:
        words = "pod condition " + ", ".join(str(item.get("type")) for item in rule.get("onPodConditions") or [])
    return f"{rule.get('action')} on {words}"


def _rolling(spec: Json, status: Json, pods: list[Json]) -> dict[str, Any]:
    names = {pod["metadata"]["name"]: pod for pod in pods}
    strategy = spec.get("strategy") or spec.get("updateStrategy") or {}
    ordered = sorted(names, key=lambda name: int(name.rsplit("-", 1)[-1]) if name.rsplit("-", 1)[-1].isdigit() else 0)
    ordinal = next((name for name in ordered if not is_ready(names[name])), "")
    revision = ((names.get(ordinal) or {}).get("metadata") or {}).get("labels") or {}
    mark, newest = revision.get("controller-revision-hash") or "", status.get("updateRevision") or ""
    return {
        "strategy": strategy.get("type") or "",
        "management": spec.get("podManagementPolicy") or "",
        "partition": (strategy.get("rollingUpdate") or {}).get("partition"),
        "ordinal": ordinal,
        "ordinal.revision": mark,
        "ordinal.stale": bool(mark and newest) and mark != newest,
        "ordinal.status": status_word(names[ordinal]) if ordinal else "",
        "revision": newest,
        "updating": newest != (status.get("currentRevision") or ""),
    }


def _policies(view: View, ref: Ref, spec: Json, status: Json) -> dict[str, Any]:
    target = spec.get("scaleTargetRef") or {}
    exists = view.snapshot.exists(target.get("kind") or "", ref.namespace, target.get("name") or "") if target else None
    return {
        "disruptions": status.get("disruptionsAllowed"),
        "healthy": status.get("currentHealthy"),
        "needed": status.get("desiredHealthy"),
        "expected": status.get("expectedPods"),
        "minAvailable": spec.get("minAvailable"),
        "maxUnavailable": spec.get("maxUnavailable"),
        "unhealthyPolicy": spec.get("unhealthyPodEvictionPolicy") or "",
        "target": f"{target.get('kind', '').lower()}/{target.get('name')}" if target else "",
        "target.exists": {True: "yes", False: "no", None: "unknown"}[exists],
        "min": spec.get("minReplicas"),
        "max": spec.get("maxReplicas"),
        "current": status.get("currentReplicas"),
        "metrics": tuple(_metric(metric, status) for metric in spec.get("metrics") or []),
    }


def _metric(metric: Json, status: Json) -> str:
    """One metric of an HPA, now and wanted: `cpu: 95%/50%`."""
    kind = metric.get("type") or ""
    part = kind[:1].lower() + kind[1:]
    name = (metric.get(part) or {}).get("name") or ((metric.get(part) or {}).get("metric") or {}).get("name") or kind
    wanted = (metric.get(part) or {}).get("target") or {}
    now: Json = {}
    for item in status.get("currentMetrics") or []:
        found = item.get(part) or {}
        if item.get("type") == kind and name in (found.get("name"), (found.get("metric") or {}).get("name"), kind):
            now = found.get("current") or {}

    def shown(value: Json) -> str:
        if value.get("averageUtilization") is not None:
            return f"{value['averageUtilization']}%"
        return str(value.get("averageValue") or value.get("value") or "<unknown>")

    return f"{name}: {shown(now)}/{shown(wanted)}"


def _proof(ref: Ref, obj: Json, desired: int, ready: int, bad: Json) -> Iterator[Proof]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    if ref.kind == "Job":
        text = f"spec.backoffLimit: {spec.get('backoffLimit')}; status.failed: {status.get('failed') or 0}"
        yield Proof("status", str(ref), "", f"{text}; status.succeeded: {status.get('succeeded') or 0} of {desired}")
    elif ref.kind == "CronJob":
        suspend = str(bool(spec.get("suspend"))).lower()
        yield Proof("spec", str(ref), "", f"spec.schedule: {spec.get('schedule')}; spec.suspend: {suspend}")
    elif ref.kind == "PodDisruptionBudget":
        names = "minAvailable maxUnavailable disruptionsAllowed currentHealthy desiredHealthy expectedPods".split()
        both = spec | status
        yield Proof("status", str(ref), "", "; ".join(f"{name}: {both[name]}" for name in names if name in both))
    elif ref.kind == "HorizontalPodAutoscaler":
        counts = f"minReplicas: {spec.get('minReplicas')}; maxReplicas: {spec.get('maxReplicas')}"
        yield Proof("status", str(ref), "", f"{counts}; currentReplicas: {status.get('currentReplicas')}")
    else:
        yield Proof("status", str(ref), "", f"{ready} of {desired} pods ready")
    for kind, wrong in _BAD_CONDITIONS:
        item = conditions_of(obj).get(kind) or {}
        if item.get("status") == wrong and (item is bad or kind != "FailureTarget"):
            text = f"condition {kind}={item.get('status')} {item.get('reason') or ''}: {item.get('message') or ''}"
            yield Proof("status", str(ref), item.get("lastTransitionTime") or "", text.rstrip(": "))
