"""Which volume a claim gets (pkg/controller/volume/persistentvolume/index.go, component-helpers/storage/volume).

The smallest volume that is large enough, of the claim's class, modes and labels, and not promised to another.
"""

from __future__ import annotations

from collections.abc import Iterable

from k8sdiag.evidence import Json
from k8sdiag.quantity import parse_quantity
from k8sdiag.selectors import matches_selector

CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"


def class_of(obj: Json) -> str:
    """The class of a claim or a volume: the old annotation goes before the field."""
    said = (obj["metadata"].get("annotations") or {}).get(CLASS_ANNOTATION)
    return str(said if said is not None else obj["spec"].get("storageClassName") or "")


def wanted_size(claim: Json) -> float:
    return parse_quantity(((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage")) or 0.0


def size_of(volume: Json) -> float:
    return parse_quantity((volume["spec"].get("capacity") or {}).get("storage")) or 0.0


def mode_of(obj: Json) -> str:
    return str(obj["spec"].get("volumeMode") or "Filesystem")


def is_bound_to(volume: Json, claim: Json) -> bool:
    """Whether a volume's claimRef names this claim (IsVolumeBoundToClaim)."""
    reference = volume["spec"].get("claimRef")
    if not reference:
        return False
    meta = claim["metadata"]
    if (reference.get("namespace"), reference.get("name")) != (meta["namespace"], meta["name"]):
        return False
    return not reference.get("uid") or reference["uid"] == meta["uid"]


def mismatch(volume: Json, claim: Json) -> str:
    """Why a claim cannot have the volume it asks for by name; '' where it can (checkVolumeSatisfyClaim)."""
    if volume["metadata"].get("deletionTimestamp"):
        return f'the volume is marked for deletion "{volume["metadata"]["name"]}"'
    if size_of(volume) < wanted_size(claim):
        return "requested PV is too small"
    if class_of(volume) != class_of(claim):
        return "storageClassName does not match"
    if mode_of(volume) != mode_of(claim):
        return "incompatible volumeMode"
    if not _modes_fit(volume, claim):
        return "incompatible accessMode"
    return ""


def best_volume(claim: Json, volumes: Iterable[Json]) -> Json | None:
    """One that is already promised to the claim, else the smallest that fits."""
    best: Json | None = None
    for volume in volumes:
        if volume["metadata"].get("deletionTimestamp") and not is_bound_to(volume, claim):
            continue
        if is_bound_to(volume, claim):
            if mode_of(volume) == mode_of(claim) and size_of(volume) >= wanted_size(claim):
                return volume
            continue
        if volume["spec"].get("claimRef") or (volume.get("status") or {}).get("phase") != "Available":
            continue
        if mismatch(volume, claim):
            continue
        selector = claim["spec"].get("selector")
        if selector and not matches_selector(selector, volume["metadata"].get("labels")):
            continue
        if best is None or size_of(volume) < size_of(best):
            best = volume
    return best


def _modes_fit(volume: Json, claim: Json) -> bool:
    return set(claim["spec"].get("accessModes") or ()) <= set(volume["spec"].get("accessModes") or ())
