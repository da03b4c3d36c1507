"""Probes that fail now, one fact a container and probe.

Sample: `Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 500`. Failures before a container became
ready yield nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from k8sdiag.clock import parse_time
from k8sdiag.evidence import Json, event_count, event_message, event_time, ref_of
from k8sdiag.facts import Fact, event_container, event_proof, events_where, owner_word, pod_keys
from k8sdiag.finding import Proof
from k8sdiag.podstate import ContainerView, containers_of, is_finished, is_quiet, probe_budget, probe_text
from k8sdiag.relations import View

KIND = "probe"
KEYS = ("container", "pod", "node", "workload", "namespace")
FIELDS = {
    "probe": "readiness, liveness or startup",
    "message": "what the kubelet said after 'probe failed: '",
    "outcome": "http-status, refused, timeout, exec, exec-missing, grpc, port-name, reset, unreachable, tls or other",
    "status": "HTTP status code",
    "errored": "the probe could not be carried out, which counts for no threshold",
    "count": "failures, as events count them",
    "settings": "the probe in the words of kubectl describe",
    "handler": "http, tcp, exec or grpc",
    "port": "the port it asks",
    "path": "the path it asks, or the command it runs",
    "timeout": "timeoutSeconds",
    "period": "periodSeconds",
    "threshold": "failureThreshold",
    "delay": "initialDelaySeconds",
    "seconds": "delay + period x threshold: how long a start may take",
    "hasStartup": "the container has a startup probe",
    "hasPorts": "ports the container declares",
    "ran": "seconds the last run lasted",
    "restarts": "status.containerStatuses[].restartCount",
    "everReady": "the container was ready at some moment that was recorded",
    "container": "the container's name",
    "type": "init, sidecar or app",
    "pod": "metadata.name",
    "namespace": "metadata.namespace",
    "owner": "what to change: deployment/web, or pod/web",
}
_SAYS = re.compile(r"^(Readiness|Liveness|Startup) probe (failed|errored)[^:]*: ?(.*)", re.DOTALL)
_OUTCOMES = (
    ("http-status", re.compile(r"HTTP probe failed with statuscode: (\d+)")),
    ("port-name", re.compile(r"strconv\.Atoi|couldn't find port|invalid port number")),
    ("exec-missing", re.compile(r"executable file not found|no such file or directory.*exec|exec failed: .*unable to start")),
    ("grpc", re.compile(r"grpc|service unhealthy|health rpc|failed to connect service", re.IGNORECASE)),
    ("refused", re.compile(r"connection refused")),
    ("reset", re.compile(r"connection reset by peer|EOF$|malformed HTTP response")),
    ("tls", re.compile(r"tls:|x509:|HTTP response to HTTPS client|HTTPS server")),
    ("timeout", re.compile(r"timeout|timed out|deadline exceeded|request canceled", re.IGNORECASE)),
    ("unreachable", re.compile(r"no route to host|network is unreachable|no such host")),
)


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
    if status.get("restartCount"):
        return True
    last = parse_time(event_time(newest))
    return last is not None and view.snapshot.taken_at - last < 120


def _fields(view: View, pod: Json, container: ContainerView, probe: str, events: list[Json]) -> dict[str, Any]:
    said = _SAYS.match(event_message(events[0]))
    message = said.group(3).strip() if said else ""
    settings = container.spec.get(f"{probe}Probe") or {}
    outcome, status_code = _outcome(message, "exec" in settings)
    handler = next((k for k in ("httpGet", "tcpSocket", "exec", "grpc") if k in settings), "")
    detail = settings.get(handler) or {}
    ended = ((container.status.get("lastState") or {}).get("terminated")) or {}
    started, finished = parse_time(ended.get("startedAt")), parse_time(ended.get("finishedAt"))
    return {
        "probe": probe,
        "message": " ".join(message.split()),
        "outcome": outcome,
        "status": status_code,
        "errored": bool(said) and said is not None and said.group(2) == "errored",
        "count": sum(event_count(event) for event in events),
        "settings": probe_text(settings),
        "handler": {"httpGet": "http", "tcpSocket": "tcp", "exec": "exec", "grpc": "grpc"}.get(handler, ""),
        "port": str(detail.get("port") or ""),
        "path": str(detail.get("path") or " ".join(detail.get("command") or [])),
        "timeout": settings.get("timeoutSeconds") or 1,
        "period": settings.get("periodSeconds") or 10,
        "threshold": settings.get("failureThreshold") or 3,
        "delay": settings.get("initialDelaySeconds") or 0,
        "seconds": probe_budget(settings),
        "hasStartup": bool(container.spec.get("startupProbe")),
        "hasPorts": tuple(str(port.get("containerPort")) for port in container.spec.get("ports") or []),
        "ran": int(finished - started) if started and finished else None,
        "restarts": container.status.get("restartCount") or 0,
        "everReady": _ever_ready(view, pod, container.name),
        "container": container.name,
        "type": container.type,
        "pod": pod["metadata"]["name"],
        "namespace": pod["metadata"].get("namespace") or "",
        "owner": owner_word(view, pod),
    }


def _outcome(message: str, is_exec: bool) -> tuple[str, int | None]:
    for name, pattern in _OUTCOMES:
        found = pattern.search(message)
        if found and not (is_exec and name in ("refused", "reset", "tls", "unreachable", "grpc")):
            return name, int(found.group(1)) if name == "http-status" else None
    return "exec" if is_exec else "other", None


def _ever_ready(view: View, pod: Json, container: str) -> bool:
    for change in view.snapshot.history_of(ref_of(pod)):
        for status in (change.load().get("status") or {}).get("containerStatuses") or []:
            if status.get("name") == container and status.get("ready"):
                return True
    return False
