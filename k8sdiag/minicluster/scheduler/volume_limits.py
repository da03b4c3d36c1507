"""How many volumes of a driver a node takes (plugins/nodevolumelimits/csi.go), as its CSINode says."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from k8sdiag.minicluster.controllers.claim_matching import class_of
from k8sdiag.minicluster.scheduler.nodes import NodeInfo
from k8sdiag.minicluster.scheduler.plugin import Filter, World
from k8sdiag.minicluster.scheduler.pods import PodInfo
from k8sdiag.minicluster.scheduler.status import Status, rejected

NAME = "NodeVolumeLimits"
_EXCEEDED = rejected(NAME, "node(s) exceed max volume count")


@dataclass(slots=True)
class State:
    volumes: dict[str, str]  # handle: driver
    world: World


def prepare(pod: PodInfo, world: World) -> State | None:
    if not pod.claims:
        return None
    volumes = volumes_of(pod, world)
    return State(volumes, world) if volumes else None


def volumes_of(pod: PodInfo, world: World) -> dict[str, str]:
    """A pod's CSI volumes: of bound claims by their handle, of others by the claim."""
    found: dict[str, str] = {}
    for name, _ in pod.claims:
        claim = world.objects.find("persistentvolumeclaims", pod.namespace, name)
        if claim is None:
            continue
        volume_name = (claim.get("spec") or {}).get("volumeName")
        volume = world.objects.find("persistentvolumes", "", volume_name) if volume_name else None
        if volume is not None:
            source = (volume.get("spec") or {}).get("csi")
            if source:
                found[f"{source.get('driver')}/{source.get('volumeHandle')}"] = source.get("driver") or ""
            continue
        storage = world.objects.find("storageclasses", "", class_of(claim)) if class_of(claim) else None
        if storage is not None:
            driver = storage.get("provisioner") or ""
            found[f"{driver}/{pod.namespace}/{name}"] = driver
    return found


def check(state: State, _pod: PodInfo, node: NodeInfo) -> Status | None:
    limits = _limits(node, state.world)
    if not limits:
        return None
    attached: dict[str, str] = {}
    for other in node.pods.values():
        if other.claims:
            attached.update(volumes_of(other, state.world))
    used = Counter(attached.values())
    new = Counter(driver for handle, driver in state.volumes.items() if handle not in attached)
    exceeded = any(driver in limits and used[driver] + count > limits[driver] for driver, count in new.items())
    return _EXCEEDED if exceeded else None


def _limits(node: NodeInfo, world: World) -> dict[str, int]:
    found = world.objects.find("csinodes", "", node.name) or {}
    limits: dict[str, int] = {}
    for driver in (found.get("spec") or {}).get("drivers") or ():
        count = (driver.get("allocatable") or {}).get("count")
        if count is not None:
            limits[driver.get("name", "")] = count
    return limits


FILTER = Filter(NAME, prepare, check)
