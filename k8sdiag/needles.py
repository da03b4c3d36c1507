"""Words without which a regular expression cannot match: looking for them costs next to nothing, and mostly spares
compiling the expression at all.

Found by reading the expression as `re` parses it (`re._parser`, whose trees have been the same since Python 2). What is
not surely understood yields no needles, which only costs time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

_SHORTEST, _MOST = 2, 24
_REPEATS = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")


def needles(pattern: str, flags: str) -> list[str]:
    """Whatever the expression matches has one of these in it; [] where nothing can be said. With the flag `i` they are
    in lower case, and hold for ASCII text in lower case."""
    from re import _parser  # type: ignore[attr-defined]

    folded = "i" in flags
    tree = _parser.parse(pattern, re.MULTILINE | (re.IGNORECASE if folded else 0))
    if bool(tree.state.flags & re.IGNORECASE) != folded:
        return []
    found = _of(tree)
    if any(len(word) < _SHORTEST for word in found) or len(found) > _MOST:
        return []
    if not folded:
        return found
    return [word.lower() for word in found] if all(word.isascii() for word in found) else []


def might_match(words: list[str], flags: str, text: str) -> bool:
    """Is one of the needles there?"""
    if "i" in flags:
        if not text.isascii():  # a few letters beyond ASCII are equal to ones within, case aside
            return True
        text = text.lower()
    return any(word in text for word in words)


def _of(parts: Iterable[Any]) -> list[str]:
    """The most telling needles of a sequence: the longest, of which there are the fewest."""
    choices: list[list[str]] = []
    run = ""
    for operator, argument in parts:
        name = str(operator)
        if name == "LITERAL":
            run += chr(argument)
        elif name != "AT":  # an anchor has no width
            choices += [[run], _within(name, argument)]
            run = ""
    choices.append([run])
    return max((words for words in choices if words and all(words)), key=_worth, default=[])


def _within(name: str, argument: Any) -> list[str]:
    """Needles of what is not a plain character."""
    if name == "SUBPATTERN":
        _, added, removed, inner = argument
        return [] if added or removed else _of(inner)
    if name == "ATOMIC_GROUP":
        return _of(argument)
    if name in _REPEATS and argument[0] > 0:
        return _of(argument[2])
    if name == "BRANCH":
        branches = [_of(branch) for branch in argument[1]]
        return list(dict.fromkeys(word for words in branches for word in words)) if all(branches) else []
    return []


def _worth(words: list[str]) -> tuple[int, int]:
    return min(len(word) for word in words), -len(words)
