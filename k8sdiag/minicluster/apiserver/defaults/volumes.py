"""Volumes of pods and what PersistentVolumes are made of (pkg/apis/core/v1/defaults.go)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.quantities import canonical

_FILES = ("secret", "configMap", "downwardAPI", "projected")
_READABLE = 420  # 0644


def volume(of: Json) -> None:
    """One of a pod's volumes; without any source it is an emptyDir."""
    if len(of) <= 1 and "name" in of:
        of["emptyDir"] = {}
        return
    for name in _FILES:
        files = of.get(name)
        if files is not None:
            if files.get("defaultMode") is None:
                files["defaultMode"] = _READABLE
            _items(files)
            for projection in files.get("sources") or () if name == "projected" else ():
                _projection(projection)
    empty = of.get("emptyDir")
    if empty and empty.get("sizeLimit") is not None:
        empty["sizeLimit"] = canonical(empty["sizeLimit"])
    image = of.get("image")
    if image is not None and not image.get("pullPolicy"):
        tag = (image.get("reference") or "").rpartition("/")[2].partition("@")[0].partition(":")[2]
        image["pullPolicy"] = "Always" if tag in ("", "latest") else "IfNotPresent"
    ephemeral = of.get("ephemeral")
    claim = ephemeral.get("volumeClaimTemplate") if ephemeral else None
    if claim:
        claim.setdefault("metadata", {}).setdefault("creationTimestamp", None)
        claim_spec(claim.setdefault("spec", {}))
    source(of)


def _items(files: Json) -> None:
    """The downward API's files name fields of the pod or amounts of a container."""
    for item in files.get("items") or ():
        field = item.get("fieldRef")
        if field is not None:
            field["apiVersion"] = field.get("apiVersion") or "v1"
        amount = item.get("resourceFieldRef")
        if amount is not None:
            amount["divisor"] = canonical(amount.get("divisor") or "0")


def _projection(source_: Json) -> None:
    token = source_.get("serviceAccountToken")
    if token is not None and token.get("expirationSeconds") is None:
        token["expirationSeconds"] = 3600
    downward = source_.get("downwardAPI")
    if downward is not None:
        _items(downward)


_SOURCES: dict[str, Json] = {
    "hostPath": {"type": ""},
    "iscsi": {"iscsiInterface": "default"},
    "rbd": {"pool": "rbd", "user": "admin", "keyring": "/etc/ceph/keyring"},
    "azureDisk": {"cachingMode": "ReadWrite", "kind": "Shared", "fsType": "ext4", "readOnly": False},
    "scaleIO": {"storageMode": "ThinProvisioned", "fsType": "xfs"},
}


def source(of: Json) -> None:
    """What a pod's volume and a PersistentVolume have in common."""
    for name, values in _SOURCES.items():
        found = of.get(name)
        if found is not None:
            for key, value in values.items():
                if found.get(key) is None:
                    found[key] = value


def claim_spec(of: Json) -> None:
    if of.get("volumeMode") is None:
        of["volumeMode"] = "Filesystem"
    resources = of.setdefault("resources", {})
    for part in ("requests", "limits"):
        for name, value in (resources.get(part) or {}).items():
            resources[part][name] = canonical(value)
    origin, reference = of.get("dataSource"), of.get("dataSourceRef")
    # The older field and the newer one are kept alike (pkg/api/persistentvolumeclaim NormalizeDataSources).
    if origin and not reference:
        of["dataSourceRef"] = dict(origin)
    elif reference and not origin and not reference.get("namespace"):
        of["dataSource"] = dict(reference)
