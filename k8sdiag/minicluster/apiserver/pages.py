"""Everything that is no resource's: discovery, health, version, OpenAPI, keys, counters, and the list of them all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors, health, swagger
from k8sdiag.minicluster.apiserver.discovery import Discovery
from k8sdiag.minicluster.apiserver.health import Counters
from k8sdiag.minicluster.apiserver.negotiation import JSON_TYPE, encode, is_pretty, read_accept
from k8sdiag.minicluster.apiserver.openapi import OpenApi
from k8sdiag.minicluster.apiserver.openapi_protobuf import ASKED_FOR, encode_document
from k8sdiag.minicluster.apiserver.openapi_protobuf import MEDIA_TYPE as PROTOBUF_TYPE
from k8sdiag.minicluster.apiserver.routes import Route
from k8sdiag.minicluster.apiserver.storage import Storage
from k8sdiag.minicluster.apiserver.tokens import TokenSigner
from k8sdiag.minicluster.kinds import Registry

_TEXT = "text/plain; charset=utf-8"
_ALWAYS = (
    "/.well-known/openid-configuration",
    "/api",
    "/apis",
    "/healthz",
    "/livez",
    "/metrics",
    "/openapi/v2",
    "/openapi/v3",
    "/openapi/v3/",
    "/openid/v1/jwks",
    "/readyz",
    "/swagger-ui/",
    "/version",
)


@dataclass(frozen=True, slots=True)
class Page:
    """A ready answer."""

    status: int
    body: bytes
    content_type: str = JSON_TYPE
    etag: str = ""
    location: str = ""


class Pages:
    """The pages, by path. `is_ready` says whether the control plane has come up."""

    def __init__(
        self,
        registry: Registry,
        storage: Storage,
        signer: TokenSigner,
        openapi: OpenApi,
        counters: Counters,
        is_ready: Callable[[], bool],
    ) -> None:
        self._registry, self._storage, self._signer = registry, storage, signer
        self._openapi, self._counters, self._is_ready = openapi, counters, is_ready
        self.server = ""
        self._discovery = Discovery(registry, "")
        self._protobuf: tuple[bytes, bytes] = (b"", b"")

    def at(self, server: str) -> None:
        """The URL under which clients reach the server."""
        self.server = server
        self._discovery = Discovery(self._registry, server.partition("://")[2])

    def find(self, route: Route, accept: str, agent: str) -> Page:
        """The page of a path. Raises 404 where there is none, 405 for any method but GET."""
        page = self._get(route, accept, agent)
        if page is None:
            raise errors.no_such_path()
        if route.verb not in ("get", "head"):
            raise errors.no_such_method()
        return page

    def _get(self, route: Route, accept: str, agent: str) -> Page | None:
        path = route.path if route.path == "/" else route.path.rstrip("/")
        found = self._discovery.find(path, accept) if path.startswith("/api") else None
        if found is not None:
            return Page(200, found[0], found[1], found[2])
        if path.startswith("/openapi"):
            return self._schema(path, accept)
        if path.startswith("/swagger-ui"):
            return _swagger(route.path)
        checked = health.check(path, route.query, self._is_ready())
        if checked is not None:
            return Page(checked[0], checked[1].encode(), _TEXT)
        if path == "/metrics":
            counts = ((key, self._storage.count(key)) for key in self._storage.stored())
            return Page(200, self._counters.text(counts).encode(), "text/plain; version=0.0.4; charset=utf-8")
        document = self._document(path)
        if document is None:
            return None
        return Page(200, encode(document, pretty=path in ("/", "/version") or is_pretty(route.query, agent)))

    def _document(self, path: str) -> Json | None:
        if path == "/version":
            return health.version()
        if path == "/.well-known/openid-configuration":
            return self._signer.configuration(self.server)
        if path == "/openid/v1/jwks":
            return self._signer.key_set()
        return {"paths": self._paths()} if path == "/" else None

    def _schema(self, path: str, accept: str) -> Page | None:
        body = self._openapi.find(path)
        if body is None:
            return None
        if path == "/openapi/v2" and any(clause.media in ASKED_FOR for clause in read_accept(accept)):
            if self._protobuf[0] is not body:
                self._protobuf = body, encode_document(body)
            return Page(200, self._protobuf[1], PROTOBUF_TYPE)
        return Page(200, body)

    def _paths(self) -> list[str]:
        found = set(_ALWAYS)
        for group in self._registry.groups():
            stem = f"/apis/{group.name}" if group.name else "/api"
            found |= {stem, *(f"{stem}/{version}" for version in group.versions)}
        for name in ("healthz", "livez", "readyz"):
            found |= {f"/{name}/{each}" for each in health.CHECKS[name]}
        return sorted(found)


def _swagger(path: str) -> Page | None:
    if path == "/swagger-ui":
        return Page(301, b"", location="/swagger-ui/")
    found = swagger.find(path.removeprefix("/swagger-ui/"))
    return Page(200, found[0], found[1]) if found is not None else None
