"""PersistentVolumes, claims, StorageClasses, CSI drivers (pkg/apis/{core,storage}/v1/defaults.go)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.defaults import volumes
from k8sdiag.minicluster.apiserver.quantities import canonical


def persistent_volume(obj: Json) -> None:
    inner = obj.setdefault("spec", {})
    inner["persistentVolumeReclaimPolicy"] = inner.get("persistentVolumeReclaimPolicy") or "Retain"
    if inner.get("volumeMode") is None:
        inner["volumeMode"] = "Filesystem"
    for name, value in (inner.get("capacity") or {}).items():
        inner["capacity"][name] = canonical(value)
    volumes.source(inner)
    status = obj.setdefault("status", {})
    status["phase"] = status.get("phase") or "Pending"


def claim(obj: Json) -> None:
    volumes.claim_spec(obj.setdefault("spec", {}))
    status = obj.setdefault("status", {})
    status["phase"] = status.get("phase") or "Pending"
    for part in ("capacity", "allocatedResources"):
        for name, value in (status.get(part) or {}).items():
            status[part][name] = canonical(value)


def storage_class(obj: Json) -> None:
    if obj.get("reclaimPolicy") is None:
        obj["reclaimPolicy"] = "Delete"
    if obj.get("volumeBindingMode") is None:
        obj["volumeBindingMode"] = "Immediate"


_DRIVER: Json = {
    "attachRequired": True,
    "podInfoOnMount": False,
    "storageCapacity": False,
    "fsGroupPolicy": "ReadWriteOnceWithFSType",
    "requiresRepublish": False,
    "seLinuxMount": False,
}


def csi_driver(obj: Json) -> None:
    inner = obj.setdefault("spec", {})
    for key, value in _DRIVER.items():
        if inner.get(key) is None:
            inner[key] = value
    if not inner.get("volumeLifecycleModes"):
        inner["volumeLifecycleModes"] = ["Persistent"]


def csi_node(obj: Json) -> None:
    inner = obj.setdefault("spec", {})
    inner.setdefault("drivers", None)
    for driver in inner["drivers"] or ():
        driver.setdefault("topologyKeys", None)


def attachment(obj: Json) -> None:
    obj.setdefault("status", {}).setdefault("attached", False)


DEFAULTS = {
    "persistentvolumes": persistent_volume,
    "persistentvolumeclaims": claim,
    "storageclasses.storage.k8s.io": storage_class,
    "csidrivers.storage.k8s.io": csi_driver,
    "csinodes.storage.k8s.io": csi_node,
    "volumeattachments.storage.k8s.io": attachment,
}
