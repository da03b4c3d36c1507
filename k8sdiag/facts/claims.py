"""PersistentVolumeClaims that are not bound, lost, being deleted or stuck in a resize; one fact a claim.

Sample: `status.phase: Pending` and the event `FailedBinding: no persistent volumes available for this claim and no
storage class is set`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from k8sdiag.clock import parse_time
from k8sdiag.evidence import Json, event_message, event_time, ref_of
from k8sdiag.facts import Fact, Keys, event_proof, events_where
from k8sdiag.finding import Proof
from k8sdiag.podstate import conditions_of
from k8sdiag.quantity import parse_quantity
from k8sdiag.references import claim_names
from k8sdiag.relations import View
from k8sdiag.selectors import matches_selector

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
    "capacity": "status.capacity.storage",
    "modes": "spec.accessModes",
    "provisioner": "annotation volume.kubernetes.io/storage-provisioner, else the StorageClass's provisioner",
    "selectedNode": "annotation volume.kubernetes.io/selected-node",
    "volumes.fit": "Available PersistentVolumes of the same class, size and access mode",
    "volumes.near": "PersistentVolumes that nearly fit, and what differs",
    "volumes.released": "Released PersistentVolumes that would fit but for that",
    "near": "name of the PersistentVolume that comes nearest",
    "volume.differs": "why the PersistentVolume of spec.volumeName does not fit",
    "why": "slug: no-class, no-volume, class-missing, volume-unfit, volume-released, volume-missing, volume-mismatch,"
    " volume-taken, provisioner-silent, provisioning-failed, wait-consumer, lost, misbound or ''",
    "class.words": "what the claim says of a class, in words",
    "bypassed": "pods that mount it and were bound to a node by spec.nodeName, without the scheduler",
    "reason": "reason of the newest telling event",
    "message": "message of the newest telling event",
    "usedBy": "pods that mount it",
    "usedBy.shell": "the same, quoted for a shell",
    "heldBy": "those of them that have a node (kubernetes.io/pvc-protection counts no others)",
    "heldBy.shell": "their names, as arguments of a command",
    "deleting": "metadata.deletionTimestamp is set",
    "deleting.seconds": "seconds since deletion was asked for",
    "finalizers": "metadata.finalizers",
    "resize": "why a resize is stuck: the condition's or event's message",
    "resize.seconds": "seconds since that condition changed",
    "resizing": "spec asks for more than status.capacity has",
}
_TELLING = frozenset(
    "FailedBinding ProvisioningFailed ExternalProvisioning VolumeMismatch ClaimLost ClaimMisbound WaitForFirstConsumer"
    " WaitForPodScheduled VolumeResizeFailed FileSystemResizeFailed ExternalExpanding".split()
)
_BY_HAND = "kubernetes.io/no-provisioner"
_CLASS_GONE = re.compile(r'storageclass(?:\.storage\.k8s\.io)? "[^"]*" not found')
_WORDS = {True: "yes", False: "no", None: "unknown"}


@dataclass(slots=True)
class _Around:
    """What claims are held against, gathered once: volumes that are not bound, and the pods by claim."""

    view: View
    volumes: list[Json] = field(default_factory=list)
    pods: dict[tuple[str, str], list[Json]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for volume in self.view.snapshot.of_kind("PersistentVolume"):
            if (volume.get("status") or {}).get("phase") != "Bound":
                self.volumes.append(volume)
        for pod in self.view.snapshot.of_kind("Pod"):
            for name in claim_names(pod):
                self.pods.setdefault((pod["metadata"].get("namespace") or "", name), []).append(pod)

    def users(self, claim: Json) -> list[Json]:
        """Pods that mount a claim."""
        return self.pods.get((claim["metadata"].get("namespace") or "", claim["metadata"]["name"]), [])


def derive(view: View) -> Iterator[Fact]:
    around: _Around | None = None
    for claim in view.of_kind("PersistentVolumeClaim"):
        phase = (claim.get("status") or {}).get("phase")
        if phase == "Bound" and not claim["metadata"].get("deletionTimestamp") and not _resizing(claim):
            continue
        around = around or _Around(view)
        ref, fields = ref_of(claim), _fields(view, around, claim)
        keys: Keys = {"claim": (f"{ref.namespace}/{ref.name}",), "namespace": (ref.namespace,)}
        yield Fact(KIND, ref, fields, keys, tuple(_proof(view, claim, fields)))


def _resizing(claim: Json) -> bool:
    """It asks for more than it has, or a condition speaks of a resize."""
    if any(condition.get("status") == "True" for condition in conditions_of(claim).values()):
        return True
    asked, have = _request(claim), ((claim.get("status") or {}).get("capacity") or {}).get("storage")
    return bool(have) and (parse_quantity(asked) or 0) > (parse_quantity(have) or 0)


def _request(claim: Json) -> str:
    return str((((claim.get("spec") or {}).get("resources") or {}).get("requests") or {}).get("storage") or "")


def _events(view: View, claim: Json) -> list[Json]:
    """The telling events, newest first; a warning of the last minutes before what is only said in passing."""
    uid = claim["metadata"].get("uid") or ""
    events = events_where(view, ref_of(claim), uid, lambda event: event.get("reason") in _TELLING)
    newest = max((parse_time(event_time(event)) or 0.0 for event in events), default=0.0)
    return sorted(
        events,
        key=lambda event: event.get("type") != "Warning" or (parse_time(event_time(event)) or 0.0) < newest - 600,
    )


def _fields(view: View, around: _Around, claim: Json) -> dict[str, Any]:
    spec, meta, status = claim.get("spec") or {}, claim["metadata"], claim.get("status") or {}
    now = view.snapshot.taken_at
    created, deleted = parse_time(meta.get("creationTimestamp")), parse_time(meta.get("deletionTimestamp"))
    events = _events(view, claim)
    held = tuple(pod["metadata"]["name"] for pod in around.users(claim) if (pod.get("spec") or {}).get("nodeName"))
    fields = {
        "name": meta["name"],
        "namespace": meta.get("namespace") or "",
        "phase": status.get("phase") or "",
        "age": int(now - created) if created else None,
        "request": _request(claim),
        "capacity": (status.get("capacity") or {}).get("storage") or "",
        "modes": tuple(spec.get("accessModes") or ()),
        "selectedNode": _note(claim, "selected-node"),
        "reason": events[0].get("reason") if events else "",
        "message": " ".join(event_message(events[0]).split()) if events else "",
        "usedBy": tuple(pod["metadata"]["name"] for pod in around.users(claim)),
        "usedBy.shell": shlex.join(pod["metadata"]["name"] for pod in around.users(claim)),
        "heldBy": held,
        "heldBy.shell": shlex.join(held),
        "deleting": deleted is not None,
        "deleting.seconds": int(now - deleted) if deleted is not None else None,
        "finalizers": tuple(meta.get("finalizers") or ()),
    }
    fields |= _behind(view, claim) | _candidates(around, claim) | _resize(claim, now)
    return fields | {"why": _why(fields), "bypassed": tuple(_bypassed(around, claim))}


def _why(fields: dict[str, Any]) -> str:
    """Why it is not bound: what its events say, and where they say nothing, what class and volumes tell."""
    reason, message = fields["reason"], fields["message"]
    if reason == "ClaimMisbound":
        return "misbound"
    if fields["phase"] != "Pending":
        return "lost" if fields["phase"] == "Lost" else ""
    if fields["volume"]:
        if "already bound to a different claim" in message:
            return "volume-taken"
        if fields["volume.exists"] != "yes" and reason != "VolumeMismatch":
            return "volume-missing"
        return "volume-mismatch" if fields["volume.differs"] or reason == "VolumeMismatch" else ""
    gone = reason == "ProvisioningFailed" and bool(_CLASS_GONE.search(message))
    by_hand = _BY_HAND in message or (fields["class.provisioner"] == _BY_HAND and bool(fields["usedBy"]))
    if reason == "ProvisioningFailed" and not gone and not by_hand:
        return "provisioning-failed"
    absent = fields["class"] and (fields["class.exists"] == "no" or gone)
    if (absent or by_hand or not fields["class"]) and not fields["volumes.fit"]:
        if fields["volumes.released"]:
            return "volume-released"
        if any(not absent or "its storageClassName is" not in text for text in fields["volumes.near"]):
            return "volume-unfit"
        return "class-missing" if absent else "no-volume" if by_hand else "no-class"
    if reason.startswith("WaitFor") or (not reason and fields["class.binding"] == "WaitForFirstConsumer"):
        return "wait-consumer"
    if fields["provisioner"] and (fields["age"] or 0) >= 30:
        return "provisioner-silent"
    return ""


def _bypassed(around: _Around, claim: Json) -> Iterator[str]:
    """Pods that mount it and sit on a node by `spec.nodeName` alone: nobody scheduled them."""
    for pod in around.users(claim):
        if (pod.get("spec") or {}).get("nodeName"):
            events = around.view.snapshot.events_of(ref_of(pod), pod["metadata"].get("uid") or "")
            if not any(event.get("reason") == "Scheduled" for event in events):
                yield pod["metadata"]["name"]


def _behind(view: View, claim: Json) -> dict[str, Any]:
    """Its class and its volume, and whether they exist."""
    spec, snapshot = claim.get("spec") or {}, view.snapshot
    name, volume = spec.get("storageClassName") or "", spec.get("volumeName") or ""
    storage_class = snapshot.get("StorageClass", "", name) or {}
    default = [c["metadata"]["name"] for c in snapshot.of_kind("StorageClass") if _is_default(c)]
    asked = snapshot.get("PersistentVolume", "", volume) if volume else None
    return {
        "class": name,
        "class.words": _class_words(spec.get("storageClassName"), default),
        "class.exists": _WORDS[snapshot.exists("StorageClass", "", name)] if name else "",
        "class.provisioner": storage_class.get("provisioner") or "",
        "class.binding": storage_class.get("volumeBindingMode") or "",
        "classes": tuple(sorted(c["metadata"]["name"] for c in snapshot.of_kind("StorageClass"))),
        "default.class": default[0] if default else "",
        "volume": volume,
        "volume.exists": _WORDS[snapshot.exists("PersistentVolume", "", volume)] if volume else "",
        "volume.differs": ", ".join(_differs(claim, asked)) if asked else "",
        "provisioner": _note(claim, "storage-provisioner") or storage_class.get("provisioner") or "",
    }


def _class_words(name: str | None, default: list[str]) -> str:
    if name:
        return f"it names StorageClass {name}"
    if name == "":
        return 'its storageClassName is "", which asks for a PersistentVolume without a class and no provisioning'
    if default:
        return f"it names no StorageClass (storageClassName is unset) and did not get the default, {default[0]}"
    return "it names no StorageClass (storageClassName is unset) and the cluster has no default StorageClass"


def _note(claim: Json, name: str) -> str:
    notes = claim["metadata"].get("annotations") or {}
    return str(notes.get(f"volume.kubernetes.io/{name}") or notes.get(f"volume.beta.kubernetes.io/{name}") or "")


def _resize(claim: Json, now: float) -> dict[str, Any]:
    conditions = [
        item
        for item in conditions_of(claim).values()
        if item.get("status") == "True" or "Error" in item.get("type", "")
    ]
    first = conditions[0] if conditions else {}
    since = parse_time(first.get("lastTransitionTime"))
    states = (claim.get("status") or {}).get("allocatedResourceStatuses") or {}
    text = f"{first.get('type')}: {first.get('message') or ''}".rstrip(": ") if first else ""
    return {
        "resize": "; ".join(part for part in (text, str(states.get("storage") or "")) if part),
        "resize.seconds": int(now - since) if since is not None else None,
        "resizing": (claim.get("status") or {}).get("phase") == "Bound" and _resizing(claim),
    }


def _is_default(storage_class: Json) -> bool:
    notes = storage_class["metadata"].get("annotations") or {}
    return notes.get("storageclass.kubernetes.io/is-default-class") == "true"


def _candidates(around: _Around, claim: Json) -> dict[str, Any]:
    """Volumes that fit, and those that nearly do with what differs."""
    fit, near, released = [], [], []
    for volume in around.volumes:
        name, phase = volume["metadata"]["name"], (volume.get("status") or {}).get("phase")
        differs = _differs(claim, volume)
        if not differs:
            fit.append(name)
        elif phase == "Released" and len(differs) == 1:
            released.append(name)
        if differs and len(differs) <= 2:
            near.append((len(differs), name, f"{name}: {', '.join(differs)}"))
    near.sort()
    return {
        "volumes.fit": tuple(fit),
        "volumes.near": tuple(text for _, _, text in near[:4]),
        "volumes.released": tuple(released),
        "near": near[0][1] if near else "",
    }


def _differs(claim: Json, volume: Json) -> list[str]:
    """What of a volume is not as the claim asks."""
    spec, other = claim.get("spec") or {}, volume.get("spec") or {}
    size, phase = (other.get("capacity") or {}).get("storage"), (volume.get("status") or {}).get("phase")
    found = []
    if (other.get("storageClassName") or "") != (spec.get("storageClassName") or ""):
        wanted = spec.get("storageClassName") or "none"
        found.append(f"its storageClassName is {other.get('storageClassName') or 'unset'}, the claim's is {wanted}")
    if (parse_quantity(size) or 0) < (parse_quantity(_request(claim)) or 0):
        found.append(f"its capacity is only {size} of the {_request(claim)} requested (too small)")
    if not set(spec.get("accessModes") or []) <= set(other.get("accessModes") or []):
        found.append(
            f"its accessModes are {', '.join(other.get('accessModes') or [])}, the claim wants"
            f" {', '.join(spec.get('accessModes') or [])}"
        )
    if (other.get("volumeMode") or "Filesystem") != (spec.get("volumeMode") or "Filesystem"):
        found.append(f"its volumeMode is {other.get('volumeMode')}")
    if not matches_selector(spec.get("selector") or {}, volume["metadata"].get("labels")):
        found.append("its labels do not match the claim's selector")
    holder, meta = other.get("claimRef") or {}, claim["metadata"]
    if phase == "Released":
        of = f"{holder.get('namespace')}/{holder.get('name')}"
        found.append(f"it is Released (spec.claimRef still reserves it for {of})")
    elif holder and (holder.get("namespace"), holder.get("name")) != (meta.get("namespace"), meta["name"]):
        found.append(f"it is reserved for claim {holder.get('namespace')}/{holder.get('name')} (spec.claimRef)")
    elif phase not in ("Available", "Bound", None, ""):
        found.append(f"it is {phase}")
    return found


def _proof(view: View, claim: Json, fields: dict[str, Any]) -> Iterator[Proof]:
    spec, status, meta = claim.get("spec") or {}, claim.get("status") or {}, claim["metadata"]
    name = spec.get("storageClassName")
    shown = "unset" if name is None else repr(name)
    text = f"status.phase: {status.get('phase')}; spec.storageClassName: {shown}"
    if spec.get("volumeName"):
        text += f"; spec.volumeName: {spec['volumeName']}"
    if meta.get("deletionTimestamp"):
        held = ", ".join(meta.get("finalizers") or [])
        text += f"; deletionTimestamp: {meta['deletionTimestamp']}; finalizers: {held}"
    yield Proof("status", f"persistentvolumeclaim/{meta['name']}", "", text)
    for event in _events(view, claim)[:2]:
        yield event_proof(event)
    for text in fields["volumes.near"] if status.get("phase") == "Pending" else ():
        yield Proof("object", f"persistentvolume/{text.partition(':')[0]}", "", text)
