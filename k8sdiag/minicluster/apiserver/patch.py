"""The four kinds of patch, told apart by their content type (apiserver/pkg/endpoints/handlers/patch.go)."""

from __future__ import annotations

from typing import Any

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.apiserver.jsonpatch import MAX_OPERATIONS, MalformedPatchError, PatchError, apply_json_patch
from k8sdiag.minicluster.apiserver.schema import Type
from k8sdiag.minicluster.apiserver.strategic import StrategicError, strategic_merge

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
APPLY_PATCH_CBOR = "application/apply-patch+cbor"

# The in-process client's words for them.
CONTENT_TYPES = {"json": JSON_PATCH, "merge": MERGE_PATCH, "strategic": STRATEGIC_PATCH, "apply": APPLY_PATCH}


def accepted(*, custom: bool) -> tuple[str, ...]:
    """The content types that a resource takes; custom resources have no merge keys to be strategic with."""
    strategic = () if custom else (STRATEGIC_PATCH,)
    return (JSON_PATCH, MERGE_PATCH, *strategic, APPLY_PATCH)


def check_content_type(content_type: str, *, custom: bool) -> str:
    """The bare content type of a patch; ApiError 415 for another."""
    bare = content_type.partition(";")[0].strip().lower()
    choices = accepted(custom=custom)
    if bare not in choices:
        raise errors.unsupported_media_type(choices)
    return bare


def apply_patch(content_type: str, current: Json, patch: Any, node: Type) -> Json:
    """What `current` becomes by a JSON, merge or strategic merge patch. Apply needs managers and is `apply.apply`."""
    if content_type == JSON_PATCH:
        patched = _json(current, patch)
    elif content_type == MERGE_PATCH:
        patched = merge(current, patch)
    elif isinstance(patch, dict):
        patched = _strategic(node, current, patch)
    else:
        raise errors.bad_request(
            f"error decoding patch: json: cannot unmarshal {json_type(patch)} into Go value of type"
            " map[string]interface {}"
        )
    if not isinstance(patched, dict):
        raise rejected()
    return patched


def rejected() -> ApiError:
    """A patch that cannot be done. The server does not say why (NewGenericServerResponse)."""
    return ApiError(422, "Invalid", "the server rejected our request due to an error in our request", {})


def undecodable(shown: str, message: str) -> ApiError:
    """The patched object is not what its type asks for. `shown` is the patch, or the object it led to."""
    cause = errors.invalid_value("patch", shown, message)
    return errors.invalid_kind("", "", "", [cause])


def _json(current: Json, patch: Any) -> Any:
    try:
        if isinstance(patch, list) and len(patch) > MAX_OPERATIONS:
            text = f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {len(patch)}"
            raise errors.too_large(text)
        return apply_json_patch(current, patch)
    except MalformedPatchError:
        raise errors.bad_request(
            f"json: cannot unmarshal {json_type(patch)} into Go value of type jsonpatch.Patch"
        ) from None
    except PatchError as error:
        raise rejected() from error


def _strategic(node: Type, current: Json, patch: Json) -> Json:
    try:
        return strategic_merge(node, current, patch)
    except StrategicError as error:
        if error.code == 400:
            raise errors.bad_request(str(error)) from None
        if error.code == 422:
            raise rejected() from error
        raise ApiError(500, "", str(error)) from None


def merge(target: Any, patch: Any) -> Any:
    """RFC 7386. Nulls inside what is new to the object go as well."""
    if not isinstance(patch, dict):
        return patch
    out = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = merge(out.get(key), value)
    return out


def json_type(value: Any) -> str:
    """Go's word for a JSON value: string, number, bool, object, array, null."""
    if value is None:
        return "null"
    names = {bool: "bool", int: "number", float: "number", str: "string", dict: "object", list: "array"}
    return names[type(value)]
