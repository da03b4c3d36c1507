"""Containers: state, last termination, restarts, limits, probes, and who killed them.

Sample: `state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 137, reason: OOMKilled}},
restartCount: 5`. Quiet pods (ready, never restarted) yield nothing.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from k8sdiag.clock import parse_time
from k8sdiag.endings import (
    ended_of,
    is_crashing,
    is_recurring,
    killed_for_memory,
    killer_of,
    kills_of,
    ran_of,
    signal_name,
)
from k8sdiag.evidence import Json, ref_of
from k8sdiag.facts import Fact, event_proof, goal_of, owner_word, pod_keys
from k8sdiag.finding import Proof
from k8sdiag.podstate import ContainerView, containers_of, is_quiet, probe_budget, probe_text
from k8sdiag.references import PUBLISHED, names_in, split_image
from k8sdiag.relations import View

KIND = "container"
KEYS = ("container", "pod", "node", "workload", "claim", "namespace")
FIELDS = {
    "name": "the container's name",
    "pod": "metadata.name",
    "namespace": "metadata.namespace",
    "node": "spec.nodeName",
    "owner": "what to change: deployment/web, or pod/web",
    "type": "init, sidecar, app or ephemeral",
    "what": "the type in words: container, init container, sidecar container or ephemeral container",
    "image": "spec.containers[].image",
    "image.registry": "host of spec.containers[].image",
    "image.repository": "path of spec.containers[].image",
    "image.tag": "tag or digest of spec.containers[].image",
    "pullPolicy": "spec.containers[].imagePullPolicy",
    "state": "waiting, running, terminated, or none where the kubelet has not reported",
    "reason": "status.containerStatuses[].state.*.reason",
    "message": "status.containerStatuses[].state.*.message",
    "ready": "status.containerStatuses[].ready",
    "started": "status.containerStatuses[].started",
    "running.seconds": "age of status.containerStatuses[].state.running.startedAt",
    "restarts": "status.containerStatuses[].restartCount",
    "crashing": "ends again and again: CrashLoopBackOff, down now, failed for good, or running again since just now",
    "recurring": "runs well now, but has failed three times or more and not yet run longer than usual",
    "backoff": "the back-off in state.waiting.message (2m40s)",
    "exit.code": "exit code of the last termination (state or lastState)",
    "exit.reason": "reason of the last termination",
    "exit.message": "message of the last termination",
    "exit.signal": "name of the signal that ended it, by exit code (SIGKILL)",
    "exit.ran": "seconds from start to the last termination",
    "exit.started": "when the run that ended last started",
    "exit.finished": "when it last ended",
    "exit.never": "it never ran: the runtime could not start it",
    "exit.own": "the process ended by its own doing: an error code or signal, and nobody killed it",
    "oom": "the last termination was an OOM kill, as its reason or the node's kernel says",
    "oom.kernel": "what the node's kernel says it lacked when it killed a process of this container: limit, node or ''",
    "oom.line": "the kernel's line",
    "killedBy": "liveness, startup, postStart, stop or '' (from the kubelet's Killing events)",
    "killedBy.inferred": "no event says so; uptime and probe settings do",
    "limits.memory": "spec.containers[].resources.limits.memory",
    "limits.cpu": "spec.containers[].resources.limits.cpu",
    "limits.ephemeral": "spec.containers[].resources.limits.ephemeral-storage",
    "requests.memory": "spec.containers[].resources.requests.memory",
    "requests.cpu": "spec.containers[].resources.requests.cpu",
    "liveness": "spec.containers[].livenessProbe",
    "liveness.seconds": "longest the liveness probe waits for a start: delay + period x failureThreshold",
    "readiness": "spec.containers[].readinessProbe",
    "startup": "spec.containers[].startupProbe",
    "startup.seconds": "longest the startup probe waits for a start",
    "command": "spec.containers[].command and args",
    "workingDir": "spec.containers[].workingDir",
    "readOnlyRoot": "spec.containers[].securityContext.readOnlyRootFilesystem",
    "runAsUser": "spec.containers[].securityContext.runAsUser, or the pod's",
    "runAsNonRoot": "spec.containers[].securityContext.runAsNonRoot, or the pod's",
    "ports": "spec.containers[].ports",
    "hostNetwork": "spec.hostNetwork",
    "restartPolicy": "spec.restartPolicy",
    "podPhase": "status.phase",
    "podReason": "status.reason",
    "grace": "spec.terminationGracePeriodSeconds",
    "limits.pod": "spec.resources.limits.memory",
    "hasStartup": "the container has a startup probe",
    "deleting": "the pod is being deleted",
    "others.running": "another app container of the pod runs",
    "previousFlag.shell": "--previous where the log to read is that of the run before this one",
    "configMaps.shell": "the ConfigMaps the pod names, quoted for a shell",
    "goal": "what kubectl get shows when it is mended: Running, or for a Job COMPLETIONS is full",
}


def derive(view: View) -> Iterator[Fact]:
    for pod in view.of_kind("Pod"):
        if is_quiet(pod):
            continue
        kills = kills_of(view.snapshot.events_of(ref_of(pod), pod["metadata"].get("uid") or ""))
        views = list(containers_of(pod))
        for container in views:
            yield _fact(view, pod, container, views, kills)


def _fact(view: View, pod: Json, container: ContainerView, views: list[ContainerView], kills: dict[str, Json]) -> Fact:
    spec, status, meta = pod.get("spec") or {}, pod.get("status") or {}, pod["metadata"]
    created = parse_time(meta.get("creationTimestamp"))
    fields = _state(container, spec, view.snapshot.taken_at)
    age = view.snapshot.taken_at - created if created else None
    fields["recurring"] = not fields["crashing"] and is_recurring(container, age, view.snapshot.taken_at)
    ended = ended_of(container.status)
    killer = killer_of(container, kills.get(container.name))
    fields |= _exit(ended) | _spec(container.spec, spec)
    fields |= {
        "killedBy": killer.name,
        "killedBy.inferred": killer.inferred,
        "pod": meta["name"],
        "namespace": meta.get("namespace") or "",
        "node": spec.get("nodeName") or "",
        "owner": owner_word(view, pod),
        "goal": goal_of(view, pod),
        "configMaps.shell": shlex.join(
            sorted({item.name for item in names_in(pod) if item.kind == "ConfigMap"} - PUBLISHED)
        ),
        "podPhase": status.get("phase") or "",
        "podReason": status.get("reason") or "",
        "grace": spec.get("terminationGracePeriodSeconds"),
        "limits.pod": ((spec.get("resources") or {}).get("limits") or {}).get("memory") or "",
        "deleting": bool(meta.get("deletionTimestamp")),
        "others.running": any(
            other.name != container.name and "running" in (other.status.get("state") or {})
            for other in views
            if other.type == "app"
        ),
    }
    lacked, line = killed_for_memory(view.snapshot, spec.get("nodeName") or "", ended)
    fields |= {"oom.kernel": lacked, "oom.line": line, "oom": fields["oom"] or lacked == "limit"}
    fields["exit.own"] = _own(fields)
    proof = [_status_proof(pod, container)]
    if killer.name and not killer.inferred:
        proof.append(event_proof(kills[container.name]))
    return Fact(KIND, ref_of(pod), fields, pod_keys(view, pod, container.name), tuple(proof))


def _own(fields: dict[str, Any]) -> bool:
    """Did the process end by itself? Not by a probe, a hook, a stop, the kernel, an eviction or a deadline."""
    killed = fields["killedBy"] or fields["podReason"] or fields["deleting"] or fields["exit.code"] in (0, 137, 143)
    return fields["exit.code"] is not None and fields["exit.reason"] in ("Error", "") and not killed


def _state(container: ContainerView, spec: Json, taken_at: float) -> dict[str, Any]:
    status = container.status
    state = status.get("state") or {}
    word = next((name for name in ("waiting", "running", "terminated") if name in state), "none")
    detail = state.get(word) or {}
    restarts = status.get("restartCount") or 0
    reason = detail.get("reason") or ""
    message = detail.get("message") or ""
    started_at = parse_time(detail.get("startedAt")) if word == "running" else None
    return {
        "name": container.name,
        "type": container.type,
        "what": container.what,
        "state": word,
        "reason": reason,
        "message": message,
        "ready": bool(status.get("ready")),
        "started": bool(status.get("started")),
        "running.seconds": None if started_at is None else max(0, int(taken_at - started_at)),
        "restarts": restarts,
        "backoff": message.split()[1] if message.startswith("back-off ") else "",
        "crashing": is_crashing(container, spec.get("restartPolicy") or "Always", taken_at),
        "restartPolicy": spec.get("restartPolicy") or "Always",
        "previousFlag.shell": "--previous" if word != "terminated" and restarts and status.get("lastState") else "",
    }


def _exit(ended: Json) -> dict[str, Any]:
    code = ended.get("exitCode")
    started = parse_time(ended.get("startedAt"))
    reason = ended.get("reason") or ""
    never = reason in ("StartError", "ContainerCannotRun") or (bool(ended) and not (started or 0) > 0 and code == 128)
    return {
        "exit.code": code,
        "exit.reason": reason,
        "exit.message": ended.get("message") or "",
        "exit.signal": signal_name(code),
        "exit.ran": ran_of(ended),
        "exit.started": ended.get("startedAt") or "" if (started or 0) > 0 else "",
        "exit.finished": ended.get("finishedAt") or "",
        "exit.never": never,
        "oom": reason == "OOMKilled",
    }


def _spec(container: Json, pod_spec: Json) -> dict[str, Any]:
    limits = (container.get("resources") or {}).get("limits") or {}
    requests = (container.get("resources") or {}).get("requests") or {}
    context, pod_context = container.get("securityContext") or {}, pod_spec.get("securityContext") or {}
    image = split_image(container.get("image") or "")
    command = [*(container.get("command") or []), *(container.get("args") or [])]
    ports = [
        f"{port.get('name') + ':' if port.get('name') else ''}{port.get('containerPort')}"
        for port in container.get("ports") or []
    ]
    return {
        "image": container.get("image") or "",
        "image.registry": image.registry,
        "image.repository": image.repository,
        "image.tag": image.tag,
        "pullPolicy": container.get("imagePullPolicy") or "",
        "limits.memory": limits.get("memory") or "",
        "limits.cpu": limits.get("cpu") or "",
        "limits.ephemeral": limits.get("ephemeral-storage") or "",
        "requests.memory": requests.get("memory") or "",
        "requests.cpu": requests.get("cpu") or "",
        "liveness": probe_text(container.get("livenessProbe")),
        "liveness.seconds": probe_budget(container.get("livenessProbe")),
        "readiness": probe_text(container.get("readinessProbe")),
        "startup": probe_text(container.get("startupProbe")),
        "startup.seconds": probe_budget(container.get("startupProbe")),
        "hasStartup": bool(container.get("startupProbe")),
        "command": " ".join(command),
        "workingDir": container.get("workingDir") or "",
        "readOnlyRoot": bool(context.get("readOnlyRootFilesystem")),
        "runAsUser": context.get("runAsUser", pod_context.get("runAsUser")),
        "runAsNonRoot": bool(context.get("runAsNonRoot", pod_context.get("runAsNonRoot"))),
        "ports": tuple(ports),
        "hostNetwork": bool(pod_spec.get("hostNetwork")),
    }


def _status_proof(pod: Json, container: ContainerView) -> Proof:
    status = container.status
    parts, time = [], ""
    for part in ("state", "lastState"):
        for word, said in (status.get(part) or {}).items():
            detail = said or {}
            told = [key for key in ("reason", "exitCode", "signal") if detail.get(key) not in (None, "")]
            shown = [f"{key}={detail[key]}" for key in told]
            parts.append(f"{part}: {word} {' '.join(shown)}".rstrip())
            time = time or detail.get("finishedAt") or detail.get("startedAt") or ""
            if detail.get("message"):
                parts.append(f"{part}.{word}.message: {detail['message'].strip()}")
    parts.append(f"restartCount: {status.get('restartCount') or 0}")
    kind = "init container" if container.type in ("init", "sidecar") else "container"
    return Proof("status", f"pod/{pod['metadata']['name']} {kind} {container.name}", time, "; ".join(parts))
