"""Each filter by itself: which nodes it leaves, and the words it has for the others."""

from __future__ import annotations

from typing import Any

import pytest

from tests.minicluster.scheduler.worlds import HOST, ZONE, Json, message, node, placed, pod, world


def required(*terms: Json) -> Json:
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}}


def expression(key: str, operator: str, *values: str) -> Json:
    return {"key": key, "operator": operator, **({"values": list(values)} if values else {})}


@pytest.mark.parametrize(
    ("expressions", "fits"),
    [
        ([expression("disk", "In", "ssd", "nvme")], True),
        ([expression("disk", "In", "hdd")], False),
        ([expression("disk", "NotIn", "hdd")], True),
        ([expression("gpu", "NotIn", "none")], True),
        ([expression("gpu", "Exists")], False),
        ([expression("gpu", "DoesNotExist")], True),
        ([expression("cores", "Gt", "7")], True),
        ([expression("cores", "Gt", "8")], False),
        ([expression("cores", "Lt", "9")], True),
        ([expression("disk", "Gt", "1")], False),
        ([expression("cores", "Gt", "1Ki")], False),
        ([expression("disk", "In", "ssd"), expression("gpu", "Exists")], False),
    ],
)
def test_node_affinity_expressions(expressions: list[Json], fits: bool) -> None:
    around = world([node("a", {"disk": "ssd", "cores": "8"})])
    assert bool(placed(around, pod("web", affinity=required({"matchExpressions": expressions})))) is fits


@pytest.mark.parametrize(
    ("terms", "chosen"),
    [
        ([{"matchFields": [expression("metadata.name", "In", "b")]}], "b"),
        ([{"matchFields": [expression("metadata.name", "NotIn", "a")]}], "b"),
        ([{}], ""),
        ([{}, {"matchExpressions": [expression(HOST, "In", "a")]}], "a"),
    ],
)
def test_node_affinity_terms(terms: list[Json], chosen: str) -> None:
    assert placed(world([node("a"), node("b")]), pod("web", affinity=required(*terms))) == chosen


@pytest.mark.parametrize(
    ("tolerations", "fits"),
    [
        ([], False),
        ([{"operator": "Exists"}], True),
        ([{"key": "team", "operator": "Exists"}], True),
        ([{"key": "team", "value": "red", "effect": "NoSchedule"}], True),
        ([{"key": "team", "value": "blue", "effect": "NoSchedule"}], False),
        ([{"key": "team", "operator": "Equal", "value": "red"}], True),
        ([{"key": "team", "operator": "Exists", "effect": "NoExecute"}], False),
    ],
)
def test_tolerations(tolerations: list[Json], fits: bool) -> None:
    around = world([node("a", taints=[{"key": "team", "value": "red", "effect": "NoSchedule"}])])
    new = pod("web", tolerations=tolerations)
    if fits:
        assert placed(around, new) == "a"
    else:
        assert "1 node(s) had untolerated taint {team: red}." in message(around, new)


def test_a_soft_taint_does_not_refuse_but_is_avoided() -> None:
    soft = [{"key": "old", "effect": "PreferNoSchedule"}]
    assert placed(world([node("a", taints=soft)]), pod("web")) == "a"
    assert {placed(world([node("a", taints=soft), node("b")]), pod("web"), seed) for seed in range(5)} == {"b"}


def test_a_cordoned_node_says_so_rather_than_name_its_taint() -> None:
    cordoned = node("a", taints=[{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}])
    cordoned["spec"]["unschedulable"] = True
    around = world([cordoned])
    assert message(around, pod("web")).startswith("0/1 nodes are available: 1 node(s) were unschedulable. preemption:")
    bears = [{"key": "node.kubernetes.io/unschedulable", "operator": "Exists", "effect": "NoSchedule"}]
    assert placed(around, pod("web", tolerations=bears)) == "a"


def container(cpu: str, **more: Any) -> Json:
    return {"name": f"c{cpu}", "image": "x", "resources": {"requests": {"cpu": cpu}}, **more}


@pytest.mark.parametrize(
    ("spec", "cpu"),
    [
        ({"containers": [container("1"), container("500m")]}, "1500m"),
        ({"containers": [container("1")], "initContainers": [container("3")]}, "3"),
        ({"containers": [container("1")], "initContainers": [container("1", restartPolicy="Always")]}, "2"),
        (
            {
                "containers": [container("1")],
                "initContainers": [container("2", restartPolicy="Always"), container("2500m")],
            },
            "4500m",
        ),
        ({"containers": [container("1")], "overhead": {"cpu": "250m"}}, "1250m"),
        ({"containers": [container("1")], "resources": {"requests": {"cpu": "3"}}}, "3"),
    ],
)
def test_what_a_pod_asks_for(spec: Json, cpu: str) -> None:
    milli = int(cpu[:-1]) if cpu.endswith("m") else int(cpu) * 1000
    assert placed(world([node("a", cpu=f"{milli}m")]), pod("web", **spec)) == "a"
    assert "1 Insufficient cpu." in message(world([node("a", cpu=f"{milli - 1}m")]), pod("web", **spec))


def test_extended_resources_and_hugepages() -> None:
    wants = [{"name": "a", "image": "x", "resources": {"requests": {"nvidia.com/gpu": "1", "hugepages-2Mi": "4Mi"}}}]
    told = message(world([node("a")]), pod("web", containers=wants))
    assert "1 Insufficient hugepages-2Mi, 1 Insufficient nvidia.com/gpu." in told
    rich = node("a", hugepages_2Mi="4Mi")
    rich["status"]["allocatable"]["nvidia.com/gpu"] = "1"
    assert placed(world([rich]), pod("web", containers=wants)) == "a"


def test_finished_room_is_counted_by_pods_not_by_uids() -> None:
    around = world([node("a", pods="1")], [pod("old", on="a")])
    assert "1 Too many pods." in message(around, pod("web"))


@pytest.mark.parametrize(
    ("mine", "theirs", "fits"),
    [
        ({"hostPort": 80}, {"hostPort": 80}, False),
        ({"hostPort": 80}, {"hostPort": 81}, True),
        ({"hostPort": 80}, {"hostPort": 80, "protocol": "UDP"}, True),
        ({"hostPort": 80, "hostIP": "10.0.0.1"}, {"hostPort": 80, "hostIP": "10.0.0.2"}, True),
        ({"hostPort": 80, "hostIP": "10.0.0.1"}, {"hostPort": 80}, False),
    ],
)
def test_host_ports(mine: Json, theirs: Json, fits: bool) -> None:
    def with_port(port: Json) -> list[Json]:
        return [{"name": "a", "image": "x", "ports": [{"containerPort": 80, **port}]}]

    around = world([node("a")], [pod("old", on="a", containers=with_port(theirs))])
    new = pod("web", containers=with_port(mine))
    if fits:
        assert placed(around, new) == "a"
    else:
        assert "1 node(s) didn't have free ports for the requested pod ports." in message(around, new)


def near(key: str, labels: Json, kind: str = "podAffinity", **more: Any) -> Json:
    term = {"topologyKey": key, "labelSelector": {"matchLabels": labels}, **more}
    return {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def apart(key: str, labels: Json, **more: Any) -> Json:
    return near(key, labels, "podAntiAffinity", **more)


ZONES = [node("a", {ZONE: "east"}), node("b", {ZONE: "west"}), node("c")]


def test_pod_affinity() -> None:
    around = world(ZONES, [pod("db", on="b", labels={"app": "db"})])
    assert placed(around, pod("web", affinity=near(ZONE, {"app": "db"}))) == "b"
    told = message(around, pod("web", affinity=near(ZONE, {"app": "cache"})))
    assert told.startswith("0/3 nodes are available: 3 node(s) didn't match pod affinity rules. preemption:")
    assert told.endswith("3 Preemption is not helpful for scheduling.")


def test_the_first_of_a_group_goes_anywhere_that_has_the_key() -> None:
    new = pod("web", labels={"app": "web"}, affinity=near(ZONE, {"app": "web"}))
    assert {placed(world(ZONES), new, seed) for seed in range(8)} == {"a", "b"}


def test_pod_affinity_reaches_other_namespaces_only_when_told() -> None:
    shop = {"metadata": {"name": "shop", "labels": {}}}
    other = {"metadata": {"name": "data", "labels": {"team": "data"}}}
    db = pod("db", on="b", labels={"app": "db"})
    db["metadata"]["namespace"] = "data"
    around = world(ZONES, [db], namespaces=[shop, other])
    assert "didn't match pod affinity rules" in message(around, pod("web", affinity=near(ZONE, {"app": "db"})))
    named = near(ZONE, {"app": "db"}, namespaces=["data"])
    assert placed(around, pod("web", affinity=named)) == "b"
    selected = near(ZONE, {"app": "db"}, namespaceSelector={"matchLabels": {"team": "data"}})
    assert placed(around, pod("web", affinity=selected)) == "b"
    everywhere = near(ZONE, {"app": "db"}, namespaceSelector={})
    assert placed(around, pod("web", affinity=everywhere)) == "b"


def test_anti_affinity_of_the_pod_and_of_those_that_are_there() -> None:
    around = world([node("a")], [pod("old", on="a", labels={"app": "web"})])
    told = message(around, pod("web", affinity=apart(HOST, {"app": "web"})))
    assert "1 node(s) didn't match pod anti-affinity rules." in told
    assert told.endswith("1 No preemption victims found for incoming pod.")
    around = world([node("a")], [pod("old", on="a", affinity=apart(HOST, {"app": "web"}))])
    told = message(around, pod("web", labels={"app": "web"}))
    assert "1 node(s) didn't satisfy existing pods anti-affinity rules." in told
    assert placed(around, pod("other", labels={"app": "other"})) == "a"


def test_match_label_keys_keep_only_pods_of_the_same_revision_apart() -> None:
    rules = apart(HOST, {"app": "web"}, matchLabelKeys=["pod-template-hash"])
    old = pod("old", on="a", labels={"app": "web", "pod-template-hash": "1"})
    around = world([node("a")], [old])
    assert placed(around, pod("new", labels={"app": "web", "pod-template-hash": "2"}, affinity=rules)) == "a"
    assert placed(around, pod("new", labels={"app": "web", "pod-template-hash": "1"}, affinity=rules)) == ""


def spread(key: str = ZONE, **more: Any) -> Json:
    return {
        "maxSkew": 1,
        "topologyKey": key,
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "web"}},
        **more,
    }


def web(name: str, on: str = "", **spec: Any) -> Json:
    return pod(name, on=on, labels={"app": "web"}, **spec)


def test_topology_spread() -> None:
    around = world(ZONES, [web("one", "a")])
    assert placed(around, web("two", topologySpreadConstraints=[spread()])) == "b"
    cordoned = node("b", {ZONE: "west"})
    cordoned["spec"]["unschedulable"] = True
    around = world([ZONES[0], cordoned, ZONES[2]], [web("one", "a")])
    told = message(around, web("two", topologySpreadConstraints=[spread()]))
    assert told == (
        "0/3 nodes are available: 1 node(s) didn't match pod topology spread constraints, "
        "1 node(s) didn't match pod topology spread constraints (missing required label), "
        "1 node(s) were unschedulable. "
        "preemption: 0/3 nodes are available: 1 No preemption victims found for incoming pod, "
        "2 Preemption is not helpful for scheduling."
    )


@pytest.mark.parametrize(
    ("constraint", "fits"),
    [
        ({}, True),
        ({"minDomains": 3}, False),  # with fewer domains the emptiest counts as empty
        ({"maxSkew": 2, "minDomains": 3}, True),
        ({"matchLabelKeys": ["rev"], "minDomains": 3}, True),
    ],
)
def test_min_domains_and_match_label_keys(constraint: Json, fits: bool) -> None:
    around = world(ZONES[:2], [web("one", "a"), web("two", "b")])
    new = pod("new", labels={"app": "web", "rev": "2"}, topologySpreadConstraints=[spread(**constraint)])
    assert bool(placed(around, new)) is fits


def test_tainted_and_unselected_nodes_count_by_policy() -> None:
    tainted = node("b", {ZONE: "west"}, taints=[{"key": "x", "effect": "NoSchedule"}])
    around = world([ZONES[0], tainted], [web("one", "a")])
    assert placed(around, web("new", topologySpreadConstraints=[spread()])) == ""
    assert placed(around, web("new", topologySpreadConstraints=[spread(nodeTaintsPolicy="Honor")])) == "a"
    around = world(ZONES[:2], [web("one", "a")])
    here: Json = {"nodeSelector": {ZONE: "east"}}
    assert placed(around, web("new", topologySpreadConstraints=[spread()], **here)) == "a"
    assert placed(around, web("new", topologySpreadConstraints=[spread(nodeAffinityPolicy="Ignore")], **here)) == ""


def test_pods_on_their_way_out_do_not_count_for_spreading() -> None:
    leaving = web("one", "a")
    leaving["metadata"]["deletionTimestamp"] = "2026-11-21T22:29:27Z"
    around = world([ZONES[0], node("b", {ZONE: "west"}, cpu="0")], [leaving])
    assert placed(around, web("new", cpu="1", topologySpreadConstraints=[spread()])) == "a"
