"""One probe of a container, done once: HTTP, TCP, a command, or the gRPC health service, with the texts of
pkg/probe/{http,tcp,exec,grpc} and of Go's http client."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urljoin, urlsplit

from k8sdiag.evidence import Json
from k8sdiag.minicluster.kubelet.http_answer import HttpAnswer
from k8sdiag.minicluster.nodes.agent import Command, Input
from k8sdiag.minicluster.runtimes.base import Connect, Exec, Health, Runtime

_MOST = 10 * 1024  # bytes of a command's output or an answer's body that are kept
_REDIRECTS = 10


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a probe found: success, failure, or (None) that it could not be done, with the text for the event."""

    success: bool | None
    text: str = ""
    warning: bool = False
    code: int = 0


Done = Callable[[Outcome], None]


class Timer(Protocol):
    """Calls back after so many seconds."""

    def __call__(self, seconds: float, then: Callable[[], None]) -> None: ...


@dataclass(frozen=True, slots=True)
class Subject:
    """What is probed."""

    runtime: Runtime
    sandbox: str
    run: str
    address: str
    container: Json


def port_of(container: Json, port: object) -> int | str:
    """A port by number or by name; for a name that there is not, the error (pkg/probe/util.go)."""
    if isinstance(port, int):
        number = port
    else:
        named = [entry["containerPort"] for entry in container.get("ports") or () if entry.get("name") == port]
        if named:
            number = int(named[0])
        elif str(port).isdigit():
            number = int(str(port))
        else:
            return f'strconv.Atoi: parsing "{port}": invalid syntax'
    return number if 0 < number < 65536 else f"invalid port number: {number}"


def probe(subject: Subject, spec: Json, timer: Timer, done: Done) -> None:
    """Do it, and call `done` once; within `timeoutSeconds`."""
    timeout = float(spec.get("timeoutSeconds") or 1)
    if "exec" in spec:
        _Command(subject, spec["exec"].get("command") or [], timeout, done).begin(timer)
    elif "httpGet" in spec:
        http_get(subject, spec["httpGet"], timeout, timer, done)
    elif "tcpSocket" in spec:
        _tcp(subject, spec["tcpSocket"], timeout, timer, done)
    elif "grpc" in spec:
        _Grpc(subject, spec["grpc"], timeout, done).begin(timer)
    else:
        done(Outcome(None, f"missing probe handler for {subject.container['name']}"))


class _Attempt:
    """An Output that ends in an outcome; the first one counts."""

    def __init__(self, timeout: float, done: Done) -> None:
        self.timeout, self._done = timeout, done
        self._over = False
        self._input: Input | None = None

    def start(self, timer: Timer, begin: Callable[[], Input]) -> None:
        opened = begin()
        if self._over:
            opened.close()
            return
        self._input = opened
        timer(self.timeout, self._late)

    def conclude(self, outcome: Outcome) -> None:
        if self._over:
            return
        self._over = True
        if self._input is not None:
            self._input.close()
        self._done(outcome)

    def _late(self) -> None:
        self.conclude(self.late())

    def late(self) -> Outcome:
        """What it means that nothing came in time."""
        raise AssertionError


class _Command(_Attempt):
    def __init__(self, subject: Subject, words: list[str], timeout: float, done: Done) -> None:
        super().__init__(timeout, done)
        self._subject, self._words = subject, tuple(words)
        self._data = b""

    def begin(self, timer: Timer) -> None:
        what = Exec(self._subject.run, Command(self._words))
        self.start(timer, lambda: self._subject.runtime.converse(what, self))

    def write(self, stream: int, data: bytes) -> None:  # noqa: ARG002
        self._data = (self._data + data)[:_MOST]

    def end(self, code: int = 0, message: str = "") -> None:
        text = self._data.decode("utf-8", "replace")
        if message:
            self.conclude(Outcome(None, f"rpc error: code = Unknown desc = {message}"))
        else:
            self.conclude(Outcome(code == 0, text, code=code))

    def late(self) -> Outcome:
        words = " ".join(self._words)
        return Outcome(False, f'command timed out: "{words}" timed out after {self.timeout:g}s')


def _tcp(subject: Subject, spec: Json, timeout: float, timer: Timer, done: Done) -> None:
    port = port_of(subject.container, spec.get("port"))
    if isinstance(port, str):
        done(Outcome(None, port))
        return
    _Tcp(subject, str(spec.get("host") or ""), port, timeout, done).begin(timer)


class _Tcp(_Attempt):
    def __init__(self, subject: Subject, host: str, port: int, timeout: float, done: Done) -> None:
        super().__init__(timeout, done)
        self._subject, self._host, self._port = subject, host, port
        self._where = f"{host or subject.address}:{port}"

    def begin(self, timer: Timer) -> None:
        what = Connect(self._subject.sandbox, self._port, self._host)
        self.start(timer, lambda: self._subject.runtime.converse(what, self))

    def write(self, stream: int, data: bytes) -> None:  # noqa: ARG002
        self.conclude(Outcome(True))

    def end(self, code: int = 0, message: str = "") -> None:
        self.conclude(
            Outcome(False, f"dial tcp {self._where}: connect: {message or 'connection refused'}")
            if code
            else Outcome(True)
        )

    def late(self) -> Outcome:
        return Outcome(False, f"dial tcp {self._where}: i/o timeout")


class _Grpc(_Attempt):
    def __init__(self, subject: Subject, spec: Json, timeout: float, done: Done) -> None:
        super().__init__(timeout, done)
        self._subject, self._spec = subject, spec
        self._where = f"{subject.address}:{spec.get('port')}"
        self._answer = ""

    def begin(self, timer: Timer) -> None:
        what = Health(self._subject.sandbox, int(self._spec.get("port") or 0), str(self._spec.get("service") or ""))
        self.start(timer, lambda: self._subject.runtime.converse(what, self))

    def write(self, stream: int, data: bytes) -> None:  # noqa: ARG002
        self._answer += data.decode("utf-8", "replace")

    def end(self, code: int = 0, message: str = "") -> None:
        if code or message:
            self.conclude(self._refused(f"dial tcp {self._where}: connect: {message or 'connection refused'}"))
        elif self._answer == "SERVING":
            self.conclude(Outcome(True, "service healthy"))
        elif self._answer == "UNIMPLEMENTED":
            text = "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): "
            self.conclude(Outcome(False, f"{text}unknown service grpc.health.v1.Health"))
        elif self._answer == "SERVICE_UNKNOWN":
            text = "error: health rpc probe failed: rpc error: code = NotFound desc = unknown service"
            self.conclude(Outcome(False, text))
        else:
            self.conclude(Outcome(False, f'service unhealthy (responded with "{self._answer}")'))

    def _refused(self, why: str) -> Outcome:
        text = f'connection error: desc = "transport: Error while dialing: {why}"'
        lead = f'timeout: failed to connect service "{self._where}" within {self.timeout:g}s'
        return Outcome(False, f"{lead}: context deadline exceeded: {text}")

    def late(self) -> Outcome:
        lead = f'timeout: failed to connect service "{self._where}" within {self.timeout:g}s'
        return Outcome(False, f"{lead}: context deadline exceeded")


def http_get(subject: Subject, spec: Json, timeout: float, timer: Timer, done: Done) -> None:
    """A GET of a probe or a hook."""
    port = port_of(subject.container, spec.get("port"))
    if isinstance(port, str):
        done(Outcome(None, port))
        return
    scheme = str(spec.get("scheme") or "HTTP").lower()
    host = str(spec.get("host") or subject.address)
    path = str(spec.get("path") or "/")
    headers = {entry["name"]: entry.get("value", "") for entry in spec.get("httpHeaders") or ()}
    url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}{path if path.startswith('/') else '/' + path}"
    _Http(subject, url, headers, timeout, done, 0).begin(timer)


class _Http(_Attempt):
    def __init__(
        self, subject: Subject, url: str, headers: dict[str, str], timeout: float, done: Done, redirects: int
    ) -> None:
        super().__init__(timeout, done)
        self._subject, self._url, self._headers, self._redirects = subject, url, headers, redirects
        self._timer: Timer | None = None
        self._answer = HttpAnswer()
        self._opened: Input | None = None
        self._connected = self._asked = False

    def begin(self, timer: Timer) -> None:
        parts = urlsplit(self._url)
        self._timer = timer
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        self._where = f"{host}:{port}"
        other = "" if host == self._subject.address else host
        what = Connect(self._subject.sandbox, port, other, parts.scheme == "https")

        def connect() -> Input:
            self._opened = self._subject.runtime.converse(what, self)
            self._ask()
            return self._opened

        self.start(timer, connect)

    def write(self, stream: int, data: bytes) -> None:  # noqa: ARG002
        self._connected = True
        self._ask()
        self._answer.feed(data)
        if self._answer.complete:
            self._conclude()

    def end(self, code: int = 0, message: str = "") -> None:
        if self._answer.status:
            self._conclude()
        elif self._answer.malformed:
            self.conclude(self._broken(f"net/http: HTTP/1.x transport connection broken: {self._answer.malformed}"))
        elif code and not self._connected:
            plain = message.startswith(("http:", "tls:", "EOF", "remote error"))
            self.conclude(
                self._broken(
                    message if plain else f"dial tcp {self._where}: connect: {message or 'connection refused'}"
                )
            )
        elif code and message:
            self.conclude(self._broken(message))
        else:
            self.conclude(self._broken("EOF"))

    def late(self) -> Outcome:
        return self._broken("context deadline exceeded (Client.Timeout exceeded while awaiting headers)")

    def _broken(self, why: str) -> Outcome:
        return Outcome(False, f'Get "{self._url}": {why}')

    def _ask(self) -> None:
        """Send the request once both the connection and the way to write to it are there."""
        if self._asked or not self._connected or self._opened is None:
            return
        self._asked = True
        parts = urlsplit(self._url)
        headers = {"User-Agent": "kube-probe/1.33", "Accept": "*/*", **self._headers}
        host = headers.pop("Host", parts.netloc)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        lines = [f"GET {target or '/'} HTTP/1.1", f"Host: {host}"]
        lines += [f"{name}: {value}" for name, value in headers.items() if value]
        self._opened.feed(("\r\n".join([*lines, "Connection: close", "", ""])).encode())

    def _conclude(self) -> None:
        status, body = self._answer.status, self._answer.body[:_MOST].decode("utf-8", "replace")
        if status in (301, 302, 303, 307, 308) and self._answer.headers.get("location"):
            self._follow(urljoin(self._url, self._answer.headers["location"]), body)
        elif 200 <= status < 400:
            self.conclude(Outcome(True, body))
        else:
            self.conclude(Outcome(False, f"HTTP probe failed with statuscode: {status}"))

    def _follow(self, url: str, body: str) -> None:
        """A redirect within the same host is followed, one to another host is a success with a warning."""
        if urlsplit(url).hostname != urlsplit(self._url).hostname:
            self.conclude(Outcome(True, f"Probe terminated redirects, Response body: {body}", warning=True))
        elif self._redirects >= _REDIRECTS:
            self.conclude(self._broken(f"stopped after {_REDIRECTS} redirects"))
        else:
            done, timer = self._done, self._timer
            following = _Http(self._subject, url, self._headers, self.timeout, done, self._redirects + 1)
            self._done = lambda _: following.begin(timer) if timer else None
            self.conclude(Outcome(None))
