"""proxy: a plain request handed on to a node, a pod, or one of a Service's pods
(pkg/registry/core/{node,pod,service}/rest)."""

from __future__ import annotations

import asyncio
import http.client
import io
from urllib.parse import parse_qsl

from aiohttp import web
from aiohttp.web_request import BaseRequest

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.request import Request
from k8sdiag.minicluster.apiserver.streams.outlet import End, Outlet
from k8sdiag.minicluster.apiserver.streams.subject import Nodes, address_of, agent_of

PATIENCE = 30.0
MOST_BODY = 3 * 1024 * 1024
_HOP = frozenset(
    ("connection", "keep-alive", "transfer-encoding", "upgrade", "host", "authorization", "content-length")
)


async def proxy_node(nodes: Nodes, http_request: BaseRequest, request: Request) -> web.StreamResponse:
    """nodes/proxy: what a kubelet serves on its own port."""
    name = request.name.rpartition(":")[0] or request.name
    nodes.backend.stored(nodes.backend.registry.named("nodes"), "", name)
    path = _rest(http_request, request)
    if not path:
        return _with_slash(http_request)
    agent = nodes.agents.reach(name, address_of(nodes, name), path)
    query = dict(parse_qsl(http_request.raw_path.partition("?")[2], keep_blank_values=True))
    page = agent.page(path, query)
    return web.Response(status=page.code, body=page.body, headers={"Content-Type": page.content_type})


async def proxy_pod(nodes: Nodes, http_request: BaseRequest, request: Request) -> web.StreamResponse:
    """pods/proxy: `NAME`, `NAME:PORT` or `SCHEME:NAME:PORT`."""
    name, port = _target(request.name)
    pod = nodes.backend.stored(nodes.backend.registry.named("pods"), request.namespace, name)
    return await _ask(nodes, http_request, request, pod, int(port) if port.isdigit() else _first_port(pod, port))


async def proxy_service(nodes: Nodes, http_request: BaseRequest, request: Request) -> web.StreamResponse:
    """services/proxy: one of the pods that are ready."""
    name, wanted = _target(request.name)
    service = nodes.backend.stored(nodes.backend.registry.named("services"), request.namespace, name)
    ports = service["spec"].get("ports") or []
    chosen = [port for port in ports if wanted in ("", port.get("name"), str(port["port"]))]
    if not chosen:
        raise errors.unavailable(f'no service port "{wanted}" found for service "{name}"')
    ready = _endpoint(nodes, request.namespace, name, chosen[0].get("name", ""))
    if ready is None:
        raise errors.unavailable(f'no endpoints available for service "{request.name}"')
    pod, port = ready
    return await _ask(nodes, http_request, request, pod, port)


def _target(text: str) -> tuple[str, str]:
    parts = text.split(":")
    if len(parts) == 3:
        return parts[1], parts[2]
    return parts[0], parts[1] if len(parts) == 2 else ""


def _rest(http_request: BaseRequest, request: Request) -> str:
    """What of the path is for the other side: behind /api/v1/[namespaces/X/]pods/NAME/proxy. A name may be `proxy`."""
    parts = http_request.raw_path.partition("?")[0].split("/")[8 if request.namespace else 6 :]
    return "/" + "/".join(parts) if parts else ""


def _with_slash(http_request: BaseRequest) -> web.Response:
    """The way to the root, without which the links in a page would lead elsewhere
    (apimachinery/pkg/util/proxy/upgradeaware.go)."""
    path, mark, query = http_request.raw_path.partition("?")
    return web.Response(status=301, headers={"Location": f"{path}/{mark}{query}"})


def _first_port(pod: Json, named: str) -> int:
    ports = [port for item in pod["spec"]["containers"] for port in item.get("ports") or []]
    for port in ports:
        if named in ("", port.get("name")):
            return int(port["containerPort"])
    return 80


def _endpoint(nodes: Nodes, namespace: str, name: str, port: str) -> tuple[Json, int] | None:
    endpoints = nodes.backend.storage.get("endpoints", namespace, name) or {}
    for subset in endpoints.get("subsets") or []:
        numbers = [int(item["port"]) for item in subset.get("ports") or [] if item.get("name", "") == port]
        for address in subset.get("addresses") or []:
            target = address.get("targetRef") or {}
            pod = nodes.backend.storage.get("pods", namespace, target.get("name", ""))
            if numbers and pod is not None:
                return pod, numbers[0]
    return None


async def _ask(nodes: Nodes, http_request: BaseRequest, request: Request, pod: Json, port: int) -> web.StreamResponse:
    """One HTTP/1.1 request over a connection to the pod's port."""
    path = _rest(http_request, request)
    if not path and http_request.method in ("GET", "HEAD"):
        return _with_slash(http_request)
    agent = agent_of(nodes, pod, f"/portForward/{pod['metadata']['namespace']}/{pod['metadata']['name']}")
    body = await http_request.content.read(MOST_BODY) if http_request.body_exists else b""
    query = http_request.raw_path.partition("?")[2]
    lines = [f"{http_request.method} {path or '/'}{'?' + query if query else ''} HTTP/1.1"]
    lines += [f"{key}: {value}" for key, value in http_request.headers.items() if key.lower() not in _HOP]
    address = f"{(pod.get('status') or {}).get('podIP') or 'pod'}:{port}"
    lines += [f"Host: {address}", "Connection: close"]
    lines += [f"Content-Length: {len(body)}", "", ""]
    outlet = Outlet()
    source = agent.forward(pod, port, outlet)
    try:
        source.feed("\r\n".join(lines).encode() + body)
        answer, end = await asyncio.wait_for(_read(outlet), PATIENCE)
    except TimeoutError:
        raise errors.unavailable(f"error trying to reach service: dial tcp {address}: i/o timeout") from None
    finally:
        source.close()
    if end.message and not answer:  # the agent says it as for a port-forward; nobody forwards a port here
        refused = f"dial tcp {address}: connect: connection refused"
        raise errors.unavailable(f"error trying to reach service: {refused}")
    return _response(answer, http_request.method)


async def _read(outlet: Outlet) -> tuple[bytes, End]:
    """All that comes, or one whole answer where the other side keeps the connection open."""
    held = bytearray()
    while not isinstance(piece := await outlet.next(), End):
        held += piece[1]
        head, _, rest = bytes(held).partition(b"\r\n\r\n")
        size = next(
            (line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), b""
        )
        if size.strip().isdigit() and len(rest) >= int(size):
            return bytes(held), End()
    return bytes(held), piece


def _response(answer: bytes, method: str) -> web.Response:
    parsed = http.client.HTTPResponse(_Bytes(answer), method=method)  # type: ignore[arg-type]  # needs only makefile
    try:
        parsed.begin()
        body = parsed.read()
    except (http.client.HTTPException, ValueError, OSError):
        raise errors.unavailable("error trying to reach service: malformed HTTP response") from None
    headers = {key: value for key, value in parsed.getheaders() if key.lower() not in _HOP}
    return web.Response(status=parsed.status, body=body, headers=headers)


class _Bytes:
    """Bytes where http.client wants a socket."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, mode: str) -> io.BytesIO:  # noqa: ARG002 (the socket's signature)
        return io.BytesIO(self._data)
