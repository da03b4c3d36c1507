"""Streams as clients other than kubectl speak them: websockets with each channel protocol, rude clients, many at once,
slow readers. What kubectl does is in tests/minicluster/kubectl/test_pods.py."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import time
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, cast

import aiohttp
import pytest

from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.nodes.agent import STDOUT, Closed, Input, LogOptions, Output
from tests.minicluster.conftest import Lab, Response

NS = "/api/v1/namespaces/default"
READY = b"\x01"  # an empty message on stdout: the connection stands
BINARY = ("v5.channel.k8s.io", "v4.channel.k8s.io", "channel.k8s.io")
TEXT = ("v4.base64.channel.k8s.io", "base64.channel.k8s.io")


def exit_status(code: int, why: str = "") -> dict[str, Any]:
    why = why or f"command terminated with exit code {code}"
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: {why}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


@pytest.fixture(scope="module", autouse=True)
def pods(lab: Lab) -> None:
    """`web` listens on port 80; `two` has two containers."""
    client = lab.cluster.client()
    until(lambda: lab.run(lambda: client.find("serviceaccounts", "default", "default")) is not None)
    one = {"name": "a", "image": "nginx", "ports": [{"containerPort": 80}]}
    for name, containers in (("web", [one]), ("two", [{**one, "name": "a"}, {"name": "b", "image": "nginx"}])):
        body = {"metadata": {"name": name}, "spec": {"containers": containers}}
        answer = lab.request("POST", f"{NS}/pods", body)
        assert answer.status == 201, answer.body
    for name in ("web", "two"):
        until(lambda name=name: lab.request("GET", f"{NS}/pods/{name}").json["status"]["phase"] == "Running")


def until(holds: Any, seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def play(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scene, 60))


@asynccontextmanager
async def opened(
    lab: Lab, path: str, protocol: str = "v5.channel.k8s.io"
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    headers = {"Authorization": f"Bearer {lab.token}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.ws_connect(
            f"{lab.url}{path}", protocols=[protocol] if protocol else [], ssl=lab.context, max_msg_size=0
        ) as connection,
    ):
        transport = cast(Any, connection)._response.connection.transport
        assert connection.protocol == (protocol or None)
        yield connection
        await connection.close()
        transport.abort()  # a close over TLS would outlive the loop
        await asyncio.sleep(0)


async def all_of(connection: aiohttp.ClientWebSocketResponse) -> list[Any]:
    return [message.data async for message in connection]


def raw(lab: Lab, path: str, headers: dict[str, str]) -> Response:
    upgrade = {"Connection": "Upgrade", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13"}
    return lab.request("GET", path, headers={**upgrade, **headers})


@pytest.mark.parametrize("protocol", [*BINARY, ""])
def test_a_command_over_bytes(lab: Lab, protocol: str) -> None:
    async def scene() -> None:
        path = (
            f"{NS}/pods/web/exec?command=sh&command=-c&command=echo+out%3B+echo+err+%3E%262%3B+exit+7&stdout=1&stderr=1"
        )
        async with opened(lab, path, protocol) as connection:
            said = await all_of(connection)
        assert said[:3] == [READY, b"\x01out\n", b"\x02err\n"]
        assert said[3][:1] == b"\x03"
        kubelet = "error executing command [sh -c echo out; echo err >&2; exit 7], exit code 7"
        if protocol.startswith("v"):
            assert json.loads(said[3][1:]) == exit_status(7, "" if protocol.startswith("v5") else kubelet)
        else:
            assert said[3][1:].decode() == f"command terminated with non-zero exit code: {kubelet}"
        assert len(said) == 4

    play(scene())


@pytest.mark.parametrize("protocol", TEXT)
def test_a_command_over_base64(lab: Lab, protocol: str) -> None:
    async def scene() -> None:
        async with opened(lab, f"{NS}/pods/web/exec?command=hostname&stdout=1", protocol) as connection:
            said = await all_of(connection)
        assert said[:2] == ["1", "1" + base64.b64encode(b"web\n").decode()]
        if protocol.startswith("v4"):
            assert json.loads(base64.b64decode(said[2][1:])) == {"metadata": {}, "status": "Success"}
        else:
            assert len(said) == 2  # before v4, a good end is silence

    play(scene())


@pytest.mark.parametrize("protocol", [*BINARY, *TEXT])
def test_what_is_typed_comes_back(lab: Lab, protocol: str) -> None:
    async def scene() -> None:
        path = f"{NS}/pods/web/exec?command=cat&stdin=1&stdout=1"
        async with opened(lab, path, protocol) as connection:
            await connection.receive()
            if protocol in TEXT:
                await connection.send_str("0" + base64.b64encode(b"\x00\xff").decode())
                assert (await connection.receive()).data == "1" + base64.b64encode(b"\x00\xff").decode()
            else:
                await connection.send_bytes(b"\x00\x00\xff")
                assert (await connection.receive()).data == b"\x01\x00\xff"

    play(scene())


def test_stdin_ends_in_version_5_only(lab: Lab) -> None:
    async def scene() -> None:
        path = f"{NS}/pods/web/exec?command=cat&stdin=1&stdout=1"
        async with opened(lab, path) as connection:
            await connection.send_bytes(b"\x00last words")
            await connection.send_bytes(b"\xff\x00")
            said = await all_of(connection)
        assert said[:2] == [READY, b"\x01last words"]
        assert json.loads(said[2][1:]) == {"metadata": {}, "status": "Success"}
        async with opened(lab, path, "v4.channel.k8s.io") as connection:
            await connection.send_bytes(b"\xff\x00")
            await connection.send_bytes(b"\x00still here")
            assert [(await connection.receive()).data for _ in range(2)] == [READY, b"\x01still here"]

    play(scene())


def test_a_terminal_is_resized_and_nonsense_is_passed_over(lab: Lab) -> None:
    async def scene() -> None:
        path = f"{NS}/pods/web/exec?command=sh&stdin=1&stdout=1&stderr=1&tty=1"
        async with opened(lab, path) as connection:
            await connection.receive()
            assert (await connection.receive()).data == b"\x01/ # "
            for size in (b'{"Width":80,"Height":24}', b"{", b'{"Width":"x"}', b"[]", b"null"):
                await connection.send_bytes(b"\x04" + size)
            for odd in (b"", b"\x00", b"\x09what", b"\xff", b"\xff\x09"):
                await connection.send_bytes(odd)
            await connection.send_bytes(b"\x00hostname\r")
            assert (await connection.receive()).data == b"\x01hostname\r\n"
            assert (await connection.receive()).data == b"\x01web\r\n"
            assert (await connection.receive()).data == b"\x01/ # "
            await connection.send_bytes(b"\x00exit 3\r")
            assert json.loads((await all_of(connection))[-1][1:]) == exit_status(3)

    play(scene())


def test_what_is_typed_uninvited_goes_nowhere(lab: Lab) -> None:
    async def scene() -> None:
        async with opened(lab, f"{NS}/pods/web/exec?command=hostname&stdout=1") as connection:
            await connection.send_bytes(b"\x00hello")
            assert (await all_of(connection))[1] == b"\x01web\n"

    play(scene())


@pytest.mark.parametrize(
    ("path", "headers", "code", "message"),
    [
        ("web/exec?command=ls&stdout=1", {}, 400, "Upgrade request required"),
        ("web/attach?stdout=1", {}, 400, "Upgrade request required"),
        ("web/portforward?ports=80", {}, 400, "Upgrade request required"),
        ("web/exec?stdout=1", {"Upgrade": "websocket"}, 422, "PodExecOptions"),
        ("nope/exec?command=ls", {"Upgrade": "websocket"}, 404, 'pods "nope" not found'),
        ("two/exec?command=ls", {"Upgrade": "websocket"}, 400, "a container name must be specified for pod two"),
        ("two/exec?command=ls&container=c", {"Upgrade": "websocket"}, 400, "container c is not valid for pod two"),
        (
            "web/exec?command=ls",
            {"Upgrade": "websocket", "Sec-WebSocket-Protocol": "v9.channel.k8s.io"},
            403,
            "not supported",
        ),
        ("web/portforward", {"Upgrade": "websocket"}, 400, 'query parameter "port" is required'),
        ("web/portforward?ports=x", {"Upgrade": "websocket"}, 400, "unable to parse"),
        ("web/portforward?ports=70000", {"Upgrade": "websocket"}, 400, "port must be between 1 and 65535"),
    ],
)
def test_refusals_come_before_the_upgrade(
    lab: Lab, path: str, headers: dict[str, str], code: int, message: str
) -> None:
    answer = raw(lab, f"{NS}/pods/{path}", headers)
    assert answer.status == code, answer.body
    assert answer.json["kind"] == "Status"
    assert message in answer.json["message"]


def test_what_a_kubelet_cannot_do_is_the_streams_end_in_version_5(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Input:
        text = 'unable to upgrade connection: container not found ("a")'
        raise ApiError(500, "InternalError", f"Internal error occurred: {text}")

    async def ended() -> str:
        async with opened(lab, f"{NS}/pods/web/exec?command=ls&stdout=1") as connection:
            said = await all_of(connection)
        return str(json.loads(said[-1][1:])["message"])

    async def scene() -> None:
        missing = 'unable to upgrade connection: container not found ("a")'
        with monkeypatch.context() as patch:
            patch.setattr(lab.cluster.agents.find("node1"), "exec", refuse, raising=False)
            assert await ended() == f"Internal error occurred: {missing}"
            older = {"Upgrade": "websocket", "Sec-WebSocket-Protocol": "v4.channel.k8s.io"}
            answer = await asyncio.to_thread(raw, lab, f"{NS}/pods/web/exec?command=ls&stdout=1", older)
            assert (answer.status, answer.json["message"]) == (500, f"Internal error occurred: {missing}")
        with monkeypatch.context() as patch:
            patch.setattr(lab.cluster.agents, "_agents", {})
            assert await ended() == (
                'Internal error occurred: error sending request: Post "https://172.18.0.2:10250/exec/default/web/a":'
                " dial tcp 172.18.0.2:10250: connect: connection refused"
            )

    play(scene())


def test_each_port_has_two_channels(lab: Lab) -> None:
    async def scene() -> None:
        async with opened(lab, f"{NS}/pods/web/portforward?ports=80,99", "v4.channel.k8s.io") as connection:
            said = [(await connection.receive()).data for _ in range(5)]
            assert said[:4] == [b"\x00P\x00", b"\x01P\x00", b"\x02c\x00", b"\x03c\x00"]
            assert said[4].startswith(b"\x03error forwarding port 99 to pod")
            await connection.send_bytes(b"\x00GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await connection.receive()).data.endswith(b"</html>\n")
        async with opened(lab, f"{NS}/pods/web/portforward?ports=99", "v4.channel.k8s.io") as connection:
            assert len(await all_of(connection)) == 3  # it ends where all ports have ended

    play(scene())


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # sockets that the client leaves to the collector
def test_ports_for_the_python_client(lab: Lab) -> None:
    from importlib import import_module

    client, config, stream = (cast(Any, import_module(f"kubernetes.{name}")) for name in ("client", "config", "stream"))
    with config.new_client_from_config(str(lab.kubeconfig)) as api:
        core = client.CoreV1Api(api)
        for _ in range(3):
            forward = stream.portforward(core.connect_get_namespaced_pod_portforward, "web", "default", ports="80")
            connection = forward.socket(80)
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")
            connection.close()
        refused = stream.portforward(core.connect_get_namespaced_pod_portforward, "web", "default", ports="99")
        until(lambda: refused.error(99) is not None)
        assert "connection refused" in refused.error(99)


class Slow(Closed):
    """An agent's answer that notes when its client has gone."""

    gone = False

    def close(self) -> None:
        self.gone = True


@pytest.fixture
def flood(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Output, Slow]]:
    """node1 answers for logs with what the test writes."""
    asked: list[tuple[Output, Slow]] = []
    agent = lab.cluster.agents.find("node1")

    def logs(_pod: Any, _container: str, _options: LogOptions, output: Output) -> Input:
        asked.append((output, slow := Slow()))
        return slow

    monkeypatch.setattr(agent, "logs", logs, raising=False)
    return asked


def test_a_client_that_goes_away_is_noticed(lab: Lab, flood: list[tuple[Output, Slow]]) -> None:
    async def scene() -> None:
        async with opened(lab, f"{NS}/pods/web/attach?stdout=1") as connection:
            await connection.receive()
            assert not flood
            cast(Any, connection)._response.connection.transport.abort()

    before = len(lab.run(lambda: asyncio.all_tasks(lab.loop)))
    for _ in range(20):
        with pytest.MonkeyPatch.context() as patch:
            seen: list[Slow] = []

            def attach(*_: Any, seen: list[Slow] = seen) -> Input:
                seen.append(Slow())
                return seen[-1]

            patch.setattr(lab.cluster.agents.find("node1"), "attach", attach, raising=False)
            play(scene())
            until(lambda seen=seen: seen[0].gone)
    until(lambda: len(lab.run(lambda: asyncio.all_tasks(lab.loop))) <= before + 1)


def test_a_log_that_nobody_takes_is_left_behind_and_holds_nobody_up(lab: Lab, flood: list[tuple[Output, Slow]]) -> None:
    connection = lab.context.wrap_socket(socket.create_connection(lab.address, timeout=20), server_hostname="localhost")
    with connection:
        head = f"GET {NS}/pods/web/log?follow=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {lab.token}\r\n\r\n"
        connection.sendall(head.encode())
        until(lambda: len(flood) == 1)
        output, source = flood[0]
        for _ in range(70):  # 70 MB that are not read
            lab.run(lambda: output.write(STDOUT, b"x" * 2**20))
            began = time.monotonic()
            assert lab.request("GET", f"{NS}/pods/web").status == 200
            assert time.monotonic() - began < 2
        held = lab.run(lambda: cast(Any, output)._held)
        assert held <= 34 * 2**20
    until(lambda: source.gone)


def test_a_large_log_arrives_whole(lab: Lab, flood: list[tuple[Output, Slow]]) -> None:
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(lab.request, "GET", f"{NS}/pods/web/log")
        until(lambda: len(flood) == 1)
        output, source = flood[0]
        for number in range(20):
            lab.run(lambda n=number: output.write(STDOUT, bytes([65 + n]) * 2**20))  # type: ignore[misc]
        lab.run(output.end)
        answer = asking.result(20)
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.body == b"".join(bytes([65 + n]) * 2**20 for n in range(20))
    assert source.gone


def test_a_hundred_at_once(lab: Lab) -> None:
    async def one(number: int) -> None:
        path = f"{NS}/pods/web/exec?command=cat&stdin=1&stdout=1"
        async with opened(lab, path) as connection:
            await connection.receive()
            for turn in range(5):
                words = f"{number}:{turn}".encode() * 100
                await connection.send_bytes(b"\x00" + words)
                assert (await connection.receive()).data == b"\x01" + words
            await connection.send_bytes(b"\xff\x00")
            assert json.loads((await all_of(connection))[-1][1:])["status"] == "Success"

    async def scene() -> None:
        await asyncio.gather(*(one(number) for number in range(100)))

    began = time.monotonic()
    play(scene())
    assert time.monotonic() - began < 20
