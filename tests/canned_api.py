"""A real HTTP(S) server that serves canned Kubernetes JSON, and can be made to fail in every way a cluster does.

Lists honour namespaces, label and field selectors (equality) and paging. What was asked is on record.
"""

from __future__ import annotations

import json
import re
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import trustme
import yaml

from k8sdiag.kinds import KINDS, Kind

Json = dict[str, Any]
Behaviour = Callable[["Handler"], None]
_PLURALS = {(kind.group, kind.plural): kind for kind in KINDS.values()}


class CannedApi(ThreadingHTTPServer):
    """`objects` are what there is; `rules` come first: a path's regular expression, and what to do instead."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, objects: Iterable[Json] = ()) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.objects = list(objects)
        self.rules: list[tuple[re.Pattern[str], Behaviour]] = []
        self.texts: dict[str, str] = {}
        self.asked: list[str] = []
        self.headers_seen: list[dict[str, str]] = []
        self.connections = 0
        self.busy = 0
        self.busiest = 0
        self.pause = 0.0
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.scheme = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}"

    def on(self, pattern: str, behaviour: Behaviour) -> None:
        """Paths that the expression matches are treated so."""
        self.rules.append((re.compile(pattern), behaviour))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are what these tests are about."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: CannedApi
    answered = False  # a Handler is a connection

    def setup(self) -> None:
        super().setup()
        with self.server.lock:
            self.server.connections += 1

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the name is the base class's
        pass

    def do_GET(self) -> None:
        with self.server.lock:
            self.server.asked.append(self.path)
            self.server.headers_seen.append({key: "|".join(self.headers.get_all(key, [])) for key in self.headers})
            self.server.busy += 1
            self.server.busiest = max(self.server.busiest, self.server.busy)
        try:
            self.server.stopping.wait(self.server.pause)
            self.answer()
        finally:
            with self.server.lock:
                self.server.busy -= 1

    def answer(self) -> None:
        path = urlsplit(self.path).path
        for pattern, behaviour in self.server.rules:
            if pattern.search(self.path):
                behaviour(self)
                return
        text = self.server.texts.get(self.path) or self.server.texts.get(path)
        if text is not None:
            self.send(200, text.encode(), "text/plain")
            return
        kind, namespace, name = where(path)
        if kind is None:
            self.fail(404, "the server could not find the requested resource")
        elif name:
            self.one(kind, namespace, name)
        else:
            self.many(kind, namespace)

    def one(self, kind: Kind, namespace: str, name: str) -> None:
        for obj in self.server.objects:
            meta = obj["metadata"]
            if (obj["kind"], meta.get("namespace") or "", meta["name"]) == (kind.kind, namespace, name):
                self.send_json(obj)
                return
        self.fail(404, f'{kind.plural} "{name}" not found')

    def many(self, kind: Kind, namespace: str) -> None:
        query = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
        found = [obj for obj in self.server.objects if obj["kind"] == kind.kind]
        if namespace:
            found = [obj for obj in found if obj["metadata"].get("namespace") == namespace]
        for term in filter(None, query.get("labelSelector", "").split(",")):
            found = [obj for obj in found if _labelled(obj, term)]
        for term in filter(None, query.get("fieldSelector", "").replace("regarding.", "involvedObject.").split(",")):
            field, _, value = term.partition("=")
            found = [obj for obj in found if _field(obj, field) == value]
        first, limit = int(query.get("continue", "0")), int(query.get("limit", "0"))
        last = first + limit if limit else len(found)
        metadata = {"continue": str(last)} if last < len(found) else {}
        items = [{key: value for key, value in obj.items() if key not in ("kind", "apiVersion")} for obj in found]
        kind_word, version = f"{kind.kind}List", kind.api_version
        self.send_json({"kind": kind_word, "apiVersion": version, "metadata": metadata, "items": items[first:last]})

    def send_json(self, answer: Any, status: int = 200) -> None:
        self.send(status, json.dumps(answer).encode(), "application/json")

    def send(self, status: int, body: bytes, content_type: str, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def fail(self, status: int, message: str, **headers: str) -> None:
        said = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": status}
        self.send(status, json.dumps(said).encode(), "application/json", **headers)


def where(path: str) -> tuple[Kind | None, str, str]:
    """The kind, namespace and name that a path means."""
    parts = path.strip("/").split("/")
    group, rest = ("", parts[2:]) if parts[0] == "api" else (parts[1], parts[3:])
    if group == "events.k8s.io":
        group = ""
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces":
        namespace, rest = rest[1], rest[2:]
    kind = _PLURALS.get((group, rest[0]))
    if len(rest) > 2:
        return None, "", ""
    return kind, namespace, rest[1] if len(rest) == 2 else ""


def _labelled(obj: Json, term: str) -> bool:
    labels = obj["metadata"].get("labels") or {}
    key, equals, value = term.partition("=")
    return labels.get(key) == value if equals else key in labels


def _field(obj: Json, field: str) -> Any:
    value: Any = obj
    for part in field.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def refuse(status: int, message: str = "no", **headers: str) -> Behaviour:
    return lambda handler: handler.fail(status, message, **headers)


def hang(handler: Handler) -> None:
    """Say nothing until the test is over."""
    handler.server.stopping.wait(20)
    handler.close_connection = True


def trickle(handler: Handler) -> None:
    """A byte now and then: each arrives in time, all of them never do."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    while not handler.server.stopping.wait(0.05):
        handler.wfile.write(b" ")
        handler.wfile.flush()


def break_off(handler: Handler) -> None:
    """Half a body, and then the end of the connection."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"kind": "Pod", "metadata": {')
    handler.wfile.flush()
    handler.close_connection = True


@cache
def authority(name: str = "ours") -> trustme.CA:
    return trustme.CA(organization_name=name)


@contextmanager
def serving(objects: Iterable[Json] = (), certificate: trustme.LeafCert | None = None) -> Iterator[CannedApi]:
    """A server for as long as the block lasts; TLS where it is given a certificate."""
    api = CannedApi(objects)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        api.socket = context.wrap_socket(api.socket, server_side=True)
        api.scheme = "https"
    thread = threading.Thread(target=api.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield api
    finally:
        api.stopping.set()
        api.shutdown()
        api.server_close()
        thread.join()


def kubeconfig(path: Path, server: str, *, name: str = "test", current: bool = True, **extra: Any) -> Path:
    """A kubeconfig with one context. `cluster`, `user` and `context` add to their sections."""
    config: Json = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": server, **extra.get("cluster", {})}}],
        "users": [{"name": name, "user": extra.get("user", {"token": "open-sesame"})}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, **extra.get("context", {})}}],
    }
    if current:
        config["current-context"] = name
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path
