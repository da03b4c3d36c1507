"""Answers of HTTP/1.1 (RFC 9112), read from a socket: head, and body by its length, in chunks, or up to the end.

`http.client` reads them too, with the whole of `email` to take their heads apart: importing that took as long as a
dozen requests. What goes wrong is an OSError.
"""

from __future__ import annotations

import socket
import zlib
from time import monotonic

_LONGEST_HEAD = 1 << 16
_LONGEST_LINE = 1 << 12
_BODILESS = (204, 304)


class Broken(ConnectionError):  # noqa: N818 (it says what happened)
    """An answer that ends too early, or is none."""


class Silent(ConnectionResetError):  # noqa: N818 (as above)
    """The server went away before it said a word."""


class Answer:
    """An answer whose head was read and whose body is still to be read, unpacked where it comes packed."""

    def __init__(self, sock: socket.socket, due: float) -> None:
        self._sock = sock
        self._rest = b""  # received and not used yet
        version, self.status, self._headers = self._head(due)
        while 100 <= self.status < 200:
            version, self.status, self._headers = self._head(due)
        self._chunked = self.header("transfer-encoding").lower() == "chunked"
        self._left = self._length()  # of the body or of a chunk; None: up to the end of the connection
        self.kept = self._left is not None and version == b"HTTP/1.1" and self.header("connection").lower() != "close"
        packed = self.header("content-encoding").lower() == "gzip"
        self._unpack = zlib.decompressobj(16 + zlib.MAX_WBITS) if packed else None

    def header(self, name: str) -> str:
        return self._headers.get(name.lower(), "")

    @property
    def whole(self) -> bool:
        """Is the body read to its end, and nothing behind it?"""
        return self._left == 0 and not self._chunked and not self._rest

    def read(self, most: int, seconds: float) -> bytes:
        """The next piece, waiting at most so long; b'' at the end."""
        due = monotonic() + seconds
        while True:
            if self._chunked and self._left == 0:
                self._next_chunk(due)
            piece = self._piece(most, due)
            if not piece or self._unpack is None:
                return piece
            try:
                data = self._unpack.decompress(piece)
            except zlib.error as error:
                raise Broken(str(error)) from None
            if data:
                return data

    def _piece(self, most: int, due: float) -> bytes:
        if self._left == 0:
            return b""
        if not self._rest and not self._receive(due, most):
            if self._left is None:
                return b""
            raise Broken(f"{self._left} bytes of the answer are missing")
        size = most if self._left is None else min(most, self._left)
        piece, self._rest = self._rest[:size], self._rest[size:]
        if self._left is not None:
            self._left -= len(piece)
            if self._chunked and not self._left:
                self._line(due)  # ends the chunk's data
        return piece

    def _next_chunk(self, due: float) -> None:
        size = self._line(due).partition(b";")[0].strip()
        try:
            self._left = int(size, 16)
        except ValueError:
            raise Broken(f"not the size of a chunk: {size[:40]!r}") from None
        if not self._left:
            while self._line(due):
                pass  # trailers say nothing of use
            self._chunked = False

    def _head(self, due: float) -> tuple[bytes, int, dict[str, str]]:
        begin = self._until(b"\r\n\r\n", _LONGEST_HEAD, due)
        first, *lines = begin.split(b"\r\n")
        version, _, rest = first.partition(b" ")
        if not version.startswith(b"HTTP/") or not rest[:3].isdigit():
            raise Broken(f"not HTTP: {first[:80]!r}")
        pairs = (line.decode("latin-1").partition(":") for line in lines)
        return version, int(rest[:3]), {name.strip().lower(): value.strip() for name, _, value in pairs}

    def _length(self) -> int | None:
        if self.status in _BODILESS or self._chunked:
            return 0
        length = self.header("content-length")
        return int(length) if length.isdecimal() else None

    def _line(self, due: float) -> bytes:
        return self._until(b"\r\n", _LONGEST_LINE, due)

    def _until(self, mark: bytes, longest: int, due: float) -> bytes:
        """What comes before the mark, and past it."""
        while mark not in self._rest:
            if len(self._rest) > longest:
                raise Broken(f"not HTTP: {self._rest[:80]!r}")
            if not self._receive(due, _LONGEST_HEAD):
                raise Broken("the answer ends in its head") if self._rest else Silent("closed without an answer")
        found, _, self._rest = self._rest.partition(mark)
        return found

    def _receive(self, due: float, most: int) -> bool:
        self._sock.settimeout(max(due - monotonic(), 0.001))
        data = self._sock.recv(most)
        self._rest += data
        return bool(data)
