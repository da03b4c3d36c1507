"""NamespaceLifecycle: nothing is made in a namespace that is not there or that goes away; three stay for ever
(apiserver/pkg/admission/plugin/namespace/lifecycle/admission.go)."""

from __future__ import annotations

from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.admission import Attributes, Context, refusal
from k8sdiag.minicluster.kinds import Resource

NAME = "NamespaceLifecycle"
ORDER = 10
IMMORTAL = frozenset({"default", "kube-system", "kube-public"})


def handles(verb: str, resource: Resource, _: str) -> bool:
    if resource.storage == "namespaces":
        return verb == "delete"
    return resource.namespaced and verb in ("create", "update") and resource.plural != "localsubjectaccessreviews"


def mutate(attributes: Attributes, context: Context) -> None:
    if attributes.resource.storage == "namespaces":
        if attributes.name in IMMORTAL:
            raise errors.forbidden(attributes.resource, attributes.name, "this namespace may not be deleted")
        return
    if not attributes.namespace:
        return
    namespace = context.storage.get("namespaces", "", attributes.namespace)
    if namespace is None:
        raise errors.not_found(context.registry.named("namespaces"), attributes.namespace)
    if attributes.verb == "create" and (namespace.get("status") or {}).get("phase") == "Terminating":
        raise _terminating(attributes)


def _terminating(attributes: Attributes) -> errors.ApiError:
    name = attributes.namespace
    error = refusal(attributes, f"unable to create new content in namespace {name} because it is being terminated")
    cause = errors.Cause("metadata.namespace", "NamespaceTerminating", f"namespace {name} is being terminated")
    error.details = {**(error.details or {}), "causes": [cause.json()]}
    return error
