"""Where a pod's volumes let it run: node affinity and zone of bound volumes, ReadWriteOncePod, attachment limits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from k8sdiag.evidence import Json, Snapshot
from k8sdiag.placement.labels import term_matches, term_text
from k8sdiag.podstate import is_finished
from k8sdiag.references import claim_names

ZONES = (
    "topology.kubernetes.io/zone", "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region",
)  # fmt: skip


class Bound(NamedTuple):
    """A claim of a pod, and the volume it is bound to ({} where none, or not collected)."""

    claim: Json
    volume: Json


class VolumeRefusal(NamedTuple):
    """Why a volume keeps a pod off a node."""

    slug: str
    text: str
    pods: tuple[str, ...] = ()


def bound_volumes(snapshot: Snapshot, pod: Json) -> list[Bound]:
    """The pod's claims that exist, each with its volume."""
    space, found = pod["metadata"].get("namespace") or "", []
    for name in claim_names(pod):
        claim = snapshot.get("PersistentVolumeClaim", space, name)
        if claim is not None:
            volume = (claim.get("spec") or {}).get("volumeName") or ""
            found.append(Bound(claim, snapshot.get("PersistentVolume", "", volume) or {}))
    return found


def affinity_words(volume: Json) -> str:
    """`topology.kubernetes.io/zone in (b)`: where a volume can be reached from; '' for anywhere."""
    required = ((volume.get("spec") or {}).get("nodeAffinity") or {}).get("required") or {}
    terms = required.get("nodeSelectorTerms") or []
    if terms:
        return " or ".join(term_text(term) for term in terms)
    labels = (volume.get("metadata") or {}).get("labels") or {}
    return ",".join(f"{key}={labels[key]}" for key in ZONES if key in labels)


def exclusive_holders(snapshot: Snapshot, pod: Json) -> list[str]:
    """`shop/db-0 on node1 (claim data)`: pods that hold a ReadWriteOncePod claim of this pod."""
    space, found = pod["metadata"].get("namespace") or "", []
    wanted = {
        bound.claim["metadata"]["name"]
        for bound in bound_volumes(snapshot, pod)
        if "ReadWriteOncePod" in ((bound.claim.get("spec") or {}).get("accessModes") or [])
    }
    for other in snapshot.of_kind("Pod", space) if wanted else ():
        node = (other.get("spec") or {}).get("nodeName")
        held = wanted.intersection(claim_names(other)) if node and not is_finished(other) else ()
        found += [f"{space}/{other['metadata']['name']} on {node} (claim {claim})" for claim in sorted(held)]
    return found


def refusals(snapshot: Snapshot, bounds: list[Bound], node: Json) -> Iterator[VolumeRefusal]:
    """What the volumes of a pod say against a node."""
    labels = node["metadata"].get("labels") or {}
    for claim, volume in bounds:
        if not volume:
            continue
        told = f"volume {volume['metadata']['name']} of claim {claim['metadata']['name']}"
        required = ((volume.get("spec") or {}).get("nodeAffinity") or {}).get("required")
        terms = (required or {}).get("nodeSelectorTerms") or []
        if required and not any(term_matches(term, node) for term in terms):
            yield VolumeRefusal("volume-affinity", f"{told} can only be used on nodes with {affinity_words(volume)}")
        for key in ZONES if not required else ():
            zones = (volume["metadata"].get("labels") or {}).get(key)
            if zones and labels.get(key) not in str(zones).split("__"):
                yield VolumeRefusal("volume-zone", f"{told} is in {key}={zones}")
    yield from _count(snapshot, bounds, node)


def _count(snapshot: Snapshot, bounds: list[Bound], node: Json) -> Iterator[VolumeRefusal]:
    """CSINode's `allocatable.count` against the volumes that pods on the node use."""
    name = node["metadata"]["name"]
    drivers = ((snapshot.get("CSINode", "", name) or {}).get("spec") or {}).get("drivers") or []
    limits = {item.get("name"): (item.get("allocatable") or {}).get("count") for item in drivers}
    wanted = [_driver(bound.volume) for bound in bounds]
    for driver in sorted({item for item in wanted if item}):
        limit = limits.get(driver)
        if limit is None:
            continue
        there = {
            bound.volume["metadata"]["name"]
            for other in snapshot.pods_on(name)
            if not is_finished(other)
            for bound in bound_volumes(snapshot, other)
            if bound.volume and _driver(bound.volume) == driver
        }
        own = {bound.volume["metadata"]["name"] for bound in bounds if _driver(bound.volume) == driver}
        if len(there | own) > int(limit):
            text = f"driver {driver} attaches at most {limit} volumes there, {len(there)} are in use"
            yield VolumeRefusal("volume-count", text)


def _driver(volume: Json) -> str:
    return str((((volume.get("spec") or {}).get("csi")) or {}).get("driver") or "")
