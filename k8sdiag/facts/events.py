"""Events: the warnings, and the Normal ones that tell something; for rules about what no status field holds.

Sample: `Warning DNSConfigForming: Search Line limits were exceeded, some search paths have been omitted ...`.
"""

from __future__ import annotations

from collections.abc import Iterator

from k8sdiag.clock import parse_time
from k8sdiag.evidence import (
    CLUSTER_SCOPED,
    Json,
    Ref,
    event_component,
    event_count,
    event_first_time,
    event_message,
    event_time,
    involved,
)
from k8sdiag.facts import Fact, Keys, event_container, event_proof, owner_word, pod_keys, workload_key
from k8sdiag.podstate import is_quiet
from k8sdiag.relations import View, owner_chain, top_owner

KIND = "event"
KEYS = ("container", "pod", "claim", "service", "workload", "node", "namespace")
FIELDS = {
    "reason": "reason",
    "type": "Normal or Warning",
    "message": "message (note)",
    "component": "who sent it (kubelet, default-scheduler ...)",
    "count": "how often",
    "age": "seconds since it was last seen",
    "first": "when it was first seen",
    "last": "when it was last seen",
    "kind": "kind of the object it is about",
    "name": "name of the object it is about",
    "namespace": "namespace of the object it is about",
    "container": "the container it is about",
    "owner": "what to change, where it is about a pod",
    "quiet": "the pod it is about runs and is ready now",
    "gone": "the pod it is about has been deleted since; known for evictions only",
}
TELLING = frozenset(
    "Killing FailedBinding ExternalProvisioning WaitForFirstConsumer WaitForPodScheduled TaintManagerEviction Preempted"
    " NodeNotReady SandboxChanged DeadlineExceeded JobAlreadyActive Suspended CIDRNotAvailable NodeHasDiskPressure"
    " NodeHasInsufficientMemory NodeHasInsufficientPID ScalingReplicaSet Shutdown Starting".split()
)
ENDINGS = frozenset({"TaintManagerEviction", "Evicted", "Preempted", "Preempting"})
"""Why a pod went away: told of pods that are gone, too, as news of what they belonged to."""
_HANDLED = frozenset({"BackOff"})  # says nothing that the container's state does not


def derive(view: View) -> Iterator[Fact]:
    for event in view.snapshot.of_kind("Event"):
        reason = event.get("reason") or ""
        if (event.get("type") != "Warning" and reason not in TELLING) or reason in _HANDLED:
            continue
        about = involved(event)
        kind = about.get("kind") or ""
        namespace = "" if kind in CLUSTER_SCOPED else about.get("namespace") or ""
        ref = Ref(kind, namespace, about.get("name") or "")
        obj = view.snapshot.find(ref)
        of_gone = list(_of_gone(view, event, ref)) if obj is None and reason in ENDINGS else []
        if of_gone or ref not in view:
            yield from of_gone
            continue
        uid, known = about.get("uid"), ((obj or {}).get("metadata") or {}).get("uid")
        if obj is not None and uid and known and uid not in (known, ref.name):
            continue  # of an earlier object of the same name
        yield _fact(view, event, ref, obj)


def _fact(view: View, event: Json, ref: Ref, obj: Json | None) -> Fact:
    last = parse_time(event_time(event))
    fields = {
        "reason": event.get("reason") or "",
        "type": event.get("type") or "",
        "message": event_message(event),
        "component": event_component(event),
        "count": event_count(event),
        "age": int(view.snapshot.taken_at - last) if last is not None else None,
        "first": event_first_time(event),
        "last": event_time(event),
        "kind": ref.kind,
        "name": ref.name,
        "namespace": ref.namespace,
        "container": event_container(event),
        "owner": owner_word(view, obj) if obj and ref.kind == "Pod" else str(ref),
        "gone": False,
        "quiet": bool(obj) and ref.kind == "Pod" and is_quiet(obj or {}),
    }
    return Fact(KIND, ref, fields, _keys(view, ref, obj, str(fields["container"])), (event_proof(event),))


def _of_gone(view: View, event: Json, ref: Ref) -> Iterator[Fact]:
    """An event about a pod that is gone, where its name says that something in view made it."""
    stem = ref.name.rpartition("-")[0]
    for kind in ("ReplicaSet", "StatefulSet", "DaemonSet", "Job"):
        owner = Ref(kind, ref.namespace, stem)
        obj = view.snapshot.find(owner)
        if obj is None or owner not in view:
            continue
        fact = _fact(view, event, ref, None)
        fields = dict(fact.fields) | {"gone": True, "owner": str(top_owner(view.snapshot, obj))}
        chain = [owner, *owner_chain(view.snapshot, obj)]
        keys: Keys = {"workload": tuple(workload_key(item) for item in chain), "namespace": (ref.namespace,)}
        yield Fact(KIND, ref, fields, keys, fact.proof)


def _keys(view: View, ref: Ref, obj: Json | None, container: str) -> Keys:
    if ref.kind == "Pod":
        if obj is not None:
            return pod_keys(view, obj, container)
        return {"pod": (f"{ref.namespace}/{ref.name}",), "namespace": (ref.namespace,)}
    if ref.kind == "Node":
        return {"node": (ref.name,)}
    if ref.kind == "PersistentVolumeClaim":
        return {"claim": (f"{ref.namespace}/{ref.name}",), "namespace": (ref.namespace,)}
    if ref.kind == "Service":
        return {"service": (f"{ref.namespace}/{ref.name}",), "namespace": (ref.namespace,)}
    chain = [ref, *(owner_chain(view.snapshot, obj) if obj else [])]
    return {"workload": tuple(workload_key(item) for item in chain), "namespace": (ref.namespace,)}


