"""Hostile evidence goes through the whole program and comes out harmless: shown, cut with a mark, never interpreted."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from tests.incidents.build import Incident, container, crash_loop, terminated

ROOT = Path(__file__).parent.parent
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f\u202a-\u202e\u2066-\u2069]")
LINES = {
    "escape": "\x1b]0;owned\x07\x1b[31mred\x1b[2J ModuleNotFoundError: No module named 'x\x1b[0m'",
    "markup": "[bold red]ERROR[/] [link=file:///etc/passwd]click[/link] <script>alert(1)</script>",
    "template": "{name} {{ config }} ${HOME} $(reboot) `reboot` %s %n {limits.memory} [[x]]",
    "bidi": "error: \u202egnp.exe\u202c \u2066hidden\u2069",
    "null": "fatal\x00error\x08\x08\x08",
    "quotes": "error: '; rm -rf / #\" || true",
    "xml": "error ]]> &amp; <![CDATA[ \ufffe \uffff",
    "markdown": "error ``` \n```\n# heading",
}


def hostile(folder: Path, log: bytes) -> Path:
    made = Incident("hostile", "pod/web", "")
    last = terminated(1)
    made.pod("web", container(state=crash_loop(), last=last, restarts=5))
    made.log("web", "app", "placeholder")
    made.write(folder, "hostile")
    (folder / "hostile" / "logs" / "shop" / "web" / "app.log").write_bytes(log)
    return folder / "hostile"


def answer(recording: Path, fmt: str) -> str:
    command = [sys.executable, "-m", "k8sdiag", "pod", "web", "--from", str(recording), "-o", fmt]
    env = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(command, capture_output=True, env=env, cwd=ROOT, timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    return done.stdout.decode("utf-8")  # strictly: what comes out is UTF-8


@pytest.mark.parametrize("fmt", ["text", "json", "yaml", "markdown", "html", "junit", "sarif"])
@pytest.mark.parametrize("name", LINES)
def test_shown_harmlessly(tmp_path: Path, name: str, fmt: str) -> None:
    recording = hostile(tmp_path, f"2026-11-21T22:39:00.000000000Z {LINES[name]}\n".encode("utf-8", "surrogatepass"))
    shown = answer(recording, fmt)
    assert not CONTROL.search(shown.replace("\n", ""))
    if fmt == "json":
        assert json.loads(shown)["kind"] == "Diagnosis"
    if fmt == "html":
        assert "<script>alert" not in shown
    if name == "template":
        assert "{limits.memory}" in shown or "limits.memory" in shown, "a template in a log is text"


def test_invalid_utf8_is_replaced(tmp_path: Path) -> None:
    shown = answer(hostile(tmp_path, b"2026-11-21T22:39:00Z error \xff\xfe\x80 \xf0\x28\x8c\x28 cannot open\n"), "json")
    assert "cannot open" in shown
    assert "cannot open" in json.loads(shown)["findings"][0]["cause"]


def test_ten_megabytes_without_a_newline_are_cut_with_a_mark(tmp_path: Path) -> None:
    recording = hostile(tmp_path, b"2026-11-21T22:39:00Z error " + b"x" * (10 << 20))
    begin = time.perf_counter()
    shown = answer(recording, "text")
    assert time.perf_counter() - begin < 10
    assert len(shown) < 100_000
    assert "cut" in shown


@pytest.mark.parametrize(
    "image", ["reg.example/x:$(touch owned);`id`'\"\n", "x>owned/web:v9", "--all", "a|owned", "b&owned"]
)
def test_a_hostile_name_stays_one_word_in_a_command(tmp_path: Path, image: str) -> None:
    """Names of images and commands are free text; pasted, they must not run, write or be options."""
    made = Incident("hostile", "pod/web", "")
    waiting = {
        "waiting": {
            "reason": "ImagePullBackOff",
            "message": f'Back-off pulling image "{image}": ErrImagePull: y: not found',
        }
    }
    made.pod("web", container(image=image, state=waiting), phase="Pending")
    made.write(tmp_path, "hostile")
    document = json.loads(answer(tmp_path / "hostile", "json"))
    commands = [c for finding in document["findings"] for fix in finding["fixes"] for c in fix["commands"]]
    for command in commands:
        outside_quotes = re.sub(r"'[^']*'|\"'\"", "", command)
        assert "$(" not in outside_quotes
        assert "`" not in outside_quotes
        tokens = list(shlex.shlex(command, posix=True, punctuation_chars=True))
        assert "--all" not in tokens
        assert not any("owned" in after for token, after in pairwise(tokens) if set(token) <= set("<>|&;()"))
        assert "\n" not in command
