"""Pod sandboxes and their network: why a bound pod has no place to start its containers in.

Sample: `FailedCreatePodSandBox: Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network
for sandbox "4c2...": plugin type="flannel" failed (add): ... open /run/flannel/subnet.env: no such file or directory`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from k8sdiag.evidence import event_count, event_message, event_time, ref_of
from k8sdiag.facts import Fact, event_proof, events_where, owner_word, pod_keys
from k8sdiag.podstate import conditions_of, containers_of, is_finished, is_quiet
from k8sdiag.relations import View

KIND = "sandbox"
KEYS = ("pod", "node", "workload", "namespace")
FIELDS = {
    "reason": "the event's reason: FailedCreatePodSandBox, NetworkNotReady, FailedPodSandBoxStatus ...",
    "message": "the error, without 'Failed to create pod sandbox: '",
    "plugin": 'the network plugin the error names (plugin type="flannel")',
    "count": "how often",
    "first": "when it was first seen",
    "pod": "metadata.name",
    "namespace": "metadata.namespace",
    "node": "spec.nodeName",
    "owner": "what to change: deployment/web, or pod/web",
    "runtimeClass": "spec.runtimeClassName",
}
REASONS = frozenset(
    "FailedCreatePodSandBox NetworkNotReady FailedPodSandBoxStatus FailedCreatePodContainer FailedSync"
    " FailedPrepareDynamicResources".split()
)
_PLUGIN = re.compile(r'plugin (?:type=)?"([^"]+)"')


def derive(view: View) -> Iterator[Fact]:
    for pod in view.of_kind("Pod"):
        if is_quiet(pod) or is_finished(pod) or _has_sandbox(pod):
            continue
        events = events_where(
            view, ref_of(pod), pod["metadata"].get("uid") or "", lambda event: event.get("reason") in REASONS
        )
        for event in events[:1]:
            message = event_message(event).removeprefix("Failed to create pod sandbox: ")
            plugin = _PLUGIN.search(message)
            fields = {
                "reason": event["reason"],
                "message": " ".join(message.split()),
                "plugin": plugin.group(1) if plugin else "",
                "count": event_count(event),
                "first": event_time(events[-1]),
                "pod": pod["metadata"]["name"],
                "namespace": pod["metadata"].get("namespace") or "",
                "node": (pod.get("spec") or {}).get("nodeName") or "",
                "owner": owner_word(view, pod),
                "runtimeClass": (pod.get("spec") or {}).get("runtimeClassName") or "",
            }
            yield Fact(KIND, ref_of(pod), fields, pod_keys(view, pod), tuple(event_proof(e) for e in events[:2]))


def _has_sandbox(pod: dict[str, object]) -> bool:
    """Does any container run or wait for something that comes after the sandbox?"""
    if (conditions_of(pod).get("PodReadyToStartContainers") or {}).get("status") == "True":
        return True
    return any("running" in (container.status.get("state") or {}) for container in containers_of(pod))
