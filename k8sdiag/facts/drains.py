"""Pods on a cordoned node whose disruption budget allows no eviction, so that a drain of it waits; one fact a pod.

Sample: `spec.unschedulable: true` of the Node, and `status.disruptionsAllowed: 0` of the PodDisruptionBudget.
"""

from __future__ import annotations

from collections.abc import Iterator

from k8sdiag.evidence import Json, Ref, ref_of
from k8sdiag.facts import Fact, owner_word, pod_keys, workload_key
from k8sdiag.finding import Proof
from k8sdiag.podstate import is_finished, is_ready, status_word
from k8sdiag.relations import View, pods_of

KIND = "drain"
KEYS = ("pod", "node", "workload", "namespace")
FIELDS = {
    "pod": "metadata.name of the pod",
    "namespace": "metadata.namespace",
    "node": "the cordoned node",
    "owner": "what to change: deployment/web, or pod/web",
    "budget": "the PodDisruptionBudget",
    "minAvailable": "its spec.minAvailable",
    "maxUnavailable": "its spec.maxUnavailable",
    "healthy": "its status.currentHealthy",
    "needed": "its status.desiredHealthy",
    "enough": "one more than that, where more replicas help: not with maxUnavailable 0 or minAvailable 100%",
    "expected": "its status.expectedPods",
    "unready": "pods of the budget that are not ready, with their STATUS",
}


def derive(view: View) -> Iterator[Fact]:
    cordoned = {
        node["metadata"]["name"] for node in view.of_kind("Node") if (node.get("spec") or {}).get("unschedulable")
    }
    if not cordoned:
        return
    about_node = view.refs is not None and not any(r.kind == "Pod" and r.namespace != "kube-system" for r in view.refs)
    for budget in view.snapshot.of_kind("PodDisruptionBudget"):
        if (budget.get("status") or {}).get("disruptionsAllowed") != 0:
            continue
        pods = pods_of(view.snapshot, budget)
        for pod in pods:
            node = (pod.get("spec") or {}).get("nodeName") or ""
            if node in cordoned and not is_finished(pod) and (about_node or ref_of(pod) in view):
                yield _fact(view, budget, pod, node, pods, about_node)


def _fact(view: View, budget: Json, pod: Json, node: str, pods: list[Json], about_node: bool) -> Fact:
    spec, status, name = budget.get("spec") or {}, budget.get("status") or {}, budget["metadata"]["name"]
    never = spec.get("minAvailable") == "100%" or spec.get("maxUnavailable") in (0, "0%")
    fields = {
        "pod": pod["metadata"]["name"],
        "namespace": pod["metadata"].get("namespace") or "",
        "node": node,
        "owner": owner_word(view, pod),
        "budget": name,
        "minAvailable": spec.get("minAvailable"),
        "maxUnavailable": spec.get("maxUnavailable"),
        "healthy": status.get("currentHealthy"),
        "needed": status.get("desiredHealthy"),
        "enough": None if never else (status.get("desiredHealthy") or 0) + 1,
        "expected": status.get("expectedPods"),
        "unready": tuple(f"{p['metadata']['name']} ({status_word(p)})" for p in pods if not is_ready(p)),
    }
    text = f"status.disruptionsAllowed: 0; currentHealthy: {fields['healthy']}; desiredHealthy: {fields['needed']}"
    proof = (
        Proof("status", f"poddisruptionbudget/{name}", "", text),
        Proof("spec", f"node/{node}", "", "spec.unschedulable: true"),
    )
    ref = Ref("Node", "", node) if about_node else ref_of(pod)
    keys = pod_keys(view, pod)
    keys = keys | {"workload": (*keys["workload"], workload_key(ref_of(budget)))}
    return Fact(KIND, ref, fields, keys, proof)
