"""The condition language: what each form means, and that nothing a field can hold breaks it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8sdiag.match import MatchError, compile_spec, groups_of, holds

VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=30),
    st.lists(st.text(max_size=8), max_size=4).map(tuple),
)  # fmt: skip
WORDS = st.text(alphabet="abcXYZ-019. ", min_size=1, max_size=12).filter(lambda word: word[0] not in "!/<>")


@pytest.mark.parametrize(
    ("written", "value", "expected"),
    [
        ("OOMKilled", "OOMKilled", True),
        ("OOMKilled", "Error", False),
        (137, 137, True),
        (137, "137", True),
        (True, True, True),
        (True, "true", False),
        (1, True, False),
        (["a", "b"], "b", True),
        (["a", "b"], "c", False),
        ("ssd", ("hdd", "ssd"), True),
        ("/not found$/", "image: not found", True),
        ("/NOT FOUND/i", "image: not found", True),
        ("/NOT FOUND/", "image: not found", False),
        ("/x/", None, False),
        (">= 3", 3, True),
        ("> 3", 3, False),
        ("< 10m", 599, True),
        ("> 64Mi", "128Mi", True),
        ("> 64Mi", "32Mi", False),
        (">= 3", None, False),
        (">= 3", "many", False),
        ("present", "x", True),
        ("present", 0, True),
        ("present", "", False),
        ("absent", (), True),
        ("absent", None, True),
        (None, "", True),
        ("!Error", "OOMKilled", True),
        ("!Error", "Error", False),
        ("!/^Init/", "Init:0/1", False),
    ],
)
def test_means(written: object, value: object, expected: bool) -> None:
    assert bool(holds(compile_spec(written), value)) is expected


@pytest.mark.parametrize("written", ["/unclosed", "/(/", "/x/z", "> lots", {"a": 1}])
def test_nonsense_is_refused(written: object) -> None:
    with pytest.raises(MatchError):
        compile_spec(written)


def test_a_regex_shows_the_line_it_found_and_what_it_named() -> None:
    spec = compile_spec("/No module named '(?P<module>\\w+)'/")
    hit = holds(spec, "Traceback\n  ModuleNotFoundError: No module named 'flask'\nbye")
    assert hit is not None
    assert hit.groups == {"module": "flask"}
    assert hit.text == "  ModuleNotFoundError: No module named 'flask'"
    assert groups_of(spec) == {"module"}


@given(word=WORDS, value=VALUES)
def test_not_is_the_opposite(word: str, value: object) -> None:
    assert bool(holds(compile_spec(word), value)) is not bool(holds(compile_spec(f"!{word}"), value))


@given(text=st.text(max_size=40), value=VALUES)
def test_any_text_is_a_condition_or_is_refused(text: str, value: object) -> None:
    try:
        spec = compile_spec(text)
    except MatchError:
        return
    assert holds(spec, value) is None or holds(spec, value) is not None


@given(word=WORDS)
def test_a_word_matches_itself(word: str) -> None:
    if word not in ("present", "absent"):
        assert holds(compile_spec(word), word)
        assert holds(compile_spec(f"/{re.escape(word)}/"), f"before {word} after")
