"""The contract `k8sdiag/v1` as JSON, for scripts and other tools; `schema.json` says what may be in it.

Evidence is kept as it is. Characters that a terminal or an editor would obey are written as JSON escapes, which any
reader of JSON turns back: `kubectl diag -o json` is looked at in terminals too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from k8sdiag.finding import Report, ScanReport
from k8sdiag.render import Look, document, list_document, scan_document

_OBEYED = re.compile(
    "[\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff\U000e0000-\U000e007f]"
)


def diagnosis(report: Report, _look: Look) -> str:
    """One `Diagnosis`."""
    return _written(document(report))


def diagnoses(reports: Sequence[Report], _look: Look) -> str:
    """One `DiagnosisList`."""
    return _written(list_document(reports))


def scan(report: ScanReport, _look: Look) -> str:
    """One `Scan`."""
    return _written(scan_document(report))


def schema() -> dict[str, Any]:
    """The published JSON Schema (2020-12) of all three."""
    loaded: dict[str, Any] = orjson.loads(Path(__file__).with_name("schema.json").read_bytes())
    return loaded


def _written(body: dict[str, Any]) -> str:
    text = orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
    return text if text.isascii() and "\x7f" not in text else _OBEYED.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    # such characters stand inside strings only, so an escape is right wherever one is found
    units = match.group().encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
