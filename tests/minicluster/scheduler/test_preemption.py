"""Whom preemption chooses, and whom never."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k8sdiag.minicluster.scheduler.plugin import World
from k8sdiag.minicluster.scheduler.pods import PodInfo
from k8sdiag.minicluster.scheduler.preemption import decide
from tests.minicluster.scheduler.test_filters import apart
from tests.minicluster.scheduler.worlds import HOST, Json, node, pod, search, verdict, world


def chosen(around: World, new: Json) -> tuple[str, list[str]]:
    """The node that is to be cleared, and its victims."""
    candidate = verdict(around, new)[1].candidate
    assert candidate is not None
    return candidate.node.name, [victim.name for victim in candidate.victims]


def budget(allowed: int, labels: Json) -> Json:
    return {
        "metadata": {"name": "keep", "namespace": "shop"},
        "spec": {"selector": {"matchLabels": labels}},
        "status": {"disruptionsAllowed": allowed},
    }


CHIEF = pod("chief", cpu="2", priority=100)


def test_no_more_victims_than_needed_and_the_least_important() -> None:
    pods = [pod("low", cpu="2", on="a", priority=1), pod("mid", cpu="2", on="a", priority=2)]
    assert chosen(world([node("a")], pods), CHIEF) == ("a", ["low"])


def test_the_younger_goes_before_the_older() -> None:
    pods = [pod("old", cpu="2", on="a"), pod("new", cpu="2", on="a")]
    pods[0]["status"]["startTime"], pods[1]["status"]["startTime"] = "2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z"
    assert chosen(world([node("a")], pods), CHIEF) == ("a", ["new"])


@pytest.mark.parametrize(
    ("pods", "victims"),
    [
        # a budget kept is worth more than a lower priority
        ([pod("kept", cpu="4", on="a", labels={"app": "db"}), pod("top", cpu="4", on="b", priority=50)], ["top"]),
        # the highest victim as low as can be
        ([pod("x", cpu="4", on="a", priority=5), pod("y", cpu="4", on="b", priority=4)], ["y"]),
        # then the least sum, which is the fewest where priorities are alike
        (
            [pod("x", cpu="2", on="a"), pod("y", cpu="2", on="a"), pod("z", cpu="4", on="b")],
            ["z"],
        ),
    ],
)
def test_which_node_is_cleared(pods: list[Json], victims: list[str]) -> None:
    around = world([node("a"), node("b")], pods, poddisruptionbudgets=[budget(0, {"app": "db"})])
    assert chosen(around, pod("chief", cpu="4", priority=100))[1] == victims


def test_a_budget_that_allows_one_is_violated_by_the_second() -> None:
    pods = [pod("one", cpu="2", on="a", labels={"app": "db"}), pod("two", cpu="2", on="a", labels={"app": "db"})]
    around = world([node("a")], pods, poddisruptionbudgets=[budget(1, {"app": "db"})])
    decision = verdict(around, pod("chief", cpu="4", priority=100))[1]
    assert decision.candidate is not None
    assert decision.candidate.violations == 1


def test_pods_that_keep_others_away_can_be_victims_too() -> None:
    rude = pod("rude", on="a", affinity=apart(HOST, {"app": "web"}))
    new = pod("web", priority=10, labels={"app": "web"})
    assert chosen(world([node("a")], [rude]), new) == ("a", ["rude"])


def test_a_pod_waits_for_the_victims_that_are_leaving_its_promised_node() -> None:
    leaving = pod("old", cpu="4", on="a")
    leaving["metadata"]["deletionTimestamp"] = "2026-11-21T22:29:27Z"
    leaving["status"]["conditions"] = [
        {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}
    ]
    promised = pod("chief", cpu="4", priority=100)
    promised["status"]["nominatedNodeName"] = "a"
    told, decision = verdict(world([node("a")], [leaving]), promised)
    assert told == (
        "0/1 nodes are available: 1 Insufficient cpu. "
        "preemption: not eligible due to a terminating pod on the nominated node."
    )
    assert decision.keep


def test_room_that_was_promised_to_a_more_important_pod_is_not_given_away() -> None:
    around = world([node("a")])
    promised = PodInfo(pod("chief", cpu="3", priority=100))
    around.snapshot.nominate(promised, "a")
    assert search(around).find(PodInfo(pod("low", cpu="2", priority=1))).node is None
    assert search(around).find(PodInfo(pod("higher", cpu="2", priority=101))).node is not None
    assert search(around).find(PodInfo(promised.obj)).node is not None


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4), st.integers(1, 4)), max_size=12),
    st.integers(0, 4),
    st.integers(1, 4),
    st.integers(0, 2),
)
def test_nobody_of_equal_or_higher_priority_is_evicted_and_the_rest_makes_room(
    there: list[tuple[int, int, int]], priority: int, cpu: int, allowed: int
) -> None:
    pods = [
        pod(f"p{index}", cpu=str(size), on=f"n{where}", priority=importance, labels={"app": f"a{size}"})
        for index, (where, importance, size) in enumerate(there)
    ]
    around = world(
        [node(f"n{index}") for index in range(3)], pods, poddisruptionbudgets=[budget(allowed, {"app": "a1"})]
    )
    info = PodInfo(pod("new", cpu=str(cpu), priority=priority))
    outcome = search(around).find(info)
    if outcome.node is not None:
        return
    candidate = decide(info, outcome.diagnosis, outcome.prepared, around, Random(1)).candidate
    if candidate is None:
        for name in ("n0", "n1", "n2"):
            left = around.snapshot.node(name)
            assert left is not None
            kept = sum(each.requests["cpu"] for each in left.pods.values() if each.priority >= priority)
            assert kept + cpu * 1000 > 4000
        return
    assert all(victim.priority < priority for victim in candidate.victims)
    emptied = candidate.node.clone()
    for victim in candidate.victims:
        emptied.remove(victim)
    assert emptied.requested.get("cpu", 0) + cpu * 1000 <= 4000
    last = candidate.victims[-1]
    emptied.add(last)
    assert emptied.requested["cpu"] + cpu * 1000 > 4000 or candidate.violations  # each victim was needed
