"""Volumes that only one pod may have (plugins/volumerestrictions/volume_restrictions.go): claims with ReadWriteOncePod
anywhere in the cluster, and the old inline disks on one node."""

from __future__ import annotations

from dataclasses import dataclass, field

from k8sdiag.evidence import Json
from k8sdiag.minicluster.scheduler.nodes import NodeInfo
from k8sdiag.minicluster.scheduler.plugin import Filter, World
from k8sdiag.minicluster.scheduler.pods import PodInfo
from k8sdiag.minicluster.scheduler.status import RefusalError, Status, rejected, unresolvable

NAME = "VolumeRestrictions"
_DISK = rejected(NAME, "node(s) had no available disk")
_USED = rejected(NAME, "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode")


@dataclass(slots=True)
class State:
    disks: tuple[Json, ...]
    alone: frozenset[str] = field(default_factory=frozenset)  # the pod's ReadWriteOncePod claims
    conflicts: int = 0


def prepare(pod: PodInfo, world: World) -> State | None:
    if not pod.claims and not pod.disks:
        return None
    alone: set[str] = set()
    for claim, own in pod.claims:
        if own:
            continue
        found = world.objects.find("persistentvolumeclaims", pod.namespace, claim)
        if found is None:
            raise RefusalError(unresolvable(NAME, f'persistentvolumeclaim "{claim}" not found'))
        if "ReadWriteOncePod" in ((found.get("spec") or {}).get("accessModes") or ()):
            alone.add(claim)
    conflicts = sum(1 for claim in alone if world.snapshot.claims[pod.namespace, claim] > 0)
    if not pod.disks and not conflicts:
        return None
    return State(pod.disks, frozenset(alone), conflicts)


def check(state: State, _pod: PodInfo, node: NodeInfo) -> Status | None:
    if state.disks and node.disks:
        for other in node.pods.values():
            if any(same_disk(mine, theirs) for mine in state.disks for theirs in other.disks):
                return _DISK
    return _USED if state.conflicts > 0 else None


def moved(state: State, pod: PodInfo, other: PodInfo, _node: NodeInfo, sign: int) -> None:
    if other.namespace == pod.namespace:
        state.conflicts += sign * sum(1 for claim, _ in other.claims if claim in state.alone)


def copied(state: State) -> State:
    return State(state.disks, state.alone, state.conflicts)


def same_disk(one: Json, other: Json) -> bool:
    """Whether two inline volumes are the same disk in a way that both pods cannot have it (isVolumeConflict)."""
    for kind, key in (("gcePersistentDisk", "pdName"), ("awsElasticBlockStore", "volumeID"), ("iscsi", "iqn")):
        mine, theirs = one.get(kind), other.get(kind)
        if mine and theirs and mine.get(key) == theirs.get(key):
            shared = kind != "awsElasticBlockStore" and mine.get("readOnly") and theirs.get("readOnly")
            if not shared:
                return True
    mine, theirs = one.get("rbd"), other.get("rbd")
    if mine and theirs:
        same = set(mine.get("monitors") or ()) & set(theirs.get("monitors") or ())
        named = mine.get("pool") == theirs.get("pool") and mine.get("image") == theirs.get("image")
        return bool(same) and named and not (mine.get("readOnly") and theirs.get("readOnly"))
    return False


FILTER = Filter(NAME, prepare, check, moved, copied)
