"""What the type of an object makes of it: decoded, filled in, validated. Built-in kinds and custom resources alike."""

from __future__ import annotations

from typing import Any

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import defaults, fieldvalidation, validation
from k8sdiag.minicluster.apiserver.backend import Backend
from k8sdiag.minicluster.apiserver.errors import Cause
from k8sdiag.minicluster.apiserver.fieldvalidation import DecodeError
from k8sdiag.minicluster.apiserver.patch import json_type
from k8sdiag.minicluster.apiserver.schema import object_meta
from k8sdiag.minicluster.kinds import Resource


def decode(backend: Backend, resource: Resource, body: Any) -> tuple[Json, list[str]]:
    """The object as the server reads it, and the paths of fields that nobody knows. Raises DecodeError."""
    served = backend.customs.of(resource)
    if served is None:
        return fieldvalidation.decode(backend.customs.type_of(resource), body)
    if not isinstance(body, dict):
        raise DecodeError(f"json: cannot unmarshal {json_type(body)} into Go value of type map[string]interface {{}}")
    meta, strange = fieldvalidation.decode(object_meta(), body.get("metadata") or {})
    obj, unknown = served.prune({**body, "metadata": meta})
    return obj, [*(f"metadata.{path}" for path in strange), *unknown]


def fill_in(backend: Backend, resource: Resource, obj: Json) -> Json:
    """The object with what the server fills in; it may be changed in place."""
    served = backend.customs.of(resource)
    if served is not None:
        return served.default(obj)
    defaults.apply(resource, obj)
    return obj


def complaints(backend: Backend, kept: Resource, obj: Json, old: Json | None, subresource: str) -> list[Cause]:
    """What is wrong with an object in the version it is stored in."""
    check = getattr(validation, "validate", None)
    causes: list[Cause] = list(check(kept, obj, old, subresource)) if check is not None else []
    served = backend.customs.of(kept)
    return causes if served is None else [*causes, *served.validate(obj, old)]
