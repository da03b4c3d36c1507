"""What NetworkPolicies let a pod's connections do; one fact for each pod that some policy selects.

Sample: `spec: {podSelector: {}, policyTypes: [Egress]}` with no `egress:` at all: nothing may go out, not even DNS.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from k8sdiag.evidence import Json, ref_of
from k8sdiag.facts import Fact, pod_keys
from k8sdiag.finding import Proof
from k8sdiag.podstate import is_finished
from k8sdiag.relations import View
from k8sdiag.selectors import matches_selector

KIND = "policy"
KEYS = ("pod", "node", "workload", "namespace")
FIELDS = {
    "pod": "metadata.name",
    "namespace": "metadata.namespace",
    "names": "the NetworkPolicies that select the pod",
    "first": "the first of them",
    "ingress": "denied (nobody may connect), limited, or '' where no policy limits it",
    "egress": "denied (it may connect to nobody, or to nothing by name), limited, or ''",
    "egress.missing": "what its egress lacks: everything, or DNS (port 53)",
}


def derive(view: View) -> Iterator[Fact]:
    if not view.snapshot.count("NetworkPolicy"):
        return
    for pod in view.of_kind("Pod"):
        namespace = pod["metadata"].get("namespace") or ""
        if is_finished(pod) or (pod.get("spec") or {}).get("hostNetwork"):
            continue
        labels = pod["metadata"].get("labels")
        chosen = [
            policy
            for policy in view.snapshot.of_kind("NetworkPolicy", namespace)
            if matches_selector((policy.get("spec") or {}).get("podSelector") or {}, labels)
        ]
        if chosen:
            proof = tuple(Proof("spec", str(ref_of(policy)), "", _text(policy)) for policy in chosen[:3])
            yield Fact(KIND, ref_of(pod), _fields(pod, chosen), pod_keys(view, pod), proof)


def _types(spec: Json) -> list[str]:
    return list(spec.get("policyTypes") or (["Ingress", "Egress"] if "egress" in spec else ["Ingress"]))


def _fields(pod: Json, chosen: list[Json]) -> dict[str, Any]:
    specs = [policy.get("spec") or {} for policy in chosen]
    names = tuple(policy["metadata"]["name"] for policy in chosen)
    inward = [spec for spec in specs if "Ingress" in _types(spec)]
    outward = [spec for spec in specs if "Egress" in _types(spec)]
    rules = [rule for spec in outward for rule in spec.get("egress") or []]
    missing = ""
    if outward and not rules:
        missing = "everything"
    elif outward and not any(_allows_dns(rule) for rule in rules):
        missing = "DNS (port 53)"
    return {
        "pod": pod["metadata"]["name"],
        "namespace": pod["metadata"].get("namespace") or "",
        "names": names,
        "first": names[0],
        "ingress": "" if not inward else "limited" if any(spec.get("ingress") for spec in inward) else "denied",
        "egress": "" if not outward else "denied" if missing else "limited",
        "egress.missing": missing,
    }


def _allows_dns(rule: Json) -> bool:
    ports = rule.get("ports") or []
    return not ports or any(port.get("port") in (None, 53) or str(port.get("port")).startswith("dns") for port in ports)


def _text(policy: Json) -> str:
    spec = policy.get("spec") or {}
    types = _types(spec)
    parts = [f"{kind}: {len(spec.get(kind) or [])} rules" for kind in ("ingress", "egress") if kind.title() in types]
    return f"policyTypes {', '.join(types)}; {', '.join(parts)}"
