"""Pods the scheduler cannot place: one fact for each reason it gives, checked against each node.

Sample: `FailedScheduling: 0/3 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/
control-plane: }, 2 Insufficient memory. preemption: 0/3 nodes are available: ...`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from k8sdiag.evidence import Json, event_message, ref_of
from k8sdiag.facts import Fact, Keys, event_proof, events_where, owner_word, pod_keys
from k8sdiag.finding import Proof
from k8sdiag.placement import (
    Nodes,
    Reason,
    Refusal,
    host_ports,
    parse_message,
    pod_requests,
    smallest_change,
    taint_text,
    term_text,
)
from k8sdiag.podstate import conditions_of, is_finished, is_quiet
from k8sdiag.quantity import format_quantity
from k8sdiag.relations import View, claim_names
from k8sdiag.selectors import format_labels

KIND = "unschedulable"
KEYS = ("pod", "claim", "node", "workload", "namespace")
FIELDS = {
    "reason": "slug: insufficient, too-many-pods, taint, cordoned, affinity, ports, pod-affinity, pod-anti-affinity, spread,"
    " claim-unbound, claim-missing, claim-deleting, claim-ephemeral, volume-affinity, volume-zone, volume-count,"
    " volume-exclusive, volume-none, volume-missing, device-claim, node-name, no-nodes, extender",
    "text": "the reason in the scheduler's words",
    "message": "the whole message",
    "main": "it stands in the way on the node that is nearest to fitting",
    "count": "nodes that gave this reason",
    "total": "nodes there are",
    "all": "every node gave this reason",
    "resource": "cpu, memory ... of an insufficient resource",
    "requested": "what the pod requests of that resource",
    "largest": "the most any node has allocatable of it",
    "freest": "the most any node has free of it",
    "never": "requested is more than any node has",
    "known": "nodes were collected, so that largest and freest mean something",
    "taint": "key=value of the taint",
    "taint.key": "key of the taint",
    "taint.text": "key=value:Effect as the node has it",
    "claim": "the claim the reason names, or the pod's claims",
    "selector": "spec.nodeSelector and required node affinity",
    "ports": "host ports the pod wants",
    "spread": "spec.topologySpreadConstraints",
    "podAffinity": "required pod (anti-)affinity terms",
    "change": "the smallest change that would place the pod",
    "nodes": "each node and what is in the way there",
    "blocked": "nodes this reason holds for, as far as objects tell",
    "preemption": "what the scheduler says of preemption",
    "preemptionPolicy": "spec.preemptionPolicy",
    "priority": "spec.priority",
    "pod": "metadata.name",
    "namespace": "metadata.namespace",
    "owner": "what to change: deployment/web, or pod/web",
}


def derive(view: View) -> Iterator[Fact]:
    nodes: Nodes | None = None
    for pod in view.of_kind("Pod"):
        if is_quiet(pod) or is_finished(pod) or (pod.get("spec") or {}).get("nodeName"):
            continue
        condition = conditions_of(pod).get("PodScheduled") or {}
        events = events_where(
            view, ref_of(pod), pod["metadata"].get("uid") or "", lambda event: event.get("reason") == "FailedScheduling"
        )
        message = condition.get("message") or (event_message(events[0]) if events else "")
        if not message or condition.get("reason") in ("SchedulingGated", "SchedulerError"):
            continue
        nodes = nodes or Nodes(view.snapshot)
        yield from _of_pod(view, pod, nodes, message, events, condition)


def _of_pod(
    view: View, pod: Json, nodes: Nodes, message: str, events: list[Json], condition: Json
) -> Iterator[Fact]:
    refusal = parse_message(message)
    change, lines, nearest, by_slug = smallest_change(pod, nodes)
    said = {reason.slug for reason in refusal.reasons}
    main = nearest & said
    text = f"condition PodScheduled=False {condition.get('reason')}: {message}"
    proof = [Proof("status", str(ref_of(pod)), condition.get("lastTransitionTime") or "", text)] if condition else []
    proof += [event_proof(event) for event in events[:1] if not condition or event_message(event) != message]
    proof += [Proof("object", "nodes", "", line) for line in lines[:5]]
    shared = _shared(view, pod, refusal, message) | {"change": change, "nodes": tuple(lines)}
    for reason in refusal.reasons:
        fields = shared | _of_reason(view, pod, nodes, reason, refusal)
        leads = reason.count is None or (reason.slug in main if main else _most(refusal) == reason)
        fields |= {"main": leads, "blocked": tuple(by_slug.get(reason.slug, ()))}
        keys = _keys(view, pod, fields)
        yield Fact(KIND, ref_of(pod), fields, keys, tuple(proof))


def _most(refusal: Refusal) -> Reason:
    return max(refusal.reasons, key=lambda reason: reason.count or 0)


def _keys(view: View, pod: Json, fields: dict[str, Any]) -> Keys:
    """A pod without a node is tied to the nodes whose state is in its way."""
    keys = dict(pod_keys(view, pod))
    if fields["reason"] in ("taint", "cordoned"):
        keys["node"] = tuple(fields["blocked"])
    if fields["reason"].startswith("claim-") and fields["claim"]:
        keys["claim"] = tuple(f"{fields['namespace']}/{name}" for name in fields["claim"])
    return keys


def _shared(view: View, pod: Json, refusal: Refusal, message: str) -> dict[str, Any]:
    spec = pod.get("spec") or {}
    affinity = spec.get("affinity") or {}
    required = ((affinity.get("nodeAffinity") or {}).get("requiredDuringSchedulingIgnoredDuringExecution")) or {}
    selectors = [format_labels(spec.get("nodeSelector"))] + [term_text(t) for t in required.get("nodeSelectorTerms") or []]
    return {
        "message": message,
        "total": refusal.total,
        "preemption": refusal.preemption,
        "preemptionPolicy": spec.get("preemptionPolicy") or "",
        "priority": spec.get("priority") or 0,
        "selector": "; ".join(part for part in selectors if part),
        "ports": tuple(f"{port}/{protocol}" for _, protocol, port in sorted(host_ports(pod))),
        "spread": tuple(_spread_text(item) for item in spec.get("topologySpreadConstraints") or []),
        "podAffinity": tuple(_affinity_terms(affinity)),
        "pod": pod["metadata"]["name"],
        "namespace": pod["metadata"].get("namespace") or "",
        "owner": owner_word(view, pod),
        "known": view.snapshot.count("Node") > 0,
    }


def _spread_text(item: Json) -> str:
    return (
        f"maxSkew {item.get('maxSkew')} over {item.get('topologyKey')} ({item.get('whenUnsatisfiable')}) of"
        f" {format_labels((item.get('labelSelector') or {}).get('matchLabels')) or 'its selector'}"
    )


def _affinity_terms(affinity: Json) -> Iterator[str]:
    for kind in ("podAffinity", "podAntiAffinity"):
        for term in (affinity.get(kind) or {}).get("requiredDuringSchedulingIgnoredDuringExecution") or []:
            labels = format_labels((term.get("labelSelector") or {}).get("matchLabels"))
            yield f"{kind} {labels or 'its selector'} per {term.get('topologyKey')}"


def _of_reason(view: View, pod: Json, nodes: Nodes, reason: Reason, refusal: Refusal) -> dict[str, Any]:
    resource = reason.parts.get("resource", "").rstrip(".")
    wanted = pod_requests(pod).get(resource, 0.0) if resource else 0.0
    largest = nodes.largest(resource) if resource else 0.0
    key, value = reason.parts.get("key", ""), reason.parts.get("value", "")
    claim = reason.parts.get("claim")
    return {
        "reason": reason.slug,
        "text": reason.text,
        "count": reason.count,
        "all": reason.count is None or reason.count == refusal.total,
        "resource": resource,
        "requested": format_quantity(resource, wanted) if resource else "",
        "largest": format_quantity(resource, largest) if resource else "",
        "freest": format_quantity(resource, max(nodes.freest(resource), 0)) if resource else "",
        "never": bool(resource) and wanted > largest,
        "taint": f"{key}={value}" if value else key,
        "taint.key": key,
        "taint.text": _taint_of(view, key),
        "claim": (claim,) if claim else tuple(claim_names(pod)),
    }


def _taint_of(view: View, key: str) -> str:
    for node in view.snapshot.of_kind("Node") if key else ():
        for taint in (node.get("spec") or {}).get("taints") or []:
            if taint.get("key") == key:
                return taint_text(taint)
    return f"{key}:NoSchedule" if key else ""
