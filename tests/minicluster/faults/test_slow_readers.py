"""Who asks for much and does not read it keeps nobody else waiting."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator

import pytest

from tests.minicluster.faults.process import Door, LabProcess

PATH = "/api/v1/namespaces/default/configmaps"
LARGE = "x" * 800_000
PATIENCE = 1.0  # for one answer, on a machine that does other things, too


@pytest.fixture(autouse=True)
def _well(process: LabProcess) -> Iterator[None]:
    yield
    assert "Traceback" not in process.log()


def _unread(door: Door, path: str) -> ssl.SSLSocket:
    """A request whose answer nobody reads, through a small window."""
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plain.settimeout(20)
    plain.connect((door.host, door.port))
    connection = door.tls.wrap_socket(plain, server_hostname=door.host)
    connection.sendall(door.head("GET", path))
    return connection


def _longest(door: Door, times: int) -> float:
    """The longest that somebody else waits."""
    connection, longest = door.connect(), 0.0
    for number in range(times):
        begin = time.perf_counter()
        body = {"metadata": {"name": f"small-{time.monotonic_ns()}-{number}"}}
        assert door.ask(connection, "POST", PATH, body)[0] == 201
        assert door.ask(connection, "GET", "/readyz")[0] == 200
        longest = max(longest, time.perf_counter() - begin)
    connection.close()
    return longest


@pytest.mark.slow
def test_lists_of_forty_megabytes(door: Door) -> None:
    connection = door.connect()
    for number in range(50):
        body = {"metadata": {"name": f"large-{number}"}, "data": {"a": LARGE}}
        assert door.ask(connection, "POST", PATH, body)[0] == 201
    connection.close()
    held = [_unread(door, PATH) for _ in range(5)]
    try:
        for one in held:
            assert one.recv(12) == b"HTTP/1.1 200"  # its answer is on its way
        assert _longest(door, 100) < PATIENCE
    finally:
        for one in held:
            one.close()


@pytest.mark.slow
def test_watches_that_nobody_reads(door: Door) -> None:
    """One that falls too far behind is shut out; one that reads sees everything meanwhile."""
    name = f"{PATH}/changing"
    _, made = door.request("POST", PATH, {"metadata": {"name": "changing"}, "data": {"a": LARGE}})
    version = made["metadata"]["resourceVersion"]
    watch = f"{PATH}?watch=true&fieldSelector=metadata.name%3Dchanging&resourceVersion={version}"
    held = [_unread(door, watch) for _ in range(3)]
    reading, connection = door.connect(), door.connect()
    try:
        reading.request("GET", watch, headers={"Authorization": f"Bearer {door.token}"})
        events, longest = reading.getresponse(), 0.0
        for number in range(120):  # 96 MB: more than a watch's buffer holds
            begin = time.perf_counter()
            patch = {"metadata": {"labels": {"number": str(number)}}}
            code, changed = door.ask(connection, "PATCH", name, patch, "merge-patch+json")
            longest = max(longest, time.perf_counter() - begin)
            assert code == 200
            line = events.readline()
            assert line.startswith(b'{"type":"MODIFIED"')
            assert f'"resourceVersion":"{changed["metadata"]["resourceVersion"]}"'.encode() in line
        assert longest < PATIENCE
        for one in held:
            assert b'"code":410' in _rest(one)[-2000:]
    finally:
        reading.close()
        connection.close()
        for one in held:
            one.close()


def _rest(connection: ssl.SSLSocket) -> bytes:
    """All there still is, up to the end."""
    received = bytearray()
    while not received.endswith(b"0\r\n\r\n"):
        part = connection.recv(1 << 20)
        if not part:
            break
        received += part
    return bytes(received)
