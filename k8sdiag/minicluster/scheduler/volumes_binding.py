"""Getting a pod's claims bound once its node is chosen, before the pod itself is (binder.go BindPodVolumes,
bindAPIUpdate, checkBindings).

A volume that is there is tied to the claim; for others the claim is told which node was chosen, and a provisioner does
the rest. The pod holds its place on the node meanwhile, for ten minutes at most.
"""

from __future__ import annotations

from dataclasses import dataclass

from k8sdiag.evidence import Json
from k8sdiag.minicluster.client import Client
from k8sdiag.minicluster.scheduler.claims import BOUND_BY_CONTROLLER, SELECTED_NODE, annotations_of, fully_bound
from k8sdiag.minicluster.scheduler.queue import Waiting
from k8sdiag.minicluster.scheduler.search import Prepared
from k8sdiag.minicluster.scheduler.volume_binding import FILTER, Plan

BIND_TIMEOUT = 600.0


@dataclass(frozen=True, slots=True)
class Pending:
    """A pod that waits for its claims to be bound."""

    entry: Waiting
    node: str
    plan: Plan
    deadline: float

    @property
    def claims(self) -> list[Json]:
        return [*(claim for claim, _ in self.plan.static), *self.plan.dynamic]


def plan_for(prepared: Prepared, node: str) -> Plan | None:
    """What is to be done about claims on the chosen node; None for nothing."""
    for each, state in prepared:
        if each is FILTER:
            plan: Plan | None = state.plans.get(node)
            return plan if plan is not None and (plan.static or plan.dynamic) else None
    return None


def begin(client: Client, plan: Plan, node: str) -> None:
    """Tie volumes to claims, and tell claims their node."""
    for claim, volume in plan.static:
        metadata = claim["metadata"]
        reference = {
            "kind": "PersistentVolumeClaim",
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": metadata["uid"],
            "apiVersion": "v1",
            "resourceVersion": metadata["resourceVersion"],
        }
        change: Json = {"spec": {"claimRef": reference}}
        if not (volume.get("spec") or {}).get("claimRef"):
            change["metadata"] = {"annotations": {BOUND_BY_CONTROLLER: "yes"}}
        client.patch("persistentvolumes", "", volume["metadata"]["name"], change)
    for claim in plan.dynamic:
        metadata = claim["metadata"]
        change = {"metadata": {"annotations": {SELECTED_NODE: node}}}
        client.patch("persistentvolumeclaims", metadata["namespace"], metadata["name"], change)


def trouble(client: Client, pending: Pending, now: float) -> str | None:
    """What keeps the claims from being bound: an error that ends the wait, '' for nothing, None for "not yet"."""
    bound = True
    told = {claim["metadata"]["name"] for claim in pending.plan.dynamic}
    for claim in pending.claims:
        metadata = claim["metadata"]
        name = metadata["name"]
        current = client.find("persistentvolumeclaims", metadata["namespace"], name)
        if current is None:
            return f'persistentvolumeclaim "{name}" not found'
        if fully_bound(current):
            continue
        if name in told and annotations_of(current).get(SELECTED_NODE) != pending.node:
            return f'provisioning failed for PVC "{name}"'
        bound = False
    if bound:
        return ""
    return "context deadline exceeded" if now >= pending.deadline else None
