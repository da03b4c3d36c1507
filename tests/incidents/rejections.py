"""Pods that a kubelet refused after they were bound, that had to make way, or whose resize does not come to an end."""

from tests.incidents.build import Incident, Json, condition, container, incident, node, running, terminated
from tests.incidents.scheduling import busy, deployment


def rejected(
    made: Incident,
    reason: str,
    message: str,
    *,
    pinned: bool = False,
    prefix: str = "Pod was rejected: ",
    **more: object,
) -> Json:
    """A pod that the kubelet refused, as 1.33 leaves it: no container statuses, phase Failed."""
    name = str(more.pop("name", "web"))
    part = more.pop("container", None) or container(status=False)
    status = {"reason": reason, "message": f"{prefix}{message}"} | dict(more.pop("status", {}))  # type: ignore[call-overload]
    state = [condition("PodScheduled", "True", ago=60)]
    pod = made.pod(name, part, phase="Failed", conditions=state, status=status, ago=60, **more)  # type: ignore[arg-type]
    if pinned:
        made.objects = [o for o in made.objects if not (o["kind"] == "Event" and o["reason"] == "Scheduled")]
    made.event(pod, reason, message, ago=60)
    return pod


@incident
def reject_cpu() -> Incident:
    made = Incident("nodeName past the scheduler, onto a node without room", "pod/web", "reject-out-of-resource")
    text = "Node didn't have enough resource: cpu, requested: 64000, used: 850, capacity: 2000"
    busy_part = container(status=False, resources={"requests": {"cpu": "64"}})
    rejected(made, "OutOfcpu", text, pinned=True, container=busy_part)
    return made


@incident
def reject_pods_old_wording() -> Incident:
    made = Incident("maxPods, as older kubelets word it", "deployment/web", "reject-out-of-resource")
    replicas = deployment(made, replicas=1, ready=0)
    text = "Node didn't have enough resource: pods, requested: 1, used: 110, capacity: 110"
    rejected(made, "OutOfpods", text, prefix="Pod ", name="web-5579d475ff-x62kh", owner=replicas)
    return made


@incident
def reject_node_affinity() -> Incident:
    made = Incident("nodeName and a nodeSelector that the node does not match", "pod/web", "reject-node-affinity")
    text = "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"
    rejected(made, "NodeAffinity", text, pinned=True, spec={"nodeSelector": {"disktype": "nvme"}})
    return made


@incident
def reject_host_port() -> Incident:
    made = Incident("nodeName and a host port that is taken", "pod/web", "reject-host-port")
    ports = [{"containerPort": 80, "hostPort": 8080, "protocol": "TCP"}]
    busy(made, "proxy", container={"ports": ports})
    text = "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"
    rejected(made, "NodePorts", text, pinned=True, container=container(status=False, ports=ports))
    return made


@incident
def reject_taint() -> Incident:
    made = Incident("nodeName onto a node with a NoExecute taint", "pod/web", "reject-taint", nodes=())
    taint = {"key": "dedicated", "value": "db", "effect": "NoExecute"}
    made.add("Node", "node1", namespace="", **node(taints=[taint]))
    text = "Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate"
    rejected(made, "TaintToleration", text, pinned=True)
    return made


@incident
def reject_os() -> Incident:
    made = Incident("a Windows pod on a Linux node", "pod/web", "reject-platform")
    text = "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label"
    spec = {"nodeSelector": {"kubernetes.io/os": "windows"}, "os": {"name": "windows"}}
    rejected(made, "PodOSSelectorNodeLabelDoesNotMatch", text, pinned=True, spec=spec)
    return made


@incident
def reject_device() -> Incident:
    made = Incident("the device plugin has not registered since the reboot", "pod/train", "reject-device")
    inner = "requested number of devices unavailable for nvidia.com/gpu. Requested: 1, Available: 0"
    rejected(made, "UnexpectedAdmissionError", f"Allocate failed due to {inner}, which is unexpected", name="train")
    return made


@incident
def reject_unexpected() -> Incident:
    made = Incident("a kubelet that cannot get at its own node", "pod/web", "reject-unexpected")
    rejected(made, "InvalidNodeInfo", "Kubelet cannot get node info.")
    return made


@incident
def reject_topology() -> Incident:
    made = Incident("single-numa-node cannot be had", "pod/web", "reject-topology")
    rejected(made, "TopologyAffinityError", "Resources cannot be allocated with Topology locality")
    return made


@incident
def reject_smt() -> Incident:
    made = Incident("half a core where whole ones are given out", "pod/web", "reject-smt")
    rejected(made, "SMTAlignmentError", "SMT Alignment Error: requested 1 cpus not multiple cpus per core = 2")
    return made


@incident
def reject_sysctl() -> Incident:
    made = Incident("an unsafe sysctl", "deployment/web", "reject-sysctl")
    replicas = deployment(made, replicas=1, ready=0)
    spec = {"securityContext": {"sysctls": [{"name": "net.core.somaxconn", "value": "1024"}]}}
    for name in ("web-5579d475ff-aaaaa", "web-5579d475ff-bbbbb", "web-5579d475ff-ccccc"):
        text = 'forbidden sysctl: "net.core.somaxconn" not allowlisted'
        rejected(made, "SysctlForbidden", text, name=name, owner=replicas, spec=spec)
    return made


@incident
def reject_apparmor() -> Incident:
    made = Incident("a node without AppArmor", "pod/web", "reject-apparmor")
    rejected(made, "AppArmor", "Cannot enforce AppArmor: AppArmor is not enabled on the host")
    return made


@incident
def reject_node_shutdown() -> Incident:
    made = Incident(
        "bound to a node that was shutting down",
        "pod/web",
        "reject-node-shutdown",
        also=("terminated-by-node-shutdown",),
    )
    rejected(made, "NodeShutdown", "Pod was rejected as the node is shutting down.")
    return made


@incident
def reject_disk_pressure() -> Incident:
    made = Incident("bound to a node under disk pressure, which is over", "pod/web", "reject-node-pressure")
    rejected(made, "Evicted", "The node had condition: [DiskPressure]. ")
    return made


@incident
def reject_supplemental_groups() -> Incident:
    made = Incident("supplementalGroupsPolicy Strict on containerd 1.7", "pod/web", "reject-supplemental-groups")
    text = "SupplementalGroupsPolicy=Strict is not supported in this node"
    rejected(made, "SupplementalGroupsPolicyNotSupported", text)
    return made


@incident
def reject_unknown_feature() -> Incident:
    made = Incident("a reason that came with a later release", "pod/web", "reject-other")
    rejected(made, "PodLevelResourcesNotSupported", "Pod-level resources are not supported on this node")
    return made


@incident
def healthy_rejected_and_replaced() -> Incident:
    made = Incident("healthy: after a reboot a pod was refused, and its Deployment has another", "deployment/web", "")
    replicas = deployment(made, replicas=1)
    labels = {"app": "web"}
    text = "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"
    rejected(made, "NodeAffinity", text, name="web-5579d475ff-aaaaa", owner=replicas, labels=labels)
    busy(made, "web-5579d475ff-x62kh", owner=replicas, labels=labels)
    return made


def resized(made: Incident, kind: str, reason: str, message: str) -> Json:
    """A pod that runs, with a condition about its resize."""
    pod = busy(made, "web")
    pod["status"]["conditions"].append(condition(kind, "True", reason, message, ago=120))
    return pod


@incident
def resize_infeasible() -> Incident:
    made = Incident("resized to more cpu than the node has", "pod/web", "resize-infeasible")
    resized(
        made, "PodResizePending", "Infeasible", "Node didn't have enough capacity: cpu, requested: 4000, capacity: 2000"
    )
    return made


@incident
def resize_deferred() -> Incident:
    made = Incident("resized to more memory than is free", "pod/web", "resize-deferred")
    text = "Node didn't have enough resource: memory, requested: 3221225472, used: 2147483648, capacity: 4124958720"
    resized(made, "PodResizePending", "Deferred", text)
    return made


@incident
def resize_error() -> Incident:
    made = Incident("a memory limit below what is in use", "pod/web", "resize-failing")
    text = "attempting to set pod memory limit (67108864) below current usage (104857600)"
    resized(made, "PodResizeInProgress", "Error", text)
    return made


@incident
def healthy_resizing() -> Incident:
    made = Incident("healthy: a resize that is being carried out", "pod/web", "")
    resized(made, "PodResizeInProgress", "", "")
    return made


@incident
def preempted_by_kubelet() -> Incident:
    made = Incident("a static pod needed the room", "pod/web", "preempted-by-kubelet")
    target = condition(
        "DisruptionTarget",
        "True",
        "TerminationByKubelet",
        "Pod was preempted by Kubelet to accommodate a critical pod.",
        ago=60,
    )
    ended = container(state=terminated(137, "Error", ago=60, ran=500))
    status = {"reason": "Preempting", "message": "Preempted in order to admit critical pod"}
    pod = made.pod("web", ended, phase="Failed", conditions=[target], status=status)
    made.event(pod, "Preempting", "Preempted in order to admit critical pod", ago=60)
    return made


@incident
def healthy_preempted_by_kubelet_and_replaced() -> Incident:
    made = Incident("healthy: a critical pod took the room of one that has been replaced", "deployment/web", "")
    replicas, labels = deployment(made, replicas=1), {"app": "web"}
    status = {"reason": "Preempting", "message": "Preempted in order to admit critical pod"}
    ended = container(state=terminated(0, "Completed", ago=60, ran=500))
    made.pod("web-5579d475ff-aaaaa", ended, phase="Failed", conditions=[], status=status, owner=replicas, labels=labels)
    running_well = container(state=running(50), ready=True)
    made.pod("web-5579d475ff-x62kh", running_well, ready=True, owner=replicas, labels=labels, ago=55)
    return made
