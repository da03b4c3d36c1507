"""What a kubelet registers of its node: the Node, its lease and its CSINode, as a real one writes them
(pkg/kubelet/nodestatus/setters.go, component-helpers/apimachinery/lease)."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import md5
from uuid import UUID

from k8sdiag.clock import format_micro_time, format_time
from k8sdiag.evidence import Json

VERSION = "v1.33.0"

_CONDITIONS = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
)
_IMAGES = (
    ("registry.k8s.io/etcd", "3.5.21-0", 58938593),
    ("registry.k8s.io/kube-proxy", "v1.33.0", 31889063),
    ("registry.k8s.io/coredns/coredns", "v1.12.0", 20939036),
    ("docker.io/library/python", "3.11-slim", 45893301),
    ("docker.io/library/nginx", "1.27", 72195292),
    ("docker.io/library/busybox", "1.36", 2160406),
    ("registry.k8s.io/pause", "3.10", 320368),
)


@dataclass(frozen=True, slots=True)
class Shape:
    """What sets one node apart: labels, taints and capacity beyond the usual."""

    labels: dict[str, str] = field(default_factory=dict)
    taints: tuple[Json, ...] = ()
    cpu: str = "8"
    memory: str = "32Gi"
    pods: str = "110"
    zone: str = ""


def control_plane(shape: Shape) -> Shape:
    """The same as kubeadm marks a control-plane node."""
    labels = {
        "node-role.kubernetes.io/control-plane": "",
        "node.kubernetes.io/exclude-from-external-load-balancers": "",
    }
    taint = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
    return Shape(shape.labels | labels, (*shape.taints, taint), shape.cpu, shape.memory, shape.pods, shape.zone)


def address_of(index: int) -> str:
    """node1 is 172.18.0.2, as in a network of containers; 250 to a /24."""
    block, host = divmod(index, 250)
    return f"172.18.{block}.{host + 2}"


def _id(name: str, what: str) -> str:
    return md5(f"{name}/{what}".encode(), usedforsecurity=False).hexdigest()


def node(name: str, address: str, shape: Shape, now: float) -> Json:
    """The Node that a kubelet creates, with its whole status."""
    labels = {
        "beta.kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
    }
    if shape.zone:
        labels |= {"topology.kubernetes.io/region": shape.zone[:-1], "topology.kubernetes.io/zone": shape.zone}
    made: Json = {
        "kind": "Node",
        "apiVersion": "v1",
        "metadata": {
            "name": name,
            "labels": labels | shape.labels,
            "annotations": {
                "node.alpha.kubernetes.io/ttl": "0",
                "volumes.kubernetes.io/controller-managed-attach-detach": "true",
            },
        },
        "spec": {"taints": [*shape.taints]} if shape.taints else {},
        "status": status(name, address, shape, now),
    }
    return made


def status(name: str, address: str, shape: Shape, now: float) -> Json:
    capacity = {
        "cpu": shape.cpu,
        "ephemeral-storage": "102687672Ki",
        "hugepages-1Gi": "0",
        "hugepages-2Mi": "0",
        "memory": shape.memory,
        "pods": shape.pods,
    }
    return {
        "capacity": capacity,
        "allocatable": capacity | {"ephemeral-storage": "94636958363"},
        "conditions": conditions(now, now),
        "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        "nodeInfo": {
            "machineID": _id(name, "machine"),
            "systemUUID": str(UUID(_id(name, "system"))),
            "bootID": str(UUID(_id(name, "boot"))),
            "kernelVersion": "6.8.0-60-generic",
            "osImage": "Debian GNU/Linux 12 (bookworm)",
            "containerRuntimeVersion": "containerd://1.7.27",
            "kubeletVersion": VERSION,
            "kubeProxyVersion": "",
            "operatingSystem": "linux",
            "architecture": "amd64",
        },
        "images": [
            {"names": [f"{name}@sha256:{_id(name, tag)}{_id(tag, name)}", f"{name}:{tag}"], "sizeBytes": size}
            for name, tag, size in _IMAGES
        ],
    }


def conditions(heartbeat: float, since: float) -> list[Json]:
    return [
        {
            "type": kind,
            "status": value,
            "lastHeartbeatTime": format_time(heartbeat),
            "lastTransitionTime": format_time(since),
            "reason": reason,
            "message": message,
        }
        for kind, value, reason, message in _CONDITIONS
    ]


def beaten(conditions_now: list[Json], now: float) -> list[Json]:
    """The conditions of a node that is well, as its next heartbeat reports them."""
    had = {condition["type"]: condition for condition in conditions_now}
    made = []
    for fresh in conditions(now, now):
        old = had.pop(fresh["type"], None)
        if old is not None and old["status"] == fresh["status"]:
            fresh["lastTransitionTime"] = old["lastTransitionTime"]
        made.append(fresh)
    return made + list(had.values())


def lease(made: Json, seconds: int, now: float) -> Json:
    """The heartbeat of a node."""
    meta = made["metadata"]
    owner = {"apiVersion": "v1", "kind": "Node", "name": meta["name"], "uid": meta["uid"]}
    return {
        "kind": "Lease",
        "apiVersion": "coordination.k8s.io/v1",
        "metadata": {"name": meta["name"], "namespace": "kube-node-lease", "ownerReferences": [owner]},
        "spec": {
            "holderIdentity": meta["name"],
            "leaseDurationSeconds": seconds,
            "renewTime": format_micro_time(now),
        },
    }


def csi_node(made: Json) -> Json:
    """The list of a node's storage drivers, which is empty."""
    meta = made["metadata"]
    owner = {"apiVersion": "v1", "kind": "Node", "name": meta["name"], "uid": meta["uid"]}
    return {
        "kind": "CSINode",
        "apiVersion": "storage.k8s.io/v1",
        "metadata": {"name": meta["name"], "ownerReferences": [owner]},
        "spec": {"drivers": []},  # a real server says null here, which its own schema and strict clients refuse
    }
