"""Pods (and claims) that the API server refuses to a controller, so that no pod exists; one fact a controller.

Sample: ReplicaSet condition `ReplicaFailure=True FailedCreate: pods "web-7c5f" is forbidden: exceeded quota: small,
requested: pods=1, used: pods=0, limited: pods=0`, and the event `FailedCreate: Error creating: ...`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from k8sdiag.clock import parse_time
from k8sdiag.evidence import Json, Ref, event_count, event_first_time, event_message, event_time, ref_of
from k8sdiag.facts import Fact, event_proof, events_where, workload_key
from k8sdiag.finding import Proof
from k8sdiag.patterns import regex
from k8sdiag.podstate import conditions_of
from k8sdiag.quantity import count_of, parse_quantity
from k8sdiag.relations import View, owner_chain

KIND = "refusal"
KEYS = ("workload", "namespace")
FIELDS = {
    "message": "what the API server said",
    "why": "the same without the words 'pods \"x\" is forbidden:' before it",
    "kind": "kind of the controller that was refused",
    "name": "its name",
    "namespace": "metadata.namespace",
    "owner": "what to change: deployment/web",
    "desired": "pods wanted",
    "existing": "pods there are",
    "tally": "both in words: has 0 of 1 pods",
    "count": "attempts, as events count them",
    "first": "when it was first refused",
    "wants": "what could not be created: pods, the claim NAME, a Job or a ReplicaSet",
    "enforce": "the namespace's PodSecurity level (label pod-security.kubernetes.io/enforce)",
    "limitRanges": "LimitRanges of the namespace",
    "derived": "no event or condition says so; the objects there are do",
}
KINDS = ("ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicationController")
_WRAPPING = regex(
    r"^(?:\(combined from similar events\): )?(?:Error creating(?: job)?: |"
    r"create (?P<what>Pod|Claim) (?P<name>\S+)(?: for Pod \S+)? in StatefulSet \S+ failed error: )?"
)
_CLAIM = regex(r"failed to create PVC (?P<name>[^:\s]+): ")
_FORBIDDEN = regex(r'^[\w.]+ "[^"]*" is forbidden: ')


def derive(view: View) -> Iterator[Fact]:
    told: set[Ref] = set()
    for kind in KINDS:
        for obj in view.of_kind(kind):
            desired, existing = _wanted(kind, obj)
            if existing < desired:
                for fact in _of(view, obj, desired, existing):
                    told.add(fact.ref)
                    yield fact
    for obj in view.of_kind("Deployment"):
        failure = _told_by_deployment(obj)
        if failure and ref_of(obj) not in told:
            desired, existing = _wanted("Deployment", obj)
            proof = _condition_proof(obj, failure)
            yield _fact(view, obj, str(failure.get("message") or ""), [], proof, desired, existing)


def _told_by_deployment(obj: Json) -> Json:
    """The condition by which a Deployment says that its ReplicaSet, or its ReplicaSet's pods, could not be created."""
    found = conditions_of(obj)
    progressing, replicas = found.get("Progressing") or {}, found.get("ReplicaFailure") or {}
    if progressing.get("reason") == "ReplicaSetCreateError":
        return progressing
    return replicas if replicas.get("status") == "True" and replicas.get("reason") == "FailedCreate" else {}


def _wanted(kind: str, obj: Json) -> tuple[int, int]:
    """(pods wanted, pods there); a CronJob counts as wanting a Job it could not create."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    if kind == "DaemonSet":
        return status.get("desiredNumberScheduled") or 0, status.get("currentNumberScheduled") or 0
    if kind == "Job":
        if spec.get("suspend") or any(c.get("status") == "True" for c in status.get("conditions") or []):
            return 0, 0
        left = (spec.get("completions") or 1) - (status.get("succeeded") or 0)
        there = (status.get("active") or 0) + (status.get("terminating") or 0)
        return min(count_of(spec.get("parallelism")), left), there
    if kind == "CronJob":
        return (0, 0) if spec.get("suspend") else (1, len(status.get("active") or []))
    return count_of(spec.get("replicas")), status.get("replicas") or 0


def _of(view: View, obj: Json, desired: int, existing: int) -> Iterator[Fact]:
    ref, uid = ref_of(obj), obj["metadata"].get("uid") or ""
    failure = conditions_of(obj).get("ReplicaFailure") or {}
    events = events_where(view, ref, uid, lambda event: event.get("reason") == "FailedCreate")
    created = events_where(view, ref, uid, lambda event: event.get("reason") == "SuccessfulCreate")
    if failure.get("status") == "True" and failure.get("reason") == "FailedCreate":
        proof = _condition_proof(obj, failure)
        yield _fact(view, obj, str(failure.get("message") or ""), events, proof, desired, existing)
    elif events and (not created or _when(events[0]) >= _when(created[0])):
        yield _fact(view, obj, event_message(events[0]), events, None, desired, existing)
    elif ref.kind != "CronJob" and not created:
        derived = _derived(view, obj) if existing else [*_derived(view, obj), *_full_quotas(view, ref.namespace)]
        for message, proof in derived:
            yield _fact(view, obj, message, [], proof, desired, existing)


def _when(event: Json) -> float:
    return parse_time(event_time(event)) or 0.0


def _derived(view: View, obj: Json) -> Iterator[tuple[str, Proof]]:
    """What must have been refused, where no event is left that says so: the template names what does not exist."""
    namespace = ref_of(obj).namespace
    spec = (((obj.get("spec") or {}).get("template") or {}).get("spec")) or {}
    account = spec.get("serviceAccountName") or ""
    priority, runtime = spec.get("priorityClassName") or "", spec.get("runtimeClassName") or ""
    for kind, space, name, key, message in (
        ("ServiceAccount", namespace, account, "serviceAccountName",
         f'error looking up service account {namespace}/{account}: serviceaccount "{account}" not found'),
        ("PriorityClass", "", priority, "priorityClassName", f"no PriorityClass with name {priority} was found"),
        ("RuntimeClass", "", runtime, "runtimeClassName", f'pod rejected: RuntimeClass "{runtime}" not found'),
    ):  # fmt: skip
        if name and view.snapshot.exists(kind, space, name) is False:
            text = f"{kind} {name}: not found; named by spec.template.spec.{key}"
            yield message, Proof("object", f"{kind.lower()}/{name}", "", text)


def _full_quotas(view: View, namespace: str) -> Iterator[tuple[str, Proof]]:
    """Quotas that let no further pod be, whatever it asks for."""
    for quota in view.snapshot.of_kind("ResourceQuota", namespace):
        status, name = quota.get("status") or {}, ref_of(quota).name
        if (quota.get("spec") or {}).get("scopes") or (quota.get("spec") or {}).get("scopeSelector"):
            continue
        hard, used = status.get("hard") or {}, status.get("used") or {}
        for key in ("pods", "count/pods"):
            limit, count = parse_quantity(hard.get(key)), parse_quantity(used.get(key))
            if limit is not None and count is not None and count >= limit:
                said = f"requested: {key}=1, used: {key}={used[key]}, limited: {key}={hard[key]}"
                text = f"status.used.{key}: {used[key]}; status.hard.{key}: {hard[key]}"
                yield f"exceeded quota: {name}, {said}", Proof("object", f"resourcequota/{name}", "", text)


def _condition_proof(obj: Json, condition: Json) -> Proof:
    head = f"condition {condition.get('type')}={condition.get('status')} {condition.get('reason')}"
    text = f"{head}: {condition.get('message')}"
    return Proof("status", str(ref_of(obj)), condition.get("lastTransitionTime") or "", text)


def _fact(
    view: View, obj: Json, message: str, events: list[Json], proof: Proof | None, desired: int = 1, existing: int = 0
) -> Fact:
    ref = ref_of(obj)
    chain = [ref, *owner_chain(view.snapshot, obj)]
    namespace = view.snapshot.get("Namespace", "", ref.namespace) or {}
    labels = (namespace.get("metadata") or {}).get("labels") or {}
    said = " ".join(message.split())
    wrapping = _WRAPPING.match(said)
    inner = said[wrapping.end() :] if wrapping else said
    fields: dict[str, Any] = {
        "message": inner,
        "why": _FORBIDDEN.sub("", inner),
        "kind": ref.kind,
        "name": ref.name,
        "namespace": ref.namespace,
        "owner": str(chain[-1]),
        "desired": desired,
        "existing": existing,
        "tally": "gets no new Job" if ref.kind == "CronJob" else f"has {existing} of {desired} pods",
        "count": event_count(events[0]) if events else 1,
        "first": event_first_time(events[-1]) if events else "",
        "wants": _what(ref.kind, wrapping, inner, proof),
        "enforce": labels.get("pod-security.kubernetes.io/enforce") or "",
        "limitRanges": tuple(item["metadata"]["name"] for item in view.snapshot.of_kind("LimitRange", ref.namespace)),
        "derived": not events and proof is not None and proof.source == "object",
    }
    proofs = ([proof] if proof else []) + [event_proof(event) for event in events[:1]]
    keys = {"workload": tuple(workload_key(item) for item in chain), "namespace": (ref.namespace,)}
    return Fact(KIND, _subject(chain), fields, keys, tuple(proofs))


def _what(kind: str, wrapping: re.Match[str] | None, inner: str, proof: Proof | None) -> str:
    claim = _CLAIM.match(inner)
    if claim or (wrapping and wrapping["what"] == "Claim"):
        return f"the claim {claim['name'] if claim else wrapping['name'] if wrapping else ''}"
    if kind == "Deployment":
        return "a ReplicaSet" if proof and "ReplicaSetCreateError" in proof.text else "its pods"
    return "a Job" if kind == "CronJob" else "its pods"


def _subject(chain: list[Ref]) -> Ref:
    """People know the Deployment, not its ReplicaSet."""
    return chain[-1]
