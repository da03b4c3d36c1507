"""A pod's status from what the kubelet knows of it (pure): pkg/kubelet/kubelet_pods.go generateAPIPodStatus, whose
shapes, orders and messages were checked against recordings of a real cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from k8sdiag.clock import format_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.kubelet.conditions import Value, conditions_of, phase_of
from k8sdiag.minicluster.kubelet.containers import (
    EPHEMERAL,
    INIT,
    MAIN,
    Record,
    Runs,
    is_sidecar,
    should_start,
)

_OVER = ("Succeeded", "Failed")
_LOST = "The container could not be located when the pod was terminated"


class Probed(Protocol):
    """What the probes of a pod have found (pkg/kubelet/prober/prober_manager.go UpdatePodStatus)."""

    def started(self, container: str, run: str) -> bool: ...

    def ready(self, container: str, run: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class PodFacts:
    """All that a status is made from, beside the pod. `reasons` are why the last try to start a container failed;
    `over` says that the pod will not run again; `verdict` is the phase, reason and message that somebody else has
    decided on (deadline, eviction)."""

    runs: Mapping[str, Runs]
    reasons: Mapping[str, tuple[str, str]]
    probed: Probed
    network: bool
    addresses: Sequence[str]
    host: str
    over: bool = False
    verdict: tuple[str, str, str] | None = None
    extra: Mapping[str, Value] = field(default_factory=dict)
    allocated: Mapping[str, Json] = field(default_factory=dict)
    actual: Mapping[str, Json] = field(default_factory=dict)


def status_of(pod: Json, old: Json, facts: PodFacts, now: float) -> tuple[Json, bool]:
    """The whole `status`, and whether the pod is to end by it. `old` is the last one that was reported; what is not the
    kubelet's own stays as it is."""
    groups = {group: _statuses(pod, old, group, facts) for group in (INIT, MAIN, EPHEMERAL)}
    listed = {one["name"]: one for group in (INIT, MAIN) for one in groups[group]}
    wanted = phase_of(pod, listed, facts.over)
    reason, message = str(old.get("reason", "")), str(old.get("message", ""))
    if old.get("phase") in _OVER:
        wanted = str(old["phase"])
    if facts.verdict:
        wanted, reason, message = facts.verdict
    phase = wanted
    if wanted in _OVER and not facts.over and old.get("phase") not in _OVER:
        # Until all is stopped the phase stays (status_manager.go mergePodStatus), though the conditions say it already.
        phase = str(old.get("phase") or "Pending")
        reason, message = str(old.get("reason", "")), str(old.get("message", ""))
    status: Json = {"phase": phase}
    status["conditions"] = conditions_of(pod, old, listed, wanted, facts.network, facts.extra, now)
    if message:
        status["message"] = message
    if reason:
        status["reason"] = reason
    if old.get("nominatedNodeName"):
        status["nominatedNodeName"] = old["nominatedNodeName"]
    status |= {"hostIP": facts.host, "hostIPs": [{"ip": facts.host}]}
    addresses = facts.addresses or [entry["ip"] for entry in old.get("podIPs") or ()]
    if addresses:
        status |= {"podIP": addresses[0], "podIPs": [{"ip": address} for address in addresses]}
    status["startTime"] = old.get("startTime") or format_time(now)
    for group, name in ((INIT, "initContainerStatuses"), (MAIN, "containerStatuses")):
        if groups[group]:
            status[name] = groups[group]
    status["qosClass"] = old.get("qosClass") or "BestEffort"
    if groups[EPHEMERAL]:
        status["ephemeralContainerStatuses"] = groups[EPHEMERAL]
    return status, wanted in _OVER


def terminated(status: Json) -> Json:
    """The status of a pod of which nothing is left: what never ran, or got lost, is said to have failed
    (status_manager.go TerminatePod)."""
    init = status.get("initContainerStatuses") or []
    through = not init or any(
        "terminated" in one["state"] and not one["state"]["terminated"]["exitCode"] for one in init
    )
    through = through or any(one.get("containerID") for one in status.get("containerStatuses") or ())
    made = {**status}
    if through or not init:
        made["containerStatuses"] = [_lost(one) for one in status.get("containerStatuses") or ()]
    if made.get("phase") not in _OVER:
        made["phase"] = "Failed"
    return made


def _lost(status: Json) -> Json:
    if "terminated" in status["state"]:
        return status
    gone = {"exitCode": 137, "reason": "ContainerStatusUnknown", "message": _LOST}
    return {**status, "state": {"terminated": gone | {"startedAt": None, "finishedAt": None}}, "ready": False}


def _statuses(pod: Json, old: Json, group: str, facts: PodFacts) -> list[Json]:
    names = {INIT: "initContainerStatuses", MAIN: "containerStatuses", EPHEMERAL: "ephemeralContainerStatuses"}
    before = {one["name"]: one for one in old.get(names[group]) or ()}
    return [
        _container(pod, container, group, before.get(container["name"]), facts)
        for container in pod["spec"].get(group) or ()
    ]


def _container(pod: Json, container: Json, group: str, old: Json | None, facts: PodFacts) -> Json:
    name = container["name"]
    runs = facts.runs.get(name) or []
    run = runs[-1] if runs else None
    status: Json = {"name": name, "state": {}, "lastState": {}, "ready": False}
    if run is None:
        _unmade(status, pod, container, old, facts)
    else:
        status["state"] = state_of(run)
        if len(runs) > 1:
            status["lastState"] = state_of(runs[-2])
        status |= {"restartCount": run.attempt, "image": run.image.name, "imageID": run.image.id}
        status["containerID"] = run.shown
    if _waits(pod, container, group, run, facts):
        reason, message = facts.reasons[name]
        if "terminated" in status["state"]:
            status["lastState"] = status["state"]
        status["state"] = {"waiting": {"reason": reason, **({"message": message} if message else {})}}
    _probed(status, container, group, run, facts)
    _resources(status, container, run, facts)
    mounts = [_mount(mount) for mount in container.get("volumeMounts") or ()]
    if mounts:
        status["volumeMounts"] = mounts
    return status


def _unmade(status: Json, pod: Json, container: Json, old: Json | None, facts: PodFacts) -> None:
    """A container that the runtime does not have: not yet, or no longer."""
    status |= {"restartCount": 0, "image": container.get("image", ""), "imageID": ""}
    if old is not None and (old["state"].get("terminated") or (facts.over and old["state"].get("running"))):
        status |= {key: value for key, value in old.items() if key not in ("ready", "started")}
        if old["state"].get("running"):
            gone = {"exitCode": 137, "reason": "ContainerStatusUnknown", "message": _LOST}
            status["state"] = {"terminated": gone | {"startedAt": None, "finishedAt": None}}
        return
    has_init = bool(pod["spec"].get("initContainers"))
    status["state"] = {"waiting": {"reason": "PodInitializing" if has_init else "ContainerCreating"}}


def _waits(pod: Json, container: Json, group: str, run: Record | None, facts: PodFacts) -> bool:
    """Whether the reason of a failed start is what the container's state is now."""
    if container["name"] not in facts.reasons or facts.over:
        return False
    if group == EPHEMERAL:
        return run is None
    if group == INIT:
        if is_sidecar(container):
            return run is None or not run.running
        if run is not None and run.succeeded:
            return False
    return should_start(pod, run)


def state_of(run: Record) -> Json:
    """A ContainerState as the API has it."""
    state = run.state
    if run.running:
        return {"running": {"startedAt": format_time(state.started_at)}}
    if not run.exited:
        return {"waiting": {}}
    ended: Json = {"exitCode": state.exit_code, "reason": state.reason or ("Error" if state.exit_code else "Completed")}
    if state.message:
        ended["message"] = state.message
    ended["startedAt"] = format_time(state.started_at or 0.0)
    ended["finishedAt"] = format_time(state.finished_at)
    ended["containerID"] = run.shown
    return {"terminated": ended}


def _probed(status: Json, container: Json, group: str, run: Record | None, facts: PodFacts) -> None:
    runs = run is not None and "running" in status["state"]
    name, identity = status["name"], "" if run is None else run.id
    if group == EPHEMERAL:
        return
    status["started"] = runs and facts.probed.started(name, identity)
    if group == INIT and not is_sidecar(container):
        ended = status["state"].get("terminated")
        status["ready"] = bool(ended and ended["exitCode"] == 0)
    else:
        status["ready"] = status["started"] and facts.probed.ready(name, identity)


def _resources(status: Json, container: Json, run: Record | None, facts: PodFacts) -> None:
    if run is None:
        return
    name = status["name"]
    wanted = container.get("resources") or {}
    allocated = facts.allocated.get(name, wanted.get("requests"))
    if allocated:
        status["allocatedResources"] = allocated
    actual = facts.actual.get(name, wanted)
    status["resources"] = {key: actual[key] for key in ("limits", "requests") if actual.get(key)}


def _mount(mount: Json) -> Json:
    shown = {"name": mount["name"], "mountPath": mount["mountPath"]}
    if mount.get("readOnly"):
        shown |= {"readOnly": True, "recursiveReadOnly": mount.get("recursiveReadOnly") or "Disabled"}
    return shown
