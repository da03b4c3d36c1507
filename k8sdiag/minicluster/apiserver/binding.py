"""Puts a pod on a node (pkg/registry/core/pod/storage/storage.go BindingREST): what the scheduler ends with."""

from __future__ import annotations

from k8sdiag.clock import format_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.admission import Attributes
from k8sdiag.minicluster.apiserver.backend import Answers, Backend
from k8sdiag.minicluster.apiserver.bodies import read_body
from k8sdiag.minicluster.apiserver.request import Answer, Request


def create(backend: Backend, request: Request, answers: Answers) -> Answer:
    """For `pods/NAME/binding` and for `bindings`, whose name is in the body."""
    pods = backend.registry.named("pods")
    body = read_body("io.k8s.api.core.v1.Binding", request.body or {})
    meta = body.get("metadata") or {}
    name = request.name or meta.get("name", "")
    if meta.get("name") and meta["name"] != name:
        raise errors.bad_request("name in URL does not match name in Binding object")
    pod = backend.stored(pods, request.namespace, name)
    causes = _complaints(body)
    if causes:
        raise errors.invalid_kind("", "Binding", name, causes)
    attributes = Attributes(
        "create",
        pods,
        request.user,
        request.namespace,
        name,
        "binding",
        obj=body,
        dry_run=request.dry_run,
        query=request.query,
        answers=answers,
    )
    backend.admission.mutate(attributes)
    backend.admission.validate(attributes)
    _check(pod, name, meta)
    if not request.dry_run:
        backend.storage.update("pods", _bound(pod, body, format_time(backend.clock.now())))
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
    return Answer(201, status, attributes.warnings)


def _complaints(body: Json) -> list[errors.Cause]:
    target = body.get("target") or {}
    causes = []
    if target.get("kind") not in (None, "", "Node"):
        causes.append(errors.not_supported("target.kind", target["kind"], ("Node", "<empty>")))
    if not target.get("name"):
        causes.append(errors.required("target.name"))
    return causes


def _check(pod: Json, name: str, meta: Json) -> None:
    has, spec = pod["metadata"], pod.get("spec") or {}
    why = ""
    if meta.get("uid") and meta["uid"] != has["uid"]:
        why = f"Precondition failed: UID in precondition: {meta['uid']}, UID in object meta: {has['uid']}"
    elif has.get("deletionTimestamp"):
        why = f"pod {name} is being deleted, cannot be assigned to a host"
    elif spec.get("nodeName"):
        why = f'pod {name} is already assigned to node "{spec["nodeName"]}"'
    elif spec.get("schedulingGates"):
        why = f"pod {name} has non-empty .spec.schedulingGates"
    if why:
        text = f'Operation cannot be fulfilled on pods/binding "{name}": {why}'
        raise errors.ApiError(409, "Conflict", text, {"name": name, "kind": "pods/binding"})


def _bound(pod: Json, body: Json, now: str) -> Json:
    status = pod.get("status") or {}
    scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": now}
    conditions, found = [], False
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled":
            found = True
            was = condition.get("lastTransitionTime") if condition.get("status") == "True" else None
            condition = {**scheduled, "lastTransitionTime": was or now}  # noqa: PLW2901 (a changed copy of it)
        conditions.append(condition)
    if not found:
        conditions.append(scheduled)
    bound = {
        **pod,
        "spec": {**pod["spec"], "nodeName": body["target"]["name"]},
        "status": {**status, "conditions": conditions},
    }
    annotations = (body.get("metadata") or {}).get("annotations")
    if annotations:
        meta = pod["metadata"]
        bound["metadata"] = {**meta, "annotations": {**(meta.get("annotations") or {}), **annotations}}
    return bound
