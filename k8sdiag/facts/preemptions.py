"""Pods that the scheduler displaced for one of higher priority; one fact a victim, also of victims that are gone.

Sample: `Normal Preempted: Preempted by pod 6f0a...-... on node node1` (to 1.26 `Preempted by shop/high on node node1`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from k8sdiag.evidence import Json, Ref, event_message, event_time, involved, ref_of
from k8sdiag.facts import Fact, Keys, event_proof, owner_word, pod_keys, workload_key
from k8sdiag.finding import Proof
from k8sdiag.podstate import conditions_of
from k8sdiag.relations import View, owner_chain

KIND = "preemption"
KEYS = ("pod", "workload", "namespace")
FIELDS = {
    "victim": "metadata.name of the pod that had to go",
    "namespace": "its metadata.namespace",
    "node": "the node it ran on",
    "message": "what the scheduler said",
    "time": "when",
    "priority": "its spec.priority, or that of the pod made in its stead",
    "by": "the pod that took its place (namespace/name), or its uid",
    "by.priority": "spec.priority of that pod",
    "gone": "the victim does not exist any more",
    "owner": "what to change: deployment/web, or pod/web",
}
_SAID = re.compile(r"^Preempted by (?:pod )?(?P<by>\S+)(?: on node (?P<node>\S+))?")


def derive(view: View) -> Iterator[Fact]:
    seen: set[tuple[str, str]] = set()
    for event in view.snapshot.of_kind("Event"):
        about = involved(event)
        if event.get("reason") != "Preempted" or about.get("kind") != "Pod":
            continue
        ref = Ref("Pod", about.get("namespace") or "", about.get("name") or "")
        found = _SAID.match(event_message(event))
        if found and (ref.namespace, ref.name) not in seen:
            seen.add((ref.namespace, ref.name))
            there = ((view.snapshot.find(ref) or {}).get("metadata") or {}).get("uid")
            told = {
                "by": found.group("by"),
                "node": found.group("node") or "",
                "time": event_time(event),
                "gone": there is None or there != (about.get("uid") or there),
            }
            yield from _fact(view, ref, told, event_proof(event))
    for pod in view.of_kind("Pod"):
        condition = conditions_of(pod).get("DisruptionTarget") or {}
        ref = ref_of(pod)
        if condition.get("reason") == "PreemptionByScheduler" and (ref.namespace, ref.name) not in seen:
            time, text = condition.get("lastTransitionTime") or "", condition.get("message") or ""
            proof = Proof("status", str(ref), time, f"condition DisruptionTarget=True PreemptionByScheduler: {text}")
            told = {"by": "", "node": (pod.get("spec") or {}).get("nodeName") or "", "time": time, "gone": False}
            yield from _fact(view, ref, told, proof)


def _fact(view: View, ref: Ref, told: dict[str, Any], proof: Proof) -> Iterator[Fact]:
    pod = view.snapshot.find(ref) or _once(view, ref)
    keys = _keys(view, ref, pod)
    if ref not in view and not any(Ref(*word.split("/", 2)) in view for word in keys["workload"]):
        return
    other = _preemptor(view, told["by"])
    like = pod or _in_its_stead(view, keys)
    fields: dict[str, Any] = told | {
        "victim": ref.name,
        "namespace": ref.namespace,
        "message": proof.text.partition(": ")[2],
        "priority": (like.get("spec") or {}).get("priority") or 0,
        "by": f"{other['metadata'].get('namespace')}/{other['metadata']['name']}" if other else told["by"],
        "by.priority": (other.get("spec") or {}).get("priority") if other else None,
        "owner": owner_word(view, like) if like else str(ref),
    }
    yield Fact(KIND, ref, fields, keys, (proof,))


def _once(view: View, ref: Ref) -> Json:
    """The pod as a recording's history last knew it."""
    changes = view.snapshot.history_of(ref)
    return changes[-1].load() if changes else {}


def _keys(view: View, ref: Ref, pod: Json) -> Keys:
    """A victim that is gone is tied to its controller by its name: ReplicaSet web-5579d made web-5579d-x62kh."""
    if pod:
        return {key: values for key, values in pod_keys(view, pod).items() if key in KEYS}
    keys: Keys = {"pod": (f"{ref.namespace}/{ref.name}",), "namespace": (ref.namespace,), "workload": ()}
    base = ref.name.rpartition("-")[0]
    for kind in ("ReplicaSet", "StatefulSet", "DaemonSet", "Job", "ReplicationController"):
        owner = view.snapshot.get(kind, ref.namespace, base)
        if owner is not None:
            chain = [ref_of(owner), *owner_chain(view.snapshot, owner)]
            keys["workload"] = tuple(workload_key(item) for item in chain)
    return keys


def _preemptor(view: View, by: str) -> Json | None:
    """The pod with this uid, or (as older schedulers say it) namespace/name."""
    space, _, name = by.partition("/")
    for pod in view.snapshot.of_kind("Pod") if by else ():
        meta = pod["metadata"]
        if meta.get("uid") == by or (name and (meta.get("namespace"), meta["name"]) == (space, name)):
            return pod
    return None


def _in_its_stead(view: View, keys: Keys) -> Json:
    """A pod of the same controller."""
    for pod in view.snapshot.of_kind("Pod", keys["namespace"][0]) if keys["workload"] else ():
        if keys["workload"][0] in pod_keys(view, pod)["workload"]:
            return pod
    return {}
