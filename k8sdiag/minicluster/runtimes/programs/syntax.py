"""The grammar of the shell (POSIX.1-2017, Shell Command Language), read into a tree that is kept and shared."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

_MAX_DEPTH = 40
RESERVED = frozenset("if then elif else fi while until do done for in case esac { } !".split())
_CLOSERS = frozenset("then elif else fi do done esac }".split())


class ShellSyntax(Exception):
    """What the shell says of a script that it cannot read."""


@dataclass(frozen=True, slots=True)
class Text:
    text: str
    quoted: bool


@dataclass(frozen=True, slots=True)
class Variable:
    """`$name`, `${name:-word}`, `${#name}`…"""

    name: str
    how: str
    word: Word | None
    quoted: bool


@dataclass(frozen=True, slots=True)
class Substitution:
    """`$(…)`."""

    body: List
    quoted: bool


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`$((…))`."""

    word: Word
    quoted: bool


Part = Text | Variable | Substitution | Arithmetic


@dataclass(frozen=True, slots=True)
class Word:
    parts: tuple[Part, ...]

    def plain(self) -> str | None:
        """The word, if it is nothing but unquoted text."""
        if len(self.parts) == 1 and isinstance(self.parts[0], Text) and not self.parts[0].quoted:
            return self.parts[0].text
        return None


@dataclass(frozen=True, slots=True)
class Redirect:
    descriptor: int
    how: str  # > >> < >& <& <<
    target: Word | Here


@dataclass(slots=True, eq=False)
class Here:
    """A here-document, which is read after the line that asks for it."""

    word: Word


@dataclass(frozen=True, slots=True)
class Simple:
    assigns: tuple[tuple[str, Word], ...]
    words: tuple[Word, ...]
    redirects: tuple[Redirect, ...]


@dataclass(frozen=True, slots=True)
class Pipeline:
    commands: tuple[Node, ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class AndOr:
    first: Node
    rest: tuple[tuple[str, Node], ...]


@dataclass(frozen=True, slots=True)
class List:
    items: tuple[tuple[Node, bool], ...]  # with whether it runs in the background


@dataclass(frozen=True, slots=True)
class If:
    branches: tuple[tuple[List, List], ...]
    otherwise: List | None
    redirects: tuple[Redirect, ...] = ()


@dataclass(frozen=True, slots=True)
class While:
    condition: List
    body: List
    until: bool
    redirects: tuple[Redirect, ...] = ()


@dataclass(frozen=True, slots=True)
class For:
    name: str
    words: tuple[Word, ...] | None
    body: List
    redirects: tuple[Redirect, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    word: Word
    branches: tuple[tuple[tuple[Word, ...], List], ...]
    redirects: tuple[Redirect, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    body: List
    subshell: bool
    redirects: tuple[Redirect, ...] = ()


@dataclass(frozen=True, slots=True)
class Function:
    name: str
    body: Node


Node = Simple | Pipeline | AndOr | If | While | For | Case | Group | Function


@lru_cache(maxsize=1024)
def parse(text: str) -> List:
    """A script's tree."""
    reader = _Reader(text)
    found = reader.list_()
    if reader.peek():
        raise ShellSyntax(f'syntax error: unexpected "{reader.token()}"')
    return found


@lru_cache(maxsize=256)
def parse_words(text: str) -> Word:
    """Text as within double quotes (here-documents)."""
    reader = _Reader(text)
    return Word(tuple(reader.quoted_parts("")))


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0
        self.pending: list[tuple[str, bool, Here]] = []

    # -- characters --

    def blank(self) -> None:
        text = self.text
        while self.at < len(text):
            char = text[self.at]
            if char in " \t\r":
                self.at += 1
            elif char == "\\" and text[self.at + 1 : self.at + 2] == "\n":
                self.at += 2
            elif char == "#":
                end = text.find("\n", self.at)
                self.at = len(text) if end < 0 else end
            else:
                return

    def lines(self) -> None:
        """Blanks and line ends."""
        while True:
            self.blank()
            if self.text[self.at : self.at + 1] != "\n":
                return
            self.line_end()

    def line_end(self) -> None:
        self.at += 1
        for stop, quoted, here in self.pending:
            self.here(stop, quoted, here)
        self.pending = []

    def here(self, stop: str, quoted: bool, sink: Here) -> None:
        lines = []
        while self.at < len(self.text):
            end = self.text.find("\n", self.at)
            end = len(self.text) if end < 0 else end
            line = self.text[self.at : end]
            self.at = min(end + 1, len(self.text))
            if line.strip("\t") == stop:
                break
            lines.append(line + "\n")
        body = "".join(lines)
        sink.word = Word((Text(body, True),)) if quoted else parse_words(body)

    def peek(self) -> str:
        """The operator or first character that comes next; '' at the end."""
        self.blank()
        for operator in ("&&", "||", ";;", ">>", "<<", ">&", "<&", "&>"):
            if self.text.startswith(operator, self.at):
                return operator
        return self.text[self.at : self.at + 1]

    def token(self) -> str:
        """What stands here, for a message."""
        start = self.peek()
        if start == "\n":
            return "newline"
        if start in ("&&", "||", ";;", ")", "(", ";", "&", "|"):
            return start
        return self.keyword() or (self.text[self.at :].split() or ["end of file"])[0]

    def keyword(self) -> str:
        """The reserved word here, if there is one."""
        self.blank()
        end = self.at
        while end < len(self.text) and self.text[end] not in " \t\r\n;&|()<>\"'$`\\":
            end += 1
        word = self.text[self.at : end]
        return word if word in RESERVED else ""

    def expect(self, word: str) -> None:
        self.lines()
        if self.keyword() == word:
            self.at += len(word)
        elif word == ")" and self.peek() == ")":
            self.at += 1
        elif not self.peek():
            raise ShellSyntax(f'syntax error: unexpected end of file (expecting "{word}")')
        else:
            raise ShellSyntax(f'syntax error: unexpected "{self.token()}" (expecting "{word}")')

    # -- commands --

    def list_(self) -> List:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise ShellSyntax("syntax error: nested too deeply")
        items: list[tuple[Node, bool]] = []
        while True:
            self.lines()
            start = self.peek()
            if not start or start in (")", ";;") or self.keyword() in _CLOSERS:
                break
            node = self.and_or()
            end = self.peek()
            items.append((node, end == "&"))
            if end in (";", "&"):
                self.at += 1
            elif end == "\n":
                self.line_end()
            else:
                break
        self.depth -= 1
        return List(tuple(items))

    def and_or(self) -> Node:
        first = self.pipeline()
        rest: list[tuple[str, Node]] = []
        while self.peek() in ("&&", "||"):
            operator = self.peek()
            self.at += 2
            self.lines()
            rest.append((operator, self.pipeline()))
        return AndOr(first, tuple(rest)) if rest else first

    def pipeline(self) -> Node:
        negated = False
        while self.keyword() == "!":
            self.at += 1
            negated = not negated
        commands = [self.command()]
        while self.peek() == "|":
            self.at += 1
            self.lines()
            commands.append(self.command())
        return Pipeline(tuple(commands), negated) if len(commands) > 1 or negated else commands[0]

    def command(self) -> Node:
        word = self.keyword()
        if word == "if":
            return self.if_()
        if word in ("while", "until"):
            return self.while_(word)
        if word == "for":
            return self.for_()
        if word == "case":
            return self.case()
        if word == "{":
            self.at += 1
            body = self.list_()
            self.expect("}")
            return Group(body, False, self.redirects())
        if word:
            raise ShellSyntax(f'syntax error: unexpected "{word}"')
        if self.peek() == "(":
            self.at += 1
            body = self.list_()
            self.expect(")")
            return Group(body, True, self.redirects())
        return self.simple()

    def if_(self) -> Node:
        self.at += 2
        branches = []
        otherwise = None
        condition = self.list_()
        self.expect("then")
        branches.append((condition, self.list_()))
        while True:
            self.lines()
            word = self.keyword()
            if word == "elif":
                self.at += 4
                condition = self.list_()
                self.expect("then")
                branches.append((condition, self.list_()))
            elif word == "else":
                self.at += 4
                otherwise = self.list_()
            else:
                break
        self.expect("fi")
        return If(tuple(branches), otherwise, self.redirects())

    def while_(self, word: str) -> Node:
        self.at += 5
        condition = self.list_()
        self.expect("do")
        body = self.list_()
        self.expect("done")
        return While(condition, body, word == "until", self.redirects())

    def for_(self) -> Node:
        self.at += 3
        name = self.word()
        plain = name.plain() if name is not None else None
        if not plain:
            raise ShellSyntax(f'syntax error: unexpected "{self.token()}"')
        words: tuple[Word, ...] | None = None
        self.lines()
        if self.keyword() == "in":
            self.at += 2
            found = []
            while (word := self.word()) is not None:
                found.append(word)
            words = tuple(found)
        if self.peek() == ";":
            self.at += 1
        self.expect("do")
        body = self.list_()
        self.expect("done")
        return For(plain, words, body, self.redirects())

    def case(self) -> Node:
        self.at += 4
        word = self.word()
        if word is None:
            raise ShellSyntax(f'syntax error: unexpected "{self.token()}"')
        self.expect("in")
        branches = []
        while True:
            self.lines()
            if self.keyword() == "esac" or not self.peek():
                break
            if self.peek() == "(":
                self.at += 1
            patterns = []
            while (pattern := self.word()) is not None:
                patterns.append(pattern)
                if self.peek() != "|":
                    break
                self.at += 1
            self.expect(")")
            branches.append((tuple(patterns), self.list_()))
            if self.peek() == ";;":
                self.at += 2
            else:
                break
        self.expect("esac")
        return Case(word, tuple(branches), self.redirects())

    def simple(self) -> Node:
        assigns: list[tuple[str, Word]] = []
        words: list[Word] = []
        redirects: list[Redirect] = []
        while True:
            if self.redirect(redirects):
                continue
            if words and len(words) == 1 and self.peek() == "(" and not assigns:
                return self.function(words[0])
            word = self.word()
            if word is None:
                break
            name = _assigned(word) if not words else None
            if name is not None:
                assigns.append(name)
            else:
                words.append(word)
        if not assigns and not words and not redirects:
            raise ShellSyntax(f'syntax error: unexpected "{self.token()}"')
        return Simple(tuple(assigns), tuple(words), tuple(redirects))

    def function(self, name: Word) -> Node:
        plain = name.plain()
        self.at += 1
        self.expect(")")
        self.lines()
        if plain is None:
            raise ShellSyntax("syntax error: bad function name")
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise ShellSyntax("syntax error: nested too deeply")
        body = self.command()
        self.depth -= 1
        return Function(plain, body)

    def redirects(self) -> tuple[Redirect, ...]:
        found: list[Redirect] = []
        while self.redirect(found):
            pass
        return tuple(found)

    def redirect(self, found: list[Redirect]) -> bool:
        self.blank()
        start = self.at
        end = start
        while end < len(self.text) and self.text[end].isdigit():
            end += 1
        digits = self.text[start:end]
        if len(digits) > 3:
            return False
        self.at = end
        operator = self.peek() if end == self.at else ""
        if operator not in (">", ">>", "<", "<<", ">&", "<&", "&>"):
            self.at = start
            return False
        self.at += len(operator)
        if operator == "<<":
            strip = self.text[self.at : self.at + 1] == "-"
            self.at += strip
            quoted = self.text[self.at :].lstrip()[:1] in ("'", '"', "\\")
            stop = self.word()
            text = "".join(part.text for part in stop.parts if isinstance(part, Text)) if stop else ""
            here = Here(Word(()))
            self.pending.append((text, quoted, here))
            found.append(Redirect(0, "<<", here))
            return True
        if operator == ">" and self.text[self.at : self.at + 1] == "|":
            self.at += 1
        target = self.word()
        if target is None:
            raise ShellSyntax(f'syntax error: unexpected "{self.token()}"')
        if operator == "&>":
            found.append(Redirect(1, ">", target))
            found.append(Redirect(2, ">&", Word((Text("1", False),))))
        else:
            found.append(Redirect(int(digits or (0 if operator[0] == "<" else 1)), operator, target))
        return True

    # -- words --

    def word(self) -> Word | None:
        self.blank()
        parts: list[Part] = []
        text = self.text
        plain: list[str] = []
        while self.at < len(text):
            char = text[self.at]
            if char in " \t\r\n;&|()<>":
                break
            if char == "\\":
                if text[self.at + 1 : self.at + 2] != "\n":
                    self.flush(plain, parts)
                    parts.append(Text(text[self.at + 1 : self.at + 2], True))
                self.at += 2
            elif char == "'":
                self.flush(plain, parts)
                end = text.find("'", self.at + 1)
                if end < 0:
                    raise ShellSyntax("syntax error: unterminated quoted string")
                parts.append(Text(text[self.at + 1 : end], True))
                self.at = end + 1
            elif char == '"':
                self.flush(plain, parts)
                self.at += 1
                inside = self.quoted_parts('"')
                parts.extend(inside or [Text("", True)])
            elif char in "$`":
                self.flush(plain, parts)
                parts.append(self.expansion(False))
            else:
                plain.append(char)
                self.at += 1
        self.flush(plain, parts)
        return Word(tuple(parts)) if parts else None

    @staticmethod
    def flush(plain: list[str], parts: list[Part]) -> None:
        if plain:
            parts.append(Text("".join(plain), False))
            plain.clear()

    def quoted_parts(self, stop: str) -> list[Part]:
        parts: list[Part] = []
        plain: list[str] = []
        text = self.text
        while True:
            if self.at >= len(text):
                if stop:
                    raise ShellSyntax("syntax error: unterminated quoted string")
                break
            char = text[self.at]
            if char == stop:
                self.at += 1
                break
            if stop == "}" and char == '"':
                self.at += 1
                parts += [*([Text("".join(plain), True)] if plain else []), *self.quoted_parts('"')]
                plain.clear()
            elif char == "\\" and text[self.at + 1 : self.at + 2] in ('"', "\\", "$", "`", "\n", "}"):
                kept = "" if text[self.at + 1] == "\n" else text[self.at + 1]
                plain.append(f"\\{kept}" if kept == "}" and stop != "}" else kept)
                self.at += 2
            elif char in "$`":
                if plain:
                    parts.append(Text("".join(plain), True))
                    plain.clear()
                parts.append(self.expansion(True))
            else:
                plain.append(char)
                self.at += 1
        if plain:
            parts.append(Text("".join(plain), True))
        return parts

    def expansion(self, quoted: bool) -> Part:
        text = self.text
        if text[self.at] == "`":
            end = self.at + 1
            while end < len(text) and text[end] != "`":
                end += 2 if text[end] == "\\" else 1
            if end >= len(text):
                raise ShellSyntax("syntax error: unterminated backquote")
            inner = text[self.at + 1 : end].replace("\\`", "`").replace("\\$", "$")
            self.at = end + 1
            return Substitution(self.inner(inner), quoted)
        after = text[self.at + 1 : self.at + 2]
        if text.startswith("$((", self.at):
            return self.arithmetic(quoted)
        if after == "(":
            self.at += 2
            body = self.list_()
            self.expect(")")
            return Substitution(body, quoted)
        if after == "{":
            return self.braced(quoted)
        if after and (after in "?$!#@*-" or after.isdigit()):
            self.at += 2
            return Variable(after, "", None, quoted)
        end = self.at + 1
        while end < len(text) and (text[end].isalnum() or text[end] == "_") and text[end].isascii():
            end += 1
        if end == self.at + 1:
            self.at += 1
            return Text("$", True)
        name = text[self.at + 1 : end]
        self.at = end
        return Variable(name, "", None, quoted)

    def inner(self, text: str) -> List:
        if self.depth >= _MAX_DEPTH:
            raise ShellSyntax("syntax error: nested too deeply")
        reader = _Reader(text)
        reader.depth = self.depth + 1
        return reader.list_()

    def arithmetic(self, quoted: bool) -> Part:
        depth, end = 0, self.at + 3
        while end < len(self.text):
            if self.text[end] == "(":
                depth += 1
            elif self.text[end] == ")":
                if depth == 0 and self.text.startswith("))", end):
                    break
                depth -= 1
            end += 1
        if end >= len(self.text):
            raise ShellSyntax('syntax error: unexpected end of file (expecting "))")')
        inner = _Reader(self.text[self.at + 3 : end])
        inner.depth = self.depth + 1
        if inner.depth > _MAX_DEPTH:
            raise ShellSyntax("syntax error: nested too deeply")
        self.at = end + 2
        return Arithmetic(Word(tuple(inner.quoted_parts(""))), quoted)

    def braced(self, quoted: bool) -> Part:
        text = self.text
        self.at += 2
        length = text[self.at : self.at + 1] == "#" and text[self.at + 1 : self.at + 2] not in ("}", "")
        self.at += length
        start = self.at
        while self.at < len(text) and (text[self.at].isalnum() or text[self.at] in "_?$!#@*-"):
            if not (text[self.at].isalnum() or text[self.at] == "_") and self.at > start:
                break
            self.at += 1
            if not (text[self.at - 1].isalnum() or text[self.at - 1] == "_"):
                break
        name = text[start : self.at]
        for how in (":-", ":=", ":?", ":+", "##", "%%", "-", "=", "?", "+", "#", "%", "//", "/", ":"):
            if text.startswith(how, self.at):
                self.at += len(how)
                break
        else:
            how = ""
        self.depth += 1
        if self.depth > _MAX_DEPTH or not name:
            raise ShellSyntax("syntax error: bad substitution")
        parts = self.quoted_parts("}")
        self.depth -= 1
        if not how and parts:
            raise ShellSyntax("syntax error: bad substitution")
        if not quoted:
            parts = [Text(part.text, False) if isinstance(part, Text) else part for part in parts]
        return Variable(name, "length" if length else how, Word(tuple(parts)), quoted)


def _assigned(word: Word) -> tuple[str, Word] | None:
    """`NAME=value` as its two sides."""
    first = word.parts[0]
    if not isinstance(first, Text) or first.quoted or "=" not in first.text:
        return None
    name, _, rest = first.text.partition("=")
    if not name or not (name.replace("_", "a").isalnum() and name.isascii()) or name[0].isdigit():
        return None
    return name, Word((Text(rest, False), *word.parts[1:]) if rest else word.parts[1:])
