"""Patch an object: work out what it is to be, then update it (apiserver/pkg/endpoints/handlers/patch.go)."""

from __future__ import annotations

from typing import Any

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.backend import Answers, Backend, stored
from k8sdiag.minicluster.apiserver.conversion import convert
from k8sdiag.minicluster.apiserver.request import Answer, Request
from k8sdiag.minicluster.apiserver.updating import replace


def patch(backend: Backend, request: Request, answers: Answers) -> Answer:
    old = stored(backend, request.resource, request.namespace, request.name)
    current = convert(old, request.resource)
    return replace(backend, request, answers, old, merge(current, request.body))


def merge(target: Json, change: Json) -> Json:
    """RFC 7386."""
    out: dict[str, Any] = dict(target)
    for key, value in change.items():
        if value is None:
            out.pop(key, None)
        elif isinstance(value, dict):
            before = out.get(key)
            out[key] = merge(before if isinstance(before, dict) else {}, value)
        else:
            out[key] = value
    return out
