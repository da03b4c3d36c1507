"""Whether something that happened may help a pod that no node would take (each plugin's EventsToRegister and
isSchedulableAfter… functions).

Without these hints every change anywhere would try every waiting pod again. A hint says yes where it cannot tell.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from k8sdiag.evidence import Json
from k8sdiag.minicluster.scheduler import disks, node_affinity, ports, resources, spread, taints
from k8sdiag.minicluster.scheduler.nodes import NodeInfo
from k8sdiag.minicluster.scheduler.plugin import World
from k8sdiag.minicluster.scheduler.pods import PodInfo
from k8sdiag.minicluster.scheduler.terms import required_terms

ADDED, MODIFIED, DELETED = "ADDED", "MODIFIED", "DELETED"


@dataclass(frozen=True)
class Happening:
    """A change of an object that scheduling depends on. Pods are those that have a node, or were promised one. Many
    waiting pods ask about one change, so what they ask for is read once."""

    resource: str
    action: str
    obj: Json
    old: Json | None
    world: World

    @cached_property
    def node(self) -> NodeInfo:
        return _node(self.obj)

    @cached_property
    def node_before(self) -> NodeInfo | None:
        return None if self.old is None else _node(self.old)

    @cached_property
    def pod(self) -> PodInfo:
        return PodInfo(self.obj)

    @cached_property
    def shrunk(self) -> bool:
        """A pod was resized to take less."""
        if self.old is None:
            return False
        new = self.pod.requests
        return any(new.get(name, 0) < amount for name, amount in PodInfo(self.old).requests.items())


Hint = Callable[[PodInfo, Happening], bool]


def _node(obj: Json) -> NodeInfo:
    node = NodeInfo(obj["metadata"]["name"])
    node.describe(obj)
    return node


def _now_fine(what: Happening, good: Callable[[NodeInfo], bool]) -> bool:
    """A node that is new, or was not good before, is good now."""
    if what.action == DELETED or not good(what.node):
        return False
    return what.node_before is None or not good(what.node_before)


def _uncordoned(pod: PodInfo, what: Happening) -> bool:
    return _now_fine(what, lambda node: taints.check_cordon(None, pod, node) is None)


def _untainted(pod: PodInfo, what: Happening) -> bool:
    return _now_fine(what, lambda node: taints.check_taints(None, pod, node) is None)


def _labelled(pod: PodInfo, what: Happening) -> bool:
    needs = node_affinity.wanted(pod)
    return _now_fine(what, lambda node: needs is None or node_affinity.fits(needs, node))


def _roomier(pod: PodInfo, what: Happening) -> bool:
    if what.action == DELETED:
        return False
    node, before = what.node, what.node_before
    if not resources.fits_empty(pod, node):
        return False
    if before is None:
        return True
    wanted = [name for name, amount in pod.requests.items() if amount]
    more = any(node.allocatable.get(name, 0) > before.allocatable.get(name, 0) for name in wanted)
    return more or node.allowed_pods > before.allowed_pods


def _added(_pod: PodInfo, what: Happening) -> bool:
    return what.action == ADDED


def _relabelled(_pod: PodInfo, what: Happening) -> bool:
    """A node came, or has other labels now."""
    if what.action != MODIFIED or what.old is None:
        return what.action == ADDED
    return bool(_metadata(what.obj, "labels") != _metadata(what.old, "labels"))


def _redrawn(pod: PodInfo, what: Happening) -> bool:
    """The domains that a pod is spread over may have changed."""
    if what.action == DELETED or _relabelled(pod, what):
        return True
    return what.old is not None and _taints(what.obj) != _taints(what.old)


def _taints(node: Json) -> list[Json]:
    return (node.get("spec") or {}).get("taints") or []


def _metadata(obj: Json, key: str) -> Any:
    return obj["metadata"].get(key) or {}


def _freed(_pod: PodInfo, what: Happening) -> bool:
    return what.action == DELETED or (what.action == MODIFIED and what.shrunk)


def _port_freed(pod: PodInfo, what: Happening) -> bool:
    if what.action != DELETED:
        return False
    return ports.conflict(pod.ports, dict.fromkeys(what.pod.ports, 1))


def _volume_freed(pod: PodInfo, what: Happening) -> bool:
    if what.action != DELETED:
        return False
    other = what.pod
    if other.namespace == pod.namespace and {name for name, _ in other.claims} & {name for name, _ in pod.claims}:
        return True
    return any(disks.same_disk(mine, theirs) for mine in pod.disks for theirs in other.disks)


def _volumes_left(_pod: PodInfo, what: Happening) -> bool:
    return what.action == DELETED and bool(what.pod.claims)


def _counted(pod: PodInfo, what: Happening) -> bool:
    """A pod that the spread constraints count came, went, or changed its labels."""
    if what.action == MODIFIED and what.old is not None:
        if _metadata(what.obj, "labels") == _metadata(what.old, "labels") and not _started_to_leave(what):
            return False
        return spread.concerns(pod, what.obj) or spread.concerns(pod, what.old)
    return spread.concerns(pod, what.obj)


def _started_to_leave(what: Happening) -> bool:
    return bool(_metadata(what.obj, "deletionTimestamp")) and not _metadata(
        what.old or {"metadata": {}}, "deletionTimestamp"
    )


def _neighbour(pod: PodInfo, what: Happening) -> bool:
    """A pod that meets an affinity term came, or one in the way of an anti-affinity term went."""
    metadata = what.obj["metadata"]
    namespace, labels = metadata.get("namespace") or "", metadata.get("labels") or {}
    look_up = what.world.namespace_labels
    if what.action == MODIFIED and what.old is not None and labels == _metadata(what.old, "labels"):
        return False
    near = any(term.matches(namespace, labels, look_up) for term in pod.affinity)
    if what.action != DELETED and near:
        return True
    if what.action == ADDED:
        return False
    before = _metadata(what.old or what.obj, "labels")
    if any(term.matches(namespace, before, look_up) for term in pod.anti_affinity):
        return True
    apart = ((what.obj.get("spec") or {}).get("affinity") or {}).get("podAntiAffinity")
    theirs = required_terms(apart, namespace, before) if apart else ()
    return any(term.matches(pod.namespace, pod.labels, look_up) for term in theirs)


def _own_claim(pod: PodInfo, what: Happening) -> bool:
    metadata = what.obj["metadata"]
    if what.action == DELETED or metadata.get("namespace") != pod.namespace:
        return False
    return metadata["name"] in {name for name, _ in pod.claims}


def _not_gone(_pod: PodInfo, what: Happening) -> bool:
    return what.action != DELETED


HINTS: dict[str, dict[str, Hint]] = {
    "nodes": {
        taints.CORDON: _uncordoned,
        "NodeName": _added,
        taints.TAINTS: _untainted,
        node_affinity.NAME: _labelled,
        ports.NAME: _added,
        resources.NAME: _roomier,
        disks.NAME: _added,
        "NodeVolumeLimits": _added,
        "VolumeBinding": _relabelled,
        "VolumeZone": _relabelled,
        spread.NAME: _redrawn,
        "InterPodAffinity": _relabelled,
    },
    "pods": {
        ports.NAME: _port_freed,
        resources.NAME: _freed,
        disks.NAME: _volume_freed,
        "NodeVolumeLimits": _volumes_left,
        spread.NAME: _counted,
        "InterPodAffinity": _neighbour,
    },
    "persistentvolumeclaims": {
        disks.NAME: _own_claim,
        "NodeVolumeLimits": _own_claim,
        "VolumeBinding": _own_claim,
        "VolumeZone": _own_claim,
    },
    "persistentvolumes": {"VolumeBinding": _not_gone, "VolumeZone": _not_gone},
    "storageclasses": {"VolumeBinding": _not_gone, "VolumeZone": _added},
    "csinodes": {"NodeVolumeLimits": _not_gone, "VolumeBinding": _not_gone},
    "csidrivers": {"VolumeBinding": _not_gone},
    "csistoragecapacities": {"VolumeBinding": _not_gone},
}
