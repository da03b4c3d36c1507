"""Containers whose configuration, creation, start or start hook fails; one fact a container.

Sample: `state.waiting: CreateContainerConfigError: configmap "app-config" not found`; `lastState.terminated:
StartError 128: failed to create containerd task: ... unable to start container process: exec: "/app/server": stat
/app/server: no such file or directory: unknown`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from k8sdiag.evidence import Json, event_message, ref_of
from k8sdiag.facts import Fact, event_container, event_proof, events_where, owner_word, pod_keys
from k8sdiag.finding import Proof
from k8sdiag.podstate import ContainerView, containers_of, is_quiet
from k8sdiag.relations import View

KIND = "start"
KEYS = ("container", "pod", "node", "workload", "namespace")
FIELDS = {
    "stage": "config, create, start or hook",
    "reason": "CreateContainerConfigError, CreateContainerError, RunContainerError, StartError, ContainerCannotRun ...",
    "message": "the whole error, on one line",
    "error": "its core: what follows 'unable to start container process: '",
    "container": "the container's name",
    "type": "init, sidecar, app or ephemeral",
    "image": "spec.containers[].image",
    "command": "spec.containers[].command and args",
    "workingDir": "spec.containers[].workingDir",
    "limits.memory": "spec.containers[].resources.limits.memory",
    "restarts": "status.containerStatuses[].restartCount",
    "exit.code": "exit code the runtime made up (126, 127, 128)",
    "pod": "metadata.name",
    "namespace": "metadata.namespace",
    "node": "spec.nodeName",
    "owner": "what to change: deployment/web, or pod/web",
}
_STAGES = {
    "CreateContainerConfigError": "config",
    "CreateContainerError": "create",
    "RROUnsupported": "create",
    "RunContainerError": "start",
    "StartError": "start",
    "ContainerCannotRun": "start",
    "PostStartHookError": "hook",
    "PreCreateHookError": "create",
    "PreStartHookError": "start",
}
_WRAPPING = re.compile(
    r".*(?:unable to start container process: (?:error during container init: )?|container create failed: |"
    r"starting container process caused: )",
    re.DOTALL,
)


def derive(view: View) -> Iterator[Fact]:
    for pod in view.of_kind("Pod"):
        if is_quiet(pod):
            continue
        for container in containers_of(pod):
            found = _failure(container)
            if found:
                yield _fact(view, pod, container, *found)


def _failure(container: ContainerView) -> tuple[str, str, Json] | None:
    """(reason, message, termination): from the waiting state, else from the run that could not be started."""
    state, last = container.status.get("state") or {}, container.status.get("lastState") or {}
    waiting = state.get("waiting") or {}
    ended = state.get("terminated") or last.get("terminated") or {}
    if waiting.get("reason") in _STAGES:
        message = waiting.get("message") or ended.get("message") or ""
        return waiting["reason"], message, ended
    if "running" in state or ended.get("reason") not in _STAGES:
        return None
    return ended["reason"], ended.get("message") or "", ended


def _fact(view: View, pod: Json, container: ContainerView, reason: str, message: str, ended: Json) -> Fact:
    stage = _STAGES[reason]
    events = events_where(
        view,
        ref_of(pod),
        pod["metadata"].get("uid") or "",
        lambda event: event.get("reason") in ("Failed", "FailedPostStartHook") and event_container(event) == container.name,
    )
    telling = [event for event in events if len(event_message(event).split()) > 2]
    if not message and telling:
        message = event_message(telling[0]).removeprefix("Error: ")
    flat = " ".join(message.split())
    spec = container.spec
    fields = {
        "stage": stage,
        "reason": reason,
        "message": flat,
        "error": _WRAPPING.sub("", flat).removesuffix(": unknown"),
        "container": container.name,
        "type": container.type,
        "image": spec.get("image") or "",
        "command": " ".join([*(spec.get("command") or []), *(spec.get("args") or [])]),
        "workingDir": spec.get("workingDir") or "",
        "limits.memory": ((spec.get("resources") or {}).get("limits") or {}).get("memory") or "",
        "restarts": container.status.get("restartCount") or 0,
        "exit.code": ended.get("exitCode"),
        "pod": pod["metadata"]["name"],
        "namespace": pod["metadata"].get("namespace") or "",
        "node": (pod.get("spec") or {}).get("nodeName") or "",
        "owner": owner_word(view, pod),
    }
    kind = "init container" if container.type in ("init", "sidecar") else "container"
    where = f"pod/{pod['metadata']['name']} {kind} {container.name}"
    proof = Proof("status", where, ended.get("finishedAt") or "", f"{reason}: {flat}")
    return Fact(KIND, ref_of(pod), fields, pod_keys(view, pod, container.name), (proof, *map(event_proof, telling[:1])))
