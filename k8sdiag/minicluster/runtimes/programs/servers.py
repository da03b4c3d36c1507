"""Servers as common images bring them: what they log when they start, which port they open, how they end, and what
they complain of where they may not write or listen."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from k8sdiag.minicluster.runtimes.machine.files import READ_ONLY, FileFault
from k8sdiag.minicluster.runtimes.machine.http import Answering, Handler, HttpListener, Reply, Request, Silent
from k8sdiag.minicluster.runtimes.machine.machine import Machine, Process, Program
from k8sdiag.minicluster.runtimes.machine.network import Listener
from k8sdiag.minicluster.runtimes.machine.threads import Steps
from k8sdiag.minicluster.runtimes.programs.system import obey, run

_ERRNO = {"No such file or directory": 2, "Permission denied": 13, READ_ONLY: 30, "Is a directory": 21}
_NGINX = b"<!DOCTYPE html>\n<html>\n<head>\n<title>Welcome to nginx!</title>\n</head>\n<body>\n<h1>Welcome to nginx!</h1>\n</body>\n</html>\n"


def stamp(machine: Machine, form: str) -> str:
    """Now, in a server's own form."""
    return datetime.fromtimestamp(machine.world.timers.now, UTC).strftime(form)


def listens(process: Process, port: int, listener: Listener) -> str:
    """Open a port: '' or the words of the system call's error."""
    machine = process.machine
    if port < 1024 and machine.files.user and not _may_bind(machine):
        return "Permission denied"
    return "" if machine.host.listen(port, machine, listener) else "Address already in use"


def _may_bind(machine: Machine) -> bool:
    capabilities = machine.spec.security.get("capabilities")
    added = capabilities.get("add") or () if isinstance(capabilities, dict) else ()
    return any(name in ("NET_BIND_SERVICE", "ALL") for name in added)


def _nginx(process: Process) -> Steps:
    machine = process.machine
    if process.words[1:2] and process.words[1] in ("-v", "-V"):
        process.err("nginx version: nginx/1.27.4\n")
        return 0
    try:
        machine.files.may_write("/var/cache/nginx/client_temp")
    except FileFault as fault:
        process.err(
            f'{stamp(machine, "%Y/%m/%d %H:%M:%S")} [emerg] 1#1: mkdir() "/var/cache/nginx/client_temp" failed'
            f" ({_ERRNO.get(str(fault), 1)}: {fault})\n"
        )
        return 1
    port = int(process.env.get("NGINX_PORT", "8080" if "unprivileged" in machine.spec.image.name else "80")[:5])
    config = machine.files.find("/etc/nginx/conf.d/default.conf") or machine.files.find("/etc/nginx/nginx.conf")
    text = config.data.decode(errors="replace") if config is not None and not config.folder else ""
    if text:
        said = re.search(r"listen\s+(?:\S+:)?(\d{1,5})", text)
        port = int(said.group(1)) if said else port
        wrong = _bad_config(text)
        if wrong:
            process.err(f"{stamp(machine, '%Y/%m/%d %H:%M:%S')} [emerg] 1#1: {wrong}\n")
            process.err(
                "nginx: configuration file /etc/nginx/nginx.conf test failed\n" if "-t" in process.words else ""
            )
            return 1
    if "-t" in process.words:
        process.err("nginx: the configuration file /etc/nginx/nginx.conf syntax is ok\n")
        process.err("nginx: configuration file /etc/nginx/nginx.conf test is successful\n")
        return 0
    fault_text = listens(process, port, HttpListener(machine.world.timers, _website(process)))
    if fault_text:
        number = 13 if fault_text == "Permission denied" else 98
        process.err(
            f"{stamp(machine, '%Y/%m/%d %H:%M:%S')} [emerg] 1#1: bind() to 0.0.0.0:{port} failed ({number}: {fault_text})\n"
        )
        return 1
    for text in (
        'using the "epoll" event method',
        "nginx/1.27.4",
        "OS: Linux 6.1.0-28-amd64",
        "start worker processes",
    ):
        process.err(f"{stamp(machine, '%Y/%m/%d %H:%M:%S')} [notice] 1#1: {text}\n")
    if not any("daemon off" in word for word in process.words):
        return 0  # it goes into the background, and the first process is over
    obey(process)
    yield None
    return 0


def _bad_config(text: str) -> str:
    bare = re.sub(r"#.*", "", text)
    if bare.count("{") > bare.count("}"):
        return f'unexpected end of file, expecting "}}" in /etc/nginx/conf.d/default.conf:{text.count(chr(10)) + 1}'
    if bare.count("}") > bare.count("{"):
        return f'unexpected "}}" in /etc/nginx/conf.d/default.conf:{text.count(chr(10)) + 1}'
    return ""


def _website(process: Process) -> Handler:
    """What is below nginx' document root, with a line in the log for each request."""
    machine = process.machine

    def answer(request: Request) -> Reply:
        path = request.path.partition("?")[0]
        entry = machine.files.find("/usr/share/nginx/html" + path + ("index.html" if path.endswith("/") else ""))
        status, body = (200, entry.data) if entry is not None and not entry.folder else (404, b"")
        if path in ("/", "/index.html") and entry is None:
            status, body = 200, _NGINX
        if status == 404:
            body = b"<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>\r\n<center><h1>404 Not Found</h1></center>\r\n<hr><center>nginx/1.27.4</center>\r\n</body>\r\n</html>\r\n"
            process.err(
                f'{stamp(machine, "%Y/%m/%d %H:%M:%S")} [error] 29#29: *1 open() "/usr/share/nginx/html{path}" failed'
                f" (2: No such file or directory), client: {request.peer}, server: localhost, request:"
                f' "{request.method} {request.path} HTTP/1.1", host: "{request.headers.get("host", "")}"\n'
            )
        agent = request.headers.get("user-agent", "-")
        process.out(
            f'{request.peer} - - [{stamp(machine, "%d/%b/%Y:%H:%M:%S +0000")}] "{request.method} {request.path}'
            f' HTTP/1.1" {status} {len(body)} "-" "{agent}" "-"\n'
        )
        return Reply(status, body, {"Server": "nginx/1.27.4", "Content-Type": "text/html"})

    return answer


def _entrypoint(process: Process) -> Steps:
    """docker-entrypoint.sh and its kin: a few words, then the command."""
    words = list(process.words[1:])
    image = process.machine.spec.image.name
    if "nginx" in image and words[:1] == ["nginx"]:
        process.out("/docker-entrypoint.sh: Configuration complete; ready for start up\n")
    if (
        not words
        or words[0].startswith("-")
        or (
            process.machine.image.cmd
            and isinstance(process.machine.world.find(process.machine, words[0], process.env), str)
        )
    ):
        words = [*process.machine.image.cmd[:1], *words]
    if not words:
        return 0
    env = _checked(process, words[0])
    if env:
        process.err(env)
        return 1
    return (yield from run(process, words))


def _checked(process: Process, word: str) -> str:
    """What database images say where they are not told a password."""
    env = process.env
    if word == "postgres" and not {"POSTGRES_PASSWORD", "POSTGRES_HOST_AUTH_METHOD", "POSTGRES_PASSWORD_FILE"} & set(
        env
    ):
        return (
            "Error: Database is uninitialized and superuser password is not specified.\n"
            "       You must specify POSTGRES_PASSWORD to a non-empty value for the\n"
            '       superuser. For example, "-e POSTGRES_PASSWORD=password" on "docker run".\n\n'
            '       You may also use "POSTGRES_HOST_AUTH_METHOD=trust" to allow all\n'
            "       connections without a password. This is *not* recommended.\n\n"
            '       See PostgreSQL documentation about "trust":\n'
            "       https://www.postgresql.org/docs/current/auth-trust.html\n"
        )
    kinds = {"mysqld": "MYSQL", "mariadbd": "MARIADB"}
    prefixes = ("MYSQL_", "MARIADB_")
    passwords = (
        "ROOT_PASSWORD",
        "ALLOW_EMPTY_PASSWORD",
        "ALLOW_EMPTY_ROOT_PASSWORD",
        "RANDOM_ROOT_PASSWORD",
        "ROOT_PASSWORD_FILE",
    )
    if word in kinds and not any(prefix + name in env for prefix in prefixes for name in passwords):
        now = stamp(process.machine, "%Y-%m-%d %H:%M:%S+00:00")
        return (
            f"{now} [ERROR] [Entrypoint]: Database is uninitialized and password option is not specified\n"
            "    You need to specify one of the following as an environment variable:\n"
            "    - MYSQL_ROOT_PASSWORD\n    - MYSQL_ALLOW_EMPTY_PASSWORD\n    - MYSQL_RANDOM_ROOT_PASSWORD\n"
        )
    return ""


def _redis(process: Process) -> Steps:
    machine = process.machine
    words = list(process.words)
    port = (
        int(words[words.index("--port") + 1][:5])
        if "--port" in words[:-1] and words[words.index("--port") + 1].isdigit()
        else 6379
    )
    when = stamp(machine, "%d %b %Y %H:%M:%S.000")
    config = next((word for word in words[1:] if word.endswith(".conf")), "")
    if config and machine.files.find(process.path(config)) is None:
        process.err(f"1:C {when} # Fatal error, can't open config file '{config}': No such file or directory\n")
        return 1
    process.out(
        f"1:C {when} * oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo\n1:C {when} * Redis version=7.4.2, bits=64\n"
    )
    wrong = listens(process, port, Answering(_redis_answer))
    if wrong:
        process.out(f"1:M {when} # Warning: Could not create server TCP listening socket *:{port}: bind: {wrong}\n")
        process.out(f"1:M {when} # Failed listening on port {port} (tcp), aborting.\n")
        return 1
    process.out(
        f"1:M {when} * Running mode=standalone, port={port}.\n1:M {when} * Server initialized\n1:M {when} * Ready to accept connections tcp\n"
    )

    def last() -> None:
        now = stamp(machine, "%d %b %Y %H:%M:%S.000")
        process.out(
            f"1:signal-handler Received SIGTERM scheduling shutdown...\n1:M {now} # Redis is now ready to exit, bye bye...\n"
        )

    obey(process, 0, last)
    yield None
    return 0


def _redis_answer(data: bytes) -> bytes:
    word = data.upper()
    if b"PING" in word:
        return b"+PONG\r\n"
    return b"+OK\r\n" if data.strip() else b""


def _http_server(name: str, port: int, started: str, answer: str, code: int = 0) -> Program:
    """A server that logs a line, answers every request alike and obeys TERM."""

    def program(process: Process) -> Steps:
        machine = process.machine
        where = _port(process, port)
        text = _said(process) or answer.replace("{host}", machine.host.name)

        def reply(request: Request) -> Reply:  # noqa: ARG001
            return Reply(200, text.encode(), {"Content-Type": "text/plain; charset=utf-8"})

        wrong = listens(process, where, HttpListener(machine.world.timers, reply))
        if wrong:
            process.err(f"{name}: listen tcp :{where}: bind: {wrong.lower()}\n")
            return 1
        if started:
            process.err(
                started.replace("{port}", str(where)).replace("{now}", stamp(machine, "%Y/%m/%d %H:%M:%S")) + "\n"
            )
        obey(process, code)
        yield None
        return 0

    return program


def _port(process: Process, default: int) -> int:
    words = list(process.words[1:])
    for at, word in enumerate(words):
        found = re.fullmatch(r"--?(?:port|listen|p|http-port)(?:=:?(\d{1,5}))?", word)
        if found and found.group(1):
            return int(found.group(1))
        after = words[at + 1].lstrip(":") if at + 1 < len(words) else ""
        if found and after.isdigit() and len(after) < 6:
            return int(after)
    given = process.env.get("PORT", "")
    return int(given) if given.isdigit() and len(given) < 6 else default


def _said(process: Process) -> str:
    """http-echo's -text."""
    words = list(process.words[1:])
    for at, word in enumerate(words):
        if re.match(r"--?text=", word):
            return word.partition("=")[2] + "\n"
        if word in ("-text", "--text") and at + 1 < len(words):
            return words[at + 1] + "\n"
    return ""


def _tcp_server(
    name: str, port: int, started: str, greeting: bytes = b"", code: int = 0, delay: float = 0.5
) -> Program:
    """A server of another protocol: it takes connections."""

    def program(process: Process) -> Steps:
        machine = process.machine
        where = _port(process, port)
        yield delay
        wrong = listens(process, where, Silent(greeting))
        if wrong:
            process.err(f"{name}: could not bind port {where}: {wrong}\n")
            return 1
        process.err(started.replace("{now}", stamp(machine, "%Y-%m-%d %H:%M:%S.000 UTC")) + "\n")
        obey(process, code)
        yield None
        return 0

    return program


def _redis_cli(process: Process) -> Steps:
    host = process.words[process.words.index("-h") + 1] if "-h" in process.words[:-1] else "127.0.0.1"
    machine = process.machine
    addresses = machine.world.network.lookup(machine.host, host)
    got: list[bytes] = []
    link = (
        machine.world.network.connect(machine.host, addresses[0], 6379, got.append, lambda: None) if addresses else None
    )
    if link is None or isinstance(link, str):
        process.err(
            f"Could not connect to Redis at {host}:6379: {(link or 'Name or service not known').capitalize()}\n"
        )
        return 1
    link.feed(" ".join(process.words[1:]).encode())
    process.out("".join(data.decode(errors="replace").lstrip("+").replace("\r", "") for data in got))
    return 0
    yield None


def _pg_isready(process: Process) -> Steps:
    ready = process.machine.host.at(5432) is not None
    process.out("/var/run/postgresql:5432 - " + ("accepting connections\n" if ready else "no response\n"))
    return 0 if ready else 2
    yield None


def _agnhost(process: Process) -> Steps:
    mode = process.words[1] if len(process.words) > 1 else "pause"
    if mode == "pause":
        obey(process)
        yield None
        return 0
    port = {"netexec": 8080, "serve-hostname": 9376, "test-webserver": 80}.get(mode, 8080)
    return (yield from _http_server("agnhost", port, "", "{host}")(process))


def _hello(process: Process) -> Steps:
    process.out("\nHello from Docker!\nThis message shows that your installation appears to be working correctly.\n\n")
    return 0
    yield None


def _quiet(process: Process) -> Steps:
    """A daemon that nobody describes: it runs and obeys."""
    obey(process)
    yield None
    return 0


COMMANDS: Mapping[str, Program] = {
    "nginx": _nginx, "docker-entrypoint.sh": _entrypoint, "entrypoint.sh": _entrypoint, "redis-server": _redis,
    "redis-cli": _redis_cli, "pg_isready": _pg_isready, "agnhost": _agnhost, "hello": _hello,
    "httpd-foreground": _http_server(
        "httpd", 80, "AH00558: httpd: Could not reliably determine the server's fully qualified domain name, using"
        " 127.0.0.1. Set the 'ServerName' directive globally to suppress this message",
        "<html><body><h1>It works!</h1></body></html>\n",
    ),
    "apache2-foreground": _http_server("apache2", 80, "AH00094: Command line: 'apache2 -D FOREGROUND'", "ok\n"),
    "caddy": _http_server("caddy", 80, '{"level":"info","msg":"serving initial configuration"}', "Caddy works!\n"),
    "http-echo": _http_server("http-echo", 5678, "{now} [INFO] server is listening on :{port}", "hello-world\n"),
    "hello-app": _http_server("hello-app", 8080, "{now} Server listening on port {port}", "Hello, world!\nHostname: {host}\n"),
    "whoami": _http_server("whoami", 80, "{now} Starting up on port {port}", "Hostname: {host}\n"),
    "echo-server": _http_server("echo-server", 8080, "Echo server listening on port {port}.", "Request served by {host}\n"),
    "gunicorn": _http_server("gunicorn", 80, "[INFO] Listening at: http://0.0.0.0:{port} (1)", "ok\n"),
    "prometheus": _http_server("prometheus", 9090, "level=info msg=\"Server is ready to receive web requests.\"", "Prometheus Server is Ready.\n"),
    "run.sh": _http_server("grafana", 3000, "logger=http.server level=info msg=\"HTTP Server Listen\" address=[::]:{port}", "ok\n"),
    "registry": _http_server("registry", 5000, "level=info msg=\"listening on [::]:{port}\"", "{}\n"),
    "coredns": _http_server("coredns", 8080, ".:53\nCoreDNS-1.11.3", "OK"),
    "postgres": _tcp_server("postgres", 5432, "{now} [1] LOG:  database system is ready to accept connections", delay=1.5),
    "mysqld": _tcp_server("mysqld", 3306, "[Server] /usr/sbin/mysqld: ready for connections. port: 3306", b"J\x00\x00\x00\n8.4.4\x00", delay=5.0),
    "mariadbd": _tcp_server("mariadbd", 3306, "[Note] mariadbd: ready for connections. port: 3306", b"J\x00\x00\x00\n11.4.5\x00", delay=3.0),
    "mongod": _tcp_server("mongod", 27017, '{"s":"I","c":"NETWORK","msg":"Waiting for connections","attr":{"port":27017}}', delay=1.0),
    "rabbitmq-server": _tcp_server("rabbitmq", 5672, " Starting broker... completed with 3 plugins.", delay=6.0),
    "memcached": _tcp_server("memcached", 11211, "", delay=0.0),
    "haproxy": _quiet, "traefik": _http_server("traefik", 80, "", "404 page not found\n"), "kube-proxy": _quiet,
}  # fmt: skip
