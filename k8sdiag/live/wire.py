"""HTTP over kept-alive connections with nothing but the standard library: what a token or a certificate needs.

urllib3 does this and much more, and importing it takes as long as all the requests of a diagnosis; it stays in use
where the official client does (`library.py`).
"""

from __future__ import annotations

import gzip
import http.client
import socket
import ssl
import zlib
from collections.abc import Iterable
from threading import Lock
from time import monotonic
from urllib.parse import urlsplit


class Stale(Exception):  # noqa: N818 (nothing went wrong: the server had closed a kept connection)
    """A kept connection was closed by the server in the moment it was used again."""


class Wire:
    """Connections to one server, kept for the next request; at most `size` of them idle."""

    def __init__(self, host: str, tls: ssl.SSLContext | None, server_name: str | None, size: int) -> None:
        where = urlsplit(host)
        self._prefix = where.path.rstrip("/")
        self._name, self._port = where.hostname or "", where.port or (443 if tls else 80)
        self._tls, self._server_name, self._size = tls, server_name, size
        self._session: ssl.SSLSession | None = None  # what makes the next handshake a short one
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = Lock()

    def open(self, target: str, headers: Iterable[tuple[str, str]], due: float) -> Response:
        """Send a GET and read the answer's head. Raises OSError and http.client.HTTPException, and Stale."""
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        kept = connection is not None
        if connection is None:
            connection = self._connect(due)
        try:
            connection.sock.settimeout(max(due - monotonic(), 0.001))
            connection.putrequest("GET", self._prefix + target, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            if isinstance(connection.sock, ssl.SSLSocket):
                self._session = connection.sock.session
            return Response(self, connection, answer)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError) as error:
            connection.close()
            if kept:
                raise Stale from error
            raise
        except BaseException:
            connection.close()
            raise

    def keep(self, connection: http.client.HTTPConnection) -> None:
        """Have a connection back whose answer was read to the end."""
        with self._lock:
            if len(self._idle) < self._size:
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def __del__(self) -> None:
        self.close()

    def _connect(self, due: float) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection(self._name, self._port)
        sock = socket.create_connection((self._name, self._port), max(due - monotonic(), 0.001))
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                sock.settimeout(max(due - monotonic(), 0.001))
                name = self._server_name or self._name
                sock = self._tls.wrap_socket(sock, server_hostname=name, session=self._session)
        except BaseException:
            sock.close()
            raise
        connection.sock = sock
        return connection


class Response:
    """An answer whose body is still to be read, unpacked where it comes packed."""

    def __init__(self, wire: Wire, connection: http.client.HTTPConnection, answer: http.client.HTTPResponse) -> None:
        self._wire, self._connection, self._answer = wire, connection, answer
        self._sock: socket.socket | None = connection.sock  # http.client lets go of it where it is not to be kept
        packed = answer.headers.get("Content-Encoding", "").lower() == "gzip"
        self._unpack = zlib.decompressobj(16 + zlib.MAX_WBITS) if packed else None
        self.status = answer.status

    def header(self, name: str) -> str:
        return str(self._answer.headers.get(name, ""))

    def read(self, most: int, seconds: float) -> bytes:
        """The next piece, waiting at most so long; b'' at the end. Raises OSError and http.client.HTTPException."""
        if self._sock is not None:
            self._sock.settimeout(seconds)
        while True:
            piece = self._answer.read1(most)
            if not piece:
                if self._answer.length:  # http.client's read1 takes the end of the stream for the end of the body
                    raise http.client.IncompleteRead(b"", self._answer.length)
                return b""
            try:
                data = self._unpack.decompress(piece) if self._unpack else piece
            except zlib.error as error:
                raise gzip.BadGzipFile(str(error)) from None
            if data:
                return data

    def release(self) -> None:
        """The body is read: the connection may be used again."""
        whole = self._answer.isclosed() or self._answer.length == 0
        self._answer.close()
        if whole and not self._answer.will_close:
            self._wire.keep(self._connection)
        else:
            self._connection.close()

    def close(self) -> None:
        """Half an answer is still in it: not fit for the next request."""
        self._answer.close()
        self._connection.close()
