"""Python's builtin functions, and the methods of its plain values, for simulated programs."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from k8sdiag.minicluster.runtimes.machine.files import FileFault
from k8sdiag.minicluster.runtimes.programs.python_values import (
    BIG,
    Blob,
    Function,
    Instance,
    Klass,
    Method,
    Module,
    Native,
    Opaque,
    Raised,
    Value,
    error,
)

if TYPE_CHECKING:
    from k8sdiag.minicluster.runtimes.programs.python_expressions import Expressions as Interpreter

_EXCEPTIONS = {
    name: value
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, BaseException)
}
_ERRNO = {
    "No such file or directory": (FileNotFoundError, 2), "Permission denied": (PermissionError, 13),
    "Is a directory": (IsADirectoryError, 21), "Not a directory": (NotADirectoryError, 20),
    "File exists": (FileExistsError, 17),
}  # fmt: skip
_NUMBERS = {"Read-only file system": 30, "No space left on device": 28}
# Methods that only look at or change small plain values.
_METHODS: dict[type, frozenset[str]] = {
    str: frozenset(
        "capitalize casefold count encode endswith find index isalnum isalpha isdigit islower isspace isupper join lower"
        " lstrip partition removeprefix removesuffix rfind rpartition rsplit rstrip split splitlines startswith strip swapcase"
        " title upper".split()
    ),
    bytes: frozenset("count decode endswith find hex join lower split startswith strip upper".split()),
    list: frozenset("clear copy count extend index insert pop remove reverse".split()),
    tuple: frozenset(("count", "index")),
    dict: frozenset("clear copy get items keys pop popitem setdefault update values".split()),
    set: frozenset("add clear copy difference discard intersection pop remove union update".split()),
    int: frozenset(("bit_length",)),
    float: frozenset(("is_integer",)),
}


def kind_of(value: Value) -> str:
    """The name of a value's type."""
    if isinstance(value, Instance):
        return value.klass.name
    named = {
        Function: "function",
        Native: "builtin_function_or_method",
        Method: "method",
        Module: "module",
        Klass: "type",
        Blob: "bytearray",
        Opaque: "object",
    }
    return named.get(type(value), type(value).__name__)


def file_error(fault: FileFault, path: str) -> Raised:
    """A failed system call as Python raises it."""
    kind, number = _ERRNO.get(str(fault), (OSError, _NUMBERS.get(str(fault), 5)))
    return error(kind, number, str(fault), path)


def builtin_names(interpreter: Interpreter) -> dict[str, Value]:
    """The scope around all others."""
    plain: dict[str, Callable[..., Value]] = {
        "abs": abs, "all": all, "any": any, "bool": bool, "chr": chr, "divmod": divmod, "float": float, "hash": hash,
        "hex": hex, "max": max, "min": min, "ord": ord, "round": round, "sum": sum, "callable": callable,
        "bin": bin, "oct": oct, "zip": zip, "enumerate": enumerate, "reversed": reversed, "iter": iter, "next": next,
        "id": id, "range": range,
    }  # fmt: skip
    special = {
        "print": _print, "len": _len, "str": _str, "int": _int, "repr": _repr, "list": _list, "tuple": _tuple, "set": _set,
        "dict": _dict, "sorted": _sorted, "bytearray": _block, "bytes": _block, "open": _open, "isinstance": _isinstance,
        "exit": _exit, "quit": _exit, "input": _input, "getattr": _getattr, "hasattr": _hasattr, "setattr": _setattr, "type": _type,
        "super": _super, "format": _format, "map": _map, "filter": _filter, "object": _object,
    }  # fmt: skip
    names: dict[str, Value] = {**_EXCEPTIONS, "True": True, "False": False, "None": None, "__builtins__": None}
    for name, call in plain.items():
        names[name] = Native(_plainly(interpreter, call))
    for name, made in special.items():
        names[name] = Native(_bound(interpreter, made))
    names["object"] = Klass("object")
    return names


Call = Callable[[list[Value], dict[str, Value]], Value]


def _plainly(interpreter: Interpreter, call: Callable[..., Value]) -> Call:
    def run(arguments: list[Value], named: dict[str, Value]) -> Value:
        if any(isinstance(one, Opaque) for one in arguments):
            return Opaque("value")
        if any(isinstance(one, Instance | Klass | Function) for one in arguments) and call not in (callable, id):
            raise error(TypeError, f"'{kind_of(arguments[0])}' object cannot be interpreted here")
        return interpreter.plainly(
            lambda: call(*arguments, **{k: v for k, v in named.items() if isinstance(v, int | str)})
        )

    return run


def _bound(interpreter: Interpreter, call: Callable[[Interpreter, list[Value], dict[str, Value]], Value]) -> Call:
    return lambda arguments, named: call(interpreter, arguments, named)


def _print(interpreter: Interpreter, arguments: list[Value], named: dict[str, Value]) -> Value:
    text = str(named.get("sep", " ") if named.get("sep") is not None else " ").join(map(interpreter.text, arguments))
    text += "\n" if named.get("end") is None else str(named["end"])
    target = named.get("file")
    if isinstance(target, Instance) and target.attributes.get("$stream") == "stderr":
        interpreter.process.err(text)
    elif isinstance(target, Instance) and "$file" in target.attributes:
        target.attributes["$file"](text)
    else:
        interpreter.write(text, bool(named.get("flush")))


def _len(_: Interpreter, arguments: list[Value], __: dict[str, Value]) -> Value:
    value = arguments[0] if arguments else None
    if not isinstance(value, str | bytes | list | tuple | dict | set | range | Blob):
        raise error(TypeError, f"object of type '{kind_of(value)}' has no len()")
    return len(value)


def _str(interpreter: Interpreter, arguments: list[Value], _: dict[str, Value]) -> Value:
    return interpreter.text(arguments[0]) if arguments else ""


def _repr(interpreter: Interpreter, arguments: list[Value], _: dict[str, Value]) -> Value:
    return interpreter.repr(arguments[0]) if arguments else ""


def _int(interpreter: Interpreter, arguments: list[Value], _: dict[str, Value]) -> Value:
    if any(isinstance(one, str) and len(one) > 1000 for one in arguments):
        raise error(ValueError, "Exceeds the limit (4300 digits) for integer string conversion")
    return interpreter.plainly(int, *arguments)


def _collected(interpreter: Interpreter, arguments: list[Value]) -> list[Value] | None:
    """The elements; None where there are too many to hold."""
    if not arguments:
        return []
    value = arguments[0]
    if isinstance(value, range) and len(value) > BIG:
        return None
    return [one for _, one in zip(range(BIG), interpreter.iterate(value), strict=False)]


def _list(interpreter: Interpreter, arguments: list[Value], _: dict[str, Value]) -> Value:
    found = _collected(interpreter, arguments)
    return Blob(interpreter.machine, 36 * len(arguments[0])) if found is None else found


def _tuple(interpreter: Interpreter, arguments: list[Value], named: dict[str, Value]) -> Value:
    found = _list(interpreter, arguments, named)
    return tuple(found) if isinstance(found, list) else found


def _set(interpreter: Interpreter, arguments: list[Value], named: dict[str, Value]) -> Value:
    found = _list(interpreter, arguments, named)
    return interpreter.plainly(set, found) if isinstance(found, list) else found


def _dict(interpreter: Interpreter, arguments: list[Value], named: dict[str, Value]) -> Value:
    return interpreter.plainly(lambda: {**dict(*arguments), **named})


def _sorted(interpreter: Interpreter, arguments: list[Value], named: dict[str, Value]) -> Value:
    found = _collected(interpreter, arguments) or []
    return interpreter.plainly(lambda: sorted(found, reverse=bool(named.get("reverse"))))


def _block(interpreter: Interpreter, arguments: list[Value], _: dict[str, Value]) -> Value:
    value = arguments[0] if arguments else 0
    if isinstance(value, str):
        return value.encode(errors="replace")
    if isinstance(value, bytes):
        return value
    size = value if isinstance(value, int) else len(value) if isinstance(value, list | Blob) else 0
    if size < 0:
        raise error(ValueError, "negative count")
    return Blob(interpreter.machine, min(size, 2**50))


def _open(interpreter: Interpreter, arguments: list[Value], named: dict[str, Value]) -> Value:
    path = str(arguments[0]) if arguments else ""
    mode = str(arguments[1] if len(arguments) > 1 else named.get("mode", "r"))
    machine, whole = interpreter.machine, interpreter.process.path(path)
    made = Instance(Klass("TextIOWrapper"))
    if path in ("/dev/stdout", "/dev/stderr"):
        write = interpreter.process.out if path.endswith("out") else interpreter.process.err
        made.attributes.update({"$file": write, "write": Native(lambda given, _: write(str(given[0])))})
        return made
    try:
        if "r" in mode and "+" not in mode:
            data = machine.files.read(whole).data
        else:
            if "a" not in mode or machine.files.find(whole) is None:
                machine.files.write(whole, b"")
            data = b""
    except FileFault as fault:
        raise file_error(fault, path) from None

    def written(given: Value) -> int:
        size = len(given) if isinstance(given, str | bytes | Blob) else 0
        content = (
            given.encode(errors="replace") if isinstance(given, str) else given if isinstance(given, bytes) else b""
        )
        try:
            old = machine.files.read(whole)
            machine.files.write(whole, (old.data + content)[:BIG], size=old.size + size)
        except FileFault as fault:
            raise file_error(fault, path) from None
        machine.check()
        return size

    text: Value = data if "b" in mode else data.decode(errors="replace")
    lines = text.splitlines(keepends=True)
    made.attributes.update({
        "$file": written, "read": Native(lambda _, __: text), "readlines": Native(lambda _, __: lines), "name": path,
        "readline": Native(lambda _, __: lines.pop(0) if lines else ""), "write": Native(lambda given, _: written(given[0])),
        "close": Native(lambda _, __: None), "flush": Native(lambda _, __: None), "fileno": Native(lambda _, __: 3),
    })  # fmt: skip
    return made


def _isinstance(_: Interpreter, arguments: list[Value], __: dict[str, Value]) -> Value:
    if len(arguments) != 2:
        raise error(TypeError, f"isinstance expected 2 arguments, got {len(arguments)}")
    value, kind = arguments
    if isinstance(kind, Klass):
        return isinstance(value, Instance) and value.klass.is_a(kind)
    return isinstance(kind, type) and isinstance(value, kind)


def _exit(_: Interpreter, arguments: list[Value], __: dict[str, Value]) -> Value:
    raise error(SystemExit, *arguments[:1])


def _input(_: Interpreter, __: list[Value], ___: dict[str, Value]) -> Value:
    raise error(EOFError, "EOF when reading a line")


def _getattr(interpreter: Interpreter, arguments: list[Value], _: dict[str, Value]) -> Value:
    try:
        return interpreter.attribute(arguments[0], str(arguments[1]))
    except (Raised, IndexError):
        if len(arguments) > 2:
            return arguments[2]
        raise error(AttributeError, "no such attribute") from None


def _hasattr(interpreter: Interpreter, arguments: list[Value], _: dict[str, Value]) -> Value:
    try:
        interpreter.attribute(arguments[0], str(arguments[1]))
    except (Raised, IndexError):
        return False
    return True


def _setattr(_: Interpreter, arguments: list[Value], __: dict[str, Value]) -> Value:
    if len(arguments) == 3 and isinstance(arguments[0], Instance | Klass):
        arguments[0].attributes[str(arguments[1])] = arguments[2]


def _type(_: Interpreter, arguments: list[Value], __: dict[str, Value]) -> Value:
    value = arguments[0] if arguments else None
    if isinstance(value, Instance):
        return value.klass
    return Klass(kind_of(value), attributes={"__name__": kind_of(value)})


def _super(_: Interpreter, __: list[Value], ___: dict[str, Value]) -> Value:
    return Opaque("super")


def _format(interpreter: Interpreter, arguments: list[Value], _: dict[str, Value]) -> Value:
    return interpreter.text(arguments[0]) if arguments else ""


def _map(interpreter: Interpreter, arguments: list[Value], _: dict[str, Value]) -> Value:
    found = []
    for value in interpreter.iterate(arguments[1]) if len(arguments) > 1 else ():
        found.append((yield from interpreter.call(arguments[0], [value], {})))  # noqa: PERF401 (it waits)
    return found


def _filter(interpreter: Interpreter, arguments: list[Value], _: dict[str, Value]) -> Value:
    found = []
    for value in interpreter.iterate(arguments[1]) if len(arguments) > 1 else ():
        if (yield from interpreter.call(arguments[0], [value], {})):
            found.append(value)  # noqa: PERF401 (it waits)
    return found


def _object(_: Interpreter, __: list[Value], ___: dict[str, Value]) -> Value:
    return Instance(Klass("object"))


def method_of(interpreter: Interpreter, owner: Value, name: str) -> Value:
    """A method of a plain value."""
    if isinstance(owner, BaseException):
        if name in ("args", "errno", "code", "strerror", "filename", "reason"):
            return getattr(owner, name, None)
        return Opaque(name)
    if isinstance(owner, list) and name in ("append", "sort"):
        return Native(lambda given, named: _list_method(interpreter, owner, name, given, named))
    if isinstance(owner, str) and name in ("format", "replace", "ljust", "rjust", "center", "zfill"):
        return Native(lambda given, named: _text_method(interpreter, owner, name, given, named))
    if isinstance(owner, Blob):
        return Native(
            lambda given, _: Blob(interpreter.machine, sum(len(one) for one in given if isinstance(one, bytes | Blob)))
        )
    for kind, names in _METHODS.items():
        if isinstance(owner, kind) and name in names:
            return Native(partial(_plain_method, interpreter, getattr(owner, name)))
    if isinstance(owner, type):
        return getattr(owner, "__name__", "") if name == "__name__" else Opaque(name)
    raise error(AttributeError, f"'{kind_of(owner)}' object has no attribute '{name}'")


def _plain_method(
    interpreter: Interpreter, found: Callable[..., Value], given: list[Value], named: dict[str, Value]
) -> Value:
    result = interpreter.plainly(lambda: found(*given, **named))
    if isinstance(result, str | bytes) and len(result) > 16 * BIG:
        return Blob(interpreter.machine, len(result))
    return result if not isinstance(result, Iterator) else list(result)


def _list_method(
    interpreter: Interpreter, owner: list[Value], name: str, given: list[Value], named: dict[str, Value]
) -> Value:
    if name == "sort":
        return interpreter.plainly(lambda: owner.sort(reverse=bool(named.get("reverse"))))
    value = given[0] if given else None
    if isinstance(value, str | bytes) and len(value) >= 1024:
        value = Blob(interpreter.machine, len(value))  # so that each counts, though the literal is shared
    owner.append(value)
    if len(owner) > BIG:
        interpreter.machine.allocate(16)
        del owner[: BIG // 2]
    return None


def _text_method(interpreter: Interpreter, owner: str, name: str, given: list[Value], named: dict[str, Value]) -> Value:
    if name == "replace":
        if len(given) < 2 or not all(isinstance(one, str) for one in given[:2]):
            raise error(TypeError, "replace expected at least 2 arguments")
        if len(owner) * max(1, len(given[1])) > 16 * BIG:
            return owner
        return interpreter.plainly(owner.replace, *given)
    if name == "format":
        texts = [one if isinstance(one, int | float | str) else interpreter.text(one) for one in given]
        others = {
            key: one if isinstance(one, int | float | str) else interpreter.text(one) for key, one in named.items()
        }
        if any(mark in owner for mark in (".", "[")) or sum(map(str.isdigit, owner)) > 20:
            for one in texts:
                owner = owner.replace("{}", str(one), 1)
            return owner
        return interpreter.plainly(lambda: owner.format(*texts, **others))
    if given and isinstance(given[0], int) and given[0] > BIG:
        return owner
    return interpreter.plainly(lambda: getattr(owner, name)(*given))
