"""Pods that are ready and not ready by turns, told by the recorded changes or by how failures lie in time.

Sample: condition Ready went False four times within three minutes, while no container was restarted.
"""

from __future__ import annotations

from collections.abc import Iterator

from k8sdiag.clock import parse_time
from k8sdiag.evidence import Json, event_count, event_first_time, event_message, event_time, ref_of
from k8sdiag.facts import Fact, event_container, event_proof, events_where, owner_word, pod_keys
from k8sdiag.podstate import conditions_of, containers_of, is_finished, is_ready, probe_text
from k8sdiag.relations import View

KIND = "flapping"
KEYS = ("container", "pod", "node", "workload", "namespace")
FIELDS = {
    "container": "the container whose readiness probe fails now and then",
    "times": "how often condition Ready went from True to False, as far as was recorded",
    "ready": "condition Ready is True at the moment",
    "count": "readiness failures, as events count them",
    "message": "what the kubelet said last",
    "settings": "the probe in the words of kubectl describe",
    "pod": "metadata.name",
    "namespace": "metadata.namespace",
    "owner": "what to change: deployment/web, or pod/web",
}


def derive(view: View) -> Iterator[Fact]:
    for pod in view.of_kind("Pod"):
        if is_finished(pod) or pod["metadata"].get("deletionTimestamp"):
            continue
        uid = pod["metadata"].get("uid") or ""
        events = events_where(view, ref_of(pod), uid, _is_readiness_failure)
        for container in containers_of(pod) if events else ():
            about = [event for event in events if event_container(event) in (container.name, "")]
            probe, restarts = container.spec.get("readinessProbe"), container.status.get("restartCount")
            if not about or not probe or restarts or "running" not in (container.status.get("state") or {}):
                continue
            times = _falls(view, pod)
            if times >= 2 or (times == 0 and _fails_while_ready(view, pod, container.status, about)):
                yield Fact(
                    KIND,
                    ref_of(pod),
                    {
                        "container": container.name,
                        "times": times or None,
                        "ready": is_ready(pod),
                        "count": sum(map(event_count, about)),
                        "message": event_message(about[0]).partition("probe failed: ")[2],
                        "settings": probe_text(probe),
                        "pod": pod["metadata"]["name"],
                        "namespace": pod["metadata"].get("namespace") or "",
                        "owner": owner_word(view, pod),
                    },
                    pod_keys(view, pod, container.name),
                    tuple(map(event_proof, about[:2])),
                )


def _is_readiness_failure(event: Json) -> bool:
    return event.get("reason") == "Unhealthy" and "Readiness probe failed" in event_message(event)


def _falls(view: View, pod: Json) -> int:
    """How often the pod went from ready to not ready in the recorded changes."""
    uid, was, falls = pod["metadata"].get("uid"), False, 0
    for change in view.snapshot.history_of(ref_of(pod)):
        state = change.load()
        if (state.get("metadata") or {}).get("uid") == uid:
            now = is_ready(state)
            falls += was and not now
            was = now
    return falls


def _fails_while_ready(view: View, pod: Json, status: Json, events: list[Json]) -> bool:
    """Without changes on record: ready now, failed within two minutes, often, and first long after the start."""
    started = parse_time(((status.get("state") or {}).get("running") or {}).get("startedAt"))
    first = min(filter(None, (parse_time(event_first_time(event)) for event in events)), default=None)
    last = max(filter(None, (parse_time(event_time(event)) for event in events)), default=None)
    turned = parse_time((conditions_of(pod).get("Ready") or {}).get("lastTransitionTime"))
    if started is None or first is None or last is None or turned is None or not is_ready(pod):
        return False
    often, recent = sum(map(event_count, events)) >= 6, view.snapshot.taken_at - last < 120
    return often and recent and first - started > 300 and turned > first
