"""LimitRanges and ResourceQuotas: what they set, what they refuse and in which words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8sdiag.evidence import Json
from k8sdiag.minicluster import amounts
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.apiserver.quantities import nanos
from k8sdiag.minicluster.client import Client


def pod(name: str = "web", **resources: Json) -> Json:
    container = {"name": "app", "image": "nginx", "resources": resources}
    return {"metadata": {"name": name, "namespace": "default"}, "spec": {"containers": [container]}}


def message(client: Client, resource: str, obj: Json) -> str:
    with pytest.raises(ApiError) as caught:
        client.create(resource, obj)
    assert caught.value.code == 403
    return caught.value.message


def limit_range(client: Client, **item: Any) -> None:
    meta = {"name": "limits", "namespace": "default"}
    client.create("limitranges", {"metadata": meta, "spec": {"limits": [{"type": "Container", **item}]}})


def quota(client: Client, hard: Json, name: str = "small", **spec: Any) -> None:
    """A quota that its controller has seen."""
    meta = {"name": name, "namespace": "default"}
    client.create("resourcequotas", {"metadata": meta, "spec": {"hard": hard, **spec}})
    status = {"hard": hard, "used": dict.fromkeys(hard, "0")}
    client.patch("resourcequotas", "default", name, {"status": status}, subresource="status")


def used(client: Client, name: str = "small") -> Json:
    found: Json = client.get("resourcequotas", "default", name)["status"]["used"]
    return found


def test_limit_ranges_fill_in_and_say_so(client: Client) -> None:
    limit_range(client, default={"cpu": "500m", "memory": "512Mi"}, defaultRequest={"cpu": "250m"})
    made = client.create("pods", pod(requests={"memory": "64Mi"}))
    assert made["spec"]["containers"][0]["resources"] == {
        "requests": {"memory": "64Mi", "cpu": "250m"},
        "limits": {"cpu": "500m", "memory": "512Mi"},
    }
    assert made["metadata"]["annotations"] == {
        "kubernetes.io/limit-ranger": (
            "LimitRanger plugin set: cpu request for container app; cpu, memory limit for container app"
        )
    }


def test_limit_ranges_refuse_in_the_real_words(client: Client) -> None:
    limit_range(client, max={"cpu": "1"}, min={"memory": "128Mi"}, maxLimitRequestRatio={"cpu": "2"})
    text = message(client, "pods", pod(requests={"cpu": "500m", "memory": "64Mi"}, limits={"cpu": "2"}))
    assert text == (
        'pods "web" is forbidden: [minimum memory usage per Container is 128Mi, but request is 64Mi, '
        "maximum cpu usage per Container is 1, but limit is 2, "
        "cpu max limit to request ratio per Container is 2, but provided ratio is 4.000000]"
    )


def test_limits_of_pods_and_claims(client: Client) -> None:
    limits = [
        {"type": "Pod", "max": {"memory": "1Gi"}},
        {"type": "PersistentVolumeClaim", "max": {"storage": "5Gi"}},
    ]
    client.create("limitranges", {"metadata": {"name": "l", "namespace": "default"}, "spec": {"limits": limits}})
    text = message(client, "pods", pod(requests={"memory": "2Gi"}, limits={"memory": "2Gi"}))
    assert text == 'pods "web" is forbidden: maximum memory usage per Pod is 1Gi, but limit is 2Gi'
    text = message(client, "pods", pod())
    assert text == 'pods "web" is forbidden: maximum memory usage per Pod is 1Gi.  No limit is specified'
    claim = {
        "metadata": {"name": "data", "namespace": "default"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}},
    }
    text = message(client, "persistentvolumeclaims", claim)
    assert text == (
        'persistentvolumeclaims "data" is forbidden: maximum storage usage per PersistentVolumeClaim is 5Gi, '
        "but request is 10Gi"
    )


def test_exceeded_in_the_words_of_a_recorded_cluster(client: Client) -> None:
    quota(client, {"requests.cpu": "100m"})
    text = message(client, "pods", pod(requests={"cpu": "500m"}))
    assert text == (
        'pods "web" is forbidden: exceeded quota: small, requested: requests.cpu=500m, used: requests.cpu=0, '
        "limited: requests.cpu=100m"
    )
    assert used(client) == {"requests.cpu": "0"}


def test_what_is_used_is_charged_with_the_create(client: Client) -> None:
    quota(client, {"pods": "2", "requests.memory": "1Gi", "count/configmaps": "1", "services.nodeports": "1"})
    client.create("pods", pod("a", requests={"memory": "512Mi"}))
    client.create("configmaps", {"metadata": {"name": "a", "namespace": "default"}})
    assert used(client) == {
        "pods": "1",
        "requests.memory": "512Mi",
        "count/configmaps": "1",
        "services.nodeports": "0",
    }
    text = message(client, "configmaps", {"metadata": {"name": "b", "namespace": "default"}})
    assert text.endswith(
        "exceeded quota: small, requested: count/configmaps=1, used: count/configmaps=1, limited: count/configmaps=1"
    )
    client.create("pods", pod("b", requests={"memory": "512Mi"}))
    text = message(client, "pods", pod("c", requests={"memory": "512Mi"}))
    assert text.endswith(
        "exceeded quota: small, requested: pods=1,requests.memory=512Mi, used: pods=2,requests.memory=1Gi, "
        "limited: pods=2,requests.memory=1Gi"
    )
    spec: Json = {"selector": {"a": "b"}, "ports": [{"port": 80}]}
    client.create("services", {"metadata": {"name": "s", "namespace": "default"}, "spec": spec})
    client.patch("services", "default", "s", {"spec": {"type": "NodePort"}})
    assert used(client)["services.nodeports"] == "1"


def test_with_a_quota_containers_must_speak(client: Client) -> None:
    quota(client, {"limits.cpu": "1", "limits.memory": "1Gi", "requests.cpu": "1"})
    text = message(client, "pods", pod(requests={"cpu": "100m"}))
    assert text == (
        'pods "web" is forbidden: failed quota: small: must specify limits.cpu for: app; limits.memory for: app'
    )


def test_scopes(client: Client) -> None:
    quota(client, {"pods": "0"}, "idle", scopes=["BestEffort"])
    expression = {"scopeName": "PriorityClass", "operator": "In", "values": ["system-node-critical"]}
    quota(client, {"pods": "0"}, "urgent", scopeSelector={"matchExpressions": [expression]})
    assert "exceeded quota: idle" in message(client, "pods", pod())
    client.create("pods", pod("burst", requests={"cpu": "1m"}))
    urgent = pod("urgent", requests={"cpu": "1m"})
    urgent["spec"]["priorityClassName"] = "system-node-critical"
    assert "exceeded quota: urgent" in message(client, "pods", urgent)


def test_a_quota_nobody_has_counted_yet(client: Client) -> None:
    meta = {"name": "small", "namespace": "default"}
    client.create("resourcequotas", {"metadata": meta, "spec": {"hard": {"pods": "1"}}})
    client.create("pods", pod("a"))  # its controller has not seen it, so it says nothing yet
    client.patch("resourcequotas", "default", "small", {"status": {"hard": {"pods": "1"}}}, subresource="status")
    assert message(client, "pods", pod("b")) == (
        'pods "b" is forbidden: status unknown for quota: small, resources: pods'
    )


@given(st.lists(st.sampled_from(["1", "500m", "100Mi", "1Gi", "0.1", "1e3", "3k", "0"]), min_size=1, max_size=8))
def test_sums_are_exact_and_keep_a_spelling(values: list[str]) -> None:
    total = amounts.ZERO
    for value in values:
        amount = amounts.parse(value)
        assert amount is not None
        total = total + amount
    assert total.nanos == sum(nanos(value) for value in values)
    again = amounts.parse(str(total))
    assert again is not None
    assert again.nanos == total.nanos
