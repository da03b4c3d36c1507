"""TaintNodesByCondition: a new node takes no pods until it has shown to be ready
(plugin/pkg/admission/nodetaint/admission.go)."""

from __future__ import annotations

from k8sdiag.minicluster.apiserver.admission import Attributes, Context
from k8sdiag.minicluster.kinds import Resource

NAME = "TaintNodesByCondition"
ORDER = 60
NOT_READY = "node.kubernetes.io/not-ready"


def handles(verb: str, resource: Resource, subresource: str) -> bool:
    return resource.storage == "nodes" and verb == "create" and not subresource


def mutate(attributes: Attributes, _: Context) -> None:
    spec = (attributes.obj or {}).setdefault("spec", {})
    taints = spec.get("taints") or []
    if not any(taint.get("key") == NOT_READY and taint.get("effect") == "NoSchedule" for taint in taints):
        spec["taints"] = [*taints, {"key": NOT_READY, "effect": "NoSchedule"}]
