"""Probes: when they run, what they say, and what follows."""

from __future__ import annotations

from typing import Any

import pytest

from k8sdiag.evidence import Json

from .scripted import Script
from .stage import Stage


@pytest.fixture
def stage() -> Stage:
    return Stage()


def ready(pod: Json) -> bool:
    return bool(pod["status"]["containerStatuses"][0]["ready"])


def http(path: str = "/", **more: Any) -> Json:
    return {"httpGet": {"path": path, "port": 8080}, **more}


@pytest.mark.parametrize(
    ("probe", "script", "text"),
    [
        (http("/no"), Script(port=8080), "HTTP probe failed with statuscode: 404"),
        (http("/x"), Script(port=8080, http={"/x": 500}), "HTTP probe failed with statuscode: 500"),
        (
            http("/x"),
            Script(),
            'Get "http://10.244.0.{n}:8080/x": dial tcp 10.244.0.{n}:8080: connect: connection refused',
        ),
        (
            http("/x"),
            Script(port=8080, silent=True),
            (
                'Get "http://10.244.0.{n}:8080/x": context deadline exceeded (Client.Timeout exceeded while'
                " awaiting headers)"
            ),
        ),
        (
            {"tcpSocket": {"port": 81}},
            Script(),
            "dial tcp 10.244.0.{n}:81: connect: connection refused",
        ),
        ({"exec": {"command": ["check", "it"]}}, Script(commands={"check it": (1, "no good\n")}), "no good\n"),
        (
            {"grpc": {"port": 8080}},
            Script(port=8080, health="NOT_SERVING"),
            'service unhealthy (responded with "NOT_SERVING")',
        ),
    ],
)
def test_what_a_failing_probe_says(stage: Stage, probe: Json, script: Script, text: str) -> None:
    stage.runtime.scripts["app"] = script
    stage.pod(container={"readinessProbe": {"periodSeconds": 2, **probe}})
    pod = stage.run(10)
    wanted = text.replace("{n}", pod["status"]["podIP"].rpartition(".")[2])
    assert stage.messages("Unhealthy") == [f"Readiness probe failed: {wanted}"]
    assert not ready(pod)
    assert not stage.messages("Killing")


@pytest.mark.parametrize(
    ("probe", "text"),
    [
        ({"exec": {"command": ["nosuch"]}}, "rpc error: code = Unknown desc = failed to exec in container: not found"),
        ({"httpGet": {"path": "/", "port": "web"}}, 'strconv.Atoi: parsing "web": invalid syntax'),
    ],
)
def test_a_probe_that_cannot_be_done_counts_for_nothing(stage: Stage, probe: Json, text: str) -> None:
    stage.pod(container={"livenessProbe": {"periodSeconds": 1, "failureThreshold": 1, **probe}})
    pod = stage.run(20)
    assert stage.messages("Unhealthy") == [f"Liveness probe errored and resulted in unknown state: {text}"]
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0


def test_readiness_comes_and_goes(stage: Stage) -> None:
    script = Script(port=8080, http={"/": 200})
    stage.runtime.scripts["app"] = script
    stage.pod(container={"readinessProbe": http(periodSeconds=2, failureThreshold=2)})
    assert ready(stage.run(4))
    script.http["/"] = 503
    assert ready(stage.run(1.9)), "one failure is not enough"
    pod = stage.run(3)
    assert not ready(pod)
    assert {one["type"]: one["status"] for one in pod["status"]["conditions"]}["Ready"] == "False"
    script.http["/"] = 200
    assert ready(stage.run(3))


def test_liveness_kills_in_its_time(stage: Stage) -> None:
    stage.runtime.scripts["app"] = Script()
    probe = http(initialDelaySeconds=5, periodSeconds=4, failureThreshold=2)
    stage.pod(container={"livenessProbe": probe}, terminationGracePeriodSeconds=3)
    stage.run(4.5)
    assert not stage.messages("Unhealthy"), "not before its delay"
    stage.run(20)
    assert stage.messages("Killing") == ["Container app failed liveness probe, will be restarted"]
    assert stage.run(1)["status"]["containerStatuses"][0]["restartCount"] >= 1
    begun = [at for at, what, _ in stage.runtime.asked if what == "start"]
    (killed, *_) = [at for at, what, _ in stage.runtime.asked if what == "stop 3"]
    assert 9 <= killed - begun[0] <= 5 + 3 * 4


def test_a_probe_has_a_grace_of_its_own(stage: Stage) -> None:
    probe = http(periodSeconds=1, failureThreshold=1, terminationGracePeriodSeconds=11)
    stage.pod(container={"livenessProbe": probe})
    stage.run(5)
    assert "stop 11" in [what for _, what, _ in stage.runtime.asked]


def test_other_probes_wait_for_the_startup_probe(stage: Stage) -> None:
    script = Script(port=8080, http={"/": 500})
    stage.runtime.scripts["app"] = script
    startup = http(periodSeconds=2, failureThreshold=10)
    stage.pod(container={"startupProbe": startup, "livenessProbe": http(periodSeconds=1, failureThreshold=1)})
    pod = stage.run(9)
    status = pod["status"]["containerStatuses"][0]
    assert (status["started"], status["ready"], status["restartCount"]) == (False, False, 0)
    assert {text.partition(" ")[0] for text in stage.messages("Unhealthy")} == {"Startup"}
    script.http["/"] = 200
    status = stage.run(4)["status"]["containerStatuses"][0]
    assert (status["started"], status["ready"]) == (True, True)


def test_a_startup_probe_that_never_succeeds(stage: Stage) -> None:
    stage.pod(container={"startupProbe": http(periodSeconds=1, failureThreshold=3)})
    stage.run(8)
    assert stage.messages("Killing") == ["Container app failed startup probe, will be restarted"]


def test_hooks(stage: Stage) -> None:
    stage.runtime.scripts["app"] = Script(commands={"hello": (0, ""), "bye": (0, "")})
    hooks = {"postStart": {"exec": {"command": ["hello"]}}, "preStop": {"exec": {"command": ["bye"]}}}
    stage.pod(container={"lifecycle": hooks})
    stage.run(4)
    stage.client.delete("pods", "default", "web")
    stage.run(5)
    asked = [about if what == "exec" else what for _, what, about in stage.runtime.asked]
    assert [what for what in asked if what in ("start", "hello", "bye", "stop 30")] == [
        "start",
        "hello",
        "bye",
        "stop 30",
    ]


def test_hooks_that_fail(stage: Stage) -> None:
    stage.runtime.scripts["app"] = Script(commands={"hello": (7, "oops"), "bye": (1, "")})
    hooks = {"postStart": {"exec": {"command": ["hello"]}}, "preStop": {"exec": {"command": ["bye"]}}}
    stage.pod(container={"lifecycle": hooks})
    pod = stage.run(8)
    assert stage.messages("FailedPostStartHook") == ["PostStartHook failed"]
    assert stage.messages("FailedPreStopHook") == ["PreStopHook failed"]
    assert "FailedPostStartHook" in stage.messages("Killing")
    uid = pod["metadata"]["uid"]
    waiting = [
        one["state"]["waiting"]
        for _, _, seen in stage.seen
        for one in seen["status"].get("containerStatuses") or ()
        if one["state"].get("waiting", {}).get("reason") == "PostStartHookError"
    ]
    assert waiting[0]["message"] == (
        f'Exec lifecycle hook ([hello]) for Container "app" in Pod "web_default({uid})" failed - error: command'
        " 'hello' exited with 7: oops, message: \"oops\""
    )


def test_a_pre_stop_hook_uses_up_the_grace(stage: Stage) -> None:
    stage.pod(container={"lifecycle": {"preStop": {"sleep": {"seconds": 6}}}}, terminationGracePeriodSeconds=10)
    stage.run(4)
    stage.client.delete("pods", "default", "web")
    stage.run(10)
    assert "stop 4" in [what for _, what, _ in stage.runtime.asked]
