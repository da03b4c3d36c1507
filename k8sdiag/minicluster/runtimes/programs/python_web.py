"""Python's http.server, socket and urllib, over the simulated network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from k8sdiag.minicluster.runtimes.machine.http import Handler, HttpListener, Reply, Request, Silent, phrase
from k8sdiag.minicluster.runtimes.machine.machine import Machine, Process
from k8sdiag.minicluster.runtimes.programs.net import fetch
from k8sdiag.minicluster.runtimes.programs.python_values import (
    Function,
    Instance,
    Klass,
    Native,
    Raised,
    Unsupported,
    Value,
    Work,
    error,
    error_named,
)

if TYPE_CHECKING:
    from k8sdiag.minicluster.runtimes.programs.python_eval import Interpreter

_SERVER = "BaseHTTP/0.6 Python/3.11.11"
_UNKNOWN = (-2, "Name or service not known")
_MOST_WORK = 2000


def access_line(process: Process, peer: str, what: str, status: object) -> str:
    """`10.244.0.1 - - [21/Nov/2026 22:33:29] "GET /ready HTTP/1.1" 500 -`."""
    now = datetime.fromtimestamp(process.machine.world.timers.now, UTC).strftime("%d/%b/%Y %H:%M:%S")
    return f'{peer} - - [{now}] "{what}" {status} -\n'


def http_server(interpreter: Interpreter) -> Mapping[str, Value]:
    """http.server and socketserver."""
    base = Klass("BaseHTTPRequestHandler", (), {
        "send_response": Native(lambda given, _: _status(interpreter, given)),
        "send_response_only": Native(lambda given, _: _status(interpreter, given)),
        "send_header": Native(_header), "end_headers": Native(lambda _, __: None),
        "send_error": Native(lambda given, _: _send_error(interpreter, given)), "log_message": Native(lambda _, __: None),
        "log_request": Native(lambda _, __: None), "server_version": "BaseHTTP/0.6",
    })  # fmt: skip
    simple = Klass("SimpleHTTPRequestHandler", (base,), {"$files": True})
    server = Klass("HTTPServer", (), {
        "__init__": Native(lambda given, named: _make_server(interpreter, given, named)),
        "serve_forever": Native(lambda given, _: _serve(interpreter, given[0])),
        "handle_request": Native(lambda given, _: _serve(interpreter, given[0])), "allow_reuse_address": False,
        "shutdown": Native(lambda _, __: None), "server_close": Native(lambda _, __: None),
    })  # fmt: skip
    return {
        "BaseHTTPRequestHandler": base, "SimpleHTTPRequestHandler": simple, "HTTPServer": server, "ThreadingHTTPServer": server,
        "TCPServer": server, "ThreadingTCPServer": server, "StreamRequestHandler": Klass("StreamRequestHandler"),
        "BaseRequestHandler": Klass("BaseRequestHandler"),
    }  # fmt: skip


def _status(interpreter: Interpreter, given: list[Value]) -> Value:
    one, code = given[0], given[1] if len(given) > 1 else 200
    one.attributes["$status"] = code if isinstance(code, int) else 200
    if one.klass.find("log_message") is not None and isinstance(one.klass.find("log_message"), Function):
        return None
    line = access_line(
        interpreter.process,
        one.attributes["$peer"],
        one.attributes["requestline"],
        int(code) if isinstance(code, int) else 200,
    )
    interpreter.process.err(line)
    return None


def _header(given: list[Value], _: dict[str, Value]) -> Value:
    if len(given) > 2:
        given[0].attributes["$headers"][str(given[1])[:200]] = str(given[2])[:1000].replace("\r", "").replace("\n", "")


def _send_error(interpreter: Interpreter, given: list[Value]) -> Value:
    code = given[1] if len(given) > 1 and isinstance(given[1], int) else 500
    message = str(given[2]) if len(given) > 2 else phrase(code)
    one = given[0]
    interpreter.process.err(
        access_line(interpreter.process, one.attributes["$peer"], f"code {code}, message {message}", "")
        .replace('"', "")
        .replace("  -", "")
    )
    _status(interpreter, [one, code])
    one.attributes["$body"] += f"<p>Error code: {code}</p>\n<p>Message: {message}.</p>\n".encode()
    return None


def _make_server(interpreter: Interpreter, given: list[Value], named: dict[str, Value]) -> Value:
    one = given[0]
    address = given[1] if len(given) > 1 else named.get("server_address")
    handler = given[2] if len(given) > 2 else named.get("RequestHandlerClass")
    if (
        not isinstance(address, tuple)
        or len(address) < 2
        or not isinstance(address[1], int)
        or not isinstance(handler, Klass)
    ):
        raise error(TypeError, "an integer is required (got type str)")
    listener = HttpListener(interpreter.machine.world.timers, _answering(interpreter, handler))
    bind(interpreter.machine, address[1], listener)
    one.attributes.update({"server_address": address, "server_port": address[1], "socket": None})
    return None


def bind(machine: Machine, port: int, listener: HttpListener | Silent) -> None:
    """Open a port, or raise what Python raises."""
    if not 0 <= port <= 65535:
        raise error(OverflowError, "bind(): port must be 0-65535.")
    if port < 1024 and machine.files.user:
        raise error(PermissionError, 13, "Permission denied")
    if not machine.host.listen(port, machine, listener):
        raise error(OSError, 98, "Address already in use")


def _serve(interpreter: Interpreter, one: Instance) -> Work:  # noqa: ARG001
    yield from interpreter.sleep(None)


def _answering(interpreter: Interpreter, handler: Klass) -> Handler:
    """Each request makes a handler, whose do_GET runs at once; the time that it sleeps delays the answer."""

    def answer(request: Request) -> Reply:
        one = Instance(handler)
        body = bytearray()
        writer = Instance(
            Klass("_SocketWriter"),
            {"write": Native(lambda given, _: _wrote(body, given)), "flush": Native(lambda _, __: None)},
        )
        reader = Instance(Klass("BufferedReader"), {"read": Native(lambda _, __: request.body)})
        one.attributes.update({
            "$peer": request.peer, "$status": 0, "$headers": {}, "$body": b"", "path": request.path, "command": request.method,
            "requestline": f"{request.method} {request.path} HTTP/1.1", "wfile": writer, "rfile": reader,
            "client_address": (request.peer, 41632), "headers": {key.title(): value for key, value in request.headers.items()},
        })  # fmt: skip
        method = handler.find(f"do_{request.method}")
        delay: float | None = 0.0
        if method is None and handler.find("$files") and request.method in ("GET", "HEAD"):
            return file_reply(interpreter.process, request)
        if method is None:
            _send_error(interpreter, [one, 501, f"Unsupported method ({request.method!r})"])
        else:
            delay = _run(interpreter, method, one, request)
        status = one.attributes["$status"]
        headers = {"Server": _SERVER, **one.attributes["$headers"]}
        return Reply(status, bytes(body) + one.attributes["$body"], headers, delay, "1.0")

    return answer


def _wrote(body: bytearray, given: list[Value]) -> Value:
    data = given[0] if given else b""
    if not isinstance(data, bytes):
        raise error(TypeError, f"a bytes-like object is required, not '{type(data).__name__}'")
    if len(body) < 2**20:
        body += data
    return len(data)


def _run(interpreter: Interpreter, method: Value, one: Instance, request: Request) -> float | None:
    """How long the handler takes; None where it never comes back. A failure closes the connection."""
    delay = 0.0
    work = interpreter.call(method, [one], {})
    saved, interpreter.sleep = interpreter.sleep, _counted  # type: ignore[method-assign]
    try:
        for _ in range(_MOST_WORK):
            seconds = next(work)
            if seconds is None:
                return None
            delay += seconds
        return None
    except StopIteration:
        return delay
    except Unsupported:
        one.attributes["$status"] = one.attributes["$status"] or 200
        return delay
    except Raised as raised:
        one.attributes["$status"] = 0
        from k8sdiag.minicluster.runtimes.programs.python_modules import told

        line = "-" * 40
        interpreter.process.err(
            f"{line}\nException occurred during processing of request from ('{request.peer}', 41632)\n"
            f"Traceback (most recent call last):\n{''.join(_frames(raised))}{told(raised.value)}\n{line}\n"
        )
        return delay
    finally:
        interpreter.sleep = saved  # type: ignore[method-assign]


def _counted(seconds: float | None) -> Work:
    yield seconds


def _frames(raised: Raised) -> list[str]:
    return [f'  File "<string>", line {line}, in {name}\n' for line, name in reversed(raised.trace)]


def file_reply(process: Process, request: Request) -> Reply:
    """`python3 -m http.server`: files below the working folder."""
    path = process.path(request.path.partition("?")[0].lstrip("/"))
    files = process.machine.files
    what = f"{request.method} {request.path} HTTP/1.1"
    if request.method not in ("GET", "HEAD"):
        status, body = (
            501,
            f"<p>Error code: 501</p>\n<p>Message: Unsupported method ({request.method!r}).</p>\n".encode(),
        )
    else:
        entry = files.find(path)
        status, body = 200, b""
        if entry is None:
            status, body = 404, b"<p>Error code: 404</p>\n<p>Message: File not found.</p>\n"
            process.err(
                access_line(process, request.peer, "code 404, message File not found", "")
                .replace('"', "")
                .replace("  -", "")
            )
        elif entry.folder:
            index = files.find(f"{path.rstrip('/')}/index.html")
            names = "".join(f'<li><a href="{name}">{name}</a></li>\n' for name in files.names(path))
            body = (
                index.data
                if index is not None
                else f"<h1>Directory listing for {request.path}</h1>\n<ul>\n{names}</ul>\n".encode()
            )
        else:
            body = entry.data
    process.err(access_line(process, request.peer, what, status))
    return Reply(
        status,
        body,
        {"Server": "SimpleHTTP/0.6 Python/3.11.11", "Content-Type": "text/html; charset=utf-8"},
        0.0,
        "1.0",
    )


def socket_module(interpreter: Interpreter) -> Mapping[str, Value]:  # noqa: C901 (a table of small functions)
    """socket."""
    machine = interpreter.machine

    def resolve(host: str) -> str:
        found = machine.world.network.lookup(machine.host, host)
        if not found:
            raise error_named("socket.gaierror", OSError, *_UNKNOWN)
        return found[0]

    def connect(host: Value, port: Value, seconds: Value) -> Work:
        address = resolve(str(host))
        number = port if isinstance(port, int) else 0
        link = machine.world.network.connect(machine.host, address, number, lambda _: None, lambda: None)
        if link is None:
            yield from interpreter.sleep(float(seconds) if isinstance(seconds, int | float) else 130.0)
            raise error(TimeoutError, "timed out") if seconds else error(TimeoutError, 110, "Connection timed out")
        if isinstance(link, str):
            raise error(ConnectionRefusedError, 111, "Connection refused")
        link.close()

    def create(given: list[Value], named: dict[str, Value]) -> Work:
        host, port = (*given[0], None, None)[:2] if given and isinstance(given[0], tuple) else (None, None)
        yield from connect(host, port, given[1] if len(given) > 1 else named.get("timeout"))
        return Instance(made)

    def method(call: Callable[[Instance, list[Value]], Value]) -> Native:
        return Native(lambda given, _: call(given[0], given[1:]))

    def do_connect(one: Instance, given: list[Value]) -> Work:
        host, port = (*given[0], None, None)[:2] if given and isinstance(given[0], tuple) else (None, None)
        yield from connect(host, port, one.attributes.get("$timeout"))

    def do_bind(one: Instance, given: list[Value]) -> Value:
        address = given[0] if given else None
        if not isinstance(address, tuple) or len(address) < 2 or not isinstance(address[1], int):
            raise error(TypeError, "an integer is required")
        one.attributes["$port"] = address[1]

    def do_listen(one: Instance, given: list[Value]) -> Value:  # noqa: ARG001
        bind(machine, one.attributes.get("$port", 0), Silent())

    def forever(_: Instance, __: list[Value]) -> Work:
        yield from interpreter.sleep(None)

    def nothing(_: Instance, __: list[Value]) -> Value:
        return None

    def set_timeout(one: Instance, given: list[Value]) -> Value:
        one.attributes["$timeout"] = given[0] if given else None

    made = Klass("socket", (), {
        "connect": method(do_connect), "bind": method(do_bind), "listen": method(do_listen), "accept": method(forever),
        "recv": method(forever), "send": method(nothing), "sendall": method(nothing), "close": method(nothing),
        "setsockopt": method(nothing), "settimeout": method(set_timeout), "__init__": Native(lambda _, __: None),
    })  # fmt: skip
    return {
        "socket": made, "create_connection": Native(create), "AF_INET": 2, "SOCK_STREAM": 1, "SOL_SOCKET": 1, "SO_REUSEADDR": 2,
        "gethostname": Native(lambda _, __: machine.host.name), "gethostbyname": Native(lambda given, _: resolve(str(given[0]))),
        "getaddrinfo": Native(lambda given, _: [resolve(str(given[0]))]), "error": OSError, "timeout": TimeoutError,
    }  # fmt: skip


def urllib_request(interpreter: Interpreter) -> Mapping[str, Value]:
    """urllib.request, and urllib.error for who catches its exceptions."""
    url_error = type(
        "URLError", (OSError,), {"__module__": "urllib.error", "__str__": lambda one: f"<urlopen error {one.args[0]}>"}
    )
    http_error = type(
        "HTTPError", (url_error,), {"__module__": "urllib.error", "__str__": lambda one: str(one.args[0])}
    )

    def urlopen(given: list[Value], named: dict[str, Value]) -> Work:
        url = given[0] if given and isinstance(given[0], str) else ""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            host, port, parts = "", 0, urlsplit("")
        if parts.scheme not in ("http", "https"):
            raise error(ValueError, f"unknown url type: {url!r}")
        seconds = named.get("timeout")
        request = f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Python-urllib/3.11\r\nConnection: close\r\n\r\n"
        wait = float(seconds) if isinstance(seconds, int | float) else None
        answer = yield from fetch(interpreter.process, host, port, request.encode("latin-1", "replace"), wait)
        failures = {
            "no such host": f"[Errno {_UNKNOWN[0]}] {_UNKNOWN[1]}", "timed out": "timed out",
            "connection refused": "[Errno 111] Connection refused", "no route to host": "[Errno 113] No route to host",
        }  # fmt: skip
        if answer.failure:
            raise Raised(url_error(failures.get(answer.failure, answer.failure)))
        if answer.status >= 400:
            raised = http_error(f"HTTP Error {answer.status}: {phrase(answer.status)}")
            raise Raised(raised)
        body = answer.body
        return Instance(Klass("HTTPResponse"), {
            "status": answer.status, "code": answer.status, "read": Native(lambda _, __: body), "getcode": Native(lambda _, __: answer.status),
        })  # fmt: skip

    return {"urlopen": Native(urlopen), "URLError": url_error, "HTTPError": http_error}
