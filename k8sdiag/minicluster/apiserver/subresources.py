"""Subresources that are more than a part of their object: who answers which
(pkg/registry/core/rest/storage_core.go and its like for the other groups).

Those that are a part (`status`, `ephemeralcontainers`, `resize`, `approval`, `finalize`) go the way of any update;
what each of them may change is `strategy`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from k8sdiag.minicluster.apiserver import binding, components, eviction, scaling, token_requests
from k8sdiag.minicluster.apiserver.backend import Answers, Backend
from k8sdiag.minicluster.apiserver.request import Answer, Request
from k8sdiag.minicluster.apiserver.token_requests import Issuer

Handler = Callable[[Backend, Request, Answers], Answer]

_HANDLERS: Mapping[tuple[str, str, str], Handler] = {
    ("bindings", "", "create"): binding.create,
    ("componentstatuses", "", "get"): components.get,
    ("componentstatuses", "", "list"): components.list_objects,
    ("pods", "binding", "create"): binding.create,
    ("pods", "eviction", "create"): eviction.create,
}
_SCALE: Mapping[str, Handler] = {"get": scaling.get, "update": scaling.update, "patch": scaling.patch}


class Subresources:
    """`issue` makes ServiceAccount tokens; without it there are none to be had."""

    def __init__(self) -> None:
        self.issue: Issuer | None = None

    def handle(self, backend: Backend, request: Request, answers: Answers) -> Answer | None:
        """The answer; None where the request goes the way of all others."""
        if request.subresource == "scale":
            scale = _SCALE.get(request.verb)
            return scale(backend, request, answers) if scale is not None else None
        if request.subresource == "token" and request.verb == "create":
            return token_requests.create(self.issue, backend, request, answers)
        handler = _HANDLERS.get((request.resource.storage, request.subresource, request.verb))
        return handler(backend, request, answers) if handler is not None else None
