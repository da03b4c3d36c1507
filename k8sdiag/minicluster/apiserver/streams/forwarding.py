"""port-forward over a websocket: SPDY inside, as kubectl does it, or two channels a port, as other clients do
(kubelet/pkg/cri/streaming/portforward/{httpstream,websocket}.go, apimachinery/pkg/util/httpstream/spdy)."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import WSMsgType, web
from aiohttp.web_request import BaseRequest

from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.request import Request
from k8sdiag.minicluster.apiserver.streams.channels import PING_SECONDS, bytes_of, must_upgrade, offered
from k8sdiag.minicluster.apiserver.streams.outlet import End, Outlet
from k8sdiag.minicluster.apiserver.streams.spdy import Opened, Received, Session, SpdyError
from k8sdiag.minicluster.apiserver.streams.subject import Nodes, agent_of, pod_of, words_of
from k8sdiag.minicluster.nodes.agent import Input

TUNNEL = "SPDY/3.1+portforward.k8s.io"
PROTOCOLS = (TUNNEL, "v4.channel.k8s.io", "portforward.k8s.io")
MOST_CONNECTIONS = 1024

Open = Callable[[int, Outlet], Input]


async def forward(nodes: Nodes, http: BaseRequest, request: Request) -> web.StreamResponse:
    """pods/portforward."""
    must_upgrade(http, PROTOCOLS)
    pod = pod_of(nodes, request)
    if (pod.get("status") or {}).get("phase") != "Running":
        phase = (pod.get("status") or {}).get("phase", "Unknown")
        raise errors.bad_request(f"unable to forward port because pod is not running. Current status={phase}")
    agent = agent_of(nodes, pod, f"/portForward/{request.namespace}/{request.name}")

    def begin(port: int, outlet: Outlet) -> Input:
        return agent.forward(pod, port, outlet)

    ports = _ports(words_of(http, "ports"))
    if not ports and TUNNEL not in offered(http):
        raise errors.bad_request('query parameter "port" is required')
    socket = web.WebSocketResponse(protocols=PROTOCOLS, heartbeat=PING_SECONDS, max_msg_size=32 * 1024 * 1024)
    await socket.prepare(http)
    try:
        if socket.ws_protocol == TUNNEL:
            await Tunnel(socket, begin).run()
        else:
            await _channels(socket, ports, begin)
    finally:
        await socket.close()
    return socket


def _ports(words: tuple[str, ...]) -> list[int]:
    """`ports=80,443` or `ports=80&ports=443`."""
    try:
        found = [int(port) for word in words for port in word.split(",") if port]
    except ValueError:
        raise errors.bad_request(f"unable to parse ports {','.join(words)!r}") from None
    if any(not 0 < port < 65536 for port in found):
        raise errors.bad_request(f"port must be between 1 and 65535: {found}")
    return found


@dataclass(slots=True)
class _Connection:
    """One forwarded connection: its data stream and its error stream, as they come in."""

    port: int
    data: int = 0
    error: int = 0
    early: list[tuple[bytes, bool]] = field(default_factory=list)
    source: Input | None = None


class Tunnel:
    """A SPDY session inside a websocket: each connection is a pair of streams with one request id."""

    def __init__(self, socket: web.WebSocketResponse, begin: Open) -> None:
        self._socket, self._begin = socket, begin
        self._session = Session()
        self._pairs: dict[str, _Connection] = {}
        self._streams: dict[int, _Connection] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._sending = asyncio.Lock()

    async def run(self) -> None:
        """Until the client goes."""
        try:
            async for message in self._socket:
                if message.type != WSMsgType.BINARY:
                    continue
                for event in self._session.receive(message.data):
                    self._on(event)
                await self._flush()
        except SpdyError:
            return
        finally:
            for connection in self._streams.values():
                if connection.source is not None:
                    connection.source.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _on(self, event: object) -> None:
        if isinstance(event, Opened):
            self._opened(event)
        elif isinstance(event, Received):
            connection = self._streams.get(event.stream)
            if connection is not None and event.stream == connection.data:
                self._feed(connection, event.data, event.ended)

    def _opened(self, event: Opened) -> None:
        headers = event.headers
        port = headers.get("port", "")
        if not port.isdigit() or not 0 < int(port) < 65536 or len(self._streams) >= 2 * MOST_CONNECTIONS:
            self._session.reset(event.stream)
            return
        self._session.reply(event.stream)
        connection = self._pairs.setdefault(headers.get("requestid", ""), _Connection(int(port)))
        self._streams[event.stream] = connection
        if headers.get("streamtype") == "error":
            connection.error = event.stream
        else:
            connection.data = event.stream
        if connection.data and connection.error:
            self._pairs.pop(headers.get("requestid", ""), None)
            self._start(connection)

    def _start(self, connection: _Connection) -> None:
        outlet = Outlet()
        try:
            connection.source = self._begin(connection.port, outlet)
        except errors.ApiError as refused:
            outlet.end(1, refused.message)
        for data, ended in connection.early:
            self._feed(connection, data, ended)
        connection.early.clear()
        task = asyncio.create_task(self._answer(connection, outlet))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @staticmethod
    def _feed(connection: _Connection, data: bytes, ended: bool) -> None:
        if connection.source is None:
            connection.early.append((data, ended))
            return
        if data:
            connection.source.feed(data)
        if ended:
            connection.source.end()

    async def _answer(self, connection: _Connection, outlet: Outlet) -> None:
        while not isinstance(piece := await outlet.next(), End):
            self._session.send(connection.data, piece[1])
            await self._flush()
        if piece.message:
            self._session.send(connection.error, piece.message.encode())
        self._session.send(connection.error, b"", end=True)
        self._session.send(connection.data, b"", end=True)
        self._streams.pop(connection.data, None)
        self._streams.pop(connection.error, None)
        await self._flush()

    async def _flush(self) -> None:
        async with self._sending:
            data = self._session.take()
            if data and not self._socket.closed:
                await self._socket.send_bytes(data)


async def _channels(socket: web.WebSocketResponse, ports: list[int], begin: Open) -> None:
    """Channel 2n is the n-th port's data, 2n+1 its errors; the first message on each is the port's number."""
    sources: list[Input | None] = []
    tasks: list[asyncio.Task[None]] = []
    for index, port in enumerate(ports):
        outlet = Outlet()
        for channel in (2 * index, 2 * index + 1):
            await socket.send_bytes(bytes([channel]) + struct.pack("<H", port))
        try:
            sources.append(begin(port, outlet))
        except errors.ApiError as refused:
            sources.append(None)
            outlet.end(1, refused.message)
        tasks.append(asyncio.create_task(_send(socket, outlet, 2 * index)))
    answers = asyncio.gather(*tasks, return_exceptions=True)
    listening = asyncio.create_task(_listen(socket, sources))
    try:
        await asyncio.wait((listening, answers), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for source in sources:
            if source is not None:
                source.close()
        for task in (listening, *tasks):
            task.cancel()
        await asyncio.gather(listening, *tasks, return_exceptions=True)


async def _listen(socket: web.WebSocketResponse, sources: list[Input | None]) -> None:
    async for message in socket:
        data = bytes_of(message.data)
        source = sources[data[0] // 2] if data and data[0] % 2 == 0 and data[0] // 2 < len(sources) else None
        if source is not None:
            source.feed(data[1:])


async def _send(socket: web.WebSocketResponse, outlet: Outlet, channel: int) -> None:
    while not isinstance(piece := await outlet.next(), End):
        await socket.send_bytes(bytes([channel]) + piece[1])
    if piece.message:
        await socket.send_bytes(bytes([channel + 1]) + piece.message.encode())
