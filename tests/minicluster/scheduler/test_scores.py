"""Scores, with the figures of Kubernetes' own tests where it has some, and whom they lead to."""

from __future__ import annotations

import pytest

from k8sdiag.minicluster.scheduler import scores, spreading
from k8sdiag.minicluster.scheduler.nodes import NodeInfo
from k8sdiag.minicluster.scheduler.pods import PodInfo
from tests.minicluster.scheduler.worlds import HOST, ZONE, Json, node, placed, pod, search, world

MB = 1024 * 1024


def info(made: Json) -> NodeInfo:
    node_info = NodeInfo(made["metadata"]["name"])
    node_info.describe(made)
    return node_info


@pytest.mark.parametrize(
    ("cpu", "memory", "least", "balanced"),
    [("4", "10000", 37, 87), ("6", "10000", 50, 100), ("0", "10000", 50, 100), ("3", "5000", 0, 100)],
)
def test_resources(cpu: str, memory: str, least: int, balanced: int) -> None:
    new, where = PodInfo(pod("web", cpu="3", memory="5000")), info(node("a", cpu=cpu, memory=memory))
    assert (scores.least_allocated(new, where), scores.balanced(new, where)) == (least, balanced)


def test_a_pod_that_asks_for_nothing_counts_a_little() -> None:
    new, where = PodInfo(pod("web")), info(node("a", cpu="1", memory="2000Mi"))
    assert (scores.least_allocated(new, where), scores.balanced(new, where)) == (90, 0)


@pytest.mark.parametrize(("size", "having", "score"), [(250, 1, 10), (250, 2, 23), (40, 1, 0), (4000, 2, 100)])
def test_images(size: int, having: int, score: int) -> None:
    where = node("a")
    where["status"]["images"] = [{"names": ["web:1"], "sizeBytes": size * MB}]
    assert scores.image_locality(["web:1"], info(where), {"web:1": having}, 2) == score


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("web", "web:latest"),
        ("reg:5000/web", "reg:5000/web:latest"),
        ("web:1", "web:1"),
        ("web@sha256:ab", "web@sha256:ab"),
    ],
)
def test_names_of_images(given: str, name: str) -> None:
    assert scores.normal_name(given) == name


def test_normalized() -> None:
    assert scores.normalized([0, 5, 10]) == [0, 50, 100]
    assert scores.normalized([0, 5, 10], reverse=True) == [100, 50, 0]
    assert scores.normalized([0, 0], reverse=True) == [100, 100]
    assert spreading.normalized([3, 6, None]) == [100, 50, 0]


def test_the_emptier_node_is_taken() -> None:
    around = world([node("a"), node("b")], [pod("old", cpu="2", memory="4Gi", on="a")])
    assert {placed(around, pod("web", cpu="1", memory="2Gi"), seed) for seed in range(5)} == {"b"}


def test_preferred_node_affinity_goes_by_weight() -> None:
    def wish(weight: int, value: str) -> Json:
        return {
            "weight": weight,
            "preference": {"matchExpressions": [{"key": "disk", "operator": "In", "values": [value]}]},
        }

    preferred = {"preferredDuringSchedulingIgnoredDuringExecution": [wish(10, "hdd"), wish(90, "ssd")]}
    around = world([node("a", {"disk": "hdd"}), node("b", {"disk": "ssd"}), node("c")])
    assert {placed(around, pod("web", affinity={"nodeAffinity": preferred}), seed) for seed in range(5)} == {"b"}


@pytest.mark.parametrize(("kind", "chosen"), [("podAffinity", {"a"}), ("podAntiAffinity", {"b"})])
def test_preferred_pod_affinity(kind: str, chosen: set[str]) -> None:
    term = {"topologyKey": HOST, "labelSelector": {"matchLabels": {"app": "db"}}}
    preferred = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]}
    around = world([node("a"), node("b")], [pod("db", on="a", labels={"app": "db"})])
    assert {placed(around, pod("web", affinity={kind: preferred}), seed) for seed in range(5)} == chosen


def test_the_wishes_of_those_that_are_there_count_too() -> None:
    term = {"topologyKey": HOST, "labelSelector": {"matchLabels": {"app": "web"}}}
    wish = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]}
    around = world([node("a"), node("b")], [pod("shy", on="a", affinity={"podAntiAffinity": wish})])
    assert {placed(around, pod("web", labels={"app": "web"}), seed) for seed in range(5)} == {"b"}


def test_pods_of_one_service_are_spread_over_hosts_and_zones() -> None:
    service = {"metadata": {"name": "web", "namespace": "shop"}, "spec": {"selector": {"app": "web"}}}
    nodes = [node("a", {ZONE: "east"}), node("b", {ZONE: "east"}), node("c", {ZONE: "west"})]
    there = [pod("one", on="a", labels={"app": "web"})]
    new = pod("two", labels={"app": "web"})
    assert {placed(world(nodes, there, services=[service]), new, seed) for seed in range(5)} == {"c"}
    assert "b" in {placed(world(nodes, there), new, seed) for seed in range(20)}


def test_a_wished_spread_looks_only_at_nodes_that_have_the_key() -> None:
    wish = {
        "maxSkew": 1,
        "topologyKey": ZONE,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {"app": "web"}},
    }
    around = world([node("a", {ZONE: "east"}), node("b")], [pod("one", labels={"app": "web"})])
    new = PodInfo(pod("two", labels={"app": "web"}, topologySpreadConstraints=[wish]))
    finder = search(around)
    assert spreading.scores(new, around.snapshot.nodes, around, finder.workloads) == [100, 0]
