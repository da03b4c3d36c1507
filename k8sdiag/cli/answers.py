"""Reports to the terminal or the pipe, and the exit code that goes with them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence

from k8sdiag.finding import Finding, Report, ScanReport, at_least
from k8sdiag.render import render, render_many


def show(report: Report | ScanReport | Sequence[Report], fmt: str) -> None:
    """Write a report to standard output; colours and width only for a terminal."""
    width, colour, unicode = _width(), _colour(), _unicode()
    if isinstance(report, Report | ScanReport):
        text = render(report, fmt, width=width, colour=colour, unicode=unicode)
    else:
        text = render_many(report, fmt, width=width, colour=colour, unicode=unicode)
    if not unicode:  # results are UTF-8 wherever the terminal cannot say what it takes; nothing may end in a traceback
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    sys.stdout.write(text)
    sys.stdout.flush()


def exit_code(findings: Iterable[Finding], fail_on: str) -> int:
    """1 where something is as bad as `fail_on`, else 0."""
    return int(any(at_least(finding.severity, fail_on) for finding in findings))


def _width() -> int:
    if not sys.stdout.isatty():
        return 80
    import shutil  # brings compression along

    return max(40, min(shutil.get_terminal_size((80, 24)).columns, 120))


def _colour() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") in ("utf8", "utf16", "utf32")
