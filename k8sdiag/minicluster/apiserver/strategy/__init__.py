"""What the server does of its own to an object that is being written, kind by kind (pkg/registry/*/*/strategy.go):
spec and status each have their own door, `metadata.generation` counts changes of what is wanted, and some kinds may do
what others may not."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.strategy.generation import first_generation, next_generation
from k8sdiag.minicluster.apiserver.strategy.parts import parts, reset_create, reset_update
from k8sdiag.minicluster.apiserver.strategy.template_generation import first_template, next_template
from k8sdiag.minicluster.kinds import Resource

__all__ = ["parts", "reset_create", "reset_update"]

DELETE_DEPENDENTS, ORPHAN_DEPENDENTS, UNSUPPORTED = "DeleteDependents", "OrphanDependents", "Unsupported"

_CREATED_BY_UPDATE = frozenset(
    (
        *("services", "endpoints", "events", "limitranges", "leases.coordination.k8s.io"),
        *(f"{name}.rbac.authorization.k8s.io" for name in ("roles", "rolebindings", "clusterroles")),
        "clusterrolebindings.rbac.authorization.k8s.io",
    )
)
_NEEDS_VERSION = frozenset(
    (
        *("leases.coordination.k8s.io", "poddisruptionbudgets.policy", "runtimeclasses.node.k8s.io"),
        *("csinodes.storage.k8s.io", "csidrivers.storage.k8s.io", "csistoragecapacities.storage.k8s.io"),
        *("volumeattachments.storage.k8s.io", "customresourcedefinitions.apiextensions.k8s.io"),
        "apiservices.apiregistration.k8s.io",
        *(
            f"{name}.admissionregistration.k8s.io"
            for name in (
                "mutatingwebhookconfigurations",
                "validatingwebhookconfigurations",
                "validatingadmissionpolicies",
                "validatingadmissionpolicybindings",
            )
        ),
    )
)
_RETURNED = frozenset(
    (
        *("pods", "services", "serviceaccounts", "persistentvolumes", "persistentvolumeclaims", "podtemplates"),
        *("resourcequotas", "namespaces"),
    )
)
_COLLECTION = {
    "events": UNSUPPORTED,
    "replicationcontrollers": ORPHAN_DEPENDENTS,
    "jobs.batch": ORPHAN_DEPENDENTS,
}


def prepare_create(kept: Resource, obj: Json) -> None:
    """Change a new object, whose top level and metadata are the handler's own."""
    first_generation(kept, obj)
    first_template(kept, obj)


def prepare_update(kept: Resource, obj: Json, old: Json, subresource: str) -> None:
    """Change the new state of an object, whose top level and metadata are the handler's own."""
    next_generation(kept, obj, old, subresource)
    next_template(kept, obj, old, subresource)


def creates_on_update(kept: Resource) -> bool:
    """May a PUT create an object of this kind?"""
    return kept.storage in _CREATED_BY_UPDATE


def updates_unconditionally(kept: Resource) -> bool:
    """May an update leave the resourceVersion out?"""
    return bool(kept.definition) and kept.storage not in _NEEDS_VERSION


def returns_deleted(kept: Resource) -> bool:
    """Is the object the answer to its deletion, and not a Status?"""
    return kept.storage in _RETURNED


_CLEANUP = "customresourcecleanup.apiextensions.k8s.io"


def finalizers(kept: Resource, meta: Json) -> list[str]:
    """Those an object has, and the one that a definition of custom resources gets when its deletion begins: it stays
    until its objects are gone."""
    held: list[str] = meta.get("finalizers") or []
    if kept.storage == "customresourcedefinitions.apiextensions.k8s.io" and not meta.get("deletionTimestamp"):
        return [*(name for name in held if name != _CLEANUP), _CLEANUP]
    return held


def collection_policy(kept: Resource) -> str:
    """What becomes of dependents when a deletion does not say."""
    return _COLLECTION.get(kept.storage, DELETE_DEPENDENTS)


def pod_grace(pod: Json, wanted: int | None) -> int:
    """How long a Pod has to end (pkg/registry/core/pod/strategy.go CheckGracefulDelete)."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    if not spec.get("nodeName") or status.get("phase") in ("Failed", "Succeeded"):
        return 0
    period = wanted if wanted is not None else spec.get("terminationGracePeriodSeconds") or 0
    return 1 if period < 0 else int(period)
