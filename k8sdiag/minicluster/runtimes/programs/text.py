"""Commands that write and filter text, with busybox's words for their errors."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping

from k8sdiag.minicluster.runtimes.machine.files import FileFault
from k8sdiag.minicluster.runtimes.machine.machine import Process, Program
from k8sdiag.minicluster.runtimes.machine.streams import Captured, Pipe
from k8sdiag.minicluster.runtimes.machine.threads import Steps
from k8sdiag.quantity import parse_quantity

_ESCAPE = re.compile(r"\\(0[0-7]{0,3}|x[0-9a-fA-F]{1,2}|[abcefnrtv\\])")
_ESCAPED = {"a": "\a", "b": "\b", "e": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}
_DIRECTIVE = re.compile(r"%(%|[-+ 0#]*(\d+|\*)?(\.\d+)?[sdiouxXcbfgeq])")
_FOREVER = ("/dev/zero", "/dev/urandom", "/dev/random")


def reading(process: Process, path: str) -> Generator[float | None, None, bytes]:
    """A file's bytes, or all of stdin for `-`; FileFault where it cannot be read."""
    if path in _FOREVER:
        yield 0.5
        process.machine.starve()
    if path != "-":
        return process.machine.files.read(process.path(path)).data
    data = b""
    stdin = process.stdin
    while stdin is not None:
        data += stdin.take()
        if stdin.closed or len(data) > 2**20:
            break
        if process.thread is not None:
            stdin.listen(process.thread)
        yield None
    return data


def trouble(process: Process, path: str, fault: FileFault) -> None:
    """`cat: can't open 'x': No such file or directory`, or coreutils' shorter form."""
    plain = process.machine.image.base == "debian"
    text = f"{path}: {fault}" if plain else f"can't open '{path}': {fault}"
    process.err(f"{process.name}: {text}\n")


def unescaped(text: str) -> tuple[str, bool]:
    """With backslash sequences resolved, and whether `\\c` cut it short."""
    cut = text.find("\\c")
    head = text if cut < 0 else text[:cut]

    def one(found: re.Match[str]) -> str:
        code = found.group(1)
        if code[0] == "0":
            return chr(int(code[1:] or "0", 8) & 255)
        return chr(int(code[1:], 16)) if code[0] == "x" else _ESCAPED.get(code, "")

    return _ESCAPE.sub(one, head), cut >= 0


def _echo(process: Process) -> Steps:
    words = list(process.words[1:])
    end, escapes = "\n", False
    while words and re.fullmatch(r"-[neE]+", words[0]):
        flag = words.pop(0)
        end = "" if "n" in flag else end
        escapes = "e" in flag or (escapes and "E" not in flag)
    text = " ".join(words)
    if escapes:
        text, cut = unescaped(text)
        end = "" if cut else end
    process.out(text + end)
    return 0
    yield None


def _printf(process: Process) -> Steps:
    words = list(process.words[1:])
    if not words:
        process.err("printf: usage: printf FORMAT [ARG]...\n")
        return 2
    form, values = words[0].replace("\\%", "%%"), words[1:]
    for _ in range(1000):
        before = len(values)

        def one(found: re.Match[str]) -> str:
            if found.group(1) == "%":
                return "%"
            kind = found.group(0)[-1]
            flags = found.group(0)[:-1].replace("*", "")
            value = values.pop(0) if values else ""
            if kind in "diouxX":
                number = int(value) if value.lstrip("+-").isdigit() and len(value) < 20 else 0
                return _formatted(flags + kind, number)
            if kind in "fge":
                return _formatted(flags + kind, float(parse_quantity(value) or 0.0))
            return _formatted(flags + "s", unescaped(value)[0] if kind == "b" else value[:1] if kind == "c" else value)

        text, cut = unescaped(form)
        process.out(_DIRECTIVE.sub(one, text))
        if cut or not values or len(values) == before:
            break
    return 0
    yield None


def _formatted(form: str, value: object) -> str:
    width = re.search(r"\d{4,}", form)
    try:
        return "" if width else form % value
    except (ValueError, TypeError):
        return ""


def _cat(process: Process) -> Steps:
    paths = [word for word in process.words[1:] if not word.startswith("-") or word == "-"] or ["-"]
    code = 0
    for path in paths:
        if path in _FOREVER:
            if isinstance(process.stdout, Captured | Pipe):
                yield 0.5
                process.machine.starve()
            yield from _endless(process)
        if path == "-" and process.stdin is not None:
            yield from _copied(process, process.stdin)
            continue
        try:
            data = yield from reading(process, path)
        except FileFault as fault:
            trouble(process, path, fault)
            code = 1
            continue
        process.stdout.write(data)
    return code


def _copied(process: Process, stdin: Pipe) -> Generator[float | None, None, None]:
    """What comes in goes out at once: somebody may be typing."""
    while True:
        data = stdin.take()
        if data:
            process.stdout.write(data)
        if stdin.closed:
            return
        if process.thread is not None:
            stdin.listen(process.thread)
        yield None


def _endless(process: Process) -> Steps:
    process.machine.cpu += 1.0
    try:
        yield None
    finally:
        process.machine.cpu -= 1.0
    return 0


def _count(words: list[str], default: int) -> tuple[int, str, list[str]]:
    """`-n 5`, `-n5`, `-5`, `-c 10`: how many of what, and the other words."""
    count, unit, rest = default, "n", []
    at = 0
    while at < len(words):
        word = words[at]
        if word in ("-n", "-c", "--bytes", "--lines") and at + 1 < len(words):
            unit, at = word.lstrip("-")[0].replace("b", "c").replace("l", "n"), at + 1
            count = size(words[at])
        elif word.startswith(("--bytes=", "--lines=")):
            unit, count = ("c" if "bytes" in word else "n"), size(word.partition("=")[2])
        elif word[:2] in ("-n", "-c"):
            unit, count = word[1], size(word[2:])
        elif word[:1] == "-" and word[1:].isdigit():
            count = size(word[1:])
        else:
            rest.append(word)
        at += 1
    return count, unit, rest


def seconds_of(text: str | None) -> float | None:
    """`5`, `0.5`, `1m`: seconds as commands read them; None where it is no time."""
    found = re.fullmatch(r"(\d{0,12}(?:\.\d{1,9})?)([smhd]?)", (text or "").strip())
    if not found or not found.group(1).strip("."):
        return None
    return float(found.group(1)) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[found.group(2)]


def size(text: str) -> int:
    """`10`, `5M`, `1G`, `512k` as dd and head read them."""
    text = text.strip().lstrip("+")
    if text[-1:].lower() == "b" and not text[-2:-1].isdigit():
        text = text[:-1]
    scale = {"k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40, "b": 512}.get(text[-1:].lower().replace("i", ""), 1)
    digits = text.rstrip("kKmMgGtTiIbB")
    return min(int(digits) * scale, 2**50) if digits.isdigit() and len(digits) < 16 else 0


def _head(process: Process) -> Steps:
    count, unit, rest = _count(list(process.words[1:]), 10)
    paths = [word for word in rest if not word.startswith("-") or word == "-"] or ["-"]
    code = 0
    for path in paths:
        if path in _FOREVER and unit == "c":
            grow = getattr(process.stdout, "grow", None)
            if grow is not None:
                grow(bytes(min(count, 4096)), count)
            else:
                process.stdout.write(bytes(min(count, 65536)))
                if isinstance(process.stdout, Pipe):
                    process.stdout.heavy += count
            yield count / 2**30
            continue
        if path == "-" and unit == "n":
            yield from _first_lines(process, count)
            continue
        try:
            data = yield from reading(process, path)
        except FileFault as fault:
            trouble(process, path, fault)
            code = 1
            continue
        process.stdout.write(data[:count] if unit == "c" else b"".join(data.splitlines(keepends=True)[:count]))
    return code


def _first_lines(process: Process, count: int) -> Steps:
    stdin = process.stdin
    while stdin is not None and count > 0:
        line = stdin.line()
        if line is None:
            if process.thread is not None:
                stdin.listen(process.thread)
            yield None
            continue
        if not line:
            break
        process.stdout.write(line)
        count -= 1
    return 0


def _tail(process: Process) -> Steps:
    words = list(process.words[1:])
    follow = any(re.fullmatch(r"-[0-9]*[fF]|--follow(=.*)?|-n?\d*[fF]", word) for word in words)
    words = [re.sub(r"^-(\d*)[fF]$", r"-\1", word) for word in words if not word.startswith("--follow")]
    count, unit, rest = _count([word for word in words if word != "-"], 10)
    paths = [word for word in rest if not word.startswith("-")]
    if any(path in _FOREVER for path in paths):
        yield 0.5
        process.machine.starve()
    code = 0
    for path in paths or ["-"]:
        try:
            data = b"" if path == "/dev/null" else (yield from reading(process, path))
        except FileFault as fault:
            trouble(process, path, fault)
            code = 1
            continue
        if path == "-" and process.stdin is not None and process.stdin.heavy:
            process.machine.allocate(process.stdin.heavy)
        tail = data[-count:] if unit == "c" else b"".join(data.splitlines(keepends=True)[-count:])
        process.stdout.write(tail if count else b"")
    if not follow or (code and len(paths) == 1 and "-F" not in process.words):
        return code
    path = paths[0] if paths else "-"
    seen = process.machine.files.find(process.path(path))
    if seen is None or path == "/dev/null":
        yield None
        return 0
    yield from _following(process, path, len(seen.data))
    return 0


def _following(process: Process, path: str, done: int) -> Steps:
    while True:
        yield 1.0
        entry = process.machine.files.find(process.path(path))
        if entry is not None and len(entry.data) > done:
            process.stdout.write(entry.data[done:])
            done = len(entry.data)


def _wc(process: Process) -> Steps:
    flags = "".join(word[1:] for word in process.words[1:] if word.startswith("-") and word != "-")
    paths = [word for word in process.words[1:] if not word.startswith("-")]
    for path in paths or ["-"]:
        try:
            data = yield from reading(process, path)
        except FileFault as fault:
            trouble(process, path, fault)
            return 1
        counts = {"l": data.count(b"\n"), "w": len(data.split()), "c": len(data)}
        shown = " ".join(f"{counts[flag]}" for flag in "lwc" if not flags or flag in flags)
        process.out(f"{shown}{' ' + path if path != '-' else ''}\n")
    return 0


def _seq(process: Process) -> Steps:
    numbers = [word for word in process.words[1:] if re.fullmatch(r"-?\d{1,9}", word)]
    if not numbers or len(numbers) > 3:
        process.err("seq: missing operand\n")
        return 1
    first = int(numbers[0]) if len(numbers) > 1 else 1
    step = int(numbers[1]) if len(numbers) == 3 else 1
    last = int(numbers[-1])
    for done, number in enumerate(range(first, last + (1 if step > 0 else -1), step) if step else ()):
        process.out(f"{number}\n")
        pause = process.spend() if done % 50 == 49 else None
        if pause is not None:
            yield pause
    return 0


def _tee(process: Process) -> Steps:
    paths = [word for word in process.words[1:] if not word.startswith("-")]
    code = 0
    for path in paths:
        if "-a" not in process.words or process.machine.files.find(process.path(path)) is None:
            try:
                process.machine.files.write(process.path(path), b"")
            except FileFault as fault:
                process.err(f"tee: {path}: {fault}\n")
                code = 1
    stdin = process.stdin
    while stdin is not None:
        data = stdin.take()
        if data:
            process.stdout.write(data)
            for path in paths:
                if process.machine.files.find(process.path(path)) is not None:
                    process.machine.files.write(process.path(path), data, append=True)
        if stdin.closed:
            break
        if process.thread is not None:
            stdin.listen(process.thread)
        yield None
    return code


def _yes(process: Process) -> Steps:
    text = " ".join(process.words[1:]) or "y"
    while True:
        process.out(f"{text}\n")
        pause = process.spend()
        if pause is not None:
            yield pause


def _base64(process: Process) -> Steps:
    import base64
    import binascii

    paths = [word for word in process.words[1:] if not word.startswith("-")]
    try:
        data = yield from reading(process, paths[0] if paths else "-")
        decode = any(word in ("-d", "--decode") for word in process.words)
        process.stdout.write(base64.b64decode(data) if decode else base64.b64encode(data) + b"\n")
    except FileFault as fault:
        trouble(process, paths[0], fault)
        return 1
    except binascii.Error:
        process.err("base64: invalid input\n")
        return 1
    return 0


COMMANDS: Mapping[str, Program] = {
    "echo": _echo, "printf": _printf, "cat": _cat, "head": _head, "tail": _tail,
    "wc": _wc, "seq": _seq,
    "tee": _tee, "yes": _yes, "base64": _base64,
}  # fmt: skip
