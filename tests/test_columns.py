"""Widths and line breaks, as a terminal counts them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8sdiag.columns import columns, fit, pad, wrap
from k8sdiag.harmless import harmless

_TEXT = st.text().map(harmless)


@pytest.mark.parametrize(("text", "width"), [("abc", 3), ("日本", 4), ("e\u0301", 1), ("é✗", 2), ("", 0)])
def test_columns(text: str, width: int) -> None:
    assert columns(text) == width


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", [">"]),
        ("one two", ["> one two"]),
        ("one two three", ["> one two", "  three"]),
        ("    four spaces", [">     four", "  spaces"]),
        ("a registry.example.com/x", ["> a regist", "  ry.examp", "  le.com/x"]),
        ("日本語日本語", ["> 日本語日", "  本語"]),
    ],
)
def test_wrap(text: str, lines: list[str]) -> None:
    assert wrap(text, 10, "> ", "  ") == lines


@given(_TEXT, st.integers(10, 100), st.integers(0, 7), st.integers(0, 7))
def test_no_line_is_too_wide_and_nothing_is_lost(text: str, width: int, first: int, rest: int) -> None:
    lines = wrap(text, width, " " * first, " " * rest)
    assert all(columns(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


@given(_TEXT, st.integers(0, 20))
def test_fit_and_pad(text: str, width: int) -> None:
    fitted = fit(text, width)
    assert columns(fitted) <= width
    assert text.startswith(fitted)
    assert columns(pad(fitted, width)) == width
