"""Reading a pod: its containers side by side with their states, its conditions, and the word kubectl shows.

The STATUS algorithm is printPod's (pkg/printers/internalversion/printers.go, Kubernetes 1.33).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from k8sdiag.evidence import Json


class ContainerView(NamedTuple):
    """One container: `type` is init, sidecar (a restartable init container), app or ephemeral."""

    type: str
    name: str
    spec: Json
    status: Json

    @property
    def what(self) -> str:
        """The type in words."""
        return "container" if self.type == "app" else f"{self.type} container"


def containers_of(pod: Json) -> Iterator[ContainerView]:
    """Every container of a pod, in the order it starts them; `status` is {} where the kubelet reported none."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    for spec_key, status_key, kind in (
        ("initContainers", "initContainerStatuses", "init"),
        ("containers", "containerStatuses", "app"),
        ("ephemeralContainers", "ephemeralContainerStatuses", "ephemeral"),
    ):
        statuses = {item.get("name"): item for item in status.get(status_key) or []}
        for item in spec.get(spec_key) or []:
            name = item.get("name") or ""
            sidecar = kind == "init" and item.get("restartPolicy") == "Always"
            yield ContainerView("sidecar" if sidecar else kind, name, item, statuses.get(name) or {})


def conditions_of(obj: Json) -> dict[str, Json]:
    """`status.conditions` by type."""
    return {item.get("type") or "": item for item in (obj.get("status") or {}).get("conditions") or []}


def is_ready(pod: Json) -> bool:
    """Condition Ready is True."""
    return (conditions_of(pod).get("Ready") or {}).get("status") == "True"


def is_finished(pod: Json) -> bool:
    """Phase Succeeded or Failed."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def is_quiet(pod: Json) -> bool:
    """Nothing to say about this pod: running, ready, never restarted, not being deleted; or succeeded. The check is
    cheap, because nine pods of ten are so."""
    status = pod.get("status") or {}
    meta = pod.get("metadata") or {}
    if meta.get("deletionTimestamp"):
        return False
    if status.get("phase") == "Succeeded":
        return True
    if status.get("phase") != "Running" or not is_ready(pod):
        return False
    for item in (status.get("containerStatuses") or []) + (status.get("initContainerStatuses") or []):
        if item.get("restartCount") or item.get("lastState"):
            return False
    return not status.get("ephemeralContainerStatuses") and not _noteworthy(status)


def _noteworthy(status: Json) -> bool:
    return any(
        item.get("type") in ("PodResizePending", "PodResizeInProgress", "DisruptionTarget")
        and item.get("status") == "True"
        for item in status.get("conditions") or []
    )


def status_word(pod: Json) -> str:
    """The STATUS column of `kubectl get pods`."""
    status, meta = pod.get("status") or {}, pod.get("metadata") or {}
    phase = status.get("phase") or "Unknown"
    conditions = conditions_of(pod)
    word = status.get("reason") or phase
    if (conditions.get("PodScheduled") or {}).get("reason") == "SchedulingGated":
        word = "SchedulingGated"
    init, initializing = _init_word(pod)
    if initializing:
        word = init
    if not initializing or (conditions.get("Initialized") or {}).get("status") == "True":
        word = _app_word(status, word, initializing)
    if word == "Completed" and _any_running_ready(status):
        word = "Running" if is_ready(pod) else "NotReady"
    if meta.get("deletionTimestamp"):
        if status.get("reason") == "NodeLost":
            return "Unknown"
        if phase not in ("Succeeded", "Failed"):
            return "Terminating"
    return word


def _init_word(pod: Json) -> tuple[str, bool]:
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    total = len(spec.get("initContainers") or [])
    restartable = {
        item.get("name") for item in spec.get("initContainers") or [] if item.get("restartPolicy") == "Always"
    }
    for index, item in enumerate(status.get("initContainerStatuses") or []):
        state = item.get("state") or {}
        ended, waiting = state.get("terminated"), state.get("waiting") or {}
        if ended and ended.get("exitCode") == 0:
            continue
        if item.get("name") in restartable and item.get("started"):
            continue
        if ended:
            return "Init:" + _ended_word(ended), True
        if waiting.get("reason") not in (None, "", "PodInitializing"):
            return f"Init:{waiting['reason']}", True
        return f"Init:{index}/{total}", True
    return "", False


def _app_word(status: Json, word: str, initializing: bool) -> str:
    for item in reversed(status.get("containerStatuses") or []):
        state = item.get("state") or {}
        if (state.get("waiting") or {}).get("reason"):
            if not (initializing and state["waiting"]["reason"] == "PodInitializing"):
                word = state["waiting"]["reason"]
        elif state.get("terminated"):
            word = _ended_word(state["terminated"])
    return word


def _ended_word(ended: Json) -> str:
    if ended.get("reason"):
        return str(ended["reason"])
    if ended.get("signal"):
        return f"Signal:{ended['signal']}"
    return f"ExitCode:{ended.get('exitCode')}"


def _any_running_ready(status: Json) -> bool:
    return any(
        (item.get("state") or {}).get("running") is not None and item.get("ready")
        for item in status.get("containerStatuses") or []
    )


def probe_text(probe: Json | None) -> str:
    """A probe in the words of `kubectl describe pod`: `http-get http://:8080/ready delay=0s timeout=1s ...`."""
    if not probe:
        return ""
    if "httpGet" in probe:
        get = probe["httpGet"]
        scheme = (get.get("scheme") or "HTTP").lower()
        head = f"http-get {scheme}://{get.get('host') or ''}:{get.get('port')}{get.get('path') or ''}"
    elif "exec" in probe:
        head = f"exec [{' '.join((probe['exec'] or {}).get('command') or [])}]"
    elif "tcpSocket" in probe:
        head = f"tcp-socket {probe['tcpSocket'].get('host') or ''}:{probe['tcpSocket'].get('port')}"
    elif "grpc" in probe:
        head = f"grpc <pod>:{probe['grpc'].get('port')} {probe['grpc'].get('service') or ''}".rstrip()
    else:
        head = "unknown"
    return (
        f"{head} delay={probe.get('initialDelaySeconds') or 0}s timeout={probe.get('timeoutSeconds') or 1}s"
        f" period={probe.get('periodSeconds') or 10}s #success={probe.get('successThreshold') or 1}"
        f" #failure={probe.get('failureThreshold') or 3}"
    )


def probe_budget(probe: Json | None) -> int:
    """Seconds from a container's start to the last allowed failure of a probe: delay + period x threshold."""
    if not probe:
        return 0
    return int(
        (probe.get("initialDelaySeconds") or 0)
        + (probe.get("periodSeconds") or 10) * (probe.get("failureThreshold") or 3)
    )
