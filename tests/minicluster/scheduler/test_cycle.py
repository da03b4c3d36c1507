"""The scheduler at work in a real (stepped) cluster: what it writes, when it tries again, whom it leaves alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.minicluster.scheduler.stepped import Stepped
from tests.minicluster.scheduler.worlds import Json

TRUTH = Path(__file__).parents[3] / "recordings" / "pend-cpu" / "objects.jsonl"
NO_CPU = (
    "0/1 nodes are available: 1 Insufficient cpu. "
    "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
)


@pytest.fixture
def lab() -> Stepped:
    return Stepped()


def test_a_pod_is_bound_and_said_to_be(lab: Stepped) -> None:
    lab.add_node("a")
    made = lab.add_pod("web")
    lab.step()
    assert lab.node_of("web") == "a"
    assert lab.condition("web")["status"] == "True"
    [event] = lab.events("web", "Scheduled")
    told = {key: event[key] for key in ("type", "message", "action", "reportingComponent", "source")}
    assert told == {
        "type": "Normal",
        "message": "Successfully assigned shop/web to a",
        "action": "Binding",
        "reportingComponent": "default-scheduler",
        "source": {},
    }
    assert event["involvedObject"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def _recorded(kind: str) -> Json:
    lines = [json.loads(line) for line in TRUTH.read_text().splitlines()]
    found = [line["object"] for line in lines if line["object"]["kind"] == kind]
    if kind == "Pod":
        found = [each for each in found if each["status"].get("conditions")]
    first: Json = found[0]
    return first


def _shape(value: object) -> object:
    """The keys of an object, without what differs from run to run."""
    if isinstance(value, dict):
        return {key: _shape(each) for key, each in value.items() if key != "managedFields"}
    return [_shape(each) for each in value] if isinstance(value, list) else type(value).__name__


def test_a_refusal_is_written_as_a_real_scheduler_writes_it(lab: Stepped) -> None:
    lab.add_node("a", cpu="2")
    lab.add_pod("web", cpu="64")
    lab.step()
    [event] = lab.events("web", "FailedScheduling")
    theirs = _recorded("Event")
    assert event["message"] == theirs["message"] == NO_CPU
    assert _shape(event) == _shape(theirs)
    assert {key: event[key] for key in ("type", "reason", "action", "reportingComponent")} == {
        key: theirs[key] for key in ("type", "reason", "action", "reportingComponent")
    }
    condition, recorded = lab.condition("web"), _recorded("Pod")["status"]["conditions"][0]
    assert list(condition) == list(recorded)
    assert {**condition, "lastTransitionTime": ""} == {**recorded, "lastTransitionTime": ""}


def test_without_nodes_it_is_tried_again_and_again(lab: Stepped) -> None:
    lab.add_pod("web")
    lab.step()
    assert lab.condition("web")["message"] == "no nodes available to schedule pods"
    assert lab.condition("web")["reason"] == "Unschedulable"
    lab.step(0.5)
    lab.add_node("a")
    lab.step(0.4)
    assert lab.node_of("web") == ""
    lab.step(0.2)
    assert lab.node_of("web") == "a"


@pytest.mark.parametrize(
    "help_it",
    [
        lambda lab: lab.add_node("b", cpu="64"),
        lambda lab: lab.remove("old"),
        lambda lab: lab.client.patch(
            "nodes", "", "a", {"status": {"allocatable": {"cpu": "64"}}}, subresource="status"
        ),
    ],
    ids=["node-added", "pod-gone", "node-grown"],
)
def test_what_makes_room_is_used_at_once(lab: Stepped, help_it: object) -> None:
    lab.add_node("a", cpu="4")
    lab.add_pod("old", cpu="4")
    lab.step(1)
    lab.add_pod("web", cpu="4")
    lab.step(20)
    assert lab.node_of("web") == ""
    assert len(lab.events("web", "FailedScheduling")) == 1  # nothing happened that could help
    assert callable(help_it)
    help_it(lab)
    lab.step()
    assert lab.node_of("web")


def test_labels_taints_and_cordons_are_noticed(lab: Stepped) -> None:
    lab.add_node("a", taints=[{"key": "team", "value": "red", "effect": "NoSchedule"}])
    lab.add_pod("tainted")
    lab.step()
    assert "untolerated taint {team: red}" in lab.condition("tainted")["message"]
    lab.change_node("a", {"taints": None})
    lab.step()
    assert lab.node_of("tainted") == "a"
    lab.add_pod("picky", nodeSelector={"disk": "ssd"})
    lab.step()
    assert "didn't match Pod's node affinity/selector" in lab.condition("picky")["message"]
    lab.change_node("a", labels={"disk": "ssd"})
    lab.step()
    assert lab.node_of("picky") == "a"
    lab.change_node("a", {"unschedulable": True})
    lab.add_pod("late")
    lab.step()
    assert "node(s) were unschedulable" in lab.condition("late")["message"]
    lab.change_node("a", {"unschedulable": None})
    lab.step()
    assert lab.node_of("late") == "a"


def test_a_neighbour_that_comes_is_noticed(lab: Stepped) -> None:
    lab.add_node("a")
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "db"}}}
    lab.add_pod("web", affinity={"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}})
    lab.step()
    assert "didn't match pod affinity rules" in lab.condition("web")["message"]
    lab.add_pod("other", labels={"app": "other"})
    lab.step(3)
    assert lab.node_of("web") == ""
    lab.add_pod("db", labels={"app": "db"})
    lab.step()
    assert lab.node_of("web") == "a"


def test_pods_of_other_schedulers_are_left_alone(lab: Stepped) -> None:
    lab.add_node("a")
    lab.add_pod("web", schedulerName="nope")
    lab.step(400)
    assert lab.node_of("web") == ""
    assert lab.condition("web") == {}
    assert lab.events("web", "FailedScheduling") == []


def test_gates_hold_a_pod_until_they_go(lab: Stepped) -> None:
    lab.add_node("a")
    lab.add_pod("web", schedulingGates=[{"name": "example.com/wait"}])
    lab.step(400)
    assert lab.node_of("web") == ""
    assert lab.events("web", "FailedScheduling") == []
    lab.client.patch("pods", "shop", "web", [{"op": "remove", "path": "/spec/schedulingGates"}], kind="json")
    lab.step()
    assert lab.node_of("web") == "a"


def test_a_pod_is_tried_again_after_five_minutes_come_what_may(lab: Stepped) -> None:
    lab.add_node("a", cpu="1")
    lab.add_pod("web", cpu="2")
    lab.step(1)
    first = lab.events("web", "FailedScheduling")
    lab.step(340)
    again = lab.events("web", "FailedScheduling")
    assert len(first) == 1
    assert len(again) == 2  # of the same words, but about a newer version of the pod


def test_a_pod_that_is_going_away_is_not_placed(lab: Stepped) -> None:
    lab.add_node("a", cpu="1")
    made = lab.add_pod("web", cpu="2")
    lab.client.patch("pods", "shop", "web", {"metadata": {"finalizers": ["example.com/hold"]}})
    lab.step()
    lab.remove("web")
    lab.add_node("b")
    lab.step(2)
    assert lab.node_of("web") == ""
    told = [event["message"] for event in lab.events("web", "FailedScheduling")]
    assert "skip schedule deleting pod: shop/web" in told
    assert made["metadata"]["name"] == "web"


def test_the_more_important_goes_first(lab: Stepped) -> None:
    lab.priority("high", 1000)
    lab.add_pod("low", cpu="3")
    lab.add_pod("chief", cpu="3", priorityClassName="high")
    lab.step()
    lab.add_node("a", cpu="4")
    lab.step(2)
    assert (lab.node_of("low"), lab.node_of("chief")) == ("", "a")


def test_preemption_from_the_promise_to_the_place(lab: Stepped) -> None:
    lab.priority("high", 1000)
    lab.add_node("a", cpu="4")
    lab.add_pod("old", cpu="3", terminationGracePeriodSeconds=30)
    lab.step(1)
    chief = lab.add_pod("chief", cpu="3", priorityClassName="high")
    lab.step(1)
    assert lab.pod("chief")["status"]["nominatedNodeName"] == "a"
    assert lab.condition("chief")["message"] == "0/1 nodes are available: 1 Insufficient cpu."
    victim = lab.pod("old")
    assert victim["metadata"]["deletionGracePeriodSeconds"] == 30
    [target] = [each for each in victim["status"]["conditions"] if each["type"] == "DisruptionTarget"]
    assert (target["status"], target["reason"]) == ("True", "PreemptionByScheduler")
    assert target["message"] == "default-scheduler: preempting to accommodate a higher priority pod"
    [event] = lab.events("old", "Preempted")
    assert event["message"] == f"Preempted by pod {chief['metadata']['uid']} on node a"
    assert (event["type"], event["action"], event["related"]["name"]) == ("Normal", "Preempting", "chief")
    lab.add_pod("small", cpu="1500m")  # the promised room is not for others
    lab.step(1)
    assert lab.node_of("small") == ""
    lab.remove("old")
    lab.step()
    assert lab.node_of("chief") == "a"


def test_a_promise_is_taken_back_for_a_more_important_pod(lab: Stepped) -> None:
    lab.priority("middle", 500)
    lab.priority("high", 1000)
    lab.add_node("a", cpu="4")
    lab.add_pod("old", cpu="3", terminationGracePeriodSeconds=30)
    lab.step(1)
    lab.add_pod("mid", cpu="3", priorityClassName="middle")
    lab.step(1)
    assert lab.pod("mid")["status"]["nominatedNodeName"] == "a"
    lab.add_pod("chief", cpu="3", priorityClassName="high")
    lab.step(1)
    assert lab.pod("chief")["status"]["nominatedNodeName"] == "a"
    assert "nominatedNodeName" not in lab.pod("mid")["status"]
    assert len(lab.events("old", "Preempted")) == 1  # it is on its way already
    lab.remove("old")
    lab.step(12)
    assert (lab.node_of("chief"), lab.node_of("mid")) == ("a", "")


def test_preemption_that_is_not_wanted(lab: Stepped) -> None:
    body = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "polite"}}
    lab.client.create("priorityclasses", {**body, "value": 1000, "preemptionPolicy": "Never"})
    lab.add_node("a", cpu="4")
    lab.add_pod("old", cpu="3")
    lab.step(1)
    lab.add_pod("chief", cpu="3", priorityClassName="polite")
    lab.step(1)
    assert lab.condition("chief")["message"].endswith("preemption: not eligible due to preemptionPolicy=Never.")
    assert "nominatedNodeName" not in lab.pod("chief")["status"]
    assert not lab.pod("old")["metadata"].get("deletionTimestamp")


def _claim(lab: Stepped, storage: str) -> None:
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": storage,
        "resources": {"requests": {"storage": "1Gi"}},
    }
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": spec}
    lab.client.create("persistentvolumeclaims", claim, "shop")


def _class(lab: Stepped, provisioner: str) -> None:
    body = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "later"}}
    whole = {**body, "provisioner": provisioner, "volumeBindingMode": "WaitForFirstConsumer"}
    lab.client.create("storageclasses", whole)


MOUNTS = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]


def test_a_claim_that_comes_late_and_is_made_for_the_chosen_node(lab: Stepped) -> None:
    lab.add_node("a")
    _class(lab, "lab.k8sdiag.dev/hostpath")
    lab.add_pod("db", volumes=MOUNTS)
    lab.step(1)
    assert lab.condition("db")["message"].startswith(
        '0/1 nodes are available: persistentvolumeclaim "data" not found. preemption:'
    )
    _claim(lab, "later")
    lab.step()
    claim = lab.client.get("persistentvolumeclaims", "shop", "data")
    assert claim["metadata"]["annotations"]["volume.kubernetes.io/selected-node"] == "a"
    assert lab.node_of("db") == ""  # not before the volume is there
    lab.step(5)
    assert lab.client.get("persistentvolumeclaims", "shop", "data")["status"]["phase"] == "Bound"
    assert lab.node_of("db") == "a"


def test_a_volume_that_is_there_is_tied_to_the_claim(lab: Stepped) -> None:
    lab.add_node("a")
    lab.add_node("b")
    _class(lab, "kubernetes.io/no-provisioner")
    terms = [{"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["b"]}]}]
    spec = {
        "capacity": {"storage": "2Gi"},
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "later",
        "local": {"path": "/data"},
        "nodeAffinity": {"required": {"nodeSelectorTerms": terms}},
    }
    volume = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "disk"}, "spec": spec}
    lab.client.create("persistentvolumes", volume)
    _claim(lab, "later")
    lab.step(1)
    lab.add_pod("db", volumes=MOUNTS)
    lab.step(5)
    assert lab.node_of("db") == "b"
    assert lab.client.get("persistentvolumeclaims", "shop", "data")["spec"]["volumeName"] == "disk"


def test_a_provisioner_that_never_comes_is_given_up_after_ten_minutes(lab: Stepped) -> None:
    lab.add_node("a", cpu="4")
    _class(lab, "ghost.example")
    _claim(lab, "later")
    lab.add_pod("db", cpu="3", volumes=MOUNTS)
    lab.step(10)
    lab.add_pod("other", cpu="3")  # the place is held meanwhile
    lab.step(10)
    assert lab.node_of("other") == ""
    lab.step(600)
    assert lab.condition("db")["reason"] == "SchedulerError"
    assert lab.condition("db")["message"] == (
        'running PreBind plugin "VolumeBinding": binding volumes: context deadline exceeded'
    )


def test_the_same_seed_places_pods_the_same() -> None:
    def places() -> list[str]:
        lab = Stepped(seed=5)
        for index in range(5):
            lab.add_node(f"n{index}")
        for index in range(20):
            lab.add_pod(f"p{index}", cpu="100m")
        lab.step()
        return [lab.node_of(f"p{index}") for index in range(20)]

    assert places() == places()


def test_a_workload_is_spread_over_nodes() -> None:
    lab = Stepped()
    for index in range(4):
        lab.add_node(f"n{index}")
    spec = {"selector": {"matchLabels": {"app": "web"}}, "replicas": 4}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "app", "image": "web:1"}]}}
    body = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "web"}}
    lab.client.create("replicasets", {**body, "spec": {**spec, "template": template}}, "shop")
    lab.step(2)
    assert {pod["spec"]["nodeName"] for pod in lab.client.list("pods", "shop")} == {"n0", "n1", "n2", "n3"}
