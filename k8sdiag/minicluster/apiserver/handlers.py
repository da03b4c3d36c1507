"""A request in, an answer out: who handles which verb. Free of HTTP, and nothing in it waits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from random import Random
from types import MappingProxyType

from k8sdiag.clock import Clock
from k8sdiag.minicluster.apiserver import creating, deleting, errors, listing, patching, reading, updating
from k8sdiag.minicluster.apiserver.admission import Admission, Context, WebhookAnswer
from k8sdiag.minicluster.apiserver.backend import Answers, Backend
from k8sdiag.minicluster.apiserver.customresources import CustomResources
from k8sdiag.minicluster.apiserver.lifecycle import deprecation
from k8sdiag.minicluster.apiserver.request import Answer, Request
from k8sdiag.minicluster.apiserver.storage import Storage
from k8sdiag.minicluster.apiserver.subresources import Subresources
from k8sdiag.minicluster.apiserver.webhooks import Outside
from k8sdiag.minicluster.kinds import Registry

_NONE: Mapping[str, WebhookAnswer] = MappingProxyType({})

Handler = Callable[[Backend, Request, Answers], Answer]

_VERBS: Mapping[str, Handler] = {
    "get": reading.get,
    "list": listing.list_objects,
    "create": creating.create,
    "update": updating.update,
    "patch": patching.patch,
    "delete": deleting.delete,
    "deletecollection": deleting.delete_collection,
}


class Handlers:
    """The API server, as far as single requests go; watches are `watch.py`'s."""

    def __init__(self, registry: Registry, storage: Storage, clock: Clock, random: Random) -> None:
        admission = Admission(Context(storage, registry, clock, random))
        self.backend = Backend(registry, storage, CustomResources(registry), admission, clock, random)
        self.subresources = Subresources()
        # Entered while an in-process request waits for a webhook; a hosted cluster lets others run meanwhile.
        self.outside: Outside = nullcontext

    def handle(self, request: Request, answers: Answers = _NONE) -> Answer:
        """Raises ApiError where it refuses, and NeedsWebhook where a webhook must be asked first: ask, and handle the
        request again with all answers so far."""
        answer = self.subresources.handle(self.backend, request, answers)
        if answer is None:
            handler = _VERBS.get(request.verb)
            if handler is None:
                raise errors.method_not_allowed(request.resource, request.verb)
            answer = handler(self.backend, request, answers)
        answer.warnings += deprecation(request.resource) or self.backend.customs.deprecation(request.resource)
        return answer
