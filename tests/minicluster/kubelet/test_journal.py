"""The lab's nodes write what real ones write: against the journals of real incidents, line by line."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable
from difflib import SequenceMatcher
from io import BytesIO
from pathlib import Path

import pytest
import yaml

from k8sdiag.clock import ManualClock, format_time, parse_time
from k8sdiag.evidence import JournalEntry, Json
from k8sdiag.journal_export import parse_export
from k8sdiag.live.journal import parse
from k8sdiag.minicluster.cluster import MiniCluster
from k8sdiag.minicluster.faults.tape import Tape
from k8sdiag.minicluster.kubelet.go_text import container_text
from k8sdiag.minicluster.kubelet.journal import CONTAINERD, KUBELET, MOST, Journal, quoted
from k8sdiag.recording import load, save

RECORDINGS = Path(__file__).parents[3] / "recordings"
START = 1_795_300_000.0
ANNOTATIONS = {
    "crash-app": {
        "lab.k8sdiag.dev/behaviour.app": "[{log: starting api}, {after: 20ms, log: no module flask}, {exit: 1}]",
    },
}
_MASKS = [
    (re.compile(r"^([IWEF])\d{4} [\d:.]+ +\d+ (\S+?):\d+\]"), r"\1 \2]"),
    (re.compile(r'^time="[^"]+"'), "time"),
    (re.compile(r"[0-9a-f]{64}"), "ID"),
    (re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "UID"),
    (re.compile(r"kube-api-access-\w{5}"), "kube-api-access"),
    (re.compile(r"\b10\.\d+\.\d+\.\d+\b"), "IP"),
    (re.compile(r'(podStartE2EDuration|\w*[oO]bservedRunningTime|podCreationTimestamp)="[^"]+"'), r"\1"),
    (re.compile(r"podStartSLOduration=\S+"), "podStartSLOduration"),
]  # fmt: skip


def masked(text: str) -> str:
    for pattern, word in _MASKS:
        text = pattern.sub(word, text)
    return text


def real(name: str, unit: str) -> list[JournalEntry]:
    packed = (RECORDINGS / name / "journal" / "node1" / f"{unit}.export.gz").read_bytes()
    return list(parse_export(BytesIO(gzip.decompress(packed)), "node1", unit))


def manifest(name: str) -> list[Json]:
    return list(yaml.safe_load_all((RECORDINGS / name / "manifest.yaml").read_text()))


def made(name: str, seconds: float) -> tuple[MiniCluster, list[JournalEntry]]:
    """The lab's journals of the same manifest: the lines that a recorder keeps of a pod, namely those that name it or
    one of the containers that its last status names."""
    cluster = MiniCluster(ManualClock(START), seed=3).start(1)
    cluster.run_for(60)
    client = cluster.client()
    client.create("namespaces", {"metadata": {"name": name}})
    cluster.run_for(1)
    for obj in manifest(name):
        if obj["kind"] == "Pod":
            obj["metadata"]["annotations"] = ANNOTATIONS.get(name, {})
        client.create(f"{obj['kind'].lower()}s", obj, obj["metadata"]["namespace"])
    cluster.run_for(seconds)
    assert cluster.fleet is not None
    words = [name]
    for pod in client.list("pods", name):
        words.append(pod["metadata"]["uid"])
        for one in pod["status"].get("containerStatuses") or ():
            words.append(str(one.get("containerID") or "-").rpartition("/")[2])
            words += [
                str(state.get("containerID")).rpartition("/")[2] for state in (one.get("lastState") or {}).values()
            ]
    entries = cluster.fleet.kubelets["node1"].journal.entries()
    return cluster, [one for one in entries if any(word in one.message for word in words if word != "-")]


def score(left: Iterable[JournalEntry], right: Iterable[JournalEntry]) -> float:
    """How much of two journals is the same, in the same order."""
    return SequenceMatcher(None, lines(left), lines(right), autojunk=False).ratio()


def lines(entries: Iterable[JournalEntry]) -> list[str]:
    return [masked(one.message) for one in entries]


@pytest.mark.parametrize(
    ("name", "kubelet", "containerd"),
    [
        ("crash-app", 0.95, 1.0),
        ("wait-tag-missing", 0.9, 1.0),
        ("wait-configmap", 0.95, 1.0),
        ("wait-secret-key", 0.98, 1.0),
        ("wait-exec-missing", 0.95, 0.9),
        ("wait-registry-dns", 0.98, 1.0),
        ("crash-liveness-slow", 0.9, 0.9),
        ("ready-http500", 0.97, 1.0),
    ],
)
def test_journals_read_as_those_of_the_same_incident_on_a_real_node(
    name: str, kubelet: float, containerd: float
) -> None:
    told = real(name, KUBELET)
    seconds = told[-1].at - told[0].at + 1
    _, found = made(name, seconds)
    assert score(told, [one for one in found if one.unit == KUBELET]) >= kubelet
    assert score(real(name, CONTAINERD), [one for one in found if one.unit == CONTAINERD]) >= containerd


@pytest.fixture(scope="module")
def crash() -> tuple[MiniCluster, list[JournalEntry]]:
    return made("crash-app", 60)


def page(cluster: MiniCluster, **query: str) -> tuple[int, str]:
    agent = cluster.agents.find("node1")
    assert agent is not None
    answer = agent.page("/logs/", query)
    return answer.code, answer.body.decode()


def test_the_log_query_answers_what_our_client_reads(crash: tuple[MiniCluster, list[JournalEntry]]) -> None:
    cluster, _ = crash
    assert cluster.fleet is not None
    for unit in (KUBELET, CONTAINERD):
        code, text = page(cluster, query=unit, tailLines="2000")
        assert code == 200
        parsed = list(parse(text, "node1", unit, cluster.clock.now()))
        kept = list(cluster.fleet.kubelets["node1"].journal.entries(unit))
        assert [one.message for one in parsed] == [one.message for one in kept] != []
        assert [one.priority for one in parsed] == [one.priority for one in kept]
        assert all(abs(one.at - other.at) < 1e-5 for one, other in zip(parsed, kept, strict=True))


def test_the_options_of_the_log_query(crash: tuple[MiniCluster, list[JournalEntry]]) -> None:
    cluster, _ = crash
    everything = page(cluster, query="kubelet")[1].splitlines()
    assert page(cluster, query="kubelet.service", tailLines="3")[1].splitlines() == everything[-3:]
    assert page(cluster, query="kubelet", tailLines="0")[1] == "-- No entries --\n"
    crashing = page(cluster, query="kubelet", pattern="crashloopbackoff")[1].splitlines()
    assert crashing == [line for line in everything if "CrashLoopBackOff" in line] != []
    assert page(cluster, query="kubelet", pattern="CRASHLOOP")[1] == "-- No entries --\n"
    middle = parse_time(format_time(cluster.clock.now() - 40)) or 0.0
    late = page(cluster, query="kubelet", sinceTime=format_time(middle))[1].splitlines()
    early = page(cluster, query="kubelet", untilTime=format_time(middle))[1].splitlines()
    assert early + late == everything
    assert early
    assert late
    assert page(cluster, query="sshd")[1] == "-- No entries --\n"
    assert "journal output not available" in page(cluster, query="kubelet", boot="-1")[1]
    assert page(cluster, query="kubelet", boot="0")[1].splitlines() == everything
    assert page(cluster)[1].startswith("<!doctype html>")


@pytest.mark.parametrize(
    "wrong",
    [
        {"tailLines": "-1"},
        {"tailLines": "x"},
        {"sinceTime": "yesterday"},
        {"boot": "1"},
        {"query": "a b"},
        {"sinceTime": "2026-01-02T00:00:00Z", "untilTime": "2026-01-01T00:00:00Z"},
    ],
)
def test_wrong_options_are_refused(crash: tuple[MiniCluster, list[JournalEntry]], wrong: dict[str, str]) -> None:
    assert page(crash[0], **{"query": "kubelet", **wrong})[0] == 400


def test_a_recording_gives_back_the_same_entries(crash: tuple[MiniCluster, list[JournalEntry]], tmp_path: Path) -> None:
    cluster, _ = crash
    kept = list(Tape(cluster).journal())
    kept.append(JournalEntry(START, "node2", "kernel", 4, "", "two\nlines", {}))
    save(tmp_path / "recording", [], at=START, title="", journal=kept)
    assert (tmp_path / "recording" / "journal" / "node1" / "kubelet.export").is_file()
    snapshot = load(tmp_path / "recording")
    units = {(one.node, one.unit) for one in kept}
    found = [one for node, unit in units for one in snapshot.journal[node, unit]]
    assert sorted(found, key=str) == sorted(kept, key=str)


def test_two_runs_write_the_same() -> None:
    assert made("wait-exec-missing", 30)[1] == made("wait-exec-missing", 30)[1]


def test_a_journal_is_bounded_and_costs_nothing_before_its_first_line() -> None:
    clock = ManualClock(START)
    journal = Journal("node1", clock)
    assert list(journal.entries()) == []
    for number in range(MOST + 10):
        journal.klog("I", "a.go:1", f'"Line" number={number}')
    held = [one.message for one in journal.entries(KUBELET)]
    assert len(held) == MOST
    assert held[0].endswith('"Line" number=10')
    assert re.fullmatch(r'I\d{4} \d\d:\d\d:\d\d\.\d{6}     811 a\.go:1\] "Line" number=10', held[0])


def test_what_the_journal_remembers_of_a_crash_loop_does_not_grow() -> None:
    cluster, _ = made("crash-app", 2400)
    assert cluster.fleet is not None
    assert all(len(worker.told) < 10 for worker in cluster.fleet.workers.values())


def test_go_quotes() -> None:
    assert quoted('a "b"\\c\n\x01') == '"a \\"b\\"\\\\c\\n\\x01"'


@pytest.mark.parametrize("name", ["wait-configmap", "wait-secret-key", "wait-exec-missing", "wait-tag-missing"])
def test_containers_print_as_go_prints_them(name: str) -> None:
    pods = list(load(RECORDINGS / name).of_kind("Pod"))
    text = container_text(pods[0]["spec"]["containers"][0]).replace('"', '\\"')
    assert any(text in one.message for one in real(name, KUBELET))


def test_amounts_and_probes_print_as_go_prints_them() -> None:
    limits = {"memory": "128Mi", "cpu": "250m"}
    probe = {"httpGet": {"path": "/", "port": 80, "scheme": "HTTP"}, "periodSeconds": 3}
    text = container_text({"name": "app", "resources": {"limits": limits}, "livenessProbe": probe})
    assert (
        "ResourceList{cpu: {{250 -3} {<nil>} 250m DecimalSI},memory: {{134217728 0} {<nil>} 128Mi BinarySI},}" in text
    )
    assert "HTTPGet:&HTTPGetAction{Path:/,Port:{0 80 },Host:,Scheme:HTTP,HTTPHeaders:[]HTTPHeader{},}" in text
