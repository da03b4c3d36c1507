"""Tokens for ServiceAccounts, for a time and bound to a pod where asked
(pkg/registry/core/serviceaccount/storage/token.go)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from k8sdiag.clock import format_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.admission import Attributes
from k8sdiag.minicluster.apiserver.backend import Answers, Backend
from k8sdiag.minicluster.apiserver.bodies import read_body
from k8sdiag.minicluster.apiserver.request import Answer, Request

DEFAULT_SECONDS = 3600
_LEAST = 600
# What kubelet asks for pods: the token then lives for a year, and its use after this time is only logged.
_EXTENDED = 3607
_YEAR = 365 * 24 * 3600
_OWN_AUDIENCE = "https://kubernetes.default.svc.cluster.local"


class Issuer(Protocol):
    """Signs a token for a ServiceAccount object; gives it and when it expires."""

    def __call__(
        self,
        account: Json,
        audiences: Iterable[str] = (),
        seconds: float = ...,
        bound: Mapping[str, Json] | None = None,
    ) -> tuple[str, float]: ...


def create(issue: Issuer | None, backend: Backend, request: Request, answers: Answers) -> Answer:
    account = backend.stored(request.resource, request.namespace, request.name)
    if issue is None:
        raise errors.internal("no signer of service account tokens")
    body = read_body("io.k8s.api.authentication.v1.TokenRequest", request.body or {})
    spec: Json = {**(body.get("spec") or {})}
    if (body.get("metadata") or {}).get("name", request.name) != request.name:
        raise errors.bad_request("name in URL does not match name in TokenRequest object")
    seconds = spec.get("expirationSeconds")
    seconds = DEFAULT_SECONDS if seconds is None else seconds
    audiences = spec.get("audiences") or [_OWN_AUDIENCE]
    _check_seconds(request.name, seconds)
    attributes = Attributes(
        "create",
        request.resource,
        request.user,
        request.namespace,
        request.name,
        "token",
        obj=body,
        dry_run=request.dry_run,
        query=request.query,
        answers=answers,
    )
    backend.admission.mutate(attributes)
    backend.admission.validate(attributes)
    bound = _bound(backend, request, spec.get("boundObjectRef"))
    extended = seconds == _EXTENDED and "pod" in bound and audiences == [_OWN_AUDIENCE]
    token, _ = issue(account, audiences, _YEAR if extended else seconds, bound)
    now = backend.clock.now()
    meta = {"name": request.name, "namespace": request.namespace, "creationTimestamp": format_time(now)}
    answer = {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": meta,
        "spec": {
            "audiences": audiences,
            "expirationSeconds": seconds,
            "boundObjectRef": spec.get("boundObjectRef"),
        },
        "status": {"token": token, "expirationTimestamp": format_time(now + seconds)},
    }
    return Answer(201, answer, attributes.warnings)


def _check_seconds(name: str, seconds: int) -> None:
    text = ""
    if seconds < _LEAST:
        text = "may not specify a duration less than 10 minutes"
    elif seconds > 1 << 32:
        text = "may not specify a duration larger than 2^32 seconds"
    if text:
        cause = errors.invalid_value("spec.expirationSeconds", seconds, text)
        raise errors.invalid_kind("authentication.k8s.io", "TokenRequest", name, [cause])


def _bound(backend: Backend, request: Request, reference: Json | None) -> dict[str, Json]:
    """The objects the token lives and dies with."""
    if not reference:
        return {}
    kind, version, name = reference.get("kind", ""), reference.get("apiVersion", ""), reference.get("name", "")
    words = {"Pod": "pods", "Secret": "secrets", "Node": "nodes"}
    if kind not in words or version != "v1":
        group, _, bare = version.rpartition("/")
        raise errors.bad_request(f"cannot bind token to object of type {group}/{bare}, Kind={kind}")
    resource = backend.registry.named(words[kind])
    obj = backend.stored(resource, request.namespace if resource.namespaced else "", name)
    uid = reference.get("uid")
    if uid and uid != obj["metadata"]["uid"]:
        why = (
            f"the UID in the bound object reference ({uid}) does not match the UID in record."
            " The object might have been deleted and then recreated"
        )
        raise errors.conflict(resource, name, why)
    if kind != "Pod":
        return {kind.lower(): obj}
    spec = obj.get("spec") or {}
    if spec.get("serviceAccountName") != request.name:
        raise errors.bad_request(
            f'cannot bind token for serviceaccount "{request.name}" to pod running with different serviceaccount name.'
        )
    bound = {"pod": obj}
    node = backend.storage.get("nodes", "", spec["nodeName"]) if spec.get("nodeName") else None
    if node is not None:
        bound["node"] = node
    return bound
