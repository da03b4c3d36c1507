"""Replace an object, or one part of it (apiserver/pkg/registry/generic/registry/store.go Update)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors, strategy
from k8sdiag.minicluster.apiserver.admission import Attributes
from k8sdiag.minicluster.apiserver.backend import Answers, Backend, stored
from k8sdiag.minicluster.apiserver.conversion import convert
from k8sdiag.minicluster.apiserver.request import Answer, Request


def update(backend: Backend, request: Request, answers: Answers) -> Answer:
    old = stored(backend, request.resource, request.namespace, request.name)
    return replace(backend, request, answers, old, request.body)


def replace(backend: Backend, request: Request, answers: Answers, old: Json, body: Json) -> Answer:
    """Put `body` in the place of `old`, both in the request's version or the stored one."""
    resource = request.resource
    kept = backend.registry.storage_version(resource.storage)
    obj = {**convert(body, kept)}
    meta = obj["metadata"] = {**(obj.get("metadata") or {})}
    was = old["metadata"]
    if meta.get("resourceVersion") and meta["resourceVersion"] != was["resourceVersion"]:
        raise errors.modified(resource, request.name)
    for name in ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation"):
        if name in was:
            meta[name] = was[name]
    meta["resourceVersion"] = was["resourceVersion"]
    strategy.prepare_update(kept, obj, old, request.subresource)
    attributes = Attributes(
        "update",
        kept,
        request.user,
        request.namespace,
        request.name,
        request.subresource,
        obj,
        old,
        request.dry_run,
        request.query,
        answers=answers,
    )
    backend.admission.mutate(attributes)
    backend.admission.validate(attributes)
    obj = attributes.obj or obj
    if obj == old:
        return Answer(200, convert(old, resource), attributes.warnings)
    if request.dry_run:
        return Answer(200, convert(obj, resource), attributes.warnings)
    if obj["metadata"].get("deletionTimestamp") and not obj["metadata"].get("finalizers"):
        if not obj["metadata"].get("deletionGracePeriodSeconds"):
            backend.storage.delete(kept.storage, request.namespace, request.name)
            return Answer(200, convert(obj, resource), attributes.warnings)
    obj = backend.storage.update(kept.storage, obj)
    return Answer(200, convert(obj, resource), attributes.warnings)
