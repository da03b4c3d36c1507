"""Hostile evidence becomes visible text, quickly."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8sdiag.harmless import cut, encodable, escaped, harmless

_ANY_TEXT = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, as most is", "plain text, as most is"),
        ("\x1b[1;31mERROR\x1b[0m: no", "ERROR: no"),
        ("\x9b31mred", "red"),
        ("\x1b]8;;http://evil\x07link", "\\x1b]8;;http://evil\\x07link"),
        ("\x1b\x1b[0m[2Jgone", "\\x1b[2Jgone"),
        ("a\tb", "a    b"),
        ("nginx\u200b:1.2", "nginx\\u200b:1.2"),
        ("image\u202egnp.exe", "image\\u202egnp.exe"),
        ("\u2066x\u2069", "\\u2066x\\u2069"),
        ("tag \U000e0041", "tag \\U000e0041"),
        ("filler\u3164", "filler\\u3164"),
        ("non\u00a0breaking\u3000space", "non breaking space"),
        ("\ud800", "\\ud800"),
        ("\x00\x7f\x85", "\\x00\\x7f\\x85"),
        ("❤\ufe0f", "❤"),
        ("e\u0301", "e\u0301"),
        ("Zu\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301g", "Zu\u0301\u0301\u0301g"),
        ("größer als 日本", "größer als 日本"),
        ("one\r\ntwo\rthree\nfour", "one two three four"),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert harmless(text) == shown


def test_lines_are_kept_when_asked_for() -> None:
    assert harmless("one\r\ntwo\rthree\nfour\x0b\u2028", newlines=True) == "one\ntwo\nthree\nfour\\x0b\\u2028"


def test_a_long_text_says_how_long_it_was() -> None:
    assert harmless("x" * 10_485_760, 5) == "xxxxx… [cut, 10485760 characters in all]"
    assert cut("12345", 5) == "12345"


def test_ten_megabytes_take_no_time() -> None:
    endless = "\x1b[31m\u202e\n" * 1_500_000
    started = time.monotonic()
    harmless(endless)
    assert time.monotonic() - started < 0.05


@given(_ANY_TEXT)
def test_everything_shown_can_be_seen(text: str) -> None:
    shown = harmless(text, newlines=True)
    assert all(char.isprintable() for char in shown.replace("\n", ""))
    assert "\n" not in harmless(text)
    assert not any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in shown.replace("\n", ""))


@given(_ANY_TEXT)
def test_what_is_harmless_stays_as_it_is(text: str) -> None:
    shown = harmless(text, newlines=True)
    assert harmless(shown, newlines=True) == shown


@given(_ANY_TEXT)
def test_encodable_changes_surrogates_only(text: str) -> None:
    kept = encodable(text)
    kept.encode("utf-8")
    assert len(kept) == len(text)
    assert all(new == old or 0xD800 <= ord(old) <= 0xDFFF for new, old in zip(kept, text, strict=True))


@given(st.characters(exclude_categories=()))
def test_escapes_are_python_s(char: str) -> None:
    assert escaped(char).encode("ascii").decode("unicode_escape") == char
