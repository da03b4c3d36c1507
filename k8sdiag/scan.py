"""Everything that is wrong in a snapshot, joined by cause and ranked. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from k8sdiag.clock import format_time
from k8sdiag.diagnose import explain
from k8sdiag.engine import FactIndex, Fired, Rules
from k8sdiag.evidence import CLUSTER_SCOPED, Ref, Snapshot
from k8sdiag.facts import derive
from k8sdiag.finding import SEVERITIES, Finding, Group, ScanReport
from k8sdiag.playbook import Playbook
from k8sdiag.relations import View
from k8sdiag.report import finding_of, group_key


def scan(snapshot: Snapshot, namespace: str, playbooks: Iterable[Playbook], language: str = "en") -> ScanReport:
    """All findings of a namespace and of the cluster's own objects, or of everything ('')."""
    view = View(snapshot, _scope(snapshot, namespace))
    kept = explain(Rules(playbooks).fire(FactIndex(derive(view))))
    by_cause: dict[tuple[str, str], list[tuple[Fired, Finding]]] = {}
    for fired, affects in kept:
        finding = finding_of(fired, affects, snapshot, language)
        by_cause.setdefault((finding.rule, group_key(fired, finding)), []).append((fired, finding))
    ordered = sorted(by_cause.values(), key=_weight)
    findings: list[Finding] = []
    groups: list[Group] = []
    for members in ordered:
        lead = max((finding for _, finding in members), key=lambda finding: (finding.confidence, len(finding.evidence)))
        subjects = dict.fromkeys(ref for _, finding in members for ref in (finding.subject, *finding.affects))
        groups.append(Group(lead.rule, lead.title, lead.severity, lead.cause, tuple(subjects), len(findings)))
        findings.append(lead)
        findings.extend(finding for _, finding in members if finding is not lead)
    return ScanReport(
        scope=namespace or "all namespaces",
        findings=tuple(findings),
        groups=tuple(groups),
        gaps=snapshot.gaps,
        totals=_totals(snapshot, namespace, findings),
        taken_at=format_time(snapshot.taken_at),
        source=snapshot.source,
    )


def _scope(snapshot: Snapshot, namespace: str) -> frozenset[Ref] | None:
    if not namespace:
        return None
    return frozenset(
        Ref(kind, obj["metadata"].get("namespace") or "", obj["metadata"]["name"])
        for kind in snapshot.kinds()
        if kind != "Event"
        for obj in (snapshot.of_kind(kind) if kind in CLUSTER_SCOPED else snapshot.of_kind(kind, namespace))
        if kind != "Namespace" or obj["metadata"]["name"] == namespace
    )


def _weight(members: list[tuple[Fired, Finding]]) -> tuple[object, ...]:
    """Worst first; among equals what hits most; then causes before states."""
    fired, finding = members[0]
    touched = {ref for _, item in members for ref in (item.subject, *item.affects)}
    return SEVERITIES.index(finding.severity), -len(touched), -fired.playbook.level, finding.rule, finding.subject


def _totals(snapshot: Snapshot, namespace: str, findings: list[Finding]) -> dict[str, int]:
    totals = {}
    for kind in snapshot.kinds():
        if kind not in ("Event", "Lease"):
            count = snapshot.count(kind) if not namespace else sum(1 for _ in snapshot.of_kind(kind, namespace))
            if count:
                totals[kind] = count
    for severity in SEVERITIES:
        count = sum(finding.severity == severity for finding in findings)
        if count:
            totals[severity] = count
    return totals
