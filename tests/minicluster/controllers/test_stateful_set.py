"""StatefulSets: order, names, claims, revisions."""

from __future__ import annotations

from typing import Any

import pytest

from k8sdiag.evidence import Json
from tests.minicluster.controllers.stage import SPACE, Stage, template

CLAIM = {
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


def stateful(replicas: int, **spec: Any) -> Json:
    selector = {"matchLabels": {"app": "db"}}
    return {"replicas": replicas, "serviceName": "db", "selector": selector, "template": template("db"), **spec}


def new_template(text: str) -> Json:
    return {"spec": {"template": {"metadata": {"annotations": {"version": text}}}}}


def versions(stage: Stage) -> list[str]:
    return [(pod["metadata"].get("annotations") or {}).get("version", "") for pod in stage.living("db")]


def roll(stage: Stage) -> None:
    """Let pods go and come until nothing moves."""
    for _ in range(20):
        stage.bury_all()
        stage.ready_all()


def test_one_after_the_other_each_with_its_name() -> None:
    stage = Stage()
    stage.make("statefulsets", "db", stateful(3))
    assert stage.names() == ["db-0"]
    stage.ready_all()
    assert stage.names() == ["db-0", "db-1"]
    stage.ready_all()
    stage.ready_all()
    assert stage.names() == ["db-0", "db-1", "db-2"]
    revision = stage.status("statefulsets", "db")["updateRevision"]
    pod = stage.get("pods", "db-2")
    assert pod["metadata"]["labels"] == {
        "app": "db",
        "apps.kubernetes.io/pod-index": "2",
        "controller-revision-hash": revision,
        "statefulset.kubernetes.io/pod-name": "db-2",
    }
    assert (pod["metadata"]["generateName"], pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("db-", "db-2", "db")
    assert stage.status("statefulsets", "db") == {
        "observedGeneration": 1,
        "replicas": 3,
        "readyReplicas": 3,
        "currentReplicas": 3,
        "updatedReplicas": 3,
        "currentRevision": revision,
        "updateRevision": revision,
        "collisionCount": 0,
        "availableReplicas": 3,
    }
    wanted = [f"create Pod db-{number} in StatefulSet db successful" for number in range(3)]
    assert stage.events("SuccessfulCreate") == wanted


def test_a_pod_that_breaks_holds_up_the_next() -> None:
    stage = Stage()
    stage.make("statefulsets", "db", stateful(2))
    stage.ready_all()
    stage.broken(stage.get("pods", "db-0"))
    stage.client.delete("pods", SPACE, "db-1", grace=0)
    stage.settle()
    assert stage.names() == ["db-0"]
    stage.ready(stage.get("pods", "db-0"))
    stage.settle()
    assert stage.names() == ["db-0", "db-1"]


def test_parallel_waits_for_nobody() -> None:
    stage = Stage()
    stage.make("statefulsets", "db", stateful(3, podManagementPolicy="Parallel"))
    assert stage.names() == ["db-0", "db-1", "db-2"]
    stage.change("statefulsets", "db", {"spec": {"replicas": 0}})
    assert stage.names() == []


def test_the_last_goes_first_and_alone() -> None:
    stage = Stage()
    stage.make("statefulsets", "db", stateful(3))
    for _ in range(3):
        stage.ready_all()
    stage.change("statefulsets", "db", {"spec": {"replicas": 1}})
    assert [pod["metadata"]["name"] for pod in stage.living()] == ["db-0", "db-1"]
    stage.run_for(5)
    assert [pod["metadata"]["name"] for pod in stage.living()] == ["db-0", "db-1"]
    stage.bury_all()
    stage.bury_all()
    assert stage.names() == ["db-0"]
    assert stage.events("SuccessfulDelete") == [
        "delete Pod db-2 in StatefulSet db successful",
        "delete Pod db-1 in StatefulSet db successful",
    ]


def test_claims_are_made_once_and_outlive_the_pod() -> None:
    stage = Stage()
    stage.make("statefulsets", "db", stateful(1, volumeClaimTemplates=[CLAIM]))
    claim = stage.get("persistentvolumeclaims", "data-db-0")
    assert claim["metadata"]["labels"] == {"app": "db"}
    assert claim["spec"]["resources"] == {"requests": {"storage": "1Gi"}}
    (volume,) = [entry for entry in stage.get("pods", "db-0")["spec"]["volumes"] if entry["name"] == "data"]
    assert volume["persistentVolumeClaim"]["claimName"] == "data-db-0"
    stage.client.delete("pods", SPACE, "db-0", grace=0)
    stage.settle()
    assert stage.get("persistentvolumeclaims", "data-db-0")["metadata"]["uid"] == claim["metadata"]["uid"]
    assert stage.events("SuccessfulCreate", "StatefulSet")[:2] == [
        "create Claim data-db-0 Pod db-0 in StatefulSet db success",
        "create Pod db-0 in StatefulSet db successful",
    ]


@pytest.mark.parametrize(("policy", "owner"), [("whenDeleted", "StatefulSet"), ("whenScaled", "Pod")])
def test_claims_go_with_whom_the_policy_says(policy: str, owner: str) -> None:
    stage = Stage()
    retention = {"whenDeleted": "Retain", "whenScaled": "Retain", policy: "Delete"}
    spec = stateful(2, volumeClaimTemplates=[CLAIM], persistentVolumeClaimRetentionPolicy=retention)
    stage.make("statefulsets", "db", spec)
    stage.ready_all()
    stage.ready_all()
    stage.change("statefulsets", "db", {"spec": {"replicas": 1}})
    claim = stage.get("persistentvolumeclaims", "data-db-1")
    assert [entry["kind"] for entry in claim["metadata"]["ownerReferences"]] == [owner]


def test_a_rolling_update_goes_from_the_last_to_the_first() -> None:
    stage = Stage()
    stage.make("statefulsets", "db", stateful(3))
    roll(stage)
    before = stage.status("statefulsets", "db")["currentRevision"]
    stage.change("statefulsets", "db", new_template("2"))
    assert versions(stage) == ["", ""]  # db-2 is being replaced
    stage.bury_all()
    assert versions(stage) == ["", "", "2"]
    status = stage.status("statefulsets", "db")
    assert (status["currentRevision"], status["currentReplicas"], status["updatedReplicas"]) == (before, 2, 1)
    stage.run_for(60)
    assert versions(stage) == ["", "", "2"]  # it waits for db-2 to be ready
    roll(stage)
    assert versions(stage) == ["2", "2", "2"]
    status = stage.status("statefulsets", "db")
    assert status["currentRevision"] == status["updateRevision"] != before
    assert len(stage.names("controllerrevisions")) == 2


def test_an_update_goes_one_by_one_even_where_making_does_not() -> None:
    stage = Stage()
    stage.make("statefulsets", "db", stateful(3, podManagementPolicy="Parallel"))
    roll(stage)
    stage.change("statefulsets", "db", new_template("2"))
    stage.bury_all()
    assert versions(stage) == ["", "", "2"]
    stage.run_for(60)
    assert versions(stage) == ["", "", "2"]
    roll(stage)
    assert versions(stage) == ["2", "2", "2"]


def test_below_the_partition_the_old_stays() -> None:
    stage = Stage()
    stage.make("statefulsets", "db", stateful(3, updateStrategy={"rollingUpdate": {"partition": 2}}))
    roll(stage)
    stage.change("statefulsets", "db", new_template("2"))
    roll(stage)
    assert versions(stage) == ["", "", "2"]
    stage.client.delete("pods", SPACE, "db-0", grace=0)
    roll(stage)
    assert versions(stage) == ["", "", "2"]
    stage.change("statefulsets", "db", {"spec": {"updateStrategy": {"rollingUpdate": {"partition": 0}}}})
    roll(stage)
    assert versions(stage) == ["2", "2", "2"]


def test_on_delete_waits_to_be_told() -> None:
    stage = Stage()
    stage.make("statefulsets", "db", stateful(2, updateStrategy={"type": "OnDelete"}))
    roll(stage)
    stage.change("statefulsets", "db", new_template("2"))
    roll(stage)
    assert versions(stage) == ["", ""]
    stage.client.delete("pods", SPACE, "db-0", grace=0)
    roll(stage)
    assert versions(stage) == ["2", ""]


def test_the_old_template_gets_its_old_revision_back() -> None:
    stage = Stage()
    stage.make("statefulsets", "db", stateful(1))
    roll(stage)
    first = stage.status("statefulsets", "db")["currentRevision"]
    stage.change("statefulsets", "db", new_template("2"))
    roll(stage)
    stage.change("statefulsets", "db", {"spec": {"template": {"metadata": {"annotations": None}}}})
    roll(stage)
    assert stage.status("statefulsets", "db")["currentRevision"] == first
    numbers = {
        entry["metadata"]["name"]: entry["revision"] for entry in stage.client.list("controllerrevisions", SPACE)
    }
    assert numbers[first] == 3
    held = stage.get("controllerrevisions", first)
    assert held["data"]["spec"]["template"]["$patch"] == "replace"
    assert held["metadata"]["labels"]["app"] == "db"


def test_ordinals_may_start_elsewhere() -> None:
    stage = Stage()
    stage.make("statefulsets", "db", stateful(2, ordinals={"start": 5}))
    stage.ready_all()
    assert stage.names() == ["db-5", "db-6"]


def test_a_pod_that_ended_is_made_anew_under_its_name() -> None:
    stage = Stage()
    stage.make("statefulsets", "db", stateful(1))
    before = stage.get("pods", "db-0")["metadata"]["uid"]
    stage.end(stage.get("pods", "db-0"), 1)
    stage.settle()
    stage.bury_all()
    assert stage.get("pods", "db-0")["metadata"]["uid"] != before
