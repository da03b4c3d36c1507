"""Rows of pods and nodes (printPod, printNode)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from k8sdiag.clock import parse_time, short_duration
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.tables.cells import NONE, UNKNOWN, born, listed
from k8sdiag.podstate import conditions_of, status_word

_ROLE = "node-role.kubernetes.io/"


def _pod(pod: Json, now: float) -> list[Any]:
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    statuses = list(_restarting(spec, status))
    total = len(spec.get("containers") or []) + sum(
        item.get("restartPolicy") == "Always" for item in spec.get("initContainers") or []
    )
    ready = sum(bool(item.get("ready")) and "running" in (item.get("state") or {}) for item in statuses)
    gates = spec.get("readinessGates") or []
    conditions = conditions_of(pod)
    passed = sum((conditions.get(gate["conditionType"]) or {}).get("status") == "True" for gate in gates)
    addresses = status.get("podIPs") or []
    return [
        pod["metadata"]["name"],
        f"{ready}/{total}",
        status_word(pod),
        _restarts(spec, status, now),
        born(pod, now),
        addresses[0]["ip"] if addresses else status.get("podIP") or NONE,
        spec.get("nodeName") or NONE,
        status.get("nominatedNodeName") or NONE,
        f"{passed}/{len(gates)}" if gates else NONE,
    ]


def _restarting(spec: Json, status: Json) -> Iterator[Json]:
    """The statuses that count for READY: containers and sidecars."""
    sidecars = {item["name"] for item in spec.get("initContainers") or [] if item.get("restartPolicy") == "Always"}
    yield from (item for item in status.get("initContainerStatuses") or [] if item.get("name") in sidecars)
    yield from status.get("containerStatuses") or []


def _restarts(spec: Json, status: Json, now: float) -> str:
    """While it initializes, init containers count; afterwards containers and sidecars."""
    inits = status.get("initContainerStatuses") or []
    initialized = any(
        item.get("type") == "Initialized" and item.get("status") == "True" for item in status.get("conditions") or []
    )
    counted = list(_restarting(spec, status)) if initialized or not inits else inits
    count = sum(item.get("restartCount") or 0 for item in counted)
    ends = [parse_time(((item.get("lastState") or {}).get("terminated") or {}).get("finishedAt")) for item in counted]
    last = max((at for at in ends if at is not None), default=None)
    return f"{count} ({short_duration(now - last)} ago)" if count and last is not None else str(count)


def condition_of_pod(pod: Json) -> list[Json]:
    """What a row says of a pod that has ended, for `kubectl get` to leave it out or not."""
    phase = (pod.get("status") or {}).get("phase")
    if phase == "Succeeded":
        message = "The pod has completed successfully."
    elif phase == "Failed":
        message = "The pod failed."
    else:
        return []
    return [{"type": "Completed", "status": "True", "reason": phase, "message": message}]


def _node(node: Json, now: float) -> list[Any]:
    spec, status = node.get("spec") or {}, node.get("status") or {}
    info = status.get("nodeInfo") or {}
    ready = (conditions_of(node).get("Ready") or {}).get("status")
    words = [{"True": "Ready", None: "Unknown"}.get(ready, "NotReady")]
    if spec.get("unschedulable"):
        words.append("SchedulingDisabled")
    return [
        node["metadata"]["name"],
        ",".join(words),
        listed(sorted(_roles(node))),
        born(node, now),
        info.get("kubeletVersion", ""),
        _address(status, "InternalIP"),
        _address(status, "ExternalIP"),
        info.get("osImage") or UNKNOWN,
        info.get("kernelVersion") or UNKNOWN,
        info.get("containerRuntimeVersion") or UNKNOWN,
    ]


def _roles(node: Json) -> set[str]:
    found = set()
    for key, value in (node["metadata"].get("labels") or {}).items():
        if key.startswith(_ROLE) and len(key) > len(_ROLE):
            found.add(key.removeprefix(_ROLE))
        elif key == "kubernetes.io/role" and value:
            found.add(value)
    return found


def _address(status: Json, kind: str) -> str:
    return next((item["address"] for item in status.get("addresses") or [] if item.get("type") == kind), NONE)


ROWS: dict[str, Callable[[Json, float], list[Any]]] = {"pods": _pod, "nodes": _node}
