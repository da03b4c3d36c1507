"""Delete objects (apiserver/pkg/registry/generic/registry/store.go Delete, registry/rest/delete.go)."""

from __future__ import annotations

from k8sdiag.clock import format_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.admission import Attributes
from k8sdiag.minicluster.apiserver.backend import Answers, Backend, stored
from k8sdiag.minicluster.apiserver.conversion import convert
from k8sdiag.minicluster.apiserver.request import Answer, Request


def delete(backend: Backend, request: Request, answers: Answers) -> Answer:
    resource = request.resource
    old = stored(backend, resource, request.namespace, request.name)
    options: Json = request.body or {}
    uid = (options.get("preconditions") or {}).get("uid")
    if uid and uid != old["metadata"]["uid"]:
        raise errors.conflict(resource, request.name, "the UID in the precondition does not match")
    attributes = Attributes(
        "delete", resource, request.user, request.namespace, request.name, old=old, query=request.query, answers=answers
    )
    backend.admission.mutate(attributes)
    backend.admission.validate(attributes)
    grace = 0
    if resource.plural == "pods":
        spec = old.get("spec") or {}
        given = options.get("gracePeriodSeconds")
        grace = given if given is not None else spec.get("terminationGracePeriodSeconds", 30)
        if not spec.get("nodeName"):
            grace = 0
    finalizers = old["metadata"].get("finalizers")
    if not grace and not finalizers:
        gone = backend.storage.delete(resource.storage, request.namespace, request.name)
        return Answer(200, convert(gone, resource))
    meta = {**old["metadata"], "deletionGracePeriodSeconds": grace}
    meta["deletionTimestamp"] = format_time(backend.clock.now() + grace)
    going = backend.storage.update(resource.storage, {**old, "metadata": meta})
    return Answer(200, convert(going, resource))


def delete_collection(backend: Backend, request: Request, answers: Answers) -> Answer:
    for obj in backend.storage.list(request.resource.storage, request.namespace):
        one = Request(
            "delete",
            request.resource,
            request.user,
            obj["metadata"].get("namespace", ""),
            obj["metadata"]["name"],
            query=request.query,
            body=request.body,
        )
        delete(backend, one, answers)
    return Answer(200, {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 200})
