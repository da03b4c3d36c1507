"""Words that are nearly the one meant, by difflib: imported when first asked, as most diagnoses never ask."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, words: Iterable[str], n: int = 3, cutoff: float = 0.6) -> list[str]:
    """The best matches, at most `n`, the best first."""
    from difflib import get_close_matches

    return get_close_matches(word, list(words), n, cutoff)


def likeness(one: str, other: str) -> float:
    """How alike two words are, from 0 to 1."""
    from difflib import SequenceMatcher

    return SequenceMatcher(None, one, other).ratio()
