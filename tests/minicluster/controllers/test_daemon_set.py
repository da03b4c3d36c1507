"""DaemonSets: which nodes, how bound, rolling updates, failed pods."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from k8sdiag.evidence import Json
from tests.minicluster.controllers.stage import SPACE, Stage, recorded, template


def daemon(**spec: Any) -> Json:
    pod = spec.pop("pod", {})
    return {"selector": {"matchLabels": {"app": "agent"}}, "template": template("agent", **pod), **spec}


def ready_all(stage: Stage) -> None:
    for pod in stage.living("agent"):
        if pod["status"].get("phase") == "Pending":
            stage.ready(pod, target(pod))
    stage.settle()


def target(pod: Json) -> str:
    required = pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    (term,) = required["nodeSelectorTerms"]
    found: str = term["matchFields"][0]["values"][0]
    return found


def versions(stage: Stage) -> list[str]:
    return sorted((pod["metadata"].get("annotations") or {}).get("version", "") for pod in stage.living("agent"))


def test_one_pod_on_every_node() -> None:
    stage = Stage(nodes=3)
    stage.make("daemonsets", "agent", daemon())
    assert sorted(map(target, stage.pods())) == ["node1", "node2", "node3"]
    assert stage.status("daemonsets", "agent") == {
        "currentNumberScheduled": 3,
        "numberMisscheduled": 0,
        "desiredNumberScheduled": 3,
        "numberReady": 0,
        "observedGeneration": 1,
        "updatedNumberScheduled": 3,
        "numberUnavailable": 3,
    }
    ready_all(stage)
    status = stage.status("daemonsets", "agent")
    assert (status["numberReady"], status["numberAvailable"], status.get("numberUnavailable")) == (3, 3, None)
    stage.add_node("node4")
    stage.settle()
    assert sorted(map(target, stage.pods())) == ["node1", "node2", "node3", "node4"]


def test_its_pods_look_like_real_ones() -> None:
    stage = Stage(nodes=1)
    pod_spec = {"hostNetwork": True, "tolerations": [{"operator": "Exists"}]}
    stage.make("daemonsets", "agent", daemon(pod=pod_spec), labels={"app": "agent"})
    (ours,) = stage.pods()
    pods = recorded("node-flannel-init", "Pod")
    real = next(pod for pod in pods if pod["metadata"]["name"].startswith("kube-flannel-ds"))
    assert ours["spec"]["tolerations"] == real["spec"]["tolerations"]
    assert ours["spec"]["affinity"] == real["spec"]["affinity"]
    assert ours["metadata"]["labels"].keys() == real["metadata"]["labels"].keys()
    (status,) = [entry["status"] for entry in recorded("node-flannel-init", "DaemonSet")][-1:]
    assert stage.status("daemonsets", "agent") == status
    assert list(stage.status("daemonsets", "agent")) == list(status)


def test_nodes_that_do_not_fit_are_left_out() -> None:
    stage = Stage(nodes=2)
    stage.add_node("tainted", taints=[{"key": "gpu", "value": "yes", "effect": "NoSchedule"}])
    stage.client.patch("nodes", "", "node2", {"metadata": {"labels": {"disk": "ssd"}}})
    stage.make("daemonsets", "agent", daemon())
    assert sorted(map(target, stage.pods())) == ["node1", "node2"]
    stage.change("daemonsets", "agent", {"spec": {"template": {"spec": {"nodeSelector": {"disk": "ssd"}}}}})
    stage.run_for(1)
    assert [target(pod) for pod in stage.living()] == ["node2"]


def test_a_taint_keeps_new_pods_off_and_drives_old_ones_away() -> None:
    stage = Stage(nodes=1)
    stage.make("daemonsets", "agent", daemon())
    ready_all(stage)
    stage.client.patch("nodes", "", "node1", {"spec": {"taints": [{"key": "gpu", "effect": "NoSchedule"}]}})
    stage.settle()
    assert len(stage.living()) == 1
    status = stage.status("daemonsets", "agent")
    assert (status["desiredNumberScheduled"], status["numberMisscheduled"]) == (0, 1)
    stage.client.patch("nodes", "", "node1", {"spec": {"taints": [{"key": "gpu", "effect": "NoExecute"}]}})
    stage.settle()
    assert stage.living() == []


def test_a_rolling_update_takes_one_node_at_a_time() -> None:
    stage = Stage(nodes=3)
    stage.make("daemonsets", "agent", daemon())
    ready_all(stage)
    unavailable = 0

    def check(*_: Any) -> None:
        nonlocal unavailable
        ready = [pod for pod in stage.living("agent") if pod["status"].get("phase") == "Running"]
        unavailable = max(unavailable, 3 - len(ready))

    stage.client.watch("pods", check)
    stage.change("daemonsets", "agent", {"spec": {"template": {"metadata": {"annotations": {"version": "2"}}}}})
    for _ in range(10):
        stage.bury_all()
        ready_all(stage)
    assert versions(stage) == ["2", "2", "2"]
    assert unavailable == 1
    assert len(stage.names("controllerrevisions")) == 2


def test_with_surge_the_new_pod_comes_first() -> None:
    stage = Stage(nodes=2)
    surge = {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    stage.make("daemonsets", "agent", daemon(updateStrategy=surge))
    ready_all(stage)
    stage.change("daemonsets", "agent", {"spec": {"template": {"metadata": {"annotations": {"version": "2"}}}}})
    assert versions(stage) == ["", "", "2"]
    for _ in range(10):
        ready_all(stage)
        stage.bury_all()
    assert versions(stage) == ["2", "2"]


def test_on_delete_waits_to_be_told() -> None:
    stage = Stage(nodes=2)
    stage.make("daemonsets", "agent", daemon(updateStrategy={"type": "OnDelete"}))
    ready_all(stage)
    stage.change("daemonsets", "agent", {"spec": {"template": {"metadata": {"annotations": {"version": "2"}}}}})
    assert versions(stage) == ["", ""]
    assert stage.status("daemonsets", "agent").get("updatedNumberScheduled") is None
    stage.client.delete("pods", SPACE, stage.names()[0], grace=0)
    stage.settle()
    assert versions(stage) == ["", "2"]


def test_failed_pods_are_killed_more_and_more_slowly() -> None:
    stage = Stage(nodes=1)
    stage.make("daemonsets", "agent", daemon())
    times: list[float] = []
    for _ in range(4):
        (pod,) = stage.living()
        stage.end(pod, 1)
        stage.settle()
        for _ in range(200):
            if "deletionTimestamp" in (stage.client.find("pods", SPACE, pod["metadata"]["name"]) or pod)["metadata"]:
                break
            if stage.client.find("pods", SPACE, pod["metadata"]["name"]) is None:
                break
            stage.run_for(0.5)
        times.append(stage.clock.now())
        stage.bury_all()
    message = stage.events("FailedDaemonPod")[0]
    assert message.startswith("Found failed daemon pod shop/agent-")
    assert message.endswith(" on node node1, will try to kill it")
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps == [1.0, 2.0, 4.0]
