"""The same document as JSON, in YAML, for people who read it and tools that want it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import yaml

from k8sdiag.finding import Report, ScanReport
from k8sdiag.render import Look, document, list_document, scan_document

_ENDLESS = 1 << 30  # columns: a folded string is no longer what was logged
# What a reader of YAML 1.1 or 1.2 other than PyYAML might take for a number, a truth value or nothing.
_NOT_PLAIN = re.compile(r"[-+.]?[0-9][-+0-9a-zA-Z_.:]*|[yYnN~]|[=<]", re.ASCII)


def diagnosis(report: Report, _look: Look) -> str:
    """One `Diagnosis`."""
    return _written(document(report))


def diagnoses(reports: Sequence[Report], _look: Look) -> str:
    """One `DiagnosisList`."""
    return _written(list_document(reports))


def scan(report: ScanReport, _look: Look) -> str:
    """One `Scan`."""
    return _written(scan_document(report))


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 (PyYAML's signature)
        return True


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    lines = text.split("\n")
    style = None
    if not all(map(str.isprintable, lines)) or _NOT_PLAIN.fullmatch(text):
        style = '"'
    elif len(lines) > 1:
        style = "|"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


_Dumper.add_representer(str, _string)


def _written(body: dict[str, Any]) -> str:
    text = yaml.dump(body, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_ENDLESS)
    return "\n".join(line if line.isprintable() else _escaped(line) for line in text.split("\n"))


def _escaped(line: str) -> str:
    # strings with such characters were all put in double quotes, where these escapes hold
    return "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in line)
