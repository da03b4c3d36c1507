"""A client that costs little, so that what is measured is the lab: HTTP/1.1 over TLS by hand, one request at a time on
each connection; and watchers that only collect what comes."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from k8sdiag.minicluster.folder import Folder
from k8sdiag.minicluster.remote import Remote


@dataclass(frozen=True, slots=True)
class Door:
    """Where the lab is and how it is entered."""

    host: str
    port: int
    token: str
    tls: ssl.SSLContext

    def head(self, method: str, path: str, length: int, accept: str) -> bytes:
        return (
            f"{method} {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nAuthorization: Bearer {self.token}\r\n"
            f"Accept: {accept}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        ).encode()


def door(path: Path) -> Door:
    """The door of the lab that runs in a folder."""
    remote = Remote(Folder(path))
    where = urlsplit(remote.server)
    token = (path / "kubeconfig").read_text(encoding="utf-8").partition("token: ")[2].split()[0]
    tls = ssl.create_default_context(cafile=str(path / "keys" / "ca.crt"))
    return Door(where.hostname or "", where.port or 443, token, tls)


class Connection:
    """One connection, kept."""

    def __init__(self, way: Door, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._way, self._reader, self._writer = way, reader, writer

    @classmethod
    async def open(cls, way: Door) -> Connection:
        reader, writer = await asyncio.open_connection(way.host, way.port, ssl=way.tls, limit=1 << 24)
        return cls(way, reader, writer)

    async def ask(self, method: str, path: str, body: bytes = b"", accept: str = "application/json") -> bytes:
        """A request's answer; anything but success ends the bench."""
        self._writer.write(self._way.head(method, path, len(body), accept) + body)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line[:15].lower() == b"content-length:")
        answer = await self._reader.readexactly(length)
        assert head[9:10] == b"2", f"{method} {path}: {answer[:500]!r}"
        return answer

    def close(self) -> None:
        self._writer.close()


async def post_all(way: Door, path: str, bodies: Iterable[bytes], connections: int = 16) -> None:
    """Create objects over several connections at once."""
    left = iter(bodies)

    async def one() -> None:
        connection = await Connection.open(way)
        for body in left:
            await connection.ask("POST", path, body)
        connection.close()

    await asyncio.gather(*(one() for _ in range(connections)))


class Watching(asyncio.Protocol):
    """A watch that keeps all it is sent."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self.received = bytearray()
        self.answered = asyncio.Event()
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self.received += data
        self.answered.set()

    def connection_lost(self, _: Exception | None) -> None:
        self.lost = True


async def watch(way: Door, path: str) -> Watching:
    """Open a watch."""
    request = way.head("GET", path, 0, "application/json")
    loop = asyncio.get_running_loop()
    _, made = await loop.create_connection(lambda: Watching(request), way.host, way.port, ssl=way.tls)
    return made


def count(answer: bytes, of: str = "items") -> int:
    """How many items a list has, or rows a table."""
    return len(json.loads(answer)[of])
