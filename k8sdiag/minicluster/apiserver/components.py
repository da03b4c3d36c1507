"""ComponentStatuses: made when they are asked for, as nothing is stored of them
(pkg/registry/core/componentstatus/rest.go). Scheduler and controllers are this very process, so whoever gets an answer
gets a good one."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.backend import Answers, Backend
from k8sdiag.minicluster.apiserver.request import Answer, Request

_NAMES = ("controller-manager", "scheduler", "etcd-0")


def get(_backend: Backend, request: Request, _answers: Answers) -> Answer:
    if request.name not in _NAMES:
        raise errors.not_found(request.resource, request.name)
    return Answer(200, _status(request.name))


def list_objects(_backend: Backend, request: Request, _answers: Answers) -> Answer:
    body = {
        "kind": request.resource.list_kind,
        "apiVersion": request.resource.api_version,
        "metadata": {},
        "items": [_status(name) for name in _NAMES],
    }
    return Answer(200, body)


def _status(name: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "ComponentStatus",
        "metadata": {"name": name, "creationTimestamp": None},
        "conditions": [{"type": "Healthy", "status": "True", "message": "ok"}],
    }
