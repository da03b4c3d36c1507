"""The horizontal pod autoscaler: what metrics ask for, how far it may go, and what it says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8sdiag.evidence import Json
from k8sdiag.minicluster.controllers.autoscaling_limits import Past, limit
from k8sdiag.minicluster.controllers.autoscaling_metrics import MetricError, Target, propose
from tests.minicluster.controllers.world import World, condition, container

NOW = 10_000.0


def pod(name: str, ready: bool = True, request: str = "100m", phase: str = "Running") -> Json:
    conditions = [
        {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": "1970-01-01T00:00:10Z"}
    ]
    resources = {"requests": {"cpu": request}} if request else {}
    return {
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "app", "resources": resources}]},
        "status": {"phase": phase, "startTime": "1970-01-01T00:00:00Z", "conditions": conditions},
    }


def figure(name: str, cpu: str) -> Json:
    return {"metadata": {"name": name}, "containers": [{"name": "app", "usage": {"cpu": cpu}}]}


PERCENT = Target("cpu", utilization=50)


@pytest.mark.parametrize(
    ("usages", "replicas", "utilization"),
    [
        (["100m", "100m"], 4, 100),
        (["50m", "50m"], 2, 50),
        (["54m", "54m"], 2, 54),  # within the tolerance
        (["56m", "56m"], 3, 56),
        (["10m", "10m"], 1, 10),
    ],
)
def test_replicas_follow_utilization(usages: list[str], replicas: int, utilization: int) -> None:
    pods = [pod(f"p{number}") for number in range(len(usages))]
    figures = [figure(f"p{number}", cpu) for number, cpu in enumerate(usages)]
    found = propose(2, PERCENT, pods, figures, NOW)
    assert (found.replicas, found.utilization) == (replicas, utilization)


def test_an_average_value() -> None:
    pods = [pod("a", request=""), pod("b", request="")]
    found = propose(2, Target("cpu", average=100), pods, [figure("a", "300m"), figure("b", "100m")], NOW)
    assert (found.replicas, found.utilization, found.raw) == (4, None, 200)


def test_pods_without_figures_hold_back() -> None:
    pods = [pod("a"), pod("b")]
    up = propose(2, PERCENT, pods, [figure("a", "80m")], NOW)
    assert up.replicas == 2, "80% of one and nothing of the other is 40% of both: not more, and not fewer either"
    down = propose(2, PERCENT, pods, [figure("a", "10m")], NOW)
    assert down.replicas == 2, "10% and all of the other is above the target"


def test_pods_that_are_not_ready_do_not_count_when_scaling_up() -> None:
    pods = [pod("a"), pod("b", ready=False)]
    found = propose(2, PERCENT, pods, [figure("a", "200m"), figure("b", "900m")], NOW)
    assert found.replicas == 4, "200m over the requests of two is 100%"


@pytest.mark.parametrize(
    ("pods", "figures", "text"),
    [
        (
            [pod("a")],
            [],
            "unable to get metrics for resource cpu: no metrics returned from resource metrics API",
        ),
        ([pod("a", request="")], [figure("a", "1m")], "missing request for cpu in container app of Pod a"),
        (
            [pod("a", phase="Pending")],
            [figure("a", "1m")],
            "did not receive metrics for targeted pods (pods might be unready)",
        ),
        ([], [figure("a", "1m")], "no pods returned by selector while calculating replica count"),
    ],
)
def test_what_no_number_can_be_had_from(pods: list[Json], figures: list[Json], text: str) -> None:
    with pytest.raises(MetricError) as failed:
        propose(1, PERCENT, pods, figures, NOW)
    assert str(failed.value) == text


@given(st.integers(1, 50), st.integers(0, 100), st.integers(1, 20), st.integers(20, 50))
def test_bounds_are_kept(current: int, desired: int, fewest: int, most: int) -> None:
    behaviors: list[Json | None] = [None, {"scaleUp": {}, "scaleDown": {}}]
    for behavior in behaviors:
        current = min(max(current, fewest), most)
        found = limit(behavior, Past(), current, desired, (fewest, most), NOW)
        assert fewest <= found.replicas <= most
        assert found.replicas <= max(2 * current, current + 4)


def test_going_down_waits_for_five_minutes() -> None:
    past = Past([(NOW, 8)])
    early = limit(None, past, 8, 2, (1, 10), NOW + 200)
    assert (early.replicas, early.able[0]) == (8, "ScaleDownStabilized")
    late = limit(None, past, 8, 2, (1, 10), NOW + 310)
    assert (late.replicas, late.able[0]) == (2, "ReadyForNewScale")


def test_policies_limit_the_pace() -> None:
    one_a_minute: Json = {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}]}
    behavior = {"scaleUp": one_a_minute, "scaleDown": {**one_a_minute, "stabilizationWindowSeconds": 0}}
    past = Past()
    up = limit(behavior, past, 3, 9, (1, 10), NOW)
    assert (up.replicas, up.limited, up.limit[0]) == (4, True, "ScaleUpLimit")
    past.scaled(3, 4, NOW)
    assert limit(behavior, past, 4, 9, (1, 10), NOW + 30).replicas == 4
    assert limit(behavior, past, 4, 9, (1, 10), NOW + 61).replicas == 5
    down = limit(behavior, Past(), 9, 1, (1, 10), NOW)
    assert (down.replicas, down.limit[0]) == (8, "ScaleDownLimit")
    frozen = {"scaleDown": {"selectPolicy": "Disabled", "stabilizationWindowSeconds": 0}}
    assert limit(frozen, Past(), 9, 1, (1, 10), NOW).replicas == 9


def deployment(world: World, cpu: str, replicas: int = 1, request: str = "100m") -> None:
    resources: dict[str, Any] = {"requests": {"cpu": request}} if request else {}
    template = {
        "metadata": {"labels": {"app": "web"}, "annotations": {"lab.k8sdiag.dev/cpu": cpu}},
        "spec": {"containers": [container(resources=resources)]},
    }
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    world.make("deployments", "web", spec=spec)


def autoscaler(world: World, **more: Any) -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    aim = {"type": "Utilization", "averageUtilization": 50}
    metrics = [{"type": "Resource", "resource": {"name": "cpu", "target": aim}}]
    spec = {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 5, "metrics": metrics, **more}
    world.make("horizontalpodautoscalers", "web", spec=spec)


def test_a_busy_deployment_grows_and_shrinks_again(world: World) -> None:
    deployment(world, "100m")
    autoscaler(world)
    world.run(120)
    assert world.get("deployments", "web")["spec"]["replicas"] == 5
    hpa = world.get("horizontalpodautoscalers", "web")
    text = "New size: 2; reason: cpu resource utilization (percentage of request) above target"
    assert ("Normal", "SuccessfulRescale", text) in world.events("HorizontalPodAutoscaler", "web")
    assert hpa["status"]["currentMetrics"][0]["resource"]["current"] == {
        "averageUtilization": 100,
        "averageValue": "100m",
    }
    active = condition(hpa, "ScalingActive")
    name = "cpu resource utilization (percentage of request)"
    text = f"the HPA was able to successfully calculate a replica count from {name}"
    assert (active["reason"], active["message"]) == ("ValidMetricFound", text)
    limited = condition(hpa, "ScalingLimited")
    assert (limited["status"], limited["reason"]) == ("True", "TooManyReplicas")
    for one in world.client.list("pods", "default"):
        calm = {"metadata": {"annotations": {"lab.k8sdiag.dev/cpu": "1m"}}}
        world.change("pods", one["metadata"]["name"], calm)
    world.run(60)
    hpa = world.get("horizontalpodautoscalers", "web")
    assert condition(hpa, "AbleToScale")["reason"] == "ScaleDownStabilized"
    world.run(300)
    assert world.get("deployments", "web")["spec"]["replicas"] == 1
    text = "New size: 1; reason: All metrics below target"
    assert ("Normal", "SuccessfulRescale", text) in world.events("HorizontalPodAutoscaler", "web")


def test_without_requests_it_complains(world: World) -> None:
    deployment(world, "100m", request="")
    autoscaler(world)
    world.run(60)
    (name,) = world.names("pods", "default")
    text = f"failed to get cpu utilization: missing request for cpu in container app of Pod {name}"
    events = world.events("HorizontalPodAutoscaler", "web")
    assert ("Warning", "FailedGetResourceMetric", text) in events
    first = f"invalid metrics (1 invalid out of 1), first error is: failed to get cpu resource metric value: {text}"
    assert ("Warning", "FailedComputeMetricsReplicas", first) in events
    active = condition(world.get("horizontalpodautoscalers", "web"), "ScalingActive")
    assert (active["status"], active["message"]) == (
        "False",
        f"the HPA was unable to compute the replica count: {text}",
    )


def test_without_a_target_it_complains(world: World) -> None:
    autoscaler(world)
    world.run(5)
    able = condition(world.get("horizontalpodautoscalers", "web"), "AbleToScale")
    text = 'deployments.apps "web" not found'
    assert ("Warning", "FailedGetScale", text) in world.events("HorizontalPodAutoscaler", "web")
    assert (able["status"], able["message"]) == (
        "False",
        f"the HPA controller was unable to get the target's current scale: {text}",
    )


def test_a_target_at_zero_is_left_alone(world: World) -> None:
    deployment(world, "100m", replicas=0)
    autoscaler(world)
    world.run(30)
    active = condition(world.get("horizontalpodautoscalers", "web"), "ScalingActive")
    assert active["reason"] == "ScalingDisabled"
    assert world.get("deployments", "web")["spec"]["replicas"] == 0


@pytest.mark.parametrize(
    ("replicas", "wanted", "reason"),
    [
        (8, 5, "Current number of replicas above Spec.MaxReplicas"),
        (1, 2, "Current number of replicas below Spec.MinReplicas"),
    ],
)
def test_bounds_come_first(world: World, replicas: int, wanted: int, reason: str) -> None:
    deployment(world, "1m", replicas=replicas)
    autoscaler(world, minReplicas=2)
    world.run(5)
    text = f"New size: {wanted}; reason: {reason}"
    assert ("Normal", "SuccessfulRescale", text) in world.events("HorizontalPodAutoscaler", "web")
