"""A report to paste into an issue, a chat or a post-mortem.

Evidence stands in code spans and fences longer than any run of backticks in it, so nothing in it can format, link,
mention anybody or end the block. Sentences are escaped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from k8sdiag.evidence import Gap
from k8sdiag.finding import Finding, Fix, Moment, Report, ScanReport
from k8sdiag.harmless import harmless
from k8sdiag.render import (
    Look,
    ago,
    certainty,
    count_subjects,
    found_state,
    full_name,
    gap_sentence,
    groups_of,
    main_finding,
    origin,
    other_findings,
    scan_verdict,
    verdict,
)

_MARKS = {"critical": "❌", "error": "❌", "warning": "⚠", "info": "ℹ", "healthy": "✅", "unknown": "❔"}  # noqa: RUF001 (meant)
_PROOFS, _MOMENTS, _SUBJECTS = 12, 20, 10
_LIMIT, _BLOCK_LIMIT = 1200, 16_384
_TICKS = re.compile("`+")
_SPECIAL = re.compile(
    r"[\\`*\[\]<>|~$]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)|(?<!\S)[#+=-](?=[#+=-]*(?:\s|$))|(?<=^\d)[.)]"
)
_MENTION = re.compile(r"(?<!\w)(@[\w/-]+|#\d+)")
_WEB = re.compile(r"https?://[^\s<>()\"'`\\]+", re.ASCII)


def diagnosis(report: Report, _look: Look) -> str:
    """One subject under a heading."""
    return "\n".join(_diagnosis(report)).rstrip("\n") + "\n"


def diagnoses(reports: Sequence[Report], look: Look) -> str:
    """One after the other."""
    if not reports:
        return "Nothing to look at.\n"
    return "\n---\n\n".join(diagnosis(report, look) for report in reports)


def scan(report: ScanReport, _look: Look) -> str:
    """A table of causes, then each with its proof and fix."""
    shown = groups_of(report)
    lines = [f"## {_prose(report.scope) or 'cluster'}: {scan_verdict(report)}", ""]
    if shown:
        lines += ["| # | Severity | What | Cause |", "|---|---|---|---|"]
    for number, (group, found) in enumerate(shown, 1):
        what = count_subjects(group.subjects) if len(group.subjects) > 1 else full_name(found.subject)
        cause = _prose(group.cause or group.title)
        lines.append(f"| {number} | {group.severity} | {_prose(what)} | {cause} |")
    lines += [""] if shown else []
    for number, (group, found) in enumerate(shown, 1):
        names = ", ".join(_code(full_name(ref)) for ref in group.subjects[:_SUBJECTS])
        left_out = len(group.subjects) - _SUBJECTS
        lines += [f"### {number}. {_prose(group.cause or group.title)}", ""]
        lines += [names + (f", +{left_out} more" if left_out > 0 else ""), ""] if names else []
        lines += [*_evidence(found, report.taken_at, 2), *_fixes(found.fixes[:1])]
    lines += [*_gaps(report.gaps), *_origin(report)]
    return "\n".join(lines).rstrip("\n") + "\n"


def _diagnosis(report: Report) -> list[str]:
    state = found_state(report)
    status = f" {_prose(report.status)}" if report.status else ""
    lines = [f"## {_MARKS[state]} {_code(str(report.subject))}{status}", "", _bold(verdict(report)), ""]
    main = main_finding(report)
    if main:
        space = f", namespace {_code(report.subject.namespace)}" if report.subject.namespace else ""
        lines += [f"{_prose(certainty(main))}, rule {_code(main.rule)}{space}", ""]
        lines += [_prose(main.symptom), ""] if main.symptom else []
        lines += ["### Why", "", *_evidence(main, report.taken_at, _PROOFS)]
        lines += ["### Fix", "", *_fixes(main.fixes)] if main.fixes else []
        lines += ["### Verify", "", *_fence(main.verify), ""] if main.verify else []
        lines += [f"- {_link(link)}" for link in main.links] + ([""] if main.links else [])
    lines += _others(other_findings(report))
    return [*lines, *_gaps(report.gaps), *_timeline(report), *_origin(report)]


def _evidence(found: Finding, taken_at: str, most: int) -> list[str]:
    lines: list[str] = []
    for proof in found.evidence[:most]:
        about = [_prose(proof.source), _code(proof.ref) if proof.ref else "", _prose(ago(proof.time, taken_at))]
        lead = "- " + ", ".join(part for part in about if part)
        if "\n" in proof.text.strip():
            lines += [f"{lead}:", "", *(f"  {line}" for line in _fence(proof.text)), ""]
        else:
            lines.append(f"{lead}: {_code(proof.text)}" if proof.text else lead)
    left_out = len(found.evidence) - most
    lines += [f"- … {left_out} more"] if left_out > 0 else []
    return [*lines, ""] if lines and lines[-1] else lines


def _fixes(fixes: Sequence[Fix]) -> list[str]:
    lines: list[str] = []
    for fix in fixes:
        lines += [_bold(fix.title), ""]
        lines += [*_fence("\n".join(fix.commands), "sh"), ""] if fix.commands else []
        lines += [*_fence(fix.patch), ""] if fix.patch else []
        lines += [f"Risk: {_prose(fix.risk)}", ""] if fix.risk else []
    return lines


def _others(others: Sequence[Finding]) -> list[str]:
    if not others:
        return []
    lines = [f"- {o.severity}, {_code(str(o.subject))}: {_prose(o.cause or o.title)}" for o in others]
    return ["### Also found", "", *lines, ""]


def _gaps(gaps: Sequence[Gap]) -> list[str]:
    if not gaps:
        return []
    return ["### Not looked at", "", *(f"- {_prose(gap_sentence(gap))}" for gap in gaps), ""]


def _timeline(report: Report) -> list[str]:
    if not report.timeline:
        return []
    moments = report.timeline[-_MOMENTS:]
    return ["### Timeline", "", *_fence("\n".join(_moment(moment, report.taken_at) for moment in moments)), ""]


def _moment(moment: Moment, taken_at: str) -> str:
    return harmless("  ".join(part for part in (ago(moment.time, taken_at), moment.ref, moment.text) if part), 300)


def _origin(report: Report | ScanReport) -> list[str]:
    return [_prose(origin(report))] if origin(report) else []


def _prose(text: str) -> str:
    """A sentence with nothing in it that formats; what would notify somebody becomes code."""
    escaped = _SPECIAL.sub(r"\\\g<0>", harmless(text, _LIMIT).strip())
    return _MENTION.sub(r"`\1`", escaped)


def _bold(text: str) -> str:
    return f"**{_prose(text)}**" if _prose(text) else ""


def _code(text: str) -> str:
    text = harmless(text, _LIMIT).strip() or " "
    ticks = "`" * (max(map(len, _TICKS.findall(text)), default=0) + 1)
    space = " " if len(ticks) > 1 else ""
    return f"{ticks}{space}{text}{space}{ticks}"


def _fence(text: str, language: str = "") -> list[str]:
    text = harmless(text, _BLOCK_LIMIT, newlines=True).strip("\n")
    ticks = "`" * max(3, max(map(len, _TICKS.findall(text)), default=0) + 1)
    return [ticks + language, *text.split("\n"), ticks]


def _link(url: str) -> str:
    return f"<{url}>" if _WEB.fullmatch(url) else _code(url)
