"""What the README shows is what happens: its screen, its help and its layer table are made, not written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_layers import LAYERS, there_is

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
SCREEN = ["pod", "web", "--from", "recordings/wait-secret-key"]


def console(*words: str) -> str:
    env = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "COLUMNS")}
    done = subprocess.run(
        [sys.executable, "-m", "k8sdiag", *words],
        capture_output=True,
        encoding="utf-8",
        env={**env, "PYTHONIOENCODING": "utf-8", "COLUMNS": "80"},
        cwd=ROOT,
        check=False,
    )
    assert not done.stderr
    shown = "\n".join(line.rstrip() for line in done.stdout.rstrip("\n").split("\n"))
    return f"```console\n$ k8sdiag {' '.join(words)}\n{shown}\n```"


def layers() -> str:
    there = [[f"`{name}`" for name in names if there_is(name)] for names in LAYERS]
    rows = [f"| {number} | {' '.join(names)} |" for number, names in enumerate(there) if names]
    return "\n".join(["| layer | modules |", "|---|---|", *reversed(rows)])


PARTS = {"screen": lambda: console(*SCREEN), "help": lambda: console("--help"), "layers": layers}


@pytest.mark.parametrize("name", PARTS)
def test_the_readme_shows_what_happens(name: str, update: bool) -> None:
    text, shown = README.read_text(encoding="utf-8"), PARTS[name]()
    marked = re.compile(rf"(<!-- {name} -->\n).*?(\n<!-- /{name} -->)", re.DOTALL)
    assert marked.search(text)
    if update:
        README.write_text(marked.sub(lambda found: found.group(1) + shown + found.group(2), text), encoding="utf-8")
    assert f"<!-- {name} -->\n{shown}\n<!-- /{name} -->" in README.read_text(encoding="utf-8")


def test_every_file_the_readme_links_to_is_there() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README.read_text(encoding="utf-8")):
        assert (ROOT / target).exists(), target
