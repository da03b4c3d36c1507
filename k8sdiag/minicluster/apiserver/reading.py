"""Get one object."""

from __future__ import annotations

from k8sdiag.minicluster.apiserver.backend import Answers, Backend
from k8sdiag.minicluster.apiserver.conversion import convert
from k8sdiag.minicluster.apiserver.listing import read_version, too_large
from k8sdiag.minicluster.apiserver.request import Answer, Request


def get(backend: Backend, request: Request, _answers: Answers) -> Answer:
    version = read_version(request.query.get("resourceVersion", "")) if request.query else 0
    if version > backend.storage.revision:
        raise too_large(version, backend.storage.revision)
    found = backend.stored(request.resource, request.namespace, request.name)
    return Answer(200, convert(found, request.resource))
