"""Reports as text, in one of several formats. Pure, and without decisions: what is wrong was decided before.

Each format is a module of this folder with three functions (see `Renderer`), imported only when asked for: the plain
text of one pod must not pay for the HTML of a cluster. What several formats share is in `k8sdiag.render` itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol, cast

from k8sdiag.clock import parse_time, short_duration
from k8sdiag.evidence import Gap, Ref
from k8sdiag.finding import Finding, Group, Proof, Report, ScanReport, at_least
from k8sdiag.harmless import cut, encodable

API_VERSION = "k8sdiag/v1"
RENDERERS = {name: f"k8sdiag.render.{name}" for name in ("text", "json", "yaml", "markdown", "html", "junit", "sarif")}
_DOCUMENT_LIMIT = 16 * 1024  # of one string in JSON and YAML


@dataclass(frozen=True, slots=True)
class Look:
    """How text should look: columns, colours, and whether the terminal can show more than ASCII."""

    width: int = 80
    colour: bool = False
    unicode: bool = True


class Renderer(Protocol):
    """What each module of this folder offers. Every result ends in exactly one line end."""

    def diagnosis(self, report: Report, look: Look, /) -> str: ...

    def diagnoses(self, reports: Sequence[Report], look: Look, /) -> str: ...

    def scan(self, report: ScanReport, look: Look, /) -> str: ...


def render(
    report: Report | ScanReport, fmt: str, *, width: int = 80, colour: bool = False, unicode: bool = True
) -> str:
    """One report in the format `fmt`, a name of `RENDERERS`. `width`, `colour` and `unicode` matter to text only."""
    renderer, look = _renderer(fmt), Look(width, colour, unicode)
    return renderer.scan(report, look) if isinstance(report, ScanReport) else renderer.diagnosis(report, look)


def render_many(
    reports: Sequence[Report], fmt: str, *, width: int = 80, colour: bool = False, unicode: bool = True
) -> str:
    """Several diagnoses as one document, as `render` would show each."""
    return _renderer(fmt).diagnoses(reports, Look(width, colour, unicode))


def _renderer(fmt: str) -> Renderer:
    if fmt not in RENDERERS:
        raise ValueError(f"unknown format {fmt!r}: choose from {', '.join(RENDERERS)}")
    return cast(Renderer, import_module(RENDERERS[fmt]))


# What the formats share: the words of a verdict


def main_finding(report: Report) -> Finding | None:
    """The one to lead with: the first-ranked that is more than information."""
    return next((found for found in report.findings if at_least(found.severity, "warning")), None)


def other_findings(report: Report) -> list[Finding]:
    """All but the one to lead with, as ranked."""
    main = main_finding(report)
    return [found for found in report.findings if found is not main]


def found_state(report: Report) -> str:
    """The severity of the main finding; `healthy`; or `unknown` where nothing was found and health is not proved."""
    main = main_finding(report)
    if main:
        return main.severity
    return "healthy" if report.healthy else "unknown"


def verdict(report: Report) -> str:
    """One sentence: the cause that ranks first, or why there is none."""
    main = main_finding(report)
    if main:
        return main.cause or main.title
    if report.healthy:
        return "nothing wrong found"
    if report.gaps:
        return "nothing wrong found, but not everything could be looked at"
    return "not healthy, and no rule knows the cause"


def certainty(finding: Finding) -> str:
    """`error, 95% sure`."""
    return f"{finding.severity}, {finding.confidence:.0%} sure"


def ago(time: str, taken_at: str) -> str:
    """A moment as an age at the time of the report (`3m12s ago`); as it stands where that cannot be told."""
    at, now = parse_time(time), parse_time(taken_at)
    return time if at is None or now is None else f"{short_duration(now - at)} ago"


def scan_verdict(report: ScanReport) -> str:
    """`3 causes behind 41 findings`, or that there are none."""
    if report.findings:
        causes = counted(len(groups_of(report)), "cause")
        return f"{causes} behind {counted(len(report.findings), 'finding')}"
    return "nothing wrong found" + (", but not everything could be looked at" if report.gaps else "")


def proof_about(proof: Proof) -> str:
    """`log, pod/web container app`."""
    return ", ".join(part for part in (proof.source, proof.ref) if part)


def origin(report: Report | ScanReport) -> str:
    """`Evidence taken 2026-01-02T03:04:05Z from recordings/crash`; '' where neither is known."""
    taken = f" taken {report.taken_at}" if report.taken_at else ""
    source = f" from {report.source}" if report.source else ""
    return f"Evidence{taken}{source}" if taken or source else ""


def gap_sentence(gap: Gap) -> str:
    """`kubelet journal of node-1: forbidden; node faults may be missed`."""
    return "; ".join(part for part in (f"{gap.what}: {gap.reason}" if gap.reason else gap.what, gap.effect) if part)


def counted(count: int, noun: str) -> str:
    """`1 pod`, `37 pods`, `2 ingresses`, `3 networkpolicies`."""
    if count == 1:
        return f"1 {noun}"
    if noun.endswith("y") and noun[-2:-1] not in tuple("aeiou"):
        return f"{count} {noun[:-1]}ies"
    return f"{count} {noun}{'es' if noun.endswith(('s', 'x', 'ch')) else 's'}"


def count_subjects(subjects: Sequence[Ref]) -> str:
    """`37 pods, 2 jobs`."""
    kinds: dict[str, int] = {}
    for subject in subjects:
        kinds[subject.kind.lower()] = kinds.get(subject.kind.lower(), 0) + 1
    return ", ".join(counted(count, kind) for kind, count in kinds.items())


def full_name(ref: Ref) -> str:
    """`shop/pod/web`: kubectl's words, led by the namespace where there is one."""
    return f"{ref.namespace}/{ref}" if ref.namespace else str(ref)


def groups_of(report: ScanReport) -> list[tuple[Group, Finding]]:
    """Every group with the finding to show for it, and every finding no group speaks for as a group of its own."""
    spoken_for = {(group.rule, subject) for group in report.groups for subject in group.subjects}
    spoken_for |= {(report.findings[g.finding].rule, report.findings[g.finding].subject) for g in report.groups}
    shown = [(group, report.findings[group.finding]) for group in report.groups]
    for index, found in enumerate(report.findings):
        if (found.rule, found.subject) not in spoken_for:
            alone = Group(found.rule, found.title, found.severity, found.cause, (found.subject,), index)
            shown.append((alone, found))
    return shown


# What the formats share: the document that JSON and YAML write


def document(report: Report) -> dict[str, Any]:
    """A diagnosis in the shape of `schema.json`."""
    body = {
        "apiVersion": API_VERSION,
        "kind": "Diagnosis",
        "subject": _ref(report.subject),
        "status": report.status,
        "healthy": report.healthy,
        "findings": [_finding(found) for found in report.findings],
        "gaps": _gaps(report.gaps),
        "timeline": [{"time": m.time, "ref": m.ref, "text": m.text} for m in report.timeline],
        "takenAt": report.taken_at,
        "source": report.source,
    }
    return cast(dict[str, Any], _bounded(body))


def list_document(reports: Sequence[Report]) -> dict[str, Any]:
    """Several diagnoses in the shape of `schema.json`."""
    return {"apiVersion": API_VERSION, "kind": "DiagnosisList", "items": [document(report) for report in reports]}


def scan_document(report: ScanReport) -> dict[str, Any]:
    """A scan in the shape of `schema.json`."""
    groups = [
        {
            "rule": group.rule,
            "title": group.title,
            "severity": group.severity,
            "cause": group.cause,
            "count": len(group.subjects),
            "subjects": [_ref(subject) for subject in group.subjects],
            "finding": group.finding,
        }
        for group in report.groups
    ]
    body = {
        "apiVersion": API_VERSION,
        "kind": "Scan",
        "scope": report.scope,
        "findings": [_finding(found) for found in report.findings],
        "groups": groups,
        "gaps": _gaps(report.gaps),
        "totals": dict(report.totals),
        "takenAt": report.taken_at,
        "source": report.source,
    }
    return cast(dict[str, Any], _bounded(body))


def _finding(found: Finding) -> dict[str, Any]:
    return {
        "rule": found.rule,
        "title": found.title,
        "severity": found.severity,
        "confidence": found.confidence,
        "subject": _ref(found.subject),
        "symptom": found.symptom,
        "cause": found.cause,
        "evidence": [{"source": p.source, "ref": p.ref, "time": p.time, "text": p.text} for p in found.evidence],
        "fixes": [
            {"title": fix.title, "commands": list(fix.commands), "patch": fix.patch, "risk": fix.risk}
            for fix in found.fixes
        ],
        "verify": found.verify,
        "links": list(found.links),
        "affects": [_ref(ref) for ref in found.affects],
    }


def _ref(ref: Ref) -> dict[str, str]:
    return {"kind": ref.kind, "namespace": ref.namespace, "name": ref.name}


def _gaps(gaps: Sequence[Gap]) -> list[dict[str, str]]:
    return [{"what": gap.what, "reason": gap.reason, "effect": gap.effect} for gap in gaps]


def _bounded(value: Any) -> Any:
    """Every string kept as it is, but cut where it is endless and fit for UTF-8."""
    if isinstance(value, str):
        return encodable(cut(value, _DOCUMENT_LIMIT))
    if isinstance(value, dict):
        return {_bounded(key): _bounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_bounded(item) for item in value]
    return value
