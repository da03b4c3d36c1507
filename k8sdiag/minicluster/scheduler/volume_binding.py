"""Whether a pod's volumes can be had on a node (plugins/volumebinding/binder.go FindPodVolumes).

Bound claims: the volume's node affinity has to allow the node. Claims that wait for their first consumer: a volume that
is there already and matches, or a class that makes one for this node.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from k8sdiag.evidence import Json
from k8sdiag.minicluster.controllers.claim_matching import best_volume, class_of, wanted_size
from k8sdiag.minicluster.scheduler import claims as pod_claims
from k8sdiag.minicluster.scheduler import node_affinity
from k8sdiag.minicluster.scheduler.claims import NAME, NO_PROVISIONER, SELECTED_NODE, Claims, annotations_of
from k8sdiag.minicluster.scheduler.nodes import NodeInfo
from k8sdiag.minicluster.scheduler.plugin import Filter, World
from k8sdiag.minicluster.scheduler.pods import PodInfo
from k8sdiag.minicluster.scheduler.requests import units
from k8sdiag.minicluster.scheduler.status import RefusalError, Status, unresolvable
from k8sdiag.minicluster.scheduler.terms import selector

_UNBOUND = unresolvable(NAME, "pod has unbound immediate PersistentVolumeClaims")
_OTHER_NODE = "node(s) didn't match PersistentVolume's node affinity"
_NOTHING_TO_BIND = "node(s) didn't find available persistent volumes to bind"
_NO_SPACE = "node(s) did not have enough free storage"
_NO_VOLUME = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"


@dataclass(slots=True)
class Plan:
    """What binding a pod's claims on a node takes: volumes to tie to claims, and claims to have one made for."""

    static: list[tuple[Json, Json]] = field(default_factory=list)  # claim, volume
    dynamic: list[Json] = field(default_factory=list)


@dataclass(slots=True)
class State:
    claims: Claims
    world: World
    plans: dict[str, Plan] = field(default_factory=dict)  # by node


def prepare(pod: PodInfo, world: World) -> State | None:
    if not pod.claims:
        return None
    claims = pod_claims.read(pod, world)
    if claims.immediate:
        raise RefusalError(_UNBOUND)
    return State(claims, world)


def check(state: State, _pod: PodInfo, node: NodeInfo) -> Status | None:
    reasons = []
    there, near = _bound(state, node)
    if not near:
        reasons.append(_OTHER_NODE)
    if state.claims.delayed:
        plan, bindable, space = _delayed(state, node)
        if not bindable:
            reasons.append(_NOTHING_TO_BIND)
        if not space:
            reasons.append(_NO_SPACE)
        state.plans[node.name] = plan
    if not there:
        reasons.append(_NO_VOLUME)
    return unresolvable(NAME, *reasons) if reasons else None


def _bound(state: State, node: NodeInfo) -> tuple[bool, bool]:
    """Whether the bound claims' volumes exist, and allow this node (checkBoundClaims)."""
    for claim in state.claims.bound:
        volume = state.world.objects.find("persistentvolumes", "", claim["spec"]["volumeName"])
        if volume is None:
            return False, True
        if not reachable(volume, node):
            return True, False
    return True, True


def reachable(volume: Json, node: NodeInfo) -> bool:
    """A volume's node affinity."""
    required = ((volume.get("spec") or {}).get("nodeAffinity") or {}).get("required")
    return required is None or node_affinity.selector_matches(required, node.name, node.labels)


def _delayed(state: State, node: NodeInfo) -> tuple[Plan, bool, bool]:
    """Claims that wait for a consumer: the plan, whether all can be bound, whether there is space."""
    plan = Plan()
    to_make: list[Json] = []
    to_match: list[Json] = []
    for claim in state.claims.delayed:
        chosen = annotations_of(claim).get(SELECTED_NODE)
        if chosen is None:
            to_match.append(claim)
        elif chosen != node.name:
            return plan, False, True
        else:
            to_make.append(claim)
    taken: set[str] = set()
    for claim in sorted(to_match, key=wanted_size):
        volume = match(claim, state.world, node, taken)
        if volume is None:
            to_make.append(claim)
        else:
            taken.add(volume["metadata"]["name"])
            plan.static.append((claim, volume))
    for claim in to_make:
        makes, space = _provisions(claim, state.world, node)
        if not makes or not space:
            return plan, makes, space
        plan.dynamic.append(claim)
    return plan, True, True


def match(claim: Json, world: World, node: NodeInfo, taken: set[str]) -> Json | None:
    """The best of the volumes that are there, can be reached from the node, and are not taken by another claim."""
    volumes = world.objects.list("persistentvolumes")
    return best_volume(
        claim, (each for each in volumes if each["metadata"]["name"] not in taken and reachable(each, node))
    )


def _provisions(claim: Json, world: World, node: NodeInfo) -> tuple[bool, bool]:
    """Whether the claim's class makes volumes for this node, and has space for this one (checkVolumeProvisions)."""
    found = world.objects.find("storageclasses", "", class_of(claim)) or {}
    provisioner = found.get("provisioner") or ""
    if provisioner in ("", NO_PROVISIONER):
        return False, True
    topologies = found.get("allowedTopologies") or ()
    if topologies and not any(_within(each, node) for each in topologies):
        return False, True
    return True, _has_space(claim, provisioner, world, node)


def _within(topology: Json, node: NodeInfo) -> bool:
    wanted = topology.get("matchLabelExpressions") or ()
    return all(node.labels.get(each.get("key", "")) in (each.get("values") or ()) for each in wanted)


def _has_space(claim: Json, provisioner: str, world: World, node: NodeInfo) -> bool:
    """CSIStorageCapacity objects, where the driver publishes them (hasEnoughCapacity)."""
    driver = world.objects.find("csidrivers", "", provisioner)
    if driver is None or not (driver.get("spec") or {}).get("storageCapacity"):
        return True
    wanted = wanted_size(claim)
    for capacity in world.objects.list("csistoragecapacities"):
        if capacity.get("storageClassName") != class_of(claim):
            continue
        topology = selector(capacity.get("nodeTopology"))
        most = capacity.get("maximumVolumeSize") or capacity.get("capacity")
        if most is not None and units(most) >= wanted and topology is not None and topology.matches(node.labels):
            return True
    return False


FILTER = Filter(NAME, prepare, check)
