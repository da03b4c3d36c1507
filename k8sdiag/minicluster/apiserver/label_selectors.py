"""`?labelSelector=`: its grammar, and the complaints about it (apimachinery/pkg/labels/selector.go)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from k8sdiag.minicluster.apiserver import errors

Labels = Mapping[str, str]
Matcher = Callable[[Labels], bool]

_TOKEN = re.compile(r"[ \t\r\n]*(?:([=!(),<>]+)|([^=!(),<> \t\r\n]+)|$)")
_SYMBOLS = (")", ",", "!", "==", "=", ">", "<", "!=", "(")
_OPERATORS = "in, notin, =, ==, !=, gt, lt"
_NAME = re.compile(r"(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_DOMAIN = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")
_NAME_WORDS = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_TOO_MANY_PARTS = (
    "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. "
    "'example.com/MyName')"
)
_VALUE_WORDS = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_PREFIX_WORDS = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


@dataclass(frozen=True, slots=True)
class Requirement:
    """One term. `operator` is in, notin, exists, !, > or <; `=` and `!=` are in and notin of one value."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Labels) -> bool:
        value = labels.get(self.key)
        if self.operator == "in":
            return value is not None and value in self.values
        if self.operator == "notin":
            return value is None or value not in self.values
        if self.operator == "exists":
            return value is not None
        if self.operator == "!":
            return value is None
        return value is not None and self._compares(value)

    def _compares(self, value: str) -> bool:
        (bound,) = self.values
        if not re.fullmatch(r"[-+]?\d+", value):
            return False
        return int(value) > int(bound) if self.operator == ">" else int(value) < int(bound)


@lru_cache(maxsize=1024)
def parse(text: str) -> tuple[Requirement, ...]:
    """The terms of a selector, all of which must hold. Raises 400."""
    try:
        return tuple(_Parser(text).terms())
    except ValueError as error:
        raise errors.bad_request(str(error)) from None


def matcher(text: str) -> Matcher | None:
    """A test for labels; None where everything passes."""
    terms = parse(text)
    if not terms:
        return None
    if len(terms) == 1:
        return terms[0].matches
    return lambda labels: all(term.matches(labels) for term in terms)


def _scan(text: str) -> list[str]:
    """Words and symbols, and '' for the end. A run of symbol characters is cut where the longest symbol ends."""
    tokens: list[str] = []
    place = 0
    while True:
        found = _TOKEN.match(text, place)
        if found is None or (not found[1] and not found[2]):
            return [*tokens, ""]
        word = found[2]
        if not word:
            word = max((symbol for symbol in _SYMBOLS if found[1].startswith(symbol)), key=len)
            place = found.start(1) + len(word)
        else:
            place = found.end()
        tokens.append(word)


class _Parser:
    """`in` and `notin` are words where a value may stand, operators where one is due."""

    def __init__(self, text: str) -> None:
        self._tokens = _scan(text)
        self._at = 0

    def _peek(self) -> str:
        return self._tokens[min(self._at, len(self._tokens) - 1)]

    def _next(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def terms(self) -> list[Requirement]:
        found: list[Requirement] = []
        while (start := self._peek()) != "":
            if start != "!" and not _is_word(start):
                raise ValueError(f"found '{start}', expected: !, identifier, or 'end of string'")
            try:
                found.append(self._term())
            except ValueError as error:
                raise ValueError(f"unable to parse requirement: {error}") from None
            after = self._next()
            if after == "":
                break
            if after != ",":
                raise ValueError(f"found '{after}', expected: ',' or 'end of string'")
            if (then := self._peek()) != "!" and not _is_word(then):
                raise ValueError(f"found '{then}', expected: identifier after ','")
        return found

    def _term(self) -> Requirement:
        key = self._next()
        absent = key == "!"
        if absent:
            key = self._next()
        if not _is_word(key):
            raise ValueError(f"found '{key}', expected: identifier")
        if problems := _key_problems(key):
            raise ValueError(f"<nil>: Invalid value: {errors.go_value(key)}: {'; '.join(problems)}")
        if absent and self._peek() in ("", ","):
            return Requirement(key, "!")
        if self._peek() in ("", ","):
            return Requirement(key, "exists")
        operator = self._next()
        if operator in ("in", "notin"):
            return Requirement(key, operator, _checked(key, self._several()))
        if operator not in ("=", "==", "!=", ">", "<"):
            raise ValueError(f"found '{operator}', expected: {_OPERATORS}")
        value = "" if self._peek() in ("", ",") else self._next()
        if value and not _is_word(value):
            raise ValueError(f"found '{value}', expected: identifier")
        if operator in (">", "<"):
            if not re.fullmatch(r"[-+]?\d+", value):
                why = "for 'Gt', 'Lt' operators, the value must be an integer"
                raise ValueError(f"values[0]: Invalid value: {errors.go_value(value)}: {why}")
            return Requirement(key, operator, frozenset((value,)))
        return Requirement(key, "notin" if operator == "!=" else "in", _checked(key, {value}))

    def _several(self) -> set[str]:
        """`(a,b)`; an empty place is the empty value."""
        opening = self._next()
        if opening != "(":
            raise ValueError(f"found '{opening}' expected: '('")
        values: set[str] = set()
        if (first := self._peek()) not in (",", ")") and not _is_word(first):
            raise ValueError(f"found '{first}', expected: ',', ')' or identifier")
        while True:
            item = self._peek()
            if _is_word(item):
                values.add(self._next())
                after = self._next()
                if after == ")":
                    return values
                if after != ",":
                    raise ValueError(f"found '{after}', expected: ',' or ')'")
                if self._peek() == ")":
                    values.add("")
            elif item == ",":
                values.add("")
                self._next()
            elif item == ")":
                self._next()
                return values or {""}
            else:
                raise ValueError(f"found '{item}', expected: ',', or identifier")


def _is_word(token: str) -> bool:
    return token != "" and token not in _SYMBOLS


def _key_problems(key: str) -> list[str]:
    """validation.IsQualifiedName."""
    parts = key.split("/")
    if len(parts) > 2:
        return [_TOO_MANY_PARTS]
    problems: list[str] = []
    if len(parts) == 2:
        if not parts[0]:
            problems.append("prefix part must be non-empty")
        elif not _DOMAIN.fullmatch(parts[0]):
            problems.append(f"prefix part {_PREFIX_WORDS}")
        elif len(parts[0]) > 253:
            problems.append("prefix part must be no more than 253 bytes")
    name = parts[-1]
    if not name:
        problems.append("name part must be non-empty")
    elif len(name) > 63:
        problems.append("name part must be no more than 63 bytes")
    if not _NAME.fullmatch(name):
        problems.append(_NAME_WORDS)
    return problems


def _checked(key: str, values: set[str]) -> frozenset[str]:
    """validation.IsValidLabelValue, each value's place being its rank."""
    found: list[str] = []
    for place, value in enumerate(sorted(values)):
        problems = ["must be no more than 63 bytes"] if len(value) > 63 else []
        if value and not _NAME.fullmatch(value):
            problems.append(_VALUE_WORDS)
        if problems:
            shown = errors.go_value(value)
            found.append(f"values[{place}][{key}]: Invalid value: {shown}: {'; '.join(problems)}")
    if found:
        raise ValueError(found[0] if len(found) == 1 else f"[{', '.join(found)}]")
    return frozenset(values)
