"""JUnit XML: which reports pass, fail and are skipped."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from k8sdiag.finding import Report, ScanReport
from k8sdiag.render import render, render_many
from tests.render.samples import CRASHING, HEALTHY, LATEST, QUIET_SCAN, SCAN, UNLOOKED

_UNKNOWN = replace(HEALTHY, healthy=False)


@pytest.mark.parametrize(
    ("report", "tests", "failures", "skipped"),
    [
        (HEALTHY, 1, 0, 0),
        (replace(HEALTHY, findings=(LATEST,)), 2, 0, 0),
        (UNLOOKED, 2, 0, 1),
        (_UNKNOWN, 1, 0, 1),
        (CRASHING, 3, 2, 0),
        (SCAN, 12, 11, 1),
        (QUIET_SCAN, 1, 0, 0),
    ],
)
def test_counts(report: Report | ScanReport, tests: int, failures: int, skipped: int) -> None:
    root = ET.fromstring(render(report, "junit"))
    found = [int(root.attrib[name]) for name in ("tests", "failures", "skipped")]
    assert found == [tests, failures, skipped]
    assert found == [len(list(root.iter(tag))) for tag in ("testcase", "failure", "skipped")]


def test_a_failure_carries_cause_and_fix() -> None:
    failure = next(ET.fromstring(render(CRASHING, "junit")).iter("failure"))
    main = CRASHING.findings[0]
    assert failure.attrib == {"type": "error", "message": main.cause}
    assert main.fixes[0].commands[0] in (failure.text or "")


def test_several_subjects_are_one_suite() -> None:
    root = ET.fromstring(render_many([HEALTHY, CRASHING], "junit"))
    assert len(list(root.iter("testsuite"))) == 1
    assert int(root.attrib["tests"]) == 4
