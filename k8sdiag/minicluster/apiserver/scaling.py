"""Scale: how many replicas there are to be, in one form for all kinds that have any
(pkg/registry/apps/deployment/storage/storage.go ScaleREST, apiextensions-apiserver/pkg/registry/customresource)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors, updating
from k8sdiag.minicluster.apiserver.backend import Answers, Backend
from k8sdiag.minicluster.apiserver.bodies import read_body
from k8sdiag.minicluster.apiserver.conversion import convert
from k8sdiag.minicluster.apiserver.patch import MERGE_PATCH, apply_patch
from k8sdiag.minicluster.apiserver.request import Answer, Request
from k8sdiag.minicluster.apiserver.schema import builtin
from k8sdiag.minicluster.kinds import Resource
from k8sdiag.selectors import format_expression

DEFINITION = "io.k8s.api.autoscaling.v1.Scale"
CRDS = "customresourcedefinitions.apiextensions.k8s.io"
_MOST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Paths:
    """Where a kind keeps what a Scale says."""

    spec: tuple[str, ...] = ("spec", "replicas")
    status: tuple[str, ...] = ("status", "replicas")
    selector: tuple[str, ...] = ("spec", "selector")


_BUILT_IN = Paths()


def get(backend: Backend, request: Request, _answers: Answers) -> Answer:
    obj = backend.stored(request.resource, request.namespace, request.name)
    return Answer(200, scale_of(obj, _paths(backend, request.resource)))


def update(backend: Backend, request: Request, answers: Answers) -> Answer:
    old = backend.stored(request.resource, request.namespace, request.name)
    return _rescale(backend, request, answers, old, request.body)


def patch(backend: Backend, request: Request, answers: Answers) -> Answer:
    old = backend.stored(request.resource, request.namespace, request.name)
    scale = scale_of(old, _paths(backend, request.resource))
    content_type = request.content_type.partition(";")[0].strip().lower()
    if "apply-patch" in content_type:  # there is but one field that anybody can own
        content_type = MERGE_PATCH
    patched = apply_patch(content_type, scale, request.body, builtin(DEFINITION))
    return _rescale(backend, request, answers, old, patched)


def _paths(backend: Backend, resource: Resource) -> Paths:
    if resource.definition:
        return _BUILT_IN
    crd = backend.storage.get(CRDS, "", resource.qualified) or {}
    for version in (crd.get("spec") or {}).get("versions") or []:
        if version.get("name") == resource.version:
            stated = (version.get("subresources") or {}).get("scale") or {}
            keys = ("specReplicasPath", "statusReplicasPath", "labelSelectorPath")
            return Paths(*(tuple(stated.get(key, "").strip(".").split(".")) for key in keys))
    return _BUILT_IN


def _at(obj: Json, path: tuple[str, ...]) -> Any:
    found: Any = obj
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def scale_of(obj: Json, paths: Paths = _BUILT_IN) -> Json:
    """The Scale of an object. Go leaves out a wish of none (`omitempty`)."""
    meta = obj["metadata"]
    wanted, current, selector = _at(obj, paths.spec), _at(obj, paths.status) or 0, _at(obj, paths.selector)
    status: Json = {"replicas": current}
    text = selector if isinstance(selector, str) else selector_text(selector)
    if text:
        status["selector"] = text
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: meta[key] for key in kept if key in meta},
        "spec": {"replicas": wanted} if wanted else {},
        "status": status,
    }


def selector_text(selector: Json | None) -> str:
    """As labels.Selector prints itself: `app=web,tier in (a,b)`, by key. A ReplicationController's is a plain map."""
    if not selector:
        return ""
    labels: Json = selector
    expressions: list[Json] = []
    if "matchLabels" in selector or "matchExpressions" in selector:
        labels, expressions = selector.get("matchLabels") or {}, selector.get("matchExpressions") or []
    parts = [(key, f"{key}={value}") for key, value in labels.items()]
    parts += [
        (each["key"], format_expression({**each, "values": sorted(each.get("values") or [])})) for each in expressions
    ]
    return ",".join(text for _, text in sorted(parts))


def _rescale(backend: Backend, request: Request, answers: Answers, old: Json, scale: Json) -> Answer:
    resource, name = request.resource, request.name
    scale = read_body(DEFINITION, scale)
    meta = scale.get("metadata") or {}
    if meta.get("name", name) != name:
        said = f"the name of the object ({meta.get('name')}) does not match the name on the URL ({name})"
        raise errors.bad_request(said)
    if meta.get("uid") and meta["uid"] != old["metadata"]["uid"]:
        text = f"Precondition failed: UID in precondition: {meta['uid']}, UID in object meta: {old['metadata']['uid']}"
        raise errors.conflict(resource, name, text)
    if meta.get("resourceVersion") and meta["resourceVersion"] != old["metadata"]["resourceVersion"]:
        raise errors.modified(resource, name)
    wanted = (scale.get("spec") or {}).get("replicas") or 0
    if wanted < 0:
        cause = errors.invalid_value("spec.replicas", wanted, "must be greater than or equal to 0")
        raise errors.invalid_kind("autoscaling", "Scale", name, [cause])
    paths = _paths(backend, resource)
    current = convert(old, resource)
    changed = _with({**current, "metadata": {**current["metadata"]}}, paths.spec, min(wanted, _MOST))
    answer = updating.replace(backend, replace(request, verb="update"), answers, old, changed, [])
    return Answer(answer.code, scale_of(answer.body, paths), answer.warnings)


def _with(obj: Json, path: tuple[str, ...], value: int) -> Json:
    key, *rest = path
    return {**obj, key: _with(obj.get(key) or {}, tuple(rest), value) if rest else value}
