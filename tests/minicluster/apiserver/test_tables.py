"""Tables: what a real kubectl printed of recorded pods, and a row as wide as its columns for every kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import tables
from k8sdiag.minicluster.kinds import Registry
from k8sdiag.recording import load

ROOT = Path(__file__).parents[3]
PRINTED = sorted(path.parent.name for path in (ROOT / "recordings").glob("*/kubectl-get.txt") if path.stat().st_size)
REGISTRY = Registry()
NOW = 1_800_000_000.0


@pytest.mark.parametrize("name", PRINTED)
def test_pods_print_as_a_real_kubectl_printed_them(name: str) -> None:
    folder = ROOT / "recordings" / name
    head, *lines = (folder / "kubectl-get.txt").read_text(encoding="utf-8").splitlines()
    assert head.startswith("NAME ")
    snapshot = load(folder)
    pods = [pod for pod in snapshot.of_kind("Pod") if any(line.startswith(pod["metadata"]["name"]) for line in lines)]
    pods.sort(key=lambda pod: str(pod["metadata"]["name"]))
    wanted = [" ".join(line.split()) for line in lines]
    # When kubectl ran is not recorded: it was in the seconds around the end.
    moments = [snapshot.taken_at + tenth / 10 for tenth in range(-100, 300)]
    printed = [[" ".join(map(str, row["cells"])) for row in rows(pods, moment)] for moment in moments]
    assert wanted in printed


def rows(pods: list[Json], now: float) -> list[Json]:
    found: list[Json] = tables.table(REGISTRY.named("pods"), pods, now)["rows"]
    return found


@pytest.mark.parametrize(
    "resource", [r for r in REGISTRY.all() if r.definition], ids=lambda r: f"{r.api_version}/{r.plural}"
)
def test_a_row_has_a_cell_for_each_column_even_of_an_empty_object(resource: Any) -> None:
    bare = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": {"name": "x"}}
    made = tables.table(resource, [bare], NOW)
    assert [len(row["cells"]) for row in made["rows"]] == [len(made["columnDefinitions"])]
    assert made["rows"][0]["cells"][0] in ("x", "<unknown>")


def test_what_a_row_carries() -> None:
    pod = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "x"}, "status": {"phase": "Succeeded"}}

    def row(include: str) -> Json:
        found: Json = tables.table(REGISTRY.named("pods"), [pod], NOW, include)["rows"][0]
        return found

    assert row("Object")["object"] == pod
    assert row("Metadata")["object"] == {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"name": "x"},
    }
    assert "object" not in row("None")
    assert row("None")["conditions"][0]["reason"] == "Succeeded"


CREATED = {"creationTimestamp": "2027-01-15T07:59:00Z"}


@pytest.mark.parametrize(
    ("word", "obj", "cells"),
    [
        (
            "services",
            {"spec": {"type": "NodePort", "clusterIP": "10.96.0.9", "ports": [{"port": 80, "nodePort": 30080}]}},
            ["x", "NodePort", "10.96.0.9", "<none>", "80:30080/TCP", "60s", "<none>"],
        ),
        (
            "services",
            {"spec": {"type": "LoadBalancer", "clusterIP": "10.96.0.9", "ports": [{"port": 53, "protocol": "UDP"}]}},
            ["x", "LoadBalancer", "10.96.0.9", "<pending>", "53/UDP", "60s", "<none>"],
        ),
        (
            "endpoints",
            {"subsets": [{"addresses": [{"ip": f"10.0.0.{n}"} for n in range(5)], "ports": [{"port": 80}]}]},
            ["x", "10.0.0.0:80,10.0.0.1:80,10.0.0.2:80 + 2 more...", "60s"],
        ),
        (
            "jobs",
            {"spec": {"parallelism": 3}, "status": {"startTime": "2027-01-15T07:59:30Z", "succeeded": 1}},
            ["x", "Running", "1/1 of 3", "30s", "60s", "", "", "<none>"],
        ),
        (
            "horizontalpodautoscalers",
            {
                "spec": {
                    "scaleTargetRef": {"kind": "Deployment", "name": "web"},
                    "maxReplicas": 5,
                    "metrics": [
                        {
                            "type": "Resource",
                            "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
                        }
                    ],
                }
            },
            ["x", "Deployment/web", "cpu: <unknown>/80%", "<unset>", "5", "0", "60s"],
        ),
        (
            "nodes",
            {
                "metadata": {"name": "x", **CREATED, "labels": {"node-role.kubernetes.io/control-plane": ""}},
                "spec": {"unschedulable": True},
                "status": {"conditions": [{"type": "Ready", "status": "False"}]},
            },
            [
                *("x", "NotReady,SchedulingDisabled", "control-plane", "60s", "", "<none>", "<none>"),
                *("<unknown>", "<unknown>", "<unknown>"),
            ],
        ),
        (
            "resourcequotas",
            {"status": {"hard": {"limits.cpu": "2", "pods": "3", "cpu": "1"}, "used": {"pods": "1"}}},
            ["x", "cpu: 0/1, pods: 1/3", "limits.cpu: 0/2", "60s"],
        ),
    ],
)
def test_cells(word: str, obj: Json, cells: list[Any]) -> None:
    whole = {"metadata": {"name": "x", **CREATED}, **obj}
    assert tables.table(REGISTRY.named(word), [whole], NOW)["rows"][0]["cells"] == cells
