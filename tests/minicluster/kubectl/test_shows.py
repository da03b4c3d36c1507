"""docs/kubectl.md: what the real kubectl does against the lab, each command with the test that shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.minicluster.kubectl.shows import claims, shown, shows, table

PAGE = Path(__file__).parents[3] / "docs" / "kubectl.md"
HEAD = "| command | shown by |"


def test_the_page_lists_what_is_shown(update: bool) -> None:
    made = [HEAD, "|---|---|", *table(shown())]
    if update:
        before, _, _ = PAGE.read_text(encoding="utf-8").partition(HEAD)
        PAGE.write_text("\n".join([*before.splitlines(), *made]) + "\n", encoding="utf-8")
    _, head, after = PAGE.read_text(encoding="utf-8").partition(HEAD)
    assert (head + after).splitlines() == made


def test_claims_are_read_from_a_file() -> None:
    source = '@shows("kubectl get pods", "kubectl get nodes")\ndef test_get() -> None: ...\ndef other() -> None: ...\n'
    assert list(claims(source)) == [("test_get", ["kubectl get pods", "kubectl get nodes"])]


def test_only_kubectl_is_shown() -> None:
    with pytest.raises(AssertionError):
        shows("get pods")
