"""Create an object (apiserver/pkg/endpoints/handlers/create.go, registry/generic/registry/store.go Create)."""

from __future__ import annotations

from k8sdiag.clock import format_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors, strategy
from k8sdiag.minicluster.apiserver.admission import Attributes
from k8sdiag.minicluster.apiserver.backend import Answers, Backend
from k8sdiag.minicluster.apiserver.conversion import convert
from k8sdiag.minicluster.apiserver.naming import generate_name, generate_uid
from k8sdiag.minicluster.apiserver.request import Answer, Request


def create(backend: Backend, request: Request, answers: Answers) -> Answer:
    resource = request.resource
    kept = backend.registry.storage_version(resource.storage)
    obj: Json = convert({**request.body}, kept)
    obj["kind"], obj["apiVersion"] = kept.kind, kept.api_version
    meta = obj["metadata"] = {**(obj.get("metadata") or {})}
    if resource.namespaced:
        meta["namespace"] = request.namespace
    attributes = Attributes(
        "create",
        kept,
        request.user,
        request.namespace,
        meta.get("name", ""),
        obj=obj,
        dry_run=request.dry_run,
        query=request.query,
        answers=answers,
    )
    backend.admission.mutate(attributes)
    obj = attributes.obj or obj
    meta = obj["metadata"]
    if meta.get("resourceVersion"):
        raise errors.ApiError(500, "", "resourceVersion should not be set on objects to be created")
    strategy.prepare_create(kept, obj)
    if not meta.get("name") and meta.get("generateName"):
        meta["name"] = generate_name(meta["generateName"], backend.random)
    meta["uid"] = generate_uid(backend.random)
    meta["creationTimestamp"] = format_time(backend.clock.now())
    attributes.name = meta["name"]
    backend.admission.validate(attributes)
    if backend.storage.get(kept.storage, request.namespace, meta["name"]) is not None:
        raise errors.already_exists(resource, meta["name"])
    if not request.dry_run:
        obj = backend.storage.create(kept.storage, obj)
    return Answer(201, convert(obj, resource), attributes.warnings)
