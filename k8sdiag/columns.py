"""Text in terminal columns: how wide it is and where to break it. Wide (CJK, emoji) and combining characters count as
a terminal counts them, which `textwrap` does not."""

from __future__ import annotations

import unicodedata

from k8sdiag.patterns import regex

_PIECE = regex(" +|[^ ]+")


def columns(text: str) -> int:
    """How many columns a terminal needs for a text."""
    return len(text) if text.isascii() else sum(map(_columns_of, text))


def wrap(text: str, width: int, first: str = "", rest: str = "") -> list[str]:
    """Lines of at most `width` columns, the first led by `first`, the others by `rest`.

    Breaks at spaces; a word too long for any line is broken where it must be. The text's own indentation is kept on
    its first line.
    """
    lines: list[str] = []
    line, fresh, gap = first, True, ""
    for word in _PIECE.findall(text):
        if word[0] == " ":
            gap = word[: max(width - columns(line), 0) // 2] if fresh else word
            continue
        left = word
        while left:
            room = width - columns(line) - len(gap)
            size = columns(left)
            if size <= room:
                line, fresh, gap = line + gap + left, False, ""
                break
            if fresh or size > width - columns(rest):
                head, left = _split(left, room)
                if fresh and not head:  # not even one character fits: let it stick out, rather than never end
                    head, left = left[0], left[1:]
                line += gap + head
            lines.append(line.rstrip())
            line, fresh, gap = rest, True, ""
    if not fresh or not lines:
        lines.append(line.rstrip())
    return lines


def fit(text: str, width: int) -> str:
    """The beginning of a text, as much as `width` columns hold."""
    return text if columns(text) <= width else _split(text, width)[0]


def pad(text: str, width: int) -> str:
    """The text, filled with spaces to `width` columns."""
    return text + " " * (width - columns(text))


def _split(text: str, room: int) -> tuple[str, str]:
    if text.isascii():
        return text[: max(room, 0)], text[max(room, 0) :]
    used = 0
    for index, char in enumerate(text):
        used += _columns_of(char)
        if used > room:
            return text[:index], text[index:]
    return text, ""


def _columns_of(char: str) -> int:
    if char < "\x7f":
        return 1
    if unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1
