"""Containers whose configuration, creation, start or start hook fails; one fact a container.

Sample: `state.waiting: CreateContainerConfigError: configmap "app-config" not found`; `lastState.terminated:
StartError 128: failed to create containerd task: ... unable to start container process: exec: "/app/server": stat
/app/server: no such file or directory: unknown`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

from k8sdiag.clock import parse_time
from k8sdiag.evidence import Json, event_message, event_time, ref_of
from k8sdiag.facts import Fact, event_container, event_proof, events_where, owner_word, pod_keys
from k8sdiag.finding import Proof
from k8sdiag.journal_words import newest
from k8sdiag.nearness import nearest
from k8sdiag.podstate import ContainerView, containers_of, is_quiet
from k8sdiag.references import lacks, names_in
from k8sdiag.relations import View

KIND = "start"
KEYS = ("container", "pod", "node", "workload", "namespace")
FIELDS = {
    "stage": "config, create, start or hook",
    "reason": "CreateContainerConfigError, CreateContainerError, RunContainerError, StartError, ContainerCannotRun ...",
    "message": "the whole error, on one line",
    "error": "its core: what follows 'unable to start container process: '",
    "executable": "the file it tried to run, where the error names it",
    "mount.over": "the volume mounted where that file is, or where the error says: volume a (configMap a) at /x",
    "hook": "the postStart hook: exec [...], httpGet ..., sleep ...",
    "via": "how the container names the ConfigMap or Secret the error is about: env PASSWORD, envFrom",
    "literals.shell": "the keys it names, as kubectl create takes them",
    "there": "the keys that object has, or the objects of that kind there are",
    "nearest": "of those, what looks like the name that is wrong",
    "container": "the container's name",
    "type": "init, sidecar, app or ephemeral",
    "what": "the type in words: container, init container, sidecar container or ephemeral container",
    "image": "spec.containers[].image",
    "command": "spec.containers[].command and args",
    "workingDir": "spec.containers[].workingDir",
    "runAsUser": "spec.containers[].securityContext.runAsUser, or the pod's",
    "runAsNonRoot": "who asks for it: the container's or the pod's securityContext",
    "readOnlyRoot": "spec.containers[].securityContext.readOnlyRootFilesystem",
    "requests.memory": "spec.containers[].resources.requests.memory",
    "limits.cpu": "spec.containers[].resources.limits.cpu",
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
    "PostStartHookRunning": "hook",
}
_WRAPPING = re.compile(
    r".*(?:unable to start container process: (?:error during container init: )?|container create failed: |"
    r"starting container process caused:? \"?|container init caused: )",
    re.DOTALL,
)
_ROOTFS = re.compile(r'to rootfs at "(?P<path>[^"]+)"|mount `[^`]+` to `(?P<ticked>[^`]+)`')
_NAMED = re.compile(
    r'(?:configmap|secret) "(?P<name>[^"]+)" not found|'
    r"couldn't find key (?P<key>\S+) in (?:ConfigMap|Secret) [^/\s]+/(?P<object>\S+)"
)
_QUOTED_LOG = re.compile(r'time="[^"]*" level=(?:error|fatal) msg="|level=(?:error|fatal) msg="')
_EXECUTABLE = re.compile(r'exec: "(?P<quoted>(?:[^"\\]|\\.)*)"|executable file `(?P<ticked>[^`]*)`')


def derive(view: View) -> Iterator[Fact]:
    for pod in view.of_kind("Pod"):
        if is_quiet(pod):
            continue
        for container in containers_of(pod):
            found = _failure(container) or _hook_failure(view, pod, container)
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


def _hook_failure(view: View, pod: Json, container: ContainerView) -> tuple[str, str, Json] | None:
    """A postStart hook that failed (the kubelet killed its container), or that has run for minutes and does not end."""
    state, last = container.status.get("state") or {}, container.status.get("lastState") or {}
    if not (container.spec.get("lifecycle") or {}).get("postStart") or container.status.get("ready"):
        return None
    events = [
        event
        for event in view.snapshot.events_of(ref_of(pod), pod["metadata"].get("uid") or "")
        if event_container(event) == container.name and event.get("reason") in ("FailedPostStartHook", "Started")
    ]
    ended = state.get("terminated") or last.get("terminated") or {}
    failed = [event for event in events if event["reason"] == "FailedPostStartHook"]
    if failed and ended and _about(event_time(failed[-1]), ended):
        return "PostStartHookError", event_message(failed[-1]), ended
    if not events and ended:
        words, line = _hook_words(view, pod, container)
        if line is not None and _about(line.time, ended):
            return "PostStartHookError", words, ended
    reason = (state.get("waiting") or {}).get("reason")
    began = parse_time(event_time(events[-1])) if events else None
    if reason in ("ContainerCreating", "PodInitializing") and began is not None and not failed:
        waited = int(view.snapshot.taken_at - began)
        if waited >= 60:
            return "PostStartHookRunning", f"the postStart hook has not ended after {waited} s", {}
    return None


def _hook_words(view: View, pod: Json, container: ContainerView) -> tuple[str, Proof | None]:
    """What the kubelet's journal says of a postStart hook that failed."""
    meta, node = pod["metadata"], (pod.get("spec") or {}).get("nodeName") or ""
    named = f'pod="{meta.get("namespace")}/{meta["name"]}"', f'containerName="{container.name}"'
    return newest(view.snapshot, node, '"Failed to execute PostStartHook"', *named)


def _about(when: str, ended: Json) -> bool:
    """Is a failure about the run that ended last? The kill that follows takes at most the grace period."""
    failed, finished = parse_time(when), parse_time(ended.get("finishedAt"))
    return failed is None or finished is None or failed - 120 <= finished <= failed + 900


def _fact(view: View, pod: Json, container: ContainerView, reason: str, message: str, ended: Json) -> Fact:
    events = events_where(
        view,
        ref_of(pod),
        pod["metadata"].get("uid") or "",
        lambda event: (
            event.get("reason") in ("Failed", "FailedPostStartHook") and event_container(event) == container.name
        ),
    )
    telling = [event for event in events if len(event_message(event).split()) > 2 or event["reason"] != "Failed"]
    if not message and telling:
        message = event_message(telling[0]).removeprefix("Error: ")
    flat = " ".join(message.split())
    error = _core(flat)
    named = _EXECUTABLE.search(error)
    executable = (named.group("quoted") or named.group("ticked") or "") if named else ""
    fields = _of_container(view, pod, container) | {
        "stage": _STAGES[reason],
        "reason": reason,
        "message": flat,
        "error": error,
        "executable": executable,
        "mount.over": _mount_over(pod, container.spec, executable or _target(error)),
        "restarts": container.status.get("restartCount") or 0,
        "exit.code": ended.get("exitCode"),
    }
    fields |= _reference(view, pod, container, flat)
    kind = "init container" if container.type in ("init", "sidecar") else "container"
    where = f"pod/{pod['metadata']['name']} {kind} {container.name}"
    proof = Proof("status", where, ended.get("finishedAt") or "", f"{reason}: {flat}")
    return Fact(KIND, ref_of(pod), fields, pod_keys(view, pod, container.name), (proof, *map(event_proof, telling[:1])))


def _reference(view: View, pod: Json, container: ContainerView, message: str) -> dict[str, Any]:
    """How the container names what the error says is missing, and what there is instead."""
    wanted = _NAMED.search(message)
    name = (wanted.group("object") or wanted.group("name")) if wanted else ""
    key = (wanted.group("key") or "") if wanted else ""
    via = [
        named.via
        for named in names_in(pod)
        if named.container == container.name and named.name == name and key in ("", named.key) and not named.optional
    ]
    keys = dict.fromkeys(item.key for item in names_in(pod) if name and item.name == name and item.key) or ("KEY",)
    found: dict[str, Any] = {"via": ", ".join(dict.fromkeys(via)), "there": (), "nearest": ()}
    found["literals.shell"] = shlex.join(f"--from-literal={item}=VALUE" for item in keys)
    for lack in lacks(view.snapshot, pod) if name else ():
        if lack.named.name == name and lack.named.container == container.name and key in ("", lack.named.key):
            near = nearest(key or name, lack.there, n=2, cutoff=0.5)
            return found | {"there": lack.there, "nearest": tuple(near)}
    return found


def _core(message: str) -> str:
    """The runtime's error without what wraps it; CRI-O passes on a line of runc's log with its quotes escaped."""
    text = _WRAPPING.sub("", message[:4096])  # runc's own are a tenth of that; a hostile one must not take for ever
    if '\\"' in text or _QUOTED_LOG.search(message):
        text = _QUOTED_LOG.sub("", text).replace('\\"', '"').removesuffix(": unknown").removesuffix('"')
    return text.removesuffix(": unknown")


def _of_container(view: View, pod: Json, container: ContainerView) -> dict[str, Any]:
    """What its spec says."""
    spec, pod_spec = container.spec, pod.get("spec") or {}
    resources, context = spec.get("resources") or {}, spec.get("securityContext") or {}
    shared = pod_spec.get("securityContext") or {}
    limits = resources.get("limits") or {}
    asks = "container" if context.get("runAsNonRoot") else "pod" if shared.get("runAsNonRoot") else ""
    return {
        "container": container.name,
        "type": container.type,
        "what": container.what,
        "image": spec.get("image") or "",
        "command": " ".join([*(spec.get("command") or []), *(spec.get("args") or [])]),
        "workingDir": spec.get("workingDir") or "",
        "runAsUser": context.get("runAsUser", shared.get("runAsUser")),
        "runAsNonRoot": asks,
        "readOnlyRoot": bool(context.get("readOnlyRootFilesystem")),
        "limits.memory": limits.get("memory") or "",
        "limits.cpu": limits.get("cpu") or "",
        "requests.memory": (resources.get("requests") or {}).get("memory") or "",
        "hook": hook_text((spec.get("lifecycle") or {}).get("postStart") or {}),
        "pod": pod["metadata"]["name"],
        "namespace": pod["metadata"].get("namespace") or "",
        "node": pod_spec.get("nodeName") or "",
        "owner": owner_word(view, pod),
    }


def hook_text(hook: Json) -> str:
    """A lifecycle hook in words: `exec [sh -c ...]`, `httpGet :8080/warm`, `sleep 5s`."""
    if hook.get("exec"):
        return f"exec [{' '.join(hook['exec'].get('command') or [])}]"
    if hook.get("httpGet"):
        get = hook["httpGet"]
        return f"httpGet {get.get('host') or ''}:{get.get('port')}{get.get('path') or ''}"
    if hook.get("sleep"):
        return f"sleep {hook['sleep'].get('seconds')}s"
    return ""


def _target(error: str) -> str:
    """The place in the container where a mount failed."""
    found = _ROOTFS.search(error)
    return found.group("path") or found.group("ticked") if found else ""


def _mount_over(pod: Json, container: Json, executable: str) -> str:
    """The volume mounted at or above a file of the container, deepest first."""
    volumes = {volume.get("name"): volume for volume in (pod.get("spec") or {}).get("volumes") or []}
    for mount in sorted(container.get("volumeMounts") or [], key=lambda item: -len(item.get("mountPath") or "")):
        path = (mount.get("mountPath") or "").rstrip("/")
        if path and (executable == path or executable.startswith(f"{path}/")):
            volume = volumes.get(mount.get("name")) or {}
            kind = next((key for key in volume if key != "name"), "")
            source = volume.get(kind) or {}
            target = (
                source.get("name") or source.get("secretName") or source.get("claimName") or source.get("path") or ""
            )
            part = f", subPath {mount['subPath']}" if mount.get("subPath") else ""
            return f"volume {mount.get('name')} ({f'{kind} {target}'.strip()}{part}) at {mount.get('mountPath')}"
    return ""
