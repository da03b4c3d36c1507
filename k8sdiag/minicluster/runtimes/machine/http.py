"""HTTP as simulated servers speak it: requests in, replies out, at their own pace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from k8sdiag.minicluster.runtimes.machine.network import Bytes, Connection, End
from k8sdiag.minicluster.runtimes.machine.threads import BrokenPipe, OutOfMemory, Timers

_LARGEST_HEAD = 64 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks for."""

    method: str
    path: str
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    peer: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answers. A status of 0 closes the connection without a word; a `delay` of None never answers."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float | None = 0.0
    version: str = "1.1"


Handler = Callable[[Request], Reply]


class HttpListener:
    """A port that speaks HTTP."""

    __slots__ = ("_handler", "_timers", "tls")

    def __init__(self, timers: Timers, handler: Handler, tls: bool = False) -> None:
        self._timers = timers
        self._handler = handler
        self.tls = tls

    def open(self, peer: str, write: Bytes, end: End) -> Connection:
        return _Exchange(self._timers, self._handler, peer, write, end)


class _Exchange:
    """One connection: requests one after another."""

    __slots__ = ("_end", "_got", "_handler", "_open", "_peer", "_timers", "_waiting", "_write")

    def __init__(self, timers: Timers, handler: Handler, peer: str, write: Bytes, end: End) -> None:
        self._timers, self._handler, self._peer, self._write, self._end = timers, handler, peer, write, end
        self._got = b""
        self._open = True
        self._waiting = False

    def feed(self, data: bytes) -> None:
        self._got += data
        if not self._waiting:
            self._next()

    def close(self) -> None:
        self._open = False

    def _next(self) -> None:
        while self._open and not self._waiting:
            found = parse(self._got, self._peer)
            if found is None:
                if len(self._got) > _LARGEST_HEAD:
                    self._answer(Reply(431))
                    self._finish()
                return
            request, self._got = found
            if request is None:
                self._answer(Reply(400, b"Bad Request\n"))
                self._finish()
                return
            try:
                reply = self._handler(request)
            except (OutOfMemory, BrokenPipe, RecursionError):  # it took the server with it
                self._finish()
                return
            if reply.delay is None:
                self._waiting = True
            elif reply.delay <= 0:
                self._done(request, reply)
            else:
                self._waiting = True
                self._timers.later(reply.delay, lambda: self._late(request, reply))  # noqa: B023 (left at once)

    def _late(self, request: Request, reply: Reply) -> None:
        self._waiting = False
        if self._open:
            self._done(request, reply)
            self._next()

    def _done(self, request: Request, reply: Reply) -> None:
        if reply.status == 0:
            self._finish()
            return
        self._answer(reply, head_only=request.method == "HEAD")
        if reply.version == "1.0" or request.headers.get("connection", "").lower() == "close":
            self._finish()

    def _answer(self, reply: Reply, head_only: bool = False) -> None:
        self._write(render(reply, head_only))

    def _finish(self) -> None:
        if self._open:
            self._open = False
            self._end()


class Silent:
    """A port that takes connections and answers nothing, or only a greeting."""

    __slots__ = ("_greeting", "tls")

    def __init__(self, greeting: bytes = b"", tls: bool = False) -> None:
        self._greeting = greeting
        self.tls = tls

    def open(self, peer: str, write: Bytes, end: End) -> Connection:  # noqa: ARG002
        if self._greeting:
            write(self._greeting)
        return _Deaf()


class _Deaf:
    __slots__ = ()

    def feed(self, data: bytes) -> None:
        """Nobody reads it."""

    def close(self) -> None:
        """Nothing to close."""


class Answering:
    """A port whose protocol is a function of what came in (redis' PING)."""

    __slots__ = ("_answer", "tls")

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self._answer = answer
        self.tls = False

    def open(self, peer: str, write: Bytes, end: End) -> Connection:  # noqa: ARG002
        return _Answers(self._answer, write)


class _Answers(_Deaf):
    __slots__ = ("_answer", "_write")

    def __init__(self, answer: Callable[[bytes], bytes], write: Bytes) -> None:
        self._answer, self._write = answer, write

    def feed(self, data: bytes) -> None:
        answer = self._answer(data)
        if answer:
            self._write(answer)


def parse(data: bytes, peer: str) -> tuple[Request | None, bytes] | None:
    """The first whole request and what follows it; a None request is no HTTP; None is not whole yet."""
    head, end, rest = data.partition(b"\r\n\r\n")
    if not end:
        head, end, rest = data.partition(b"\n\n")
    if not end:
        return (None, b"") if data[:1] == b"\x16" else None
    first, *lines = head.decode("latin-1").splitlines() or [""]
    words = first.split(" ")
    if len(words) < 2 or not words[0].isalpha():
        return None, b""
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = headers.get("content-length", "0")
    size = int(length) if length.isdigit() and len(length) < 9 else 0
    if len(rest) < size:
        return None if size <= _LARGEST_HEAD * 16 else (None, b"")
    return Request(words[0].upper(), words[1], headers, rest[:size], peer), rest[size:]


def render(reply: Reply, head_only: bool = False) -> bytes:
    """A reply as bytes."""
    lines = [f"HTTP/{reply.version} {reply.status} {phrase(reply.status)}"]
    lines += [f"{name}: {value}" for name, value in reply.headers.items()]
    if "Content-Length" not in reply.headers:
        lines.append(f"Content-Length: {len(reply.body)}")
    head = "\r\n".join(lines).encode("latin-1", errors="replace") + b"\r\n\r\n"
    return head if head_only else head + reply.body


def phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
