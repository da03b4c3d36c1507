"""Bindings and evictions."""

from __future__ import annotations

from typing import Any

import pytest

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.client import Client
from k8sdiag.minicluster.cluster import MiniCluster

LABELS = {"app": "web"}
READY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}


def make_pod(client: Client, name: str = "web", status: Json | None = None, **spec: Any) -> Json:
    meta = {"name": name, "namespace": "default", "labels": LABELS}
    made = client.create("pods", {"metadata": meta, "spec": {"containers": [{"name": "a", "image": "b"}], **spec}})
    return made if status is None else client.patch("pods", "default", name, {"status": status}, subresource="status")


def bind(client: Client, name: str = "web", node: str = "n1", **meta: Any) -> Json:
    body = {"metadata": {"name": name, **meta}, "target": {"kind": "Node", "name": node}}
    return client.create("pods", body, "default", "binding", name)


def evict(client: Client, name: str = "web", **options: Any) -> Json:
    body: Json = {"metadata": {"name": name, "namespace": "default"}}
    if options:
        body["deleteOptions"] = options
    return client.create("pods", body, "default", "eviction", name)


def budget(client: Client, name: str = "web", *, allowed: int, healthy: int, desired: int, **spec: Any) -> None:
    meta = {"name": name, "namespace": "default"}
    body = {"metadata": meta, "spec": {"selector": {"matchLabels": LABELS}, "minAvailable": desired, **spec}}
    made = client.create("poddisruptionbudgets", body)
    status = {
        "observedGeneration": made["metadata"]["generation"],
        "disruptionsAllowed": allowed,
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "expectedPods": healthy,
    }
    client.patch("poddisruptionbudgets", "default", name, {"status": status}, subresource="status")


def test_a_binding_puts_a_pod_on_its_node(client: Client) -> None:
    make_pod(client)
    answer = bind(client, annotations={"why": "room"})
    assert (answer["kind"], answer["status"], answer["code"]) == ("Status", "Success", 201)
    pod = client.get("pods", "default", "web")
    assert pod["spec"]["nodeName"] == "n1"
    assert pod["metadata"]["annotations"]["why"] == "room"
    assert pod["status"]["conditions"] == [
        {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": "2027-01-15T08:00:00Z"}
    ]
    assert client.on_node("n1") == [pod]


def test_a_pod_is_bound_once(client: Client) -> None:
    make_pod(client)
    bind(client)
    with pytest.raises(ApiError) as caught:
        bind(client, node="n2")
    assert (caught.value.code, caught.value.reason) == (409, "Conflict")
    assert caught.value.message == (
        'Operation cannot be fulfilled on pods/binding "web": pod web is already assigned to node "n1"'
    )


def test_what_cannot_be_bound(client: Client) -> None:
    make_pod(client, "gated", schedulingGates=[{"name": "wait"}])
    with pytest.raises(ApiError) as caught:
        bind(client, "gated")
    assert caught.value.message.endswith("pod gated has non-empty .spec.schedulingGates")
    with pytest.raises(ApiError) as caught:
        bind(client, "absent")
    assert caught.value.message == 'pods "absent" not found'
    with pytest.raises(ApiError) as caught:
        bind(client, "gated", node="")
    assert caught.value.message == 'Binding "gated" is invalid: target.name: Required value'


def test_the_bindings_resource_does_the_same(client: Client) -> None:
    make_pod(client)
    client.create("bindings", {"metadata": {"name": "web"}, "target": {"kind": "Node", "name": "n3"}}, "default")
    assert client.get("pods", "default", "web")["spec"]["nodeName"] == "n3"


def test_an_eviction_is_a_deletion_that_leaves_its_reason(client: Client) -> None:
    make_pod(client, status=READY, nodeName="n1")
    assert evict(client)["status"] == "Success"
    pod = client.get("pods", "default", "web")
    assert pod["metadata"]["deletionGracePeriodSeconds"] == 30
    assert pod["status"]["conditions"][-1] == {
        "type": "DisruptionTarget",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": "2027-01-15T08:00:00Z",
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
    }


def test_a_budget_that_allows_none(client: Client) -> None:
    make_pod(client, status=READY, nodeName="n1")
    budget(client, allowed=0, healthy=1, desired=1)
    with pytest.raises(ApiError) as caught:
        evict(client)
    assert (caught.value.code, caught.value.reason) == (429, "TooManyRequests")
    assert caught.value.message == "Cannot evict pod as it would violate the pod's disruption budget."
    assert caught.value.details == {
        "causes": [
            {
                "reason": "DisruptionBudget",
                "message": "The disruption budget web needs 1 healthy pods and has 1 currently",
            }
        ]
    }
    assert "deletionTimestamp" not in client.get("pods", "default", "web")["metadata"]


def test_a_budget_is_charged(client: Client) -> None:
    for name in ("a", "b"):
        make_pod(client, name, status=READY, nodeName="n1")
    budget(client, allowed=1, healthy=2, desired=1)
    evict(client, "a")
    status = client.get("poddisruptionbudgets", "default", "web")["status"]
    assert (status["disruptionsAllowed"], list(status["disruptedPods"])) == (0, ["a"])
    assert status["conditions"][-1]["reason"] == "InsufficientPods"
    with pytest.raises(ApiError) as caught:
        evict(client, "b")
    assert caught.value.code == 429


def test_a_budget_that_nobody_has_looked_at_yet(client: Client) -> None:
    make_pod(client, status=READY, nodeName="n1")
    body = {"metadata": {"name": "new", "namespace": "default"}, "spec": {"selector": {"matchLabels": LABELS}}}
    client.create("poddisruptionbudgets", body)
    with pytest.raises(ApiError) as caught:
        evict(client)
    assert caught.value.details is not None
    assert caught.value.details["retryAfterSeconds"] == 10
    assert caught.value.details["causes"][0]["message"] == (
        "The disruption budget new is still being processed by the server."
    )


@pytest.mark.parametrize(("policy", "code"), [("IfHealthyBudget", 429), ("AlwaysAllow", 201)])
def test_pods_that_are_not_ready(client: Client, policy: str, code: int) -> None:
    make_pod(client, status={"phase": "Running"}, nodeName="n1")
    budget(client, allowed=0, healthy=0, desired=1, unhealthyPodEvictionPolicy=policy)
    if code == 201:
        evict(client)
        return
    with pytest.raises(ApiError) as caught:
        evict(client)
    assert caught.value.code == code


def test_pods_that_have_ended_are_free_to_go(client: Client) -> None:
    make_pod(client, status={"phase": "Succeeded"}, nodeName="n1")
    budget(client, allowed=0, healthy=0, desired=1)
    evict(client)
    assert client.find("pods", "default", "web") is None


def test_two_budgets_are_one_too_many(client: Client) -> None:
    make_pod(client, status=READY, nodeName="n1")
    for name in ("a", "b"):
        budget(client, name, allowed=1, healthy=2, desired=1)
    with pytest.raises(ApiError) as caught:
        evict(client)
    assert caught.value.code == 500
    assert caught.value.message == (
        "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
    )


def test_a_dry_run_changes_nothing(client: Client, cluster: MiniCluster) -> None:
    make_pod(client, status=READY, nodeName="n1")
    budget(client, allowed=1, healthy=2, desired=1)
    before = cluster.storage.revision
    evict(client, dryRun=["All"])
    assert cluster.storage.revision == before
