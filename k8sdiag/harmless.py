"""Evidence made safe to show: log lines, events and names come from whoever can write to the cluster.

A terminal obeys escape sequences, an editor obeys bidirectional overrides, an eye overlooks zero-width characters. What
cannot be seen is therefore written out (`\\x1b`, `\\u202e`), and not dropped: a zero-width space in an image name is
itself a root cause. Colour codes, the one kind of escape sequence that honest logs are full of, are dropped.
"""

from __future__ import annotations

import unicodedata

from k8sdiag.patterns import regex

LIMIT = 4000
_COLOUR_CODE = regex("(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]")
_LINE_END = regex("\r\n?|\n")
_SURROGATE = regex("[\ud800-\udfff]")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")  # printable by category, invisible in fact
_MARKS_IN_A_ROW = 3


def cut(text: str, limit: int) -> str:
    """At most `limit` characters of a text, with a mark that says how long it was."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}… [cut, {len(text)} characters in all]"


def encodable(text: str) -> str:
    """The text with lone surrogates replaced, so that it has a UTF-8 form; nothing else is touched."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def harmless(text: str, limit: int = LIMIT, *, newlines: bool = False) -> str:
    """The text with nothing in it that a terminal, an editor or an eye could be fooled by.

    Line ends become spaces, or stay as `\\n` where `newlines` asks for them; tabs become spaces. Only the part that is
    kept is looked at, so a line of 10 MB costs no more than a line of `limit` characters.
    """
    text = cut(text, limit)
    if text.isascii() and text.isprintable():
        return text
    text = _COLOUR_CODE.sub("", text)
    lines = _LINE_END.split(text) if newlines else [_LINE_END.sub(" ", text)]
    return "\n".join(_visible(line) for line in lines)


def escaped(char: str) -> str:
    """A character as an escape that Python, and most readers, would write for it."""
    code = ord(char)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


class _Shown(dict[int, str]):
    """For `str.translate`: what each character is shown as, worked out once."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        category = unicodedata.category(char)
        if char == "\t":
            shown = "    "
        elif category in _HIDDEN or char in _BLANK:
            shown = escaped(char)
        elif category == "Zs":
            shown = " "
        elif 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF or 0x180B <= code <= 0x180F:
            shown = ""  # variation selectors: no width of their own, but they change their neighbour's
        else:
            shown = char
        self[code] = shown
        return shown


_SHOWN = _Shown()


def _visible(line: str) -> str:
    line = line.translate(_SHOWN)
    return line if line.isascii() else "".join(_without_piles(line))


def _without_piles(line: str) -> list[str]:
    """Combining marks piled on one letter spill over the neighbouring lines: keep a few."""
    kept: list[str] = []
    run = 0
    for char in line:
        run = run + 1 if unicodedata.category(char) in ("Mn", "Me") else 0
        if run <= _MARKS_IN_A_ROW:
            kept.append(char)
    return kept
