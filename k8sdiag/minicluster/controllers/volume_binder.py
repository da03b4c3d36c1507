"""Binds claims to volumes, and follows both through their phases
(pkg/controller/volume/persistentvolume/pv_controller.go syncClaim, syncVolume)."""

from __future__ import annotations

from typing import Any

from k8sdiag.evidence import Json
from k8sdiag.minicluster.controllers import Context
from k8sdiag.minicluster.controllers.claim_index import ClaimIndex
from k8sdiag.minicluster.controllers.claim_matching import best_volume, class_of, is_bound_to, mismatch, mode_of
from k8sdiag.minicluster.events import Recorder

NAME = "persistent-volume-binder"

_COMPLETED = "pv.kubernetes.io/bind-completed"
_BY_US = "pv.kubernetes.io/bound-by-controller"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
PROVISIONER = "volume.kubernetes.io/storage-provisioner"
_PROVISIONER_BETA = "volume.beta.kubernetes.io/storage-provisioner"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
_NO_PROVISIONER = "kubernetes.io/no-provisioner"
_RESYNC = 15.0  # --pvclaimbinder-sync-period

Key = tuple[str, str]


def start(context: Context) -> None:
    _Binder(context)


class _Binder:
    def __init__(self, context: Context) -> None:
        self._client = context.client
        self._events = Recorder(context.client, context.clock, "persistentvolume-controller")
        self._claims = context.loop.queue("claims", self._sync_claim)
        self._volumes = context.loop.queue("volumes", self._sync_volume)
        self._pending: dict[Key, None] = {}
        self._index = ClaimIndex(context.client)
        self._client.watch("pods", self._index.see_pod)
        self._client.watch("persistentvolumes", self._on_volume)
        self._client.watch("persistentvolumeclaims", self._on_claim)
        self._client.watch("storageclasses", lambda *_: self._wake())

    def _on_volume(self, kind: str, volume: Json, old: Json | None) -> None:
        reference = volume["spec"].get("claimRef")
        self._index.see_volume(kind, volume, old)
        if kind != "DELETED":
            self._volumes.add(volume["metadata"]["name"])
        if reference:
            self._claims.add((reference.get("namespace", ""), reference.get("name", "")))
        elif kind == "ADDED" or (volume.get("status") or {}).get("phase") == "Available":
            self._wake()

    def _on_claim(self, kind: str, claim: Json, _: Json | None) -> None:
        key = (claim["metadata"]["namespace"], claim["metadata"]["name"])
        if kind == "DELETED":
            self._pending.pop(key, None)
            if claim["spec"].get("volumeName"):
                self._volumes.add(claim["spec"]["volumeName"])
        else:
            self._claims.add(key)

    def _wake(self) -> None:
        for key in self._pending:
            self._claims.add(key)

    # ---- claims

    def _sync_claim(self, key: Key) -> float | None:
        claim = self._client.find("persistentvolumeclaims", *key)
        if claim is None:
            self._pending.pop(key, None)
            return None
        if _COMPLETED in (claim["metadata"].get("annotations") or {}):
            self._pending.pop(key, None)
            self._sync_bound(claim)
            return None
        if claim["metadata"].get("deletionTimestamp"):
            return None
        bound = self._sync_asked(claim) if claim["spec"].get("volumeName") else self._sync_unbound(claim)
        if bound:
            self._pending.pop(key, None)
            return None
        self._pending[key] = None
        return _RESYNC

    def _sync_unbound(self, claim: Json) -> bool:
        """A claim that takes any volume; True once it is bound."""
        storage_class = self._client.find("storageclasses", "", class_of(claim)) if class_of(claim) else None
        late = bool(storage_class) and (storage_class or {}).get("volumeBindingMode") == "WaitForFirstConsumer"
        chosen = SELECTED_NODE in (claim["metadata"].get("annotations") or {})
        volume = best_volume(claim, self._index.candidates(claim, late))
        if volume is not None:
            self._bind(volume, claim)
            return True
        claim = self._phase(claim, "Pending")
        if late and not chosen:
            text = "waiting for first consumer to be created before binding"
            pods = self._index.consumers(claim)
            if pods:
                text = f"waiting for {'pods' if len(pods) > 1 else 'pod'} {','.join(pods)} to be scheduled"
            self._events.event(claim, "Normal", "WaitForPodScheduled" if pods else "WaitForFirstConsumer", text)
        elif class_of(claim):
            self._provision(claim, storage_class)
        else:
            text = "no persistent volumes available for this claim and no storage class is set"
            self._events.event(claim, "Normal", "FailedBinding", text)
        return False

    def _provision(self, claim: Json, storage_class: Json | None) -> None:
        """A volume is to be made by somebody else; say whom we wait for."""
        if storage_class is None:
            text = f'storageclass.storage.k8s.io "{class_of(claim)}" not found'
            self._events.event(claim, "Warning", "ProvisioningFailed", text)
            return
        name = str(storage_class.get("provisioner", ""))
        if name == _NO_PROVISIONER:
            text = "no volume plugin matched name: kubernetes.io/no-provisioner"
            self._events.event(claim, "Warning", "ProvisioningFailed", text)
            return
        said = claim["metadata"].get("annotations") or {}
        if said.get(PROVISIONER) != name:
            meta = {**claim["metadata"], "annotations": {**said, _PROVISIONER_BETA: name, PROVISIONER: name}}
            claim = self._client.update("persistentvolumeclaims", {**claim, "metadata": meta})
        text = (
            f"Waiting for a volume to be created either by the external provisioner '{name}' or manually by the system"
            " administrator. If volume creation is delayed, please verify that the provisioner is running and correctly"
            " registered."
        )
        self._events.event(claim, "Normal", "ExternalProvisioning", text)

    def _sync_asked(self, claim: Json) -> bool:
        """A claim that names its volume."""
        name = claim["spec"]["volumeName"]
        volume = self._client.find("persistentvolumes", "", name)
        if volume is None:
            self._phase(claim, "Pending")
            return False
        if not volume["spec"].get("claimRef"):
            why = mismatch(volume, claim)
            if why:
                self._events.event(
                    claim, "Warning", "VolumeMismatch", f'Cannot bind to requested volume "{name}": {why}'
                )
                self._phase(claim, "Pending")
                return False
            self._bind(volume, claim)
            return True
        if is_bound_to(volume, claim):
            self._bind(volume, claim)
            return True
        if _BY_US not in (claim["metadata"].get("annotations") or {}):
            text = f'volume "{name}" already bound to a different claim.'
            self._events.event(claim, "Warning", "FailedBinding", text)
        self._phase(claim, "Pending")
        return False

    def _sync_bound(self, claim: Json) -> None:
        """A claim that was bound: is its volume still there, and still its own?"""
        name = claim["spec"].get("volumeName")
        volume = self._client.find("persistentvolumes", "", name) if name else None
        if volume is None:
            what = "its PersistentVolume" if name else "reference to PersistentVolume"
            self._lose(claim, "ClaimLost", f"Bound claim has lost {what}. Data on the volume is lost!")
        elif is_bound_to(volume, claim) or not volume["spec"].get("claimRef"):
            self._bind(volume, claim)
        else:
            text = "Two claims are bound to the same volume, this one is bound incorrectly"
            self._lose(claim, "ClaimMisbound", text)

    def _lose(self, claim: Json, reason: str, text: str) -> None:
        if claim["status"].get("phase") != "Lost":
            self._phase(claim, "Lost")
            self._events.event(claim, "Warning", reason, text)

    def _bind(self, volume: Json, claim: Json) -> None:
        """Both halves: the volume names the claim, the claim names the volume, and both say that they are Bound."""
        meta, spec = claim["metadata"], volume["spec"]
        reference = spec.get("claimRef") or {}
        if reference.get("uid") != meta["uid"]:
            full = {
                "kind": "PersistentVolumeClaim",
                "namespace": meta["namespace"],
                "name": meta["name"],
                "uid": meta["uid"],
                "apiVersion": "v1",
                "resourceVersion": meta["resourceVersion"],
            }
            own = volume["metadata"]
            if not reference:
                own = {**own, "annotations": {**(own.get("annotations") or {}), _BY_US: "yes"}}
            volume = self._client.update(
                "persistentvolumes", {**volume, "metadata": own, "spec": {**spec, "claimRef": full}}
            )
        self._volume_phase(volume, "Bound")
        said = meta.get("annotations") or {}
        if _COMPLETED not in said or not claim["spec"].get("volumeName"):
            said = {**said, _COMPLETED: "yes"}
            if not claim["spec"].get("volumeName"):
                said[_BY_US] = "yes"
            changed = {**claim, "metadata": {**meta, "annotations": said}}
            changed["spec"] = {**claim["spec"], "volumeName": volume["metadata"]["name"]}
            claim = self._client.update("persistentvolumeclaims", changed)
        self._phase(
            claim, "Bound", accessModes=volume["spec"].get("accessModes"), capacity=volume["spec"].get("capacity")
        )

    def _phase(self, claim: Json, phase: str, **more: Any) -> Json:
        status = {**(claim.get("status") or {}), "phase": phase, **more}
        if phase != "Bound":
            status.pop("accessModes", None)
            status.pop("capacity", None)
        if status == claim.get("status"):
            return claim
        return self._client.update("persistentvolumeclaims", {**claim, "status": status}, subresource="status")

    # ---- volumes

    def _sync_volume(self, name: str) -> None:
        volume = self._client.find("persistentvolumes", "", name)
        if volume is None:
            return
        reference = volume["spec"].get("claimRef")
        if not reference:
            self._volume_phase(volume, "Available")
            return
        if not reference.get("uid"):  # promised by a person; the claim has not come yet
            self._volume_phase(volume, "Available")
            self._claims.add((reference["namespace"], reference["name"]))
            return
        claim = self._client.find("persistentvolumeclaims", reference["namespace"], reference["name"])
        if claim is None or claim["metadata"]["uid"] != reference["uid"]:
            self._reclaim(volume)
        elif not claim["spec"].get("volumeName"):
            if mode_of(volume) == mode_of(claim):
                self._claims.add((reference["namespace"], reference["name"]))
        elif claim["spec"]["volumeName"] == name:
            self._volume_phase(volume, "Bound")
        else:
            self._misplaced(volume)

    def _misplaced(self, volume: Json) -> None:
        """The claim went with another volume: this one is free again, or goes if it was made for it."""
        said = volume["metadata"].get("annotations") or {}
        if PROVISIONED_BY in said and volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete":
            self._reclaim(volume)
            return
        self._unbind(volume)

    def _unbind(self, volume: Json) -> None:
        """Free again; for whom a person meant it, it stays promised to that claim (unbindVolume)."""
        said, spec = volume["metadata"].get("annotations") or {}, {**volume["spec"]}
        if _BY_US in said:
            del spec["claimRef"]
        else:
            spec["claimRef"] = {key: value for key, value in spec["claimRef"].items() if key != "uid"}
        kept = {key: value for key, value in said.items() if key != _BY_US}
        volume = self._client.update(
            "persistentvolumes", {**volume, "metadata": {**volume["metadata"], "annotations": kept}, "spec": spec}
        )
        self._volume_phase(volume, "Available")

    def _reclaim(self, volume: Json) -> None:
        """The claim is gone. What becomes of a volume that was made by a provisioner is that provisioner's business."""
        volume = self._volume_phase(volume, "Released")
        policy = volume["spec"].get("persistentVolumeReclaimPolicy")
        if policy == "Delete" and PROVISIONED_BY not in (volume["metadata"].get("annotations") or {}):
            why = _undeletable(volume)
            if why:
                self._fail(volume, "VolumeFailedDelete", why)
            else:
                self._client.delete("persistentvolumes", "", volume["metadata"]["name"])
        elif policy == "Recycle":
            if {"hostPath", "nfs"} & volume["spec"].keys():
                self._events.event(volume, "Normal", "VolumeRecycled", "Volume recycled")
                self._unbind(volume)
            else:
                self._fail(volume, "VolumeFailedRecycle", "No recycler plugin found for the volume!")

    def _fail(self, volume: Json, reason: str, why: str) -> None:
        if self._volume_phase(volume, "Failed", message=why) is not volume:
            self._events.event(volume, "Warning", reason, why)

    def _volume_phase(self, volume: Json, phase: str, message: str = "") -> Json:
        old = volume.get("status") or {}
        if old.get("phase") == phase or (phase == "Released" and old.get("phase") == "Failed"):
            return volume
        status = {**old, "phase": phase, **({"message": message} if message else {})}
        return self._client.update("persistentvolumes", {**volume, "status": status}, subresource="status")


def _undeletable(volume: Json) -> str:
    """Why nobody here can delete what a volume holds, '' where it can be (pkg/volume/hostpath hostPathDeleter)."""
    path = (volume["spec"].get("hostPath") or {}).get("path")
    if path is None:
        name = volume["metadata"]["name"]
        return f'error getting deleter volume plugin for volume "{name}": no deletable volume plugin matched'
    if path.partition("/tmp/")[2]:  # noqa: S108 (Kubernetes deletes nothing elsewhere)
        return ""
    return f"host_path deleter only supports /tmp/.+ but received provided {path}"
