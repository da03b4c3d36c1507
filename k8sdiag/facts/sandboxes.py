"""Pod sandboxes and their network: why a bound pod has no place to start its containers in.

Sample: `FailedCreatePodSandBox: Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network
for sandbox "4c2...": plugin type="flannel" failed (add): ... open /run/flannel/subnet.env: no such file or directory`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from k8sdiag.clock import parse_time
from k8sdiag.evidence import Json, event_count, event_first_time, event_message, event_time, ref_of
from k8sdiag.facts import Fact, event_proof, events_where, owner_word, pod_keys
from k8sdiag.finding import Proof
from k8sdiag.journal_words import journal_error
from k8sdiag.patterns import regex
from k8sdiag.podstate import conditions_of, containers_of, is_finished, is_quiet
from k8sdiag.pull_errors import MAX_MESSAGE, taken_apart
from k8sdiag.relations import View

KIND = "sandbox"
KEYS = ("pod", "node", "workload", "namespace")
FIELDS = {
    "reason": "the event's reason: FailedCreatePodSandBox, NetworkNotReady, FailedPodSandBoxStatus ...",
    "message": "the error, without 'Failed to create pod sandbox: '",
    "error": "its core: what follows 'plugin ... failed (add): ', 'rpc error: ...' and the like",
    "stage": "image (of the sandbox), network, create, or '' where the message does not tell",
    "plugin": 'the network plugin the error names (plugin type="flannel")',
    "problem": "of an image the sandbox lacks: what kind of failure its pull is (as in pull.problem)",
    "host": "the host that was asked for that image",
    "server": "the address that was dialled, IP:port",
    "dns": "the DNS server that was asked, IP:port",
    "count": "how often",
    "first": "when it was first seen",
    "seconds": "seconds since it was first seen",
    "pod": "metadata.name",
    "namespace": "metadata.namespace",
    "node": "spec.nodeName",
    "runtime": "status.nodeInfo.containerRuntimeVersion of the node",
    "podCIDR": "spec.podCIDR of the node",
    "owner": "what to change: deployment/web, or pod/web",
    "runtimeClass": "spec.runtimeClassName",
    "handler": "handler of that RuntimeClass",
    "sysctls": "spec.securityContext.sysctls as name=value",
    "limits.memory": "the containers' resources.limits.memory",
    "hostname": "spec.hostname and spec.subdomain, or the pod's name",
}
REASONS = frozenset(
    "FailedCreatePodSandBox NetworkNotReady FailedPodSandBoxStatus FailedCreatePodContainer FailedSync"
    " FailedPrepareDynamicResources".split()
)
_AFTER = frozenset("Pulling Pulled Created Started BackOff Failed".split())
_PLUGIN = regex(r'plugin (?:type=)?"([^"]+)"|networkPlugin (\S+) failed|CNI network "([^"]+)"')
_WRAPPING = regex(
    r"rpc error: code = \w+ desc = |network is not ready: |container runtime network not ready: "
    r"|failed to (?:setup|set up) (?:network for )?(?:sandbox|pod) \S+(?: network)?: "
    r"|failed to set up sandbox container \S+ network for pod \S+: "
    r"|networkPlugin \S+ failed to set up pod \S+ network: |error adding pod \S+ to CNI network \S+: "
    r"|plugin (?:type=)?\"[^\"]+\"(?: name=\"[^\"]+\")? failed \(add\): "
    r"|failed to create pod (?:network )?sandbox(?: \S+)?: "
    r"|failed to start sandbox (?:container task|container|task)?(?: for pod)?(?: \"[^\"]*\")?: "
    r"|failed to create (?:containerd|shim) task: |Error response from daemon: "
    r"|OCI runtime create failed: |runc create failed: "
    r"|unable to start container process: |error during container init: "
)
_IMAGE = regex(
    r"failed to (?:get|pull) sandbox image|failed pulling image \"|pause image|infra image|pause:[\d.]+\"?: "
)
_NETWORK = regex(
    r"\b(?:CNI|cni)\b|network for (?:sandbox|pod)|set up pod \S+ network|plugin type="
    r"|network plugin|network is not ready"
)
_CREATE = regex(r"OCI runtime|containerd task|shim|sandbox container|cgroup")
_BEFORE = frozenset((None, "", "ContainerCreating", "PodInitializing"))


def derive(view: View) -> Iterator[Fact]:
    for pod in view.of_kind("Pod"):
        if is_quiet(pod) or is_finished(pod) or pod["metadata"].get("deletionTimestamp") or _has_sandbox(pod):
            continue
        ref, uid = ref_of(pod), pod["metadata"].get("uid") or ""
        events = events_where(view, ref, uid, lambda event: event.get("reason") in REASONS)
        if events and not _got_further(view, pod, events[0]):
            first = event_first_time(events[-1])
            proof = tuple(event_proof(event) for event in events[:2])
            yield _fact(view, pod, events[0]["reason"], event_message(events[0]), event_count(events[0]), first, proof)
        elif not events:
            said, line = _journalled(view, pod)
            if line is not None:
                yield _fact(view, pod, "FailedCreatePodSandBox", said, None, "", (line,))


def _journalled(view: View, pod: Json) -> tuple[str, Proof | None]:
    """What the kubelet's journal says of the pod's sandbox, else containerd's."""
    ref, node = ref_of(pod), (pod.get("spec") or {}).get("nodeName") or ""
    told = journal_error(view.snapshot, node, '"Failed to create sandbox for pod"', f'pod="{ref.namespace}/{ref.name}"')
    if told[1] is not None:
        return told
    named = f"{{Name:{ref.name},Uid:{pod['metadata'].get('uid') or ''},"
    return journal_error(view.snapshot, node, '"RunPodSandbox for ', named, "containerd")


def _fact(
    view: View, pod: Json, reason: str, said: str, count: int | None, first: str, proof: tuple[Proof, ...]
) -> Fact:
    message = said.removeprefix("(combined from similar events): ").removeprefix("Failed to create pod sandbox: ")
    line = " ".join(message.split())[:MAX_MESSAGE]
    plugin, began = _PLUGIN.search(line), parse_time(first)
    asked, stage = taken_apart(line), _stage(line)
    fields = {
        "reason": reason,
        "message": line,
        "error": asked["error"] if stage == "image" else _core(line),
        "stage": stage,
        "plugin": next((name for name in plugin.groups() if name), "") if plugin else "",
        **{name: asked[name] if stage == "image" else "" for name in ("problem", "host", "server", "dns")},
        "count": count,
        "first": first,
        "seconds": int(view.snapshot.taken_at - began) if began else None,
        "pod": pod["metadata"]["name"],
        "namespace": pod["metadata"].get("namespace") or "",
        "owner": owner_word(view, pod),
    }
    return Fact(KIND, ref_of(pod), fields | _spec(view, pod), pod_keys(view, pod), proof)


def _spec(view: View, pod: Json) -> dict[str, Any]:
    spec = pod.get("spec") or {}
    node = view.snapshot.get("Node", "", spec.get("nodeName") or "") or {}
    kind = view.snapshot.get("RuntimeClass", "", spec.get("runtimeClassName") or "") or {}
    sysctls = (spec.get("securityContext") or {}).get("sysctls") or []
    name = spec.get("hostname") or pod["metadata"]["name"]
    return {
        "node": spec.get("nodeName") or "",
        "runtime": ((node.get("status") or {}).get("nodeInfo") or {}).get("containerRuntimeVersion") or "",
        "podCIDR": (node.get("spec") or {}).get("podCIDR") or "",
        "runtimeClass": spec.get("runtimeClassName") or "",
        "handler": kind.get("handler") or "",
        "sysctls": tuple(f"{item.get('name')}={item.get('value')}" for item in sysctls),
        "limits.memory": tuple(
            limit
            for item in (spec.get("containers") or [])
            if (limit := ((item.get("resources") or {}).get("limits") or {}).get("memory"))
        ),
        "hostname": f"{name}.{spec['subdomain']}" if spec.get("subdomain") else name,
    }


def _core(line: str) -> str:
    """A message without its wrapping."""
    while True:
        wrapping = _WRAPPING.match(line)
        if wrapping is None or wrapping.end() == len(line):
            return line
        line = line[wrapping.end() :]


def _stage(line: str) -> str:
    for name, shape in (("image", _IMAGE), ("network", _NETWORK), ("create", _CREATE)):
        if shape.search(line):
            return name
    return ""


def _has_sandbox(pod: Json) -> bool:
    """Does any container run or wait for something that comes after the sandbox?"""
    if (conditions_of(pod).get("PodReadyToStartContainers") or {}).get("status") == "True":
        return True
    states = [container.status.get("state") or {} for container in containers_of(pod)]
    return any("running" in state or (state.get("waiting") or {}).get("reason") not in _BEFORE for state in states)


def _got_further(view: View, pod: Json, failure: Json) -> bool:
    """Has the kubelet since done something that needs a sandbox?"""
    when = parse_time(event_time(failure)) or 0.0
    later = view.snapshot.events_of(ref_of(pod), pod["metadata"].get("uid") or "")
    return any(e.get("reason") in _AFTER and (parse_time(event_time(e)) or 0.0) > when for e in later)
