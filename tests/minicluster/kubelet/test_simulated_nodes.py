"""Pods on simulated nodes look as they do on a real one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from k8sdiag.evidence import Json
from k8sdiag.minicluster.nodes.agent import Command, LogOptions
from tests.minicluster.controllers.world import World, condition, container


class Heard:
    """An Output that remembers."""

    def __init__(self) -> None:
        self.out: dict[int, bytes] = {1: b"", 2: b""}
        self.code: int | None = None
        self.message = ""

    def write(self, stream: int, data: bytes) -> None:
        self.out[stream] += data

    def end(self, code: int = 0, message: str = "") -> None:
        assert self.code is None, "there is one end"
        self.code, self.message = code, message

    @property
    def text(self) -> str:
        return self.out[1].decode()


def logs(world: World, name: str, container: str = "app", **options: Any) -> Heard:
    heard = Heard()
    pod = world.get("pods", name)
    agent(world, pod).logs(pod, container, LogOptions(**options), heard)
    return heard


def agent(world: World, pod: Json) -> Any:
    return world.cluster.agents.reach(pod["spec"]["nodeName"], "", "/")


def run(world: World, name: str, *words: str, **more: Any) -> Heard:
    heard = Heard()
    pod = world.get("pods", name)
    agent(world, pod).exec(pod, "app", Command(words, **more), heard)
    world.run(0.5)
    return heard


def shell(script: str) -> list[Json]:
    return [{"name": "app", "image": "busybox:1.36", "command": ["sh", "-c", script]}]


@pytest.fixture
def world() -> World:
    return World()


def test_a_pod_goes_through_a_kubelets_steps(world: World) -> None:
    seen: list[Json] = []
    world.client.watch("pods", lambda _, obj, __: seen.append(obj))
    world.pod("web", terminationGracePeriodSeconds=1)
    world.run(5)
    steps = [
        (pod["status"]["phase"], [(c["type"], c["status"]) for c in pod["status"].get("conditions") or ()])
        for pod in seen
    ]
    assert steps == [
        ("Pending", []),
        ("Pending", [("PodScheduled", "True")]),
        (
            "Pending",
            [
                ("PodReadyToStartContainers", "False"),
                ("Initialized", "True"),
                ("Ready", "False"),
                ("ContainersReady", "False"),
                ("PodScheduled", "True"),
            ],
        ),
        (
            "Running",
            [
                ("PodReadyToStartContainers", "True"),
                ("Initialized", "True"),
                ("Ready", "True"),
                ("ContainersReady", "True"),
                ("PodScheduled", "True"),
            ],
        ),
    ]
    assert [event[1:] for event in world.events("Pod", "web") if event[1] != "Scheduled"] == [
        ("Pulled", 'Container image "nginx:1.27" already present on machine'),
        ("Created", "Created container: app"),
        ("Started", "Started container app"),
    ]
    del seen[:]
    world.delete("pods", "web")
    world.run(5)
    last = seen[-1]
    assert last["status"]["phase"] == "Succeeded"
    assert condition(last, "Ready")["reason"] == "PodCompleted"
    assert ("Normal", "Killing", "Stopping container app") in world.events("Pod", "web")
    assert world.find("pods", "web") is None


def test_its_status_has_the_shape_of_a_recorded_one(world: World) -> None:
    container = {
        "name": "app",
        "image": "python:3.11-slim",
        "command": ["python3", "-m", "http.server", "8080"],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 3},
    }
    world.pod("web", containers=[container])
    world.run(5)
    made = world.get("pods", "web")["status"]
    kept = Path(__file__).with_name("running.json")
    real = json.loads(kept.read_text(encoding="utf-8"))
    assert shape(made) == shape(real)
    assert list(real["containerStatuses"][0]) == list(made["containerStatuses"][0])


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: shape(part) for key, part in value.items()}
    if isinstance(value, list):
        return [shape(part) for part in value]
    return type(value).__name__


@pytest.mark.parametrize(
    ("policy", "script", "phase", "code"),
    [("Never", "exit 3", "Failed", 3), ("Never", "true", "Succeeded", 0), ("OnFailure", "sleep 2", "Succeeded", 0)],
)
def test_pods_that_end(world: World, policy: str, script: str, phase: str, code: int) -> None:
    world.pod("once", restartPolicy=policy, containers=shell(script))
    world.run(10)
    pod = world.get("pods", "once")
    assert pod["status"]["phase"] == phase
    ended = pod["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (code, "Error" if code else "Completed")


def test_a_crash_loop(world: World) -> None:
    world.pod("crash", containers=shell("echo oops; exit 1"))
    world.run(3)
    while "20s" not in str((status := world.get("pods", "crash")["status"]["containerStatuses"][0])["state"]):
        assert status["restartCount"] < 3
        world.run(1)
    pod = world.get("pods", "crash")
    uid = pod["metadata"]["uid"]
    assert status["state"]["waiting"] == {
        "reason": "CrashLoopBackOff",
        "message": f"back-off 20s restarting failed container=app pod=crash_default({uid})",
    }
    assert (status["restartCount"], status["ready"], status["started"]) == (2, False, False)
    assert status["lastState"]["terminated"]["containerID"] == status["containerID"]
    assert pod["status"]["phase"] == "Running"
    text = f"Back-off restarting failed container app in pod crash_default({uid})"
    assert ("Warning", "BackOff", text) in world.events("Pod", "crash")
    assert logs(world, "crash").text == "oops\n"


def test_init_containers_come_first(world: World) -> None:
    init = [
        {"name": "one", "image": "busybox:1.36", "command": ["sleep", "5"]},
        {"name": "sidecar", "image": "busybox:1.36", "command": ["sleep", "infinity"], "restartPolicy": "Always"},
    ]
    world.pod("web", initContainers=init)
    world.run(3)
    status = world.get("pods", "web")["status"]
    assert condition({"status": status}, "Initialized")["message"] == (
        "containers with incomplete status: [one sidecar]"
    )
    assert status["phase"] == "Pending"
    assert status["containerStatuses"][0]["state"] == {"waiting": {"reason": "PodInitializing"}}
    world.run(10)
    status = world.get("pods", "web")["status"]
    assert status["phase"] == "Running"
    assert [one["ready"] for one in status["initContainerStatuses"]] == [True, True]
    assert condition({"status": status}, "Ready")["status"] == "True"


def test_readiness_gates(world: World) -> None:
    world.pod("web", readinessGates=[{"conditionType": "example.com/open"}])
    world.run(5)
    pod = world.get("pods", "web")
    ready = condition(pod, "Ready")
    assert ready["reason"] == "ReadinessGatesNotReady"
    assert ready["message"] == 'corresponding condition of pod readiness gate "example.com/open" does not exist.'
    opened = [*pod["status"]["conditions"], {"type": "example.com/open", "status": "True"}]
    world.change("pods", "web", {"status": {"conditions": opened}}, subresource="status")
    world.run(5)
    assert condition(world.get("pods", "web"), "Ready")["status"] == "True"


def test_addresses_are_of_the_nodes_range_and_used_again(world: World) -> None:
    world.pod("a", nodeName="node2")
    world.pod("host", nodeName="node2", hostNetwork=True)
    world.run(5)
    first = world.get("pods", "a")["status"]["podIP"]
    assert first.startswith("10.244.1.")
    host = world.get("pods", "host")["status"]
    assert host["podIP"] == host["hostIP"]
    world.delete("pods", "a")
    world.run(5)
    for number in range(100):
        world.pod(f"pod-{number}", nodeName="node2")
    world.run(10)
    ips = [
        pod["status"]["podIP"]
        for pod in world.client.list("pods", labels={"app": "web"})
        if pod["metadata"]["name"] != "host"
    ]
    assert len(set(ips)) == 100


def test_logs(world: World) -> None:
    world.pod("talk", containers=shell("echo one; sleep 2; echo two; sleep 100"))
    world.run(1)
    assert logs(world, "talk").text == "one\n"
    pod, heard = world.get("pods", "talk"), Heard()
    following = agent(world, pod).logs(pod, "app", LogOptions(follow=True), heard)
    assert (heard.text, heard.code) == ("one\n", None)
    world.run(5)
    assert heard.text == "one\ntwo\n"
    following.close()
    assert logs(world, "talk", tail=1).text == "two\n"
    assert logs(world, "talk", tail=0).text == ""
    assert logs(world, "talk", limit=3).text == "one"
    assert logs(world, "talk", timestamps=True, tail=1).text.startswith("2027-01-15T08:00:")
    with pytest.raises(Exception, match='previous terminated container "app" in pod "talk" not found'):
        logs(world, "talk", previous=True)


def test_a_followed_log_ends_with_its_container(world: World) -> None:
    world.pod("once", restartPolicy="Never", containers=shell("echo hi; sleep 5"))
    world.run(2)
    pod, heard = world.get("pods", "once"), Heard()
    agent(world, pod).logs(pod, "app", LogOptions(follow=True), heard)
    world.run(10)
    assert (heard.text, heard.code) == ("hi\n", 0)


def test_commands_in_a_container(world: World) -> None:
    variables = [{"name": "COLOUR", "value": "blue"}]
    world.pod("web", containers=[container(env=variables)])
    world.run(5)
    assert run(world, "web", "echo", "hello", "world").text == "hello world\n"
    assert run(world, "web", "sh", "-c", "echo $COLOUR; exit 4").code == 4
    assert run(world, "web", "sh", "-c", "echo ${COLOUR}").text == "blue\n"
    assert run(world, "web", "hostname").text == "web\n"
    assert "COLOUR=blue\n" in run(world, "web", "env").text
    assert run(world, "web", "cat", "/etc/hostname").text == "web\n"
    missing = run(world, "web", "cat", "/nothing")
    assert (missing.code, missing.out[2]) == (1, b"cat: /nothing: No such file or directory\n")
    unknown = run(world, "web", "frobnicate")
    assert 'exec: "frobnicate": executable file not found in $PATH' in unknown.message


def test_a_terminal(world: World) -> None:
    world.pod("web")
    world.run(5)
    pod, heard = world.get("pods", "web"), Heard()
    typed = agent(world, pod).exec(pod, "app", Command(("sh",), stdin=True, tty=True), heard)
    world.run(0.5)
    typed.feed(b"echo hi\r")
    world.run(0.5)
    typed.feed(b"exit 3\r")
    world.run(0.5)
    assert heard.text == "/ # echo hi\r\nhi\r\n/ # exit 3\r\n"
    assert heard.code == 3


def test_ports_and_pages(world: World) -> None:
    world.pod("web")
    world.run(5)
    pod, heard = world.get("pods", "web"), Heard()
    connection = agent(world, pod).forward(pod, 80, heard)
    connection.feed(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    world.run(0.5)
    assert heard.text.startswith("HTTP/1.1 200 OK\r\n")
    refused = Heard()
    agent(world, pod).forward(pod, 81, refused)
    assert "127.0.0.1:81: connect: connection refused" in refused.message
    node = agent(world, pod)
    assert node.page("/healthz", {}).body == b"ok"
    assert json.loads(node.page("/pods", {}).body)["items"][0]["metadata"]["name"] == "web"
    assert json.loads(node.page("/stats/summary", {}).body)["pods"][0]["podRef"]["name"] == "web"
    assert node.page("/nonsense", {}).code == 404


def test_a_node_that_is_not_there_cannot_be_asked(world: World) -> None:
    with pytest.raises(Exception, match=r'Get "https://192.0.2.9:10250/healthz": dial tcp 192.0.2.9:10250: connect:'):
        world.cluster.agents.reach("nowhere", "192.0.2.9", "/healthz")


def test_figures_follow_annotations(world: World) -> None:
    said = {"lab.k8sdiag.dev/cpu": "250m", "lab.k8sdiag.dev/memory": "64Mi"}
    world.pod("busy", metadata={"annotations": said})
    world.pod("idle")
    world.run(5)
    assert world.cluster.metrics.pods(world.client.list("pods")) == [], "too early for a rate"
    world.run(30)
    busy = world.cluster.metrics.pod(world.get("pods", "busy"))
    assert busy is not None
    assert busy["containers"] == [{"name": "app", "usage": {"cpu": "250000000n", "memory": "65536Ki"}}]
    assert busy["metadata"]["labels"] == {"app": "web"}
    node = world.cluster.metrics.node(world.get("nodes", world.get("pods", "busy")["spec"]["nodeName"]))
    assert node is not None
    assert int(node["usage"]["cpu"].rstrip("n")) > 250_000_000


@pytest.mark.slow
def test_a_flood_of_pods_runs() -> None:
    world = World(nodes=100)
    for number in range(1000):
        world.pod(f"pod-{number}")
    world.run(40)
    phases = {pod["status"]["phase"] for pod in world.client.list("pods")}
    assert phases == {"Running"}
    assert len(world.names("leases", "kube-node-lease")) == 100
