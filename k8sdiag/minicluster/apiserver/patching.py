"""Patch an object: work out what it is to become, then update it (apiserver/pkg/endpoints/handlers/patch.go).

The real server starts again when somebody else was quicker; here nobody can be, so a conflict is one with the
resourceVersion that the patch itself states.
"""

from __future__ import annotations

from types import NoneType

import orjson

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.apply import apply
from k8sdiag.minicluster.apiserver.backend import Answers, Backend
from k8sdiag.minicluster.apiserver.conformance import decode
from k8sdiag.minicluster.apiserver.conversion import convert
from k8sdiag.minicluster.apiserver.creating import create_object
from k8sdiag.minicluster.apiserver.fieldvalidation import (
    WARN,
    DecodeError,
    check_patched,
    strict_complaints,
)
from k8sdiag.minicluster.apiserver.incoming import check_depth, check_options, match_namespace, read_manager
from k8sdiag.minicluster.apiserver.listing import is_true
from k8sdiag.minicluster.apiserver.patch import APPLY_PATCH, apply_patch, check_content_type, json_type, undecodable
from k8sdiag.minicluster.apiserver.request import Answer, Request
from k8sdiag.minicluster.apiserver.updating import replace, uid_conflict


def patch(backend: Backend, request: Request, answers: Answers) -> Answer:
    check_options(request.query, "PatchOptions")
    content_type = check_content_type(request.content_type, custom=not request.resource.definition)
    check_depth(request.body)
    old = backend.storage.get(request.resource.storage, request.namespace, request.name)
    if content_type == APPLY_PATCH:
        return _apply(backend, request, answers, old)
    if is_true(request.query.get("force", "")):
        cause = errors.forbidden_field("force", "may not be specified for non-apply patch")
        raise errors.invalid_kind("meta.k8s.io", "PatchOptions", "", [cause])
    if old is None:
        raise errors.not_found(request.resource, request.name)
    node = backend.customs.type_of(request.resource)
    current = convert(old, request.resource)
    patched = apply_patch(content_type, current, request.body, node)
    obj, warnings = _decoded(backend, request, patched)
    return _replace(backend, request, answers, old, obj, warnings)


def _decoded(backend: Backend, request: Request, patched: Json) -> tuple[Json, list[str]]:
    """What the patch led to, read as if it had been sent."""
    directive = request.query.get("fieldValidation") or WARN
    shown = request.raw.decode("utf-8", "replace") or orjson.dumps(request.body).decode()
    try:
        obj, unknown = decode(backend, request.resource, patched)
    except DecodeError as error:
        raise undecodable(shown, str(error)) from None
    complaints = strict_complaints(unknown, request.raw, request.body) if unknown or request.raw else []
    warnings = check_patched(shown, complaints, directive) if complaints else []
    return _own(obj), warnings


def _own(obj: Json) -> Json:
    """A copy to change as one likes: a patch shares what it leaves alone with the stored object."""
    check_depth(obj)  # small patches add up
    copied: Json = orjson.loads(orjson.dumps(obj))
    return {**copied, "metadata": copied.get("metadata") or {}}


def _replace(
    backend: Backend,
    request: Request,
    answers: Answers,
    old: Json,
    obj: Json,
    warnings: list[str],
    applied: bool = False,
) -> Answer:
    resource, meta = request.resource, obj["metadata"]
    if obj.get("kind") != resource.kind or obj.get("apiVersion") != resource.api_version:
        raise errors.bad_request(
            f"the kind and API version of the patched object ({obj.get('apiVersion', '')}, {obj.get('kind', '')}) do "
            f"not match the expected ones ({resource.api_version}, {resource.kind})"
        )
    uid = old["metadata"]["uid"]
    if meta.get("uid") and meta["uid"] != uid:
        raise uid_conflict(request, meta["uid"], uid)
    return replace(backend, request, answers, old, obj, warnings, applied)


def _apply(backend: Backend, request: Request, answers: Answers, old: Json | None) -> Answer:
    query, resource, config = request.query, request.resource, request.body
    if not query.get("fieldManager"):
        cause = errors.required("fieldManager", "is required for apply patch")
        raise errors.invalid_kind("meta.k8s.io", "PatchOptions", "", [cause])
    config, warnings = _configuration(backend, request, config)
    meta = config["metadata"]
    match_namespace(request, meta)
    if meta.setdefault("name", request.name) != request.name:
        raise errors.bad_request(
            f"name of the object ({meta['name']}) does not match the name on the URL ({request.name})"
        )
    if old is None and (request.subresource or (meta.get("uid") or meta.get("resourceVersion"))):
        if meta.get("uid"):
            raise uid_conflict(request, meta["uid"], "")
        raise errors.not_found(resource, request.name)
    if (
        old is not None
        and meta.get("resourceVersion", old["metadata"]["resourceVersion"]) != old["metadata"]["resourceVersion"]
    ):
        raise errors.modified(resource, request.name)
    node, now = backend.customs.type_of(resource), backend.clock.now()
    live = convert(old, resource) if old is not None else None
    merged = apply(node, live, config, read_manager(request, resource), now, force=is_true(query.get("force", "")))
    if old is None:
        return create_object(backend, request, answers, _own(merged), warnings, applied=True)
    if merged is live:
        return Answer(200, merged, warnings)
    return _replace(backend, request, answers, old, _own(merged), warnings, applied=True)


def _configuration(backend: Backend, request: Request, config: object) -> tuple[Json, list[str]]:
    """The body of an apply: an object that says what it is, checked like any other."""
    if not isinstance(config, dict):
        raise errors.bad_request("error decoding YAML: expected an object")
    resource = request.resource
    for name in ("apiVersion", "kind"):
        if not config.get(name):
            raise errors.bad_request(
                f"Object '{name[0].upper()}{name[1:]}' is missing in '{orjson.dumps(config).decode()}'"
            )
    if config["apiVersion"] != resource.api_version or config["kind"] != resource.kind:
        raise errors.bad_request(
            f"the object provided ({config['apiVersion']}, Kind={config['kind']}) does not match the resource "
            f"({resource.api_version}, Kind={resource.kind})"
        )
    if not isinstance(config.get("metadata"), (dict, NoneType)):
        why = f"json: cannot unmarshal {json_type(config['metadata'])} into Go struct field .metadata"
        raise errors.bad_request(f"error decoding YAML: {why} of type v1.ObjectMeta")
    complaints: list[str] = []
    if request.query.get("fieldValidation"):
        try:
            _, unknown = decode(backend, resource, config)
        except DecodeError:
            unknown = []  # apply has words of its own for a value of the wrong type
        complaints = strict_complaints(unknown, request.raw, config)
    directive = request.query.get("fieldValidation") or WARN
    warnings = check_patched(orjson.dumps(config).decode(), complaints, directive)
    return {**config, "metadata": {**(config.get("metadata") or {})}}, warnings
