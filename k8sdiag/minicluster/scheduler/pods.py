"""A pod as the scheduler sees it: everything it asks for, read from the object once (framework/types.go PodInfo)."""

from __future__ import annotations

from math import inf
from typing import Any

from k8sdiag.clock import parse_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.scheduler.requests import Requests, pod_requests, scored_requests
from k8sdiag.minicluster.scheduler.terms import Term, preferred_terms, required_terms

SCHEDULER = "default-scheduler"
Port = tuple[str, str, int]  # host address, protocol, port
_ANY = "0.0.0.0"  # noqa: S104 (compared with, not listened on)
_INLINE_DISKS = ("gcePersistentDisk", "awsElasticBlockStore", "rbd", "iscsi")


class PodInfo:
    """Never changed after it is made, but for `obj`, which follows changes of the status."""

    __slots__ = (
        "affinity", "anti_affinity", "claims", "disks", "key", "labels", "name", "namespace", "node_name", "obj",
        "ports", "preferred_affinity", "preferred_anti_affinity", "priority", "requests", "scored", "simple", "spec",
        "terminating", "tolerations", "uid",
    )  # fmt: skip

    def __init__(self, obj: Json) -> None:
        metadata = obj["metadata"]
        spec: Json = obj.get("spec") or {}
        status: Json = obj.get("status") or {}
        self.obj = obj
        self.spec = spec
        self.namespace: str = metadata.get("namespace") or ""
        self.name: str = metadata["name"]
        self.key = (self.namespace, self.name)
        self.uid: str = metadata.get("uid") or ""
        self.labels: dict[str, str] = metadata.get("labels") or {}
        self.node_name: str = spec.get("nodeName") or ""
        self.priority: int = spec.get("priority") or 0
        self.terminating: bool = bool(metadata.get("deletionTimestamp"))
        self.tolerations: list[Json] = spec.get("tolerations") or []
        self.requests: Requests = pod_requests(spec, status)
        self.scored = scored_requests(spec, status)
        self.ports: tuple[Port, ...] = host_ports(spec)
        self.claims, self.disks = _volumes(spec, self.name)
        affinity: Json = spec.get("affinity") or {}
        near, apart = affinity.get("podAffinity"), affinity.get("podAntiAffinity")
        self.affinity: tuple[Term, ...] = ()
        self.anti_affinity: tuple[Term, ...] = ()
        self.preferred_affinity: tuple[Term, ...] = ()
        self.preferred_anti_affinity: tuple[Term, ...] = ()
        if near:
            self.affinity = required_terms(near, self.namespace, self.labels)
            self.preferred_affinity = preferred_terms(near, self.namespace, self.labels)
        if apart:
            self.anti_affinity = required_terms(apart, self.namespace, self.labels)
            self.preferred_anti_affinity = preferred_terms(apart, self.namespace, self.labels)
        # whether what holds of a node for this pod depends on nothing but that node
        self.simple = not (
            near or apart or self.ports or self.claims or self.disks or spec.get("topologySpreadConstraints")
        )

    @property
    def terms(self) -> tuple[Term, ...]:
        """All it has to say of other pods."""
        return self.affinity + self.anti_affinity + self.preferred_affinity + self.preferred_anti_affinity

    @property
    def has_affinity(self) -> bool:
        """Whether this pod, once placed, has a say in where others go."""
        return bool(self.affinity or self.anti_affinity or self.preferred_affinity or self.preferred_anti_affinity)

    @property
    def start(self) -> float:
        """When the kubelet took it; one that was not taken yet is the youngest (schedutil.GetPodStartTime)."""
        at = parse_time((self.obj.get("status") or {}).get("startTime"))
        return inf if at is None else at

    @property
    def nominated(self) -> str:
        return (self.obj.get("status") or {}).get("nominatedNodeName") or ""

    @property
    def gates(self) -> list[str]:
        return [gate.get("name", "") for gate in self.spec.get("schedulingGates") or ()]

    def same_needs(self, obj: Json) -> bool:
        """Whether a changed object still is this pod for all that matters to placing it and others."""
        metadata = obj["metadata"]
        spec = obj.get("spec")
        if bool(metadata.get("deletionTimestamp")) != self.terminating or (metadata.get("labels") or {}) != self.labels:
            return False
        if metadata.get("uid") != self.uid or not (spec is self.spec or spec == self.spec):
            return False
        return _sizes(obj) == _sizes(self.obj)


def _sizes(obj: Json) -> list[Any]:
    statuses = (obj.get("status") or {}).get("containerStatuses") or ()
    return [entry.get("allocatedResources") for entry in statuses if entry.get("allocatedResources")]


def finished(obj: Json) -> bool:
    """Pods that ended take nothing any more; the scheduler's own list of pods leaves them out."""
    return (obj.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def host_ports(spec: Json) -> tuple[Port, ...]:
    """Ports wanted of the node itself, sidecars' included (schedutil.GetHostPorts)."""
    found: list[Port] = []
    sidecars = [each for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always"]
    for container in [*(spec.get("containers") or ()), *sidecars]:
        wanted = [port for port in container.get("ports") or () if port.get("hostPort")]
        found += [(port.get("hostIP") or _ANY, port.get("protocol") or "TCP", port["hostPort"]) for port in wanted]
    return tuple(found)


def _volumes(spec: Json, name: str) -> tuple[tuple[tuple[str, bool], ...], tuple[Json, ...]]:
    """The claims a pod uses (name, whether made for it alone), and disks named in the pod itself."""
    claims: list[tuple[str, bool]] = []
    disks: list[Json] = []
    for volume in spec.get("volumes") or ():
        if volume.get("persistentVolumeClaim"):
            claims.append((volume["persistentVolumeClaim"].get("claimName") or "", False))
        elif volume.get("ephemeral"):
            claims.append((f"{name}-{volume.get('name', '')}", True))
        elif any(volume.get(kind) for kind in _INLINE_DISKS):
            disks.append(volume)
    return tuple(claims), tuple(disks)
