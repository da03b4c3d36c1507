"""The word kubectl shows for an object, and whether it is well: proven by its own status, never by silence."""

from __future__ import annotations

from k8sdiag.evidence import Json, Ref, Snapshot, ref_of
from k8sdiag.podstate import conditions_of, is_finished, is_ready, status_word
from k8sdiag.relations import pods_of


def status_of(snapshot: Snapshot, ref: Ref) -> tuple[str, bool]:
    """(the word, well). An object that is not in the snapshot is 'deleted' (where the history saw it)
    or 'not found', and not well."""
    obj = snapshot.find(ref)
    if obj is None:
        return "deleted" if snapshot.history_of(ref) else "not found", False
    if (obj.get("metadata") or {}).get("deletionTimestamp") and ref.kind != "Pod":
        return "Terminating", False
    reader = _READERS.get(ref.kind)
    if reader is not None:
        return reader(snapshot, obj)
    phase = (obj.get("status") or {}).get("phase")
    return (str(phase) if phase else "present"), phase in (None, "Active", "Bound", "Available")


def _pod(_: Snapshot, pod: Json) -> tuple[str, bool]:
    word = status_word(pod)
    phase = (pod.get("status") or {}).get("phase")
    well = phase == "Succeeded" or (phase == "Running" and is_ready(pod) and word == "Running")
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    if word in ("Running", "NotReady") and statuses:
        ready = sum(bool(item.get("ready")) for item in statuses)
        word = f"{word} {ready}/{len((pod.get('spec') or {}).get('containers') or [])}"
    return word, well


def _replicas(_: Snapshot, obj: Json) -> tuple[str, bool]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    wanted = spec.get("replicas")
    wanted = 1 if wanted is None else wanted
    ready = status.get("readyReplicas") or 0
    current = (status.get("observedGeneration") or 0) >= ((obj.get("metadata") or {}).get("generation") or 0)
    progressing = (conditions_of(obj).get("Progressing") or {}).get("status") != "False"
    return f"{ready}/{wanted} ready", ready >= wanted and current and progressing


def _daemon(_: Snapshot, obj: Json) -> tuple[str, bool]:
    status = obj.get("status") or {}
    wanted, ready = status.get("desiredNumberScheduled") or 0, status.get("numberReady") or 0
    return f"{ready}/{wanted} ready", ready >= wanted


def _job(snapshot: Snapshot, obj: Json) -> tuple[str, bool]:
    conditions = conditions_of(obj)
    for kind, word in (
        ("Complete", "Complete"),
        ("Failed", "Failed"),
        ("FailureTarget", "FailureTarget"),
        ("Suspended", "Suspended"),
    ):
        if (conditions.get(kind) or {}).get("status") == "True":
            return word, word in ("Complete", "Suspended")  # somebody asked for it
    pods = [pod for pod in pods_of(snapshot, obj) if not is_finished(pod)]
    return "Running", bool(pods) and all(is_ready(pod) for pod in pods)


def _cron(_: Snapshot, obj: Json) -> tuple[str, bool]:
    return ("Suspended", True) if (obj.get("spec") or {}).get("suspend") else ("Scheduled", True)


def _node(_: Snapshot, obj: Json) -> tuple[str, bool]:
    conditions = conditions_of(obj)
    ready = (conditions.get("Ready") or {}).get("status")
    word = "Unknown" if ready is None else "Ready" if ready == "True" else "NotReady"
    if (obj.get("spec") or {}).get("unschedulable"):
        word += ",SchedulingDisabled"
    pressed = any(item.get("status") == "True" for kind, item in conditions.items() if kind != "Ready")
    return word, word == "Ready" and not pressed


def _service(snapshot: Snapshot, obj: Json) -> tuple[str, bool]:
    spec = obj.get("spec") or {}
    if spec.get("type") == "ExternalName" or not spec.get("selector"):
        return str(spec.get("type") or "ClusterIP"), True
    pods = [pod for pod in pods_of(snapshot, obj) if not is_finished(pod)]
    ready = sum(is_ready(pod) for pod in pods)
    return f"{ready}/{len(pods)} endpoints ready", ready > 0


def _claim(snapshot: Snapshot, obj: Json) -> tuple[str, bool]:
    """A claim that waits for its first pod (WaitForFirstConsumer) and has none is as it should be."""
    phase = str((obj.get("status") or {}).get("phase") or "")
    storage_class = snapshot.get("StorageClass", "", (obj.get("spec") or {}).get("storageClassName") or "") or {}
    events = snapshot.events_of(ref_of(obj), (obj.get("metadata") or {}).get("uid") or "")
    waits = storage_class.get("volumeBindingMode") == "WaitForFirstConsumer" or (
        bool(events) and events[-1].get("reason") == "WaitForFirstConsumer"
    )
    return phase or "present", phase in ("", "Bound") or (phase == "Pending" and waits and not pods_of(snapshot, obj))


_READERS = {
    "Pod": _pod,
    "PersistentVolumeClaim": _claim,
    "Deployment": _replicas,
    "ReplicaSet": _replicas,
    "StatefulSet": _replicas,
    "ReplicationController": _replicas,
    "DaemonSet": _daemon,
    "Job": _job,
    "CronJob": _cron,
    "Node": _node,
    "Service": _service,
}
