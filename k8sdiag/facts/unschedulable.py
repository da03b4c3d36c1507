"""Pods the scheduler cannot place: one fact for each reason it gives, checked against each node.

Sample: `FailedScheduling: 0/3 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/
control-plane: }, 2 Insufficient memory. preemption: 0/3 nodes are available: ...`.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any, NamedTuple

from k8sdiag.evidence import Json, event_message, ref_of
from k8sdiag.facts import Fact, Keys, event_proof, events_where, owner_word, pod_keys
from k8sdiag.finding import Proof
from k8sdiag.nearness import nearest
from k8sdiag.placement import (
    Nodes,
    Reason,
    Refusal,
    Verdict,
    affinity_words,
    bound_volumes,
    exclusive_holders,
    host_ports,
    near_labels,
    near_tolerations,
    parse_message,
    pod_requests,
    request_parts,
    required_pod_terms,
    selector_text,
    spread_words,
    taint_text,
    term_words,
    unmet_labels,
    untolerated,
)
from k8sdiag.podstate import conditions_of, is_finished, is_quiet
from k8sdiag.quantity import format_quantity
from k8sdiag.references import claim_names
from k8sdiag.relations import View

KIND = "unschedulable"
KEYS = ("pod", "claim", "node", "workload", "namespace")
FIELDS = {
    "reason": "slug: insufficient, too-many-pods, taint, cordoned, affinity, ports, pod-affinity, pod-anti-affinity,"
    " existing-anti-affinity, spread, claim-unbound, claim-missing, claim-deleting, claim-ephemeral, volume-affinity,"
    " volume-zone, volume-count, volume-exclusive, volume-none, volume-missing, device-claim, node-name, no-nodes,"
    " extender",
    "text": "the reason in the scheduler's words",
    "message": "the whole message",
    "main": "it stands in the way on the node that is nearest to fitting",
    "count": "nodes that gave this reason",
    "total": "nodes there are",
    "all": "every node gave this reason",
    "resource": "cpu, memory ... of an insufficient resource",
    "requested": "what the pod requests of that resource",
    "asks": "who in the pod requests how much of it: container app 64",
    "largest": "the most any node that lacks nothing but room has allocatable of it",
    "freest": "the most any of them has free of it, as far as pods were collected",
    "never": "requested is more than any node has",
    "offered": "some node has any of it",
    "known": "nodes were collected, so that largest and freest mean something",
    "taint": "key=value of the taint",
    "taint.key": "key of the taint",
    "taint.value": "value of the taint",
    "taint.effect": "effect of the taint",
    "taint.operator": "operator of a toleration for it: Equal, or Exists where it has no value",
    "taint.text": "key=value:Effect as the node has it",
    "toleration.near": "tolerations of the pod that are meant for this taint, and in what they miss it",
    "claim": "the claim the reason names, or the pod's claims that are not bound",
    "claim.nearest": "claims that do exist and look alike",
    "claim.state": "phase and storage class of those claims",
    "volume": "volumes the pod's claims are bound to, and where they can be used",
    "selector": "spec.nodeSelector and required node affinity",
    "unmet": "labels asked for that no node has",
    "label": "the first label that the nearest node lacks, as kubectl label takes it; of a spread its topologyKey",
    "near": "labels of nodes that come near those",
    "via": "who else put the nodeSelector there: a RuntimeClass, an annotation of the namespace",
    "port": "the host port in dispute: 8080/TCP",
    "ports": "host ports the pod wants",
    "spread": "spec.topologySpreadConstraints",
    "podAffinity": "required pod (anti-)affinity terms",
    "rule": "the affinity or spread rule that objects",
    "holder": "the pods that are in the way: namespace/name",
    "where": "what is in the way on the nearest node, in words",
    "nearest": "the node where the least is in the way",
    "change": "the smallest change that would place the pod, on the nearest node",
    "nodes": "each node and what is in the way there",
    "blocked": "nodes this reason holds for, as far as objects tell",
    "blocked.shell": "their names, quoted for a shell",
    "preemption": "what the scheduler says of preemption",
    "preemptionPolicy": "spec.preemptionPolicy",
    "priority": "spec.priority",
    "nominated": "status.nominatedNodeName",
    "victims": "pods that are being deleted on the nominated node",
    "pod": "metadata.name",
    "namespace": "metadata.namespace",
    "owner": "what to change: deployment/web, or pod/web",
    "bare": "nothing owns the pod, so that it has to be made anew by hand",
}


class _Case(NamedTuple):
    """One reason of one pod, with all it is held against."""

    view: View
    pod: Json
    nodes: Nodes
    reason: Reason
    verdict: Verdict


def derive(view: View) -> Iterator[Fact]:
    nodes: Nodes | None = None
    for pod in view.of_kind("Pod"):
        if is_quiet(pod) or is_finished(pod) or (pod.get("spec") or {}).get("nodeName"):
            continue
        condition = conditions_of(pod).get("PodScheduled") or {}
        events = events_where(
            view, ref_of(pod), pod["metadata"].get("uid") or "", lambda event: event.get("reason") == "FailedScheduling"
        )
        message = str(condition.get("message") or (event_message(events[0]) if events else ""))[:4096]
        if not message or condition.get("reason") in ("SchedulingGated", "SchedulerError"):
            continue
        nodes = nodes or Nodes(view.snapshot)
        yield from _of_pod(view, pod, nodes, message, events, condition)


def _of_pod(
    view: View, pod: Json, nodes: Nodes, message: str, events: list[Json], condition: Json
) -> Iterator[Fact]:  # fmt: skip
    refusal = parse_message(message)
    verdict = nodes.verdict(pod, refusal)
    text = f"condition PodScheduled=False {condition.get('reason')}: {message}"
    proof = [Proof("status", str(ref_of(pod)), condition.get("lastTransitionTime") or "", text)] if condition else []
    proof += [event_proof(event) for event in events[:1] if not condition or event_message(event) != message]
    proof += [Proof("object", "nodes", "", line) for line in verdict.lines()]
    shared = _shared(view, pod, refusal, verdict) | {"message": message}
    main = _main(refusal, verdict)
    for reason in refusal.reasons:
        fields = shared | {
            "reason": reason.slug,
            "text": reason.text,
            "main": reason in main,
            "count": reason.count,
            "all": reason.count is None or reason.count == refusal.total,
        }
        for part in (_room, _taint, _labels, _claims, _neighbours):
            fields |= part(_Case(view, pod, nodes, reason, verdict))
        if reason.count is None:
            fields["change"] = ""  # no node was looked at: what nodes lack comes later
        yield Fact(KIND, ref_of(pod), fields, _keys(view, pod, fields), tuple(proof))


def _main(refusal: Refusal, verdict: Verdict) -> list[Reason]:
    """The reasons that matter: the whole pod's, or the nearest node's, or (where objects say nothing) the commonest."""
    wanted = verdict.main()
    slugs = {slug for slug, _ in wanted}
    found = [
        reason
        for reason in refusal.reasons
        if reason.count is None or reason.about in wanted or (reason.slug in slugs and not reason.about[1])
    ]
    return found or sorted(refusal.reasons, key=lambda reason: -(reason.count or 0))[:1]


def _keys(view: View, pod: Json, fields: dict[str, Any]) -> Keys:
    """A pod without a node is tied to the nodes whose state is in its way."""
    keys = dict(pod_keys(view, pod))
    if fields["reason"] in ("taint", "cordoned"):
        keys["node"] = tuple(fields["blocked"])
    if fields["reason"].startswith("claim-") and fields["claim"]:
        keys["claim"] = tuple(f"{fields['namespace']}/{name}" for name in fields["claim"])
    return keys


def _shared(view: View, pod: Json, refusal: Refusal, verdict: Verdict) -> dict[str, Any]:
    spec, owner = pod.get("spec") or {}, owner_word(view, pod)
    nominated = (pod.get("status") or {}).get("nominatedNodeName") or ""
    return {
        "total": refusal.total,
        "preemption": refusal.preemption,
        "preemptionPolicy": spec.get("preemptionPolicy") or "",
        "priority": spec.get("priority") or 0,
        "nominated": nominated,
        "victims": tuple(
            f"{other['metadata'].get('namespace')}/{other['metadata']['name']}"
            for other in view.snapshot.pods_on(nominated)
            if other["metadata"].get("deletionTimestamp")
        ),
        "selector": selector_text(pod),
        "ports": tuple(f"{port}/{protocol}" for _, protocol, port in sorted(host_ports(pod))),
        "spread": tuple(spread_words(item) for item in spec.get("topologySpreadConstraints") or []),
        "podAffinity": tuple(
            term_words(kind, term)
            for kind in ("podAffinity", "podAntiAffinity")
            for term in required_pod_terms(pod, kind)
        ),
        "change": verdict.change,
        "nearest": verdict.nearest,
        "nodes": tuple(verdict.lines()),
        "pod": pod["metadata"]["name"],
        "namespace": pod["metadata"].get("namespace") or "",
        "owner": owner,
        "bare": owner.startswith("pod/"),
        "known": view.snapshot.count("Node") > 0,
    }


def _room(case: _Case) -> dict[str, Any]:
    pod, nodes, reason = case.pod, case.nodes, case.reason
    resource = reason.parts.get("resource", "")
    if not resource:
        return dict.fromkeys(("resource", "requested", "asks", "largest", "freest"), "")
    wanted, able = pod_requests(pod).get(resource, 0.0), case.verdict.roomless()
    largest, freest = nodes.largest(resource, able), max(nodes.freest(resource, able), 0.0)
    return {
        "resource": resource,
        "requested": format_quantity(resource, wanted),
        "asks": tuple(request_parts(pod, resource)),
        "largest": format_quantity(resource, largest) if nodes.nodes else "",
        "freest": format_quantity(resource, freest) if nodes.nodes and freest < wanted else "",
        "never": bool(nodes.nodes) and wanted > largest,
        "offered": nodes.largest(resource) > 0,
    }


def _taint(case: _Case) -> dict[str, Any]:
    pod, nodes, reason, verdict = case.pod, case.nodes, case.reason, case.verdict
    key, value = reason.parts.get("key", ""), reason.parts.get("value", "")
    taint: Json = {"key": key, "value": value, "effect": "NoSchedule"} if key else {}
    order = sorted(nodes.nodes, key=lambda node: node["metadata"]["name"] != verdict.nearest)
    for node in order if reason.slug == "taint" else ():
        for item in untolerated(pod, node):
            if not key or (item.get("key"), item.get("value") or "") == (key, value):
                return _taint_fields(pod, item)
    return _taint_fields(pod, taint)


def _taint_fields(pod: Json, taint: Json) -> dict[str, Any]:
    return {
        "taint": taint_text(taint).rpartition(":")[0] if taint else "",
        "taint.key": taint.get("key") or "",
        "taint.value": taint.get("value") or "",
        "taint.effect": taint.get("effect") or "",
        "taint.operator": ("Equal" if taint.get("value") else "Exists") if taint else "",
        "taint.text": taint_text(taint) if taint else "",
        "toleration.near": tuple(near_tolerations(pod, taint)) if taint else (),
    }


def _labels(case: _Case) -> dict[str, Any]:
    view, pod, nodes = case.view, case.pod, case.nodes
    if case.reason.slug != "affinity":
        return {"unmet": (), "label": _topology_label(case), "near": (), "via": ""}
    unmet, nearest = unmet_labels(pod, nodes.nodes), nodes.named([case.verdict.nearest])
    wanted, among = (unmet, nodes.nodes) if unmet else (unmet_labels(pod, nearest), nearest)
    near = [words for key, values in wanted for words in near_labels(key, values, among)]
    shown = [f"{key}={'|'.join(map(str, values))}" if values else key for key, values in unmet]
    return {
        "unmet": tuple(shown),
        "label": f"{wanted[0][0]}={wanted[0][1][0] if wanted[0][1] else 'true'}" if wanted else "",
        "near": tuple(dict.fromkeys(near)),
        "via": _via(view, pod),
    }


def _topology_label(case: _Case) -> str:
    """The label a spread constraint goes by and nodes lack, with a value that other nodes have, or one made up."""
    if case.reason.slug != "spread":
        return ""
    labels = [node["metadata"].get("labels") or {} for node in case.nodes.nodes]
    for item in (case.pod.get("spec") or {}).get("topologySpreadConstraints") or []:
        key = item.get("topologyKey") or ""
        if key and any(key not in has for has in labels):
            there = sorted({str(has[key]) for has in labels if key in has})
            return f"{key}={there[0] if there else key.rsplit('/', 1)[-1] + '-1'}"
    return ""


def _via(view: View, pod: Json) -> str:
    """Who put labels into the nodeSelector that the template's author did not write."""
    spec = pod.get("spec") or {}
    name = spec.get("runtimeClassName") or ""
    runtime = view.snapshot.get("RuntimeClass", "", name) or {}
    if (runtime.get("scheduling") or {}).get("nodeSelector"):
        return f"scheduling.nodeSelector of RuntimeClass {name}"
    space = view.snapshot.get("Namespace", "", pod["metadata"].get("namespace") or "") or {}
    notes = (space.get("metadata") or {}).get("annotations") or {}
    if notes.get("scheduler.alpha.kubernetes.io/node-selector"):
        return "annotation scheduler.alpha.kubernetes.io/node-selector of the namespace"
    return ""


def _claims(case: _Case) -> dict[str, Any]:
    view, pod, reason = case.view, case.pod, case.reason
    space, named = pod["metadata"].get("namespace") or "", reason.parts.get("claim")
    names = [named] if named else list(claim_names(pod))
    found = {name: view.snapshot.get("PersistentVolumeClaim", space, name) for name in names}
    states = {name: (claim.get("status") or {}).get("phase") or "Pending" for name, claim in found.items() if claim}
    if not named:
        names = [name for name in names if states.get(name) != "Bound"] or names
    there = [claim["metadata"]["name"] for claim in view.snapshot.of_kind("PersistentVolumeClaim", space)]
    volumes = [bound.volume for bound in bound_volumes(view.snapshot, pod) if bound.volume]
    return {
        "claim": tuple(names),
        "claim.nearest": tuple(nearest(named, there, n=2, cutoff=0.5)) if named else (),
        "claim.state": tuple(_claim_state(found[name] or {}, states[name]) for name in names if name in states),
        "volume": tuple(f"{item['metadata']['name']} ({affinity_words(item) or 'anywhere'})" for item in volumes),
    }


def _claim_state(claim: Json, phase: str) -> str:
    name = (claim.get("spec") or {}).get("storageClassName")
    return f"{claim['metadata']['name']} is {phase}, storageClassName {name or 'unset'}"


def _neighbours(case: _Case) -> dict[str, Any]:
    pod, reason, verdict = case.pod, case.reason, case.verdict
    found = verdict.of(reason.about)
    here = [item for name, item in found if name == verdict.nearest] or [item for _, item in found]
    holders = [name for item in here for name in item.pods]
    if reason.slug == "volume-exclusive":
        holders = exclusive_holders(case.view.snapshot, pod)
    rules = list(dict.fromkeys(item.rule for item in here if item.rule))
    return {
        "port": tuple(rules) if reason.slug == "ports" else "",
        "rule": tuple(rules) if reason.slug != "ports" else "",
        "holder": tuple(dict.fromkeys(holders)),
        "where": "; ".join(dict.fromkeys(item.text for item in here)),
        "blocked": tuple(verdict.blocked(reason.about)),
        "blocked.shell": shlex.join(verdict.blocked(reason.about)),
    }
