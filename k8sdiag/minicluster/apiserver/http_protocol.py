"""aiohttp's HTTP/1.1 protocol, with the manners of an API server: what is no HTTP is answered with a Status object and
without a traceback, and who connects and then says nothing is sent away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, cast

import orjson
from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_request import BaseRequest

from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.authentication import user_of_certificate
from k8sdiag.minicluster.apiserver.request import User

HEADER_SECONDS = 15.0  # for a first request to arrive; a real server allows 32 (--request-timeout's fraction)
IDLE_SECONDS = 180.0
MOST_LINE = 32 * 1024
MOST_FIELD = 64 * 1024


class Protocol(RequestHandler):
    """One connection."""

    def __init__(self, manager: web.Server, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            manager,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # says nothing of requests that went well
            keepalive_timeout=IDLE_SECONDS,
            max_line_size=MOST_LINE,
            max_field_size=MOST_FIELD,
            lingering_time=3.0,
        )
        self.on_lost: Callable[[], None] | None = None  # called when the client is gone
        self._user: User | None = None
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._patience = self._loop.call_later(HEADER_SECONDS, self._out_of_patience)
        certificate = cast("Mapping[str, Any] | None", transport.get_extra_info("peercert"))
        self._user = user_of_certificate(certificate) if certificate else None

    @property
    def certified_user(self) -> User | None:
        """Who the client's certificate says it is."""
        return self._user

    def _out_of_patience(self) -> None:
        if not self._request_count:
            self.force_close()

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._patience is not None:
            self._patience.cancel()
        if self.on_lost is not None:
            self.on_lost()
        super().connection_lost(exc)

    def handle_error(
        self, request: BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """What cannot be read as HTTP."""
        if request.writer.output_size > 0:
            raise ConnectionError("half an answer is on its way already")
        if isinstance(exc, LineTooLong):
            error = errors.ApiError(414, "RequestURITooLong", "the request line or a header is too long")
        elif status == 500:
            error = errors.internal("the request could not be handled")
        else:
            said = (message or "malformed request").strip().splitlines()[0]
            error = errors.ApiError(status, "BadRequest", f"malformed HTTP request: {said}")
        response = web.Response(status=error.code, body=orjson.dumps(error.status()), content_type="application/json")
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """A client's mistakes are no news."""


class HttpServer(web.Server):
    """Makes a Protocol for each connection."""

    def __call__(self) -> RequestHandler:
        return Protocol(self, self._loop)
