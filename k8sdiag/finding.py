"""What a diagnosis is: findings with cause, proof and fix, ready for any renderer.

The JSON these become is the contract `k8sdiag/v1` (see `k8sdiag/render/schema.json`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from k8sdiag.evidence import Gap, Ref

SEVERITIES = ("critical", "error", "warning", "info")  # worst first


def at_least(severity: str, threshold: str) -> bool:
    """Is `severity` as bad as `threshold` or worse?"""
    return SEVERITIES.index(severity) <= SEVERITIES.index(threshold)


@dataclass(frozen=True, slots=True)
class Proof:
    """One piece of evidence behind a finding.

    `source` is where it was read: event, status, spec, log, journal, object, reading. `ref` is what it is about, in
    kubectl's words (`pod/web`, `pod/web container app`); `time` is RFC 3339 or ''; `text` is verbatim evidence (never
    sanitised here: renderers do that).
    """

    source: str
    ref: str
    time: str
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """One way to mend it: commands and a patch ready to paste, and what it risks ('' where nothing)."""

    title: str
    commands: tuple[str, ...] = ()
    patch: str = ""
    risk: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, with its cause."""

    rule: str
    title: str
    severity: str
    confidence: float
    subject: Ref
    symptom: str
    cause: str
    evidence: tuple[Proof, ...] = ()
    fixes: tuple[Fix, ...] = ()
    verify: str = ""
    links: tuple[str, ...] = ()
    group: str = ""  # findings with an equal rule and group have one cause (`scan`)
    affects: tuple[Ref, ...] = ()  # other subjects whose own findings this one explains


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of the timeline."""

    time: str
    ref: str
    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """The diagnosis of one subject. `status` is the word kubectl shows. `healthy` is True only where nothing at or
    above warning was found and nothing that could hide a fault was left unlooked at."""

    subject: Ref
    status: str
    healthy: bool
    findings: tuple[Finding, ...] = ()
    gaps: tuple[Gap, ...] = ()
    timeline: tuple[Moment, ...] = ()
    taken_at: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Findings of one scan that share a cause."""

    rule: str
    title: str
    severity: str
    cause: str
    subjects: tuple[Ref, ...]
    finding: int  # index in ScanReport.findings of the one to show


@dataclass(frozen=True, slots=True)
class ScanReport:
    """Everything that is wrong in a namespace or a cluster, worst and widest first.

    `totals`: objects looked at by kind, findings by severity.
    """

    scope: str
    findings: tuple[Finding, ...] = ()
    groups: tuple[Group, ...] = ()
    gaps: tuple[Gap, ...] = ()
    totals: dict[str, int] = field(default_factory=dict)
    taken_at: str = ""
    source: str = ""
