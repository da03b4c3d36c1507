"""The condition language of playbooks: what a field of a fact must be.

| written | means |
|---|---|
| `CrashLoopBackOff`, `137`, `true` | equal (one element equal, where the field is a list) |
| `[a, b]` | any of these |
| `/regex/`, `/regex/i` | found in the text (in one element of a list); named groups become template values |
| `">= 3"`, `"< 10m"`, `"> 64Mi"` | compared as number, duration or quantity |
| `present`, `absent` | has a value, has none (None, '', empty list) |
| `"!X"` | not X, for any X above |

A compiled condition is plain JSON (lists), so that compiled playbooks can be cached without running any code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from k8sdiag.needles import might_match, needles
from k8sdiag.quantity import parse_duration, parse_quantity

Spec = list[Any]
_COMPARE = re.compile(r"(>=|<=|>|<)\s*(\S+)")


class MatchError(ValueError):
    """A condition that cannot be understood."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A condition held: `groups` are the regex's named groups, `text` the part of the field to show as proof."""

    groups: dict[str, str]
    text: str = ""


PLAIN = Hit({})
MAX_LINE = 8192


def compile_spec(value: object) -> Spec:
    """YAML value to a compiled condition. Raises MatchError."""
    if isinstance(value, list):
        return ["any", [compile_spec(item) for item in value]]
    if value is None:
        return ["absent"]
    if isinstance(value, bool | int | float):
        return ["eq", value]
    if not isinstance(value, str):
        raise MatchError(f"a condition is a word, a number, a /regex/ or a list of them, not {type(value).__name__}")
    if value.startswith("!") and len(value) > 1:
        return ["not", compile_spec(value[1:])]
    if value in ("present", "absent"):
        return [value]
    if value.startswith("/"):
        return _compile_regex(value)
    compared = _COMPARE.fullmatch(value)
    if compared:
        number = _number(compared.group(2))
        if number is None:
            raise MatchError(f"{compared.group(2)!r} is no number, quantity or duration")
        return ["cmp", compared.group(1), number]
    return ["eq", value]


def _compile_regex(value: str) -> Spec:
    end = value.rfind("/")
    flags = value[end + 1 :]
    if end == 0 or flags not in ("", "i"):
        raise MatchError(f"{value!r} is no /regex/ or /regex/i")
    try:
        re.compile(value[1:end])
    except re.error as problem:
        raise MatchError(f"{value!r}: {problem}") from None
    return ["re", value[1:end], flags, needles(value[1:end], flags)]


def groups_of(spec: Spec) -> set[str]:
    """Names of the groups a condition can yield."""
    if spec[0] == "re":
        return set(re.compile(spec[1]).groupindex)
    if spec[0] == "any":
        return set().union(*(groups_of(item) for item in spec[1]))
    return set()


@lru_cache(maxsize=2048)
def _regex(pattern: str, flags: str) -> re.Pattern[str]:
    return re.compile(pattern, re.MULTILINE | (re.IGNORECASE if "i" in flags else 0))


def _number(value: object) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return float(value)
    quantity = parse_quantity(value)
    return quantity if quantity is not None and not str(value).endswith("m") else parse_duration(value) or quantity


def holds(spec: Spec, value: object) -> Hit | None:
    """Does a field's value satisfy a compiled condition? None is no."""
    operator = spec[0]
    if operator == "absent":
        return PLAIN if _empty(value) else None
    if operator == "present":
        return None if _empty(value) else PLAIN
    if operator == "not":
        return None if holds(spec[1], value) else PLAIN
    if operator == "any":
        for item in spec[1]:
            hit = holds(item, value)
            if hit:
                return hit
        return None
    if isinstance(value, tuple | list):
        for item in value:
            hit = holds(spec, item)
            if hit:
                return hit
        return None
    if operator == "eq":
        return PLAIN if _equal(spec[1], value) else None
    if operator == "cmp":
        return PLAIN if _compare(spec[1], value, spec[2]) else None
    return _search(spec[1], spec[2], spec[3], value)


def _empty(value: object) -> bool:
    return value is None or (isinstance(value, str | tuple | list) and not value)


def _equal(wanted: object, value: object) -> bool:
    if isinstance(wanted, bool) or isinstance(value, bool):
        return wanted is value
    if isinstance(wanted, int | float) and isinstance(value, str):
        return str(wanted) == value
    if isinstance(wanted, str) and isinstance(value, int | float):
        return wanted == str(value)
    return wanted == value


def _compare(operator: str, value: object, bound: float) -> bool:
    number = _number(value)
    if number is None:
        return False
    if operator == ">":
        return number > bound
    if operator == ">=":
        return number >= bound
    return number < bound if operator == "<" else number <= bound


def _search(pattern: str, flags: str, words: list[str], value: object) -> Hit | None:
    if not isinstance(value, str):
        if value is None or isinstance(value, bool):
            return None
        value = str(value)
    if len(value) > MAX_LINE and "\n" not in value:
        value = value[:MAX_LINE]  # what is found in a message stands at its beginning; no expression may take for ever
    if words and not might_match(words, flags, value):
        return None
    found = _regex(pattern, flags).search(value)
    if not found:
        return None
    start = value.rfind("\n", 0, found.start()) + 1
    end = value.find("\n", found.end())
    line = value[start : end if end >= 0 else len(value)]
    return Hit({name: text for name, text in found.groupdict().items() if text is not None}, line)
