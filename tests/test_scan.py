"""Scans: everything that `check` would find, one group a cause, worst and widest first."""

from __future__ import annotations

import pytest

from k8sdiag.evidence import Snapshot
from k8sdiag.finding import at_least
from k8sdiag.recording import load
from k8sdiag.scan import scan
from tests.incidents.build import Incident, container, crash_loop, terminated, waiting
from tests.test_recordings import NAMES, PLAYBOOKS, RECORDINGS, report_of, scenario, subject_of

MISSING = 'Back-off pulling image "{i}": ErrImagePull: {i}: not found'


@pytest.mark.parametrize("name", NAMES)
def test_a_scan_finds_what_a_check_finds(name: str) -> None:
    snapshot, expect = load(RECORDINGS / name), scenario(name)["expect"]
    findings = scan(snapshot, "", PLAYBOOKS).findings
    found = {finding.rule for finding in findings if at_least(finding.severity, "warning")}
    if not expect.get("top") and not expect.get("rule"):
        assert not found, "a healthy cluster"
        return
    first = report_of(name).findings[0]
    if at_least(first.severity, "warning") and snapshot.find(subject_of(name)) is not None:
        assert first.rule in found


def shop(pods: int) -> Incident:
    made = Incident("", "", "")
    for number in range(pods):
        image = "reg.example/web:v9"
        state = waiting("ImagePullBackOff", MISSING.format(i=image))
        made.pod(f"web-{number:02}", container(image=image, state=state), phase="Pending")
    made.pod("cache", container("cache", state=crash_loop("cache"), last=terminated(137, "OOMKilled"), restarts=4))
    return made


def snapshot_of(made: Incident) -> Snapshot:
    return Snapshot(made.objects, taken_at=1_795_300_800.0)


def test_pods_with_one_cause_are_one_group() -> None:
    report = scan(snapshot_of(shop(37)), "shop", PLAYBOOKS)
    widest = report.groups[0]
    assert (widest.rule, len(widest.subjects)) == ("image-not-found", 37)
    assert report.findings[widest.finding].rule == "image-not-found"
    assert len(report.groups) == 2
    assert report.totals["Pod"] == 38


def test_another_namespace_is_not_scanned() -> None:
    assert not scan(snapshot_of(shop(3)), "elsewhere", PLAYBOOKS).findings
    assert scan(snapshot_of(shop(3)), "", PLAYBOOKS).scope == "all namespaces"


def test_the_order_of_objects_does_not_matter() -> None:
    made = shop(9)
    backwards = Snapshot(list(reversed(made.objects)), taken_at=1_795_300_800.0)
    one, other = scan(snapshot_of(made), "shop", PLAYBOOKS), scan(backwards, "shop", PLAYBOOKS)
    assert [(g.rule, len(g.subjects)) for g in one.groups] == [(g.rule, len(g.subjects)) for g in other.groups]
