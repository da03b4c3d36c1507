"""What goes wrong in an API server, as the Status objects of a real one
(apimachinery/pkg/api/errors/errors.go, apimachinery/pkg/util/validation/field/errors.go)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from k8sdiag.evidence import Json
from k8sdiag.minicluster.kinds import Resource


@dataclass(frozen=True, slots=True)
class Cause:
    """One complaint about one field. `message` has no path in it: Kubernetes puts the path in front where it joins."""

    field: str
    reason: str
    message: str

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"

    def json(self) -> Json:
        return {"reason": self.reason, "message": self.message, "field": self.field}


class ApiError(Exception):
    """A refusal: HTTP status, the API's word for it, a message for people, and `details` (metav1.StatusDetails)."""

    def __init__(self, code: int, reason: str, message: str, details: Json | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.warnings: list[str] = []  # what admission had to say before it came to this

    def status(self) -> Json:
        """The metav1.Status that goes over the wire."""
        body: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            body["reason"] = self.reason
        if self.details:
            body["details"] = self.details
        body["code"] = self.code
        return body


def _about(resource: Resource, name: str, **more: Any) -> Json:
    details: Json = {"name": name} if name else {}
    if resource.group:
        details["group"] = resource.group
    return {**details, "kind": resource.plural, **more}


def not_found(resource: Resource, name: str) -> ApiError:
    return ApiError(404, "NotFound", f'{resource.qualified} "{name}" not found', _about(resource, name))


def no_such_path() -> ApiError:
    """Where no resource is served at all; kubectl turns it into `the server doesn't have a resource type`."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(resource: Resource, name: str) -> ApiError:
    return ApiError(409, "AlreadyExists", f'{resource.qualified} "{name}" already exists', _about(resource, name))


def conflict(resource: Resource, name: str, why: str) -> ApiError:
    text = f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}'
    return ApiError(409, "Conflict", text, _about(resource, name))


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def modified(resource: Resource, name: str) -> ApiError:
    """An update from a resourceVersion that is no longer the newest."""
    return conflict(resource, name, MODIFIED)


def apply_conflicts(message: str, causes: Sequence[Cause]) -> ApiError:
    """Fields that other managers own (NewApplyConflict). `causes` carry reason FieldManagerConflict."""
    return ApiError(409, "Conflict", message, {"causes": [cause.json() for cause in causes]})


def invalid(resource: Resource, name: str, causes: Sequence[Cause]) -> ApiError:
    """422: what validation found, with every field in the message (NewInvalid)."""
    return invalid_kind(resource.group, resource.kind, name, causes)


def invalid_kind(group: str, kind: str, name: str, causes: Sequence[Cause]) -> ApiError:
    """The same for an object that is no resource's own (Scale, Eviction, TokenRequest)."""
    details: Json = {"name": name} if name else {}
    if group:
        details["group"] = group
    details["kind"] = kind
    details["causes"] = [cause.json() for cause in causes]
    called = f"{kind}.{group}" if group else kind
    return ApiError(422, "Invalid", f'{called} "{name}" is invalid: {_aggregate(causes)}', details)


def _aggregate(causes: Iterable[Cause]) -> str:
    """As utilerrors.Aggregate prints: one as it is, several in brackets, each only once."""
    texts = list(dict.fromkeys(map(str, causes)))
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def forbidden(resource: Resource, name: str, why: str) -> ApiError:
    """403: `pods "web" is forbidden: …`, without a name `pods is forbidden: …` (NewForbidden)."""
    if not resource.plural:
        text = f"forbidden: {why}"
    elif name:
        text = f'{resource.qualified} "{name}" is forbidden: {why}'
    else:
        text = f"{resource.qualified} is forbidden: {why}"
    return ApiError(403, "Forbidden", text, _about(resource, name))


def forbidden_path(why: str) -> ApiError:
    return ApiError(403, "Forbidden", f"forbidden: {why}", {})


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def expired(message: str, **details: Any) -> ApiError:
    """410: the resourceVersion or continue token is older than what is kept."""
    return ApiError(410, "Expired", message, details or None)


def method_not_allowed(resource: Resource, verb: str) -> ApiError:
    text = f"{verb} is not supported on resources of kind {resource.qualified!r}".replace("'", '"')
    return ApiError(405, "MethodNotAllowed", text, _about(resource, ""))


def no_such_method() -> ApiError:
    return ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})


def not_acceptable(accepted: Iterable[str]) -> ApiError:
    text = f"only the following media types are accepted: {', '.join(accepted)}"
    return ApiError(406, "NotAcceptable", text)


def unsupported_media_type(accepted: Iterable[str]) -> ApiError:
    text = f"the body of the request was in an unknown format - accepted media types include: {', '.join(accepted)}"
    return ApiError(415, "UnsupportedMediaType", text)


def too_many_requests(message: str, retry_after: int = 0, causes: Sequence[Json] = ()) -> ApiError:
    details: Json = {}
    if causes:
        details["causes"] = list(causes)
    if retry_after:
        details["retryAfterSeconds"] = retry_after
    return ApiError(429, "TooManyRequests", message, details or None)


def timeout(message: str, retry_after: int = 0, causes: Sequence[Json] = ()) -> ApiError:
    """504: the server could not do it in time, so it may or may not have been done."""
    details: Json = {"causes": list(causes)} if causes else {}
    if retry_after:
        details["retryAfterSeconds"] = retry_after
    return ApiError(504, "Timeout", f"Timeout: {message}", details or None)


def internal(message: str) -> ApiError:
    text = f"Internal error occurred: {message}"
    return ApiError(500, "InternalError", text, {"causes": [{"message": message}]})


def unavailable(message: str) -> ApiError:
    return ApiError(503, "ServiceUnavailable", message)


def too_large(message: str) -> ApiError:
    return ApiError(413, "RequestEntityTooLarge", f"Request entity is too large: {message}")


# ---- what validation says of a field


def go_value(value: Any) -> str:
    """A value as field errors show it: strings in quotes, the rest as JSON."""
    return orjson.dumps(value).decode()


def invalid_value(field: str, value: Any, detail: str) -> Cause:
    text = f"Invalid value: {go_value(value)}"
    return Cause(field, "FieldValueInvalid", f"{text}: {detail}" if detail else text)


def required(field: str, detail: str = "") -> Cause:
    return Cause(field, "FieldValueRequired", f"Required value: {detail}" if detail else "Required value")


def duplicate(field: str, value: Any) -> Cause:
    return Cause(field, "FieldValueDuplicate", f"Duplicate value: {go_value(value)}")


def not_supported(field: str, value: Any, choices: Iterable[str]) -> Cause:
    """The choices are listed as they are given, quoted; give a set of them in order."""
    listed = ", ".join(go_value(choice) for choice in choices)
    return Cause(field, "FieldValueNotSupported", f"Unsupported value: {go_value(value)}: supported values: {listed}")


def forbidden_field(field: str, detail: str) -> Cause:
    return Cause(field, "FieldValueForbidden", f"Forbidden: {detail}" if detail else "Forbidden")


def too_long(field: str, most: int) -> Cause:
    """The value is left out, for it is long (field.TooLong)."""
    return Cause(field, "FieldValueTooLong", f"Too long: may not be more than {most} bytes")


def too_many(field: str, count: int, most: int) -> Cause:
    things = "item" if most == 1 else "items"
    return Cause(field, "FieldValueTooMany", f"Too many: {count}: must have at most {most} {things}")


def not_found_value(field: str, value: Any) -> Cause:
    return Cause(field, "FieldValueNotFound", f"Not found: {go_value(value)}")


def type_invalid(field: str, value: Any, detail: str) -> Cause:
    return Cause(field, "FieldValueTypeInvalid", f"Invalid value: {go_value(value)}: {detail}")
