"""List objects: selectors, pages that agree with each other, and what a resourceVersion asks for."""

from __future__ import annotations

from k8sdiag.minicluster.apiserver.backend import Answers, Backend
from k8sdiag.minicluster.apiserver.conversion import convert
from k8sdiag.minicluster.apiserver.request import Answer, Request


def list_objects(backend: Backend, request: Request, _answers: Answers) -> Answer:
    resource, storage = request.resource, backend.storage
    items = [convert(obj, resource) for obj in storage.list(resource.storage, request.namespace)]
    return Answer(
        200,
        {
            "kind": resource.list_kind,
            "apiVersion": resource.api_version,
            "metadata": {"resourceVersion": str(storage.revision)},
            "items": items,
        },
    )
