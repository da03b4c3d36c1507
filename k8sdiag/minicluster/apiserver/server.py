"""The server on its socket: TLS, a request in, a response out, watches in chunks (apiserver/pkg/server).

Each request goes: who asks, may they, what is asked; then a page, a review, a watch, a stream, or the handlers. Answers
to writes wait until the write is safe on the disk. One request that fails costs one line in the log.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

from aiohttp import web
from aiohttp.web_request import BaseRequest

from k8sdiag.minicluster.apiserver import connecting, errors, escalation, http_body, webhook_caller
from k8sdiag.minicluster.apiserver.admission import Attributes
from k8sdiag.minicluster.apiserver.answering import Forms
from k8sdiag.minicluster.apiserver.authentication import ANONYMOUS, Authenticator, impersonate
from k8sdiag.minicluster.apiserver.authorization import Authorizer, asked_of, refusal
from k8sdiag.minicluster.apiserver.certificates import server_context
from k8sdiag.minicluster.apiserver.commits import GroupCommit
from k8sdiag.minicluster.apiserver.handlers import Handlers
from k8sdiag.minicluster.apiserver.health import Counters
from k8sdiag.minicluster.apiserver.http_protocol import HttpServer, Protocol
from k8sdiag.minicluster.apiserver.http_responses import NO_CACHE, Responses
from k8sdiag.minicluster.apiserver.metrics_pages import MetricsPages, Usage
from k8sdiag.minicluster.apiserver.negotiation import JSON_TYPE, Wanted, negotiate
from k8sdiag.minicluster.apiserver.openapi import OpenApi
from k8sdiag.minicluster.apiserver.pages import Pages
from k8sdiag.minicluster.apiserver.request import Answer, Request, User
from k8sdiag.minicluster.apiserver.reviews import Reviews
from k8sdiag.minicluster.apiserver.routes import Route, find_resource, read_route
from k8sdiag.minicluster.apiserver.security import Security
from k8sdiag.minicluster.apiserver.streams.subject import words_of
from k8sdiag.minicluster.apiserver.watch import Watches
from k8sdiag.minicluster.apiserver.webhooks import answered_async
from k8sdiag.minicluster.kinds import METRICS_GROUP

LOG = logging.getLogger("k8sdiag.lab.apiserver")
HANDSHAKE_SECONDS = 10.0
BACKLOG = 4096
MOST_FILES = 65536
_WRITES = frozenset(("create", "update", "patch", "delete", "deletecollection"))

# A subresource that speaks in streams: the request as aiohttp has it, and what it means.
Stream = Callable[[BaseRequest, Request], Awaitable[web.StreamResponse]]


class ApiServer:
    """HTTP for the handlers. `streams` are the connect subresources by `pods/exec`; whoever knows them adds them."""

    def __init__(self, handlers: Handlers, security: Security, usage: Usage) -> None:
        backend = handlers.backend
        handlers.subresources.issue = security.signer.issue
        self.streams: dict[str, Stream] = {}
        self.counters = Counters()
        self._responses = Responses(self.counters, Forms(backend.clock, backend.customs.table_of))
        self.is_ready = False
        self.authorizer = Authorizer(backend.storage)
        backend.guards.append(self._guard)
        self.authenticator = Authenticator(backend.storage, security.signer, security.tokens)
        self.watches = Watches(backend.storage, backend.clock, backend.random)
        self._handlers, self._backend, self._security = handlers, backend, security
        self._registry, self._storage = backend.registry, backend.storage
        self._reviews = Reviews(self.authorizer, self.authenticator, backend.clock)
        self._metrics = MetricsPages(backend.storage, usage)
        openapi = OpenApi(backend.registry, backend.customs.schema_of)
        self._pages = Pages(
            backend.registry, backend.storage, security.signer, openapi, self.counters, lambda: self.is_ready
        )
        self._commits: GroupCommit | None = None
        self._http: HttpServer | None = None
        self._listening: asyncio.Server | None = None
        self._tasks: list[asyncio.Task[None]] = []

    # ---- coming and going

    async def start(self, host: str, port: int) -> str:
        """Listen; the URL for clients. Raises OSError where the port is taken."""
        loop = asyncio.get_running_loop()
        _allow_many_files()
        self._commits = GroupCommit(self._storage)
        self._http = HttpServer(self._serve)
        listener = _listener(host, port)
        self._listening = await loop.create_server(
            self._http,
            sock=listener,
            ssl=server_context(self._security.pair, self._security.authority, self._security.folder),
            ssl_handshake_timeout=HANDSHAKE_SECONDS,
            ssl_shutdown_timeout=2.0,
            backlog=BACKLOG,
        )
        self._tasks = [loop.create_task(self._commits.run()), loop.create_task(self._tick())]
        shown = "127.0.0.1" if host in ("0.0.0.0", "") else "[::1]" if host == "::" else host  # noqa: S104
        url = f"https://{f'[{shown}]' if ':' in shown and '[' not in shown else shown}:{listener.getsockname()[1]}"
        self._pages.at(url)
        return url

    async def stop(self) -> None:
        """Stop listening, end what is open, and stop writing; closing the storage writes what is left."""
        if self._listening is not None:
            self._listening.close()
        self.watches.end_all()
        if self._http is not None:
            left = [handler.transport for handler in self._http.connections if handler.transport is not None]
            await self._http.shutdown(1.0)
            for transport in left:  # over TLS a close waits for the other side, who may never answer
                transport.abort()
            await asyncio.sleep(0)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self.watches.tick()

    def _guard(self, attributes: Attributes) -> None:
        if attributes.obj is not None and not attributes.subresource:
            escalation.check(self.authorizer, attributes.user, attributes.resource, attributes.obj, attributes.old)

    # ---- one request

    async def _serve(self, http: BaseRequest) -> web.StreamResponse:
        """Whatever happens, an answer."""
        route = read_route(http.method, http.raw_path)
        try:
            return await self._answer(http, route)
        except errors.ApiError as error:
            response = self._responses.refuse(http, route, error)
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception as error:  # noqa: BLE001 (one request's fault must not be the server's)
            where = traceback.extract_tb(error.__traceback__)[-1]
            LOG.error(  # noqa: TRY400 (one line, no traceback)
                "%s %s: %s: %s (%s:%s)",
                *(http.method, route.path[:200], type(error).__name__, error, where.filename, where.lineno),
            )
            response = self._responses.refuse(http, route, errors.internal(str(error) or type(error).__name__))
        return response

    async def _answer(self, http: BaseRequest, route: Route) -> web.StreamResponse:
        user = self._user(http)
        if not (route.path.startswith("/swagger-ui") and not route.plural):  # a page without secrets
            asked = asked_of(route)
            decision = self.authorizer.decide(user, asked)
            if not decision.allowed:
                raise refusal(user, asked, decision.reason)
        if not route.plural:
            headers = http.headers
            page = self._pages.find(route, headers.get("Accept", ""), headers.get("User-Agent", ""))
            return self._responses.page(http, route, page)
        kind, below = find_resource(route, self._registry)
        request = Request(
            verb=route.verb,
            resource=kind,
            user=user,
            namespace=route.namespace,
            name=route.name if route.verb not in ("list", "watch", "deletecollection") else "",
            subresource=route.subresource,
            query=route.query,
            user_agent=http.headers.get("User-Agent", ""),
        )
        if route.is_connect:
            stream = self.streams.get(f"{route.plural}/{route.subresource}")
            if stream is None:
                raise errors.ApiError(501, "NotImplemented", f"{route.plural}/{route.subresource} is not served here")
            if route.subresource != "log":
                await self._admit_stream(http, request)
            return await stream(http, request)
        wanted = negotiate(http.headers.get("Accept", ""))
        if route.verb == "watch":
            return await self._watch(http, request, wanted)
        if route.verb in _WRITES:
            named = below.kind if below is not None else "DeleteOptions" if "delete" in route.verb else kind.kind
            await http_body.read_into(request, http, named)
        answer = await self._ask(request)
        return await self._responses.answer(http, request, answer, wanted)

    async def _admit_stream(self, http: BaseRequest, request: Request) -> None:
        """Nobody but webhooks has a say in streams."""
        command = words_of(http, "command") if request.subresource == "exec" else ()
        admit = partial(connecting.admit, self._backend, command=command)
        await answered_async(admit, request, self._storage, webhook_caller.call)

    def _user(self, http: BaseRequest) -> User:
        headers = http.headers
        protocol = http.protocol
        certified = protocol.certified_user if isinstance(protocol, Protocol) else None
        user = certified or self._known(headers.get("Authorization", ""))
        if any(name.startswith("Impersonate-") for name in headers):
            return impersonate(user, headers.items(), self.authorizer)
        return user

    def _known(self, authorization: str) -> User:
        return self.authenticator.authenticate(authorization, None) if authorization else ANONYMOUS

    async def _ask(self, request: Request) -> Answer:
        """The answer of whoever knows it; a write's when it is safe."""
        if self._reviews.answers(request):
            return self._reviews.review(request)
        if request.resource.group == METRICS_GROUP:
            return self._metrics.answer(request)
        answer = await answered_async(self._handlers.handle, request, self._storage, webhook_caller.call)
        if request.verb in _WRITES and self._commits is not None:
            await self._commits.wait(self._storage.revision)
        return answer

    async def _watch(self, http: BaseRequest, request: Request, wanted: Wanted) -> web.StreamResponse:
        """Events as they come, until the watch or its reader ends."""
        if wanted.media != JSON_TYPE:
            raise errors.not_acceptable((f"{JSON_TYPE};stream=watch",))
        view = self._responses.forms.view(request.resource, wanted, request.query)
        watcher = self.watches.open(request, view)
        self.counters.watches += 1
        self.counters.requests["watch", request.resource.plural, 200] += 1
        news = asyncio.Event()
        watcher.wake = news.set
        protocol = http.protocol
        if isinstance(protocol, Protocol):
            protocol.on_lost = news.set
        response = web.StreamResponse(headers={"Content-Type": JSON_TYPE, "Cache-Control": NO_CACHE})
        try:
            await response.prepare(http)
            while http.transport is not None:
                batch = watcher.take()
                if batch:
                    await response.write(b"".join(batch))
                elif watcher.ended:
                    await response.write_eof()
                    break
                else:
                    await news.wait()
                    news.clear()
        finally:
            self.counters.watches -= 1
            self.watches.close(watcher)
            if isinstance(protocol, Protocol):
                protocol.on_lost = None
        return response


def _allow_many_files() -> None:
    """Each connection takes a file descriptor, and a shell's usual limit is 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # then it stays as it is
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener
