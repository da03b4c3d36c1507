"""HTTP responses: headers, forms and packing of what the server has to say."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiohttp import web
from aiohttp.web_request import BaseRequest

from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.answering import Forms
from k8sdiag.minicluster.apiserver.health import Counters
from k8sdiag.minicluster.apiserver.negotiation import (
    GZIP_FROM,
    JSON_TYPE,
    Wanted,
    compress,
    encode,
    is_pretty,
    negotiate,
)
from k8sdiag.minicluster.apiserver.pages import Page
from k8sdiag.minicluster.apiserver.request import Answer, Request
from k8sdiag.minicluster.apiserver.routes import Route

NO_CACHE = "no-cache, private"
MUCH = 1 << 20
_PACKED = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}


class Responses:
    """Makes them, and counts them."""

    def __init__(self, counters: Counters, forms: Forms) -> None:
        self._counters, self.forms = counters, forms

    async def answer(self, http: BaseRequest, request: Request, answer: Answer, wanted: Wanted) -> web.Response:
        """What a handler answered, in the form that was asked for. Packing much of it is another thread's work."""
        body = answer.body
        if wanted.transform:
            body = self.forms.transform(body, request.resource, wanted, request.query)
        pretty = is_pretty(request.query, request.user_agent)
        data = encode(body, wanted.media, pretty)
        if len(data) < MUCH or not _packs(http):
            response = _response(http, answer.code, data, wanted.media)
        else:
            packed = await asyncio.to_thread(compress, data)
            headers = {"Content-Type": wanted.media, "Cache-Control": NO_CACHE, **_PACKED}
            response = web.Response(status=answer.code, body=packed, headers=headers)
        _warn(response, answer.warnings)
        self._counters.requests[request.verb, request.resource.plural, answer.code] += 1
        return response

    def page(self, http: BaseRequest, route: Route, page: Page) -> web.Response:
        """A ready page; 304 where the client has it already."""
        self._count(route, page.status)
        if page.location:
            return web.Response(status=page.status, headers={"Location": page.location})
        headers = {"Content-Type": page.content_type, "Cache-Control": NO_CACHE, "Vary": "Accept"}
        if page.etag:
            headers["ETag"] = f'"{page.etag}"'
            if page.etag in http.headers.get("If-None-Match", ""):
                return web.Response(status=304, headers=headers)
        return web.Response(status=page.status, body=_packed(http, page.body, headers), headers=headers)

    def refuse(self, http: BaseRequest, route: Route, error: errors.ApiError) -> web.Response:
        """A Status, in JSON or YAML."""
        media = JSON_TYPE
        with suppress(errors.ApiError):  # who accepts nothing we have still learns why
            media = negotiate(http.headers.get("Accept", "")).media
        pretty = is_pretty(route.query, http.headers.get("User-Agent", ""))
        response = _response(http, error.code, encode(error.status(), media, pretty), media)
        seconds = (error.details or {}).get("retryAfterSeconds")
        if seconds:
            response.headers["Retry-After"] = str(seconds)
        _warn(response, error.warnings)
        self._count(route, error.code)
        return response

    def _count(self, route: Route, code: int) -> None:
        # A path that is none must not make a counter of its own.
        self._counters.requests[route.verb, route.plural if code not in (404, 403) else "", code] += 1


def _warn(response: web.Response, warnings: list[str]) -> None:
    for warning in warnings:
        response.headers.add("Warning", f"299 - {_quoted(warning)}")


def _response(http: BaseRequest, code: int, body: bytes, media: str) -> web.Response:
    headers = {"Content-Type": media, "Cache-Control": NO_CACHE}
    return web.Response(status=code, body=_packed(http, body, headers), headers=headers)


def _packed(http: BaseRequest, body: bytes, headers: dict[str, str]) -> bytes:
    if len(body) < GZIP_FROM or not _packs(http):
        return body
    headers.update(_PACKED)
    return compress(body)


def _packs(http: BaseRequest) -> bool:
    return "gzip" in http.headers.get("Accept-Encoding", "")


def _quoted(text: str) -> str:
    """A header's quoted string."""
    escaped = " ".join(text.split()).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
