"""Reading from a real API server: raw JSON over authenticated, kept-alive connections.

The official client's own call path is left aside: its models refuse objects that real clusters serve. An endpoint
brings the connections and the credentials, the client's where those take it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from http.client import HTTPException
from threading import Lock
from time import monotonic
from urllib.parse import urlencode

import orjson

from k8sdiag.clock import sleep
from k8sdiag.evidence import Json
from k8sdiag.live.cleaning import clean
from k8sdiag.live.failures import broken, not_json, refused, timed_out
from k8sdiag.live.kubeconfig import Endpoint, Response
from k8sdiag.live.wire import Stale
from k8sdiag.target import ApiError

POOL_SIZE = 16
PAGE = "500"  # kubectl's own page size
_CHUNK = 1 << 16
_PATIENCE = 1.0  # seconds of Retry-After that are worth waiting for


class LiveApi:
    """`Api` over an endpoint. Every request has `timeout` seconds, answer included.

    A collection comes whole: its pages are fetched and joined.
    """

    def __init__(self, endpoint: Endpoint, timeout: float = 5.0, headers: Iterable[tuple[str, str]] = ()) -> None:
        self._endpoint = endpoint
        self._transport = endpoint.transport(POOL_SIZE)
        self._timeout = timeout
        self._headers = (("Accept-Encoding", "gzip"), ("User-Agent", "k8sdiag"), *headers)
        self._credentials = Lock()  # a refresh may run a plugin: once, not once a thread

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Json:
        """One object, or one whole collection."""
        wanted = dict(query or {})
        if not _is_collection(path) or "limit" in wanted:
            return self._object(path, wanted)
        answer = self._object(path, {**wanted, "limit": PAGE})
        try:
            for page in self._further_pages(path, wanted, answer):
                answer["items"] += page
        except ApiError as error:
            if error.status != 410:
                raise
            # The list has moved on while it was read: ask for all of it in one answer.
            return self._object(path, wanted)
        if isinstance(answer.get("metadata"), dict):
            answer["metadata"].pop("continue", None)
        return answer

    def text(self, path: str, query: Mapping[str, str] | None = None, limit: int = 1 << 20) -> str:
        """The end of a plain text, at most `limit` bytes."""
        if _of_secrets(path):
            raise ApiError(0, "secrets are not read as text")
        return self._body(path, dict(query or {}), "*/*", limit).decode("utf-8", "replace")

    def close(self) -> None:
        """Close the idle connections."""
        self._transport.close()

    def _further_pages(self, path: str, wanted: Mapping[str, str], answer: Json) -> Iterator[list[Json]]:
        token, seen = (answer.get("metadata") or {}).get("continue"), set[str]()
        while token:
            if token in seen:
                raise ApiError(0, "the API server hands out the same page of the list again and again")
            seen.add(token)
            page = self._object(path, {**wanted, "limit": PAGE, "continue": token})
            yield page.get("items") or []
            token = (page.get("metadata") or {}).get("continue")

    def _object(self, path: str, query: Mapping[str, str]) -> Json:
        body = self._body(path, query, "application/json")
        try:
            answer = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise not_json(body) from error
        if not isinstance(answer, dict) or not answer.get("kind"):
            raise not_json(body)
        return clean(answer, _of_secrets(path))

    def _body(self, path: str, query: Mapping[str, str], accept: str, limit: int = 0) -> bytes:
        due = monotonic() + self._timeout
        response = self._open(path, query, accept, due)
        pause = _retry_after(response)
        if pause is not None and monotonic() + pause < due:
            self._read(response, due, 0)
            response.release()
            sleep(pause)
            response = self._open(path, query, accept, due)
        try:
            body = self._read(response, due, limit)
        except BaseException:
            response.close()  # half an answer is still in it: not fit for the next request
            raise
        response.release()
        if response.status != 200:
            raise refused(response.status, body)
        return body

    def _open(self, path: str, query: Mapping[str, str], accept: str, due: float) -> Response:
        target = path + (f"?{urlencode(query)}" if query else "")
        headers = [*self._headers, *self._authorization(), ("Accept", accept)]
        for last in (False, True):
            try:
                return self._transport.open(target, headers, due)
            except Stale as stale:
                if last:
                    cause = stale.__cause__
                    raise broken(cause if isinstance(cause, Exception) else stale, self._timeout) from stale
            except (OSError, HTTPException, ValueError) as error:
                raise broken(error, self._timeout) from error
        raise timed_out(self._timeout)

    def _authorization(self) -> list[tuple[str, str]]:
        with self._credentials:
            return self._endpoint.authorization()

    def _read(self, response: Response, due: float, limit: int) -> bytes:
        """The whole body, or its last `limit` bytes, before `due`: each receive gets what is left of the time."""
        kept = bytearray()
        try:
            while (left := due - monotonic()) > 0:
                chunk = response.read(_CHUNK, left)
                if not chunk:
                    return bytes(kept)
                kept += chunk
                if limit and len(kept) > limit:
                    del kept[:-limit]
        except (OSError, HTTPException) as error:
            raise broken(error, self._timeout) from error
        raise timed_out(self._timeout)


def _is_collection(path: str) -> bool:
    """Does the path name all objects of a kind, rather than one (`…/pods` and not `…/pods/web`)?"""
    parts = path.strip("/").split("/")
    rest = parts[2:] if parts[0] == "api" else parts[3:]
    return len(rest) == 1 or (len(rest) == 3 and rest[0] == "namespaces")


def _of_secrets(path: str) -> bool:
    parts = path.strip("/").split("/")
    return parts[:2] == ["api", "v1"] and (parts[2:3] == ["secrets"] or parts[4:5] == ["secrets"])


def _retry_after(response: Response) -> float | None:
    """How long a busy server asks us to wait, where that is short."""
    if response.status not in (429, 503):
        return None
    try:
        pause = float(response.header("Retry-After"))
    except ValueError:
        return None
    return pause if 0 <= pause <= _PATIENCE else None
