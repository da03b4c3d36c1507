"""Claims with their volumes, classes and attachments. Sample: a pod's `persistentVolumeClaim: {claimName: data}` leads
to the claim, its `volumeName: pv-1` to the volume, and a volume with `csi:` to the attachments.
"""

from __future__ import annotations

from collections.abc import Iterator

from k8sdiag.collectors import Ask, Found, Role, collector, listed, named
from k8sdiag.evidence import Scope
from k8sdiag.references import claim_names

_CLASSES = "whether the storage class exists, or which one is the default, is unknown"


@collector("storage")
def storage(scope: Scope, found: Found) -> Iterator[Ask]:
    """The chain from a pod to its volumes."""
    kind, namespace, spec = found.ref.kind, found.ref.namespace, found.obj.get("spec") or {}
    if found.role is Role.SCAN:
        yield listed("PersistentVolumeClaim", scope.namespace, "claims were not checked")
        for cluster_kind in ("PersistentVolume", "StorageClass", "VolumeAttachment", "CSIDriver", "CSINode"):
            yield listed(cluster_kind, "", "how volumes are provided and attached is unknown")
    elif kind == "Pod" and found.role in (Role.SUBJECT, Role.POD, Role.BROKEN):
        claims = claim_names(found.obj)
        for name in claims:
            yield from named("PersistentVolumeClaim", namespace, name, "the claim was not checked", Role.CLAIM)
        if claims:
            yield listed("Pod", namespace, "whether another pod holds the volume is unknown")
    elif kind == "PersistentVolumeClaim" and found.role in (Role.SUBJECT, Role.CHILD, Role.CLAIM):
        yield listed("StorageClass", "", _CLASSES)
        if spec.get("volumeName"):
            yield from named("PersistentVolume", "", spec["volumeName"], "the volume was not checked", Role.RELATED)
        else:
            yield listed("PersistentVolume", "", "whether a volume would fit the claim is unknown")
            yield listed("CSIDriver", "", "whether the claim's driver is installed is unknown")
    elif kind == "PersistentVolume" and found.role in (Role.SUBJECT, Role.RELATED):
        if spec.get("csi"):
            yield listed("VolumeAttachment", "", "where the volume is attached is unknown")
            yield from named("CSIDriver", "", spec["csi"].get("driver") or "", "the volume's driver was not checked")
        if found.role is Role.SUBJECT:
            yield listed("StorageClass", "", _CLASSES)
    elif kind == "StatefulSet" and found.role is Role.SUBJECT and spec.get("volumeClaimTemplates"):
        yield listed("PersistentVolumeClaim", namespace, "the claims were not checked", Role.CLAIM)
