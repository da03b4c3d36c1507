"""Nodes that fall silent, and what becomes of their pods."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.kubelet.fleet import Fleet
from tests.minicluster.controllers.world import World, condition


class Nodes(World):
    """A world whose nodes can be stopped."""

    def __init__(self, nodes: int = 3) -> None:
        super().__init__(nodes=nodes)
        assert self.cluster.fleet is not None
        self.kubelets: Fleet = self.cluster.fleet
        self.run(14)

    def taints(self, name: str) -> list[tuple[str, str]]:
        return [(taint["key"], taint["effect"]) for taint in self.get("nodes", name)["spec"].get("taints") or ()]


UNREACHABLE = "node.kubernetes.io/unreachable"


def test_nodes_come_up_ready_with_addresses() -> None:
    world = Nodes()
    assert world.names("nodes") == ["node1", "node2", "node3"]
    assert [node["spec"] for node in world.client.list("nodes")] == [
        {"podCIDR": f"10.244.{number}.0/24", "podCIDRs": [f"10.244.{number}.0/24"]} for number in range(3)
    ]
    assert world.names("leases", "kube-node-lease") == ["node1", "node2", "node3"]
    text = "Node node1 event: Registered Node node1 in Controller"
    assert ("Normal", "RegisteredNode", text) in world.events("Node", "node1")
    assert ("Normal", "NodeReady", "Node node1 status is now: NodeReady") in world.events("Node", "node1")


def test_a_silent_node_is_unknown_after_its_grace() -> None:
    world = Nodes()
    world.pod("web", nodeName="node1")
    world.run(5)
    world.kubelets.stop("node1")
    world.run(40)
    assert condition(world.get("nodes", "node1"), "Ready")["status"] == "True"
    world.run(20)
    ready = condition(world.get("nodes", "node1"), "Ready")
    assert (ready["status"], ready["reason"]) == ("Unknown", "NodeStatusUnknown")
    assert ready["message"] == "Kubelet stopped posting node status."
    assert world.taints("node1") == [(UNREACHABLE, "NoSchedule"), (UNREACHABLE, "NoExecute")]
    text = "Node node1 status is now: NodeNotReady"
    assert ("Normal", "NodeNotReady", text) in world.events("Node", "node1")
    assert condition(world.get("pods", "web"), "Ready")["status"] == "False"
    assert ("Warning", "NodeNotReady", "Node is not ready") in world.events("Pod", "web")
    world.kubelets.resume("node1")
    world.run(5)
    assert condition(world.get("nodes", "node1"), "Ready")["status"] == "True"
    assert world.taints("node1") == []
    assert condition(world.get("pods", "web"), "Ready")["status"] == "True"


def test_pods_are_driven_away_after_five_minutes() -> None:
    world = Nodes()
    world.pod("web", nodeName="node1")
    forever = [{"operator": "Exists"}]
    world.pod("stays", nodeName="node1", tolerations=forever)
    world.run(5)
    world.kubelets.stop("node1")
    world.run(60 + 290)
    assert "deletionTimestamp" not in world.get("pods", "web")["metadata"]
    world.run(20)
    pod = world.get("pods", "web")
    assert pod["metadata"]["deletionTimestamp"]
    target = condition(pod, "DisruptionTarget")
    assert (target["reason"], target["message"]) == (
        "DeletionByTaintManager",
        "Taint manager: deleting due to NoExecute taint",
    )
    text = "Marking for deletion Pod default/web"
    assert ("Normal", "TaintManagerEviction", text) in world.events("Pod", "web")
    assert "deletionTimestamp" not in world.get("pods", "stays")["metadata"]


def test_where_no_node_answers_nobody_is_driven_away() -> None:
    world = Nodes(nodes=2)
    world.kubelets.stop("node1")
    world.kubelets.stop("node2")
    world.run(120)
    assert world.taints("node1") == [(UNREACHABLE, "NoSchedule")]
    assert world.taints("node2") == [(UNREACHABLE, "NoSchedule")]


def test_one_node_after_the_other_is_emptied() -> None:
    world = Nodes(nodes=9)
    for number in (1, 2, 3):
        world.kubelets.stop(f"node{number}")

    def emptied() -> int:
        return sum((UNREACHABLE, "NoExecute") in world.taints(f"node{number}") for number in (1, 2, 3))

    seen = set()
    for _ in range(100):
        world.run(1)
        seen.add(emptied())
    assert seen == {0, 1, 2, 3}


def test_a_zone_that_is_mostly_silent_is_left_alone() -> None:
    world = Nodes(nodes=4)
    for number in (1, 2, 3):
        world.kubelets.stop(f"node{number}")
    world.run(120)
    assert world.taints("node1") == [(UNREACHABLE, "NoSchedule")]


def test_taints_of_conditions_and_of_cordons() -> None:
    world = Nodes()
    world.change("nodes", "node1", {"spec": {"unschedulable": True}})
    world.run()
    assert world.taints("node1") == [("node.kubernetes.io/unschedulable", "NoSchedule")]
    world.change("nodes", "node1", {"spec": {"unschedulable": None}})
    world.run()
    assert world.taints("node1") == []
    node = world.get("nodes", "node1")
    pressed = [
        {**one, "status": "True"} if one["type"] == "MemoryPressure" else one for one in node["status"]["conditions"]
    ]
    world.change("nodes", "node1", {"status": {"conditions": pressed}}, subresource="status")
    world.cluster.settle()
    assert world.taints("node1") == [("node.kubernetes.io/memory-pressure", "NoSchedule")]


def test_a_taint_set_by_hand_drives_pods_away_at_once() -> None:
    world = Nodes()
    world.pod("web", nodeName="node1")
    patient = {"key": "broken", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}
    world.pod("patient", nodeName="node1", tolerations=[patient])
    world.run(5)
    world.change("nodes", "node1", {"spec": {"taints": [{"key": "broken", "effect": "NoExecute"}]}})
    world.run(5)
    assert world.find("pods", "web") is None
    world.change("nodes", "node1", {"spec": {"taints": None}})
    world.run(90)
    assert world.find("pods", "patient") is not None
    text = "Cancelling deletion of Pod default/patient"
    assert ("Normal", "TaintManagerEviction", text) in world.events("Pod", "patient")
    world.change("nodes", "node1", {"spec": {"taints": [{"key": "broken", "effect": "NoExecute"}]}})
    world.run(50)
    assert world.find("pods", "patient") is not None
    world.run(20)
    assert world.find("pods", "patient") is None


def test_pods_of_a_node_that_is_gone_go_after_a_quarantine() -> None:
    world = Nodes()
    world.pod("web", nodeName="node1")
    world.run(5)
    seen: list[Json] = []
    world.client.watch("pods", lambda _, obj, __: seen.append(obj))
    world.kubelets.stop("node1")
    world.delete("nodes", "node1")
    world.run(30)
    assert world.find("pods", "web") is not None
    world.run(30)
    assert world.find("pods", "web") is None
    last = [pod for pod in seen if pod["metadata"]["name"] == "web"][-1]
    target = condition(last, "DisruptionTarget")
    assert (last["status"]["phase"], target["reason"]) == ("Failed", "DeletionByPodGC")
    assert target["message"] == "PodGC: node no longer exists"
    text = "Node node1 event: Removing Node node1 from Controller"
    assert ("Normal", "RemovingNode", text) in world.events("Node", "node1")


def test_a_node_of_which_nothing_was_ever_heard() -> None:
    world = Nodes()
    world.make("nodes", "ghost")
    world.run(70)
    ready = condition(world.get("nodes", "ghost"), "Ready")
    assert (ready["status"], ready["reason"]) == ("Unknown", "NodeStatusNeverUpdated")
    assert ready["message"] == "Kubelet never posted node status."
