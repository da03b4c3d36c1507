"""Clients without manners, against a lab process: it goes on serving, and its log has no traceback. What is malformed
within one request is tests/minicluster/apiserver/test_hostile.py's."""

from __future__ import annotations

import re
import resource
import socket
import ssl
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from random import Random

import orjson
import pytest

from tests.minicluster.faults.process import Door, LabProcess

PATH = "/api/v1/namespaces/default/configmaps"
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")


@pytest.fixture(autouse=True)
def _well(process: LabProcess, door: Door) -> Iterator[None]:
    yield
    begin = time.perf_counter()
    assert door.request("GET", "/api/v1/namespaces/default")[0] == 200
    assert time.perf_counter() - begin < 2
    said = process.log()
    assert "Traceback" not in said, said[-3000:]
    assert " E " not in said, said[-3000:]


def _all(connection: socket.socket) -> bytes:
    received = b""
    with suppress(OSError):
        while part := connection.recv(65536):
            received += part
    return received


def _reset(connection: socket.socket) -> None:
    """Gone without a word: the other side gets a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_requests_in_a_row_are_answered_in_a_row(door: Door) -> None:
    """HTTP pipelining."""
    names = [f"piped-{number}" for number in range(20)]
    requests = b""
    for name in names:
        body = orjson.dumps({"metadata": {"name": name}})
        requests += door.head("POST", PATH, Content_Type="application/json", Content_Length=str(len(body))) + body
        requests += door.head("GET", f"{PATH}/{name}")
    requests += door.head("GET", "/version", Connection="close")
    with door.socket() as connection:
        connection.sendall(requests)
        received = _all(connection)
    assert STATUS.findall(received) == [b"201", b"200"] * 20 + [b"200"]
    seen = re.findall(rb'"name":"(piped-\d+)"', received)
    assert list(dict.fromkeys(seen)) == [name.encode() for name in names]


@pytest.mark.parametrize("abrupt", [False, True])
def test_gone_in_the_middle_of_a_body(door: Door, abrupt: bool) -> None:
    body = orjson.dumps({"metadata": {"name": "half"}, "data": {"a": "x" * 100_000}})
    for part in (0, 1, 50_000, len(body) - 1):
        connection = door.socket()
        head = door.head("POST", PATH, Content_Type="application/json", Content_Length=str(len(body)))
        connection.sendall(head + body[:part])
        if abrupt:
            _reset(connection)
        else:
            connection.close()
    assert door.request("GET", f"{PATH}/half")[0] == 404


def test_gone_in_the_middle_of_an_answer(door: Door) -> None:
    for path in (PATH, "/openapi/v2", f"{PATH}?watch=true", "/api/v1/pods?watch=true"):
        for _ in range(5):
            connection = door.socket()
            connection.sendall(door.head("GET", path))
            connection.recv(10)
            _reset(connection)


def test_chunks_that_are_none(door: Door) -> None:
    head = door.head("POST", PATH, Content_Type="application/json", Transfer_Encoding="chunked")
    for chunks in (b"zz\r\n{}\r\n", b"-5\r\nhello\r\n", b"ffffffffffffffffff\r\n{}\r\n", b"2\r\n{}\r\n2\r\n"):
        with door.socket(timeout=3) as connection:
            connection.sendall(head + chunks)
            connection.shutdown(socket.SHUT_WR)
            answered = STATUS.findall(_all(connection))
        assert all(code.startswith(b"4") for code in answered), chunks


def test_two_lengths(door: Door) -> None:
    """What another server might read as two requests."""
    for more in ("Content-Length: 5\r\nContent-Length: 6", "Content-Length: 5\r\nTransfer-Encoding: chunked"):
        with door.socket(timeout=3) as connection:
            connection.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\n{more}\r\n\r\n0\r\n\r\n".encode())
            assert STATUS.findall(_all(connection))[:1] == [b"400"], more


@pytest.mark.parametrize(("count", "codes"), [(80, {b"200"}), (5_000, {b"200", b"400", b"431"})])
def test_many_headers(door: Door, count: int, codes: set[bytes]) -> None:
    many = {f"X-Number-{number}": "y" * 20 for number in range(count)}
    with door.socket(timeout=10) as connection:
        connection.sendall(door.head("GET", "/version", Connection="close", **many))
        answered = STATUS.findall(_all(connection))
    assert len(answered) == 1
    assert set(answered) <= codes


def test_nonsense_instead_of_a_handshake(door: Door) -> None:
    random = Random(3)
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    for data in (b"", b"\x00" * 1000, hello, hello + random.randbytes(505), random.randbytes(5000), b"\x15\x03\x03"):
        connection = door.plain(timeout=3)
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        with suppress(OSError):
            connection.recv(1000)
        connection.close()


def test_nonsense_after_a_handshake(door: Door) -> None:
    """Bytes in the clear where a record should be: the connection ends, and nothing else does."""
    for _ in range(5):
        connection = door.socket(timeout=5)
        connection.sendall(door.head("GET", f"{PATH}?watch=true"))
        connection.recv(10)
        with socket.socket(fileno=connection.detach()) as bare:
            bare.settimeout(5)
            bare.sendall(b"\x17\x03\x03\x00\x20" + b"nonsense" * 10)
            _all(bare)


@pytest.mark.slow
def test_a_byte_at_a_time(door: Door) -> None:
    """Slowloris: many requests that never come to their end. They are sent away, and others do not notice."""
    held = [door.socket(timeout=5) for _ in range(100)]
    request = door.head("GET", "/version", X_Long="y" * 1000)
    longest, sent_away = 0.0, 0
    try:
        for at in range(200):
            for connection in held:
                with suppress(OSError):
                    connection.send(request[at : at + 1])
            begin = time.perf_counter()
            assert door.request("GET", "/readyz")[0] == 200
            longest = max(longest, time.perf_counter() - begin)
            time.sleep(0.07)
        for connection in held:
            connection.settimeout(5)
            with suppress(ssl.SSLError, ConnectionError):
                assert connection.recv(100) == b""
            sent_away += 1
    finally:
        for connection in held:
            connection.close()
    assert sent_away == len(held)
    assert longest < 1.0


@pytest.mark.slow
def test_thousands_that_say_nothing(door: Door) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = min(hard, 6000) if hard != resource.RLIM_INFINITY else 6000
    if most < 2500:
        pytest.skip(f"this machine allows {most} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
    held: list[socket.socket] = []
    try:
        while len(held) < most - 500:
            held.append(door.plain())
            if len(held) % 3 == 0:
                held[-1].sendall(b"\x16\x03\x01\x02\x00")  # the beginning of a handshake
        longest = 0.0
        for _ in range(50):
            begin = time.perf_counter()
            assert door.request("GET", "/readyz")[0] == 200
            longest = max(longest, time.perf_counter() - begin)
        assert longest < 2.0
    finally:
        for connection in held:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
