"""Create an object (apiserver/pkg/endpoints/handlers/create.go, registry/generic/registry/store.go Create)."""

from __future__ import annotations

from k8sdiag.clock import format_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import defaults, errors, strategy
from k8sdiag.minicluster.apiserver.admission import Attributes
from k8sdiag.minicluster.apiserver.backend import Answers, Backend
from k8sdiag.minicluster.apiserver.conformance import complaints, fill_in
from k8sdiag.minicluster.apiserver.conversion import convert
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.apiserver.incoming import (
    check_options,
    forget_system_fields,
    match_namespace,
    read_manager,
    read_object,
    unique_owners,
)
from k8sdiag.minicluster.apiserver.managed import track
from k8sdiag.minicluster.apiserver.naming import generate_name, generate_uid
from k8sdiag.minicluster.apiserver.request import Answer, Request
from k8sdiag.minicluster.apiserver.strategy.stamps import stamp_create
from k8sdiag.minicluster.kinds import Resource

_ATTEMPTS = 8  # maxNameGenerationCreateAttempts


def create(backend: Backend, request: Request, answers: Answers) -> Answer:
    check_options(request.query, "CreateOptions")
    obj, warnings = read_object(backend, request)
    match_namespace(request, obj["metadata"])
    return create_object(backend, request, answers, obj, warnings)


def create_object(
    backend: Backend, request: Request, answers: Answers, obj: Json, warnings: list[str], applied: bool = False
) -> Answer:
    """Create what was read, which is in the request's version; an `applied` one has its managedFields already."""
    resource, kept = request.resource, backend.kept(request.resource)
    forget_system_fields(obj["metadata"])
    strategy.reset_create(kept, obj)
    obj = fill_in(resource, obj)
    obj = convert(obj, kept)
    warnings += unique_owners(obj["metadata"])
    if not applied:
        # Before admission, for nobody owns what that adds; nor the status, which is the server's.
        manager = read_manager(request, resource)
        stated = obj if kept.storage == "nodes" else {key: value for key, value in obj.items() if key != "status"}
        obj["metadata"]["managedFields"] = track(
            backend.customs.type_of(kept), None, stated, manager, backend.clock.now()
        )
    attributes = _admit(backend, request, answers, kept, obj, warnings)
    obj = attributes.obj or obj
    meta = obj["metadata"] = _complete(obj["metadata"], backend)
    _name(backend, kept, meta)
    attributes.obj, attributes.name = obj, meta.get("name", "")
    strategy.prepare_create(kept, obj)
    stamp_create(kept, obj, request.user, format_time(backend.clock.now()))
    defaults.prepare(kept, obj)
    causes = complaints(backend, kept, obj, None, request.subresource)
    if causes:
        raise errors.invalid(resource, meta.get("name", ""), causes)
    backend.validate(attributes)
    if meta.get("resourceVersion"):
        raise ApiError(500, "", "resourceVersion should not be set on objects to be created")
    there = backend.storage.get(kept.storage, meta.get("namespace", ""), meta["name"])
    if there is not None:
        raise _already_exists(resource, there)
    if not request.dry_run:
        obj = backend.storage.create(kept.storage, obj)
    return Answer(201, convert(obj, resource), attributes.warnings)


def _admit(
    backend: Backend, request: Request, answers: Answers, kept: Resource, obj: Json, warnings: list[str]
) -> Attributes:
    name = obj["metadata"].get("name", "")
    attributes = Attributes(
        "create",
        kept,
        request.user,
        # A Namespace is created in itself, as admission and webhooks see it.
        name if kept.storage == "namespaces" else request.namespace,
        name,
        request.subresource,
        obj,
        dry_run=request.dry_run,
        query=request.query,
        warnings=warnings,
        answers=answers,
    )
    backend.admission.mutate(attributes)
    return attributes


# In Go's order, for those who read JSON with their eyes.
_FIRST = ("name", "generateName", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp")


def _complete(meta: Json, backend: Backend) -> Json:
    """FillObjectMetaSystemFields."""
    made = {"uid": generate_uid(backend.random), "creationTimestamp": format_time(backend.clock.now())}
    meta = {**meta, **made}
    entries = meta.pop("managedFields", None)
    meta = {name: meta[name] for name in _FIRST if name in meta} | meta
    if entries:
        meta["managedFields"] = entries
    return meta


def _name(backend: Backend, kept: Resource, meta: Json) -> None:
    prefix = meta.get("generateName")
    if meta.get("name") or not prefix:
        return
    name = ""
    for _ in range(_ATTEMPTS):
        name = generate_name(prefix, backend.random)
        if backend.storage.get(kept.storage, meta.get("namespace", ""), name) is None:
            break
    rest = {key: value for key, value in meta.items() if key != "name"}
    meta.clear()
    meta["name"] = name
    meta |= rest


def _already_exists(resource: Resource, there: Json) -> ApiError:
    error = errors.already_exists(resource, there["metadata"]["name"])
    if there["metadata"].get("deletionTimestamp"):
        return ApiError(error.code, error.reason, f"object is being deleted: {error.message}", error.details)
    return error
