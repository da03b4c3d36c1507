"""`python3`: with -c, -m or a file, its tracebacks as real ones, and nothing more than manifests use."""

from __future__ import annotations

import re
from collections.abc import Mapping

from k8sdiag.minicluster.runtimes.machine.files import FileFault
from k8sdiag.minicluster.runtimes.machine.http import HttpListener
from k8sdiag.minicluster.runtimes.machine.machine import Process, Program
from k8sdiag.minicluster.runtimes.machine.threads import Steps
from k8sdiag.minicluster.runtimes.programs.parsing import parsed
from k8sdiag.minicluster.runtimes.programs.python_eval import Interpreter
from k8sdiag.minicluster.runtimes.programs.python_modules import load, told
from k8sdiag.minicluster.runtimes.programs.python_values import Broke, Continued, Raised, Returned, Unsupported
from k8sdiag.minicluster.runtimes.programs.python_web import bind, file_reply
from k8sdiag.minicluster.runtimes.programs.text import reading

_START = 0.03  # what it takes to come up
_PROCESS = 9 * 2**20
_VERSION = "Python 3.11.11"


def _python(process: Process) -> Steps:
    words = list(process.words[1:])
    unbuffered = False
    while words and words[0].startswith("-") and words[0] not in ("-c", "-m", "-"):
        flag = words.pop(0)
        unbuffered |= "u" in flag
        if flag in ("-V", "--version", "-VV"):
            process.out(f"{_VERSION}\n")
            return 0
        if flag in ("-W", "-X") and words:
            words.pop(0)
    own = 0 if process.first and "python" in process.machine.image.has else _PROCESS
    process.machine.allocate(own)
    try:
        yield _START
        if words[:1] == ["-m"]:
            return (yield from _module(process, words[1:]))
        return (yield from _program(process, words, unbuffered))
    finally:
        process.machine.release(own)


def _program(process: Process, words: list[str], unbuffered: bool) -> Steps:
    if words[:1] == ["-c"]:
        if len(words) < 2:
            process.err("Argument expected for the -c option\n")
            return 2
        return (yield from execute(process, words[1], "<string>", unbuffered))
    if words and words[0] != "-":
        try:
            data = process.machine.files.read(process.path(words[0])).data
        except FileFault as fault:
            number = {"No such file or directory": 2, "Permission denied": 13}.get(str(fault), 21)
            if number == 21:
                process.err(f"/usr/local/bin/python3: can't find '__main__' module in '{process.path(words[0])}'\n")
                return 1
            process.err(f"{process.words[0]}: can't open file '{process.path(words[0])}': [Errno {number}] {fault}\n")
            return 2
        return (yield from execute(process, data.decode(errors="replace"), process.path(words[0]), unbuffered))
    if process.stdin is None:
        return 0
    data = yield from reading(process, "-")
    return (yield from execute(process, data.decode(errors="replace"), "<stdin>", unbuffered))


def _module(process: Process, words: list[str]) -> Steps:
    name = words[0] if words else ""
    if name == "http.server":
        return (yield from _http_server(process, words[1:]))
    interpreter = Interpreter(process, load)
    first = name.partition(".")[0]
    try:
        if load(interpreter, name) is None:
            what = f"No module named {name}"
            if name != first and load(interpreter, first) is None:
                what = f"Error while finding module specification for '{name}' (ModuleNotFoundError: No module named '{first}')"
            process.err(f"/usr/local/bin/python3: {what}\n")
            return 1
    except Raised as raised:
        process.err(f"/usr/local/bin/python3: {raised}\n")
        return 1
    return 0
    yield None


def _http_server(process: Process, words: list[str]) -> Steps:
    port, folder = 8000, process.folder
    while words:
        word = words.pop(0)
        if word in ("-d", "--directory") and words:
            folder = process.path(words.pop(0))
        elif word in ("-b", "--bind", "-p", "--protocol") and words:
            words.pop(0)
        elif re.fullmatch(r"\d{1,5}", word):
            port = int(word)
        elif not word.startswith("-"):
            process.err(
                "usage: server.py [-h] [--cgi] [-b ADDRESS] [-d DIRECTORY] [-p VERSION] [port]\n"
                f"server.py: error: argument port: invalid int value: '{word}'\n"
            )
            return 2
    process.folder = folder
    try:
        bind(
            process.machine,
            port,
            HttpListener(process.machine.world.timers, lambda request: file_reply(process, request)),
        )
    except Raised as raised:
        process.err(f"{_LIBRARY}{told(raised.value)}\n")
        return 1
    if process.first:
        process.machine.on_term = None  # SIGTERM's default, which PID 1 does not get
    yield None
    return 0


_LIBRARY = (
    "Traceback (most recent call last):\n"
    '  File "<frozen runpy>", line 198, in _run_module_as_main\n'
    '  File "<frozen runpy>", line 88, in _run_code\n'
    '  File "/usr/local/lib/python3.11/http/server.py", line 1313, in <module>\n    test(\n'
    '  File "/usr/local/lib/python3.11/socketserver.py", line 472, in server_bind\n'
    "    self.socket.bind(self.server_address)\n"
)


def execute(process: Process, source: str, name: str, unbuffered: bool = False) -> Steps:
    """Run a program's text; its exit code."""
    interpreter = Interpreter(process, load)
    interpreter.unbuffered |= unbuffered
    interpreter.globals.names["__file__"] = name
    lines = source.splitlines()
    try:
        tree = parsed(source)
    except SyntaxError as fault:
        line = (fault.text or "").rstrip("\n")
        column = max(0, (fault.offset or 1) - 1 - (len(line) - len(line.lstrip())))
        process.err(f'  File "{name}", line {fault.lineno}\n    {line.strip()}\n    {" " * column}^\n')
        process.err(f"{type(fault).__name__}: {fault.msg}\n")
        return 1
    except (ValueError, MemoryError, RecursionError):
        process.err("SyntaxError: source code cannot be parsed\n")
        return 1
    if process.first:
        process.machine.on_term = interpreter.signalled
    code = 0
    try:
        yield from interpreter.run(tree.body, interpreter.globals)
    except Raised as raised:
        code = _ended(interpreter, raised, name, lines)
    except (Returned, Broke, Continued):
        process.err(f'  File "{name}", line 1\nSyntaxError: outside of a function or loop\n')
        code = 1
    except Unsupported:
        code = yield from _guessed(interpreter, source)
    for thread in interpreter.threads:
        while not thread.over and process.thread is not None:
            thread.join(process.thread)
            yield None
    interpreter.flush()
    return code


def _ended(interpreter: Interpreter, raised: Raised, name: str, lines: list[str]) -> int:
    """What an uncaught exception writes, and its exit code."""
    value = raised.value
    if isinstance(value, SystemExit):
        code = value.args[0] if value.args else 0
        if isinstance(code, int):
            return code & 255
        if code is None:
            return 0
        interpreter.process.err(f"{code}\n")
        return 1
    text = "Traceback (most recent call last):\n"
    for line, function in reversed(raised.trace):
        text += f'  File "{name}", line {line}, in {function}\n'
        if not name.startswith("<") and 0 < line <= len(lines):
            text += f"    {lines[line - 1].strip()}\n"
    interpreter.process.err(f"{text}{raised.inside}{told(value)}\n")
    return 130 if isinstance(value, KeyboardInterrupt) else 1


def _guessed(interpreter: Interpreter, source: str) -> Steps:
    """A program in words that this Python does not know: its ending is guessed from what stands in it."""
    found = re.search(r"sys\.exit\((\d{1,3})\)", source)
    if found:
        return int(found.group(1)) & 255
    if "serve_forever" in source or "while True" in source or "run_forever" in source:
        yield from interpreter.sleep(None)
    return 0


def _pip(process: Process) -> Steps:
    yield 1.0
    process.err("ERROR: Could not find a version that satisfies the requirement (from versions: none)\n")
    return 1


COMMANDS: Mapping[str, Program] = {
    "python": _python,
    "python3": _python,
    "python3.11": _python,
    "pip": _pip,
    "pip3": _pip,
}
