"""Probes: what the kubelet says of readiness, liveness and startup, and whom it kills for it."""

from __future__ import annotations

from typing import Any

from tests.incidents.build import Incident, container, crash_loop, incident, running, terminated, waiting

REFUSED = 'Get "http://10.244.0.9:8080/healthz": dial tcp 10.244.0.9:8080: connect: connection refused'
TIMEOUT = (
    'Get "http://10.244.0.9:8080/healthz": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
)
RESTARTED = "Container app failed {} probe, will be restarted"
Json = dict[str, Any]


def http(path: str = "/healthz", port: int | str = 8080, **more: Any) -> Json:
    """An httpGet probe."""
    return {
        "httpGet": {"path": path, "port": port, "scheme": "HTTP"},
        "periodSeconds": 3,
        "timeoutSeconds": 1,
        "failureThreshold": 3,
    } | more


def execute(*command: str, **more: Any) -> Json:
    """An exec probe."""
    return {"exec": {"command": list(command)}, "periodSeconds": 3, "timeoutSeconds": 1, "failureThreshold": 3} | more


def unready(
    title: str, rule: str, message: str, probe: Json, log: str = "", errored: bool = False, **spec: Any
) -> Incident:
    """A pod that runs and does not become ready."""
    made = Incident(title, "pod/web", rule)
    pod = made.pod("web", container(state=running(300), readinessProbe=probe, **spec))
    word = "errored and resulted in unknown state" if errored else "failed"
    made.event(pod, "Unhealthy", f"Readiness probe {word}: {message}", count=40, ago=2, first=299, container="app")
    if log:
        made.log("web", "app", log)
    return made


def killed(
    title: str, rule: str, message: str, probe: Json, kind: str = "liveness", ran: float = 41, **spec: Any
) -> Incident:
    """A pod that a probe has killed again and again."""
    made = Incident(title, "pod/web", rule)
    more: Json = spec | {f"{kind}Probe": probe}
    state = container(state=crash_loop(), last=terminated(137, ago=20, ran=ran), restarts=4, **more)
    pod = made.pod("web", state)
    made.event(
        pod, "Unhealthy", f"{kind.capitalize()} probe failed: {message}", count=15, ago=51, first=560, container="app"
    )
    made.event(pod, "Killing", RESTARTED.format(kind), kind="Normal", count=5, ago=50, first=550, container="app")
    return made


@incident
def readiness_404() -> Incident:
    return unready(
        "readiness asks a path that does not exist",
        "readiness-http-status",
        "HTTP probe failed with statuscode: 404",
        http("/redy"),
    )


@incident
def readiness_connection_refused() -> Incident:
    return unready("readiness: nothing listens", "readiness-refused", REFUSED, http())


@incident
def readiness_port_wrong() -> Incident:
    log = "2026/11/21 22:35:00 listening on :9090"
    return unready(
        "readiness asks another port than the server listens on", "readiness-wrong-port", REFUSED, http(), log
    )


@incident
def readiness_port_undeclared() -> Incident:
    ports = [{"containerPort": 9090, "protocol": "TCP"}]
    return unready(
        "readiness asks a port the container does not declare",
        "readiness-undeclared-port",
        REFUSED,
        http(),
        ports=ports,
    )


@incident
def readiness_loopback() -> Incident:
    log = " * Serving Flask app 'shop'\n * Running on http://127.0.0.1:8080\nPress CTRL+C to quit"
    return unready("the server listens on localhost only", "probe-loopback", REFUSED, http(), log)


@incident
def readiness_too_slow() -> Incident:
    return unready(
        "readiness gets no answer in time", "readiness-timeout", TIMEOUT, http(), resources={"limits": {"cpu": "50m"}}
    )


@incident
def readiness_exec() -> Incident:
    said = "cat: can't open '/tmp/ready': No such file or directory"
    return unready(
        "the command of the readiness probe fails", "readiness-exec-failed", said, execute("cat", "/tmp/ready")
    )


@incident
def readiness_exec_silent() -> Incident:
    return unready(
        "the command of the readiness probe fails without a word", "readiness-exec-failed", "", execute("false")
    )


@incident
def readiness_exec_slow() -> Incident:
    said = 'command timed out: "sh -c sleep 5" timed out after 1s'
    return unready(
        "the command of the readiness probe takes too long", "readiness-timeout", said, execute("sh", "-c", "sleep 5")
    )


@incident
def readiness_strange() -> Incident:
    return unready("readiness fails in a way nobody knows", "readiness-failed", "stopped after 10 redirects", http())


@incident
def readiness_tool_missing() -> Incident:
    said = (
        'rpc error: code = Unknown desc = failed to exec in container: failed to start exec "5f1c": OCI runtime exec failed: exec '
        'failed: unable to start container process: exec: "curl": executable file not found in $PATH: unknown'
    )
    return unready(
        "the image has no curl for its probe",
        "probe-command-missing",
        said,
        execute("curl", "-f", "http://localhost:8080"),
        errored=True,
    )


@incident
def readiness_port_unnamed() -> Incident:
    said = 'strconv.Atoi: parsing "web": invalid syntax'
    return unready("readiness names a port that there is not", "probe-port-name", said, http(port="web"), errored=True)


@incident
def readiness_grpc() -> Incident:
    probe = {"grpc": {"port": 8080, "service": ""}, "periodSeconds": 3, "failureThreshold": 3}
    said = "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): unknown service grpc.health.v1.Health"
    return unready("the gRPC server has no health service", "probe-grpc", said, probe)


@incident
def readiness_tls() -> Incident:
    said = 'Get "https://10.244.0.9:8080/healthz": http: server gave HTTP response to HTTPS client'
    return unready("readiness speaks TLS and the server does not", "probe-tls", said, http())


@incident
def readiness_no_events() -> Incident:
    made = Incident("not ready for hours; the events have expired", "pod/web", "readiness-failing")
    made.pod("web", container(state=running(90000), readinessProbe=http()), ago=90010)
    made.log("web", "app", "waiting for migrations")
    return made


@incident
def readiness_of_crasher() -> Incident:
    made = Incident("a crash loop whose readiness probe fails in between", "pod/web", "exit-error")
    pod = made.pod(
        "web", container(state=running(4), last=terminated(1, ago=6, ran=8), restarts=5, readinessProbe=http())
    )
    made.event(pod, "Unhealthy", f"Readiness probe failed: {REFUSED}", count=12, ago=6, first=560, container="app")
    made.log("web", "app", "loading\nthe catalogue is damaged", previous=True)
    return made


@incident
def liveness_of_crasher() -> Incident:
    made = Incident("a crash loop whose liveness probe fails as it goes down", "pod/web", "log-nil-pointer")
    made.also = ("log-go-panic",)
    state = container(state=crash_loop(), last=terminated(2, ago=20, ran=6), restarts=5, livenessProbe=http())
    pod = made.pod("web", state)
    made.event(pod, "Unhealthy", f"Liveness probe failed: {REFUSED}", count=5, ago=20, first=560, container="app")
    made.log("web", "app", "panic: runtime error: index out of range [3] with length 3\n\ngoroutine 1 [running]:")
    return made


@incident
def liveness_slow() -> Incident:
    probe = http(initialDelaySeconds=2)
    return killed("liveness kills a slow starter", "liveness-slow-start", REFUSED, probe, ran=12)


@incident
def liveness_slow_running() -> Incident:
    made = Incident("liveness kills a slow starter, caught while it runs again", "pod/web", "liveness-slow-start")
    state = container(
        state=running(6),
        last=terminated(143, ago=7, ran=12),
        restarts=3,
        livenessProbe=http(initialDelaySeconds=2),
        ready=True,
    )
    pod = made.pod("web", state, ready=True)
    made.event(pod, "Unhealthy", f"Liveness probe failed: {REFUSED}", count=10, ago=1, first=60, container="app")
    made.event(pod, "Killing", RESTARTED.format("liveness"), kind="Normal", count=3, ago=8, first=50, container="app")
    return made


@incident
def liveness_port_wrong() -> Incident:
    made = killed(
        "liveness asks another port than the server listens on", "liveness-wrong-port", REFUSED, http(), ran=10
    )
    made.log("web", "app", "Serving HTTP on 0.0.0.0 port 9090 (http://0.0.0.0:9090/) ...")
    return made


@incident
def liveness_port_undeclared() -> Incident:
    ports = [{"containerPort": 9090, "protocol": "TCP"}]
    return killed(
        "liveness asks a port that is not declared", "liveness-undeclared-port", REFUSED, http(), ran=10, ports=ports
    )


@incident
def liveness_server_gone() -> Incident:
    return killed("a server stopped listening after an hour", "liveness-refused", REFUSED, http(), ran=3600)


@incident
def liveness_404() -> Incident:
    return killed(
        "liveness asks a path that does not exist",
        "liveness-http-status",
        "HTTP probe failed with statuscode: 404",
        http("/helth"),
        ran=10,
    )


@incident
def liveness_500_and_readiness() -> Incident:
    said = "HTTP probe failed with statuscode: 503"
    made = Incident(
        "liveness and readiness get 503", "pod/web", "liveness-http-status", also=("readiness-http-status",)
    )
    state = container(
        state=running(5), last=terminated(143, ago=6, ran=200), restarts=3, livenessProbe=http(), readinessProbe=http()
    )
    pod = made.pod("web", state)
    made.event(pod, "Unhealthy", f"Liveness probe failed: {said}", count=9, ago=1, first=560, container="app")
    made.event(pod, "Unhealthy", f"Readiness probe failed: {said}", count=30, ago=1, first=560, container="app")
    made.event(pod, "Killing", RESTARTED.format("liveness"), kind="Normal", count=3, ago=7, first=400, container="app")
    return made


@incident
def liveness_hangs() -> Incident:
    return killed("a process that hangs is killed by liveness", "liveness-timeout", TIMEOUT, http(), ran=900)


@incident
def liveness_exec() -> Incident:
    said = "cat: can't open '/tmp/healthy': No such file or directory"
    return killed(
        "the command of the liveness probe fails", "liveness-exec-failed", said, execute("cat", "/tmp/healthy"), ran=40
    )


@incident
def liveness_strange() -> Incident:
    return killed(
        "liveness fails in a way nobody knows", "liveness-failed", "stopped after 10 redirects", http(), ran=40
    )


@incident
def liveness_no_events() -> Incident:
    made = Incident("liveness kills; the events have expired", "pod/web", "killed-by-liveness")
    made.pod(
        "web", container(state=crash_loop(), last=terminated(137, ago=20, ran=40), restarts=30, livenessProbe=http())
    )
    return made


@incident
def startup_refused() -> Incident:
    return killed(
        "the startup probe gives up too early",
        "startup-probe-failed",
        REFUSED,
        http(failureThreshold=10),
        "startup",
        ran=32,
    )


@incident
def startup_port_wrong() -> Incident:
    made = killed("the startup probe asks the wrong port", "startup-wrong-port", REFUSED, http(), "startup", ran=12)
    made.log("web", "app", "Server started on port 3000")
    return made


@incident
def startup_404() -> Incident:
    said = "HTTP probe failed with statuscode: 404"
    return killed(
        "the startup probe asks a path that does not exist", "startup-http-status", said, http("/up"), "startup", ran=12
    )


@incident
def startup_exec() -> Incident:
    return killed(
        "the command of the startup probe fails",
        "startup-exec-failed",
        "",
        execute("test", "-f", "/tmp/up"),
        "startup",
        ran=12,
    )


@incident
def startup_no_events() -> Incident:
    made = Incident("the startup probe kills; the events have expired", "pod/web", "killed-by-startup-probe")
    state = container(
        state=crash_loop(), last=terminated(143, ago=20, ran=31), restarts=30, startupProbe=http(failureThreshold=10)
    )
    made.pod("web", state)
    return made


@incident
def startup_under_way() -> Incident:
    made = Incident("the startup probe has not succeeded in an hour; no events", "pod/web", "startup-failing")
    probe = http(failureThreshold=3000)
    made.pod("web", container(state=running(3700), started=False, startupProbe=probe, readinessProbe=http()), ago=3800)
    return made


@incident
def sidecar_startup() -> Incident:
    made = Incident("a sidecar does not pass its startup probe", "pod/web", "sidecar-startup-blocks")
    probe = http(port=15021, failureThreshold=100)
    proxy = container("proxy", state=running(200), started=False, restartPolicy="Always", startupProbe=probe)
    pod = made.pod("web", container(state=waiting("PodInitializing")), init=[proxy], phase="Pending")
    made.event(pod, "Unhealthy", f"Startup probe failed: {REFUSED}", count=60, ago=2, first=199, container="init:proxy")
    return made


@incident
def readiness_flaps() -> Incident:
    made = Incident("ready and not ready by turns, ready at the moment", "pod/web", "readiness-flapping")
    state = container(state=running(400), ready=True, readinessProbe=http())
    for number in range(6):
        ready = number % 2 == 1
        state["status"]["ready"] = ready
        made.change(300 - 40 * number, "MODIFIED", made.pod("web", state, ready=ready))
    made.objects = [item for item in made.objects if item["kind"] != "Event"]
    pod = made.pod("web", state, ready=True)
    made.event(pod, "Unhealthy", f"Readiness probe failed: {TIMEOUT}", count=12, ago=110, first=300, container="app")
    return made


@incident
def healthy_probe_noise() -> Incident:
    made = Incident("healthy: readiness failed while it started", "pod/web", "")
    pod = made.pod(
        "web", container(state=running(300), ready=True, readinessProbe=http(), livenessProbe=http()), ready=True
    )
    made.event(pod, "Unhealthy", f"Readiness probe failed: {REFUSED}", count=4, ago=288, first=298, container="app")
    return made


@incident
def healthy_liveness_once() -> Incident:
    made = Incident("healthy: liveness restarted it half an hour ago, and it runs well since", "pod/web", "")
    state = container(
        state=running(1800), last=terminated(137, ago=1801, ran=7000), restarts=1, ready=True, livenessProbe=http()
    )
    pod = made.pod("web", state, ready=True, ago=9000)
    made.event(pod, "Unhealthy", f"Liveness probe failed: {TIMEOUT}", count=3, ago=1832, first=1838, container="app")
    made.event(pod, "Killing", RESTARTED.format("liveness"), kind="Normal", ago=1832, container="app")
    return made
