"""The grammar of the shell (POSIX.1-2017, Shell Command Language), read into a tree that is kept and shared."""

from __future__ import annotations

from functools import lru_cache

from k8sdiag.minicluster.runtimes.programs.lexing import MAX_DEPTH, ShellSyntax, Words
from k8sdiag.minicluster.runtimes.programs.tree import (
    AndOr,
    Case,
    For,
    Function,
    Group,
    Here,
    If,
    List,
    Node,
    Pipeline,
    Redirect,
    Simple,
    Text,
    While,
    Word,
)

_CLOSERS = frozenset("then elif else fi do done esac }".split())


@lru_cache(maxsize=1024)
def parse(text: str) -> List:
    """A script's tree."""
    reader = _Reader(text)
    found = reader.list_()
    if reader.peek():
        raise ShellSyntax(f'syntax error: unexpected "{reader.token()}"')
    return found


class _Reader(Words):
    # -- commands --

    def list_(self) -> List:
        self.depth += 1
        if self.depth > MAX_DEPTH:
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
        if self.depth > MAX_DEPTH:
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


def _assigned(word: Word) -> tuple[str, Word] | None:
    """`NAME=value` as its two sides."""
    first = word.parts[0]
    if not isinstance(first, Text) or first.quoted or "=" not in first.text:
        return None
    name, _, rest = first.text.partition("=")
    if not name or not (name.replace("_", "a").isalnum() and name.isascii()) or name[0].isdigit():
        return None
    return name, Word((Text(rest, False), *word.parts[1:]) if rest else word.parts[1:])
