"""Which changes give a refused pod another chance."""

from __future__ import annotations

import pytest

from k8sdiag.minicluster.scheduler.hints import HINTS, Happening
from k8sdiag.minicluster.scheduler.pods import PodInfo
from k8sdiag.minicluster.scheduler.search import FILTERS
from tests.minicluster.scheduler.test_filters import apart, near, spread
from tests.minicluster.scheduler.worlds import HOST, ZONE, Json, node, pod, world

RED = [{"key": "team", "value": "red", "effect": "NoSchedule"}]
CORDONED = {**node("a"), "spec": {"unschedulable": True}}
WEB = {"app": "web"}
PORT: Json = {"containers": [{"name": "a", "image": "x", "ports": [{"containerPort": 80, "hostPort": 80}]}]}
CLAIM: Json = {"volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]}


def helps(plugin: str, waiting: Json, resource: str, action: str, obj: Json, old: Json | None = None) -> bool:
    what = Happening(resource, action, obj, old, world([]))
    return HINTS[resource][plugin](PodInfo(waiting), what)


@pytest.mark.parametrize(
    ("plugin", "waiting", "old", "new", "expected"),
    [
        ("NodeUnschedulable", pod("w"), CORDONED, node("a"), True),
        ("NodeUnschedulable", pod("w"), node("a"), node("a", {"x": "y"}), False),
        ("NodeUnschedulable", pod("w"), None, CORDONED, False),
        ("TaintToleration", pod("w"), node("a", taints=RED), node("a"), True),
        ("TaintToleration", pod("w"), None, node("a", taints=RED), False),
        ("TaintToleration", pod("w", tolerations=[{"operator": "Exists"}]), None, node("a", taints=RED), True),
        ("NodeAffinity", pod("w", nodeSelector={"disk": "ssd"}), node("a"), node("a", {"disk": "ssd"}), True),
        ("NodeAffinity", pod("w", nodeSelector={"disk": "ssd"}), node("a"), node("a", {"disk": "hdd"}), False),
        ("NodeResourcesFit", pod("w", cpu="8"), None, node("a", cpu="8"), True),
        ("NodeResourcesFit", pod("w", cpu="8"), None, node("a", cpu="4"), False),
        ("NodeResourcesFit", pod("w", cpu="8"), node("a", cpu="4"), node("a", cpu="9"), True),
        ("NodeResourcesFit", pod("w", cpu="2"), node("a", cpu="4"), node("a", cpu="4", memory="9Gi"), False),
        ("NodeResourcesFit", pod("w", cpu="2"), node("a", pods="3"), node("a", pods="4"), True),
        ("PodTopologySpread", pod("w"), node("a", {ZONE: "x"}), node("a", {ZONE: "y"}), True),
        ("PodTopologySpread", pod("w"), node("a", taints=RED), node("a"), True),
        ("PodTopologySpread", pod("w"), node("a"), node("a", cpu="9"), False),
        ("VolumeBinding", pod("w"), node("a"), node("a", cpu="9"), False),
        ("NodePorts", pod("w"), None, node("a"), True),
    ],
)
def test_nodes(plugin: str, waiting: Json, old: Json | None, new: Json, expected: bool) -> None:
    assert helps(plugin, waiting, "nodes", "MODIFIED" if old else "ADDED", new, old) is expected


@pytest.mark.parametrize(
    ("plugin", "waiting", "action", "other", "expected"),
    [
        ("NodeResourcesFit", pod("w"), "DELETED", pod("o", on="a"), True),
        ("NodeResourcesFit", pod("w"), "ADDED", pod("o", on="a"), False),
        ("NodePorts", pod("w", **PORT), "DELETED", pod("o", on="a", **PORT), True),
        ("NodePorts", pod("w", **PORT), "DELETED", pod("o", on="a"), False),
        ("VolumeRestrictions", pod("w", **CLAIM), "DELETED", pod("o", on="a", **CLAIM), True),
        ("VolumeRestrictions", pod("w", **CLAIM), "DELETED", pod("o", on="a"), False),
        ("NodeVolumeLimits", pod("w", **CLAIM), "DELETED", pod("o", on="a", **CLAIM), True),
        ("PodTopologySpread", pod("w", topologySpreadConstraints=[spread()]), "ADDED", pod("o", labels=WEB), True),
        ("PodTopologySpread", pod("w", topologySpreadConstraints=[spread()]), "DELETED", pod("o"), False),
        ("InterPodAffinity", pod("w", affinity=near(HOST, WEB)), "ADDED", pod("o", labels=WEB), True),
        ("InterPodAffinity", pod("w", affinity=near(HOST, WEB)), "DELETED", pod("o", labels=WEB), False),
        ("InterPodAffinity", pod("w", affinity=apart(HOST, WEB)), "DELETED", pod("o", labels=WEB), True),
        ("InterPodAffinity", pod("w", affinity=apart(HOST, WEB)), "ADDED", pod("o", labels=WEB), False),
        ("InterPodAffinity", pod("w", labels=WEB), "DELETED", pod("o", affinity=apart(HOST, WEB)), True),
    ],
)
def test_pods(plugin: str, waiting: Json, action: str, other: Json, expected: bool) -> None:
    assert helps(plugin, waiting, "pods", action, other) is expected


def test_only_the_pods_own_claim_counts() -> None:
    mine = {"metadata": {"name": "data", "namespace": "shop"}}
    other = {"metadata": {"name": "other", "namespace": "shop"}}
    elsewhere = {"metadata": {"name": "data", "namespace": "else"}}
    found = [
        helps("VolumeBinding", pod("w", **CLAIM), "persistentvolumeclaims", "ADDED", x)
        for x in (mine, other, elsewhere)
    ]
    assert found == [True, False, False]


def test_every_hint_is_for_a_filter_there_is_and_every_filter_has_one() -> None:
    names = {each.name for each in FILTERS}
    assert {plugin for hints in HINTS.values() for plugin in hints} == names
