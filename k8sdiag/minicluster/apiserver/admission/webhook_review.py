"""AdmissionReview v1: what a webhook is asked and how its answer is read
(apiserver/pkg/admission/plugin/webhook: request/admissionreview.go, generic/conversion.go, errors/statuserror.go)."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import orjson

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.admission import Attributes, Context, NeedsWebhook, WebhookAnswer, WebhookCall
from k8sdiag.minicluster.apiserver.admission.webhook_rules import Webhook
from k8sdiag.minicluster.apiserver.conversion import convert
from k8sdiag.minicluster.apiserver.errors import ApiError, internal
from k8sdiag.minicluster.kinds import Resource

_VERSION = "admission.k8s.io/v1"
_NO_ANSWER = "failed to call webhook"
_OPTIONS = {"create": "CreateOptions", "update": "UpdateOptions", "delete": "DeleteOptions"}


class Failed(Exception):  # noqa: N818 (the webhook's failure, for its policy to judge)
    """A webhook that gave no usable answer."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A webhook's answer. `patch` are JSON patch operations."""

    allowed: bool
    status: Json
    warnings: tuple[str, ...] = ()
    patch: tuple[Json, ...] = ()


def ask(webhook: Webhook, phase: str, attributes: Attributes, context: Context) -> Verdict | None:
    """The verdict; None where the webhook failed and its policy is to go on then. Raises NeedsWebhook where it has not
    been asked yet."""
    name = webhook.name
    key = f"{phase}/{webhook.configuration}/{name}/{int(attributes.again)}"
    if attributes.verb == "delete":  # of which a deletecollection asks for several
        key += f"/{attributes.namespace}/{attributes.name}"
    answer = attributes.answers.get(key)
    try:
        if answer is None:
            raise NeedsWebhook(_call(key, webhook, attributes, context))
        verdict = _read(answer, mutating=phase == "mutate")
    except Failed as failed:
        if webhook.fails_open:
            return None
        raise internal(f'failed calling webhook "{name}": {failed}') from failed
    attributes.warnings.extend(verdict.warnings)
    return verdict


def denial(webhook: Webhook, verdict: Verdict) -> ApiError:
    """The refusal in the webhook's own words and with its own code."""
    status = verdict.status
    start = f'admission webhook "{webhook.name}" denied the request'
    why = status.get("message") or status.get("reason")
    code = status.get("code") or 0
    text = f"{start}: {why}" if why else f"{start} without explanation"
    return ApiError(max(code, 400), status.get("reason") or "", text, status.get("details"))


# ---- asking


def _call(key: str, webhook: Webhook, attributes: Attributes, context: Context) -> WebhookCall:
    uid = str(UUID(int=context.random.getrandbits(128), version=4))
    timeout = webhook.spec.get("timeoutSeconds") or 10
    url, host, port, server_name = _address(webhook.spec.get("clientConfig") or {}, timeout, context)
    split = urlsplit(url)
    bundle = (webhook.spec.get("clientConfig") or {}).get("caBundle") or ""
    return WebhookCall(
        key=key,
        uid=uid,
        url=url,
        host=host,
        port=port,
        server_name=server_name,
        path=f"{split.path or '/'}?{split.query}",
        ca_bundle=bundle,
        timeout=float(timeout),
        body=orjson.dumps(_review(uid, webhook, attributes)),
    )


def _address(config: Json, timeout: int, context: Context) -> tuple[str, str, int, str]:
    """URL, host and port to connect to, and the name its certificate must have."""
    if config.get("url"):
        split = urlsplit(config["url"])
        joint = "&" if split.query else "?"
        return (
            f"{config['url']}{joint}timeout={timeout}s",
            split.hostname or "",
            split.port or 443,
            split.hostname or "",
        )
    service = config.get("service") or {}
    namespace, name, port = service.get("namespace", ""), service.get("name", ""), service.get("port") or 443
    server_name = f"{name}.{namespace}.svc"
    path = service.get("path") or "/"
    url = f"https://{server_name}:{port}{path if path.startswith('/') else f'/{path}'}?timeout={timeout}s"
    try:
        host, target = _endpoint(namespace, name, port, context)
    except LookupError as error:
        raise Failed(f'{_NO_ANSWER}: Post "{url}": {error.args[0]}') from error
    return url, host, target, server_name


def _endpoint(namespace: str, name: str, port: int, context: Context) -> tuple[str, int]:
    """A ready endpoint of a Service. Cluster addresses lead nowhere in a lab, so the way is always straight to an
    endpoint, as with --enable-aggregator-routing (kube-aggregator/pkg/apiserver/resolvers.go)."""
    service = context.storage.get("services", namespace, name)
    if service is None:
        raise LookupError(f'service "{name}" not found')
    spec = service.get("spec") or {}
    if spec.get("type") == "ExternalName":
        return spec.get("externalName", ""), port
    wanted = next((each for each in spec.get("ports") or [] if each.get("port") == port), None)
    if wanted is None:
        raise LookupError(f'no service port {port} found for service "{name}"')
    for piece in context.storage.list("endpointslices.discovery.k8s.io", namespace):
        if (piece["metadata"].get("labels") or {}).get("kubernetes.io/service-name") != name:
            continue
        target = next(
            (p.get("port") for p in piece.get("ports") or [] if p.get("name", "") == wanted.get("name", "")), 0
        )
        for endpoint in piece.get("endpoints") or []:
            if target and (endpoint.get("conditions") or {}).get("ready") is not False and endpoint.get("addresses"):
                return str(endpoint["addresses"][0]), int(target)
    raise LookupError(f'no endpoints available for service "{name}"')


def _review(uid: str, webhook: Webhook, attributes: Attributes) -> Json:
    user, resource = attributes.user, attributes.resource
    who: Json = {"username": user.name, "groups": list(user.groups)}
    if user.uid:
        who["uid"] = user.uid
    if user.extra:
        who["extra"] = {key: list(values) for key, values in user.extra.items()}
    request: Json = {
        "uid": uid,
        "kind": _kind(webhook.resource, attributes.subresource),
        "resource": _resource(webhook.resource),
        "requestKind": _kind(resource, attributes.subresource),
        "requestResource": _resource(resource),
        "operation": attributes.verb.upper(),
        "userInfo": who,
        "object": _in_version(attributes.obj, webhook.resource, attributes.subresource),
        "oldObject": _in_version(attributes.old, webhook.resource, attributes.subresource),
        "dryRun": attributes.dry_run,
        "options": _options(attributes),
    }
    for key, value in (
        ("name", attributes.name),
        ("namespace", attributes.namespace),
        ("subResource", attributes.subresource),
        ("requestSubResource", attributes.subresource),
    ):
        if value:
            request[key] = value
    return {"kind": "AdmissionReview", "apiVersion": _VERSION, "request": request}


def _kind(resource: Resource, subresource: str) -> Json:
    below = resource.subresources.get(subresource)
    if below is not None:
        return {"group": below.group, "version": below.version, "kind": below.kind}
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def _resource(resource: Resource) -> Json:
    return {"group": resource.group, "version": resource.version, "resource": resource.plural}


def _in_version(obj: Json | None, resource: Resource, subresource: str) -> Json | None:
    if obj is None:
        return None
    if subresource in ("", "status"):
        obj = convert(obj, resource)
        return {**obj, "kind": resource.kind, "apiVersion": resource.api_version}
    return obj


def _options(attributes: Attributes) -> Json | None:
    kind = _OPTIONS.get(attributes.verb)
    if kind is None:
        return None
    options: Json = {"kind": kind, "apiVersion": "meta.k8s.io/v1", **(attributes.content or {})}
    if attributes.dry_run:
        options["dryRun"] = ["All"]
    for key in ("fieldManager", "fieldValidation"):
        if attributes.query.get(key) and attributes.verb != "delete":
            options[key] = attributes.query[key]
    return options


# ---- reading


def _read(answer: WebhookAnswer, *, mutating: bool) -> Verdict:
    if answer.error or not 200 <= answer.status < 300:
        raise Failed(f"{_NO_ANSWER}: {answer.error or _status_words(answer)}")
    try:
        review: Any = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        review = None
    if not isinstance(review, dict):
        raise Failed(f"{_NO_ANSWER}: couldn't get version/kind; json parse error")
    if review.get("apiVersion") != _VERSION or review.get("kind") != "AdmissionReview":
        group, _, version = str(review.get("apiVersion") or "").rpartition("/")
        got = f"{group}/{version}, Kind={review.get('kind') or ''}"
        raise _invalid(f"expected webhook response of {_VERSION}, Kind=AdmissionReview, got {got}")
    response = review.get("response")
    if not isinstance(response, dict):
        raise _invalid("webhook response was absent")
    if response.get("uid") != answer.uid:
        raise _invalid(f'expected response.uid="{answer.uid}", got "{response.get("uid") or ""}"')
    return Verdict(
        allowed=response.get("allowed") is True,
        status=response.get("status") or {},
        warnings=tuple(map(str, response.get("warnings") or ())),
        patch=_patch(response, mutating=mutating),
    )


def _patch(response: Json, *, mutating: bool) -> tuple[Json, ...]:
    encoded = response.get("patch")
    if not mutating:
        if encoded or response.get("patchType"):
            raise _invalid(
                "webhook response.patch may not be set" if encoded else "webhook response.patchType may not be set"
            )
        return ()
    if not encoded:
        if response.get("patchType"):
            raise _invalid("webhook returned response.patchType but not response.patch")
        return ()
    if not response.get("patchType"):
        raise _invalid("webhook returned response.patch but not response.patchType")
    if response["patchType"] != "JSONPatch":
        raise _invalid(f'webhook returned invalid response.patchType of "{response["patchType"]}"')
    try:
        operations: Any = orjson.loads(base64.b64decode(encoded, validate=True))
    except (binascii.Error, ValueError) as error:
        raise _invalid(f"illegal base64 or JSON data in patch: {error}") from error
    return tuple(operations or ())


def _invalid(why: str) -> Failed:
    return Failed(f"received invalid webhook response: {why}")


def _status_words(answer: WebhookAnswer) -> str:
    """As client-go words an HTTP error that is no Status object (NewGenericServerResponse)."""
    if answer.status == 404:
        return "the server could not find the requested resource"
    if answer.status == 400:
        return "the server rejected our request for an unknown reason"
    if answer.status >= 500:
        text = answer.body[:2048].decode("utf-8", "replace").strip().replace('"', '\\"')
        return f'an error on the server ("{text or "unknown"}") has prevented the request from succeeding'
    return f"the server responded with the status code {answer.status} but did not return more information"
