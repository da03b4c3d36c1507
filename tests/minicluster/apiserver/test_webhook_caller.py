"""Calls to webhooks: over real TLS, and in Go's words where they fail."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from k8sdiag.clock import SystemClock
from k8sdiag.minicluster.apiserver.admission import WebhookAnswer, WebhookCall
from k8sdiag.minicluster.apiserver.certificates import Authority
from k8sdiag.minicluster.apiserver.webhook_caller import call
from k8sdiag.minicluster.apiserver.webhooks import call as call_and_wait


class _Webhook(BaseHTTPRequestHandler):
    """Answers with what it was sent; at /slow too late, at /broken with a 500."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.startswith("/slow"):
            threading.Event().wait(0.4)
        self.send_response(500 if self.path == "/broken" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        """Says nothing."""


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.make()


@pytest.fixture(scope="module")
def port(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    pair = authority.for_server(SystemClock().now(), ["hook.shop.svc"])
    path: Path = tmp_path_factory.mktemp("hook") / "pair.pem"
    path.write_bytes(pair.certificate + pair.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    server = HTTPServer(("127.0.0.1", 0), _Webhook)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def _ask(port: int, ca: bytes, path: str = "/", name: str = "hook.shop.svc", timeout: float = 5.0) -> WebhookAnswer:
    bundle = base64.b64encode(ca).decode()
    url = f"https://{name}:443{path}"
    asked = WebhookCall("k", "u", url, "127.0.0.1", port, name, path, bundle, timeout, b'{"a":1}')

    async def ask() -> WebhookAnswer:
        answer = await call(asked)
        if "deadline" in answer.error:  # a server's loop goes on; this one must wait until TLS has said good-bye
            await asyncio.sleep(0.5)
        return answer

    answer = asyncio.run(ask())
    assert call_and_wait(asked) == answer, "both callers say the same"
    return answer


def test_answer(port: int, authority: Authority) -> None:
    assert _ask(port, authority.pair.certificate) == WebhookAnswer(200, b'{"a":1}')
    assert _ask(port, authority.pair.certificate, "/broken").status == 500


def test_failures_in_go_s_words(port: int, authority: Authority) -> None:
    ca = authority.pair.certificate
    slow = _ask(port, ca, "/slow?timeout=1s", timeout=0.2)
    assert slow.error == 'Post "https://hook.shop.svc:443/slow?timeout=1s": context deadline exceeded'
    other = _ask(port, Authority.make().pair.certificate)
    assert other.error == (
        'Post "https://hook.shop.svc:443/": tls: failed to verify certificate: x509: certificate signed by unknown '
        "authority"
    )
    named = _ask(port, ca, name="other.shop.svc")
    assert named.error == (
        'Post "https://other.shop.svc:443/": tls: failed to verify certificate: x509: certificate is not valid for '
        "any names, but wanted to match other.shop.svc"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = free.getsockname()[1]
        refused = _ask(closed, ca)
    assert (
        refused.error == f'Post "https://hook.shop.svc:443/": dial tcp 127.0.0.1:{closed}: connect: connection refused'
    )
    assert "unable to load root certificates" in _ask(port, b"no certificate").error


def test_a_server_without_tls_and_one_that_hangs_up(authority: Authority) -> None:
    def once(answer: bytes) -> str:
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen()

            def serve() -> None:
                for _ in range(2):  # once for each caller
                    with listening.accept()[0] as connection:
                        connection.recv(4096)
                        connection.sendall(answer)

            thread = threading.Thread(target=serve)
            thread.start()
            error = _ask(listening.getsockname()[1], authority.pair.certificate).error
            thread.join()
            return error

    prefix = 'Post "https://hook.shop.svc:443/": '
    assert once(b"HTTP/1.1 400 Bad Request\r\n\r\n") == f"{prefix}tls: first record does not look like a TLS handshake"
    assert once(b"") == f"{prefix}EOF"
