"""JUnit XML, so that a CI server shows each finding as a failed test, with its cause and fix.

A finding of warning or worse is a failed case; information is a passed one with its text as output; a healthy subject
is a passed case; a subject that could not be judged is a skipped one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from k8sdiag.clock import format_time, parse_time
from k8sdiag.evidence import Gap
from k8sdiag.finding import Finding, Report, ScanReport, at_least
from k8sdiag.harmless import harmless
from k8sdiag.render import Look, found_state, full_name, gap_sentence, proof_about, verdict

_LIMIT, _BLOCK_LIMIT = 1000, 16_384


@dataclass(frozen=True, slots=True)
class _Case:
    about: str
    name: str
    element: str  # failure, skipped, system-out, or '' for a bare pass
    kind: str = ""
    message: str = ""
    body: str = ""


def diagnosis(report: Report, look: Look) -> str:
    """One suite."""
    return diagnoses([report], look)


def diagnoses(reports: Sequence[Report], _look: Look) -> str:
    """One suite for all."""
    cases = [case for report in reports for case in _cases(report)]
    return _suite(cases, reports[0].taken_at if reports else "")


def scan(report: ScanReport, _look: Look) -> str:
    """One suite, a case for each finding."""
    cases = [_case(found) for found in report.findings]
    if report.gaps:
        cases.append(_gap_case(report.scope or "cluster", report.gaps))
    if not cases:
        cases.append(_Case(report.scope or "cluster", "nothing wrong found", ""))
    return _suite(cases, report.taken_at)


def _cases(report: Report) -> Iterable[_Case]:
    about = full_name(report.subject)
    yield from (_case(found) for found in report.findings)
    state = found_state(report)
    if state == "healthy":
        yield _Case(about, "healthy", "")
    elif state == "unknown":
        reasons = "\n".join(gap_sentence(gap) for gap in report.gaps)
        yield _Case(about, "healthy", "skipped", message=f"{report.status}: {verdict(report)}", body=reasons)


def _case(found: Finding) -> _Case:
    failed = at_least(found.severity, "warning")
    return _Case(
        full_name(found.subject),
        f"{found.rule}: {found.title}",
        "failure" if failed else "system-out",
        found.severity,
        found.cause or found.title,
        _body(found),
    )


def _gap_case(about: str, gaps: Sequence[Gap]) -> _Case:
    return _Case(
        about,
        "everything could be looked at",
        "skipped",
        message="not everything could be looked at",
        body="\n".join(gap_sentence(gap) for gap in gaps),
    )


def _body(found: Finding) -> str:
    lines = [found.cause or found.title, *([found.symptom] if found.symptom else [])]
    lines += ["", "Why:"] if found.evidence else []
    lines += [harmless(f"{proof_about(proof)}: {proof.text}", _LIMIT, newlines=True) for proof in found.evidence]
    for fix in found.fixes:
        lines += ["", f"Fix: {fix.title}", *fix.commands, *([fix.patch.strip("\n")] if fix.patch else [])]
        lines += [f"Risk: {fix.risk}"] if fix.risk else []
    lines += ["", f"Verify: {found.verify}"] if found.verify else []
    return "\n".join([*lines, *found.links])


def _suite(cases: Sequence[_Case], taken_at: str) -> str:
    failures = sum(case.element == "failure" for case in cases)
    skipped = sum(case.element == "skipped" for case in cases)
    counts = f'tests="{len(cases)}" failures="{failures}" errors="0" skipped="{skipped}"'
    taken = format_time(parse_time(taken_at)).removesuffix("Z")  # JUnit's own schema wants no zone
    when = f' timestamp="{taken}"' if taken else ""
    return "\n".join([
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites name="k8sdiag" {counts} time="0">',
        f'  <testsuite name="k8sdiag" {counts} time="0"{when}>',
        *(_testcase(case) for case in cases),
        "  </testsuite>",
        "</testsuites>\n",
    ])  # fmt: skip


def _testcase(case: _Case) -> str:
    start = f"    <testcase classname={_attribute(case.about)} name={_attribute(case.name)}"
    start += ' time="0"'
    body = escape(harmless(case.body, _BLOCK_LIMIT, newlines=True))
    if not case.element:
        return f"{start}/>"
    if case.element == "system-out":
        return f"{start}>\n      <system-out>{body}</system-out>\n    </testcase>"
    kind = f" type={_attribute(case.kind)}" if case.kind else ""
    message = _attribute(case.message)
    return f"{start}>\n      <{case.element}{kind} message={message}>{body}</{case.element}>\n    </testcase>"


def _attribute(text: str) -> str:
    return quoteattr(harmless(text, _LIMIT))
