"""Needles spare work and change nothing: an expression that matches has one of its needles in the text."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from k8sdiag.match import Spec
from k8sdiag.needles import might_match, needles
from k8sdiag.playbook import bundled_folder, load_folder


def expressions(spec: Spec) -> list[tuple[str, str, list[str]]]:
    if spec[0] == "re":
        return [(spec[1], spec[2], spec[3])]
    inner = spec[1] if spec[0] == "any" else [spec[1]] if spec[0] == "not" else []
    return [found for item in inner for found in expressions(item)]


LETTERS = st.text(alphabet="abkKxyz\u212as\u017f1é\n", max_size=20)
OURS = sorted(
    {
        (pattern, flags, tuple(words))
        for playbook in load_folder(bundled_folder())
        for condition in (*playbook.when, *playbook.unless)
        for _, spec in condition.fields
        for pattern, flags, words in expressions(spec)
    }
)


@pytest.mark.parametrize(
    ("pattern", "flags", "expected"),
    [
        ("no such table", "", ["no such table"]),
        ("No Such", "i", ["no such"]),
        (r"^panic: (?P<what>.+)$", "", ["panic: "]),
        (r"(cannot|could not) open", "", [" open"]),
        (r"(?:refused|timed out)", "", ["refused", "timed out"]),
        (r"(?:refused|\d+)", "", []),
        (r"(?:refused)?", "", []),
        (r"(?:refused)+", "", ["refused"]),
        (r"(?i:refused)", "", []),
        (r"(?i)refused", "", []),
        (r"gr\u00fc\u00df", "i", []),
        (r"(?=refused)", "", []),
        (r"(?!refused)x", "", []),
        ("a", "", []),
        ("", "", []),
        (r"\w+ [a-z]", "", []),
    ],
)
def test_what_is_found(pattern: str, flags: str, expected: list[str]) -> None:
    assert needles(pattern, flags) == expected


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_what_matches_has_a_needle(data: st.DataObject) -> None:
    """Over the rules' own expressions and made-up ones, with texts made to match."""
    letters = st.sampled_from(["ab", "Kk", "xyz", "s", "é", ".", r"\d", "[ab]", "^", "$", r"\n", r"\b", "(?i:k)"])
    made = st.recursive(
        letters,
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=4).map("".join),
            st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
            inner.map(lambda part: f"(?:{part})?"),
            inner.map(lambda part: f"(?:{part})+"),
            inner.map(lambda part: f"(?:{part}){{0,2}}"),
            inner.map(lambda part: f"(?={part})"),
            inner.map(lambda part: f"(?!{part})"),
            inner.map(lambda part: f"(?>{part})"),
        ),
        max_leaves=8,
    )
    ours = st.sampled_from([(pattern, flags) for pattern, flags, _ in OURS])
    pattern, flags = data.draw(st.one_of(ours, st.tuples(made, st.sampled_from(["", "i"]))))
    compiled = re.compile(pattern, re.MULTILINE | (re.IGNORECASE if flags else 0))
    try:
        text = data.draw(st.one_of(st.from_regex(compiled), LETTERS))
    except InvalidArgument:  # no text can be made for this one
        text = data.draw(LETTERS)
    words = needles(pattern, flags)
    if words and compiled.search(text):
        assert might_match(words, flags, text)


def test_most_of_the_rules_expressions_have_some() -> None:
    assert sum(bool(words) for *_, words in OURS) > 0.9 * len(OURS) > 100
