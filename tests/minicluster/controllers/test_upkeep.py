"""Budgets, quotas, and what is cleared away in time."""

from __future__ import annotations

from typing import Any

import pytest

from k8sdiag.minicluster.controllers import pod_gc
from tests.minicluster.controllers.world import World, condition, container


def deployment(world: World, replicas: int) -> None:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container()]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    world.make("deployments", "web", spec=spec)


def budget(world: World, **spec: Any) -> dict[str, Any]:
    world.make("poddisruptionbudgets", "web", spec={"selector": {"matchLabels": {"app": "web"}}, **spec})
    world.run(5)
    status: dict[str, Any] = world.get("poddisruptionbudgets", "web")["status"]
    return status


@pytest.mark.parametrize(
    ("spec", "desired", "allowed"),
    [
        ({"minAvailable": 2}, 2, 1),
        ({"minAvailable": "50%"}, 2, 1),
        ({"maxUnavailable": 1}, 2, 1),
        ({"maxUnavailable": "34%"}, 1, 2),
        ({"minAvailable": 3}, 3, 0),
    ],
)
def test_budgets(world: World, spec: dict[str, Any], desired: int, allowed: int) -> None:
    deployment(world, 3)
    status = budget(world, **spec)
    assert (status["desiredHealthy"], status["disruptionsAllowed"]) == (desired, allowed)
    assert (status["currentHealthy"], status["expectedPods"]) == (3, 3)
    word = "SufficientPods" if allowed else "InsufficientPods"
    assert condition({"status": status}, "DisruptionAllowed")["reason"] == word


def test_a_budget_over_bare_pods_cannot_count_in_percent(world: World) -> None:
    world.pod("web")
    status = budget(world, maxUnavailable=1)
    failed = condition({"status": status}, "DisruptionAllowed")
    assert (failed["reason"], failed["message"]) == ("SyncFailed", 'found no controller ref for pod "web"')
    text = 'Failed to calculate the number of expected pods: found no controller ref for pod "web"'
    assert ("Warning", "CalculateExpectedPodCountFailed", text) in world.events("PodDisruptionBudget", "web")


def test_an_evicted_pod_takes_from_the_budget_until_it_is_back(world: World) -> None:
    deployment(world, 3)
    budget(world, minAvailable=2)
    name = world.names("pods", "default")[0]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": "default"}}
    world.client.create("pods", eviction, "default", subresource="eviction", name=name)
    world.cluster.settle()
    assert world.get("poddisruptionbudgets", "web")["status"]["disruptionsAllowed"] == 0
    world.run(10)
    status = world.get("poddisruptionbudgets", "web")["status"]
    assert (status["disruptionsAllowed"], status.get("disruptedPods")) == (1, None)


def test_a_quota_is_counted_and_counts_down_again(world: World) -> None:
    world.make("configmaps", "before")
    hard = {"pods": "5", "requests.cpu": "2", "configmaps": "10", "count/deployments.apps": "3"}
    world.make("resourcequotas", "quota", spec={"hard": hard})
    world.run()
    status = world.get("resourcequotas", "quota")["status"]
    assert status["hard"] == hard
    assert status["used"] == {"pods": "0", "requests.cpu": "0", "configmaps": "2", "count/deployments.apps": "0"}
    asks = [container(resources={"requests": {"cpu": "500m"}})]
    world.pod("one", containers=asks)
    world.pod("two", containers=asks)
    world.run()
    assert world.get("resourcequotas", "quota")["status"]["used"]["requests.cpu"] == "1"
    world.delete("pods", "one")
    world.delete("configmaps", "before")
    world.run(5)
    used = world.get("resourcequotas", "quota")["status"]["used"]
    assert (used["pods"], used["requests.cpu"], used["configmaps"]) == ("1", "500m", "1")


def test_events_are_kept_for_an_hour(world: World) -> None:
    world.pod("web")
    world.run(5)
    assert world.events("Pod", "web")
    world.run(3500)
    assert world.events("Pod", "web")
    world.run(120)
    assert world.events("Pod", "web") == []


def test_a_finished_job_goes_after_its_time(world: World) -> None:
    one = [{"name": "app", "image": "busybox", "command": ["true"]}]
    template = {"spec": {"restartPolicy": "Never", "containers": one}}
    world.make("jobs", "once", spec={"ttlSecondsAfterFinished": 60, "template": template})
    world.run(30)
    assert condition(world.get("jobs", "once"), "Complete")["status"] == "True"
    world.run(60)
    assert world.find("jobs", "once") is None
    assert world.names("pods", "default") == []


def test_roles_are_made_of_others(world: World) -> None:
    selector = {"clusterRoleSelectors": [{"matchLabels": {"into": "all"}}]}
    world.make("clusterroles", "all", aggregationRule=selector, rules=[])
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
    world.make("clusterroles", "part", metadata={"labels": {"into": "all"}}, rules=[rule])
    world.run()
    assert world.get("clusterroles", "all")["rules"] == [rule]
    world.delete("clusterroles", "part")
    world.run()
    assert not world.get("clusterroles", "all").get("rules")


def test_of_too_many_ended_pods_the_oldest_go(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pod_gc, "_MOST_ENDED", 3)
    one = [{"name": "app", "image": "busybox", "command": ["true"]}]
    for number in range(5):
        world.pod(f"pod-{number}", restartPolicy="Never", containers=one)
        world.run(1.5)
    world.run(25)
    assert world.names("pods", "default") == ["pod-2", "pod-3", "pod-4"]


def test_a_deleted_pod_without_a_node_is_held_by_its_finalizers_alone(world: World) -> None:
    world.pod("big", nodeSelector={"disk": "huge"}, metadata={"finalizers": ["example.com/guard"]})
    world.run()
    world.delete("pods", "big")
    world.run(60)
    assert world.get("pods", "big")["metadata"]["deletionTimestamp"]
    world.change("pods", "big", {"metadata": {"finalizers": None}})
    world.run()
    assert world.find("pods", "big") is None
