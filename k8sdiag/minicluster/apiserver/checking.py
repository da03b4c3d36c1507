"""Validation, as far as it is there."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import validation
from k8sdiag.minicluster.apiserver.errors import Cause
from k8sdiag.minicluster.kinds import Resource


def validate(resource: Resource, obj: Json, old: Json | None, subresource: str) -> list[Cause]:
    check = getattr(validation, "validate", None)
    found: list[Cause] = check(resource, obj, old, subresource) if check is not None else []
    return found
