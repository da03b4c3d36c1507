"""What a pod that fits nowhere is told, word for word, and in the real order."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from k8sdiag.minicluster.scheduler.status import note
from tests.minicluster.scheduler.worlds import Json, message, node, pod, world

CONTROL_PLANE = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
RECORDINGS = Path(__file__).parents[3] / "recordings"


def test_taint_and_cpu_with_the_preemption_half() -> None:
    around = world([node("a", taints=[CONTROL_PLANE]), node("b", cpu="1"), node("c", cpu="1")])
    assert message(around, pod("web", cpu="2")) == (
        "0/3 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, "
        "2 Insufficient cpu. preemption: 0/3 nodes are available: 1 Preemption is not helpful for scheduling, "
        "2 No preemption victims found for incoming pod."
    )


def test_reasons_are_sorted_as_text_so_ten_comes_before_two() -> None:
    around = world(
        [node(f"full-{index}", cpu="1") for index in range(10)]
        + [node(f"off-{index}", labels={"off": "1"}) for index in range(2)]
    )
    off = [{"matchExpressions": [{"key": "off", "operator": "DoesNotExist"}]}]
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": off}}}
    assert message(around, pod("web", cpu="2", affinity=affinity)) == (
        "0/12 nodes are available: 10 Insufficient cpu, 2 node(s) didn't match Pod's node affinity/selector. "
        "preemption: 0/12 nodes are available: 10 No preemption victims found for incoming pod, "
        "2 Preemption is not helpful for scheduling."
    )


def test_one_node_may_give_several_reasons() -> None:
    around = world([node("a", cpu="1", memory="1Gi", pods="0")])
    assert message(around, pod("web", cpu="2", memory="2Gi")).startswith(
        "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 1 Too many pods. preemption:"
    )


def test_what_holds_for_all_nodes_has_no_count() -> None:
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    around = world([node("a"), node("b")])
    assert message(around, pod("web", volumes=volumes)) == (
        '0/2 nodes are available: persistentvolumeclaim "data" not found. '
        "preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
    )


def test_a_daemon_pod_is_told_of_its_own_node_only() -> None:
    fields = [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["a"]}]}]
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": fields}}}
    around = world([node("a", cpu="1"), node("b"), node("c")])
    assert message(around, pod("agent", cpu="2", affinity=affinity)) == (
        "0/3 nodes are available: 1 Insufficient cpu, 2 node(s) didn't satisfy plugin(s) [NodeAffinity]. "
        "preemption: 0/3 nodes are available: 1 No preemption victims found for incoming pod, "
        "2 Preemption is not helpful for scheduling."
    )


def test_node_names_that_exclude_each_other() -> None:
    fields = [
        {"key": "metadata.name", "operator": "In", "values": ["a"]},
        {"key": "metadata.name", "operator": "In", "values": ["b"]},
    ]
    terms = [{"matchFields": fields}]
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}
    told = message(world([node("a"), node("b")]), pod("web", affinity=affinity))
    assert told.startswith("0/2 nodes are available: pod affinity terms conflict. preemption:")


def test_preemption_that_the_pod_does_not_want() -> None:
    around = world([node("a", cpu="1")], [pod("old", cpu="1", on="a")])
    assert message(around, pod("web", cpu="1", priority=10, preemptionPolicy="Never")) == (
        "0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to preemptionPolicy=Never."
    )


def test_preemption_that_would_not_make_room_enough_says_what_is_still_missing() -> None:
    around = world([node("a", cpu="2")], [pod("old", cpu="1", on="a"), pod("chief", cpu="1", on="a", priority=100)])
    assert message(around, pod("web", cpu="2", priority=10)) == (
        "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 Insufficient cpu."
    )


def test_preemption_that_works_is_not_spoken_of() -> None:
    around = world([node("a", cpu="1")], [pod("old", cpu="1", on="a")])
    assert message(around, pod("web", cpu="1", priority=10)) == "0/1 nodes are available: 1 Insufficient cpu."


def test_an_event_holds_no_more_than_1024_characters() -> None:
    assert note("x" * 1024) == "x" * 1024
    assert note("x" * 1025) == "x" * 1020 + " ..."


_RESOURCES = {
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "PersistentVolume": "persistentvolumes",
    "StorageClass": "storageclasses",
    "CSINode": "csinodes",
    "CSIDriver": "csidrivers",
    "Service": "services",
    "Namespace": "namespaces",
    "PodDisruptionBudget": "poddisruptionbudgets",
}


def _incidents() -> list[Path]:
    """Recordings of real clusters; what was made by hand is no measure of words."""
    found = (path.parent for path in sorted(RECORDINGS.glob("*/recording.yaml")) if "real cluster" in path.read_text())
    return [folder for folder in found if "Unschedulable" in (folder / "objects.jsonl").read_text()]


def _lines(folder: Path) -> list[Json]:
    return [json.loads(line) for line in (folder / "objects.jsonl").read_text().splitlines()]


def _told(lines: list[Json]) -> list[tuple[Json, str]]:
    """The pods that a real scheduler refused, with its words."""
    return [
        (line, condition["message"])
        for line in lines
        if line["object"]["kind"] == "Pod"
        for condition in (line["object"].get("status") or {}).get("conditions") or ()
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "Unschedulable"
    ]


def _before(lines: list[Json], at: Json) -> dict[tuple[str, str, str], Json]:
    """The objects as they were when a line was written."""
    known: dict[tuple[str, str, str], Json] = {}
    for line in lines:
        obj = line["object"]
        key = (obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
        if line is at:
            break
        if line["type"] == "DELETED":
            known.pop(key, None)
        else:
            known[key] = obj
    return known


def _real() -> list[Any]:
    return [
        pytest.param(folder, line, words, id=f"{folder.name}-{line['object']['metadata']['name']}-{index}")
        for folder in _incidents()
        for index, (line, words) in enumerate(_told(_lines(folder)))
        if (_before(_lines(folder), line))
    ]


@pytest.mark.parametrize(("folder", "line", "words"), _real())
def test_recorded_refusals_are_told_the_same(folder: Path, line: Json, words: str) -> None:
    known = _before(_lines(folder), line)
    refused = line["object"]
    nodes = [obj for (kind, _, _), obj in known.items() if kind == "Node"]
    placed = [obj for (kind, _, _), obj in known.items() if kind == "Pod" and (obj.get("spec") or {}).get("nodeName")]
    others: dict[str, list[Json]] = {}
    for (kind, _, _), obj in known.items():
        others.setdefault(_RESOURCES.get(kind, kind), []).append(obj)
    assert message(world(nodes, placed, **others), refused) == words
