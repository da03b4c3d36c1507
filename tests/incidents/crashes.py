"""Crashes by exit code and signal, memory, lost containers, deadlines, restarts that back-off does not show."""

from __future__ import annotations

from typing import Any

from tests.incidents.build import (
    INCIDENTS,
    Incident,
    container,
    crash_loop,
    incident,
    node,
    running,
    terminated,
    waiting,
)

EXITS: dict[str, tuple[str, int, str]] = {
    "exit-1-silent": ("exit-error", 1, ""),
    "exit-2-words": ("exit-error", 2, "the moon is in the wrong phase"),
    "exit-126-silent": ("exit-126", 126, ""),
    "exit-127-silent": ("exit-127", 127, ""),
    "exit-129-hangup": ("exit-interrupt-signal", 129, ""),
    "exit-131-quit": ("exit-interrupt-signal", 131, "received SIGQUIT"),
    "exit-132-illegal": ("exit-sigill", 132, ""),
    "exit-133-trap": ("exit-sigtrap", 133, ""),
    "exit-134-abort": ("exit-sigabrt", 134, "double free or corruption (out)"),
    "exit-135-bus": ("exit-sigbus", 135, ""),
    "exit-136-divide": ("exit-sigfpe", 136, ""),
    "exit-137-kill": ("exit-sigkill", 137, "working"),
    "exit-139-segfault": ("exit-sigsegv", 139, "Segmentation fault (core dumped)"),
    "exit-141-pipe": ("exit-sigpipe", 141, ""),
    "exit-143-term": ("exit-sigterm", 143, "supervisor: stopping"),
    "exit-153-file-size": ("exit-limit-signal", 153, ""),
    "exit-159-seccomp": ("exit-sigsys", 159, "Bad system call (core dumped)"),
}


def ended(title: str, rule: str, code: int, log: str = "", reason: str = "", ran: float = 2, **spec: Any) -> Incident:
    """A pod in a crash loop."""
    made = Incident(title, "pod/web", rule)
    state = container(state=crash_loop(), last=terminated(code, reason, ran=ran), restarts=5, **spec)
    pod = made.pod("web", state)
    said = f"Back-off restarting failed container app in pod web_shop({pod['metadata']['uid']})"
    made.event(pod, "Started", "Started container app", kind="Normal", count=6, ago=32, first=590, container="app")
    made.event(pod, "BackOff", said, count=17, ago=5, first=580, container="app")
    if log:
        made.log("web", "app", log)
    return made


def _exit(name: str) -> Incident:
    rule, code, log = EXITS[name]
    return ended(f"crash loop with exit code {code}", rule, code, log)


for _name in EXITS:
    INCIDENTS[_name] = lambda name=_name: _exit(name)  # type: ignore[misc]


@incident
def exit_0_loop() -> Incident:
    return ended("a task that ends well, run as if it were a server", "exit-zero-loop", 0, "report written", ran=4)


@incident
def exit_seccomp_crio() -> Incident:
    return ended("CRI-O: seccomp killed the process", "exit-sigsys", 159, reason="seccomp killed")


@incident
def exit_1_never_restarted() -> Incident:
    made = Incident("a pod that is not restarted has failed", "pod/once", "exit-error")
    state = container(state=terminated(3, ago=300))
    made.pod("once", state, phase="Failed", spec={"restartPolicy": "Never"})
    made.log("once", "app", "import ended early")
    return made


@incident
def exit_1_running_again() -> Incident:
    made = Incident(
        "crash loop of a process that lives for a minute, caught while it runs", "deployment/web", "exit-error"
    )
    deployment = made.add("Deployment", "web", spec={"replicas": 1}, status={"replicas": 1, "readyReplicas": 1})
    replicas = made.add(
        "ReplicaSet", "web-7d9c5", spec={"replicas": 1}, metadata={"ownerReferences": [_owner(deployment)]}
    )
    state = container(state=running(40), last=terminated(1, ago=60, ran=61), restarts=4, ready=True)
    made.pod("web-7d9c5-x2x4q", state, ready=True, owner=replicas)
    made.log("web-7d9c5-x2x4q", "app", "ready\nlost my way", previous=True)
    return made


def _owner(obj: dict[str, Any]) -> dict[str, Any]:
    from tests.incidents.build import owner_reference

    return owner_reference(obj)


LIMIT = {"limits": {"memory": "64Mi"}, "requests": {"memory": "64Mi"}}


@incident
def oom_limit_docker() -> Incident:
    made = ended("dockerd: OOM kill at the limit", "oom-killed", 137, reason="OOMKilled", resources=LIMIT)
    made.journal(
        "kernel", "Memory cgroup out of memory: Killed process 4242 (java) total-vm:812344kB, anon-rss:65012kB"
    )
    return made


@incident
def oom_worker() -> Incident:
    made = ended(
        "a worker was OOM-killed and the main process ended with 1",
        "oom-killed-child",
        1,
        reason="OOMKilled",
        resources=LIMIT,
    )
    made.log(
        "web", "app", "[ERROR] Worker (pid:14) was sent SIGKILL! Perhaps out of memory?\n[ERROR] Shutting down: Master"
    )
    return made


@incident
def oom_init() -> Incident:
    made = Incident("an init container is OOM-killed", "pod/web", "oom-killed-init")
    load = container("load", state=crash_loop("load"), last=terminated(137, "OOMKilled"), restarts=4, resources=LIMIT)
    made.pod("web", container(state=waiting("PodInitializing")), init=[load], phase="Pending")
    return made


@incident
def oom_node_no_limit() -> Incident:
    made = ended("the node ran out of memory and took a pod without limit", "oom-killed-node", 137, reason="OOMKilled")
    made.also = ("node-system-oom",)
    made.event(made.objects[0], "SystemOOM", "System OOM encountered, victim process: java, pid: 4242", ago=31)
    made.journal("kernel", "Out of memory: Killed process 4242 (java) total-vm:4123443kB, anon-rss:3650120kB")
    return made


@incident
def oom_node_kill() -> Incident:
    made = ended(
        "the node ran out of memory; the runtime reports a plain SIGKILL", "oom-node-sigkill", 137, resources=LIMIT
    )
    made.also = ("node-system-oom",)
    made.event(made.objects[0], "SystemOOM", "System OOM encountered, victim process: java, pid: 4242", ago=31)
    return made


@incident
def oom_pod_limit() -> Incident:
    made = Incident("OOM kill at the limit of the whole pod", "pod/web", "oom-killed-pod-limit")
    state = container(state=crash_loop(), last=terminated(137, "OOMKilled"), restarts=5)
    made.pod("web", state, spec={"resources": {"limits": {"memory": "128Mi"}}})
    return made


@incident
def status_unknown() -> Incident:
    made = Incident("the kubelet lost sight of the container", "pod/web", "container-status-unknown")
    said = "The container could not be located when the pod was terminated"
    made.pod(
        "web", container(state=terminated(137, "ContainerStatusUnknown", message=said, never=True)), phase="Failed"
    )
    return made


@incident
def lost_255() -> Incident:
    made = Incident("the runtime lost the container when the node was rebooted", "pod/web", "container-lost-255")
    made.pod("web", container(state=terminated(255, "Unknown", ago=40, ran=4000), restarts=1), ago=4100)
    return made


@incident
def deadline_pod() -> Incident:
    made = Incident("a pod ran longer than its deadline", "pod/report", "pod-deadline-exceeded")
    said = "Pod was active on the node longer than the specified deadline"
    pod = made.pod(
        "report",
        container(state=terminated(137, ago=280, ran=300)),
        phase="Failed",
        spec={"activeDeadlineSeconds": 300, "restartPolicy": "Never"},
        status={"reason": "DeadlineExceeded", "message": said},
    )
    made.event(pod, "DeadlineExceeded", said, kind="Normal", ago=282)
    made.event(pod, "Killing", "Stopping container app", kind="Normal", ago=282, container="app")
    made.log("report", "app", "KeyError: 'SLOW_PATH'")
    return made


@incident
def restarts_hidden() -> Incident:
    made = Incident("runs well at the moment, and fails every half hour", "pod/web", "restarts-recurring")
    state = container(state=running(1200), last=terminated(1, ago=1201, ran=1800), restarts=9, ready=True)
    made.pod("web", state, ready=True, ago=18000)
    made.log("web", "app", "cache grown to 2 GB, giving up", previous=True)
    return made


@incident
def healthy_restarts_long_ago() -> Incident:
    made = Incident("healthy: four restarts in its first hour, and three quiet days since", "pod/web", "")
    state = container(state=running(260000), last=terminated(1, ago=260010, ran=20), restarts=4, ready=True)
    made.pod("web", state, ready=True, ago=263000)
    return made


@incident
def healthy_oom_long_ago() -> Incident:
    made = Incident("healthy: OOM-killed once, two days ago", "pod/web", "")
    state = container(
        state=running(170000),
        last=terminated(137, "OOMKilled", ago=170003, ran=90000),
        restarts=1,
        ready=True,
        resources=LIMIT,
    )
    made.pod("web", state, ready=True, ago=260000)
    return made


@incident
def healthy_init_retried() -> Incident:
    made = Incident("healthy: an init container that succeeded at its third try", "pod/web", "")
    wait = container("wait", state=terminated(0, ago=900), last=terminated(1, ago=920), restarts=2, ready=True)
    made.pod("web", container(state=running(890), ready=True), init=[wait], ready=True, ago=960)
    return made


@incident
def healthy_job_retried() -> Incident:
    made = Incident("healthy: a task that ended well after one failure (restartPolicy OnFailure)", "pod/once", "")
    state = container(state=terminated(0, ago=300), last=terminated(1, ago=340), restarts=1)
    made.pod("once", state, phase="Succeeded", spec={"restartPolicy": "OnFailure"})
    return made


@incident
def healthy_node_rebooted() -> Incident:
    made = Incident("healthy: the node was rebooted a minute ago, and all runs again", "pod/web", "")
    made.add("Node", "node1", namespace="", **node())
    state = container(state=running(20), last=terminated(255, "Unknown", ago=60, ran=90000), restarts=1, ready=True)
    made.pod("web", state, ready=True, ago=91000)
    return made
