"""PersistentVolumes that are being deleted, or that failed; one fact a volume.

Sample: `metadata: {deletionTimestamp: ..., finalizers: [kubernetes.io/pv-protection]}` and `status.phase: Bound`.
"""

from __future__ import annotations

from collections.abc import Iterator

from k8sdiag.clock import parse_time
from k8sdiag.evidence import ref_of
from k8sdiag.facts import Fact, Keys
from k8sdiag.finding import Proof
from k8sdiag.relations import View

KIND = "volume"
KEYS = ("claim",)
FIELDS = {
    "name": "metadata.name",
    "phase": "status.phase",
    "message": "status.message",
    "claim": "spec.claimRef as namespace/name",
    "claim.namespace": "spec.claimRef.namespace",
    "claim.name": "spec.claimRef.name",
    "reclaim": "spec.persistentVolumeReclaimPolicy",
    "deleting": "metadata.deletionTimestamp is set",
    "deleting.seconds": "seconds since deletion was asked for",
    "finalizers": "metadata.finalizers",
}


def derive(view: View) -> Iterator[Fact]:
    for volume in view.of_kind("PersistentVolume"):
        meta, spec, status = volume["metadata"], volume.get("spec") or {}, volume.get("status") or {}
        deleted = parse_time(meta.get("deletionTimestamp"))
        if deleted is None and status.get("phase") != "Failed":
            continue
        claim = spec.get("claimRef") or {}
        name = f"{claim.get('namespace')}/{claim.get('name')}" if claim else ""
        fields = {
            "name": meta["name"],
            "phase": status.get("phase") or "",
            "message": status.get("message") or "",
            "claim": name,
            "claim.namespace": claim.get("namespace") or "",
            "claim.name": claim.get("name") or "",
            "reclaim": spec.get("persistentVolumeReclaimPolicy") or "",
            "deleting": deleted is not None,
            "deleting.seconds": int(view.snapshot.taken_at - deleted) if deleted is not None else None,
            "finalizers": tuple(meta.get("finalizers") or ()),
        }
        text = f"status.phase: {status.get('phase')}; spec.claimRef: {name or 'none'}"
        if deleted is not None:
            text += f"; deletionTimestamp: {meta['deletionTimestamp']}"
            text += f"; finalizers: {', '.join(meta.get('finalizers') or [])}"
        keys: Keys = {"claim": (name,)} if name else {}
        yield Fact(KIND, ref_of(volume), fields, keys, (Proof("status", f"persistentvolume/{meta['name']}", "", text),))
