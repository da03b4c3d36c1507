"""When an object that is being deleted may go (apiserver/pkg/registry/generic/registry/store.go
ShouldDeleteDuringUpdate, pkg/registry/core/namespace/storage)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.kinds import Resource


def is_finished(kept: Resource, obj: Json, old: Json) -> bool:
    """Does this update take the last thing away that held an object back?"""
    was = old["metadata"]
    if not was.get("deletionTimestamp") or obj["metadata"].get("finalizers"):
        return False
    if was.get("deletionGracePeriodSeconds"):
        return False
    return kept.storage != "namespaces" or not (obj.get("spec") or {}).get("finalizers")
