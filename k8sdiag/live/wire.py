"""HTTP over kept-alive connections with nothing but sockets: what a token or a certificate needs.

urllib3 does this and much more, and importing it takes as long as all the requests of a diagnosis; it stays in use
where the official client does (`library.py`).
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterable
from threading import Lock
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from k8sdiag.live.answers import Answer

_UNFIT = re.compile(r"[^\x21-\x7e]")  # in a path: it would end the line or the word
_UNFIT_VALUE = re.compile(r"[^\x20-\x7e\x80-\xff]")


class Stale(Exception):  # noqa: N818 (nothing went wrong: the server had closed a kept connection)
    """A kept connection was closed by the server in the moment it was used again."""


class Wire:
    """Connections to one server, kept for the next request; at most `size` of them idle."""

    def __init__(self, host: str, tls: ssl.SSLContext | None, server_name: str | None, size: int) -> None:
        where = urlsplit(host)
        self._prefix = where.path.rstrip("/")
        self._host = where.netloc.rpartition("@")[2]
        self._name, self._port = where.hostname or "", where.port or (443 if tls else 80)
        self._tls, self._server_name, self._size = tls, server_name, size
        self._session: ssl.SSLSession | None = None  # what makes the next handshake a short one
        self._idle: list[socket.socket] = []
        self._lock = Lock()

    def open(self, target: str, headers: Iterable[tuple[str, str]], due: float) -> Response:
        """Send a GET and read the answer's head. Raises OSError, ValueError and Stale."""
        request = self._request(target, headers)
        with self._lock:
            sock = self._idle.pop() if self._idle else None
        kept = sock is not None
        if sock is None:
            sock = self._connect(due)
        try:
            sock.settimeout(max(due - monotonic(), 0.001))
            sock.sendall(request)
            answer = Answer(sock, due)
            if isinstance(sock, ssl.SSLSocket) and not kept:
                self._session = sock.session
            return Response(self, sock, answer)
        except (BrokenPipeError, ConnectionResetError) as error:
            sock.close()
            if kept:
                raise Stale from error
            raise
        except BaseException:
            sock.close()
            raise

    def keep(self, sock: socket.socket) -> None:
        """Have a connection back whose answer was read to the end."""
        with self._lock:
            if len(self._idle) < self._size:
                self._idle.append(sock)
                return
        sock.close()

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for sock in idle:
            sock.close()

    def __del__(self) -> None:
        self.close()

    def _request(self, target: str, headers: Iterable[tuple[str, str]]) -> bytes:
        if _UNFIT.search(target):
            raise ValueError(f"a path cannot have control characters or blanks in it: {target!r}")
        lines = [f"GET {self._prefix}{target} HTTP/1.1", f"Host: {self._host}"]
        for name, value in headers:
            if _UNFIT_VALUE.search(value):
                raise ValueError(f"not fit to be sent as the header {name}")
            lines.append(f"{name}: {value}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def _connect(self, due: float) -> socket.socket:
        # As bytes where that is the same: a str would import the tables of international names.
        name: Any = self._name.encode() if self._name.isascii() else self._name
        sock = socket.create_connection((name, self._port), max(due - monotonic(), 0.001))
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is None:
                return sock
            sock.settimeout(max(due - monotonic(), 0.001))
            return self._tls.wrap_socket(sock, server_hostname=self._server_name or self._name, session=self._session)
        except BaseException:
            sock.close()
            raise


class Response:
    """An answer, and the connection it comes over."""

    def __init__(self, wire: Wire, sock: socket.socket, answer: Answer) -> None:
        self._wire, self._sock, self._answer = wire, sock, answer
        self.status = answer.status
        self.header, self.read = answer.header, answer.read

    def release(self) -> None:
        """The body is read: the connection may be used again."""
        if self._answer.kept and self._answer.whole:
            self._wire.keep(self._sock)
        else:
            self._sock.close()

    def close(self) -> None:
        """Half an answer is still in it: not fit for the next request."""
        self._sock.close()
