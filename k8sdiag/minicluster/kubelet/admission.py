"""Whether a node takes a pod that was bound to it (pkg/kubelet/lifecycle/predicate.go): a last look with the
scheduler's own filters, for what changed meanwhile or never went past the scheduler."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from k8sdiag.evidence import Json
from k8sdiag.minicluster.scheduler.node_affinity import selector_matches
from k8sdiag.minicluster.scheduler.pods import host_ports
from k8sdiag.minicluster.scheduler.ports import conflict
from k8sdiag.minicluster.scheduler.requests import numbers, pod_requests
from k8sdiag.minicluster.scheduler.taints import untolerated
from k8sdiag.selectors import matches_labels

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_SAFE_SYSCTLS = frozenset(
    "kernel.shm_rmid_forced net.ipv4.ip_local_port_range net.ipv4.tcp_syncookies net.ipv4.ping_group_range"
    " net.ipv4.ip_unprivileged_port_start net.ipv4.ip_local_reserved_ports net.ipv4.tcp_keepalive_time"
    " net.ipv4.tcp_fin_timeout net.ipv4.tcp_keepalive_intvl net.ipv4.tcp_keepalive_probes net.ipv4.tcp_rmem"
    " net.ipv4.tcp_wmem".split()
)
Refusal = tuple[str, str]  # reason and message


def refusal(pod: Json, node: Json, others: Iterable[Json], used: Mapping[str, int]) -> Refusal | None:
    """Why this node does not take the pod. `others` are the pods that it has, `used` what they ask for."""
    return (
        _sysctls(pod)
        or _resources(pod, node, others, used)
        or _affinity(pod, node)
        or _ports(pod, others)
        or _system(pod, node)
        or _taints(pod, node)
    )


def _sysctls(pod: Json) -> Refusal | None:
    for entry in (pod["spec"].get("securityContext") or {}).get("sysctls") or ():
        if entry.get("name") not in _SAFE_SYSCTLS:
            return "SysctlForbidden", f'forbidden sysctl: "{entry.get("name")}" not allowlisted'
    return None


def _resources(pod: Json, node: Json, others: Iterable[Json], used: Mapping[str, int]) -> Refusal | None:
    capacity = numbers((node.get("status") or {}).get("allocatable"))
    count = sum(1 for _ in others)
    if "pods" in capacity and count + 1 > capacity["pods"]:
        return _short("pods", 1, count, capacity["pods"])
    for name, wanted in sorted(pod_requests(pod["spec"], pod.get("status")).items(), key=_usual_order):
        if wanted and wanted > capacity.get(name, 0) - used.get(name, 0):
            return _short(name, wanted, used.get(name, 0), capacity.get(name, 0))
    return None


def _usual_order(item: tuple[str, int]) -> tuple[int, str]:
    usual = ("cpu", "memory", "ephemeral-storage")
    return (usual.index(item[0]) if item[0] in usual else len(usual), item[0])


def _short(name: str, wanted: int, used: int, capacity: int) -> Refusal:
    lead = f"Node didn't have enough resource: {name}"
    return f"OutOf{name}", f"{lead}, requested: {wanted}, used: {used}, capacity: {capacity}"


def _affinity(pod: Json, node: Json) -> Refusal | None:
    spec, labels = pod["spec"], node["metadata"].get("labels") or {}
    required = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(_REQUIRED)
    fits = matches_labels(spec.get("nodeSelector") or {}, labels)
    if fits and (required is None or selector_matches(required, node["metadata"]["name"], labels)):
        return None
    return "NodeAffinity", "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"


def _ports(pod: Json, others: Iterable[Json]) -> Refusal | None:
    wanted = host_ports(pod["spec"])
    if not wanted:
        return None
    taken = {port: 1 for other in others for port in host_ports(other["spec"])}
    if not conflict(wanted, taken):
        return None
    return "NodePorts", "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"


def _system(pod: Json, node: Json) -> Refusal | None:
    wanted = (pod["spec"].get("os") or {}).get("name")
    system = (node["metadata"].get("labels") or {}).get("kubernetes.io/os", "linux")
    if wanted and wanted != system:
        return "PodOSNotSupported", "Failed to admit pod as the OS field doesn't match node OS"
    return None


def _taints(pod: Json, node: Json) -> Refusal | None:
    taints = [taint for taint in node["spec"].get("taints") or () if taint.get("effect") == "NoExecute"]
    if not taints or untolerated(pod["spec"].get("tolerations") or [], taints) is None:
        return None
    text = "Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate"
    return "TaintToleration", text
