"""Places where data is kept: host paths, NFS, disks of all makes, CSI drivers; for pods and PersistentVolumes alike
(pkg/apis/core/validation validateHostPathVolumeSource and its many siblings)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import invalid_value, not_supported, required, too_long
from k8sdiag.minicluster.apiserver.validation import formats
from k8sdiag.minicluster.apiserver.validation.fields import Causes, each
from k8sdiag.minicluster.apiserver.validation.paths import descending, no_backsteps

ONE_TYPE = "may not specify more than 1 volume type"
_HOST_PATHS = ("", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket")
_NAMES = {"gcePersistentDisk": "persistentDisk"}  # the real messages call it so

# The fields that must be given.
_NEEDED: dict[str, tuple[str, ...]] = {
    "gcePersistentDisk": ("pdName",),
    "awsElasticBlockStore": ("volumeID",),
    "gitRepo": ("repository",),
    "nfs": ("server", "path"),
    "iscsi": ("targetPortal", "iqn"),
    "glusterfs": ("endpoints", "path"),
    "rbd": ("monitors", "image"),
    "cinder": ("volumeID",),
    "cephfs": ("monitors",),
    "quobyte": ("registry", "volume"),
    "flexVolume": ("driver",),
    "azureFile": ("secretName", "shareName"),
    "vsphereVolume": ("volumePath",),
    "photonPersistentDisk": ("pdID",),
    "portworxVolume": ("volumeID",),
    "azureDisk": ("diskName", "diskURI"),
    "scaleIO": ("gateway", "system", "volumeName"),
    "storageos": ("volumeName",),
}


def source(kind: str, of: Json, path: str, out: Causes) -> None:
    """One source, `path` being the volume's."""
    where = f"{path}.{_NAMES.get(kind, kind)}"
    if kind == "hostPath":
        host_path(of, where, out)
        return
    for name in _NEEDED.get(kind, ()):
        if not of.get(name):
            out.append(required(f"{where}.{name}"))
    if kind == "nfs" and not (of.get("path") or "").startswith("/"):
        out.append(invalid_value(f"{where}.path", of.get("path") or "", "must be an absolute path"))
    if kind in ("gcePersistentDisk", "awsElasticBlockStore") and not 0 <= (of.get("partition") or 0) <= 255:
        out.append(invalid_value(f"{where}.partition", of["partition"], formats.between(1, 255)))
    if kind in ("iscsi", "fc") and not 0 <= (of.get("lun") or 0) <= 255:
        out.append(invalid_value(f"{where}.lun", of["lun"], formats.between(0, 255)))
    if kind == "gitRepo":
        descending(of.get("directory") or "", f"{where}.directory", out)
    if kind == "fc" and not of.get("targetWWNs") and not of.get("wwids"):
        out.append(required(f"{where}.targetWWNs", "must specify either targetWWNs or wwids, but not both"))
    if kind == "flocker" and not of.get("datasetName") and not of.get("datasetUUID"):
        out.append(required(where, "one of datasetName and datasetUUID is required"))


def host_path(of: Json, path: str, out: Causes) -> None:
    if not of.get("path"):
        out.append(required(f"{path}.path"))
        return
    no_backsteps(of["path"], f"{path}.path", out)
    kind = of.get("type") or ""
    if kind not in _HOST_PATHS:
        out.append(not_supported(f"{path}.type", kind, _HOST_PATHS))


def driver_name(name: str, path: str, out: Causes) -> None:
    """A CSI driver's."""
    if not name:
        out.append(required(path))
    if len(name) > 63:
        out.append(too_long(path, 63))
    each(formats.dns_subdomain(name.lower()), path, name, out)


def secret_reference(of: Json | None, path: str, out: Causes) -> None:
    """A PersistentVolume names a Secret with its namespace."""
    if of is None:
        return
    for name, format_ in (("name", formats.dns_subdomain), ("namespace", formats.dns_label)):
        if not of.get(name):
            out.append(required(f"{path}.{name}"))
        else:
            each(format_(of[name]), f"{path}.{name}", of[name], out)
