"""What holds whatever the cluster looks like: constraints are kept, and the fast path decides like the plain one."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from k8sdiag.minicluster.scheduler.plugin import World
from k8sdiag.minicluster.scheduler.pods import PodInfo
from k8sdiag.minicluster.scheduler.search import Search
from k8sdiag.minicluster.scheduler.shapes import Shapes
from k8sdiag.minicluster.scheduler.spreading import Workloads
from k8sdiag.minicluster.scheduler.status import fit_error
from k8sdiag.minicluster.scheduler.terms import Selector
from tests.minicluster.scheduler.worlds import HOST, ZONE, Json, Shelf, node, pod, world

TAINTS = [
    {"key": "team", "value": "red", "effect": "NoSchedule"},
    {"key": "old", "effect": "PreferNoSchedule"},
    {"key": "slow", "effect": "PreferNoSchedule"},
]
SERVICE = {"metadata": {"name": "web", "namespace": "shop"}, "spec": {"selector": {"app": "web"}}}


@st.composite
def nodes(draw: st.DrawFn) -> Json:
    labels: Json = {}
    if draw(st.booleans()):
        labels[ZONE] = draw(st.sampled_from(["east", "west"]))
    if draw(st.booleans()):
        labels["disk"] = draw(st.sampled_from(["ssd", "hdd"]))
    made = node(
        "",
        labels,
        draw(st.lists(st.sampled_from(TAINTS), max_size=2)),
        cpu=str(draw(st.integers(0, 4))),
        pods=str(draw(st.integers(0, 5))),
    )
    if draw(st.booleans()):
        made["metadata"]["labels"].pop(HOST)
    made["spec"]["unschedulable"] = draw(st.integers(0, 9)) == 0
    if draw(st.booleans()):
        made["status"]["images"] = [{"names": ["web:1"], "sizeBytes": draw(st.sampled_from([10**7, 10**8, 10**9]))}]
    return made


@st.composite
def simple_pods(draw: st.DrawFn) -> Json:
    spec: dict[str, Any] = {}
    if draw(st.booleans()):
        spec["nodeSelector"] = {"disk": draw(st.sampled_from(["ssd", "hdd"]))}
    if draw(st.booleans()):
        spec["tolerations"] = [{"key": draw(st.sampled_from(["team", "old"])), "operator": "Exists"}]
    if draw(st.booleans()):
        likes = {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}
        wish = {"weight": draw(st.integers(1, 100)), "preference": likes}
        spec["affinity"] = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [wish]}}
    labels = draw(st.sampled_from([{}, {"app": "web"}]))
    cpu = draw(st.sampled_from(["", "500m", "1"]))
    return pod("", cpu=cpu, memory=draw(st.sampled_from(["", "1Gi"])), labels=labels, **spec)


def build(made: list[Json]) -> World:
    named = []
    for index, each in enumerate(made):
        whole = copy.deepcopy(each)
        whole["metadata"]["name"] = f"n{index}"
        if HOST in whole["metadata"]["labels"]:
            whole["metadata"]["labels"][HOST] = f"n{index}"
        named.append(whole)
    return world(named, services=[SERVICE])


def named_pod(template: Json, index: int, on: str = "") -> Json:
    made = copy.deepcopy(template)
    made["metadata"].update(name=f"p{index}", uid=f"u{index}")
    if on:
        made["spec"]["nodeName"] = on
    return made


@settings(max_examples=250, deadline=None)
@given(st.lists(nodes(), min_size=1, max_size=9), st.lists(simple_pods(), min_size=1, max_size=3), st.data())
def test_the_fast_path_decides_like_the_plain_one(made: list[Json], kinds: list[Json], data: st.DataObject) -> None:
    slow_world, fast_world = build(made), build(made)
    if data.draw(st.booleans()):  # somebody with rules about others, but not about these
        rude = PodInfo(named_pod(pod("", affinity=_terms("podAntiAffinity", "db", HOST)), 99, "n0"))
        slow_world.snapshot.set_pod(rude)
        fast_world.snapshot.set_pod(rude)
    slow = Search(slow_world, Workloads(slow_world.objects), Random(7))
    fast_search = Search(fast_world, Workloads(fast_world.objects), Random(7))
    fast = Shapes(fast_search)
    placed: list[tuple[int, Json, str]] = []
    for index in range(data.draw(st.integers(1, 14))):
        if placed and data.draw(st.integers(0, 4)) == 0:
            gone = placed.pop(data.draw(st.integers(0, len(placed) - 1)))
            for around in (slow_world, fast_world):
                around.snapshot.remove_pod(f"u{gone[0]}")
        template = data.draw(st.sampled_from(kinds))
        one = slow.find(PodInfo(named_pod(template, index)))
        other = fast.find(PodInfo(named_pod(template, index)))
        assert other is not None
        assert (one.node and one.node.name) == (other.node and other.node.name)
        assert slow.start == fast_search.start
        if one.node is None:
            total = len(made)
            assert fit_error(one.diagnosis, total) == fit_error(other.diagnosis, total)
            assert one.diagnosis.plugins == other.diagnosis.plugins
            assert one.diagnosis.nodes == other.diagnosis.nodes
            continue
        placed.append((index, template, one.node.name))
        for around in (slow_world, fast_world):
            around.snapshot.set_pod(PodInfo(named_pod(template, index, one.node.name)))


def test_the_fast_path_searches_part_of_a_large_cluster_like_the_plain_one() -> None:
    made = [node("", {ZONE: f"z{index % 3}"}, cpu=str(index % 4)) for index in range(700)]
    slow_world, fast_world = build(made), build(made)
    slow = Search(slow_world, Workloads(slow_world.objects), Random(3))
    fast_search = Search(fast_world, Workloads(fast_world.objects), Random(3))
    fast = Shapes(fast_search)
    for index in range(60):
        template = pod("", cpu="1", memory="1Gi", labels={"app": "web"} if index % 2 else {})
        one, other = slow.find(PodInfo(named_pod(template, index))), fast.find(PodInfo(named_pod(template, index)))
        assert other is not None
        assert one.node is not None
        assert other.node is not None
        assert one.node.name == other.node.name
        assert slow.start == fast_search.start
        for around in (slow_world, fast_world):
            around.snapshot.set_pod(PodInfo(named_pod(template, index, one.node.name)))


def _terms(kind: str, app: str, key: str) -> Json:
    return {
        kind: {
            "requiredDuringSchedulingIgnoredDuringExecution": [
                {"topologyKey": key, "labelSelector": {"matchLabels": {"app": app}}}
            ]
        }
    }


@st.composite
def demanding_pods(draw: st.DrawFn) -> Json:
    made: Json = draw(simple_pods())
    made["metadata"]["labels"] = {"app": draw(st.sampled_from(["web", "db"]))}
    affinity = made["spec"].setdefault("affinity", {})
    key, app = draw(st.sampled_from([HOST, ZONE])), draw(st.sampled_from(["web", "db"]))
    rule = draw(st.sampled_from(["", "podAffinity", "podAntiAffinity", "spread", "port"]))
    if rule == "spread":
        made["spec"]["topologySpreadConstraints"] = [
            {
                "maxSkew": 1,
                "topologyKey": key,
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchLabels": made["metadata"]["labels"]},
            }
        ]
    elif rule == "port":
        made["spec"]["containers"][0]["ports"] = [{"containerPort": 80, "hostPort": 80}]
    elif rule:
        affinity.update(_terms(rule, app, key))
    return made


@settings(max_examples=250, deadline=None)
@given(
    st.lists(nodes(), min_size=1, max_size=6), st.lists(demanding_pods(), min_size=1, max_size=12), st.integers(0, 99)
)
def test_a_placed_pod_breaks_no_hard_rule(made: list[Json], wanted: list[Json], seed: int) -> None:
    around = build(made)
    finder = Search(around, Workloads(Shelf()), Random(seed))
    placed: list[tuple[PodInfo, str]] = []
    for index, template in enumerate(wanted):
        new = PodInfo(named_pod(template, index))
        found = finder.find(new).node
        if found is None:
            continue
        _judge(new, found.name, placed, around)
        around.snapshot.set_pod(PodInfo(named_pod(template, index, found.name)))
        placed.append((new, found.name))


def _judge(new: PodInfo, where: str, placed: list[tuple[PodInfo, str]], around: World) -> None:
    """The rules again, from the objects and in the simplest words."""
    target = around.snapshot.node(where)
    assert target is not None
    assert target.obj is not None
    spec, labels = target.obj["spec"], target.obj["metadata"]["labels"]
    assert not spec.get("unschedulable")
    if any(taint["effect"] == "NoSchedule" for taint in spec.get("taints") or ()):
        assert any(each["key"] == "team" for each in new.tolerations)
    assert all(labels.get(key) == value for key, value in (new.spec.get("nodeSelector") or {}).items())
    mates = [pod for pod, name in placed if name == where]
    room = target.obj["status"]["allocatable"]
    assert len(mates) + 1 <= int(room["pods"])
    if new.requests.get("cpu"):
        assert sum(pod.requests.get("cpu", 0) for pod in [*mates, new]) <= int(room["cpu"]) * 1000
    assert not (new.ports and any(pod.ports for pod in mates))
    for other, name in placed:
        its = around.snapshot.node(name)
        assert its is not None
        for one, two in ((new, other), (other, new)):
            for term in one.anti_affinity:
                same = term.topology_key in labels and labels[term.topology_key] == its.labels.get(term.topology_key)
                assert not (same and term.selector is not None and term.selector.matches(two.labels))


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["web", "db"]), st.booleans(), st.booleans()), max_size=20)
)
def test_counts_that_are_kept_are_those_of_a_recount(steps: list[tuple[int, str, bool, bool]]) -> None:
    around = world([node(f"n{index}", {ZONE: f"z{index % 2}"}) for index in range(4)])
    chosen = Selector((("app", "web"),))
    counts = around.snapshot.counts("shop", chosen)
    for index, (where, app, leaving, gone) in enumerate(steps):
        made = pod(f"p{index}", on=f"n{where}", labels={"app": app})
        if leaving:
            made["metadata"]["deletionTimestamp"] = "2026-11-21T22:29:27Z"
        around.snapshot.set_pod(PodInfo(made))
        if gone:
            around.snapshot.remove_pod(made["metadata"]["uid"])
    left = [each for each in around.snapshot.pods() if each.labels["app"] == "web" and not each.terminating]
    assert counts.nodes == [sum(1 for each in left if each.node_name == f"n{index}") for index in range(4)]
    assert counts.total == len(left)
    zones = {f"z{index}": sum(1 for each in left if int(each.node_name[1]) % 2 == index) for index in range(2)}
    assert {zone: number for zone, number in counts.zones.items() if number} == {z: n for z, n in zones.items() if n}
