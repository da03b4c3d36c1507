"""Get one object."""

from __future__ import annotations

from k8sdiag.minicluster.apiserver.backend import Answers, Backend, stored
from k8sdiag.minicluster.apiserver.conversion import convert
from k8sdiag.minicluster.apiserver.request import Answer, Request


def get(backend: Backend, request: Request, _answers: Answers) -> Answer:
    found = stored(backend, request.resource, request.namespace, request.name)
    return Answer(200, convert(found, request.resource))
