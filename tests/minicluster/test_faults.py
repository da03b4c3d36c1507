"""Every fault of the library, caused in a lab that is stepped, is named by the rule it expects; and every playbook has
a fault, or a reason why no lab can show it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from k8sdiag.cli.faults import rules_of, write
from k8sdiag.minicluster.faults import written
from k8sdiag.minicluster.faults.injection import obstacles, plan
from k8sdiag.minicluster.faults.reenactment import reenactment
from k8sdiag.minicluster.faults.staging import START, stage
from k8sdiag.minicluster.faults.verbs import VERBS
from k8sdiag.minicluster.faults.written import Fault, FaultError, library, parse

PLAYBOOKS = Path(__file__).parents[2] / "playbooks"
WITHOUT: dict[str, str] = yaml.safe_load((written.FOLDER / "without.yaml").read_text(encoding="utf-8"))
GOOD = b"title: {en: it}\nexpects: claim-missing\nsubject: pod/web\nmanifest: |\n  "
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web"},
    "spec": {"containers": [{"name": "app", "image": "x"}]},
}


@pytest.mark.parametrize("name", sorted(library()))
def test_the_rule_expected_is_named_first(name: str, tmp_path: Path) -> None:
    fault = library()[name]
    assert rules_of(stage(fault), tmp_path / name)[:1] == [fault.expects]


def test_every_playbook_has_a_fault_or_a_reason() -> None:
    ids = {file.stem for file in PLAYBOOKS.glob("*/*.yaml")}
    shown = {fault.expects for fault in library().values()}
    assert sorted(ids - shown - WITHOUT.keys()) == [], "no fault shows these, and without.yaml does not say why"
    assert sorted(WITHOUT.keys() & shown) == [], "there are faults for these: they go from without.yaml"
    assert sorted((shown | WITHOUT.keys()) - ids) == [], "there are no such playbooks"
    assert [name for name, why in WITHOUT.items() if len(str(why).split()) < 3] == []


@pytest.mark.parametrize("name", ["untolerated-taint", "preempted-and-pending"])
def test_two_runs_with_one_seed_are_the_same_to_the_byte(name: str, tmp_path: Path) -> None:
    for folder, seed in (("one", 7), ("two", 7), ("three", 8)):
        write(stage(library()[name], seed), tmp_path / folder)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert Path("objects.jsonl") in files
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    assert (tmp_path / "one/objects.jsonl").read_bytes() != (tmp_path / "three/objects.jsonl").read_bytes()


def test_time_is_that_of_the_stepped_clock(tmp_path: Path) -> None:
    fault = Fault("timed", namespace="timed", seconds=100.0, manifest=(POD,))
    staged = stage(fault)
    assert START < staged.now < START + 1000
    write(staged, tmp_path / "timed")
    lines = [json.loads(line) for line in (tmp_path / "timed/objects.jsonl").read_bytes().splitlines()]
    assert all("2026-01-05T08:" in line["t"] for line in lines)
    assert [line["t"] for line in lines] == sorted(line["t"] for line in lines)


def test_what_the_api_server_refuses_is_kept() -> None:
    bad = {**POD, "spec": {"containers": []}}
    staged = stage(Fault("refused", namespace="refused", seconds=1.0, manifest=(bad,)))
    assert len(staged.refusals) == 1
    assert "spec.containers: Required value" in staged.refusals[0]


def test_behaviours_are_handed_to_the_containers_they_name() -> None:
    fault = Fault(
        "said", namespace="said", seconds=5.0, manifest=(POD,),
        behaviours={"app": [{"log": "boom"}, {"exit": 3}]},
    )  # fmt: skip
    staged = stage(fault)
    status: dict[str, Any] = staged.cluster.client().get("pods", "said", "web")["status"]["containerStatuses"][0]
    assert status["restartCount"] >= 1
    assert "boom" in "".join(log.text for log in staged.logs())


@pytest.mark.parametrize(
    ("name", "subject", "rule"),
    [
        ("pend-psa", "deployment/web", "pod-security-violated"),  # by a label of its namespace
        ("pend-pvc-noclass", "pod/db", "claim-no-class"),  # for the cluster had no StorageClass
        ("term-finalizer", "pod/web", "terminating-finalizer"),  # by what its reenact.yaml does
    ],
)
def test_a_recorded_incident_is_enacted_again(name: str, subject: str, rule: str, tmp_path: Path) -> None:
    fault = replace(reenactment(PLAYBOOKS.parent / "recordings" / name), subject=subject)
    staged = stage(fault)
    assert staged.refusals == []
    assert fault.namespace == name
    assert rules_of(staged, tmp_path / name)[:1] == [rule]
    assert staged.now - START > fault.seconds


def test_what_is_no_recording_cannot_be_enacted(tmp_path: Path) -> None:
    with pytest.raises(FaultError, match="neither a reenact"):
        reenactment(tmp_path)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"", "bad.yaml:1: a fault is a mapping"),
        (b"title: {en: x}\nexpect: y\n", "bad.yaml:2: unknown key 'expect': is 'expects' meant?"),
        (b"title: {en: x}\n", "bad.yaml:1: 'expects' is missing"),
        (GOOD + b"apiVersion: v1\n  kind: Pod\n", "bad.yaml:5: Pod without a metadata.name"),
        (GOOD + b"a: [1\n", "bad.yaml:6: not YAML"),
        (GOOD + b"kind: x\nfor: soon\n", "bad.yaml:6: 'soon' is no duration"),
        (GOOD + b"kind: x\nnodes: many\n", "bad.yaml:6: 'nodes' is how many"),
        (GOOD + b"kind: x\nsteps:\n- {do: kordon}\n", "bad.yaml:7: unknown verb 'kordon': is 'cordon' meant?"),
        (GOOD + b"kind: x\nsteps:\n- {do: cordon}\n", "bad.yaml:7: 'cordon' needs 'node'"),
        (GOOD + b"kind: x\nsteps:\n- {do: cordon, node: a, at: 3}\n", "bad.yaml:7: 'cordon' does not take 'at'"),
    ],
)
def test_what_is_written_wrongly_is_refused_with_its_line(text: bytes, complaint: str) -> None:
    with pytest.raises(FaultError) as refused:
        parse(text.replace(b"kind: x\n", b"{apiVersion: v1, kind: Pod, metadata: {name: web}}\n"), "bad.yaml", "bad")
    assert str(refused.value).startswith(complaint)


def test_what_cannot_be_injected_says_why() -> None:
    assert obstacles(library()["untolerated-taint"]) == []
    assert obstacles(library()["log-nil-pointer"]) == []
    assert obstacles(library()["log-nil-pointer"], simulated=False)
    assert obstacles(library()["scheduler-not-acting"]) == ["it needs a cluster without scheduler"]
    assert list(plan(library()["untolerated-taint"], "trial"))


def test_every_fault_is_as_real_clusters_take_it() -> None:
    """What is refused is refused in the fault's title too, or by what comes first."""
    for fault in library().values():
        for step in (*fault.before, *fault.steps):
            assert step.verb in VERBS
        assert fault.title[0].islower() or fault.title[0].isupper()
        assert not fault.title.endswith(".")
