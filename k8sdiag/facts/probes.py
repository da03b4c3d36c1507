"""Probes that fail now, one fact a container and probe.

Sample: `Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 500`. Failures before a container became
ready yield nothing.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from k8sdiag.clock import parse_time
from k8sdiag.endings import ended_of, is_crashing, killer_of, kills_of, ran_of
from k8sdiag.evidence import Json, event_count, event_message, event_time, ref_of
from k8sdiag.facts import Fact, event_container, event_proof, events_where, owner_word, pod_keys
from k8sdiag.finding import Proof
from k8sdiag.lastwords import listens, log_of, tail_lines
from k8sdiag.patterns import regex
from k8sdiag.podstate import ContainerView, containers_of, is_finished, is_quiet, probe_budget, probe_text
from k8sdiag.relations import View

KIND = "probe"
KEYS = ("container", "pod", "node", "workload", "namespace")
FIELDS = {
    "probe": "readiness, liveness or startup",
    "message": "what the kubelet said after 'probe failed: '",
    "outcome": "http-status, refused, timeout, exec, exec-missing, grpc, port-name, reset, unreachable, tls or other",
    "status": "HTTP status code",
    "status.text": "what the HTTP status code means (Not Found)",
    "errored": "the probe could not be carried out, which counts for no threshold",
    "count": "failures, as events count them",
    "settings": "the probe in the words of kubectl describe",
    "handler": "http, tcp, exec or grpc",
    "port": "the port it asks",
    "path": "the path it asks, or the command it runs",
    "exec.shell": "the command it runs, quoted for a shell",
    "previousFlag.shell": "--previous where the container has been restarted",
    "timeout": "timeoutSeconds",
    "period": "periodSeconds",
    "threshold": "failureThreshold",
    "delay": "initialDelaySeconds",
    "seconds": "delay + period x threshold: how long a start may take",
    "hasStartup": "the container has a startup probe",
    "hasPorts": "ports the container declares",
    "undeclared": "the container declares ports, and the probe's is not among them",
    "listens": "ports on which the container's log or command says it listens",
    "elsewhere": "it says it listens, and not on the probe's port",
    "loopback": "the address it says it listens on is 127.0.0.1 or localhost",
    "kills": "this probe's failures ended the last run, or are about to end this one",
    "slow": "killed as soon as the probe allowed, without ever having answered it; there is no startup probe",
    "crashing": "the container ends by its own doing, so that the probe is not to blame",
    "ran": "seconds the last run lasted",
    "restarts": "status.containerStatuses[].restartCount",
    "everReady": "the container was ready at some moment that was recorded",
    "exit.code": "exit code of the last termination",
    "limits.cpu": "spec.containers[].resources.limits.cpu",
    "command": "spec.containers[].command and args",
    "container": "the container's name",
    "type": "init, sidecar or app",
    "what": "the type in words: container, init container, sidecar container or ephemeral container",
    "pod": "metadata.name",
    "namespace": "metadata.namespace",
    "owner": "what to change: deployment/web, or pod/web",
}
_SAYS = regex(
    r"^(?:\(combined from similar events\): )?(Readiness|Liveness|Startup) probe (failed|errored)[^:]*: ?(.*)",
    re.DOTALL,
)
_OUTCOMES = (
    ("http-status", regex(r"HTTP probe failed with statuscode: (\d+)")),
    ("port-name", regex(r"strconv\.Atoi|couldn't find port|invalid port number")),
    ("exec-missing", regex(r"executable file not found|unable to start container process")),
    ("grpc", regex(r"service unhealthy|health rpc|failed to connect service|grpc", re.IGNORECASE)),
    ("refused", regex(r"connection refused")),
    ("tls", regex(r"tls:|x509:|HTTP response to HTTPS client|HTTPS server")),
    ("reset", regex(r"connection reset by peer|EOF$|malformed HTTP|broken pipe")),
    ("timeout", regex(r"timeout|timed out|deadline exceeded|request canceled", re.IGNORECASE)),
    ("unreachable", regex(r"no route to host|network is unreachable|no such host")),
)
_COMMAND_PORT = regex(r"(?:ports?[= ]|:|http\.server |\(''?,? ?|-p[= ]?|listen )(\d{2,5})\b", re.IGNORECASE)
_SILENT = ("refused", "timeout", "reset", "other", "grpc", "unreachable")
"""Outcomes of a server that has not come up."""


def derive(view: View) -> Iterator[Fact]:
    for pod in view.of_kind("Pod"):
        if is_quiet(pod) or is_finished(pod) or pod["metadata"].get("deletionTimestamp"):
            continue
        uid = pod["metadata"].get("uid") or ""
        events = events_where(view, ref_of(pod), uid, lambda event: event.get("reason") == "Unhealthy")
        for container in containers_of(pod) if events else ():
            yield from _of_container(view, pod, container, events)


def _of_container(view: View, pod: Json, container: ContainerView, events: list[Json]) -> Iterator[Fact]:
    seen: dict[str, list[Json]] = {}
    for event in events:
        said = _SAYS.match(event_message(event))
        if said and event_container(event) in (container.name, ""):
            seen.setdefault(said.group(1).lower(), []).append(event)
    for probe, found in seen.items():
        if container.spec.get(f"{probe}Probe") and _matters(view, container, probe, found[0]):
            fields = _fields(view, pod, container, probe, found)
            text = f"{probe}Probe: {fields['settings']}"
            proof = Proof("spec", f"pod/{pod['metadata']['name']} container {container.name}", "", text)
            proofs = (*map(event_proof, found[:2]), proof)
            yield Fact(KIND, ref_of(pod), fields, pod_keys(view, pod, container.name), proofs)


def _matters(view: View, container: ContainerView, probe: str, newest: Json) -> bool:
    """A readiness failure while not ready; a liveness or startup failure that restarts, or is about to."""
    status = container.status
    running = "running" in (status.get("state") or {})
    if probe == "readiness":
        return running and not status.get("ready")
    if probe == "startup":
        return not status.get("started")
    last = parse_time(event_time(newest))
    recent = last is not None and view.snapshot.taken_at - last < 120
    return recent or bool(status.get("restartCount") and is_crashing(container, "Always", view.snapshot.taken_at))


def _fields(view: View, pod: Json, container: ContainerView, probe: str, events: list[Json]) -> dict[str, Any]:
    event = _main_event(events)
    said = _SAYS.match(event_message(event))
    message = " ".join(said.group(3).split()) if said else ""
    settings = container.spec.get(f"{probe}Probe") or {}
    outcome, status_code = _outcome(message, "exec" in settings)
    handler = next((k for k in ("httpGet", "tcpSocket", "exec", "grpc") if k in settings), "")
    detail = settings.get(handler) or {}
    return (
        {
            "probe": probe,
            "message": message,
            "outcome": outcome,
            "status": status_code,
            "status.text": _meaning(status_code),
            "errored": bool(said) and said is not None and said.group(2) == "errored",
            "count": sum(event_count(item) for item in events),
            "settings": probe_text(settings),
            "handler": {"httpGet": "http", "tcpSocket": "tcp", "exec": "exec", "grpc": "grpc"}.get(handler, ""),
            "port": str(detail.get("port") or ""),
            "path": str(detail.get("path") or " ".join(detail.get("command") or [])),
            "exec.shell": shlex.join(detail.get("command") or []) if handler == "exec" else "",
            "previousFlag.shell": "--previous" if container.status.get("lastState") else "",
            "timeout": settings.get("timeoutSeconds") or 1,
            "period": settings.get("periodSeconds") or 10,
            "threshold": settings.get("failureThreshold") or 3,
            "delay": settings.get("initialDelaySeconds") or 0,
            "seconds": probe_budget(settings),
            "hasStartup": bool(container.spec.get("startupProbe")),
            "restarts": container.status.get("restartCount") or 0,
            "everReady": _ever_ready(view, pod, container.name),
            "limits.cpu": ((container.spec.get("resources") or {}).get("limits") or {}).get("cpu") or "",
            "command": " ".join([*(container.spec.get("command") or []), *(container.spec.get("args") or [])]),
            "container": container.name,
            "type": container.type,
            "what": container.what,
            "pod": pod["metadata"]["name"],
            "namespace": pod["metadata"].get("namespace") or "",
            "owner": owner_word(view, pod),
        }
        | _ports(view, pod, container, str(detail.get("port") or ""))
        | _ending(view, pod, container, probe, events)
    )


def _main_event(events: list[Json]) -> Json:
    """The newest failure, unless another was seen far more often: one `connection refused` as the container goes down
    must not hide twenty times status 500."""
    most = max(events, key=event_count)
    return most if event_count(most) > 3 * event_count(events[0]) else events[0]


def _meaning(status: int | None) -> str:
    try:
        return HTTPStatus(status or 0).phrase
    except ValueError:
        return ""


def _ports(view: View, pod: Json, container: ContainerView, port: str) -> dict[str, Any]:
    """What the container declares and says of the ports it listens on, next to the probe's."""
    declared = container.spec.get("ports") or []
    numbers = [str(item.get("containerPort")) for item in declared]
    number = next((str(item.get("containerPort")) for item in declared if item.get("name") == port), port)
    ref = ref_of(pod)
    log = log_of(view.snapshot, ref.namespace, ref.name, container)
    places = list(listens([line for _, line in tail_lines(log.text)])) if log else []
    command = " ".join([*(container.spec.get("command") or []), *(container.spec.get("args") or [])])
    heard = [found for _, found in places] or _COMMAND_PORT.findall(command[:4000])
    local = bool(places) and {host for host, _ in places} <= {"127.0.0.1", "localhost", "[::1]"}
    return {
        "hasPorts": tuple(numbers),
        "undeclared": bool(numbers) and number not in numbers,
        "listens": tuple(dict.fromkeys(heard)),
        "elsewhere": bool(heard) and number not in heard and number.isdigit(),
        "loopback": places[0][0] if local and number in heard else "",
    }


def _ending(view: View, pod: Json, container: ContainerView, probe: str, events: list[Json]) -> dict[str, Any]:
    """How the last run ended, and whether this probe is to blame for it."""
    meta = pod["metadata"]
    kill = kills_of(view.snapshot.events_of(ref_of(pod), meta.get("uid") or "")).get(container.name)
    ended, killer = ended_of(container.status), killer_of(container, kill)
    ran = ran_of(ended)
    budget = probe_budget(container.spec.get(f"{probe}Probe"))
    grace = (pod.get("spec") or {}).get("terminationGracePeriodSeconds")
    policy = (pod.get("spec") or {}).get("restartPolicy") or "Always"
    failing = not container.status.get("restartCount") and "running" in (container.status.get("state") or {})
    started = bool(container.spec.get("startupProbe"))
    early = ran is not None and ran <= budget + (30 if grace is None else grace) + 10
    return {
        "ran": ran,
        "exit.code": ended.get("exitCode"),
        "kills": killer.name == probe or failing,
        "slow": killer.name == probe and early and not started and all(map(_never_answered, events)),
        "crashing": not killer.name and is_crashing(container, policy, view.snapshot.taken_at),
    }


def _never_answered(event: Json) -> bool:
    said = _SAYS.match(event_message(event))
    return said is not None and _outcome(said.group(3), is_exec=False)[0] in _SILENT


def _outcome(message: str, is_exec: bool) -> tuple[str, int | None]:
    for name, pattern in _OUTCOMES:
        found = pattern.search(message)
        if found and not (is_exec and name in ("refused", "reset", "tls", "unreachable", "grpc", "http-status")):
            return name, int(found.group(1)) if name == "http-status" else None
    return "exec" if is_exec else "other", None


def _ever_ready(view: View, pod: Json, container: str) -> bool:
    for change in view.snapshot.history_of(ref_of(pod)):
        for status in (change.load().get("status") or {}).get("containerStatuses") or []:
            if status.get("name") == container and status.get("ready"):
                return True
    return False
