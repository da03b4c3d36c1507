"""A node as the scheduler sees it: what it offers, what is on it, and what of that is left (types.go NodeInfo)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.scheduler.pods import PodInfo, Port
from k8sdiag.minicluster.scheduler.requests import Requests, numbers

_BLOCKING = ("NoSchedule", "NoExecute")
_ZONE = ("topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone")
_REGION = ("topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region")


class NodeInfo:
    """`index` is its place in the snapshot's list."""

    __slots__ = (
        "allocatable", "allowed_pods", "blocking", "disks", "images", "index", "labels", "name", "obj", "pods", "ports",
        "preferring", "requested", "scored_cpu", "scored_memory", "unschedulable", "zone",
    )  # fmt: skip

    def __init__(self, name: str) -> None:
        self.name = name
        self.index = -1
        self.pods: dict[str, PodInfo] = {}
        self.requested: Requests = {}
        self.scored_cpu = 0
        self.scored_memory = 0
        self.ports: dict[Port, int] = {}
        self.disks = 0
        self.obj: Json | None = None
        self.labels: dict[str, str] = {}
        self.blocking: tuple[Json, ...] = ()
        self.preferring: tuple[Json, ...] = ()
        self.unschedulable = False
        self.allocatable: Requests = {}
        self.allowed_pods = 0
        self.images: dict[str, int] = {}
        self.zone = ""

    def describe(self, obj: Json) -> bool:
        """Take over what the object says; whether anything changed that a pod could notice."""
        before = (self.labels, self.blocking, self.preferring, self.unschedulable, self.allocatable, self.images)
        known = self.obj is not None
        spec: Json = obj.get("spec") or {}
        status: Json = obj.get("status") or {}
        taints = spec.get("taints") or ()
        self.obj = obj
        self.labels = obj["metadata"].get("labels") or {}
        self.blocking = tuple(taint for taint in taints if taint.get("effect") in _BLOCKING)
        self.preferring = tuple(taint for taint in taints if taint.get("effect") == "PreferNoSchedule")
        self.unschedulable = bool(spec.get("unschedulable"))
        self.allocatable = numbers(status.get("allocatable"))
        self.allowed_pods = self.allocatable.get("pods", 0)
        self.images = {
            name: image.get("sizeBytes") or 0
            for image in status.get("images") or ()
            for name in image.get("names") or ()
        }
        self.zone = zone_of(self.labels)
        after = (self.labels, self.blocking, self.preferring, self.unschedulable, self.allocatable, self.images)
        return not known or before != after

    def add(self, pod: PodInfo) -> None:
        self.pods[pod.uid] = pod
        self._count(pod, 1)

    def remove(self, pod: PodInfo) -> None:
        known = self.pods.pop(pod.uid, None)
        if known is not None:
            self._count(known, -1)

    def _count(self, pod: PodInfo, sign: int) -> None:
        requested = self.requested
        for name, amount in pod.requests.items():
            requested[name] = requested.get(name, 0) + sign * amount
        self.scored_cpu += sign * pod.scored[0]
        self.scored_memory += sign * pod.scored[1]
        self.disks += sign * len(pod.disks)
        for port in pod.ports:
            left = self.ports.get(port, 0) + sign
            if left:
                self.ports[port] = left
            else:
                self.ports.pop(port, None)

    def clone(self) -> NodeInfo:
        """A copy to try evictions on."""
        copy = NodeInfo.__new__(NodeInfo)
        for name in NodeInfo.__slots__:
            setattr(copy, name, getattr(self, name))
        copy.pods, copy.requested, copy.ports = dict(self.pods), dict(self.requested), dict(self.ports)
        return copy


def zone_of(labels: dict[str, str]) -> str:
    """Region and zone as one key (component-helpers/node/topology GetZoneKey)."""
    region = next((labels[key] for key in _REGION if key in labels), "")
    zone = next((labels[key] for key in _ZONE if key in labels), "")
    return f"{region}:\x00:{zone}" if region or zone else ""
