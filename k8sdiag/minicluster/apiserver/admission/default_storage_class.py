"""DefaultStorageClass: a claim that names no class gets the cluster's default one, the newest of several
(plugin/pkg/admission/storage/storageclass/setdefault/admission.go, pkg/volume/util/storageclass.go)."""

from __future__ import annotations

from collections.abc import Sequence

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.admission import Attributes, Context
from k8sdiag.minicluster.kinds import Resource

NAME = "DefaultStorageClass"
ORDER = 140
CLASSES = "storageclasses.storage.k8s.io"
OLD_CLASS = "volume.beta.kubernetes.io/storage-class"
_DEFAULT = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")


def handles(verb: str, resource: Resource, subresource: str) -> bool:
    return resource.storage == "persistentvolumeclaims" and verb == "create" and not subresource


def mutate(attributes: Attributes, context: Context) -> None:
    claim = attributes.obj or {}
    spec = claim.setdefault("spec", {})
    if spec.get("storageClassName") is not None or OLD_CLASS in (claim["metadata"].get("annotations") or {}):
        return
    found = newest_default(context.storage.list(CLASSES), _DEFAULT)
    if found is not None:
        spec["storageClassName"] = found["metadata"]["name"]


def newest_default(classes: Sequence[Json], marks: Sequence[str]) -> Json | None:
    """The class marked as default: the newest of several, then the first by name."""
    marked = [found for found in classes if any(_annotation(found, mark) == "true" for mark in marks)]
    marked.sort(key=lambda found: str(found["metadata"]["name"]))
    marked.sort(key=lambda found: str(found["metadata"].get("creationTimestamp") or ""), reverse=True)
    return marked[0] if marked else None


def _annotation(obj: Json, key: str) -> str | None:
    found = (obj["metadata"].get("annotations") or {}).get(key)
    return str(found) if found is not None else None
