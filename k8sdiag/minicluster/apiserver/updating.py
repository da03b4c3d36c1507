"""Replace an object, or the part of it that has a door of its own
(apiserver/pkg/endpoints/handlers/update.go, registry/generic/registry/store.go Update, registry/rest/update.go)."""

from __future__ import annotations

from collections.abc import Mapping

from k8sdiag.clock import format_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors, strategy
from k8sdiag.minicluster.apiserver.admission import Attributes
from k8sdiag.minicluster.apiserver.backend import Answers, Backend
from k8sdiag.minicluster.apiserver.conformance import complaints, fill_in
from k8sdiag.minicluster.apiserver.conversion import convert
from k8sdiag.minicluster.apiserver.creating import create_object
from k8sdiag.minicluster.apiserver.finalizing import is_finished
from k8sdiag.minicluster.apiserver.incoming import (
    check_options,
    match_name,
    match_namespace,
    read_manager,
    read_object,
    unique_owners,
)
from k8sdiag.minicluster.apiserver.managed import track
from k8sdiag.minicluster.apiserver.request import Answer, Request
from k8sdiag.minicluster.apiserver.strategy.stamps import stamp_update
from k8sdiag.minicluster.kinds import Resource

# What an update may leave out, for the server knows it.
_KEPT = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")

# Where etcd has a kind whose place is not called as its plural (pkg/kubeapiserver/default_storage_factory_builder.go).
_PLACES: Mapping[str, str] = {
    "nodes": "minions",
    "replicationcontrollers": "controllers",
    "services": "services/specs",
    "endpoints": "services/endpoints",
    "ingresses.networking.k8s.io": "ingress",
}

# Through these, nothing comes in that the server has to complete.
_COMPLETE = frozenset(("status", "scale", "finalize", "approval"))


def update(backend: Backend, request: Request, answers: Answers) -> Answer:
    check_options(request.query, "UpdateOptions")
    obj, warnings = read_object(backend, request, strategy.parts(request.subresource))
    meta = obj["metadata"]
    match_namespace(request, meta)
    match_name(request, meta)
    kept = backend.kept(request.resource)
    old = backend.storage.get(kept.storage, request.namespace, request.name)
    if old is None:
        if request.subresource or not strategy.creates_on_update(kept):
            raise errors.not_found(request.resource, request.name)
        _check_uid(request, meta, "")
        meta.pop("resourceVersion", None)
        return create_object(backend, request, answers, obj, warnings)
    _check_uid(request, meta, old["metadata"]["uid"])
    return replace(backend, request, answers, old, obj, warnings)


def _check_uid(request: Request, meta: Json, uid: str) -> None:
    """Who states a uid means that very object (storage/interfaces.go Preconditions.Check)."""
    if meta.get("uid") and meta["uid"] != uid:
        raise uid_conflict(request, meta["uid"], uid)


def uid_conflict(request: Request, wanted: str, found: str) -> errors.ApiError:
    resource = request.resource
    place = _PLACES.get(
        resource.storage, resource.plural if resource.definition else f"{resource.group}/{resource.plural}"
    )
    where = f"{request.namespace}/{request.name}" if resource.namespaced else request.name
    return errors.conflict(
        resource,
        request.name,
        f"StorageError: invalid object, Code: 4, Key: /registry/{place}/{where}, ResourceVersion: 0, "
        f"AdditionalErrorMsg: Precondition failed: UID in precondition: {wanted}, UID in object meta: {found}",
    )


def replace(
    backend: Backend,
    request: Request,
    answers: Answers,
    old: Json,
    obj: Json,
    warnings: list[str] | None = None,
    applied: bool = False,
) -> Answer:
    """Put an object in the place of `old`, the stored one. `obj` is in the request's version; an `applied` one has its
    managedFields already."""
    resource, kept = request.resource, backend.kept(request.resource)
    warnings = warnings or []
    obj = {**obj, "metadata": {**obj["metadata"]}}
    if request.subresource not in _COMPLETE:
        obj = fill_in(resource, obj)
    obj = convert(obj, kept)
    meta, was = obj["metadata"], old["metadata"]
    _check_version(resource, kept, request.name, meta, was)
    for name in _KEPT:
        if name in was and not meta.get(name):
            meta[name] = was[name]
    warnings += unique_owners(meta)
    strategy.reset_update(kept, obj, old, request.subresource)
    meta = obj["metadata"]
    if not applied:
        manager = read_manager(request, resource)
        meta["managedFields"] = track(backend.customs.type_of(kept), old, obj, manager, backend.clock.now())
    attributes = _admit(backend, request, answers, kept, (obj, old), warnings)
    obj = attributes.obj or obj
    strategy.prepare_update(kept, obj, old, request.subresource)
    stamp_update(kept, obj, old, request.subresource, format_time(backend.clock.now()))
    causes = complaints(backend, kept, obj, old, request.subresource)
    if causes:
        raise errors.invalid(resource, request.name, causes)
    _tidy(obj["metadata"], was)
    attributes.obj = obj
    backend.validate(attributes)
    return _store(backend, request, kept, obj, old, attributes.warnings)


def _check_version(resource: Resource, kept: Resource, name: str, meta: Json, was: Json) -> None:
    given = meta.get("resourceVersion")
    if not given or given == "0":
        if not strategy.updates_unconditionally(kept):
            cause = errors.invalid_value("metadata.resourceVersion", 0, "must be specified for an update")
            raise errors.invalid_kind(resource.group, resource.plural, name, [cause])
    elif given != was["resourceVersion"]:
        if not (isinstance(given, str) and given.isascii() and given.isdigit()):
            why = f'strconv.ParseUint: parsing "{given}": invalid syntax'
            cause = errors.invalid_value("metadata.resourceVersion", given, why)
            raise errors.invalid(resource, name, [cause])
        raise errors.modified(resource, name)
    meta["resourceVersion"] = was["resourceVersion"]


def _admit(
    backend: Backend,
    request: Request,
    answers: Answers,
    kept: Resource,
    objects: tuple[Json, Json],
    warnings: list[str],
) -> Attributes:
    obj, old = objects
    attributes = Attributes(
        "update",
        kept,
        request.user,
        request.name if kept.storage == "namespaces" else request.namespace,
        request.name,
        request.subresource,
        obj,
        old,
        request.dry_run,
        request.query,
        warnings,
        answers,
    )
    backend.admission.mutate(attributes)
    return attributes


def _tidy(meta: Json, was: Json) -> None:
    """Managed fields in which nothing but a time has changed have not changed (IgnoreManagedFieldsTimestamps), and
    none is written as none."""
    now, before = meta.get("managedFields"), was.get("managedFields")
    if not now:
        meta.pop("managedFields", None)
    elif now is not before and before and _timeless(now) == _timeless(before):
        meta["managedFields"] = before


def _timeless(entries: list[Json]) -> list[Json]:
    return [{key: value for key, value in entry.items() if key != "time"} for entry in entries]


def _store(backend: Backend, request: Request, kept: Resource, obj: Json, old: Json, warnings: list[str]) -> Answer:
    for part, value in old.items():
        if obj.get(part) == value:
            obj[part] = value  # history keeps many states of one object: what they have in common is there once
    if obj == old:
        return Answer(200, convert(old, request.resource), warnings)  # nothing to write, so no new version either
    if not request.dry_run:
        if is_finished(kept, obj, old):
            backend.storage.delete(kept.storage, request.namespace, request.name)
        else:
            obj = backend.storage.update(kept.storage, obj)
    return Answer(200, convert(obj, request.resource), warnings)
