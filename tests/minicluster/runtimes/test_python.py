"""What `python3` does in simulated containers: real tracebacks, real exit codes."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from k8sdiag.minicluster.runtimes.base import Limits
from tests.minicluster.runtimes.rig import Rig, files
from tests.minicluster.runtimes.test_shell import Alarm

# Programs that the Python of this test runs too: what they write and how they end must be the same.
SAME = [
    "print('a', 1, sep='-', end='!')\nprint([1, 'x', None, (2,), {'k': 1.5}])",
    "import sys; print('starting api'); import nosuchpackage",
    "import sys; sys.exit(3)",
    "raise SystemExit('no configuration')",
    "x = [i * i for i in range(5) if i % 2]; print(x, sum(x), max(x), len(x))",
    "def f(a, b=2, *c, **d):\n    return a + b + len(c)\nprint(f(1), f(1, 5, 6), f(a=2))",
    "def f(x):\n    return 1 / x\ntry:\n    f(0)\nexcept ZeroDivisionError as e:\n    print('caught', e)\nfinally:\n    print('done')",
    "class E(Exception):\n    pass\ntry:\n    raise E('x')\nexcept (KeyError, E) as e:\n    print(type(e).__name__, e)",
    "class A:\n    n = 1\n    def __init__(self, x): self.x = x\n    def get(self): return self.x + self.n\nprint(A(4).get())",
    "import os\nprint(os.environ['NOT_SET'])",
    "d = {'a': 1}; d['b'] = 2; print(sorted(d.items()), d.get('c', 9)); print(d['z'])",
    "open('/no/such/file')",
    "import json\nprint(json.loads('[1, {\"a\": null}]'))\njson.loads('{')",
    "print(f'{3:05d} {\"a\"!r} {1.5:.2f}', '%s=%d' % ('x', 4), '{} {}'.format(1, 'b'))",
    "i = 0\nwhile True:\n    i += 1\n    if i == 3: continue\n    if i > 5: break\nprint(i)",
    "print('x' + 1)",
    "print(undefined)",
    "assert 1 == 2, 'never'",
    "int('abc')",
    "[][3]",
    "'a'.nosuch",
    "x = 1\nx()",
    "import sys\nprint('to stderr', file=sys.stderr)\nsys.stderr.write('more\\n')",
    "a, b = 1, 2\nprint(b, a)",
    "import math, random, time, signal, threading, logging, socket\nprint(math.floor(2.5))",
    "from urllib.request import urlopen\nurlopen('nonsense')",
]


@pytest.mark.parametrize("program", SAME)
def test_a_program_ends_as_it_does_in_a_real_python(program: str) -> None:
    real = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=False, timeout=30
    )
    rig = Rig().python(program)
    frames = [line for line in real.stderr.splitlines() if 'File "/' not in line and not line.startswith("    ")]
    frames = [line for line in frames if "frozen _" not in line]
    assert rig.state.exit_code == real.returncode
    assert sorted(line for line in rig.lines if not line.startswith("    ")) == sorted(
        [*real.stdout.splitlines(), *frames]
    )


def test_what_is_printed_to_no_terminal_comes_at_the_end() -> None:
    program = "import sys;print('starting api');import flask"
    assert Rig().python(program).lines == [
        "Traceback (most recent call last):",
        '  File "<string>", line 1, in <module>',
        "ModuleNotFoundError: No module named 'flask'",
        "starting api",
    ]
    assert Rig().python(program, env={"PYTHONUNBUFFERED": "1"}).lines[0] == "starting api"


def test_memory_that_is_held_counts() -> None:
    program = "import time\nb=[]\nfor i in range(1000):\n  b.append(bytearray(4<<20)); time.sleep(0.05)"
    rig = Rig().python(program, limits=Limits(memory=32 * 2**20))
    assert rig.end == (137, "OOMKilled")
    assert 0.2 < (rig.state.finished_at or 0) - (rig.state.started_at or 0) < 0.6
    assert rig.lines == []


def test_memory_that_is_let_go_does_not_count() -> None:
    rig = Rig().python(
        "import time\nfor i in range(50):\n  b = bytearray(10<<20)\ntime.sleep(100)", limits=Limits(memory=40 * 2**20)
    )
    assert rig.state.state == "running"
    assert rig.state.memory < 30 * 2**20


HTTP500 = (
    "import http.server\nclass H(http.server.BaseHTTPRequestHandler):\n  def do_GET(s): s.send_response(500); s.end_headers()\n"
    "http.server.HTTPServer(('',8080),H).serve_forever()"
)


def test_a_handler_of_its_own_answers() -> None:
    rig = Rig().python(HTTP500)
    assert rig.get("/ready").data.startswith(b"HTTP/1.0 500 Internal Server Error\r\n")
    assert rig.lines == ['10.244.0.1 - - [14/Nov/2023 22:14:32] "GET /ready HTTP/1.1" 500 -']


@pytest.mark.parametrize(
    ("body", "answer", "line"),
    [
        ("s.send_error(404)", b"HTTP/1.0 404", "code 404, message Not Found"),
        ("time.sleep(30); s.send_response(200)", b"", ""),
        ("1/0", b"", "ZeroDivisionError: division by zero"),
        ("s.send_response(200 if s.path == '/ok' else 503)", b"HTTP/1.0 200", '"GET /ok HTTP/1.1" 200 -'),
    ],
)
def test_what_a_handler_does_shows(body: str, answer: bytes, line: str) -> None:
    program = HTTP500.replace("import http.server", "import http.server, time").replace("s.send_response(500)", body, 1)
    rig = Rig().python(program)
    heard = rig.get("/ok", seconds=1)
    assert heard.data[: len(answer)] == answer
    assert bool(answer) == bool(heard.data)
    assert any(line in one for one in rig.lines) or not line


def test_a_handler_that_takes_too_much_memory_takes_the_server_with_it() -> None:
    program = HTTP500.replace("s.send_response(500)", "bytearray(100<<20)")
    rig = Rig().python(program, limits=Limits(memory=64 * 2**20))
    assert rig.get("/").over == (0, "")
    assert rig.end == (137, "OOMKilled")


def test_the_module_http_server_serves_files() -> None:
    rig = Rig().run("python3", "-m", "http.server", "8080", image="python:3.11-slim", seconds=1)
    assert rig.get("/").data.startswith(b"HTTP/1.0 200 OK")
    assert rig.get("/nope").data.startswith(b"HTTP/1.0 404 File not found".replace(b"File not found", b"Not Found"))
    rig.stop(1)
    assert rig.end == (137, "Error")


def test_coroutines_sleep() -> None:
    program = "import asyncio\nasync def main():\n  await asyncio.sleep(3)\n  return 4\nimport sys; sys.exit(asyncio.run(main()))"
    rig = Rig().python(program, seconds=2)
    assert rig.state.state == "running"
    rig.loop.run_for(2)
    assert rig.end == (4, "Error")
    assert Rig().python("import ctypes; ctypes.string_at(0)").end == (139, "Error")


def test_a_handler_of_signals_is_called() -> None:
    program = (
        "import signal,sys,time\nsignal.signal(signal.SIGTERM, lambda s, f: sys.exit(5))\nwhile True: time.sleep(1)"
    )
    rig = Rig().python(program)
    rig.stop(30)
    assert rig.end == (5, "Error")


def test_a_port_that_is_taken_and_a_host_that_is_not_there() -> None:
    rig = Rig().python(HTTP500 + "\n")
    other = rig.run("python3", "-c", HTTP500, image="python:3.11-slim", sandbox=rig.sandbox, seconds=2)
    assert other.lines[-1] == "OSError: [Errno 98] Address already in use"
    assert Rig().python("import socket; socket.create_connection(('db', 5432), timeout=3)").lines[-1] == (
        "socket.gaierror: [Errno -2] Name or service not known"
    )


def test_a_file_is_run_with_its_lines_in_the_traceback() -> None:
    rig = Rig().run(
        "python3",
        "/app/main.py",
        image="python:3.11-slim",
        seconds=2,
        mounts=[files("/app", main_py="import os\nos.environ['DB']\n")],
    )
    assert rig.lines == [
        "Traceback (most recent call last):",
        '  File "/app/main.py", line 2, in <module>',
        "    os.environ['DB']",
        '  File "<frozen os>", line 679, in __getitem__',
        "KeyError: 'DB'",
    ]


TOKENS = (
    "print ( ) 1 'a' x = + * [ ] { } : for i in range(9) if else while True try: except: raise ValueError import sys sys.exit(3) "
    "import os os.environ def f(a): return f(1) class A: A() . append lambda x: open('/x') f'{x}' % ** 10**6 bytearray(1<<20) in "
    "not and del x import socket with as yield global assert len str int list break continue , json.loads '%s'% super() x[0] None "
    "-1 < == [i for i in x] *x time.sleep(1)"
).split(" ")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from([*TOKENS, "\n", "\n  "]), max_size=20).map(" ".join))
def test_no_program_breaks_the_lab(program: str) -> None:
    log = logging.getLogger("k8sdiag.minicluster")
    alarm = Alarm()
    log.addHandler(alarm)
    try:
        rig = Rig().python(program, seconds=20, limits=Limits(memory=64 * 2**20))
        rig.stop(1)
        assert rig.state.state == "exited"
    finally:
        log.removeHandler(alarm)
