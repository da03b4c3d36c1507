"""Text for a terminal: what is said where, and that it can be pasted."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from k8sdiag.columns import columns
from k8sdiag.evidence import Gap, Ref
from k8sdiag.finding import Fix, Group, Moment, Proof
from k8sdiag.render import render, render_many
from tests.render.samples import CRASHING, HEALTHY, LATEST, MODULE_MISSING, QUIET_SCAN, SCAN, UNLOOKED


def _with(**changes: object) -> str:
    return render(replace(CRASHING, findings=(replace(MODULE_MISSING, **changes),)), "text")  # type: ignore[arg-type]


def test_healthy_is_one_line() -> None:
    assert render(HEALTHY, "text") == "✓ deployment/web  3/3 ready — nothing wrong found\n"


def test_could_not_look_is_never_healthy() -> None:
    text = render(UNLOOKED, "text")
    assert text.startswith("? node/node1  Ready — nothing wrong found, but not everything could be looked at\n")
    assert "NOT LOOKED AT" in text


def test_not_healthy_for_no_known_reason() -> None:
    text = render(replace(HEALTHY, healthy=False, status="Pending"), "text")
    assert text.startswith("? deployment/web  Pending — not healthy, and no rule knows the cause\n")


def test_information_does_not_make_a_healthy_subject_ill() -> None:
    text = render(replace(HEALTHY, findings=(LATEST,)), "text")
    assert text.startswith("✓ deployment/web  3/3 ready — nothing wrong found\n")
    assert "i info" in text


def test_the_verdict_comes_first_and_severity_is_a_word() -> None:
    first, second, third = render(CRASHING, "text").split("\n")[:3]
    assert first.startswith("✗ pod/api-7c5d9b6f4-x2x8p  CrashLoopBackOff — Container app exits with code 1")
    assert second == "  Python cannot find module flask"
    assert third == "  error, 95% sure; rule python-module-missing; namespace shop"


@pytest.mark.parametrize("unicode", [True, False])
def test_commands_stand_alone_and_whole(unicode: bool) -> None:
    lines = [line.strip() for line in render(CRASHING, "text", width=50, unicode=unicode).split("\n")]
    for found in CRASHING.findings[:1]:
        for fix in found.fixes:
            assert set(fix.commands) <= set(lines)


def test_a_here_document_is_not_indented() -> None:
    command = "kubectl apply -f - <<'EOF'\nkind: ConfigMap\n  a: b\nEOF"
    assert f"\n{command}\n" in _with(fixes=(Fix("Create it", (command,)),))


def test_a_patch_keeps_its_shape() -> None:
    assert "\n    spec:\n      template:\n" in _with(fixes=(Fix("Patch it", (), "spec:\n  template:\n    x: 1\n"),))


def test_a_sentence_to_verify_is_wrapped_and_a_command_is_not() -> None:
    command = "kubectl -n shop wait --for=condition=Ready pod/api-7c5d9b6f4-x2x8p --timeout=120s && echo mended"
    text = _with(
        verify=f"Then the pod is Ready, and stays so for as long as a liveness probe takes to fail.\n{command}"
    )
    assert f"    {command}\n" in text
    assert "  Then the pod is Ready, and stays so for as long as a liveness probe takes to\n  fail.\n" in text


def test_long_evidence_keeps_its_beginning_and_its_end() -> None:
    log = "\n".join(f"line {number}" for number in range(40))
    text = _with(evidence=(Proof("log", "pod/x", "", log),))
    assert "line 2\n" in text
    assert "… 32 lines\n" in text
    assert "line 35\n" in text
    assert "line 20" not in text


def test_many_proofs_are_counted() -> None:
    proofs = tuple(Proof("event", "", "", f"event {number}") for number in range(11))
    text = _with(evidence=proofs)
    assert "event 7" in text
    assert "event 8" not in text
    assert "… 3 more (-o json shows all)" in text


def test_times_are_ages_and_unknown_times_stay() -> None:
    moments = (Moment("2026-11-21T22:29:48Z", "", "then"), Moment("", "", "some time"), Moment("last week", "", "old"))
    text = render(replace(HEALTHY, timeline=moments, taken_at="2026-11-21T22:33:00Z"), "text")
    assert "  3m12s ago  then\n" in text
    assert "  last week  old\n" in text


def test_the_subject_is_not_said_again_beside_its_evidence() -> None:
    text = render(CRASHING, "text")
    assert "  28s ago  container app\n" in text
    assert "  3m20s ago  node/node1: MemoryPressure became False\n" in text


@pytest.mark.parametrize("width", [0, 20, 60, 80, 200])
@pytest.mark.parametrize("report", [CRASHING, HEALTHY, UNLOOKED, SCAN, QUIET_SCAN])
def test_lines_keep_to_the_width(report: object, width: int) -> None:
    text = render(report, "text", width=width)  # type: ignore[arg-type]
    free = ("kubectl ", "https://", "image: ")
    lines = [line for line in text.split("\n") if not line.lstrip().startswith(free)]
    assert max(map(columns, lines)) <= max(width, 40)


@pytest.mark.parametrize("report", [CRASHING, HEALTHY, UNLOOKED, SCAN, QUIET_SCAN])
def test_no_escape_without_colour(report: object) -> None:
    assert "\x1b" not in render(report, "text")  # type: ignore[arg-type]
    assert "\x1b[" in render(report, "text", colour=True)  # type: ignore[arg-type]


def test_a_scan_counts_what_has_one_cause() -> None:
    text = render(SCAN, "text")
    assert "critical  9 pods, one cause — Image shop/web:v2 does not exist" in text
    assert "pod/web-0, pod/web-1, pod/web-2, pod/web-3, pod/web-4, +4 more\n" in text
    assert "3 causes behind 11 findings" in text


def test_a_scan_shows_findings_that_no_group_speaks_for() -> None:
    assert "Container app has no memory limit" in render(SCAN, "text")


def test_a_scan_of_several_namespaces_names_them() -> None:
    elsewhere = replace(MODULE_MISSING, subject=Ref("Pod", "bank", "api"))
    group = Group("python-module-missing", "", "error", "x", (MODULE_MISSING.subject, elsewhere.subject), 0)
    text = render(replace(SCAN, findings=(MODULE_MISSING, elsewhere), groups=(group,)), "text")
    assert "shop/pod/api-7c5d9b6f4-x2x8p, bank/pod/api\n" in text


def test_a_scan_that_could_not_look_is_not_healthy() -> None:
    text = render(replace(QUIET_SCAN, gaps=(Gap("pods", "forbidden"),)), "text")
    assert text.startswith("? all namespaces — nothing wrong found, but not everything could be looked at\n")


def test_several_subjects_end_with_a_count() -> None:
    text = render_many([HEALTHY, UNLOOKED, CRASHING], "text")
    assert text.endswith("\n\n3 looked at: 1 error, 1 healthy, 1 unknown\n")
    assert render_many([HEALTHY], "text") == render(HEALTHY, "text")
    assert render_many([], "text") == "nothing to look at\n"


def test_an_unknown_format_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ValueError, match="unknown format 'xml': choose from text, json, yaml"):
        render(HEALTHY, "xml")


def test_text_imports_no_other_format_and_nothing_heavy() -> None:
    code = "import sys, k8sdiag.render.text; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"yaml", "orjson", "rich", "html", "json", "k8sdiag.render.json", "k8sdiag.render.html"} & set(loaded)
