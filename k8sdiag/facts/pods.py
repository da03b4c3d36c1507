"""Pods: phase, conditions, scheduling, deletion, eviction; one fact for each pod that is not quiet.

Sample: `status: {phase: Failed, reason: Evicted, message: "The node was low on resource: memory. ..."}`.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any

from k8sdiag.clock import parse_time
from k8sdiag.evidence import Json, event_first_time, event_message, ref_of
from k8sdiag.facts import Fact, event_proof, owner_word, pod_keys
from k8sdiag.finding import Proof
from k8sdiag.placement import host_ports, selector_text, taint_text, unmet_labels, untolerated
from k8sdiag.podstate import ContainerView, conditions_of, containers_of, is_finished, is_quiet, is_ready, status_word
from k8sdiag.relations import View, controller_of, network_plugin

KIND = "pod"
KEYS = ("pod", "node", "workload", "claim", "namespace")
FIELDS = {
    "name": "metadata.name",
    "namespace": "metadata.namespace",
    "status": "the STATUS column of kubectl get pods",
    "phase": "status.phase",
    "reason": "status.reason",
    "message": "status.message",
    "ready": "condition Ready is True",
    "age": "seconds since metadata.creationTimestamp",
    "owner": "what to change: deployment/web, or pod/web",
    "owner.kind": "kind of the controlling owner",
    "owner.name": "name of the controlling owner",
    "node": "spec.nodeName",
    "node.exists": "the Node object exists (yes, no, unknown)",
    "bound": "spec.nodeName is set",
    "pinned": "spec.nodeName was given, and no scheduler chose it (its events begin without Scheduled)",
    "replaced": "it failed, and its controller has all the pods it wants without it",
    "schedulerName": "spec.schedulerName",
    "gates": "spec.schedulingGates[].name",
    "nominatedNode": "status.nominatedNodeName",
    "scheduled": "condition PodScheduled: True, False, or '' where there is none",
    "scheduled.reason": "reason of condition PodScheduled",
    "scheduled.message": "message of condition PodScheduled",
    "ready.reason": "reason of condition Ready",
    "ready.message": "message of condition Ready",
    "containersReady": "condition ContainersReady: True, False or ''",
    "initialized": "condition Initialized: True, False or ''",
    "readyToStart": "condition PodReadyToStartContainers: True, False or ''",
    "gatesMissing": "spec.readinessGates whose condition is not True",
    "disruption.reason": "reason of condition DisruptionTarget",
    "disruption.message": "message of condition DisruptionTarget",
    "resize": "pending or in-progress, where the pod's resources are being changed in place",
    "resize.reason": "reason of condition PodResizePending or PodResizeInProgress",
    "resize.message": "message of condition PodResizePending or PodResizeInProgress",
    "resize.back.shell": "the patch that asks for what its containers have now, quoted for a shell",
    "acknowledged": "status.startTime is set: a kubelet has seen the pod",
    "creating": "bound, and no container has started yet",
    "creating.seconds": "seconds since the pod was bound, while creating",
    "eventful": "the pod has Warning events",
    "finished": "phase Succeeded or Failed",
    "deleting": "metadata.deletionTimestamp is set, and the pod is still there",
    "gone": "it has been deleted; the history tells how it last was",
    "deletion.seconds": "seconds since deletion was asked for",
    "preStop": "spec.containers[].lifecycle.preStop of the containers that still run",
    "deletion.overdue": "seconds past metadata.deletionTimestamp",
    "deletion.grace": "metadata.deletionGracePeriodSeconds",
    "finalizers": "metadata.finalizers",
    "running": "containers that still run",
    "completed": "app containers that ended with exit code 0",
    "qos": "status.qosClass",
    "selector": "spec.nodeSelector and required node affinity",
    "label": "the first label of its selector that its node lacks, as kubectl label takes it",
    "taint": "a NoExecute taint of its node that it does not tolerate: key=value:NoExecute",
    "taint.key": "key of that taint",
    "hostPorts": "host ports the pod wants: 8080/TCP",
    "hostPorts.taken": "which other pods of its node have them",
    "restartPolicy": "spec.restartPolicy",
    "hostNetwork": "spec.hostNetwork",
    "dnsPolicy": "spec.dnsPolicy",
    "serviceAccount": "spec.serviceAccountName",
    "deadline": "spec.activeDeadlineSeconds",
    "plugin": "the network plugin this pod belongs to (flannel, calico ...)",
    "static": "a mirror pod of a static pod",
}


_RESIZES = {"PodResizePending": "pending", "PodResizeInProgress": "in-progress"}
_SOON = 60  # seconds after a pod's creation in which its first events come


def derive(view: View) -> Iterator[Fact]:
    for pod in view.of_kind("Pod"):
        if is_quiet(pod) and not _hostnet_dns(pod):
            continue
        yield Fact(KIND, ref_of(pod), _fields(view, pod), pod_keys(view, pod), tuple(_proof(view, pod)))


def _hostnet_dns(pod: Json) -> bool:
    spec = pod.get("spec") or {}
    return bool(spec.get("hostNetwork")) and spec.get("dnsPolicy") == "ClusterFirst" and not _system(pod)


def _system(pod: Json) -> bool:
    return bool(network_plugin(pod)) or (pod["metadata"].get("namespace") or "") == "kube-system"


def _fields(view: View, pod: Json) -> dict[str, Any]:
    meta, spec, status = pod["metadata"], pod.get("spec") or {}, pod.get("status") or {}
    owner = controller_of(pod) or {}
    created = parse_time(meta.get("creationTimestamp"))
    node = spec.get("nodeName") or ""
    known = view.snapshot.exists("Node", "", node) if node else None
    events = view.snapshot.events_of(ref_of(pod), meta.get("uid") or "")
    return (
        {
            "name": meta["name"],
            "namespace": meta.get("namespace") or "",
            "status": status_word(pod),
            "phase": status.get("phase") or "",
            "reason": status.get("reason") or "",
            "message": (status.get("message") or "").strip(),
            "ready": is_ready(pod),
            "age": int(view.snapshot.taken_at - created) if created else None,
            "owner": owner_word(view, pod),
            "owner.kind": owner.get("kind") or "",
            "owner.name": owner.get("name") or "",
            "node": node,
            "node.exists": {True: "yes", False: "no", None: "unknown"}[known],
            "bound": bool(node),
            "pinned": bool(node) and _pinned(created, events),
            "replaced": is_finished(pod) and _replaced(_owner(view, pod)),
            "schedulerName": spec.get("schedulerName") or "",
            "gates": tuple(gate.get("name") or "" for gate in spec.get("schedulingGates") or []),
            "nominatedNode": status.get("nominatedNodeName") or "",
            "acknowledged": bool(status.get("startTime")),
            "eventful": any(event.get("type") == "Warning" for event in events),
            "finished": is_finished(pod),
            "qos": status.get("qosClass") or "",
            "restartPolicy": spec.get("restartPolicy") or "",
            "hostNetwork": bool(spec.get("hostNetwork")),
            "dnsPolicy": spec.get("dnsPolicy") or "",
            "serviceAccount": spec.get("serviceAccountName") or "",
            "deadline": spec.get("activeDeadlineSeconds"),
            "plugin": network_plugin(pod),
            "static": "kubernetes.io/config.mirror" in (meta.get("annotations") or {}),
        }
        | _conditions(pod)
        | _placement(view, pod)
        | _lifecycle(view, pod)
    )


def _pinned(created: float | None, events: list[Json]) -> bool:
    """A pod that the scheduler bound has an event Scheduled, unless its first events have expired."""
    times = [parse_time(event_first_time(event)) for event in events]
    first = min((time for time in times if time is not None), default=None)
    if first is None or created is None or first > created + _SOON:
        return False
    return not any(event.get("reason") in ("Scheduled", "FailedScheduling") for event in events)


def _placement(view: View, pod: Json) -> dict[str, Any]:
    ports = host_ports(pod)
    taken = [
        f"{port[2]}/{port[1]} is taken by pod {other['metadata'].get('namespace')}/{other['metadata']['name']}"
        for other in (view.snapshot.pods_on((pod.get("spec") or {}).get("nodeName") or "") if ports else ())
        if other is not pod and not is_finished(other)
        for port in sorted(ports & host_ports(other))
    ]
    node = view.snapshot.get("Node", "", (pod.get("spec") or {}).get("nodeName") or "")
    taints = [taint for taint in untolerated(pod, node) if taint.get("effect") == "NoExecute"] if node else []
    unmet = unmet_labels(pod, [node]) if node else []
    return {
        "taint": taint_text(taints[0]) if taints else "",
        "taint.key": taints[0].get("key") or "" if taints else "",
        "selector": selector_text(pod),
        "label": f"{unmet[0][0]}={unmet[0][1][0] if unmet[0][1] else 'true'}" if unmet else "",
        "hostPorts": tuple(f"{port}/{protocol}" for _, protocol, port in sorted(ports)),
        "hostPorts.taken": tuple(taken),
    }


def _owner(view: View, pod: Json) -> Json | None:
    owner = controller_of(pod) or {}
    return view.snapshot.get(owner.get("kind") or "", pod["metadata"].get("namespace") or "", owner.get("name") or "")


def _replaced(owner: Json | None) -> bool:
    """Has a controller all the pods it wants ready?"""
    spec, status = (owner or {}).get("spec") or {}, (owner or {}).get("status") or {}
    if owner is None or owner.get("kind") not in ("ReplicaSet", "ReplicationController", "StatefulSet", "DaemonSet"):
        return False
    if owner["kind"] == "DaemonSet":
        return (status.get("numberReady") or 0) >= (status.get("desiredNumberScheduled") or 0)
    wanted = spec.get("replicas")
    return (status.get("readyReplicas") or 0) >= (1 if wanted is None else wanted)


def _conditions(pod: Json) -> dict[str, Any]:
    found = conditions_of(pod)

    def part(kind: str, key: str) -> str:
        return str((found.get(kind) or {}).get(key) or "")

    gates = [gate.get("conditionType") or "" for gate in (pod.get("spec") or {}).get("readinessGates") or []]
    resize = "PodResizePending" if part("PodResizePending", "status") == "True" else "PodResizeInProgress"
    disrupted = part("DisruptionTarget", "status") == "True"
    return {
        "scheduled": part("PodScheduled", "status"),
        "scheduled.reason": part("PodScheduled", "reason"),
        "scheduled.message": part("PodScheduled", "message"),
        "ready.reason": part("Ready", "reason"),
        "ready.message": part("Ready", "message"),
        "containersReady": part("ContainersReady", "status"),
        "initialized": part("Initialized", "status"),
        "readyToStart": part("PodReadyToStartContainers", "status"),
        "gatesMissing": tuple(gate for gate in gates if part(gate, "status") != "True"),
        "disruption.reason": part("DisruptionTarget", "reason") if disrupted else "",
        "disruption.message": part("DisruptionTarget", "message") if disrupted else "",
        "resize": _RESIZES[resize] if part(resize, "status") == "True" else "",
        "resize.reason": part(resize, "reason"),
        "resize.message": part(resize, "message"),
        "resize.back.shell": _resize_back(pod) if part(resize, "status") == "True" else "",
    }


def _resize_back(pod: Json) -> str:
    """The patch that takes back a resize: each container's resources as the kubelet says they are."""
    have = [(c.name, c.spec.get("resources") or {}, c.status.get("resources") or {}) for c in containers_of(pod)]
    back = [{"name": name, "resources": is_now} for name, asked, is_now in have if is_now and is_now != asked]
    return shlex.quote(json.dumps({"spec": {"containers": back}}, separators=(",", ":"))) if back else ""


def _lifecycle(view: View, pod: Json) -> dict[str, Any]:
    meta, now = pod["metadata"], view.snapshot.taken_at
    deleted = parse_time(meta.get("deletionTimestamp"))
    states = [(c, c.status.get("state") or {}) for c in containers_of(pod)]
    started = any("running" in state or "terminated" in state or c.status.get("lastState") for c, state in states)
    creating = bool((pod.get("spec") or {}).get("nodeName")) and not started and not is_finished(pod)
    bound = parse_time((conditions_of(pod).get("PodScheduled") or {}).get("lastTransitionTime"))
    changes = view.snapshot.history_of(ref_of(pod))
    gone = bool(changes) and changes[-1].type == "DELETED"
    ended = [c.name for c, state in states if c.type == "app" and (state.get("terminated") or {}).get("exitCode") == 0]
    return {
        "creating": creating,
        "creating.seconds": int(now - bound) if creating and bound else None,
        "deleting": deleted is not None and not gone,
        "gone": gone,
        "deletion.seconds": int(now - deleted) + (meta.get("deletionGracePeriodSeconds") or 0) if deleted else None,
        "preStop": tuple(_pre_stop(c) for c, state in states if "running" in state and _pre_stop(c)),
        "deletion.overdue": int(now - deleted) if deleted is not None else None,
        "deletion.grace": meta.get("deletionGracePeriodSeconds"),
        "finalizers": tuple(meta.get("finalizers") or ()),
        "running": tuple(c.name for c, state in states if "running" in state),
        "completed": tuple(ended),
    }


def _pre_stop(container: ContainerView) -> str:
    """`app: exec [sleep 600]`, or '' where the container has no preStop hook."""
    hook = (container.spec.get("lifecycle") or {}).get("preStop") or {}
    if hook.get("exec"):
        return f"{container.name}: exec [{' '.join(hook['exec'].get('command') or [])}]"
    if hook.get("httpGet"):
        return f"{container.name}: httpGet {hook['httpGet'].get('path') or '/'} on port {hook['httpGet'].get('port')}"
    if hook.get("sleep"):
        return f"{container.name}: sleep {hook['sleep'].get('seconds')} s"
    return ""


def _proof(view: View, pod: Json) -> Iterator[Proof]:
    status, name = pod.get("status") or {}, f"pod/{pod['metadata']['name']}"
    if status.get("reason") or status.get("message"):
        text = f"status.reason: {status.get('reason') or ''}; status.message: {(status.get('message') or '').strip()}"
        yield Proof("status", name, status.get("startTime") or "", text)
    for kind in ("PodScheduled", "Ready", "DisruptionTarget"):
        condition = conditions_of(pod).get(kind) or {}
        if (condition.get("status") == "False") != (kind == "DisruptionTarget") and condition.get("reason"):
            text = f"condition {kind}={condition['status']} {condition['reason']}: {condition.get('message') or ''}"
            yield Proof("status", name, condition.get("lastTransitionTime") or "", text.rstrip(": "))
    for kind in ("PodResizePending", "PodResizeInProgress"):
        condition = conditions_of(pod).get(kind) or {}
        if condition.get("status") == "True":
            text = f"condition {kind}=True {condition.get('reason') or ''}: {condition.get('message') or ''}"
            yield Proof("status", name, condition.get("lastTransitionTime") or "", text.rstrip(": "))
    meta = pod["metadata"]
    if meta.get("deletionTimestamp"):
        held = f"; metadata.finalizers: {', '.join(meta['finalizers'])}" if meta.get("finalizers") else ""
        text = f"metadata.deletionTimestamp: {meta['deletionTimestamp']}{held}"
        yield Proof("object", name, meta["deletionTimestamp"], text)
    for event in view.snapshot.events_of(ref_of(pod), meta.get("uid") or "") if status.get("reason") else ():
        if event.get("reason") == status["reason"] and event_message(event):
            yield event_proof(event)
