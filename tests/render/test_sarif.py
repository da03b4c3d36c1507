"""SARIF 2.1.0: what the standard requires of a log, for each report."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings

from k8sdiag.finding import Report, ScanReport
from k8sdiag.render import render, render_many
from tests.render.hostile import ANY
from tests.render.samples import CRASHING, HEALTHY, SCAN, UNLOOKED


def _run(text: str) -> dict[str, Any]:
    log = json.loads(text)
    assert set(log) == {"$schema", "version", "runs"}
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    assert run["tool"]["driver"]["name"] == "k8sdiag"
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for rule in rules:
        assert rule["shortDescription"].keys() == {"text"}
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note")
        assert isinstance(result["message"]["text"], str)
        assert 0 <= result["rank"] <= 100
        for place in [*result["locations"], *result["relatedLocations"]]:
            assert place["logicalLocations"][0].keys() == {"name", "fullyQualifiedName", "kind"}
    for invocation in run["invocations"]:
        assert invocation["executionSuccessful"] is True
    return dict(run)


@given(report=ANY)
@settings(deadline=None)
def test_every_report_is_a_log(report: Report | ScanReport) -> None:
    assert len(_run(render(report, "sarif"))["results"]) == len(report.findings)


def test_levels_and_places() -> None:
    run = _run(render(CRASHING, "sarif"))
    assert [result["level"] for result in run["results"]] == ["error", "warning", "note"]
    place = run["results"][0]["locations"][0]["logicalLocations"][0]
    assert place["fullyQualifiedName"] == "shop/pod/api-7c5d9b6f4-x2x8p"


def test_a_rule_is_said_once_however_often_it_fires() -> None:
    run = _run(render(SCAN, "sarif"))
    assert len(run["results"]) == len(SCAN.findings)
    assert len(run["tool"]["driver"]["rules"]) == 3


def test_several_subjects_are_one_run_and_gaps_are_told() -> None:
    run = _run(render_many([HEALTHY, UNLOOKED, CRASHING], "sarif"))
    assert len(run["results"]) == 4
    assert len(run["invocations"][0]["toolExecutionNotifications"]) == 3


def test_no_reports_are_an_empty_run() -> None:
    assert _run(render_many([], "sarif"))["results"] == []
