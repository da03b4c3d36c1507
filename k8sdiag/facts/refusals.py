"""Pods (and claims) that the API server refuses to a controller, so that no pod exists; one fact a controller.

Sample: ReplicaSet condition `ReplicaFailure=True FailedCreate: pods "web-7c5f" is forbidden: exceeded quota: small,
requested: pods=1, used: pods=0, limited: pods=0`, and the event `FailedCreate: Error creating: ...`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from k8sdiag.evidence import Json, Ref, event_count, event_first_time, event_message, ref_of
from k8sdiag.facts import Fact, event_proof, events_where, workload_key
from k8sdiag.finding import Proof
from k8sdiag.podstate import conditions_of
from k8sdiag.relations import View, owner_chain

KIND = "refusal"
KEYS = ("workload", "namespace")
FIELDS = {
    "message": "what the API server said",
    "kind": "kind of the controller that was refused",
    "name": "its name",
    "namespace": "metadata.namespace",
    "owner": "what to change: deployment/web",
    "desired": "pods wanted",
    "existing": "pods there are",
    "count": "attempts, as events count them",
    "first": "when it was first refused",
    "wants": "what could not be created: pod, claim or job",
    "enforce": "the namespace's PodSecurity level (label pod-security.kubernetes.io/enforce)",
}
KINDS = ("ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicationController")
_WRAPPING = re.compile(
    r"^(?:Error creating(?: job)?: |create (?:Pod|Claim) \S+(?: for Pod \S+)? in StatefulSet \S+ failed error: )"
)


def derive(view: View) -> Iterator[Fact]:
    for kind in KINDS:
        for obj in view.of_kind(kind):
            desired, existing = _wanted(kind, obj)
            if existing < desired:
                yield from _of(view, obj, desired, existing)
    for obj in view.of_kind("Deployment"):
        failure = conditions_of(obj).get("Progressing") or {}
        if failure.get("reason") == "ReplicaSetCreateError":
            yield _fact(view, obj, str(failure.get("message") or ""), [], _condition_proof(obj, failure))


def _wanted(kind: str, obj: Json) -> tuple[int, int]:
    """(pods wanted, pods there); a CronJob counts as wanting a Job it could not create."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    if kind == "DaemonSet":
        return status.get("desiredNumberScheduled") or 0, status.get("currentNumberScheduled") or 0
    if kind == "Job":
        if spec.get("suspend") or any(c.get("status") == "True" for c in status.get("conditions") or []):
            return 0, 0
        left = (spec.get("completions") or 1) - (status.get("succeeded") or 0)
        return min(spec.get("parallelism", 1), left), (status.get("active") or 0) + (status.get("terminating") or 0)
    if kind == "CronJob":
        return (0, 0) if spec.get("suspend") else (1, len(status.get("active") or []))
    return spec.get("replicas", 1), status.get("replicas") or 0


def _of(view: View, obj: Json, desired: int, existing: int) -> Iterator[Fact]:
    ref = ref_of(obj)
    failure = conditions_of(obj).get("ReplicaFailure") or {}
    events = events_where(
        view, ref, obj["metadata"].get("uid") or "", lambda event: event.get("reason") == "FailedCreate"
    )
    if failure.get("status") == "True" and failure.get("reason") == "FailedCreate":
        proof = _condition_proof(obj, failure)
        yield _fact(view, obj, str(failure.get("message") or ""), events, proof, desired, existing)
    elif events:
        yield _fact(view, obj, event_message(events[0]), events, None, desired, existing)


def _condition_proof(obj: Json, condition: Json) -> Proof:
    text = f"condition {condition.get('type')}={condition.get('status')} {condition.get('reason')}: {condition.get('message')}"
    return Proof("status", str(ref_of(obj)), condition.get("lastTransitionTime") or "", text)


def _fact(
    view: View, obj: Json, message: str, events: list[Json], proof: Proof | None, desired: int = 1, existing: int = 0
) -> Fact:
    ref = ref_of(obj)
    chain = [ref, *owner_chain(view.snapshot, obj)]
    namespace = view.snapshot.get("Namespace", "", ref.namespace) or {}
    labels = (namespace.get("metadata") or {}).get("labels") or {}
    fields: dict[str, Any] = {
        "message": _WRAPPING.sub("", " ".join(message.split())),
        "kind": ref.kind,
        "name": ref.name,
        "namespace": ref.namespace,
        "owner": str(chain[-1]),
        "desired": desired,
        "existing": existing,
        "count": event_count(events[0]) if events else 1,
        "first": event_first_time(events[-1]) if events else "",
        "wants": "claim" if message.startswith("create Claim") else "job" if ref.kind == "CronJob" else "pod",
        "enforce": labels.get("pod-security.kubernetes.io/enforce") or "",
    }
    proofs = ([proof] if proof else []) + [event_proof(event) for event in events[:1]]
    keys = {"workload": tuple(workload_key(item) for item in chain), "namespace": (ref.namespace,)}
    return Fact(KIND, _subject(chain), fields, keys, tuple(proofs))


def _subject(chain: list[Ref]) -> Ref:
    """People know the Deployment, not its ReplicaSet."""
    return chain[-1]
