"""The life of a pod on a node, as the API server's watchers see it."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from k8sdiag.evidence import Json

from .scripted import Script
from .stage import Stage


@pytest.fixture
def stage() -> Stage:
    return Stage()


def status_of(pod: Json, group: str = "containerStatuses") -> Json:
    found: Json = pod["status"][group][0]
    return found


def condition(pod: Json, kind: str) -> tuple[str, str, str]:
    found = next(one for one in pod["status"]["conditions"] if one["type"] == kind)
    return found["status"], found.get("reason", ""), found.get("message", "")


def test_a_pod_that_runs(stage: Stage) -> None:
    stage.pod()
    pod = stage.run(5)
    assert [(event["reason"], event["message"]) for event in stage.events() if event["reason"] != "Scheduled"] == [
        ("Pulled", 'Container image "busybox:1.36" already present on machine'),
        ("Created", "Created container: app"),
        ("Started", "Started container app"),
    ]
    assert stage.states() == ["waiting/ContainerCreating", "running"]
    assert len(stage.seen) == 4, "made, bound, seen by the kubelet, running"
    assert [one["type"] for one in pod["status"]["conditions"]] == [
        *("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    ]
    assert list(pod["status"]) == [
        *("phase", "conditions", "hostIP", "hostIPs", "podIP", "podIPs", "startTime", "containerStatuses", "qosClass")
    ]


def test_nothing_is_done_for_a_pod_that_just_runs(stage: Stage) -> None:
    stage.pod()
    stage.run(10)
    seen, asked = len(stage.seen), len(stage.runtime.asked)
    stage.run(3600)
    assert (len(stage.seen), len(stage.runtime.asked)) == (seen, asked)


def test_a_crash_loop_waits_as_long_as_a_kubelet_has_it_wait(stage: Stage) -> None:
    stage.runtime.scripts["app"] = Script(seconds=0.2, code=3)
    stage.pod()
    stage.run(900)
    starts = [at for at, what, _ in stage.runtime.asked if what == "start"]
    waits = [later - at for at, later in itertools.pairwise(starts)]
    assert waits[0] < 2, "the first restart is immediate"
    for wait, least in zip(waits[1:], (10, 20, 40, 80, 160, 300), strict=False):
        assert least <= wait <= least + 17, "then 10 s, doubled, and as long as the next sync takes"
    messages = {
        status["state"]["waiting"]["message"].split()[1]
        for _, _, pod in stage.seen
        for status in pod["status"].get("containerStatuses") or ()
        if status["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff"
    }
    assert messages == {"10s", "20s", "40s", "1m20s", "2m40s", "5m0s"}
    assert status_of(stage.get())["restartCount"] == len(starts) - 1
    assert stage.get()["status"]["phase"] == "Running"


def test_a_good_run_ends_a_crash_loop(stage: Stage) -> None:
    short, long = Script(seconds=0.2, code=1), Script(seconds=700, code=1)
    stage.runtime.scripts["app"] = [short, short, short, long, short]
    stage.pod()
    stage.run(60)
    assert status_of(stage.get())["restartCount"] == 3
    stage.run(720)
    assert status_of(stage.get())["restartCount"] >= 4, "at once, after ten minutes without a fault"


@pytest.mark.parametrize(
    ("policy", "code", "phase", "reason"),
    [
        ("Never", 0, "Succeeded", "PodCompleted"),
        ("Never", 4, "Failed", "PodFailed"),
        ("OnFailure", 0, "Succeeded", "PodCompleted"),
    ],
)
def test_pods_that_end(stage: Stage, policy: str, code: int, phase: str, reason: str) -> None:
    stage.runtime.scripts["app"] = Script(seconds=3, code=code)
    stage.pod(restartPolicy=policy)
    pod = stage.run(15)
    assert pod["status"]["phase"] == phase
    assert condition(pod, "Ready") == ("False", reason, "")
    assert condition(pod, "PodReadyToStartContainers")[0] == "False"
    assert stage.states()[-1].startswith("terminated/")
    assert not stage.messages("Killing")


def test_a_failing_pod_is_tried_again_where_its_policy_says_so(stage: Stage) -> None:
    stage.runtime.scripts["app"] = [Script(seconds=1, code=1), Script(seconds=1, code=0)]
    stage.pod(restartPolicy="OnFailure")
    pod = stage.run(30)
    assert (pod["status"]["phase"], status_of(pod)["restartCount"]) == ("Succeeded", 1)


def test_what_cannot_start(stage: Stage) -> None:
    text = 'failed to create containerd task: exec: "serve": executable file not found in $PATH: unknown'
    stage.runtime.scripts["app"] = Script(start_error=text)
    stage.pod()
    pod = stage.run(2)
    ended = status_of(pod)["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"], ended["startedAt"]) == (128, "StartError", "1970-01-01T00:00:00Z")
    assert stage.states()[1] == "waiting/RunContainerError"
    assert stage.messages("Failed") == [f"Error: {text}"]
    assert not stage.messages("Started")


def test_what_cannot_be_made(stage: Stage) -> None:
    stage.runtime.scripts["app"] = Script(create_error="rpc error: code = Unknown desc = no command specified")
    stage.pod()
    pod = stage.run(20)
    assert status_of(pod)["state"]["waiting"] == {"reason": "CreateContainerError", "message": "no command specified"}
    assert status_of(pod)["restartCount"] == 0


def test_a_sandbox_that_fails_is_tried_again(stage: Stage) -> None:
    stage.runtime.sandbox_error = "rpc error: code = Unknown desc = failed to setup network"
    stage.pod()
    stage.run(40)
    (event,) = stage.events("FailedCreatePodSandBox")
    assert event["message"] == f"Failed to create pod sandbox: {stage.runtime.sandbox_error}"
    assert 3 <= event["count"] <= 4, "every 10 to 15 s"
    assert stage.states() == ["waiting/ContainerCreating"]
    stage.runtime.sandbox_error = ""
    assert stage.run(20)["status"]["phase"] == "Running"


def test_a_sandbox_that_dies_is_made_anew(stage: Stage) -> None:
    stage.pod()
    stage.run(5)
    stage.runtime.lose_sandboxes()
    pod = stage.run(5)
    assert stage.messages("SandboxChanged") == ["Pod sandbox changed, it will be killed and re-created."]
    assert (pod["status"]["phase"], status_of(pod)["restartCount"]) == ("Running", 1)


def test_a_killed_container_is_started_again(stage: Stage) -> None:
    stage.pod()
    stage.run(5)
    stage.runtime.kill("app", 137, "OOMKilled")
    pod = stage.run(5)
    assert status_of(pod)["lastState"]["terminated"]["reason"] == "OOMKilled"
    assert (status_of(pod)["restartCount"], status_of(pod)["ready"]) == (1, True)


def test_a_pod_that_is_deleted(stage: Stage) -> None:
    stage.runtime.scripts["app"] = Script(ignores_term=True)
    stage.pod(terminationGracePeriodSeconds=7)
    stage.run(5)
    stage.client.delete("pods", "default", "web")
    assert stage.run(6.5)["metadata"]["deletionGracePeriodSeconds"] == 7
    assert stage.messages("Killing") == ["Stopping container app"]
    assert stage.run(5) == {}
    (stop,) = [what for _, what, _ in stage.runtime.asked if what.startswith("stop")]
    assert stop == "stop 7"
    last = stage.seen[-1][2]
    assert status_of(last)["state"]["terminated"]["exitCode"] == 137
    assert last["status"]["phase"] == "Failed"
    assert stage.fleet.workers == {}


@pytest.mark.parametrize("grace", [0, 1, 2])
def test_every_container_has_two_seconds_to_stop(stage: Stage, grace: int) -> None:
    stage.pod(terminationGracePeriodSeconds=grace)
    stage.run(5)
    stage.client.delete("pods", "default", "web")
    stage.run(10)
    assert [what for _, what, _ in stage.runtime.asked if what.startswith("stop")] == ["stop 2"]


def test_a_pod_deleted_before_it_could_start(stage: Stage) -> None:
    stage.pod(volumes=[{"name": "cfg", "configMap": {"name": "nope"}}])
    stage.run(3)
    stage.client.delete("pods", "default", "web")
    assert stage.run(5) == {}
    ended = status_of(stage.seen[-1][2])["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (137, "ContainerStatusUnknown")


def test_a_deadline(stage: Stage) -> None:
    stage.pod(activeDeadlineSeconds=10)
    pod = stage.run(20)
    text = "Pod was active on the node longer than the specified deadline"
    assert (pod["status"]["phase"], pod["status"]["reason"], pod["status"]["message"]) == (
        "Failed",
        "DeadlineExceeded",
        text,
    )
    assert stage.messages("DeadlineExceeded") == [text]


def test_init_containers_run_in_their_order(stage: Stage) -> None:
    stage.runtime.scripts |= {"one": Script(seconds=3), "two": Script(seconds=2)}
    init = [{"name": name, "image": "busybox:1.36"} for name in ("one", "two")]
    stage.pod(initContainers=init)
    pod = stage.run(2)
    assert condition(pod, "Initialized") == (
        *("False", "ContainersNotInitialized", "containers with incomplete status: [one two]"),
    )
    assert status_of(pod)["state"] == {"waiting": {"reason": "PodInitializing"}}
    pod = stage.run(10)
    assert pod["status"]["phase"] == "Running"
    assert [about for _, what, about in stage.runtime.asked if what == "start"] == ["one", "two", "app"]


def test_a_pod_whose_init_container_fails_for_good(stage: Stage) -> None:
    stage.runtime.scripts["one"] = Script(seconds=1, code=2)
    stage.pod(initContainers=[{"name": "one", "image": "busybox:1.36"}], restartPolicy="Never")
    pod = stage.run(10)
    assert pod["status"]["phase"] == "Failed"
    assert "app" not in [about for _, what, about in stage.runtime.asked if what == "start"]


def test_sidecars_start_first_and_stop_last(stage: Stage) -> None:
    sidecar = {"name": "proxy", "image": "busybox:1.36", "restartPolicy": "Always"}
    stage.runtime.scripts["proxy"] = Script(port=9000)
    probe = {"startupProbe": {"tcpSocket": {"port": 9000}, "periodSeconds": 1}}
    stage.pod(initContainers=[sidecar | probe])
    pod = stage.run(8)
    assert pod["status"]["phase"] == "Running"
    assert pod["status"]["initContainerStatuses"][0]["ready"] is True
    assert [about for _, what, about in stage.runtime.asked if what == "start"] == ["proxy", "app"]
    stage.runtime.kill("proxy", 1)
    assert stage.run(4)["status"]["initContainerStatuses"][0]["restartCount"] == 1
    stage.client.delete("pods", "default", "web")
    assert stage.run(10) == {}
    assert [about for _, what, about in stage.runtime.asked if what.startswith("stop")] == ["app", "proxy"]


def test_a_job_with_a_sidecar_ends(stage: Stage) -> None:
    sidecar = {"name": "proxy", "image": "busybox:1.36", "restartPolicy": "Always"}
    stage.runtime.scripts["app"] = Script(seconds=2)
    stage.pod(initContainers=[sidecar], restartPolicy="Never")
    assert stage.run(15)["status"]["phase"] == "Succeeded"


def test_containers_added_for_debugging(stage: Stage) -> None:
    stage.pod()
    pod = stage.run(5)
    extra = [{"name": "debug", "image": "busybox:1.36", "targetContainerName": "app"}]
    stage.client.patch(
        "pods", "default", "web", {"spec": {"ephemeralContainers": extra}}, subresource="ephemeralcontainers"
    )
    pod = stage.run(5)
    assert "running" in status_of(pod, "ephemeralContainerStatuses")["state"]
    assert stage.runtime.spec("debug").target == status_of(pod)["containerID"].partition("://")[2]


def test_another_image_restarts_a_container(stage: Stage) -> None:
    stage.pod()
    stage.run(5)
    stage.runtime.has("busybox:1.37")
    stage.client.patch(
        "pods", "default", "web", {"spec": {"containers": [{"name": "app", "image": "busybox:1.37"}]}}, kind="strategic"
    )
    pod = stage.run(5)
    assert stage.messages("Killing") == ["Container app definition changed, will be restarted"]
    assert (status_of(pod)["restartCount"], status_of(pod)["image"]) == (1, "docker.io/library/busybox:1.37")


def test_readiness_gates(stage: Stage) -> None:
    stage.pod(readinessGates=[{"conditionType": "example.com/open"}])
    pod = stage.run(5)
    text = 'corresponding condition of pod readiness gate "example.com/open" does not exist.'
    assert condition(pod, "Ready") == ("False", "ReadinessGatesNotReady", text)
    opened = [{"type": "example.com/open", "status": "True"}]
    stage.client.patch(
        "pods", "default", "web", {"status": {"conditions": opened}}, kind="strategic", subresource="status"
    )
    pod = stage.run(3)
    assert condition(pod, "Ready")[0] == "True"
    assert pod["status"]["conditions"][0]["type"] == "example.com/open"


@pytest.mark.parametrize(
    ("spec", "reason", "message"),
    [
        (
            {"container": {"resources": {"requests": {"cpu": "9"}}}},
            "OutOfcpu",
            "Node didn't have enough resource: cpu, requested: 9000, used: 0, capacity: 8000",
        ),
        (
            {"nodeSelector": {"disk": "ssd"}},
            "NodeAffinity",
            "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
        ),
        (
            {"securityContext": {"sysctls": [{"name": "net.core.somaxconn", "value": "1"}]}},
            "SysctlForbidden",
            'forbidden sysctl: "net.core.somaxconn" not allowlisted',
        ),
    ],
)
def test_pods_that_a_node_does_not_take(stage: Stage, spec: dict[str, Any], reason: str, message: str) -> None:
    stage.pod(nodeName="node1", **spec)
    pod = stage.run(3)
    assert (pod["status"]["phase"], pod["status"]["reason"]) == ("Failed", reason)
    assert pod["status"]["message"] == f"Pod was rejected: {message}"
    assert stage.messages(reason) == [message]
    assert "containerStatuses" not in pod["status"]
    stage.client.delete("pods", "default", "web")
    assert stage.run(3) == {}


def test_a_kubelet_that_is_stopped_and_started_again(stage: Stage) -> None:
    stage.pod()
    stage.run(5)
    stage.fleet.stop("node1")
    stage.runtime.kill("app", 1)
    assert status_of(stage.run(20))["state"].get("running"), "nobody says otherwise"
    stage.fleet.resume("node1")
    assert status_of(stage.run(5))["restartCount"] == 1


def test_two_labs_of_one_seed_are_the_same_to_the_byte() -> None:
    def told() -> list[Any]:
        stage = Stage(nodes=2, seed=7)
        for runtime in stage.runtimes.values():
            runtime.scripts["app"] = Script(seconds=0.4, code=1)
        stage.pod()
        stage.pod("other")
        stage.run(200)
        return [stage.seen, stage.client.list("events")]

    assert told() == told()
