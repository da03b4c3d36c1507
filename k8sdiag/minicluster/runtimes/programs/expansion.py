"""What the shell makes of words: variables, command substitution, arithmetic, patterns and fields."""

from __future__ import annotations

import ast
import fnmatch
import operator
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from k8sdiag.minicluster.runtimes.machine.files import FileFault, normal
from k8sdiag.minicluster.runtimes.machine.streams import Captured
from k8sdiag.minicluster.runtimes.machine.threads import OutOfMemory
from k8sdiag.minicluster.runtimes.programs.flow import ShellFault
from k8sdiag.minicluster.runtimes.programs.parsing import expression
from k8sdiag.minicluster.runtimes.programs.tree import Arithmetic, Substitution, Text, Variable, Word

if TYPE_CHECKING:
    from collections.abc import Generator

    from k8sdiag.minicluster.runtimes.programs.shell import Shell

_LONGEST = 2**20  # what a variable may hold before it counts as using up the memory
_MARK = "\x00"  # keeps quoted pattern characters apart from those that match
_PATTERN = frozenset("*?[")


class Fields:
    """The fields that one word becomes."""

    __slots__ = ("done", "open", "part")

    def __init__(self) -> None:
        self.done: list[str] = []
        self.part: list[str] = []
        self.open = False

    def add(self, text: str, quoted: bool) -> None:
        if quoted:
            self.part.append("".join(_MARK + char if char in _PATTERN else char for char in text))
            self.open = True
        elif text:
            self.part.append(text)
            self.open = True

    def split(self, text: str, separators: str) -> None:
        """Unquoted text of a variable: its blanks divide fields."""
        blank = "".join(char for char in separators if char in " \t\n")
        if separators == " \t\n" or not separators.strip():
            words = text.split() if separators else [text]
        else:
            for char in separators:
                text = text.replace(char, "\x01")
            words = text.strip("\x01" if blank else "").split("\x01")
        if text[:1] and text[0] in separators:
            self.cut()
        for index, word in enumerate(words):
            if index:
                self.cut()
            self.add(word, False)
        if text[-1:] and text[-1] in separators and words:
            self.cut()

    def cut(self) -> None:
        if self.open:
            self.done.append("".join(self.part))
        self.part, self.open = [], False

    def all(self) -> list[str]:
        self.cut()
        return self.done


def fields(shell: Shell, word: Word) -> Generator[float | None, None, list[str]]:
    """A word's fields, with file names for patterns."""
    plain = word.plain()
    if plain is not None and not _PATTERN & set(plain) and not plain.startswith("~"):
        return [plain]
    found = Fields()
    for index, part in enumerate(word.parts):
        if isinstance(part, Text):
            text = part.text
            if index == 0 and not part.quoted and (text == "~" or text.startswith("~/")):
                text = shell.variables.get("HOME", "/root") + text[1:]
            found.add(text, part.quoted)
        elif isinstance(part, Variable) and part.name == "@" and part.quoted and not part.how:
            for position, value in enumerate(shell.arguments):
                if position:
                    found.cut()
                found.add(value, True)
        else:
            text = yield from _value(shell, part)
            if part.quoted:
                found.add(text, True)
            else:
                found.split(text, shell.variables.get("IFS", " \t\n"))
    names: list[str] = []
    for field in found.all():
        names += (
            _files(shell, field) if _PATTERN & set(field.replace(_MARK + "*", "").replace(_MARK + "?", "")) else [field]
        )
    return [name.replace(_MARK, "") for name in names]


def text_of(shell: Shell, word: Word, pattern: bool = False) -> Generator[float | None, None, str]:
    """A word as one text, as in assignments."""
    parts = []
    for index, part in enumerate(word.parts):
        if isinstance(part, Text):
            text = part.text
            if index == 0 and not part.quoted and (text == "~" or text.startswith("~/")):
                text = shell.variables.get("HOME", "/root") + text[1:]
            quoted = part.quoted
        else:
            text = yield from _value(shell, part)
            quoted = part.quoted
        if pattern and quoted:
            text = "".join(f"[{char}]" if char in _PATTERN else char for char in text)
        parts.append(text)
    return _bounded(shell, "".join(parts))


def _value(shell: Shell, part: Variable | Substitution | Arithmetic) -> Generator[float | None, None, str]:
    if isinstance(part, Substitution):
        captured = Captured(shell.machine.starve)
        yield from shell.inside(part.body, captured)
        return _bounded(shell, captured.data.decode(errors="replace").replace("\x00", "").rstrip("\n"))
    if isinstance(part, Arithmetic):
        text = yield from text_of(shell, part.word)
        return str(arithmetic(text, shell.variables, shell.assign))
    value = shell.value(part.name)
    if not part.how:
        if value is None and shell.strict and part.name not in "@*":
            raise ShellFault(f"{part.name}: parameter not set")
        return value or ""
    if part.how == "length":
        return str(len(value or ""))
    how = part.how.lstrip(":") or part.how
    empty = value is None or (part.how.startswith(":") and value == "")
    word = part.word or Word(())
    if how in "-=?+" and how:
        return (yield from _default(shell, part, how, value, empty, word))
    return (yield from _trimmed(shell, how, value or "", word))


def _default(
    shell: Shell, part: Variable, how: str, value: str | None, empty: bool, word: Word
) -> Generator[float | None, None, str]:
    if how == "+":
        return "" if empty else (yield from text_of(shell, word))
    if not empty:
        return value or ""
    text = yield from text_of(shell, word)
    if how == "=":
        shell.assign(part.name, text)
    if how == "?":
        raise ShellFault(f"{part.name}: {text or 'parameter not set or null'}")
    return text


def _trimmed(shell: Shell, how: str, value: str, word: Word) -> Generator[float | None, None, str]:
    if how == ":":
        text = yield from text_of(shell, word)
        start, _, count = text.partition(":")
        first = int(start) if start.strip().lstrip("-").isdigit() else 0
        rest = value[first:]
        return rest[: int(count)] if count.strip().isdigit() else rest
    pattern = yield from text_of(shell, word, pattern=True)
    if how in ("/", "//"):
        old, _, new = pattern.partition("/")
        return value.replace(old, new, -1 if how == "//" else 1) if old else value
    value = value[: 2**14]
    order = range(len(value) + 1)
    if how in ("%", "##"):
        order = range(len(value), -1, -1)
    for at in order:
        head, tail = value[:at], value[at:]
        if how in ("#", "##") and fnmatch.fnmatchcase(head, pattern):
            return tail
        if how in ("%", "%%") and fnmatch.fnmatchcase(tail, pattern):
            return head
    return value


def _files(shell: Shell, field: str) -> list[str]:
    """The files that a pattern names, or the pattern itself."""
    pattern = (
        field.replace(_MARK + "*", "[*]").replace(_MARK + "?", "[?]").replace(_MARK + "[", "[[]").replace(_MARK, "")
    )
    folders = [""]
    for step in pattern.strip("/").split("/"):
        found = []
        for folder in folders:
            base = f"{folder}/" if folder or pattern.startswith("/") else ""
            where = normal(shell.path(base or "."))
            if not _PATTERN & set(step):
                if shell.machine.files.find(f"{where}/{step}") is not None:
                    found.append(f"{base}{step}")
                continue
            try:
                names = shell.machine.files.names(where)
            except FileFault:
                continue
            found += [
                f"{base}{name}"
                for name in names
                if fnmatch.fnmatchcase(name, step) and (name[0] != "." or step[0] == ".")
            ]
        folders = found
    return folders or [field]


def _bounded(shell: Shell, text: str) -> str:
    if len(text) > _LONGEST:
        shell.machine.starve()
        raise OutOfMemory
    return text


_BINARY: dict[type[ast.operator | ast.cmpop], Callable[[int, int], int]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.Lt: operator.lt, ast.Gt: operator.gt, ast.LtE: operator.le, ast.GtE: operator.ge, ast.Eq: operator.eq,
    ast.NotEq: operator.ne, ast.BitAnd: operator.and_, ast.BitOr: operator.or_, ast.BitXor: operator.xor,
    ast.LShift: lambda one, two: one << (two & 63), ast.RShift: lambda one, two: one >> (two & 63),
}  # fmt: skip


def arithmetic(text: str, variables: Mapping[str, str], assign: Callable[[str, str], None]) -> int:
    """The value of `$((…))`; C's operators are near enough to Python's to be read as such."""
    text = text.strip()
    if not text:
        return 0
    for mark in ("+=", "-=", "*=", "/=", "%="):
        name, found, rest = text.partition(mark)
        if found and name.strip().isidentifier():
            text = f"{name.strip()} = {name.strip()} {mark[0]} ({rest})"
    for mark in ("++", "--"):
        if mark in text and text.replace(mark, "").strip().isidentifier():
            name = text.replace(mark, "").strip()
            text = f"{name} = {name} {mark[0]} 1"
    name, found, rest = text.partition("=")
    if found and name.strip().isidentifier() and not rest.startswith("="):
        value = arithmetic(rest, variables, assign)
        assign(name.strip(), str(value))
        return value
    source = text.replace("&&", " and ").replace("||", " or ").replace("!=", "\x02").replace("!", " not ")
    try:
        tree = expression(source.replace("\x02", "!=").replace("/", "//").strip())
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise ShellFault(f"arithmetic syntax error: {text[:80]}") from None
    value = _number(tree, variables)
    return (value + 2**63) % 2**64 - 2**63


def _number(node: ast.expr, variables: Mapping[str, str]) -> int:
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return int(node.value)
    if isinstance(node, ast.Name):
        text = variables.get(node.id, "").strip()
        return int(text) if text.lstrip("+-").isdigit() and len(text) < 20 and text.isascii() else 0
    if isinstance(node, ast.UnaryOp):
        value = _number(node.operand, variables)
        return {ast.USub: -value, ast.Not: int(not value), ast.Invert: ~value}.get(type(node.op), value)
    if isinstance(node, ast.BoolOp):
        values = [_number(one, variables) for one in node.values]
        return int(all(values) if isinstance(node.op, ast.And) else any(values))
    if isinstance(node, ast.BinOp):
        one, two = _number(node.left, variables), _number(node.right, variables)
        if isinstance(node.op, ast.FloorDiv | ast.Mod):
            if two == 0:
                raise ShellFault("divide by zero")
            quotient = abs(one) // abs(two) * (1 if (one < 0) == (two < 0) else -1)
            return quotient if isinstance(node.op, ast.FloorDiv) else one - quotient * two
        if type(node.op) in _BINARY:
            return (_BINARY[type(node.op)](one, two) + 2**63) % 2**64 - 2**63
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _BINARY:
        return int(_BINARY[type(node.ops[0])](_number(node.left, variables), _number(node.comparators[0], variables)))
    raise ShellFault("arithmetic syntax error")
