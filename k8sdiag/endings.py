"""How containers end: their last termination, the signal behind an exit code, who killed them, and whether it goes on.

A container that crashes every few seconds is often caught while it runs again; that must not hide the crash, and a
container that was restarted once and has run well since must not look like one that crashes.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable
from typing import Any, NamedTuple

from k8sdiag.clock import parse_time
from k8sdiag.evidence import Json, Snapshot, event_count, event_first_time, event_message, event_time, involved
from k8sdiag.podstate import ContainerView, probe_budget

LOST = ("Unknown", "ContainerStatusUnknown")
"""Reasons of terminations that nobody saw: the exit code is made up."""
_KILLERS = (
    ("failed liveness probe", "liveness"),
    ("failed startup probe", "startup"),
    ("FailedPostStartHook", "postStart"),
    ("Stopping container", "stop"),
)
_BACK_OFF_RESET = 600


class Killer(NamedTuple):
    """Who ended a container: liveness, startup, postStart, stop or ''; `inferred` where no event says so."""

    name: str
    inferred: bool


def ended_of(status: Json) -> Json:
    """The last termination in a container's status (state, else lastState), or {}."""
    for part in ("state", "lastState"):
        ended = (status.get(part) or {}).get("terminated")
        if ended:
            return dict(ended)
    return {}


def ran_of(ended: Json) -> int | None:
    """Seconds a terminated run lasted."""
    started, finished = parse_time(ended.get("startedAt")), parse_time(ended.get("finishedAt"))
    return max(0, int(finished - started)) if started and finished and started > 0 else None


def signal_name(code: int | None) -> str:
    """`SIGKILL` for 137; '' where the exit code stands for no signal (a shell's and the runtimes' 128 + n)."""
    if code is None or not 128 < code < 193:
        return ""
    try:
        return signal.Signals(code - 128).name
    except ValueError:
        return ""


def is_crashing(container: ContainerView, policy: str, now: float) -> bool:
    """Ends again and again, or has failed for good. `policy` is the pod's restartPolicy."""
    state = container.status.get("state") or {}
    restarts = container.status.get("restartCount") or 0
    if (state.get("waiting") or {}).get("reason") == "CrashLoopBackOff":
        return True
    ended = state.get("terminated")
    if ended:
        badly = ended.get("exitCode") != 0 or ended.get("reason") == "OOMKilled"
        again = (policy == "Always" and container.type == "app") or container.type == "sidecar"
        return (badly and container.type != "ephemeral") or (again and restarts > 0)
    return bool(restarts) and "running" in state and _ends_again_soon(container, now)


def _ends_again_soon(container: ContainerView, now: float) -> bool:
    """It runs now, but not yet (much) longer than the run that failed."""
    ended = (container.status.get("lastState") or {}).get("terminated") or {}
    started = parse_time(((container.status.get("state") or {}).get("running") or {}).get("startedAt"))
    if not ended or started is None or ended.get("reason") in LOST:
        return False
    patience = 30 if container.status.get("ready") else 60
    return now - started <= min(max(patience, 2 * (ran_of(ended) or 0)), _BACK_OFF_RESET)


def is_recurring(container: ContainerView, age: float | None, now: float) -> bool:
    """It runs well at the moment, but has failed at least three times and not yet run clearly longer than usual."""
    restarts = container.status.get("restartCount") or 0
    ended = (container.status.get("lastState") or {}).get("terminated") or {}
    started = parse_time(((container.status.get("state") or {}).get("running") or {}).get("startedAt"))
    if restarts < 3 or not age or started is None or ended.get("reason") in LOST:
        return False
    return now - started < 1.5 * age / restarts


def kills_of(events: Iterable[Json]) -> dict[str, Json]:
    """Container to the newest Killing event of the kubelet, of a pod's events (oldest first)."""
    found: dict[str, Json] = {}
    for event in events:
        if event.get("reason") == "Killing":
            found[_killed(event)] = event
    return found


def _killed(event: Json) -> str:
    path = involved(event).get("fieldPath") or ""
    if path.endswith("}") and "{" in path:
        return str(path[path.find("{") + 1 : -1])
    words = event_message(event).split()
    at = next((index for index, word in enumerate(words[:-1]) if word.lower() == "container"), None)
    return "" if at is None else words[at + 1].strip(',"')


def killer_of(container: ContainerView, event: Json | None) -> Killer:
    """Who ended the last run: as the Killing event says, or as its length and the probes' settings tell."""
    ended = ended_of(container.status)
    if event is not None and ended and _belongs(event, ended):
        for words, name in _KILLERS:
            if words in event_message(event):
                return Killer(name, False)
    ran, restarts = ran_of(ended), container.status.get("restartCount")
    if ended.get("exitCode") in (137, 143) and ended.get("reason") == "Error" and restarts and ran is not None:
        grace = 35  # what terminationGracePeriodSeconds (30 s) and a slow worker can add
        for name in ("startup", "liveness"):
            budget = probe_budget(container.spec.get(f"{name}Probe"))
            period = (container.spec.get(f"{name}Probe") or {}).get("periodSeconds") or 10
            if budget and budget - period - 2 <= ran <= budget + grace:
                return Killer(name, True)
    return Killer("", False)


def _belongs(event: Json, ended: dict[str, Any]) -> bool:
    """Is this Killing event about the last termination, and not an older one? A kill takes at most the grace period;
    an event seen several times covers all between its first and its last time."""
    killed, finished = parse_time(event_time(event)), parse_time(ended.get("finishedAt"))
    if killed is None or finished is None:
        return True
    first = parse_time(event_first_time(event)) or killed
    repeated = event_count(event) > 1 and ended.get("exitCode") in (0, 137, 143)
    return (first if repeated else killed) - 60 <= finished <= killed + 120


def killed_for_memory(snapshot: Snapshot, node: str, ended: Json) -> tuple[str, str]:
    """(limit or node, line) where the node's kernel says that it killed a process of this run for want of memory. A
    status may say only `Error` 137: the runtime can miss the notice."""
    identity = str(ended.get("containerID") or "").rpartition("/")[2]
    finished = parse_time(ended.get("finishedAt"))
    if ended.get("exitCode") != 137 or len(identity) < 12 or finished is None:
        return "", ""
    for entry in reversed(snapshot.journal.get((node, "kernel"), [])):
        if identity in entry.message and "oom-kill:" in entry.message and abs(entry.at - finished) < 60:
            return "limit" if "CONSTRAINT_MEMCG" in entry.message else "node", " ".join(entry.message[:600].split())
    return "", ""
