"""StorageObjectInUseProtection: claims and volumes are not gone before nobody uses them
(plugin/pkg/admission/storage/storageobjectinuseprotection/admission.go)."""

from __future__ import annotations

from k8sdiag.minicluster.apiserver.admission import Attributes, Context
from k8sdiag.minicluster.kinds import Resource

NAME = "StorageObjectInUseProtection"
ORDER = 150
_FINALIZERS = {
    "persistentvolumeclaims": "kubernetes.io/pvc-protection",
    "persistentvolumes": "kubernetes.io/pv-protection",
}


def handles(verb: str, resource: Resource, subresource: str) -> bool:
    return resource.storage in _FINALIZERS and verb == "create" and not subresource


def mutate(attributes: Attributes, _: Context) -> None:
    meta = (attributes.obj or {})["metadata"]
    finalizer = _FINALIZERS[attributes.resource.storage]
    finalizers = meta.get("finalizers") or []
    if finalizer not in finalizers:
        meta["finalizers"] = [*finalizers, finalizer]
