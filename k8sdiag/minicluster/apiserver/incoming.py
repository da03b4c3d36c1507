"""What a client sent, read: is it what the path says, does it decode, what do the query's options ask for
(apiserver/pkg/endpoints/handlers/{create,update,rest,namer}.go, registry/rest/meta.go)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.backend import Backend
from k8sdiag.minicluster.apiserver.conformance import decode
from k8sdiag.minicluster.apiserver.errors import Cause
from k8sdiag.minicluster.apiserver.fieldvalidation import (
    IGNORE,
    STRICT,
    WARN,
    DecodeError,
    check_body,
    not_handled,
    strict_complaints,
)
from k8sdiag.minicluster.apiserver.managed import MAX_NAME, Manager, manager_name
from k8sdiag.minicluster.apiserver.request import Request
from k8sdiag.minicluster.kinds import Resource

_SCHEME = "pkg/api/legacyscheme/scheme.go:30"
_TWICE = (
    ".metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may "
    "reject such requests as early as 1.24; please fix your requests"
)
_SYSTEM = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink")


def read_object(backend: Backend, request: Request, only: tuple[str, ...] = ()) -> tuple[Json, list[str]]:
    """The object of a create or update, in the request's version, and what to warn of. Its top level and metadata are
    the caller's to change. With `only`, nothing but these parts of it counts."""
    resource, body = request.resource, request.body
    if not isinstance(body, dict):
        raise errors.bad_request(_unrecognized(resource, body, request.raw))
    check_depth(body)
    _check_kind(backend, resource, body)
    if only:
        body = {key: value for key, value in body.items() if key in ("kind", "apiVersion", "metadata", *only)}
    directive = request.query.get("fieldValidation") or WARN
    try:
        obj, unknown = decode(backend, resource, body)
    except DecodeError as error:
        raise not_handled(resource, str(error)) from None
    warnings = []
    if unknown or request.raw:
        warnings = check_body(resource, strict_complaints(unknown, request.raw, body), directive)
    meta = obj.get("metadata")
    ordered: Json = {"kind": resource.kind, "apiVersion": resource.api_version}
    obj = {**ordered, **obj, **ordered}
    obj["metadata"] = {**meta} if isinstance(meta, dict) else {}
    return obj, warnings + backend.customs.warnings(resource, obj)


def check_depth(body: Any) -> None:
    """Refuse what could not be written out again: orjson reads more levels than it writes."""
    try:
        orjson.dumps(body)
    except orjson.JSONEncodeError:
        raise errors.bad_request("the body of the request is nested too deeply") from None


def _unrecognized(resource: Resource, body: Any, raw: bytes) -> str:
    shown = raw.decode("utf-8", "replace") if raw else orjson.dumps(body).decode() if body is not None else ""
    short = f"{shown[:30]} ..." if len(shown) > 30 else shown
    return (
        f"the object provided is unrecognized (must be of type {resource.kind}): unexpected end of JSON input ({short})"
    )


def _check_kind(backend: Backend, resource: Resource, body: Json) -> None:
    kind, version = body.get("kind"), body.get("apiVersion")
    if not kind and not resource.definition:
        raise errors.bad_request(f"Object 'Kind' is missing in '{orjson.dumps(body).decode()}'")
    kind, version = kind or resource.kind, version or resource.api_version
    if kind == resource.kind and version == resource.api_version:
        return
    if kind != resource.kind:
        short = str(version).rpartition("/")[2]
        if backend.registry.of(str(version), str(kind)) is None:
            why = f'no kind "{kind}" is registered for version "{version}" in scheme "{_SCHEME}"'
        else:
            into = f"{resource.group.partition('.')[0] or 'core'}.{resource.kind}"
            why = f"converting ({short}.{kind}) to ({into}): unknown conversion"
        raise errors.bad_request(f'{kind} in version "{short}" cannot be handled as a {resource.kind}: {why}')
    raise errors.bad_request(
        f"the API version in the data ({version}) does not match the expected API version ({resource.api_version})"
    )


def match_namespace(request: Request, meta: Json) -> None:
    """The path's namespace and the object's have to agree; who says nothing agrees."""
    if not request.resource.namespaced:
        meta.pop("namespace", None)
        return
    given = meta.get("namespace")
    if given and given != request.namespace:
        raise errors.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    meta["namespace"] = request.namespace


def match_name(request: Request, meta: Json) -> None:
    """The path's name and the object's have to agree."""
    given = meta.get("name")
    if not given:
        raise errors.bad_request(
            f"the name of the object ({request.name} based on URL) was undeterminable: name must be provided"
        )
    if given != request.name:
        raise errors.bad_request(
            f"the name of the object ({given}) does not match the name on the URL ({request.name})"
        )


def forget_system_fields(meta: Json) -> None:
    """Whoever creates cannot say what only the server says (WipeObjectMetaSystemFields)."""
    for name in _SYSTEM:
        meta.pop(name, None)


def unique_owners(meta: Json) -> list[str]:
    """Drop owner references that are there twice, and warn of it."""
    owners = meta.get("ownerReferences")
    if not owners or len(owners) < 2:
        return []
    found: list[Json] = []
    twice: list[str] = []
    for owner in owners:
        if owner in found:
            twice.append(str(owner.get("uid", "")))
        else:
            found.append(owner)
    if not twice:
        return []
    meta["ownerReferences"] = found
    return [f"{_TWICE}; duplicate UID(s) observed: {', '.join(twice)}"]


def read_manager(request: Request, resource: Resource) -> Manager:
    """Under which name the request's changes are entered into managedFields."""
    name = manager_name(request.query.get("fieldManager", ""), request.user_agent)
    return Manager(name, resource.api_version, request.subresource)


def check_options(query: Mapping[str, str], kind: str) -> None:
    """CreateOptions, UpdateOptions and PatchOptions (apimachinery/pkg/apis/meta/v1/validation)."""
    if not query:
        return
    causes: list[Cause] = []
    manager = query.get("fieldManager", "")
    if len(manager) > MAX_NAME:
        causes.append(errors.too_long("fieldManager", MAX_NAME))
    if any(not character.isprintable() for character in manager):
        causes.append(errors.invalid_value("fieldManager", manager, "should only contain printable characters"))
    causes += dry_run_causes([query["dryRun"]] if query.get("dryRun") else [])
    directive = query.get("fieldValidation", "")
    if directive not in ("", STRICT, WARN, IGNORE):
        causes.append(errors.not_supported("fieldValidation", directive, ("", IGNORE, STRICT, WARN)))
    if causes:
        raise errors.invalid_kind("meta.k8s.io", kind, "", causes)


def dry_run_causes(given: list[str]) -> list[Cause]:
    return [errors.not_supported("dryRun", given, ("All",))] if any(value != "All" for value in given) else []
