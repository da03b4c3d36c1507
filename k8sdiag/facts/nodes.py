"""Nodes: conditions, pressure, taints, lease, and the network plugin's pod on them; one fact a node.

Sample: `Ready=False KubeletNotReady: container runtime network not ready: NetworkReady=false
reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from k8sdiag.clock import parse_time, short_duration
from k8sdiag.evidence import Json, Ref, event_message, ref_of
from k8sdiag.facts import Fact
from k8sdiag.finding import Proof
from k8sdiag.patterns import regex
from k8sdiag.placement import taint_text
from k8sdiag.podstate import conditions_of, containers_of, is_ready, status_word
from k8sdiag.relations import View, network_plugin

KIND = "node"
KEYS = ("node",)
FIELDS = {
    "name": "metadata.name",
    "ready": "condition Ready: True, False, Unknown, or '' where there is none",
    "ready.reason": "reason of condition Ready",
    "ready.message": "message of condition Ready",
    "ready.seconds": "seconds since condition Ready last changed",
    "pressure": "which of MemoryPressure, DiskPressure, PIDPressure are True",
    "pressure.message": "messages of those conditions",
    "networkUnavailable": "condition NetworkUnavailable is True",
    "networkUnavailable.message": "its message",
    "problems": "other conditions that are True (node-problem-detector's): Type: message",
    "cordoned": "spec.unschedulable",
    "taints": "spec.taints as key=value:Effect",
    "lease.seconds": "seconds since the node's Lease was renewed",
    "lease.ahead": "how far in the future that was, by the API server's clock",
    "runtime": "status.nodeInfo.containerRuntimeVersion",
    "runtime.name": "containerd, docker or cri-o",
    "kubelet": "status.nodeInfo.kubeletVersion",
    "arch": "status.nodeInfo.architecture",
    "kernel": "status.nodeInfo.kernelVersion",
    "podCIDR": "spec.podCIDR",
    "pods": "pods bound to the node",
    "plugin": "the network plugin whose pod on this node is not ready (flannel, calico ...)",
    "plugin.pod": "that pod's name",
    "plugin.namespace": "that pod's namespace",
    "plugin.status": "that pod's STATUS",
    "plugin.message": "what its first failing container waits for, or how it ended",
    "allNodesDown": "no node of the cluster is Ready",
}
_PRESSURE = ("MemoryPressure", "DiskPressure", "PIDPressure")
_PULL_WRAP = regex(
    r'Back-off pulling image "[^"]*": |ErrImagePull: |rpc error: code = \w+ desc = |failed to do request: '
    r'|failed to pull and unpack image "[^"]*": |failed to resolve reference "[^"]*": '
)
"""What the kubelet and the runtime put round the reason why an image does not come."""


def derive(view: View) -> Iterator[Fact]:
    nodes = list(view.snapshot.of_kind("Node"))
    all_down = len(nodes) > 1 and not any(is_ready(node) for node in nodes)
    for node in view.of_kind("Node"):
        name = node["metadata"]["name"]
        fields = _fields(view, node, all_down)
        yield Fact(KIND, Ref("Node", "", name), fields, {"node": (name,)}, tuple(_proof(view, node)))


def _fields(view: View, node: Json, all_down: bool) -> dict[str, Any]:
    spec, status = node.get("spec") or {}, node.get("status") or {}
    info, conditions = status.get("nodeInfo") or {}, conditions_of(node)
    ready = conditions.get("Ready") or {}
    pressed = [kind for kind in _PRESSURE if (conditions.get(kind) or {}).get("status") == "True"]
    network = conditions.get("NetworkUnavailable") or {}
    others = [
        f"{kind}: {item.get('message') or item.get('reason') or ''}"
        for kind, item in conditions.items()
        if item.get("status") == "True" and kind not in (*_PRESSURE, "Ready", "NetworkUnavailable")
    ]
    changed = parse_time(ready.get("lastTransitionTime"))
    runtime = info.get("containerRuntimeVersion") or ""
    return {
        "name": node["metadata"]["name"],
        "ready": ready.get("status") or "",
        "ready.reason": ready.get("reason") or "",
        "ready.message": ready.get("message") or "",
        "ready.seconds": int(view.snapshot.taken_at - changed) if changed else None,
        "pressure": tuple(pressed),
        "pressure.message": "; ".join((conditions[kind].get("message") or "") for kind in pressed),
        "networkUnavailable": network.get("status") == "True",
        "networkUnavailable.message": network.get("message") or "",
        "problems": tuple(others),
        "cordoned": bool(spec.get("unschedulable")),
        "taints": tuple(taint_text(taint) for taint in spec.get("taints") or []),
        "lease.seconds": (age := _lease_age(view, node)),
        "lease.ahead": short_duration(-age) if age is not None and age < 0 else "",
        "runtime": runtime,
        "runtime.name": runtime.split(":")[0],
        "kubelet": info.get("kubeletVersion") or "",
        "arch": info.get("architecture") or "",
        "kernel": info.get("kernelVersion") or "",
        "podCIDR": spec.get("podCIDR") or "",
        "pods": len(view.snapshot.pods_on(node["metadata"]["name"])),
        "allNodesDown": all_down,
    } | _plugin(view, node)


def _lease_age(view: View, node: Json) -> int | None:
    lease = view.snapshot.get("Lease", "kube-node-lease", node["metadata"]["name"]) or {}
    renewed = parse_time((lease.get("spec") or {}).get("renewTime"))
    return int(view.snapshot.taken_at - renewed) if renewed else None


def broken_plugin_pod(view: View, node: str) -> Json | None:
    """The network plugin's pod on a node, where it is not ready."""
    for pod in view.snapshot.pods_on(node):
        if network_plugin(pod) and not is_ready(pod):
            return pod
    return None


def _plugin(view: View, node: Json) -> dict[str, Any]:
    pod = broken_plugin_pod(view, node["metadata"]["name"])
    if pod is None:
        return dict.fromkeys(("plugin", "plugin.pod", "plugin.namespace", "plugin.status", "plugin.message"), "")
    return {
        "plugin": network_plugin(pod),
        "plugin.pod": pod["metadata"]["name"],
        "plugin.namespace": pod["metadata"].get("namespace") or "",
        "plugin.status": status_word(pod),
        "plugin.message": trouble_of(pod) or _warned(view, pod),
    }


def trouble_of(pod: Json) -> str:
    """What a pod's first failing container waits for, or how it ended, on one line."""
    for container in containers_of(pod):
        state = container.status.get("state") or {}
        waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
        last = (container.status.get("lastState") or {}).get("terminated") or {}
        if waiting.get("reason") not in (None, "", "PodInitializing", "ContainerCreating"):
            said = waiting.get("message") or ""
            if waiting["reason"] == "CrashLoopBackOff" and last:
                said = f"exit code {last.get('exitCode')} ({last.get('reason')})"
            said = _PULL_WRAP.sub("", " ".join(said.split()))
            image = f" (image {container.spec.get('image')})" if "Image" in waiting["reason"] else ""
            return f"container {container.name}: {waiting['reason']}{image}: {said}".rstrip(": ")
        if ended.get("exitCode"):
            return f"container {container.name}: exit code {ended['exitCode']} ({ended.get('reason')})"
    message = (conditions_of(pod).get("PodScheduled") or {}).get("message")
    return str(message or "")


def _warned(view: View, pod: Json) -> str:
    """What the newest warning about a pod says: the status of one that waits for a volume tells nothing."""
    events = view.snapshot.events_of(ref_of(pod), pod["metadata"].get("uid") or "")
    return next((event_message(event) for event in reversed(events) if event.get("type") == "Warning"), "")


def _proof(view: View, node: Json) -> Iterator[Proof]:
    name = node["metadata"]["name"]
    for kind, item in conditions_of(node).items():
        bad = item.get("status") != "True" if kind == "Ready" else item.get("status") != "False"
        if bad:
            text = f"condition {kind}={item.get('status')} {item.get('reason') or ''}: {item.get('message') or ''}"
            yield Proof("status", f"node/{name}", item.get("lastTransitionTime") or "", text)
    taints = [taint_text(taint) for taint in (node.get("spec") or {}).get("taints") or []]
    if taints:
        yield Proof("spec", f"node/{name}", "", f"spec.taints: {', '.join(taints)}")
    pod = broken_plugin_pod(view, name)
    if pod is not None:
        trouble = trouble_of(pod)
        text = f"{status_word(pod)} on {name}" + (f"; {trouble}" if trouble else "")
        yield Proof("status", str(ref_of(pod)), "", text)
