"""docs/kubectl.md: what the real kubectl does against the lab, each command with the test that shows it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.minicluster.conftest import find_kubectl
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


# What asks no server anything: settings, and scripts for shells.
LOCAL = ("completion", "config", "kuberc", "plugin", "options")
ENTRY = re.compile(r"^  ([a-z][\w-]*)\s{2,}")
HEADING = re.compile(r"^[A-Z].*Commands.*:$")


def commands(*path: str) -> Iterator[str]:
    """The commands that kubectl's own help lists, down to those that have no others below."""
    text = subprocess.run([find_kubectl(), *path, "--help"], capture_output=True, text=True, check=True).stdout
    found, listing = [], False
    for line in text.splitlines():
        listing = bool(HEADING.match(line)) or (listing and (not line or line.startswith(" ")))
        entry = ENTRY.match(line)
        if listing and entry and entry.group(1) not in LOCAL:
            found.append(entry.group(1))
    if not found:
        yield " ".join(("kubectl", *path))
    for name in found:
        yield from commands(*path, name)


@pytest.mark.slow
def test_every_command_is_shown() -> None:
    """`top pod` counts as shown by `top pods`."""
    listed = list(commands())
    assert len(listed) > 70
    claimed = [*shown()]
    assert not [one for one in listed if not any(re.match(rf"{re.escape(one)}s?( |$)", claim) for claim in claimed)]
