"""A pod's phase and conditions as functions of its containers' statuses (pure), in a real kubelet's order and words:
pkg/kubelet/kubelet_pods.go getPhase and pkg/kubelet/status/generate.go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from k8sdiag.clock import format_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.kubelet.containers import is_sidecar

OWN = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
RESIZE = ("PodResizePending", "PodResizeInProgress")
Statuses = Mapping[str, Json]


@dataclass(slots=True)
class _Counts:
    unknown: int = 0
    running: int = 0
    waiting: int = 0
    stopped: int = 0
    succeeded: int = 0


def phase_of(pod: Json, statuses: Statuses, over: bool) -> str:
    """The phase; `over` says that nothing of the pod runs or will run again."""
    spec = pod["spec"]
    pending, failed = _init_counts(spec, statuses)
    policy = spec.get("restartPolicy", "Always")
    if failed and policy == "Never":
        return "Failed"
    counts = _main_counts(spec, statuses)
    if pending or counts.waiting:
        return "Pending"
    if counts.running and not counts.unknown:
        return "Running"
    if not counts.running and counts.stopped and not counts.unknown:
        if over:
            return "Succeeded" if counts.stopped == counts.succeeded else "Failed"
        if policy == "Always":
            return "Running"
        if counts.stopped == counts.succeeded:
            return "Succeeded"
        return "Failed" if policy == "Never" else "Running"
    return "Pending"


def _init_counts(spec: Json, statuses: Statuses) -> tuple[int, int]:
    """How many init containers keep the pod pending, and how many have failed."""
    pending = failed = 0
    started = any_started(spec, statuses)
    for container in spec.get("initContainers") or ():
        status = statuses.get(container["name"])
        state = (status or {}).get("state") or {}
        last = ((status or {}).get("lastState") or {}).get("terminated")
        if is_sidecar(container):
            ready = status is not None and (
                (state.get("running") and status.get("started")) or state.get("terminated") or last
            )
            pending += not ready and not started
        elif state.get("terminated"):
            failed += state["terminated"]["exitCode"] != 0
        elif state.get("waiting") and last:
            failed += last["exitCode"] != 0
        else:
            pending += 1
    return pending, failed


def _main_counts(spec: Json, statuses: Statuses) -> _Counts:
    counts = _Counts()
    for container in spec["containers"]:
        status = statuses.get(container["name"])
        state = (status or {}).get("state") or {}
        ended = state.get("terminated")
        last = ((status or {}).get("lastState") or {}).get("terminated")
        if state.get("running"):
            counts.running += 1
        elif ended:
            counts.stopped += 1
            counts.succeeded += ended["exitCode"] == 0
        elif state.get("waiting"):
            if last:
                counts.stopped += 1
            else:
                counts.waiting += 1
        else:
            counts.unknown += 1
    return counts


def any_started(spec: Json, statuses: Statuses) -> bool:
    """Whether a regular container runs or has run."""
    for container in spec["containers"]:
        status = statuses.get(container["name"]) or {}
        state = status.get("state") or {}
        if status.get("started") or state.get("running") or state.get("terminated"):
            return True
        if (status.get("lastState") or {}).get("terminated"):
            return True
    return False


Value = tuple[str, str, str]  # status, reason, message


def conditions_of(
    pod: Json, old: Json, statuses: Statuses, phase: str, network: bool, extra: Mapping[str, Value], now: float
) -> list[Json]:
    """The whole list: first the conditions of others, as a kubelet keeps them, then its own. `extra` are its further
    ones (resizes, the reason of an eviction)."""
    spec = pod["spec"]
    ready = containers_ready(spec, statuses, phase)
    held = (pod.get("status") or {}).get("conditions") or ()
    others = [one for one in held if one["type"] not in (*OWN, *RESIZE, *extra)]
    made: dict[str, Value] = dict(extra)
    made["PodReadyToStartContainers"] = ("True" if network else "False", "", "")
    made["Initialized"] = _initialized(spec, statuses, phase)
    made["Ready"] = with_gates(spec, others, ready)
    made["ContainersReady"] = ready
    made["PodScheduled"] = ("True", "", "")
    before = {one["type"]: one for one in old.get("conditions") or ()}
    return others + [condition(kind, value, before.get(kind), now) for kind, value in made.items()]


def _initialized(spec: Json, statuses: Statuses, phase: str) -> Value:
    unknown, incomplete = [], []
    for container in spec.get("initContainers") or ():
        status = statuses.get(container["name"])
        if status is None:
            unknown.append(container["name"])
        elif not status.get("started" if is_sidecar(container) else "ready"):
            incomplete.append(container["name"])
    if phase == "Succeeded" and not unknown:
        return ("True", "PodCompleted", "")
    if any_started(spec, statuses) or not (unknown or incomplete):
        return ("True", "", "")
    return ("False", "ContainersNotInitialized", _lists(("unknown", unknown), ("incomplete", incomplete)))


def containers_ready(spec: Json, statuses: Statuses, phase: str) -> Value:
    unknown, unready = [], []
    sidecars = [one for one in spec.get("initContainers") or () if is_sidecar(one)]
    for container in (*sidecars, *spec["containers"]):
        status = statuses.get(container["name"])
        if status is None:
            unknown.append(container["name"])
        elif not status.get("ready"):
            unready.append(container["name"])
    if phase == "Succeeded" and not unknown:
        return ("False", "PodCompleted", "")
    if phase == "Failed":
        return ("False", "PodFailed", "")
    if unknown or unready:
        return ("False", "ContainersNotReady", _lists(("unknown", unknown), ("unready", unready)))
    return ("True", "", "")


def _lists(*groups: tuple[str, list[str]]) -> str:
    return ", ".join(f"containers with {word} status: [{' '.join(names)}]" for word, names in groups if names)


def with_gates(spec: Json, others: list[Json], ready: Value) -> Value:
    """Readiness gates wait for conditions that somebody else sets (GeneratePodReadyCondition)."""
    gates = spec.get("readinessGates")
    if not gates or ready[0] != "True":
        return ready
    have = {one["type"]: one["status"] for one in others}
    complaints = []
    for kind in (gate["conditionType"] for gate in gates):
        if kind not in have:
            complaints.append(f'corresponding condition of pod readiness gate "{kind}" does not exist.')
        elif have[kind] != "True":
            complaints.append(f'the status of pod readiness gate "{kind}" is not "True", but {have[kind]}')
    return ("False", "ReadinessGatesNotReady", ", ".join(complaints)) if complaints else ready


def condition(kind: str, value: Value, old: Json | None, now: float) -> Json:
    status, reason, message = value
    since = old["lastTransitionTime"] if old and old["status"] == status else format_time(now)
    made = {"type": kind, "status": status, "lastProbeTime": None, "lastTransitionTime": since}
    if reason:
        made["reason"] = reason
    if message:
        made["message"] = message
    return made
