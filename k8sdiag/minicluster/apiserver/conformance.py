"""What the type of an object makes of it: decoded, filled in, validated. Built-in kinds and custom resources alike."""

from __future__ import annotations

from typing import Any

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import defaults, fieldvalidation, validation
from k8sdiag.minicluster.apiserver.backend import Backend
from k8sdiag.minicluster.apiserver.errors import Cause
from k8sdiag.minicluster.kinds import Resource


def decode(backend: Backend, resource: Resource, body: Any) -> tuple[Json, list[str]]:
    """The object as the server reads it, and the paths of fields that nobody knows. Raises DecodeError."""
    return fieldvalidation.decode(backend.customs.type_of(resource), body)


def fill_in(resource: Resource, obj: Json) -> Json:
    """The object with what the server fills in; it may be changed in place."""
    if resource.definition:  # a custom resource was filled in when it was decoded
        defaults.apply(resource, obj)
    return obj


def complaints(backend: Backend, kept: Resource, obj: Json, old: Json | None, subresource: str) -> list[Cause]:
    """What is wrong with an object in the version it is stored in."""
    return [*validation.validate(kept, obj, old, subresource), *backend.customs.validate(kept, obj, old)]
