"""Snapshot and playbooks to a Report: facts, rules, then what explains what, then rank. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from k8sdiag.clock import format_time
from k8sdiag.engine import FactIndex, Fired, Rules
from k8sdiag.evidence import Gap, Ref, Snapshot
from k8sdiag.facts import derive
from k8sdiag.finding import SEVERITIES, Finding, Report, at_least
from k8sdiag.playbook import Playbook
from k8sdiag.relations import View, closure
from k8sdiag.report import finding_of, group_key
from k8sdiag.status import status_of
from k8sdiag.timeline import timeline_of


def diagnose(snapshot: Snapshot, subject: Ref, playbooks: Iterable[Playbook], language: str = "en") -> Report:
    """The diagnosis of one subject. A deleted one is diagnosed as it last was, where the history knows that; one that
    is not in the snapshot at all yields a gap. Neither is ever healthy."""
    word, well = status_of(snapshot, subject)
    snapshot = snapshot.with_deleted(subject)
    scope = closure(snapshot, subject)
    view = View(snapshot, scope)
    fired = Rules(playbooks).fire(FactIndex(derive(view)))
    kept = explain(fired)
    findings = [finding_of(item, affects, snapshot, language) for item, affects in kept]
    order = sorted(range(len(kept)), key=lambda n: rank(kept[n][0], findings[n], subject))
    ranked = _merged([(kept[n][0], findings[n]) for n in order])
    gaps = snapshot.gaps
    if snapshot.find(subject) is None:
        gaps = (*gaps, Gap(f"{subject.kind} {subject.name}", "not in the evidence", "its own state is not known"))
    bad = any(at_least(finding.severity, "warning") for finding in ranked)
    return Report(
        subject=subject,
        status=word,
        healthy=well and not bad,
        findings=tuple(ranked),
        gaps=gaps,
        timeline=timeline_of(snapshot, subject, scope),
        taken_at=format_time(snapshot.taken_at),
        source=snapshot.source,
    )


def explain(fired: list[Fired]) -> list[tuple[Fired, list[Ref]]]:
    """What remains when the vaguer gives way to the more telling; with the subjects each remaining one explains."""
    near = _Near(fired)
    gone: set[int] = set()
    affects: dict[int, dict[Ref, None]] = {}
    for number, item in enumerate(fired):
        for other in near.of(number):
            lesser = fired[other]
            if gives_way(lesser, item):
                gone.add(other)
                if lesser.anchor.ref != item.anchor.ref:
                    affects.setdefault(number, {})[lesser.anchor.ref] = None
    return [(item, list(affects.get(number, ()))) for number, item in enumerate(fired) if number not in gone]


class _Near:
    """Which fired rules could explain each other: those that share a key. Two that are about pods must share the pod,
    so that a workload of thousands of broken pods does not compare each with each."""

    def __init__(self, fired: list[Fired]) -> None:
        self._fired = fired
        self._by_key: tuple[dict[tuple[str, str], list[int]], ...] = ({}, {})
        for number, item in enumerate(fired):
            table = self._by_key[_about_pod(item)]
            for key, values in item.keys.items():
                if key != "namespace":
                    for value in values:
                        table.setdefault((key, value), []).append(number)

    def of(self, number: int) -> list[int]:
        item, found = self._fired[number], set[int]()
        for key, values in item.keys.items():
            for value in values:
                found.update(self._by_key[False].get((key, value), ()))
                if key in ("pod", "container") or not _about_pod(item):
                    found.update(self._by_key[True].get((key, value), ()))
        return sorted(found - {number})


def _about_pod(item: Fired) -> bool:
    return bool(item.anchor.keys.get("pod"))


def gives_way(lesser: Fired, greater: Fired) -> bool:
    """Is `lesser` only a vaguer view of what `greater` names? Both already share a key."""
    if lesser.playbook.id == greater.playbook.id:
        return False
    if lesser.playbook.id in greater.playbook.supersedes:
        return _same_place(lesser.anchor.keys, greater.anchor.keys) is not False
    if greater.playbook.level <= lesser.playbook.level or not at_least(greater.playbook.severity, "warning"):
        return False
    milder = SEVERITIES.index(greater.playbook.severity) > SEVERITIES.index(lesser.playbook.severity)
    if milder and lesser.playbook.level > 1:  # a state word gives way to whatever explains it, however mild
        return False
    same = _same_place(lesser.keys, greater.keys)
    if same is not None:
        return same
    if lesser.playbook.level > 1:
        return False
    shared = any(_overlap(lesser.keys, greater.keys, key) for key in ("claim", "workload", "service"))
    return shared or lesser.anchor.ref == greater.anchor.ref


def _same_place(one: Mapping[str, Collection[str]], other: Mapping[str, Collection[str]]) -> bool | None:
    """Are both about the same container, or where one is not about a container, the same pod? None where that cannot
    be said, because one of them is about neither."""
    for key in ("container", "pod"):
        if one.get(key) and other.get(key):
            return _overlap(one, other, key)
    return None


def _overlap(one: Mapping[str, Collection[str]], other: Mapping[str, Collection[str]], key: str) -> bool:
    return not set(one.get(key, ())).isdisjoint(other.get(key, ()))


def rank(fired: Fired, finding: Finding, subject: Ref) -> tuple[object, ...]:
    """Worst first; then causes before states; then what is said of the subject itself; then the surest."""
    return (
        SEVERITIES.index(finding.severity),
        -fired.playbook.level,
        finding.subject != subject,
        -len(finding.affects),
        -finding.confidence,
        finding.rule,
        finding.subject,
    )


def _merged(findings: list[tuple[Fired, Finding]]) -> list[Finding]:
    """The same said twice is said once, and one cause on several pods of a workload is told for the first of them."""
    leads: dict[tuple[object, ...], int] = {}
    kept: list[Finding] = []
    for fired, finding in findings:
        place = fired.anchor.fields.get("container") or fired.anchor.fields.get(
            "name" if fired.anchor.kind == "container" else ""
        )
        mark = (finding.rule, group_key(fired, finding), place)
        lead = leads.get(mark)
        if lead is None:
            leads[mark] = len(kept)
            kept.append(finding)
        elif kept[lead].subject != finding.subject:
            others = dict.fromkeys((*kept[lead].affects, finding.subject, *finding.affects))
            kept[lead] = replace(kept[lead], affects=tuple(others))
        elif kept[lead].cause != finding.cause:
            kept.append(finding)
    return kept
