"""Commands that use the network: wget, curl, nslookup, nc, ping."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from k8sdiag.minicluster.runtimes.machine.files import FileFault
from k8sdiag.minicluster.runtimes.machine.http import phrase
from k8sdiag.minicluster.runtimes.machine.machine import Process, Program
from k8sdiag.minicluster.runtimes.machine.threads import Steps
from k8sdiag.minicluster.runtimes.programs.text import seconds_of

_NO_HOST = "no such host"
_SILENT = "timed out"


@dataclass(slots=True)
class Answer:
    """What came of a request: a failure in a few words, or a status and what follows."""

    failure: str = ""
    address: str = ""
    status: int = 0
    head: str = ""
    body: bytes = b""


def fetch(
    process: Process, host: str, port: int, request: bytes, timeout: float | None
) -> Generator[float | None, None, Answer]:
    """Send bytes to a port and take what comes back."""
    machine = process.machine
    addresses = machine.world.network.lookup(machine.host, host)
    if not addresses:
        return Answer(_NO_HOST)
    address = addresses[0]
    got = bytearray()
    over: list[bool] = []
    thread = process.thread

    def take(data: bytes) -> None:
        got.extend(data)
        if thread is not None:
            thread.wake()

    def end() -> None:
        over.append(True)
        if thread is not None:
            thread.wake()

    connection = machine.world.network.connect(machine.host, address, port, take, end)
    if isinstance(connection, str):
        return Answer(connection, address)
    if connection is not None:
        connection.feed(request)
    deadline = machine.world.timers.now + (timeout if timeout is not None else 130.0)
    while not over and not whole(bytes(got)):
        left = deadline - machine.world.timers.now
        if left <= 0:
            if connection is not None:
                connection.close()
            return Answer(_SILENT, address)
        yield left
    if connection is not None:
        connection.close()
    return answered(bytes(got), address)


def whole(data: bytes) -> bool:
    """Whether an HTTP answer is complete."""
    head, end, body = data.partition(b"\r\n\r\n")
    if not end:
        return False
    length = next(
        (line.split(b":")[1].strip() for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")),
        b"",
    )
    return length.isdigit() and len(body) >= int(length)


def answered(data: bytes, address: str) -> Answer:
    head, _, body = data.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    status = int(words[1]) if len(words) > 1 and words[0].startswith(b"HTTP/") and words[1].isdigit() else 0
    if not status:
        return Answer("bad response" if data else "empty reply", address, 0, "", data)
    return Answer("", address, status, head.decode("latin-1"), body)


def _target(url: str) -> tuple[str, int, str, str]:
    """Scheme, port, host and path of a URL, however short."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        port = 80
    return parts.hostname or "", port, parts.scheme, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _request(method: str, host: str, port: int, path: str, agent: str, extra: str = "", body: bytes = b"") -> bytes:
    where = host if port in (80, 443) else f"{host}:{port}"
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    text = (
        f"{method} {path} HTTP/1.1\r\nHost: {where}\r\nUser-Agent: {agent}\r\n{extra}{length}Connection: close\r\n\r\n"
    )
    return text.encode("latin-1", errors="replace") + body


def _safe(url: str) -> tuple[str, int, str, str] | None:
    try:
        return _target(url)
    except ValueError:
        return None


def _wget(process: Process) -> Steps:
    words = list(process.words[1:])
    flags = "".join(word[1:] for word in words if word.startswith("-") and not word.startswith("--"))
    output = next(
        (words[at + 1] for at, word in enumerate(words[:-1]) if word.startswith("-") and word.endswith("O")), ""
    )
    wait = next((word[2:] or words[at + 1] for at, word in enumerate(words[:-1]) if word.startswith("-T")), None)
    wait = next((word.partition("=")[2] for word in words if word.startswith("--timeout=")), wait)
    values = {output, wait}
    urls = [word for word in words if not word.startswith("-") and word not in values]
    if not urls or (target := _safe(urls[-1])) is None:
        process.err("wget: missing URL\n")
        return 1
    host, port, _, path = target
    quiet = "q" in flags
    answer = yield from fetch(
        process, host, port, _request("GET", host, port, path, "Wget"), seconds_of(wait) if wait else 60.0
    )
    if not quiet and answer.address:
        process.err(f"Connecting to {host}:{port} ({answer.address}:{port})\n")
    if answer.failure:
        said = {
            _NO_HOST: f"bad address '{host}'", _SILENT: "download timed out", "empty reply": "error getting response",
            "bad response": f"bad header line: {answer.body[:60].decode(errors='replace').strip()}",
        }.get(answer.failure, f"can't connect to remote host ({answer.address}): {answer.failure.capitalize()}")  # fmt: skip
        process.err(f"wget: {said}\n")
        return 1
    if answer.status >= 400:
        process.err(f"wget: server returned error: HTTP/1.1 {answer.status} {phrase(answer.status)}\n")
        return 1
    if "--spider" in words:
        return 0
    if output == "-" or (not output and "O-" in flags):
        process.stdout.write(answer.body)
        return 0
    name = output or path.rsplit("/", 1)[-1] or "index.html"
    try:
        process.machine.files.write(process.path(name), answer.body)
    except FileFault as fault:
        process.err(f"wget: can't open '{name}': {fault}\n")
        return 1
    return 0


def _curl(process: Process) -> Steps:  # noqa: C901, PLR0912, PLR0915 (options and exit codes, one after another)
    words = list(process.words[1:])
    taking = {"-o", "-H", "-X", "-d", "-m", "--max-time", "--connect-timeout", "-w", "-u", "--retry", "-A", "--data"}
    said: dict[str, str] = {}
    flags, urls, at = "", [], 0
    while at < len(words):
        word = words[at]
        if word in taking and at + 1 < len(words):
            said[word] = words[at + 1]
            at += 1
        elif word.startswith("-"):
            flags += (
                word[1:]
                if not word.startswith("--")
                else {"--fail": "f", "--silent": "s", "--head": "I", "--include": "i"}.get(word, "")
            )
            if word[-1:] in "omXHd" and not word.startswith("--") and at + 1 < len(words):
                said["-" + word[-1]] = words[at + 1]
                at += 1
        else:
            urls.append(word)
        at += 1
    if not urls or (target := _safe(urls[0])) is None:
        process.err("curl: try 'curl --help' for more information\n")
        return 2
    host, port, scheme, path = target
    limit = seconds_of(said.get("-m") or said.get("--max-time") or said.get("--connect-timeout"))
    body = (said.get("-d") or said.get("--data") or "").encode()
    method = said.get("-X") or ("HEAD" if "I" in flags else "POST" if body else "GET")
    started = process.machine.world.timers.now
    answer = yield from fetch(
        process, host, port, _request(method, host, port, path, "curl/8.11.1", "Accept: */*\r\n", body), limit
    )
    milliseconds = int((process.machine.world.timers.now - started) * 1000)
    code, text = 0, ""
    if answer.failure == _NO_HOST:
        code, text = 6, f"Could not resolve host: {host}"
    elif answer.failure == _SILENT:
        code, text = 28, f"Connection timed out after {milliseconds} milliseconds"
    elif answer.failure == "empty reply":
        code, text = 52, "Empty reply from server"
    elif answer.failure == "bad response":
        code, text = 1, "Received HTTP/0.9 when not allowed"
    elif answer.failure:
        code, text = 7, f"Failed to connect to {host} port {port} after {milliseconds} ms: Could not connect to server"
    elif "f" in flags and answer.status >= 400:
        code, text = 22, f"The requested URL returned error: {answer.status}"
    if code:
        if "s" not in flags or "S" in flags:
            process.err(f"curl: ({code}) {text}\n")
        if "-w" in said:
            process.out(_written(said["-w"], answer))
        return code
    del scheme
    data = (answer.head.encode("latin-1") + b"\r\n\r\n" if "i" in flags or "I" in flags else b"") + (
        b"" if "I" in flags else answer.body
    )
    if "-o" in said and said["-o"] != "/dev/null":
        process.machine.files.write(process.path(said["-o"]), data)
    elif "-o" not in said:
        process.stdout.write(data)
    if "-w" in said:
        process.out(_written(said["-w"], answer))
    return 0


def _written(form: str, answer: Answer) -> str:
    return form.replace("%{http_code}", f"{answer.status:03d}").replace("\\n", "\n")


def _nslookup(process: Process) -> Steps:
    names = [word for word in process.words[1:] if not word.startswith(("-", "+", "@"))]
    network, host = process.machine.world.network, process.machine.host
    name = names[0] if names else "localhost"
    addresses = network.lookup(host, name)
    if process.name != "nslookup":
        process.out("".join(f"{address}\n" for address in addresses))
        return 0
    process.out(f"Server:\t\t{network.dns}\nAddress:\t{network.dns}:53\n\n")
    if not addresses:
        process.out(f"** server can't find {name}: NXDOMAIN\n\n")
        return 1
    for address in addresses:
        process.out(f"Name:\t{name}\nAddress: {address}\n\n")
    return 0
    yield None


def _nc(process: Process) -> Steps:
    words = list(process.words[1:])
    flags = "".join(word[1:] for word in words if word.startswith("-"))
    wait = next((words[at + 1] for at, word in enumerate(words[:-1]) if word == "-w"), None)
    plain = [word for word in words if not word.startswith("-") and word != wait]
    if "l" in flags:
        return (yield from _listen(process, words, plain))
    if len(plain) < 2 or not plain[1].isdigit() or len(plain[1]) > 5:
        process.err("nc: missing operand\n")
        return 1
    host, port = plain[0], int(plain[1])
    machine = process.machine
    addresses = machine.world.network.lookup(machine.host, host)
    if not addresses:
        process.err(f"nc: bad address '{host}'\n")
        return 1
    connection = machine.world.network.connect(machine.host, addresses[0], port, process.stdout.write, lambda: None)
    if connection is None:
        yield seconds_of(wait) if wait else 130.0
        process.err(f"nc: {host} ({addresses[0]}:{port}): Connection timed out\n" if not wait else "nc: timed out\n")
        return 1
    if isinstance(connection, str):
        process.err(f"nc: {host} ({addresses[0]}:{port}): {connection.capitalize()}\n")
        return 1
    if "v" in flags:
        process.err(f"{host} ({addresses[0]}:{port}) open\n")
    connection.close()
    return 0


def _listen(process: Process, words: list[str], plain: list[str]) -> Steps:
    from k8sdiag.minicluster.runtimes.machine.http import Silent

    port = next((words[at + 1] for at, word in enumerate(words[:-1]) if word.endswith("p")), plain[-1] if plain else "")
    if not port.isdigit() or len(port) > 5:
        process.err("nc: missing port\n")
        return 1
    if not process.machine.host.listen(int(port), process.machine, Silent()):
        process.err("nc: bind: Address already in use\n")
        return 1
    yield None
    return 0


def _ping(process: Process) -> Steps:
    words = [word for word in process.words[1:] if not word.startswith("-") and not word.isdigit()]
    name = words[0] if words else "localhost"
    machine = process.machine
    addresses = machine.world.network.lookup(machine.host, name)
    if not addresses:
        process.err(f"ping: bad address '{name}'\n")
        return 1
    count = next(
        (
            int(process.words[at + 1])
            for at, word in enumerate(process.words[:-1])
            if word == "-c" and process.words[at + 1].isdigit()
        ),
        2**30,
    )
    there = addresses[0] in machine.world.network.hosts or addresses[0].startswith("127.")
    process.out(f"PING {name} ({addresses[0]}): 56 data bytes\n")
    for number in range(min(count, 2**20)):
        if there:
            process.out(f"64 bytes from {addresses[0]}: seq={number} ttl=64 time=0.071 ms\n")
        yield 1.0
    process.out(
        f"\n--- {name} ping statistics ---\n{count} packets transmitted, {count if there else 0} packets received, {0 if there else 100}% packet loss\n"
    )
    return 0 if there else 1


COMMANDS: Mapping[str, Program] = {
    "wget": _wget, "curl": _curl, "nslookup": _nslookup, "dig": _nslookup, "host": _nslookup, "nc": _nc, "netcat": _nc,
    "ping": _ping,
}  # fmt: skip
