"""A webhook server on loopback, with a certificate of its own: what admission's tests ask."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import trustme

from k8sdiag.evidence import Json

Judge = Callable[[Json], Json]


class Hook:
    """A webhook server: what it was asked, and who judges at which path."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Json]] = []
        self.judges: dict[str, Judge] = {}
        self.authority = trustme.CA()
        handler = type("Handler", (_Handler,), {"hook": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert("127.0.0.1", "hook.shop.svc").configure_cert(context)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port: int = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def bundle(self) -> str:
        return base64.b64encode(self.authority.cert_pem.bytes()).decode()

    def url(self, path: str) -> str:
        return f"https://127.0.0.1:{self.port}{path}"

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]


class _Handler(BaseHTTPRequestHandler):
    hook: Hook

    def do_POST(self) -> None:
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        path = self.path.partition("?")[0]
        self.hook.asked.append((path, review["request"]))
        answer = self.hook.judges[path](review["request"])
        if "code" in answer:
            self.send_response(answer["code"])
            body = answer["body"].encode()
        else:
            self.send_response(200)
            response = {"uid": review["request"]["uid"], **answer}
            body = json.dumps(
                {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}
            ).encode()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(OSError):  # who did not want to wait has gone
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""
