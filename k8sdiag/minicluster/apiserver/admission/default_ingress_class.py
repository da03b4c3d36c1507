"""DefaultIngressClass: an ingress that names no class gets the cluster's default one
(plugin/pkg/admission/network/defaultingressclass/admission.go)."""

from __future__ import annotations

from k8sdiag.minicluster.apiserver.admission import Attributes, Context
from k8sdiag.minicluster.apiserver.admission.default_storage_class import newest_default
from k8sdiag.minicluster.kinds import Resource

NAME = "DefaultIngressClass"
ORDER = 220
CLASSES = "ingressclasses.networking.k8s.io"


def handles(verb: str, resource: Resource, subresource: str) -> bool:
    return resource.storage == "ingresses.networking.k8s.io" and verb == "create" and not subresource


def mutate(attributes: Attributes, context: Context) -> None:
    ingress = attributes.obj or {}
    spec = ingress.setdefault("spec", {})
    if spec.get("ingressClassName") or "kubernetes.io/ingress.class" in (ingress["metadata"].get("annotations") or {}):
        return
    found = newest_default(context.storage.list(CLASSES), ("ingressclass.kubernetes.io/is-default-class",))
    if found is not None:
        spec["ingressClassName"] = found["metadata"]["name"]
