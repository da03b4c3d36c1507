"""Every format, word for word. `pytest tests/render --update` rewrites the files: read the diff."""

from __future__ import annotations

from pathlib import Path

import pytest

from k8sdiag.finding import Report, ScanReport
from k8sdiag.render import RENDERERS, render, render_many
from tests.render.samples import CRASHING, HEALTHY, QUIET_SCAN, SCAN, UNLOOKED

GOLDEN = Path(__file__).parent / "golden"
SAMPLES: dict[str, Report | ScanReport] = {
    "crashing": CRASHING,
    "healthy": HEALTHY,
    "unlooked": UNLOOKED,
    "scan": SCAN,
    "quiet-scan": QUIET_SCAN,
}
EXTENSIONS = {"text": "txt", "markdown": "md", "junit": "xml"}


def _check(name: str, text: str, update: bool) -> None:
    path = GOLDEN / name
    if update:
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("fmt", RENDERERS)
@pytest.mark.parametrize("name", SAMPLES)
def test_one_report(name: str, fmt: str, update: bool) -> None:
    extension = EXTENSIONS.get(fmt, fmt)
    _check(f"{name}.{extension}", render(SAMPLES[name], fmt), update)


@pytest.mark.parametrize("fmt", RENDERERS)
def test_several_reports(fmt: str, update: bool) -> None:
    extension = EXTENSIONS.get(fmt, fmt)
    _check(f"several.{extension}", render_many([HEALTHY, UNLOOKED, CRASHING], fmt), update)


@pytest.mark.parametrize("name", SAMPLES)
def test_text_in_ascii(name: str, update: bool) -> None:
    _check(f"{name}.ascii.txt", render(SAMPLES[name], "text", unicode=False), update)


@pytest.mark.parametrize("name", ["crashing", "scan"])
def test_text_in_colour(name: str, update: bool) -> None:
    visible = render(SAMPLES[name], "text", colour=True).replace("\x1b", "␛")
    _check(f"{name}.colour.txt", visible, update)


def test_every_golden_file_is_compared() -> None:
    formats = {EXTENSIONS.get(fmt, fmt) for fmt in RENDERERS}
    expected = {f"{name}.{extension}" for name in [*SAMPLES, "several"] for extension in formats}
    expected |= {f"{name}.ascii.txt" for name in SAMPLES} | {"crashing.colour.txt", "scan.colour.txt"}
    assert {path.name for path in GOLDEN.iterdir()} == expected
