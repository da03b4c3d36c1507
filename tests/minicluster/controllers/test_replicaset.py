"""ReplicaSets and ReplicationControllers: numbers, names, adoption, failures, and who goes first."""

from __future__ import annotations

from typing import Any

import pytest

from k8sdiag.evidence import Json
from k8sdiag.minicluster.controllers.victims import victims
from tests.minicluster.controllers.stage import SPACE, START, Stage, template


def replica_set(replicas: int, **spec: Any) -> Json:
    selector = {"matchLabels": {"app": "web"}}
    return {"replicas": replicas, "selector": selector, "template": template(), **spec}


def test_pods_are_made_under_its_name_and_counted() -> None:
    stage = Stage()
    made = stage.make("replicasets", "web", replica_set(3))
    pods = stage.pods()
    assert len(pods) == 3
    for pod in pods:
        assert pod["metadata"]["generateName"] == "web-"
        assert pod["metadata"]["name"].startswith("web-")
        assert len(pod["metadata"]["name"]) == len("web-") + 5
        assert pod["metadata"]["ownerReferences"] == [
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "name": "web",
                "uid": made["metadata"]["uid"],
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ]
    assert stage.status("replicasets", "web") == {"replicas": 3, "fullyLabeledReplicas": 3, "observedGeneration": 1}
    assert sorted(stage.events("SuccessfulCreate")) == sorted(f"Created pod: {name}" for name in stage.names())
    stage.ready(pods[0])
    stage.settle()
    status = stage.status("replicasets", "web")
    assert (status["readyReplicas"], status["availableReplicas"]) == (1, 1)


def test_a_pod_that_ends_is_replaced() -> None:
    stage = Stage()
    stage.make("replicasets", "web", replica_set(2))
    first = stage.pods()[0]
    stage.end(first, 1)
    stage.settle()
    assert len(stage.pods()) == 3
    stage.client.delete("pods", SPACE, stage.pods()[1]["metadata"]["name"], grace=0)
    stage.settle()
    assert sum(pod["status"]["phase"] == "Pending" for pod in stage.pods()) == 2


def test_available_only_after_min_ready_seconds() -> None:
    stage = Stage()
    stage.make("replicasets", "web", replica_set(1, minReadySeconds=30))
    stage.ready_all()
    assert "availableReplicas" not in stage.status("replicasets", "web")
    stage.run_for(29)
    assert "availableReplicas" not in stage.status("replicasets", "web")
    stage.run_for(2)
    assert stage.status("replicasets", "web")["availableReplicas"] == 1


def test_orphans_are_adopted_and_strangers_let_go() -> None:
    stage = Stage()
    stage.client.create(
        "pods", {"metadata": {"name": "lone", "labels": {"app": "web"}}, "spec": template()["spec"]}, SPACE
    )
    stage.make("replicasets", "web", replica_set(2))
    assert len(stage.pods()) == 2
    assert stage.get("pods", "lone")["metadata"]["ownerReferences"][0]["name"] == "web"
    stage.change("pods", "lone", {"metadata": {"labels": {"app": "debug"}}})
    assert "ownerReferences" not in stage.get("pods", "lone")["metadata"]
    assert len(stage.pods("web")) == 2
    assert len(stage.pods()) == 3


def test_a_late_orphan_is_one_too_many() -> None:
    stage = Stage()
    stage.make("replicasets", "web", replica_set(2))
    stage.ready_all()
    stage.client.create(
        "pods", {"metadata": {"name": "lone", "labels": {"app": "web"}}, "spec": template()["spec"]}, SPACE
    )
    stage.settle()
    assert "lone" not in stage.names()
    assert stage.events("SuccessfulDelete") == ["Deleted pod: lone"]


def test_what_quota_refuses_is_told_and_tried_again() -> None:
    stage = Stage()
    quota = {"metadata": {"name": "small"}, "spec": {"hard": {"pods": "1"}}}
    stage.client.create("resourcequotas", quota, SPACE)
    stage.settle()
    stage.client.create("replicasets", {"metadata": {"name": "web"}, "spec": replica_set(3)}, SPACE)
    stage.run_for(10)
    status = stage.status("replicasets", "web")
    assert status["replicas"] == 1
    (condition,) = status["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == ("ReplicaFailure", "True", "FailedCreate")
    assert condition["message"].startswith('pods "web-')
    assert condition["message"].endswith(
        '" is forbidden: exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1'
    )
    failures = stage.events("FailedCreate")
    assert failures[0].startswith('Error creating: pods "web-')
    assert any(message.startswith("(combined from similar events): Error creating: ") for message in failures)
    stage.client.delete("resourcequotas", SPACE, "small")
    stage.run_for(60)
    assert stage.status("replicasets", "web") == {"replicas": 3, "fullyLabeledReplicas": 3, "observedGeneration": 1}


def test_a_plain_selector_does_for_replication_controllers() -> None:
    stage = Stage()
    stage.make("replicationcontrollers", "old", {"replicas": 2, "selector": {"app": "web"}, "template": template()})
    stage.ready_all()
    assert stage.status("replicationcontrollers", "old") == {
        "replicas": 2,
        "fullyLabeledReplicas": 2,
        "readyReplicas": 2,
        "availableReplicas": 2,
        "observedGeneration": 1,
    }
    assert stage.pods()[0]["metadata"]["ownerReferences"][0]["kind"] == "ReplicationController"
    (event, *_) = stage.client.list("events", SPACE)
    assert event["source"]["component"] == "replication-controller"


def test_scaling_down_takes_the_pods_that_are_not_ready_first() -> None:
    stage = Stage()
    stage.make("replicasets", "web", replica_set(3))
    keeper = stage.pods()[1]
    stage.ready(keeper)
    stage.change("replicasets", "web", {"spec": {"replicas": 1}})
    assert stage.names() == [keeper["metadata"]["name"]]


def pod(name: str, **changes: Any) -> Json:
    conditions = []
    if "ready" in changes:
        conditions.append({"type": "Ready", "status": "True", "lastTransitionTime": changes["ready"]})
    annotations = {"controller.kubernetes.io/pod-deletion-cost": changes["cost"]} if "cost" in changes else {}
    return {
        "metadata": {
            "name": name,
            "uid": name,
            "creationTimestamp": changes.get("created", "2027-01-15T06:00:00Z"),
            "annotations": annotations,
        },
        "spec": {"nodeName": changes.get("node", "n1")},
        "status": {
            "phase": changes.get("phase", "Running"),
            "conditions": conditions,
            "containerStatuses": [{"restartCount": changes.get("restarts", 0)}],
        },
    }


READY = "2027-01-15T07:00:00Z"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (pod("b", node=""), pod("a")),
        (pod("b", phase="Pending"), pod("a")),
        (pod("b"), pod("a", ready=READY)),
        (pod("b", ready=READY, cost="-5"), pod("a", ready=READY)),
        (pod("b", ready="2027-01-15T07:59:00Z"), pod("a", ready=READY)),
        (pod("b", ready=READY, restarts=3), pod("a", ready=READY, restarts=1)),
        (pod("b", ready=READY, created="2027-01-15T07:58:00Z"), pod("a", ready=READY)),
        (pod("a", ready=READY), pod("b", ready="2027-01-15T07:00:30Z")),  # of one age: by uid
    ],
)
def test_who_goes_first(first: Json, second: Json) -> None:
    assert victims([second, first], 1, START) == [first]


def test_crowded_nodes_are_thinned_out_first() -> None:
    pods = [pod("a", ready=READY, node="n1"), *(pod(name, ready=READY, node="n2") for name in "bc")]
    assert victims(pods, 1, START)[0]["metadata"]["name"] == "b"
