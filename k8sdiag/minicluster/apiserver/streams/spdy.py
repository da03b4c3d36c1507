"""SPDY/3.1 as kubectl's port-forward speaks it inside a websocket: frames in, events out, no sockets.

Only what moby/spdystream uses: streams with headers and data, half-closing, resets, pings. It knows no flow control, so
there is none here (SPDY protocol draft 3.1, chromium.org).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _HEADERS, _WINDOW = 1, 2, 3, 4, 6, 7, 8, 9
_FIN = 0x01
_VERSION = 3
MOST_HEADERS = 64 * 1024
MOST_FRAME = 16 * 1024 * 1024 - 1

# The dictionary both sides start their compression with (draft section 2.6.10.1): words with their lengths, and a tail.
_WORDS = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow"
    " authorization cache-control connection content-base content-encoding content-language content-length"
    " content-location content-md5 content-range content-type date etag expect expires from host if-match"
    " if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma"
    " proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade"
    " user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie"
    " keep-alive origin"
)
_TAIL = (
    "1001012012022052063003023033043053063074024054064074084094104114124134144154164175025045"
    "05203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden"
    "404 Not Found500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug"
    " Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,"
    "application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdch"
    "charset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
DICTIONARY = b"".join(struct.pack(">I", len(word)) + word.replace("_", " ").encode() for word in _WORDS.split())
DICTIONARY += _TAIL.encode()


class SpdyError(Exception):
    """The peer does not keep to the protocol; the session is over."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The peer opened a stream."""

    stream: int
    headers: Mapping[str, str]
    ended: bool


@dataclass(frozen=True, slots=True)
class Received:
    """Data on a stream; `ended` where the peer will send no more on it."""

    stream: int
    data: bytes
    ended: bool


@dataclass(frozen=True, slots=True)
class Reset:
    """The peer gave a stream up."""

    stream: int


Event = Opened | Received | Reset


class Session:
    """One end of a connection. What is to be sent gathers until it is taken."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._deflate = zlib.compressobj(zdict=DICTIONARY)
        self._in = bytearray()
        self._out = bytearray()

    def receive(self, data: bytes) -> list[Event]:
        """What a piece of the byte stream says. Raises SpdyError."""
        self._in += data
        events: list[Event] = []
        while len(self._in) >= 8:
            first, second = struct.unpack_from(">II", self._in)
            size = second & 0xFFFFFF
            if len(self._in) < 8 + size:
                break
            body = bytes(self._in[8 : 8 + size])
            del self._in[: 8 + size]
            event = self._control(first, second >> 24, body) if first >> 31 else _data(first, second >> 24, body)
            if event is not None:
                events.append(event)
        return events

    def take(self) -> bytes:
        """What is to be sent, once."""
        made = bytes(self._out)
        self._out.clear()
        return made

    def open(self, stream: int, headers: Mapping[str, str], end: bool = False) -> None:
        """Open a stream (clients: odd numbers)."""
        self._frame(_SYN_STREAM, struct.pack(">IIH", stream, 0, 0) + self._pack(headers), _FIN if end else 0)

    def reply(self, stream: int, headers: Mapping[str, str] | None = None) -> None:
        """Accept a stream that the peer opened."""
        self._frame(_SYN_REPLY, struct.pack(">I", stream) + self._pack(headers or {}), 0)

    def send(self, stream: int, data: bytes, end: bool = False) -> None:
        """Data on a stream; `end` where no more will follow."""
        for start in range(0, max(len(data), 1), MOST_FRAME):
            part = data[start : start + MOST_FRAME]
            last = end and start + MOST_FRAME >= len(data)
            self._out += struct.pack(">II", stream, (_FIN if last else 0) << 24 | len(part)) + part

    def reset(self, stream: int, status: int = 5) -> None:
        """Give a stream up (5: cancelled)."""
        self._frame(_RST_STREAM, struct.pack(">II", stream, status), 0)

    def _control(self, first: int, flags: int, body: bytes) -> Event | None:
        if (first >> 16) & 0x7FFF != _VERSION:
            raise SpdyError("not SPDY version 3")
        kind = first & 0xFFFF
        if kind == _PING:
            self._frame(_PING, body, 0)
            return None
        if kind in (_SETTINGS, _GOAWAY, _WINDOW):
            return None
        if len(body) < (10 if kind == _SYN_STREAM else 4):
            raise SpdyError("a frame that is too short")
        (stream,) = struct.unpack_from(">I", body)
        if kind == _SYN_STREAM:
            return Opened(stream, self._unpack(body[10:]), bool(flags & _FIN))
        if kind == _RST_STREAM:
            return Reset(stream)
        if kind in (_HEADERS, _SYN_REPLY):
            self._unpack(body[4:])  # the compression goes over all header blocks
            return Received(stream, b"", True) if flags & _FIN else None
        raise SpdyError(f"a frame of an unknown type ({kind})")

    def _frame(self, kind: int, body: bytes, flags: int) -> None:
        self._out += struct.pack(">II", 1 << 31 | _VERSION << 16 | kind, flags << 24 | len(body)) + body

    def _pack(self, headers: Mapping[str, str]) -> bytes:
        block = struct.pack(">I", len(headers))
        for name, value in headers.items():
            for text in (name.lower().encode(), value.encode()):
                block += struct.pack(">I", len(text)) + text
        return self._deflate.compress(block) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def _unpack(self, packed: bytes) -> dict[str, str]:
        try:
            block = self._inflate.decompress(packed, MOST_HEADERS)
        except zlib.error as error:
            raise SpdyError(f"headers that cannot be unpacked: {error}") from None
        if self._inflate.unconsumed_tail:
            raise SpdyError("headers without end")
        texts: list[str] = []
        if len(block) < 4:
            raise SpdyError("headers that are cut off")
        (count,), place = struct.unpack_from(">I", block), 4
        while place < len(block) and len(texts) < 2 * count:
            if place + 4 > len(block):
                raise SpdyError("headers that are cut off")
            (size,) = struct.unpack_from(">I", block, place)
            text = block[place + 4 : place + 4 + size]
            if len(text) != size:
                raise SpdyError("headers that are cut off")
            texts.append(text.decode("utf-8", "replace"))
            place += 4 + size
        if len(texts) != 2 * count:
            raise SpdyError("headers that are cut off")
        return dict(zip(texts[::2], texts[1::2], strict=True))


def _data(stream: int, flags: int, body: bytes) -> Event:
    return Received(stream, body, bool(flags & _FIN))
