"""List objects: selectors, pages that agree with each other, and what a resourceVersion asks for
(apiserver/pkg/storage/etcd3/store.go GetList, storage/cacher/cacher.go, storage/continue.go)."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.backend import Answers, Backend
from k8sdiag.minicluster.apiserver.conversion import convert
from k8sdiag.minicluster.apiserver.errors import ApiError, Cause
from k8sdiag.minicluster.apiserver.request import Answer, Request
from k8sdiag.minicluster.apiserver.selecting import Selection, select
from k8sdiag.minicluster.apiserver.storage import Placed, Storage

_EXPIRED = "The resourceVersion for the provided list is too old."
_EXPIRED_PAGE = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. "
    "Continuing with the provided token results in an inconsistent list - objects that were created, modified, or "
    "deleted between the time the first chunk was returned and now may show up in the list."
)
_TRUE = frozenset(("1", "true", "True", "TRUE", "t", "T"))
_NEWEST = -1  # in a continue token: go on with what there is by then


class ExpiredPageError(ApiError):
    """410 with a token in it, for those who would rather go on inconsistently than start again."""

    def __init__(self, token: str) -> None:
        super().__init__(410, "Expired", _EXPIRED_PAGE)
        self._token = token

    def status(self) -> Json:
        return {**super().status(), "metadata": {"continue": self._token}}


@dataclass(frozen=True, slots=True)
class Page:
    """Some of what was selected. `token` leads on, '' at the end; `left` is how many are left, where known."""

    objects: list[Json]
    revision: int
    token: str = ""
    left: int | None = None


def list_objects(backend: Backend, request: Request, _answers: Answers) -> Answer:
    resource = request.resource
    selection = select(resource, request.namespace, request.query)
    page = read_page(backend.storage, resource.storage, selection, request.query)
    meta: Json = {"resourceVersion": str(page.revision)}
    if page.token:
        meta["continue"] = page.token
        if page.left is not None:
            meta["remainingItemCount"] = page.left
    items = [convert(obj, resource) for obj in page.objects]
    if resource.definition:  # lists of Go structs do not repeat the kind in each item
        items = [{key: value for key, value in obj.items() if key not in ("kind", "apiVersion")} for obj in items]
    return Answer(
        200, {"kind": resource.list_kind, "apiVersion": resource.api_version, "metadata": meta, "items": items}
    )


def read_page(storage: Storage, key: str, selection: Selection, query: Mapping[str, str]) -> Page:
    """The page that a query asks for. Raises 400, 410, 422 and 504 in the real server's words."""
    _check_options(query)
    limit, version, token = read_limit(query), read_version(query.get("resourceVersion", "")), query.get("continue", "")
    match = query.get("resourceVersionMatch", "")
    if token:
        return _next_page(storage, key, selection, limit, token, version)
    if version > storage.revision:
        raise too_large(version, storage.revision)
    if version and (match == "Exact" or (not match and limit)):
        try:
            placed = storage.snapshot(key, selection.namespace, version)
        except ApiError:
            raise errors.expired(_EXPIRED) from None
        return _cut(placed, version, selection, limit)
    if version == 0 and query.get("resourceVersion"):
        limit = 0  # whoever takes any version is served from the watch cache, which knows no pages
    return _newest(storage, key, selection, limit)


def _newest(storage: Storage, key: str, selection: Selection, limit: int, after: str = "") -> Page:
    revision = storage.revision
    if selection.name and not after and (selection.namespace or not limit):
        found = _by_name(storage, key, selection)
        if found is not None:
            return Page(found, revision)
    if limit or after:
        return _cut(storage.snapshot(key, selection.namespace, revision, after), revision, selection, limit)
    objects = storage.list(key, selection.namespace)
    if not selection.is_everything:
        objects = [obj for obj in objects if selection.matches(obj)]
    return Page(objects, revision)


def _by_name(storage: Storage, key: str, selection: Selection) -> list[Json] | None:
    """The one object that `metadata.name=` can mean; None where there may be one in each namespace."""
    found = storage.get(key, selection.namespace, selection.name)
    if found is not None:
        return [found] if selection.matches(found) else []
    return [] if selection.namespace else None


def _next_page(storage: Storage, key: str, selection: Selection, limit: int, token: str, version: int) -> Page:
    start, revision = _read_token(token)
    if version:
        raise errors.bad_request("specifying resource version is not allowed when using continue")
    prefix = f"{selection.namespace}/" if selection.namespace else ""
    if revision == _NEWEST:
        return _newest(storage, key, selection, limit, prefix + start)
    if revision > storage.revision:
        raise too_large(revision, storage.revision)
    try:
        placed = storage.snapshot(key, selection.namespace, revision, prefix + start)
    except ApiError:
        raise ExpiredPageError(_write_token(start, _NEWEST)) from None
    return _cut(placed, revision, selection, limit)


def _cut(placed: Placed, revision: int, selection: Selection, limit: int) -> Page:
    """As many as fit on a page of those that are selected."""
    if selection.is_everything:
        objects = [obj for _, obj in (placed[:limit] if limit else placed)]
        if not limit or len(placed) <= limit:
            return Page(objects, revision)
        last = placed[limit - 1][0]
        return Page(objects, revision, _after(last, selection, revision), len(placed) - limit)
    objects = []
    last = ""
    for key, obj in placed:
        if limit and len(objects) == limit:
            return Page(objects, revision, _after(last, selection, revision))
        last = key
        if selection.matches(obj):
            objects.append(obj)
    return Page(objects, revision)


def _after(last: str, selection: Selection, revision: int) -> str:
    start = last.removeprefix(f"{selection.namespace}/") if selection.namespace else last
    return _write_token(f"{start}\0", revision)


def _write_token(start: str, revision: int) -> str:
    token = orjson.dumps({"v": "meta.k8s.io/v1", "rv": revision, "start": start})
    return urlsafe_b64encode(token).decode().rstrip("=")


def _read_token(token: str) -> tuple[str, int]:
    try:
        data = orjson.loads(urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except ValueError as error:
        raise errors.bad_request(f"invalid continue token: continue key is not valid: {error}") from None
    why = ""
    if not isinstance(data, dict) or data.get("v") != "meta.k8s.io/v1":
        version = data.get("v", "") if isinstance(data, dict) else ""
        why = f": server does not recognize this encoded version {version}"
    elif not isinstance(data.get("rv"), int) or not data["rv"]:
        why = ": incorrect encoded start resourceVersion (version meta.k8s.io/v1)"
    elif not isinstance(data.get("start"), str) or not data["start"]:
        why = ": encoded start key empty (version meta.k8s.io/v1)"
    elif ".." in data["start"].split("/") or "//" in data["start"]:
        why = f": {data['start']}"
    if why:
        raise errors.bad_request(f"invalid continue token: continue key is not valid{why}")
    return data["start"], data["rv"]


def read_version(text: str) -> int:
    """A resourceVersion as a number, 0 for none (storage/api_object_versioner.go ParseResourceVersion)."""
    if not text:
        return 0
    if not text.isascii() or not text.isdigit() or int(text) >= 1 << 64:
        why = "value out of range" if text.isascii() and text.isdigit() else "invalid syntax"
        cause = errors.invalid_value("resourceVersion", text, f'strconv.ParseUint: parsing "{text}": {why}')
        raise errors.bad_request(f"invalid resource version: {cause}")
    return int(text)


def read_limit(query: Mapping[str, str]) -> int:
    text = query.get("limit", "")
    if not text:
        return 0
    try:
        return max(int(text), 0)
    except ValueError:
        raise errors.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def too_large(wanted: int, current: int) -> ApiError:
    """504: a revision that is yet to come (storage/errors.go NewTooLargeResourceVersionError)."""
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    return errors.timeout(f"Too large resource version: {wanted}, current: {current}", 1, [cause])


def is_true(text: str) -> bool:
    return text in _TRUE


def _check_options(query: Mapping[str, str]) -> None:
    """apimachinery/pkg/apis/meta/internalversion/validation."""
    causes: list[Cause] = []
    match = query.get("resourceVersionMatch", "")
    if match:
        field = "resourceVersionMatch"
        version = query.get("resourceVersion", "")
        if not version:
            why = "resourceVersionMatch is forbidden unless resourceVersion is provided"
            causes.append(errors.forbidden_field(field, why))
        if query.get("continue"):
            why = "resourceVersionMatch is forbidden when continue is provided"
            causes.append(errors.forbidden_field(field, why))
        if match not in ("Exact", "NotOlderThan"):
            causes.append(errors.not_supported(field, match, ("Exact", "NotOlderThan", "")))
        if match == "Exact" and version == "0":
            why = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
            causes.append(errors.forbidden_field(field, why))
    if query.get("sendInitialEvents"):
        causes.append(errors.forbidden_field("sendInitialEvents", "sendInitialEvents is forbidden for list"))
    if causes:
        raise errors.invalid_kind("meta.k8s.io", "ListOptions", "", causes)
