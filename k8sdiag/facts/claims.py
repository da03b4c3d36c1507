"""PersistentVolumeClaims that are not bound, lost, being deleted or stuck in a resize; one fact a claim.

Sample: `status.phase: Pending` and the event `FailedBinding: no persistent volumes available for this claim and no
storage class is set`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from k8sdiag.clock import parse_time
from k8sdiag.evidence import Json, event_message, ref_of
from k8sdiag.facts import Fact, event_proof, events_where
from k8sdiag.finding import Proof
from k8sdiag.podstate import conditions_of
from k8sdiag.quantity import parse_quantity
from k8sdiag.relations import View, claim_names

KIND = "claim"
KEYS = ("claim", "namespace")
FIELDS = {
    "name": "metadata.name",
    "namespace": "metadata.namespace",
    "phase": "status.phase",
    "age": "seconds since metadata.creationTimestamp",
    "class": "spec.storageClassName ('' where none)",
    "class.exists": "yes, no or unknown",
    "class.provisioner": "provisioner of the StorageClass",
    "class.binding": "volumeBindingMode of the StorageClass",
    "classes": "StorageClasses there are",
    "default.class": "name of the default StorageClass",
    "volume": "spec.volumeName",
    "volume.exists": "yes, no or unknown",
    "request": "spec.resources.requests.storage",
    "modes": "spec.accessModes",
    "volumes.fit": "Available PersistentVolumes of the same class, size and access mode",
    "volumes.near": "PersistentVolumes that nearly fit, and what differs",
    "reason": "reason of the newest telling event",
    "message": "message of the newest telling event",
    "usedBy": "pods that mount it",
    "deleting": "metadata.deletionTimestamp is set",
    "deleting.seconds": "seconds since deletion was asked for",
    "finalizers": "metadata.finalizers",
    "resize": "why a resize is stuck: the condition's or event's message",
}
_TELLING = frozenset(
    "FailedBinding ProvisioningFailed ExternalProvisioning VolumeMismatch ClaimLost ClaimMisbound WaitForFirstConsumer"
    " WaitForPodScheduled VolumeResizeFailed FileSystemResizeFailed ExternalExpanding".split()
)
_WORDS = {True: "yes", False: "no", None: "unknown"}


def derive(view: View) -> Iterator[Fact]:
    for claim in view.of_kind("PersistentVolumeClaim"):
        phase = (claim.get("status") or {}).get("phase")
        resizing = [c for c in conditions_of(claim).values() if c.get("status") == "True"]
        if phase == "Bound" and not claim["metadata"].get("deletionTimestamp") and not resizing:
            continue
        ref = ref_of(claim)
        yield Fact(
            KIND,
            ref,
            _fields(view, claim),
            {"claim": (f"{ref.namespace}/{ref.name}",), "namespace": (ref.namespace,)},
            tuple(_proof(view, claim)),
        )


def _events(view: View, claim: Json) -> list[Json]:
    uid = claim["metadata"].get("uid") or ""
    events = events_where(view, ref_of(claim), uid, lambda event: event.get("reason") in _TELLING)
    return sorted(events, key=lambda event: event.get("type") != "Warning")


def _fields(view: View, claim: Json) -> dict[str, Any]:
    spec, meta = claim.get("spec") or {}, claim["metadata"]
    snapshot, now = view.snapshot, view.snapshot.taken_at
    name, volume = spec.get("storageClassName") or "", spec.get("volumeName") or ""
    storage_class = snapshot.get("StorageClass", "", name) or {}
    created, deleted = parse_time(meta.get("creationTimestamp")), parse_time(meta.get("deletionTimestamp"))
    events = _events(view, claim)
    default = [c["metadata"]["name"] for c in snapshot.of_kind("StorageClass") if _is_default(c)]
    fit, near = _candidates(view, claim)
    resizing = [c for c in conditions_of(claim).values() if c.get("status") == "True"]
    return {
        "name": meta["name"],
        "namespace": meta.get("namespace") or "",
        "phase": (claim.get("status") or {}).get("phase") or "",
        "age": int(now - created) if created else None,
        "class": name,
        "class.exists": _WORDS[snapshot.exists("StorageClass", "", name)] if name else "",
        "class.provisioner": storage_class.get("provisioner") or "",
        "class.binding": storage_class.get("volumeBindingMode") or "",
        "classes": tuple(sorted(c["metadata"]["name"] for c in snapshot.of_kind("StorageClass"))),
        "default.class": default[0] if default else "",
        "volume": volume,
        "volume.exists": _WORDS[snapshot.exists("PersistentVolume", "", volume)] if volume else "",
        "request": ((spec.get("resources") or {}).get("requests") or {}).get("storage") or "",
        "modes": tuple(spec.get("accessModes") or ()),
        "volumes.fit": tuple(fit),
        "volumes.near": tuple(near),
        "reason": events[0].get("reason") if events else "",
        "message": " ".join(event_message(events[0]).split()) if events else "",
        "usedBy": tuple(_users(view, claim)),
        "deleting": deleted is not None,
        "deleting.seconds": int(now - deleted) if deleted is not None else None,
        "finalizers": tuple(meta.get("finalizers") or ()),
        "resize": f"{resizing[0].get('type')}: {resizing[0].get('message') or ''}".rstrip(": ") if resizing else "",
    }


def _is_default(storage_class: Json) -> bool:
    notes = storage_class["metadata"].get("annotations") or {}
    return notes.get("storageclass.kubernetes.io/is-default-class") == "true"


def _users(view: View, claim: Json) -> Iterator[str]:
    for pod in view.snapshot.of_kind("Pod", claim["metadata"].get("namespace") or ""):
        if claim["metadata"]["name"] in claim_names(pod):
            yield pod["metadata"]["name"]


def _candidates(view: View, claim: Json) -> tuple[list[str], list[str]]:
    """(volumes that fit, volumes that nearly do with what differs)."""
    spec, fit, near = claim.get("spec") or {}, [], []
    wanted = parse_quantity(((spec.get("resources") or {}).get("requests") or {}).get("storage")) or 0
    for volume in view.snapshot.of_kind("PersistentVolume"):
        name, other, phase = volume["metadata"]["name"], volume.get("spec") or {}, (volume.get("status") or {}).get("phase")
        differs = []
        if (other.get("storageClassName") or "") != (spec.get("storageClassName") or ""):
            differs.append(f"its class is {other.get('storageClassName') or 'unset'}")
        if (parse_quantity((other.get("capacity") or {}).get("storage")) or 0) < wanted:
            differs.append(f"it has only {(other.get('capacity') or {}).get('storage')}")
        if not set(spec.get("accessModes") or []) <= set(other.get("accessModes") or []):
            differs.append(f"its access modes are {', '.join(other.get('accessModes') or [])}")
        if (other.get("volumeMode") or "Filesystem") != (spec.get("volumeMode") or "Filesystem"):
            differs.append(f"its volume mode is {other.get('volumeMode')}")
        if phase != "Available":
            differs.append(f"it is {phase}")
        if not differs:
            fit.append(name)
        elif len(differs) == 1:
            near.append(f"{name}: {differs[0]}")
    return fit, near


def _proof(view: View, claim: Json) -> Iterator[Proof]:
    spec, status, meta = claim.get("spec") or {}, claim.get("status") or {}, claim["metadata"]
    name = spec.get("storageClassName")
    shown = "unset" if name is None else repr(name)
    text = f"status.phase: {status.get('phase')}; spec.storageClassName: {shown}"
    if spec.get("volumeName"):
        text += f"; spec.volumeName: {spec['volumeName']}"
    if meta.get("deletionTimestamp"):
        text += f"; deletionTimestamp: {meta['deletionTimestamp']}; finalizers: {', '.join(meta.get('finalizers') or [])}"
    yield Proof("status", f"persistentvolumeclaim/{meta['name']}", "", text)
    for event in _events(view, claim)[:2]:
        yield event_proof(event)
