"""Every recording gets the answer its scenario asks for, and no rule holds where it does not belong.

Real recordings say what the first finding must match (`expect.top`), made ones which rule it must be (`expect.rule`)
and which others may stand beside it (`expect.also`).
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from k8sdiag.diagnose import diagnose
from k8sdiag.engine import FactIndex, Rules
from k8sdiag.evidence import CLUSTER_SCOPED, Ref
from k8sdiag.facts import derive
from k8sdiag.finding import Report, at_least
from k8sdiag.kinds import parse_kind
from k8sdiag.playbook import bundled_folder, compile_folder
from k8sdiag.recording import load
from k8sdiag.relations import View, closure
from k8sdiag.render import render

RECORDINGS = Path(__file__).parent.parent / "recordings"
NAMES = sorted(path.parent.name for path in RECORDINGS.glob("*/scenario.yaml"))
PLAYBOOKS = compile_folder(bundled_folder())
RULES = Rules(PLAYBOOKS)
FLAWED = re.compile(
    r"rollout (?:undo|restart|status) (?:pod|job|cronjob)/|set (?:env|resources) (?:pod|job)/(?!.*--list)|"
    r"edit (?:pod|job)/|patch (?:pod|job)/\S+ .*(?:template|strategy)|exec .* -- '|(?<!\S)''(?!')|"
    r"get job \S+ (?:-n \S+ )?-o (?:json|yaml) \| kubectl replace|push \S+@sha256|replace --force -f pod\.yaml$|"
    r"get secrets? \S+ .*-o (?:yaml|json|jsonpath\S+)(?!.*\| (?:jq|kubectl))"
)
"""Commands that the API server or the shell would refuse, or that print what a Secret holds."""
CAUSES = {playbook.id for playbook in PLAYBOOKS if playbook.level == 3}


@cache
def scenario(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((RECORDINGS / name / "scenario.yaml").read_text()))


@cache
def subject_of(name: str) -> Ref:
    word, _, rest = scenario(name)["subject"].partition("/")
    kind = parse_kind(word)
    assert kind is not None
    return Ref(kind.kind, "" if kind.kind in CLUSTER_SCOPED else scenario(name).get("namespace", name), rest)


@cache
def report_of(name: str) -> Report:
    return diagnose(load(RECORDINGS / name), subject_of(name), PLAYBOOKS)


@cache
def fired_in(name: str) -> dict[str, set[str]]:
    """Rule to the subjects it holds for, before the vaguer gives way."""
    snapshot = load(RECORDINGS / name).with_deleted(subject_of(name))
    found: dict[str, set[str]] = {}
    for fired in RULES.fire(FactIndex(derive(View(snapshot, closure(snapshot, subject_of(name)))))):
        found.setdefault(fired.playbook.id, set()).add(str(fired.anchor.ref))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_first_finding_is_the_cause(name: str) -> None:
    expect, report = scenario(name)["expect"], report_of(name)
    document = json.loads(render(report, "json"))
    top = json.dumps(document["findings"][0], ensure_ascii=False) if document["findings"] else ""
    for pattern in expect.get("top", []):
        assert re.search(pattern, top), f"{pattern!r} is not in {top or 'an empty answer'}"
    for pattern in expect.get("never", []):
        assert not re.search(pattern, json.dumps(document, ensure_ascii=False)), pattern
    if expect.get("rule"):
        assert [found.rule for found in report.findings][:1] == [expect["rule"]]
        assert not report.healthy or report.findings[0].severity == "info"


@pytest.mark.parametrize("name", NAMES)
def test_findings_are_the_expected(name: str, update: bool) -> None:
    """expected.yaml: the findings in their order; `--update` rewrites it, to be read as a diff."""
    path = RECORDINGS / name / "expected.yaml"
    found = [
        {"rule": item.rule, "severity": item.severity, "subject": str(item.subject)}
        for item in report_of(name).findings
    ]
    if update:
        path.write_text(yaml.safe_dump({"findings": found}, sort_keys=False))
    assert yaml.safe_load(path.read_text())["findings"] == found


@pytest.mark.parametrize("name", NAMES)
def test_no_other_rule_holds(name: str) -> None:
    """Of the rules that name a cause only the expected may hold; the vaguer ones must have given way. A real
    recording's expected rules are those of its expected.yaml."""
    expect, report = scenario(name)["expect"], report_of(name)
    allowed = {expect.get("rule", ""), *expect.get("also", [])}
    if expect.get("top"):
        allowed |= {found.rule for found in report.findings}
        allowed |= {rule for playbook in PLAYBOOKS if playbook.id in allowed for rule in playbook.supersedes}
    stray = {rule: on for rule, on in fired_in(name).items() if rule in CAUSES and rule not in allowed}
    stray = {rule: on for rule, on in stray.items() if severity(rule) != "info"}
    assert not stray, f"{stray} hold, and belong elsewhere (expected {sorted(allowed)})"
    left = {found.rule for found in report.findings if at_least(found.severity, "warning")} - allowed
    assert not left, f"{left} remain beside {sorted(allowed)}"


@pytest.mark.parametrize("name", NAMES)
def test_every_finding_says_how_to_mend_it(name: str) -> None:
    for found in report_of(name).findings:
        assert found.fixes, found.rule
        assert any(fix.commands or fix.patch for fix in found.fixes), found.rule
        assert not any(" ./-" in command for fix in found.fixes for command in fix.commands), "an option, not a file"
        for fix in found.fixes:
            assert not [command for command in fix.commands if FLAWED.search(command)], found.rule


def severity(rule: str) -> str:
    return next(playbook.severity for playbook in PLAYBOOKS if playbook.id == rule)


@pytest.mark.parametrize(
    "name", [n for n in NAMES if not scenario(n)["expect"].get("top") and not scenario(n)["expect"].get("rule")]
)
def test_healthy_is_silent(name: str) -> None:
    report = report_of(name)
    assert not [found.rule for found in report.findings if at_least(found.severity, "warning")]
    assert report.healthy


@pytest.mark.parametrize("rule", sorted(playbook.id for playbook in PLAYBOOKS))
def test_rule_has_a_recording_where_it_holds(rule: str) -> None:
    """A rule that no recording shows is a claim without proof."""
    assert any(rule in fired_in(name) for name in NAMES), f"no recording shows {rule}"
