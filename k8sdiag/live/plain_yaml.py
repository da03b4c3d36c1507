"""Kubeconfigs as kubectl and its like write them, without PyYAML: importing that takes a tenth of a diagnosis.

Block mappings, block lists, and words that can be nothing but text, in lines of one entry each. Whatever else a file
holds makes it None, and it is read by PyYAML. What is read here is read as PyYAML reads it.
"""

from __future__ import annotations

import re
from typing import Any

# An entry: its depth, the dashes of the list items it begins, its key, and its value. Nothing that YAML resolves to
# anything but text, but for `{}`, `[]`, true and false.
_LINE = re.compile(
    r"(?P<space> *)(?P<dash>- )?(?P<key>[a-zA-Z][a-zA-Z-]*):"
    r"(?: (?:(?P<text>[a-zA-Z][\w./+=@:-]*|(?!0[bx])\d+[a-zA-Z][a-zA-Z\d]*)"
    r"|\"(?P<quoted>[\w./+=@: -]*)\"|(?P<empty>\{\}|\[\])))?",
    re.ASCII,
)
_WORDS = {"true": True, "false": False}
_NOT_TEXT = frozenset("y n yes no on off true false null".split())
_MOST = 1 << 20


def read(text: str) -> dict[str, Any] | None:
    """The document, or None where PyYAML has to look at it."""
    lines: list[tuple[int, bool, str, Any]] = []
    if len(text) > _MOST:
        return None
    for line in text.removesuffix("\n").split("\n"):
        found = _LINE.fullmatch(line)
        if found is None or found["key"].lower() in _NOT_TEXT:
            return None
        value = _value(found)
        if value is _UNSURE:
            return None
        lines.append((len(found["space"]), bool(found["dash"]), found["key"], value))
    try:
        document, rest = _mapping(lines, 0, 0)
    except _NotPlain:
        return None
    return document if rest == len(lines) else None


class _NotPlain(Exception):  # noqa: N818 (nothing is wrong)
    """More than is understood here."""


_UNSURE = object()
_NOTHING = object()


def _value(found: re.Match[str]) -> Any:
    if found["quoted"] is not None:
        return found["quoted"]
    if found["empty"]:
        return {} if found["empty"] == "{}" else []
    text = found["text"]
    if text is None:
        return _NOTHING
    if text in _WORDS:
        return _WORDS[text]
    return _UNSURE if text.lower() in _NOT_TEXT or text.endswith(":") else text


def _mapping(lines: list[tuple[int, bool, str, Any]], start: int, depth: int) -> tuple[dict[str, Any], int]:
    """The entries from a line on that stand at a depth, and the line after them. The first may follow a dash."""
    found: dict[str, Any] = {}
    place = start
    while place < len(lines):
        indent, dash, key, value = lines[place]
        at = indent + 2 if dash and place == start else indent
        if at != depth or (dash and place != start):
            if at > depth:
                raise _NotPlain
            break
        if key in found:
            raise _NotPlain  # PyYAML takes the last
        place += 1
        if value is _NOTHING:
            value, place = _below(lines, place, depth)
        found[key] = value
    return found, place


def _below(lines: list[tuple[int, bool, str, Any]], place: int, depth: int) -> tuple[Any, int]:
    """What hangs from a key without a value: a list (which may stand as far left as the key), a mapping, or nothing."""
    if place == len(lines):
        return None, place
    indent, dash, _, _ = lines[place]
    if not dash:
        return _mapping(lines, place, indent) if indent > depth else (None, place)
    if indent < depth:
        return None, place
    items = []
    while place < len(lines) and lines[place][1] and lines[place][0] == indent:
        item, place = _mapping(lines, place, indent + 2)
        items.append(item)
    if place < len(lines) and lines[place][0] > indent:
        raise _NotPlain
    return items, place
