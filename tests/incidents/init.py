"""Init containers, sidecars and ephemeral containers; readiness gates."""

from __future__ import annotations

from typing import Any

from tests.incidents.build import Incident, condition, container, crash_loop, incident, running, terminated, waiting


def initializing(title: str, rule: str, init: dict[str, Any], **more: Any) -> tuple[Incident, dict[str, Any]]:
    """A pod whose app waits for an init container."""
    made = Incident(title, "pod/web", rule)
    conditions = [
        condition("PodReadyToStartContainers", "True"),
        condition(
            "Initialized",
            "False",
            "ContainersNotInitialized",
            f"containers with incomplete status: [{init['spec']['name']}]",
        ),
        condition("Ready", "False", "ContainersNotReady", "containers with unready status: [app]"),
        condition("ContainersReady", "False", "ContainersNotReady", "containers with unready status: [app]"),
        condition("PodScheduled", "True"),
    ]
    pod = made.pod(
        "web", container(state=waiting("PodInitializing")), init=[init], phase="Pending", conditions=conditions, **more
    )
    return made, pod


@incident
def init_exit_1() -> Incident:
    init = container("prepare", state=crash_loop("prepare"), last=terminated(1), restarts=4)
    made, _ = initializing("an init container fails without a known reason", "exit-error", init)
    made.log("web", "prepare", "preparing\nno sugar left")
    return made


@incident
def init_migration() -> Incident:
    init = container("migrate", state=running(2), last=terminated(1, ago=4, ran=1), restarts=3)
    made, _ = initializing("an init container fails, caught while it runs again", "log-database-auth", init)
    made.log("web", "migrate", 'FATAL:  password authentication failed for user "migrator"', previous=True)
    return made


@incident
def init_failed_for_good() -> Incident:
    made = Incident("an init container failed in a pod that is not restarted", "pod/once", "exit-error")
    init = container("fetch", state=terminated(4, ago=200))
    made.pod(
        "once",
        container(state=waiting("PodInitializing")),
        init=[init],
        phase="Failed",
        spec={"restartPolicy": "Never"},
    )
    made.log("once", "fetch", "nothing to fetch")
    return made


@incident
def init_hangs() -> Incident:
    init = container("warm", state=running(500), command=["sh", "-c", "sleep 1d"])
    made, _ = initializing("an init container does not end", "init-stuck", init)
    return made


@incident
def init_waits_missing_service() -> Incident:
    init = container(
        "wait-db", "busybox:1.36", state=running(200), command=["sh", "-c", "until nslookup postgres; do sleep 2; done"]
    )
    made, _ = initializing(
        "an init container waits for a Service that does not exist", "init-waits-service-missing", init
    )
    made.kinds = ["Service", "Pod"]
    made.log(
        "web",
        "wait-db",
        "Server:\t\t10.96.0.10\nAddress:\t10.96.0.10:53\n\n** server can't find postgres.shop.svc.cluster.local: NXDOMAIN\n",
    )
    return made


@incident
def init_waits_silent_service() -> Incident:
    init = container(
        "wait-db", "busybox:1.36", state=running(200), command=["sh", "-c", "until nc -z db 5432; do sleep 2; done"]
    )
    made, _ = initializing(
        "an init container waits for a Service without pods; no log", "init-waits-service-unready", init
    )
    spec = {"selector": {"app": "db"}, "clusterIP": "10.96.7.7", "ports": [{"port": 5432}]}
    made.add("Service", "db", spec=spec)
    return made


@incident
def init_waits_name() -> Incident:
    init = container("wait", "busybox:1.36", state=running(200), command=["sh", "/scripts/wait.sh"])
    made, _ = initializing("an init container waits for a name outside the cluster", "init-waits-dns", init)
    made.log(
        "web", "wait", "waiting\nping: bad address 'vault.example.org'\nwaiting\nping: bad address 'vault.example.org'"
    )
    return made


@incident
def init_waits_server() -> Incident:
    init = container("wait", "busybox:1.36", state=running(200), command=["sh", "/scripts/wait.sh"])
    made, _ = initializing("an init container waits for a server outside the cluster", "init-waits-connection", init)
    made.log("web", "wait", "wget: can't connect to remote host (192.0.2.99): Connection refused\n" * 3)
    return made


@incident
def sidecar_ends() -> Incident:
    sidecar = container("shipper", state=crash_loop("shipper"), last=terminated(1), restarts=5, restartPolicy="Always")
    made, _ = initializing("a sidecar crashes before the app may start", "sidecar-crash-loop", sidecar)
    made.log("web", "shipper", "shipper: nowhere to ship to")
    return made


@incident
def sidecar_ends_well() -> Incident:
    made = Incident("a sidecar that ends with exit code 0 beside a running app", "pod/web", "sidecar-crash-loop")
    sidecar = container("shipper", state=crash_loop("shipper"), last=terminated(0), restarts=5, restartPolicy="Always")
    made.pod("web", container(state=running(300), ready=True), init=[sidecar])
    return made


@incident
def debug_target_unknown() -> Incident:
    made = Incident("a debug container aims at a container that there is not", "pod/web", "ephemeral-container-failed")
    said = 'unable to find target container "ap"'
    status = {
        "name": "debugger-x7k2p", "image": "busybox:1.36", "imageID": "", "ready": False, "restartCount": 0, "lastState": {},
        "state": waiting("CreateContainerConfigError", said),
    }  # fmt: skip
    spec = {
        "ephemeralContainers": [
            {"name": "debugger-x7k2p", "image": "busybox:1.36", "targetContainerName": "ap", "stdin": True}
        ]
    }
    made.pod(
        "web",
        container(state=running(3000), ready=True),
        ready=True,
        spec=spec,
        status={"ephemeralContainerStatuses": [status]},
    )
    return made


@incident
def readiness_gate() -> Incident:
    made = Incident("a readiness gate that nobody sets", "pod/web", "readiness-gate-missing")
    said = 'corresponding condition of pod readiness gate "example.com/in-balancer" does not exist.'
    conditions = [
        condition("PodReadyToStartContainers", "True"),
        condition("Initialized", "True"),
        condition("Ready", "False", "ReadinessGatesNotReady", said),
        condition("ContainersReady", "True"),
        condition("PodScheduled", "True"),
    ]
    spec = {"readinessGates": [{"conditionType": "example.com/in-balancer"}]}
    made.pod("web", container(state=running(300), ready=True), spec=spec, conditions=conditions)
    return made


@incident
def healthy_init_just_started() -> Incident:
    made = Incident("healthy: done with its init containers", "pod/web", "")
    first = container("fetch", state=terminated(0, ago=500), ready=True)
    sidecar = container("shipper", state=running(495), ready=True, restartPolicy="Always")
    made.pod("web", container(state=running(490), ready=True), init=[first, sidecar], ready=True)
    return made


@incident
def healthy_debug_ended() -> Incident:
    made = Incident("healthy: a debug container whose shell was left with exit code 130", "pod/web", "")
    status = {
        "name": "debugger-a",
        "image": "busybox:1.36",
        "ready": False,
        "restartCount": 0,
        "lastState": {},
        "state": terminated(130),
    }
    spec = {"ephemeralContainers": [{"name": "debugger-a", "image": "busybox:1.36"}]}
    made.pod(
        "web",
        container(state=running(3000), ready=True),
        ready=True,
        spec=spec,
        status={"ephemeralContainerStatuses": [status]},
    )
    return made
