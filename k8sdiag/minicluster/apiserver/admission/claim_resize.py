"""PersistentVolumeClaimResize: a bound claim grows only where its class allows it
(plugin/pkg/admission/storage/persistentvolume/resize/admission.go)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster import amounts
from k8sdiag.minicluster.apiserver.admission import Attributes, Context, refusal
from k8sdiag.minicluster.apiserver.admission.default_storage_class import CLASSES, OLD_CLASS
from k8sdiag.minicluster.kinds import Resource

NAME = "PersistentVolumeClaimResize"
ORDER = 170


def handles(verb: str, resource: Resource, subresource: str) -> bool:
    return resource.storage == "persistentvolumeclaims" and verb == "update" and not subresource


def validate(attributes: Attributes, context: Context) -> None:
    new, old = attributes.obj or {}, attributes.old or {}
    wanted, had = _storage(new), _storage(old)
    if wanted is None or had is None or wanted.nanos <= had.nanos:
        return
    if (old.get("status") or {}).get("phase") != "Bound":
        raise refusal(attributes, "Only bound persistent volume claims can be expanded")
    name = (new["metadata"].get("annotations") or {}).get(OLD_CLASS) or (new.get("spec") or {}).get("storageClassName")
    found = context.storage.get(CLASSES, "", name) if name else None
    if not (found or {}).get("allowVolumeExpansion"):
        raise refusal(
            attributes,
            "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must"
            " support resize",
        )


def _storage(claim: Json) -> amounts.Amount | None:
    resources = (claim.get("spec") or {}).get("resources") or {}
    return amounts.amounts(resources.get("requests")).get("storage")
