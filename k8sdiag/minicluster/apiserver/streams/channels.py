"""exec and attach over a websocket: a byte in front of each message says whose it is
(apimachinery/pkg/util/httpstream/wsstream, kubelet/pkg/cri/streaming/remotecommand/websocket.go)."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable, Sequence

import orjson
from aiohttp import web
from aiohttp.web_request import BaseRequest

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.request import Request
from k8sdiag.minicluster.apiserver.streams.outlet import End, Outlet
from k8sdiag.minicluster.apiserver.streams.subject import (
    Nodes,
    agent_of,
    container_of,
    is_true,
    node_of,
    pod_of,
    words_of,
)
from k8sdiag.minicluster.nodes.agent import STDOUT, Closed, Command, Input

_STDIN, _ERROR, _RESIZE, _CLOSE = 0, 3, 4, 255
_TOLD_TWICE = "error executing command in container"
_CLOSING = "v5.channel.k8s.io"  # the first in which a client can say that its stdin has ended
_STATED = (_CLOSING, "v4.channel.k8s.io", "v4.base64.channel.k8s.io")  # the end is a Status; before that, plain words
PROTOCOLS = (*_STATED, "channel.k8s.io", "base64.channel.k8s.io")
PING_SECONDS = 30.0


async def run_command(nodes: Nodes, http: BaseRequest, request: Request) -> web.StreamResponse:
    """pods/exec."""
    command = Command(words_of(http, "command"), *_wanted(request))
    if not command.words:
        raise errors.invalid_kind("", "PodExecOptions", "", [errors.required("command")])
    pod = pod_of(nodes, request)
    container = container_of(pod, request.query.get("container", ""))
    node_of(pod)
    path = f"/exec/{request.namespace}/{request.name}/{container}"
    return await _converse(
        http, command, lambda outlet: agent_of(nodes, pod, path).exec(pod, container, command, outlet)
    )


async def attach(nodes: Nodes, http: BaseRequest, request: Request) -> web.StreamResponse:
    """pods/attach."""
    command = Command((), *_wanted(request))
    pod = pod_of(nodes, request)
    container = container_of(pod, request.query.get("container", ""))
    node_of(pod)
    path = f"/attach/{request.namespace}/{request.name}/{container}"
    return await _converse(
        http, command, lambda outlet: agent_of(nodes, pod, path).attach(pod, container, command, outlet)
    )


def _wanted(request: Request) -> tuple[bool, bool, bool, bool]:
    """stdin, stdout, stderr, tty. Both outputs are always on, whatever is asked for (pkg/apis/core/v1/defaults.go), but
    a terminal has only one."""
    tty = is_true(request, "tty")
    return is_true(request, "stdin"), True, not tty, tty


def must_upgrade(http: BaseRequest, protocols: Sequence[str]) -> None:
    """400 for a request that is no websocket's, 403 for one that speaks none of the protocols (golang.org/x/net)."""
    if http.headers.get("Upgrade", "").lower() != "websocket":
        raise errors.bad_request("Upgrade request required")
    asked = offered(http)
    if asked and not set(asked).intersection(protocols):
        raise errors.ApiError(403, "Forbidden", f"requested protocol(s) are not supported: {asked}")


def offered(http: BaseRequest) -> list[str]:
    """The protocols a client would speak."""
    return [word.strip() for line in http.headers.getall("Sec-WebSocket-Protocol", []) for word in line.split(",")]


async def _converse(http: BaseRequest, command: Command, begin: Callable[[Outlet], Input]) -> web.StreamResponse:
    """Carry bytes both ways until the command or the client ends."""
    must_upgrade(http, PROTOCOLS)
    outlet = Outlet()
    source = _begun(http, outlet, begin)
    socket = web.WebSocketResponse(protocols=PROTOCOLS, heartbeat=PING_SECONDS, max_msg_size=32 * 1024 * 1024)
    await socket.prepare(http)
    listening = asyncio.create_task(_listen(socket, source, command))
    writing = asyncio.create_task(_write(socket, outlet, command))
    try:
        await asyncio.wait((listening, writing), return_when=asyncio.FIRST_COMPLETED)
    finally:
        source.close()
        for task in (listening, writing):
            task.cancel()
        await asyncio.gather(listening, writing, return_exceptions=True)
        await socket.close()
    return socket


def _begun(http: BaseRequest, outlet: Outlet, begin: Callable[[Outlet], Input]) -> Input:
    """A refusal is an answer to the request, before it becomes a websocket; but in version 5 the API server asks the
    kubelet only after that, so the kubelet's failures come as the end of the stream."""
    try:
        return begin(outlet)
    except errors.ApiError as refused:
        spoken = next((name for name in offered(http) if name in PROTOCOLS), "")
        if refused.code != 500 or spoken != _CLOSING:
            raise
        text = refused.message.removeprefix("Internal error occurred: ")
        outlet.end(1, f"error sending request: Post{text[3:]}" if text.startswith('Get "') else text)
        return Closed()


def _is_text(socket: web.WebSocketResponse) -> bool:
    return "base64" in (socket.ws_protocol or "")


async def _listen(socket: web.WebSocketResponse, source: Input, command: Command) -> None:
    """What the client types, and its window's size."""
    as_text, closes = _is_text(socket), socket.ws_protocol == _CLOSING
    async for message in socket:
        data = bytes_of(message.data, as_text)
        if not data:
            continue
        channel, rest = data[0], data[1:]
        if channel == _STDIN and command.stdin:
            source.feed(rest)
        elif channel == _RESIZE and command.tty:
            try:
                size = orjson.loads(rest)
                source.resize(int(size["Width"]), int(size["Height"]))
            except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
                continue
        elif channel == _CLOSE and closes and rest[:1] == bytes([_STDIN]):
            source.end()


def bytes_of(data: object, as_text: bool = False) -> bytes:
    """A message's content. The protocol says whether it is base64, not the kind of frame: the Python client sends what
    is typed as text, channel and all (wsstream/conn.go)."""
    if not as_text:
        return data.encode() if isinstance(data, str) else data if isinstance(data, bytes) else b""
    said = data.decode("ascii", "replace") if isinstance(data, bytes) else data
    if not isinstance(said, str) or not said:
        return b""
    try:
        return bytes([int(said[0])]) + base64.b64decode(said[1:])
    except (ValueError, binascii.Error):
        return b""


async def _write(socket: web.WebSocketResponse, outlet: Outlet, command: Command) -> None:
    as_text = _is_text(socket)

    async def send(channel: int, data: bytes) -> None:
        if as_text:
            await socket.send_str(f"{channel}{base64.b64encode(data).decode()}")
        else:
            await socket.send_bytes(bytes([channel]) + data)

    await send(STDOUT, b"")  # says that the connection stands
    while not isinstance(piece := await outlet.next(), End):
        await send(*piece)
    status = _status(piece, command, socket.ws_protocol == _CLOSING)
    if socket.ws_protocol in _STATED:
        await send(_ERROR, orjson.dumps(status))
    elif status["status"] == "Failure":
        await send(_ERROR, str(status["message"]).encode())


def _status(end: End, command: Command, is_translated: bool) -> Json:
    """How it ended, as the error channel says it. In version 5 the API server has read a kubelet's answer and tells it
    in its own words (apimachinery/pkg/util/proxy/streamtranslator.go); before that it is the kubelet's own
    (remotecommand/exec.go), in which containerd names the command."""
    if end.message:
        text = f"Internal error occurred: {end.message}"
        if is_translated and end.message.startswith(_TOLD_TWICE):
            text = f"Internal error occurred: {text}"
        return {
            "metadata": {},
            "status": "Failure",
            "message": text,
            "reason": "InternalError",
            "details": {"causes": [{"message": text.removeprefix("Internal error occurred: ")}]},
            "code": 500,
        }
    if end.code:
        why = f"error executing command [{' '.join(command.words)}], exit code {end.code}"
        if is_translated:
            why = f"command terminated with exit code {end.code}"
        return {
            "metadata": {},
            "status": "Failure",
            "message": f"command terminated with non-zero exit code: {why}",
            "reason": "NonZeroExitCode",
            "details": {"causes": [{"reason": "ExitCode", "message": str(end.code)}]},
        }
    return {"metadata": {}, "status": "Success"}
