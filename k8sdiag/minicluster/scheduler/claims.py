"""The claims of a pod, and the refusals that hold for all nodes alike (plugins/volumebinding/volume_binding.go,
PreFilter; binder.go GetPodVolumeClaims)."""

from __future__ import annotations

from dataclasses import dataclass, field

from k8sdiag.evidence import Json
from k8sdiag.minicluster.controllers.claim_matching import class_of
from k8sdiag.minicluster.scheduler.plugin import Objects, World
from k8sdiag.minicluster.scheduler.pods import PodInfo
from k8sdiag.minicluster.scheduler.status import RefusalError, unresolvable

NAME = "VolumeBinding"
BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
NO_PROVISIONER = "kubernetes.io/no-provisioner"


@dataclass(slots=True)
class Claims:
    """A pod's claims by what is left to do about them."""

    bound: list[Json] = field(default_factory=list)
    delayed: list[Json] = field(default_factory=list)
    immediate: list[Json] = field(default_factory=list)


def annotations_of(obj: Json) -> dict[str, str]:
    return obj["metadata"].get("annotations") or {}


def fully_bound(claim: Json) -> bool:
    return bool((claim.get("spec") or {}).get("volumeName")) and BIND_COMPLETED in annotations_of(claim)


def waits_for_consumer(claim: Json, objects: Objects) -> bool:
    """IsDelayBindingMode; a class that is not there does not wait."""
    name = class_of(claim)
    found = objects.find("storageclasses", "", name) if name else None
    return found is not None and found.get("volumeBindingMode") == "WaitForFirstConsumer"


def read(pod: PodInfo, world: World) -> Claims:
    """All claims of a pod that has some; RefusalError where one of them is missing, lost, or going away."""
    claims = Claims()
    for name, own in pod.claims:
        claim = _usable(pod, name, own, world)
        if fully_bound(claim):
            claims.bound.append(claim)
        elif waits_for_consumer(claim, world.objects) and not (claim.get("spec") or {}).get("volumeName"):
            claims.delayed.append(claim)
        else:
            claims.immediate.append(claim)
    return claims


def _usable(pod: PodInfo, name: str, own: bool, world: World) -> Json:
    claim = world.objects.find("persistentvolumeclaims", pod.namespace, name)
    if claim is None:
        if own:
            raise _refused(f'waiting for ephemeral volume controller to create the persistentvolumeclaim "{name}"')
        raise _refused(f'persistentvolumeclaim "{name}" not found')
    if (claim.get("status") or {}).get("phase") == "Lost":
        volume = (claim.get("spec") or {}).get("volumeName") or ""
        raise _refused(f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume "{volume}"')
    if claim["metadata"].get("deletionTimestamp"):
        raise _refused(f'persistentvolumeclaim "{name}" is being deleted')
    if own and not _made_for(claim, pod):
        raise _refused(
            f"PVC {pod.namespace}/{name} was not created for pod {pod.namespace}/{pod.name} (pod is not owner)"
        )
    return claim


def _made_for(claim: Json, pod: PodInfo) -> bool:
    owners = claim["metadata"].get("ownerReferences") or ()
    return any(owner.get("uid") == pod.uid and owner.get("controller") for owner in owners)


def _refused(reason: str) -> RefusalError:
    return RefusalError(unresolvable(NAME, reason))
