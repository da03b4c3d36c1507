"""The library of simulated Python programs: the parts that manifests use, and opaque ones for the rest of what a real
Python brings. A module that Python does not bring is not there, as in an image without packages."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from k8sdiag.minicluster.runtimes.machine.files import FileFault
from k8sdiag.minicluster.runtimes.programs.python_eval import Interpreter
from k8sdiag.minicluster.runtimes.programs.python_names import file_error
from k8sdiag.minicluster.runtimes.programs.python_values import (
    Environ,
    Instance,
    Klass,
    Module,
    Native,
    Opaque,
    Raised,
    Value,
    Work,
    error,
)
from k8sdiag.minicluster.runtimes.programs.python_web import http_server, socket_module, urllib_request

_SIGNALS = {"SIGTERM": "TERM", "SIGINT": "INT", "SIGHUP": "HUP", "SIGQUIT": "QUIT"}
_NUMBERS = {"SIGHUP": 1, "SIGINT": 2, "SIGQUIT": 3, "SIGKILL": 9, "SIGTERM": 15}
_REMOVED = frozenset(("distutils", "imp", "asynchat", "asyncore", "smtpd")) - {"distutils", "imp"}


def load(interpreter: Interpreter, name: str) -> Module | None:
    """A module, or None where there is none of that name."""
    made = _MODULES.get(name)
    if made is not None:
        return Module(name, made(interpreter))
    first = name.partition(".")[0]
    if first not in sys.stdlib_module_names or first in _REMOVED:
        return _from_file(interpreter, name)
    if "." in name and not any(known.startswith(f"{name}.") for known in _MODULES) and first not in _PACKAGES:
        return None
    return Module(name, {})


_PACKAGES = frozenset(
    "asyncio collections concurrent email http importlib json logging os unittest urllib xml multiprocessing".split()
)


def _from_file(interpreter: Interpreter, name: str) -> Module | None:
    """A module beside the program, or on PYTHONPATH: it is there, and opaque."""
    places = [interpreter.process.folder, *interpreter.process.env.get("PYTHONPATH", "").split(":")]
    for place in places:
        path = f"{place.rstrip('/')}/{name.replace('.', '/')}"
        if place and any(interpreter.machine.files.find(path + end) is not None for end in (".py", "/__init__.py")):
            return Module(name, {})
    return None


def _native(call: Callable[..., Value]) -> Native:
    """A plain function of plain arguments."""
    return Native(lambda arguments, _: call(*arguments))


def _sys(interpreter: Interpreter) -> Mapping[str, Value]:
    def leave(arguments: list[Value], _: dict[str, Value]) -> Value:
        raise error(SystemExit, *arguments[:1])

    stdout = Instance(Klass("TextIOWrapper"), {
        "$stream": "stdout", "write": Native(lambda given, _: interpreter.write(interpreter.text(given[0]))),
        "flush": Native(lambda _, __: interpreter.flush()), "reconfigure": Native(lambda _, __: setattr(interpreter, "unbuffered", True)),
    })  # fmt: skip
    stderr = Instance(Klass("TextIOWrapper"), {
        "$stream": "stderr", "write": Native(lambda given, _: interpreter.process.err(interpreter.text(given[0]))),
        "flush": Native(lambda _, __: None),
    })  # fmt: skip
    return {
        "exit": Native(leave), "stdout": stdout, "stderr": stderr, "argv": ["-c", *interpreter.process.words[3:]],
        "version": "3.11.11 (main, Jan 14 2025, 00:00:00) [GCC 12.2.0]", "version_info": (3, 11, 11, "final", 0),
        "platform": "linux", "executable": "/usr/local/bin/python3", "path": ["", "/usr/local/lib/python3.11"],
        "maxsize": 2**63 - 1, "modules": {}, "byteorder": "little",
    }  # fmt: skip


def _time(interpreter: Interpreter) -> Mapping[str, Value]:
    def sleep(arguments: list[Value], _: dict[str, Value]) -> Work:
        seconds = arguments[0] if arguments else None
        if not isinstance(seconds, int | float):
            raise error(TypeError, "'str' object cannot be interpreted as an integer")
        if seconds < 0:
            raise error(ValueError, "sleep length must be non-negative")
        yield from interpreter.sleep(float(seconds))
        return None

    now = Native(lambda _, __: interpreter.machine.world.timers.now)

    def strftime(arguments: list[Value], _: dict[str, Value]) -> Value:
        moment = datetime.fromtimestamp(interpreter.machine.world.timers.now, UTC)
        return interpreter.plainly(moment.strftime, str(arguments[0])[:200].encode("ascii", "replace").decode())

    return {
        "sleep": Native(sleep), "time": now, "monotonic": now, "perf_counter": now, "strftime": Native(strftime),
        "ctime": Native(lambda _, __: datetime.fromtimestamp(interpreter.machine.world.timers.now, UTC).ctime()),
    }  # fmt: skip


def _os(interpreter: Interpreter) -> Mapping[str, Value]:
    process, machine = interpreter.process, interpreter.machine
    env = Environ(process.env)

    def leave(arguments: list[Value], _: dict[str, Value]) -> Work:
        code = arguments[0] if arguments and isinstance(arguments[0], int) else 0
        interpreter.buffer = []
        machine.end(code & 255) if process.first else None
        yield None

    def kill(arguments: list[Value], _: dict[str, Value]) -> Work:
        number = arguments[1] if len(arguments) > 1 and isinstance(arguments[1], int) else 15
        name = next((short for long, short in _SIGNALS.items() if _NUMBERS[long] == number), "")
        if name in interpreter.handlers:
            yield from interpreter.call(interpreter.handlers[name], [number, None], {})

    def files(act: Callable[[str], Value]) -> Native:
        def run(arguments: list[Value], _: dict[str, Value]) -> Value:
            path = str(arguments[0]) if arguments else "."
            try:
                return act(process.path(path))
            except FileFault as fault:
                raise file_error(fault, path) from None

        return Native(run)

    def system(arguments: list[Value], _: dict[str, Value]) -> Work:
        from k8sdiag.minicluster.runtimes.machine.machine import Process

        program = machine.world.find(machine, "sh", env)
        if isinstance(program, str):
            return 127 << 8
        interpreter.flush()
        words = ("sh", "-c", str(arguments[0]))
        code = yield from program(
            Process(machine, words, env, process.folder, process.stdout, process.stderr, None, process.thread)
        )
        return code << 8

    path = Module("os.path", {
        "exists": Native(lambda given, _: machine.files.find(process.path(str(given[0]))) is not None),
        "isfile": Native(lambda given, _: bool((e := machine.files.find(process.path(str(given[0])))) and not e.folder)),
        "isdir": Native(lambda given, _: bool((e := machine.files.find(process.path(str(given[0])))) and e.folder)),
        "join": Native(lambda given, _: "/".join(str(one).rstrip("/") for one in given)),
        "basename": Native(lambda given, _: str(given[0]).rsplit("/", 1)[-1]),
        "dirname": Native(lambda given, _: str(given[0]).rpartition("/")[0]),
    })  # fmt: skip
    return {
        "environ": env, "getenv": Native(lambda given, _: env.get(str(given[0]), given[1] if len(given) > 1 else None)),
        "_exit": Native(leave), "abort": Native(lambda _, __: machine.end(134)), "getpid": _native(lambda: 1 if process.first else 42),
        "kill": Native(kill), "path": path, "getcwd": _native(lambda: process.folder), "sep": "/", "linesep": "\n", "name": "posix",
        "getuid": _native(lambda: machine.files.user), "listdir": files(machine.files.names),
        "mkdir": files(machine.files.make_folder), "makedirs": files(lambda where: machine.files.make_folder(where, True)),
        "remove": files(machine.files.remove), "unlink": files(machine.files.remove), "system": Native(system),
        "cpu_count": _native(lambda: 2), "error": OSError,
    }  # fmt: skip


def _signal(interpreter: Interpreter) -> Mapping[str, Value]:
    def handle(arguments: list[Value], _: dict[str, Value]) -> Value:
        number, handler = (*arguments, None, None)[:2]
        name = next((short for long, short in _SIGNALS.items() if _NUMBERS[long] == number), "")
        if isinstance(handler, Opaque | int) or handler is None:
            interpreter.handlers.pop(name, None)
        elif name:
            interpreter.handlers[name] = handler
        return None

    def pause(_: list[Value], __: dict[str, Value]) -> Work:
        yield from interpreter.sleep(None)

    return {"signal": Native(handle), "pause": Native(pause), "SIG_DFL": 0, "SIG_IGN": 1, **_NUMBERS}


def _threading(interpreter: Interpreter) -> Mapping[str, Value]:
    from k8sdiag.minicluster.runtimes.machine.machine import Process

    def begin(given: list[Value], _: dict[str, Value]) -> Value:
        one = given[0]
        target = one.attributes.get("$target")
        process = interpreter.process
        other = Process(interpreter.machine, process.words, process.env, process.folder, process.stdout, process.stderr)

        def steps(_: Process) -> Work:
            try:
                yield from interpreter.call(target, list(one.attributes.get("$args") or ()), {})
            except Raised as raised:
                if not isinstance(raised.value, SystemExit):
                    interpreter.process.err(
                        f"Exception in thread Thread-1:\nTraceback (most recent call last):\n{told(raised.value)}\n"
                    )
            return 0

        thread = interpreter.machine.spawn(steps, other)
        one.attributes["$thread"] = thread
        if not one.attributes.get("$daemon") and not one.attributes.get("daemon"):
            interpreter.threads.append(thread)
        thread.start_soon()
        return None

    def join(given: list[Value], _: dict[str, Value]) -> Work:
        thread = given[0].attributes.get("$thread")
        while thread is not None and not thread.over and interpreter.process.thread is not None:
            thread.join(interpreter.process.thread)
            yield None

    def make(given: list[Value], named: dict[str, Value]) -> Value:
        given[0].attributes.update(
            {"$target": named.get("target"), "$args": named.get("args"), "$daemon": named.get("daemon")}
        )
        return None

    def wait(given: list[Value], named: dict[str, Value]) -> Work:
        seconds = given[1] if len(given) > 1 else named.get("timeout")
        yield from interpreter.sleep(float(seconds) if isinstance(seconds, int | float) else None)
        return False

    thread = Klass("Thread", (), {"__init__": Native(make), "start": Native(begin), "join": Native(join)})
    event = Klass(
        "Event", (), {"wait": Native(wait), "set": Native(lambda _, __: None), "is_set": Native(lambda _, __: False)}
    )
    return {"Thread": thread, "Event": event}


def _json(interpreter: Interpreter) -> Mapping[str, Value]:
    def loads(arguments: list[Value], _: dict[str, Value]) -> Value:
        text = arguments[0] if arguments else None
        if not isinstance(text, str | bytes):
            raise error(TypeError, "the JSON object must be str, bytes or bytearray")
        try:
            return json.loads(text)
        except json.JSONDecodeError as fault:
            kind = type("JSONDecodeError", (ValueError,), {"__module__": "json.decoder"})
            raise Raised(kind(str(fault))) from None
        except (ValueError, RecursionError) as fault:
            raise error(ValueError, str(fault)) from None

    def load_file(arguments: list[Value], named: dict[str, Value]) -> Value:
        reader = arguments[0].attributes.get("read") if arguments and isinstance(arguments[0], Instance) else None
        return loads([reader.call([], {}) if isinstance(reader, Native) else ""], named)

    dumps = Native(lambda given, _: interpreter.plainly(lambda: json.dumps(given[0], default=interpreter.text)))
    return {"loads": Native(loads), "dumps": dumps, "load": Native(load_file), "JSONDecodeError": ValueError}


def _math(interpreter: Interpreter) -> Mapping[str, Value]:
    names = ("sqrt", "sin", "cos", "tan", "floor", "ceil", "log", "log2", "log10", "exp", "pi", "e", "gcd", "inf")
    found = {name: getattr(math, name) for name in names}

    def bound(call: Callable[..., Value]) -> Native:
        return Native(lambda given, _: interpreter.plainly(call, *given))

    return {name: bound(value) if callable(value) else value for name, value in found.items()}


def _random(interpreter: Interpreter) -> Mapping[str, Value]:
    random = interpreter.machine.world.random

    def between(given: list[Value], _: dict[str, Value]) -> Value:
        return interpreter.plainly(random.randint, *given)

    def choice(given: list[Value], _: dict[str, Value]) -> Value:
        return interpreter.plainly(random.choice, *given)

    return {
        "random": _native(random.random), "randint": Native(between), "choice": Native(choice), "seed": Native(lambda _, __: None),
        "uniform": Native(lambda given, _: interpreter.plainly(random.uniform, *given)),
    }  # fmt: skip


def _logging(interpreter: Interpreter) -> Mapping[str, Value]:
    def say(level: str, shown: bool) -> Native:
        def run(arguments: list[Value], _: dict[str, Value]) -> Value:
            words = [one for one in arguments if not isinstance(one, Instance)]
            text = interpreter.text(words[0]) if words else ""
            if len(words) > 1:
                text = interpreter.text(interpreter.plainly(lambda: text % tuple(map(interpreter.text, words[1:]))))
            if shown or configured:
                interpreter.process.err(f"{level}:root:{text}\n")
            return None

        return Native(run)

    configured: list[bool] = []
    levels = {"debug": False, "info": False, "warning": True, "error": True, "critical": True, "exception": True}
    names: dict[str, Value] = {
        name: say(name.upper() if name != "exception" else "ERROR", shown) for name, shown in levels.items()
    }
    logger = Klass("Logger", (), dict(names))
    names |= {
        "basicConfig": Native(lambda _, __: configured.append(True)), "getLogger": Native(lambda _, __: Instance(logger)),
        "DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40, "CRITICAL": 50,
    }  # fmt: skip
    return names


def _subprocess(interpreter: Interpreter) -> Mapping[str, Value]:
    from k8sdiag.minicluster.runtimes.machine.machine import Process

    def run(arguments: list[Value], named: dict[str, Value]) -> Work:
        said = arguments[0] if arguments else ""
        words = tuple(map(str, said)) if isinstance(said, list | tuple) else ("sh", "-c", str(said))
        process, machine = interpreter.process, interpreter.machine
        program = machine.world.find(machine, words[0], process.env)
        if isinstance(program, str):
            raise error(FileNotFoundError if program.startswith("No such") else PermissionError, 2, program, words[0])
        interpreter.flush()
        code = yield from program(
            Process(machine, words, process.env, process.folder, process.stdout, process.stderr, None, process.thread)
        )
        if code and named.get("check"):
            kind = type("CalledProcessError", (Exception,), {"__module__": "subprocess"})
            raise Raised(kind(f"Command {interpreter.repr(said)} returned non-zero exit status {code}."))
        return Instance(Klass("CompletedProcess"), {"returncode": code, "stdout": "", "stderr": ""})

    return {"run": Native(run), "call": Native(run), "check_call": Native(run), "DEVNULL": -3, "PIPE": -1}


def _asyncio(interpreter: Interpreter) -> Mapping[str, Value]:
    def first(arguments: list[Value], _: dict[str, Value]) -> Value:
        return arguments[0] if arguments else None

    gather = Native(lambda given, _: list(given))
    return {"run": Native(first), "sleep": _time(interpreter)["sleep"], "gather": gather, "create_task": Native(first)}


def _ctypes(interpreter: Interpreter) -> Mapping[str, Value]:
    def crash(_: list[Value], __: dict[str, Value]) -> Work:
        interpreter.machine.end(139)
        yield None

    return {"string_at": Native(crash), "memset": Native(crash), "memmove": Native(crash)}


def told(value: BaseException) -> str:
    """The last line of a traceback."""
    kind = type(value)
    module = kind.__module__
    name = kind.__name__ if module in ("builtins", "__main__") else f"{module}.{kind.__name__}"
    if module == "__main__":
        name = f"__main__.{kind.__name__}"
    try:
        text = str(value)
    except (ValueError, RecursionError):
        text = ""
    return f"{name}: {text}" if text else name


_MODULES: Mapping[str, Callable[[Interpreter], Mapping[str, Value]]] = {
    "asyncio": _asyncio, "ctypes": _ctypes,
    "sys": _sys, "time": _time, "os": _os, "signal": _signal, "threading": _threading, "json": _json, "math": _math,
    "random": _random, "logging": _logging, "subprocess": _subprocess, "http.server": http_server,
    "socketserver": http_server, "socket": socket_module, "urllib.request": urllib_request, "urllib.error": urllib_request,
}  # fmt: skip
