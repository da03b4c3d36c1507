"""What is wrong behind a Service that someone waits for: no pod matches its selector, or what its first pod does."""

from __future__ import annotations

from collections.abc import Mapping

from k8sdiag.endings import ended_of, signal_name
from k8sdiag.evidence import Json, Snapshot, event_message, ref_of
from k8sdiag.lastwords import log_of, tail_lines, telling_line
from k8sdiag.nearness import nearest
from k8sdiag.podstate import conditions_of, containers_of, is_finished, is_ready, status_word
from k8sdiag.selectors import format_labels, matches_labels

MAX_TEXT = 200


def pods_behind(snapshot: Snapshot, service: Json) -> list[Json]:
    """The pods a Service selects that have not ended."""
    selector = (service.get("spec") or {}).get("selector")
    space = service["metadata"].get("namespace") or ""
    pods = [pod for pod in snapshot.of_kind("Pod", space) if not is_finished(pod)]
    return [pod for pod in pods if selector and matches_labels(selector, (pod.get("metadata") or {}).get("labels"))]


def service_fault(snapshot: Snapshot, service: Json) -> str:
    """Why no pod answers behind a Service; '' where one is ready."""
    selector = (service.get("spec") or {}).get("selector")
    if not selector:
        return ""
    pods = pods_behind(snapshot, service)
    if any(is_ready(pod) for pod in pods):
        return ""
    if pods:
        return pod_fault(snapshot, pods[0])
    said = f"no pod matches its selector {format_labels(selector)}"
    near = _near(snapshot, service, selector)
    return f"{said}; {near}" if near else said


def _near(snapshot: Snapshot, service: Json, selector: Mapping[str, str]) -> str:
    """A pod that is likely meant: its labels have the selector's keys, and one value of another spelling."""
    meta = service["metadata"]
    for pod in snapshot.of_kind("Pod", meta.get("namespace") or ""):
        labels = (pod.get("metadata") or {}).get("labels") or {}
        other = {key: labels[key] for key in selector if key in labels and labels[key] != selector[key]}
        name = pod["metadata"]["name"]
        alike = name == meta["name"] or name.startswith(f"{meta['name']}-")
        alike = alike or any(nearest(value, [selector[key]], cutoff=0.75) for key, value in other.items())
        if alike and len(other) == 1 and set(selector) <= set(labels):
            return f"pod {name} has {format_labels(other)}"
        if alike and name.startswith(meta["name"]):
            return f"pod {name} has the labels {format_labels(labels) or 'none'}"
    return ""


def pod_fault(snapshot: Snapshot, pod: Json) -> str:
    """A pod's status and its first trouble: `pod db-0 is CrashLoopBackOff: container db ended with exit code 1`."""
    head = f"pod {pod['metadata']['name']} is {status_word(pod)}"
    scheduled = conditions_of(pod).get("PodScheduled") or {}
    if scheduled.get("status") == "False" and scheduled.get("message"):
        return f"{head}: {_short(scheduled['message'])}"
    ref = ref_of(pod)
    for container in containers_of(pod):
        state, ended = container.status.get("state") or {}, ended_of(container.status)
        waiting = state.get("waiting") or {}
        if ended and ended.get("exitCode") != 0 and "running" not in state:
            log = log_of(snapshot, ref.namespace, ref.name, container)
            words = telling_line([line for _, line in tail_lines(log.text)]) if log else str(ended.get("message") or "")
            code = f"exit code {ended.get('exitCode')}"
            reason = ended.get("reason") or ""
            named = reason if reason not in ("Error", "") else signal_name(ended.get("exitCode"))
            end = f"{container.what} {container.name} ended with {code}{f' ({named})' if named else ''}"
            return f"{head}: {end}" + (f": {_short(words)}" if words else "")
        if waiting.get("message") and waiting.get("reason") not in ("ContainerCreating", "PodInitializing"):
            return f"{head}: {container.what} {container.name}: {_short(waiting['message'])}"
    events = list(snapshot.events_of(ref, pod["metadata"].get("uid") or ""))
    said = next((event_message(event) for event in reversed(events) if event.get("type") == "Warning"), "")
    return f"{head}, not ready" + (f": {_short(said)}" if said else "")


def _short(text: str) -> str:
    text = " ".join(str(text).split())
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"
