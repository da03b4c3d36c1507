"""Admission of streams: a webhook may forbid `kubectl exec` like any other operation
(apiserver/pkg/endpoints/handlers/rest.go ConnectResource)."""

from __future__ import annotations

from collections.abc import Sequence

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.admission import Attributes
from k8sdiag.minicluster.apiserver.backend import Answers, Backend
from k8sdiag.minicluster.apiserver.request import Answer, Request

_FLAGS = ("stdin", "stdout", "stderr", "tty")
_TRUE = frozenset(("1", "true", "True", "TRUE", "t", "T"))


def admit(backend: Backend, request: Request, answers: Answers, command: Sequence[str] = ()) -> Answer:
    """An empty answer where the stream may go on. Raises ApiError, NeedsWebhook."""
    attributes = Attributes(
        "connect",
        request.resource,
        request.user,
        request.namespace,
        request.name,
        request.subresource,
        obj=_options(request, command),
        query=request.query,
        answers=answers,
    )
    backend.admission.mutate(attributes)
    backend.admission.validate(attributes)
    return Answer(200, {}, attributes.warnings)


def _options(request: Request, command: Sequence[str]) -> Json:
    """The query as the object that it stands for: PodExecOptions and the like."""
    below = request.resource.subresources.get(request.subresource)
    kind = below.kind if below is not None else ""
    options: Json = {"kind": kind, "apiVersion": "v1"}
    options |= {flag: True for flag in _FLAGS if request.query.get(flag) in _TRUE}
    if request.query.get("container"):
        options["container"] = request.query["container"]
    if command:
        options["command"] = list(command)
    if request.query.get("path"):
        options["path"] = request.query["path"]
    return options
