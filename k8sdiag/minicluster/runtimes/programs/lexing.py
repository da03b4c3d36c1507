"""The words of a shell script: quoting, `$…`, here-documents; the lower half of its reader."""

from __future__ import annotations

from k8sdiag.minicluster.runtimes.programs.tree import (
    Arithmetic,
    Here,
    List,
    Part,
    Substitution,
    Text,
    Variable,
    Word,
)

MAX_DEPTH = 40
RESERVED = frozenset("if then elif else fi while until do done for in case esac { } !".split())


class ShellSyntax(Exception):  # noqa: N818 (a simulated shell's)
    """What the shell says of a script that it cannot read."""


class Words:
    """Reads words and blanks; its child reads commands."""

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
        sink.word = Word((Text(body, True),)) if quoted else Word(tuple(type(self)(body).quoted_parts("")))

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
        if self.depth >= MAX_DEPTH:
            raise ShellSyntax("syntax error: nested too deeply")
        reader = type(self)(text)
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
        inner = type(self)(self.text[self.at + 3 : end])
        inner.depth = self.depth + 1
        if inner.depth > MAX_DEPTH:
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
        if self.depth > MAX_DEPTH or not name:
            raise ShellSyntax("syntax error: bad substitution")
        parts = self.quoted_parts("}")
        self.depth -= 1
        if not how and parts:
            raise ShellSyntax("syntax error: bad substitution")
        if not quoted:
            parts = [Text(part.text, False) if isinstance(part, Text) else part for part in parts]
        return Variable(name, "length" if length else how, Word(tuple(parts)), quoted)

    def list_(self) -> List:
        """The commands up to what ends them."""
        raise ShellSyntax("syntax error: no commands here")
