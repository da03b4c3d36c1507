"""What no client should send, and how the server takes it: a clear Status, no traceback, and it goes on serving."""

from __future__ import annotations

import gzip
import logging
import resource
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from k8sdiag.minicluster.apiserver import http_protocol
from tests.minicluster.conftest import Lab

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture(autouse=True)
def _still_serving(lab: Lab, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever a test sends, the log stays free of tracebacks and the next request is answered."""
    with caplog.at_level(logging.INFO):
        yield
    assert not [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR]
    assert lab.request("GET", "/api/v1/namespaces/default").status == 200


def _is_status(body: Any, code: int, reason: str) -> None:
    assert body["kind"] == "Status"
    assert (body["code"], body["reason"], body["status"]) == (code, reason, "Failure")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"metadata": }', "invalid character '}' looking for beginning of value"),
        (b'{"metadata"', "unexpected end of JSON input"),
        (b"", "unexpected end of JSON input (<empty>)"),
        (b"\x00\xff\xfe", "json parse error"),
        (b"[]", "cannot unmarshal array into Go value"),
        (b'"text"', "cannot unmarshal string into Go value"),
        (b"{} {}", "after top-level value"),
        (b"[" * 100_000, "json parse error"),
        (b'{"data":' * 300 + b"1" + b"}" * 300, "exceeded max depth"),
    ],
)
def test_malformed_json(lab: Lab, body: bytes, said: str) -> None:
    answer = lab.request("POST", CONFIG_MAPS, body)
    _is_status(answer.json, 400, "BadRequest")
    assert said in answer.json["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"a: [b",
        b"a: *nothing",
        b"a: &a [*a]",
        b"- " * 5000 + b"x",
        b"a: &a [x,x,x,x,x,x,x,x,x,x]\n"
        + b"".join(b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 10)) for c in range(98, 106)),
        b"!!python/object/apply:os.system [id]",
    ],
    ids=["open", "alias", "circle", "deep", "bomb", "code"],
)
def test_malformed_yaml(lab: Lab, body: bytes) -> None:
    answer = lab.request("POST", CONFIG_MAPS, body, {"Content-Type": "application/yaml"})
    assert 400 <= answer.status < 500
    assert answer.json["kind"] == "Status"


@pytest.mark.parametrize("body", [b"k8s\x00", b"k8s\x00\x0a\xff", b"k8s\x00\x0a\x05\x0a\x02v1", b"nothing of the kind"])
def test_malformed_protobuf(lab: Lab, body: bytes) -> None:
    answer = lab.request("POST", CONFIG_MAPS, body, {"Content-Type": "application/vnd.kubernetes.protobuf"})
    _is_status(answer.json, 400, "BadRequest")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.sampled_from(["application/json", "application/yaml", "protobuf"]))
def test_any_bytes(lab: Lab, body: bytes, kind: str) -> None:
    media = "application/vnd.kubernetes.protobuf" if kind == "protobuf" else kind
    data = b"k8s\x00" + body if kind == "protobuf" else body
    answer = lab.request("POST", f"{CONFIG_MAPS}?dryRun=All", data, {"Content-Type": media})
    assert 400 <= answer.status < 500
    assert answer.json["kind"] == "Status"


def test_too_large_a_body(lab: Lab) -> None:
    body = orjson.dumps({"metadata": {"name": "large"}, "data": {"a": "x" * 10_000_000}})
    answer = lab.request("POST", CONFIG_MAPS, body)
    _is_status(answer.json, 413, "RequestEntityTooLarge")
    assert answer.json["message"] == "Request entity is too large: limit is 3145728"


def test_too_large_a_body_in_chunks_or_packed(lab: Lab) -> None:
    packed = gzip.compress(b" " * 50_000_000)
    answer = lab.request("POST", CONFIG_MAPS, packed, {"Content-Encoding": "gzip"})
    _is_status(answer.json, 413, "RequestEntityTooLarge")


def test_long_path(lab: Lab) -> None:
    answer = lab.request("GET", f"/api/v1/namespaces/{'x' * 65536}")
    _is_status(answer.json, 414, "RequestURITooLong")
    answer = lab.request("GET", f"/api/v1/namespaces/{'x' * 20000}")
    _is_status(answer.json, 404, "NotFound")


def test_unknown_content_type(lab: Lab) -> None:
    answer = lab.request("POST", CONFIG_MAPS, b"<a/>", {"Content-Type": "text/xml"})
    _is_status(answer.json, 415, "UnsupportedMediaType")
    assert answer.json["message"] == (
        "the body of the request was in an unknown format - accepted media types include: application/json, "
        "application/yaml, application/vnd.kubernetes.protobuf"
    )
    answer = lab.request("PATCH", f"{CONFIG_MAPS}/kube-root-ca.crt", {"a": 1})
    _is_status(answer.json, 415, "UnsupportedMediaType")
    assert "application/json-patch+json" in answer.json["message"]


def test_unknown_accept(lab: Lab) -> None:
    answer = lab.request("GET", CONFIG_MAPS, headers={"Accept": "application/vnd.kubernetes.protobuf"})
    _is_status(answer.json, 406, "NotAcceptable")
    both = "application/vnd.kubernetes.protobuf,application/json"
    assert lab.request("GET", CONFIG_MAPS, headers={"Accept": both}).json["kind"] == "ConfigMapList"


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/apis/nothing/v1/things", 404),
        ("GET", "/api/v1/namespaces/default/nodes", 404),
        ("GET", "/api/v1/namespaces/default/pods/web/nothing", 404),
        ("GET", "/api/v1//pods", 404),
        ("GET", "/api/v1/pods/web", 404),
        ("POST", "/api/v1/pods", 405),
        ("PUT", CONFIG_MAPS, 405),
        ("POST", "/version", 405),
        ("PROPFIND", CONFIG_MAPS, 405),
        ("DELETE", "/api/v1/namespaces", 405),
    ],
)
def test_paths_and_methods_that_are_none(lab: Lab, method: str, path: str, code: int) -> None:
    answer = lab.request(method, path)
    _is_status(answer.json, code, {404: "NotFound", 405: "MethodNotAllowed"}[code])


def _raw(lab: Lab, data: bytes, wait: float = 5.0) -> bytes:
    """Bytes over TLS, and all that comes back."""
    with (
        socket.create_connection(lab.address, timeout=wait) as plain,
        lab.context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
    ):
        connection.sendall(data)
        received = b""
        try:
            while part := connection.recv(65536):
                received += part
        except (TimeoutError, ssl.SSLError, ConnectionError):
            pass
        return received


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01 nonsense\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nbroken header\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    ],
    ids=["binary", "short", "version", "header", "length", "long"],
)
def test_what_is_no_http(lab: Lab, data: bytes) -> None:
    received = _raw(lab, data)
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.split()[1].startswith(b"4"), head[:200]
    assert orjson.loads(body)["kind"] == "Status"


def test_plain_text_on_the_tls_port(lab: Lab) -> None:
    with socket.create_connection(lab.address, timeout=5) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert plain.recv(100)[:1] in (b"", b"\x15")  # nothing, or a TLS alert


def test_half_open_connections(lab: Lab) -> None:
    """Thousands that connect and say nothing, some in the middle of a request: others do not notice."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(2000, (soft if hard == resource.RLIM_INFINITY else min(soft, hard)) // 2 - 100)
    held = [socket.create_connection(lab.address, timeout=10) for _ in range(count)]
    talking: list[socket.socket] = [lab.context.wrap_socket(held.pop(), server_hostname="127.0.0.1") for _ in range(50)]
    try:
        for connection in talking:
            connection.sendall(b"GET /version HTTP/1.1\r\nHost: x\r\nX-Never-")
        start = time.perf_counter()
        for _ in range(20):
            assert lab.request("GET", "/version").status == 200
        assert time.perf_counter() - start < 5
    finally:
        for connection in (*held, *talking):
            connection.close()


def test_who_says_nothing_is_sent_away(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "HEADER_SECONDS", 0.2)
    start = time.perf_counter()
    assert _raw(lab, b"GET /version HTTP/1.1\r\nHost: x\r\nX-Never-") == b""
    assert time.perf_counter() - start < 3


def test_a_slow_reader_blocks_nobody(lab: Lab) -> None:
    """One that asks for a lot and does not read it."""
    for number in range(30):
        body = {"metadata": {"name": f"large-{number}"}, "data": {"a": "x" * 200_000}}
        assert lab.request("POST", CONFIG_MAPS, body).status == 201
    slow = []
    try:
        for _ in range(10):
            plain = socket.create_connection(lab.address, timeout=10)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection = lab.context.wrap_socket(plain, server_hostname="127.0.0.1")
            request = f"GET {CONFIG_MAPS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {lab.token}\r\n\r\n"
            connection.sendall(request.encode())
            slow.append(connection)
        start = time.perf_counter()
        for _ in range(20):
            assert lab.request("GET", "/version").status == 200
        assert time.perf_counter() - start < 5
    finally:
        for connection in slow:
            connection.close()


@pytest.mark.parametrize("size", [300_000, 1_000_000])
def test_large_answers_are_packed(lab: Lab, size: int) -> None:
    data = {"a": "x" * (size // 2), "b": "é" * (size // 4)}
    assert lab.request("POST", CONFIG_MAPS, {"metadata": {"name": f"packed-{size}"}, "data": data}).status == 201
    answer = lab.request("GET", f"{CONFIG_MAPS}?fieldSelector=metadata.name%3Dpacked-{size}")
    assert "content-encoding" not in answer.headers
    packed = lab.request("GET", CONFIG_MAPS, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    items = orjson.loads(gzip.decompress(packed.body))["items"]
    assert data in [item["data"] for item in items]


def test_a_fault_of_ours_is_one_line(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("by zero")

    with monkeypatch.context() as patch:
        patch.setattr(lab.hosted.server._pages, "find", broken)
        answer = lab.request("GET", "/version")
    _is_status(answer.json, 500, "InternalError")
    assert answer.json["message"] == "Internal error occurred: by zero"
    lines = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.exc_info for record in lines] == [None]
    assert "ZeroDivisionError" in lines[0].getMessage()
    caplog.clear()
