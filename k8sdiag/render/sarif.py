"""SARIF 2.1.0 (OASIS), for code scanning and whatever else collects findings of many tools.

Objects in a cluster have no file and line: a result names its subject as a logical location.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from k8sdiag import __version__
from k8sdiag.clock import format_time, parse_time
from k8sdiag.evidence import Gap, Ref
from k8sdiag.finding import Finding, Report, ScanReport
from k8sdiag.harmless import harmless
from k8sdiag.render import Look, full_name, gap_sentence, proof_about

_LIMIT, _BLOCK_LIMIT = 4000, 16_384
_LEVELS = {"critical": "error", "error": "error", "warning": "warning", "info": "note"}
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def diagnosis(report: Report, look: Look) -> str:
    """One run."""
    return diagnoses([report], look)


def diagnoses(reports: Sequence[Report], _look: Look) -> str:
    """One run for all."""
    return _log(
        [found for report in reports for found in report.findings],
        [gap for report in reports for gap in report.gaps],
        max((report.taken_at for report in reports), default=""),
    )


def scan(report: ScanReport, _look: Look) -> str:
    """One run."""
    return _log(report.findings, report.gaps, report.taken_at)


def _log(findings: Sequence[Finding], gaps: Sequence[Gap], taken_at: str) -> str:
    rules: dict[str, Finding] = {}
    for found in findings:
        rules.setdefault(found.rule, found)
    numbers = {rule: number for number, rule in enumerate(rules)}
    run = {
        "tool": {
            "driver": {
                "name": "k8sdiag",
                "version": __version__,
                "semanticVersion": __version__,
                "rules": [_rule(found) for found in rules.values()],
            }
        },
        "invocations": [_invocation(gaps, taken_at)],
        "columnKind": "unicodeCodePoints",
        "results": [_result(found, numbers[found.rule]) for found in findings],
    }
    text = json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)
    return text + "\n"


def _rule(found: Finding) -> dict[str, Any]:
    rule: dict[str, Any] = {
        "id": _text(found.rule),
        "shortDescription": {"text": _text(found.title) or _text(found.rule)},
        "defaultConfiguration": {"level": _LEVELS[found.severity]},
    }
    web = [link for link in found.links if link.startswith(("https://", "http://")) and link.isascii()]
    if web and " " not in web[0]:
        rule["helpUri"] = _text(web[0])
    return rule


def _invocation(gaps: Sequence[Gap], taken_at: str) -> dict[str, Any]:
    invocation: dict[str, Any] = {"executionSuccessful": True}
    taken = format_time(parse_time(taken_at))
    if taken:
        invocation["endTimeUtc"] = taken
    if gaps:
        invocation["toolExecutionNotifications"] = [
            {"level": "warning", "message": {"text": _text(f"not looked at: {gap_sentence(gap)}")}} for gap in gaps
        ]
    return invocation


def _result(found: Finding, number: int) -> dict[str, Any]:
    return {
        "ruleId": _text(found.rule),
        "ruleIndex": number,
        "level": _LEVELS[found.severity],
        "rank": round(min(max(found.confidence, 0.0), 1.0) * 100, 1),
        "message": {"text": harmless("\n".join(_message(found)), _BLOCK_LIMIT, newlines=True)},
        "locations": [{"logicalLocations": [_location(found.subject)]}],
        "relatedLocations": [{"logicalLocations": [_location(ref)]} for ref in found.affects],
        "partialFingerprints": {"ruleAndSubject/v1": _text(f"{found.rule}/{full_name(found.subject)}")},
        "properties": {"severity": found.severity, "confidence": found.confidence, "symptom": _text(found.symptom)},
    }


def _message(found: Finding) -> Iterable[str]:
    yield harmless(found.cause or found.title or found.rule, _LIMIT)
    for proof in found.evidence:
        yield harmless(f"{proof_about(proof)}: {proof.text}", _LIMIT, newlines=True)
    for fix in found.fixes:
        yield f"Fix: {fix.title}"
        yield from fix.commands
        if fix.patch:
            yield fix.patch
        if fix.risk:
            yield f"Risk: {fix.risk}"


def _location(ref: Ref) -> dict[str, Any]:
    return {"name": _text(ref.name), "fullyQualifiedName": _text(full_name(ref)), "kind": "resource"}


def _text(text: str) -> str:
    return harmless(text, _LIMIT)
