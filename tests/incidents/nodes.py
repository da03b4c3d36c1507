"""Nodes: conditions, and what the journals of kubelet, runtime and kernel say of them."""

from typing import Any

from tests.incidents.build import (
    Incident,
    Json,
    at,
    condition,
    container,
    incident,
    node,
    owner_reference,
    running,
    terminated,
    waiting,
)

SOCKET = "/run/containerd/containerd.sock"
DIAL = (
    'err="rpc error: code = Unavailable desc = connection error: desc = \\"transport: Error while dialing: dial unix'
    f' {SOCKET}: connect: no such file or directory\\""'
)
NOT_READY = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
UNREACHABLE = [
    {"key": "node.kubernetes.io/unreachable", "effect": effect} for effect in ("NoSchedule", "NoExecute")
]
NO_CNI = (
    "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns"
    " error: cni plugin not initialized"
)
SILENT = "Kubelet stopped posting node status."


def klog(level: str, source: str, text: str, pid: int = 1296) -> str:
    """A line of a component that logs as Kubernetes does."""
    return f"{level}1121 22:39:30.104512    {pid} {source}] {text}"


def node_incident(title: str, rule: str, *, also: tuple[str, ...] = (), **parts: Any) -> Incident:
    """An incident of node1, as its Ready condition has it."""
    made = Incident(title, "node/node1", rule, also=also)
    made.add("Node", "node1", namespace="", **node(**parts))
    made.add("Lease", "node1", namespace="kube-node-lease", spec={"holderIdentity": "node1", "renewTime": at(4)})
    return made


def silent_node(made: Incident, ago: float = 180) -> None:
    """node1 as the node controller marks it when no heartbeat comes."""
    parts = node(
        ready="Unknown", reason="NodeStatusUnknown", message=SILENT, ago=ago, taints=UNREACHABLE,
        conditions=[condition(k, "Unknown", "NodeStatusUnknown", SILENT, ago) for k in ("MemoryPressure", "DiskPressure", "PIDPressure")],
    )  # fmt: skip
    made.add("Node", "node1", namespace="", **parts)
    made.add("Lease", "node1", namespace="kube-node-lease", spec={"holderIdentity": "node1", "renewTime": at(ago + 50)})


def pending(made: Incident, taint: str, name: str = "web-7d4b9c6f5-x2x9p") -> Json:
    """A pod that the scheduler places nowhere because of a taint."""
    said = (
        f"0/1 nodes are available: 1 node(s) had untolerated taint {{{taint}: }}. preemption: 0/1 nodes are available:"
        " 1 Preemption is not helpful for scheduling."
    )
    pod = made.pod(
        name, container(status=False), node=None, phase="Pending", conditions=[condition("PodScheduled", "False", "Unschedulable", said, 90)],
    )  # fmt: skip
    made.event(pod, "FailedScheduling", said, by="default-scheduler", ago=90)
    return pod


def start_noise(made: Incident, ago: float = 3000) -> None:
    """What every start of a kubelet leaves behind."""
    of = next(o for o in made.objects if o["kind"] == "Node")
    made.event(of, "Starting", "Starting kubelet.", kind="Normal", ago=ago)
    made.event(of, "CgroupV1", "cgroup v1 support is in maintenance mode, please migrate to cgroup v2", ago=ago)
    made.event(of, "InvalidDiskCapacity", "invalid capacity 0 on image filesystem", ago=ago)
    made.event(of, "NodeAllocatableEnforced", "Updated Node Allocatable limit across pods", kind="Normal", ago=ago)
    made.event(of, "RegisteredNode", "Node node1 event: Registered Node node1 in Controller", kind="Normal", by="node-controller", ago=ago - 5)
    made.event(of, "NodeReady", "Node node1 status is now: NodeReady", kind="Normal", ago=ago - 3)


START_LINES = (
    klog("E", "log.go:32", '"RuntimeConfig from runtime service failed" err="rpc error: code = Unimplemented desc = unknown method RuntimeConfig for service runtime.v1.RuntimeService"'),
    klog("E", "server.go:1291", '"Failed to set rlimit on max file handles" err="operation not permitted"'),
    klog("E", "kubelet.go:2475", '"Skipping pod synchronization" err="[container runtime status check may not have completed yet, PLEG is not healthy: pleg has yet to be successful]"'),
    klog("E", "kubelet.go:1618", '"Image garbage collection failed once. Stats initialization may not have completed yet" err="invalid capacity 0 on image filesystem"'),
    klog("E", "manager.go:517", '"Failed to read data from checkpoint" err="checkpoint is not found" checkpoint="kubelet_internal_checkpoint"'),
    klog("E", "kubelet_node_status.go:106", '"Unable to register node with API server" err="Post \\"https://192.0.2.1:6443/api/v1/nodes\\": dial tcp 192.0.2.1:6443: connect: connection refused" node="node1"'),
    klog("E", "controller.go:145", '"Failed to ensure lease exists, will retry" err="Get \\"https://192.0.2.1:6443/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node1?timeout=10s\\": dial tcp 192.0.2.1:6443: connect: connection refused" interval="200ms"'),
    klog("E", "controller.go:145", '"Failed to ensure lease exists, will retry" err="Get \\"https://192.0.2.1:6443/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node1?timeout=10s\\": dial tcp 192.0.2.1:6443: connect: connection refused" interval="400ms"'),
    klog("I", "kubelet_node_status.go:78", '"Successfully registered node" node="node1"'),
)  # fmt: skip


@incident
def healthy_kubelet_just_started() -> Incident:
    made = node_incident("healthy: a kubelet that started a moment ago, with what it complains of before it is registered", "", ago=25)
    made.subject = "pod/web"
    made.pod("web", container(state=running(20), ready=True), ready=True, ago=20)
    start_noise(made, 28)
    made.journal("kubelet", *START_LINES, ago=22)
    return made


@incident
def healthy_runtime_came_back() -> Incident:
    made = node_incident("healthy: containerd was down for a while, and answers again", "", ago=60)
    made.pod("web", container(state=running(500), ready=True), ready=True)
    of = next(o for o in made.objects if o["kind"] == "Node")
    made.event(of, "NodeNotReady", "Node node1 status is now: NodeNotReady", kind="Normal", ago=150)
    made.event(of, "ContainerGCFailed", DIAL[5:-1].replace("\\", ""), count=3, ago=80, first=200)
    made.event(of, "NodeReady", "Node node1 status is now: NodeReady", kind="Normal", ago=60)
    dead = [klog("E", "kubelet.go:3117", f'"Container runtime sanity check failed" {DIAL}')] * 5
    made.journal("kubelet", *dead, klog("E", "kubelet.go:2475", '"Skipping pod synchronization" err="container runtime is down"'), ago=70)
    made.journal("kubelet", klog("I", "kubelet.go:2569", '"SyncLoop (PLEG): event for pod" pod="shop/web"'), ago=55)
    made.journal("containerd", 'time="2026-11-21T22:36:10Z" level=info msg="Stop CRI service"', ago=230)
    made.journal("containerd", 'time="2026-11-21T22:38:55Z" level=info msg="containerd successfully booted in 0.019968s"', ago=65)
    return made


@incident
def healthy_old_node_events() -> Incident:
    made = node_incident("healthy: events of troubles that are over", "")
    made.pod("web", container(state=running(500), ready=True), ready=True)
    start_noise(made)
    of = next(o for o in made.objects if o["kind"] == "Node")
    made.event(of, "EvictionThresholdMet", "Attempting to reclaim memory", count=12, ago=300, first=420)
    made.event(of, "NodeHasInsufficientMemory", "Node node1 status is now: NodeHasInsufficientMemory", kind="Normal", ago=420)
    made.event(of, "NodeHasDiskPressure", "Node node1 status is now: NodeHasDiskPressure", kind="Normal", ago=700)
    made.event(of, "NodeNotSchedulable", "Node node1 status is now: NodeNotSchedulable", kind="Normal", ago=800)
    made.event(of, "NodeSchedulable", "Node node1 status is now: NodeSchedulable", kind="Normal", ago=780)
    made.event(of, "Rebooted", "Node node1 has been rebooted, boot id: 73595f86-4325-4fad-aeb0-9771479c10e1", ago=3000)
    return made


@incident
def healthy_kubelet_failed_once() -> Incident:
    made = node_incident("healthy: the kubelet gave up once because containerd was slower, and runs since", "", ago=300)
    fatal = f'"command failed" err="failed to run Kubelet: validate service connection: validate CRI v1 runtime API for endpoint \\"unix://{SOCKET}\\": {DIAL[5:]}'
    made.journal("kubelet", klog("E", "run.go:72", fatal, 900), ago=360)
    made.journal("kubelet", klog("I", "server.go:530", '"Kubelet version" kubeletVersion="v1.33.0"', 950), ago=350)
    made.journal("kubelet", klog("I", "kubelet.go:2537", '"SyncLoop ADD" source="api" pods=["shop/web"]', 950), ago=100)
    return made


@incident
def node_runtime_down_before_condition() -> Incident:
    made = node_incident("containerd went away seconds ago; the node's condition still says Ready", "node-runtime-down")
    for text in ('"Status from runtime service failed"', '"Container runtime sanity check failed"') * 3:
        made.journal("kubelet", klog("E", "kubelet.go:3117", f"{text} {DIAL}"), ago=3)
    made.journal("kubelet", klog("E", "generic.go:256", f'"GenericPLEG: Unable to retrieve pods" {DIAL}'), ago=1)
    return made


@incident
def node_runtime_down_docker() -> Incident:
    said = (
        "[container runtime is down, container runtime not ready: RuntimeReady=false reason:DockerDaemonNotReady message:"
        "docker: failed to get docker version: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?]"
    )
    made = Incident("dockerd is down, and a pod waits on the node", "deployment/web", "node-runtime-down", also=("workload-not-ready",))
    made.add("Node", "node1", namespace="", **node(ready="False", reason="KubeletNotReady", message=said, ago=120, taints=[NOT_READY]))
    app = made.add("Deployment", "web", spec={"replicas": 1, "selector": {"matchLabels": {"app": "web"}}}, status={"replicas": 1, "unavailableReplicas": 1})
    replicas = made.add("ReplicaSet", "web-7d4b9c6f5", metadata={"ownerReferences": [owner_reference(app)]}, spec={"replicas": 1}, status={"replicas": 1})
    made.pod("web-7d4b9c6f5-abcde", container(), owner=replicas, phase="Pending", ago=100)
    return made


@incident
def node_pleg_unhealthy() -> Incident:
    said = "PLEG is not healthy: pleg was last seen active 3m7.318465182s ago; threshold is 3m0s"
    return node_incident("the container runtime hangs", "node-pleg-unhealthy", ready="False", reason="KubeletNotReady", message=said, ago=20, taints=[NOT_READY])


@incident
def node_cni_not_initialized() -> Incident:
    made = Incident("no network plugin was installed", "deployment/web", "node-cni-not-initialized")
    made.add("Node", "node1", namespace="", **node(ready="False", reason="KubeletNotReady", message=NO_CNI, ago=900, taints=[NOT_READY]))
    app = made.add("Deployment", "web", spec={"replicas": 1, "selector": {"matchLabels": {"app": "web"}}}, status={"replicas": 0})
    made.add("ReplicaSet", "web-7d4b9c6f5", metadata={"ownerReferences": [owner_reference(app)]}, spec={"replicas": 0}, status={"replicas": 0})
    made.subject = "node/node1"
    config = "cni config load failed: no network config found in /etc/cni/net.d: cni plugin not initialized: failed to load cni config"
    text = f'level=error msg="failed to load cni during init, please check CRI plugin status before setting up network for pods" error="{config}"'
    made.journal("containerd", f'time="2026-11-21T22:24:10.1Z" {text}', ago=900)
    line = NO_CNI.removeprefix("container runtime network not ready: ")
    made.journal("kubelet", *[klog("E", "kubelet.go:3132", f'"Container runtime network not ready" networkReady="{line}"')] * 3, ago=2)
    return made


@incident
def node_cni_config_gone() -> Incident:
    made = node_incident("the CNI configuration was moved away seconds ago; the node still says Ready", "node-cni-not-initialized")
    line = NO_CNI.removeprefix("container runtime network not ready: ")
    made.journal("kubelet", *[klog("E", "kubelet.go:3132", f'"Container runtime network not ready" networkReady="{line}"')] * 3, ago=2)
    return made


@incident
def node_system_oom_kernel() -> Incident:
    made = node_incident("the kernel killed a process because the node had no memory left", "node-system-oom-kernel")
    made.journal("kernel", "Out of memory: Killed process 31337 (stress) total-vm:25046540kB, anon-rss:24032000kB, file-rss:248kB, shmem-rss:0kB, UID:0 pgtables:49120kB oom_score_adj:1000", ago=120)
    return made


@incident
def healthy_node_cgroup_oom() -> Incident:
    made = node_incident("healthy: the kernel killed a process at the limit of its container", "")
    made.journal("kernel", "Memory cgroup out of memory: Killed process 31337 (stress) total-vm:25046540kB, anon-rss:32000kB, file-rss:248kB, shmem-rss:0kB, UID:0 pgtables:120kB oom_score_adj:1000", ago=120)
    return made


@incident
def node_cni_config_removed() -> Incident:
    made = node_incident("the CNI configuration was removed; containerd's journal saw it", "node-cni-not-initialized",
                         ready="False", reason="KubeletNotReady", message=NO_CNI, ago=120, taints=[NOT_READY])  # fmt: skip
    config = "cni config load failed: no network config found in /etc/cni/net.d: cni plugin not initialized: failed to load cni config"
    text = 'failed to reload cni configuration after receiving fs change event(\\"/etc/cni/net.d/10-flannel.conflist\\": REMOVE)'
    made.journal("containerd", f'time="2026-11-21T22:38:00.1Z" level=error msg="{text}" error="{config}"', ago=120)
    line = NO_CNI.removeprefix("container runtime network not ready: ")
    made.journal("kubelet", *[klog("E", "kubelet.go:3132", f'"Container runtime network not ready" networkReady="{line}"')] * 3, ago=2)
    return made


@incident
def node_calico_creating() -> Incident:
    made = node_incident("calico's pod on the node does not come up", "cni-plugin-pod-failing", also=("workload-not-ready",),
                         ready="False", reason="KubeletNotReady", message=NO_CNI, ago=900, taints=[NOT_READY])  # fmt: skip
    daemons = made.add("DaemonSet", "calico-node", namespace="kube-system", spec={}, status={"desiredNumberScheduled": 1, "numberReady": 0})
    state = container("calico-node", "docker.io/calico/node:v3.28.0")
    made.pod("calico-node-8xk2p", state, owner=daemons, namespace="kube-system", phase="Pending", spec={"hostNetwork": True}, ago=880)
    return made


@incident
def node_kubelet_stopped() -> Incident:
    made = node_incident("somebody stopped the kubelet", "node-kubelet-silent")
    silent_node(made)
    made.journal("kubelet", klog("I", "kubelet.go:2569", '"SyncLoop (PLEG): event for pod" pod="shop/web"'), ago=300)
    made.journal("kubelet", klog("I", "dynamic_cafile_content.go:175", '"Shutting down controller" name="client-ca-bundle::/etc/kubernetes/pki/ca.crt"'), ago=235)
    return made


@incident
def node_kubelet_just_stopped() -> Incident:
    made = node_incident("systemd stopped the kubelet seconds ago; the node still says Ready", "node-kubelet-stopped")
    made.journal("kubelet", klog("I", "kubelet.go:2569", '"SyncLoop (PLEG): event for pod" pod="shop/web"'), ago=60)
    made.journal("kubelet", klog("I", "dynamic_cafile_content.go:175", '"Shutting down controller" name="client-ca-bundle::/etc/kubernetes/pki/ca.crt"'), ago=40)
    return made


@incident
def ready_node_silent() -> Incident:
    made = Incident("a pod is not ready because its node does not report", "pod/web", "node-kubelet-silent", also=("node-not-ready-event",))
    silent_node(made)
    pod = made.pod("web", container(state=running(3000), ready=True), ready=False, ago=3000,
                   conditions=[condition("Ready", "False", ago=180), condition("ContainersReady", "True", ago=3000), condition("PodScheduled", "True", ago=3000)])  # fmt: skip
    made.event(pod, "NodeNotReady", "Node is not ready", by="node-controller", ago=180)
    return made


@incident
def nodes_all_silent() -> Incident:
    made = Incident("no node reports: the API server's certificate was renewed badly", "node/node1", "all-nodes-down",
                    nodes=("node1", "node2"))  # fmt: skip
    silent_node(made)
    made.add("Node", "node2", namespace="", **node(ready="Unknown", reason="NodeStatusUnknown", message=SILENT, ago=185, taints=UNREACHABLE, name="node2"))
    return made


@incident
def term_node_silent() -> Incident:
    made = Incident("a deleted pod cannot end because its node does not answer", "pod/db-0", "terminating-node-down", also=("node-kubelet-silent",))
    silent_node(made, 400)
    made.pod("db-0", container("db", state=running(90000), ready=True), ago=90000, conditions=[condition("Ready", "False", ago=400)],
             metadata={"deletionTimestamp": at(70), "deletionGracePeriodSeconds": 30})  # fmt: skip
    return made


@incident
def term_runtime_down() -> Incident:
    made = Incident("a deleted pod cannot end because containerd is down", "pod/web", "terminating-runtime-down", also=("node-runtime-down",))
    made.add("Node", "node1", namespace="", **node(ready="False", reason="KubeletNotReady", message="container runtime is down", ago=120, taints=[NOT_READY]))
    made.pod("web", container(state=running(900), ready=True), ready=True, ago=900,
             metadata={"deletionTimestamp": at(40), "deletionGracePeriodSeconds": 30})  # fmt: skip
    made.journal("kubelet", *[klog("E", "kubelet.go:3117", f'"Container runtime sanity check failed" {DIAL}')] * 3, ago=1)
    return made


@incident
def node_gone_with_pod() -> Incident:
    made = Incident("the Node object was deleted under a pod that runs", "pod/web", "pod-lost-with-node", nodes=("node2",))
    made.pod("web", container(state=running(900), ready=True), node="node1", ago=900, conditions=[condition("Ready", "False", ago=60)])
    return made


@incident
def node_not_ready_other() -> Incident:
    said = "failed to initialize CSINodeInfo: something unheard of"
    return node_incident("the kubelet is not ready for a reason no rule knows", "node-not-ready", ready="False", reason="KubeletNotReady", message=said, taints=[NOT_READY])


@incident
def node_shutting_down() -> Incident:
    return node_incident("the machine is being shut down", "node-shutting-down", ready="False", reason="KubeletNotReady", message="node is shutting down", ago=15)


@incident
def node_capacity_missing() -> Incident:
    said = "missing node capacity for resources: ephemeral-storage"
    return node_incident("cAdvisor does not tell the size of the disk", "node-capacity-missing", ready="False", reason="KubeletNotReady", message=said)


@incident
def node_csinode_missing() -> Incident:
    said = "CSINode is not yet initialized"
    return node_incident("the CSINode object cannot be written", "node-csinode-not-initialized", ready="False", reason="KubeletNotReady", message=said)


@incident
def node_disk_pressure() -> Incident:
    taint = {"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule"}
    made = node_incident("the disk is nearly full", "node-disk-pressure", taints=[taint],
                         conditions=[condition("DiskPressure", "True", "KubeletHasDiskPressure", "kubelet has disk pressure", 200)])  # fmt: skip
    of = next(o for o in made.objects if o["kind"] == "Node")
    made.event(of, "EvictionThresholdMet", "Attempting to reclaim ephemeral-storage", count=20, ago=8, first=200)
    said = "Failed to garbage collect required amount of images. Attempted to free 2147483648 bytes, but only found 0 bytes eligible to free."
    made.event(of, "FreeDiskSpaceFailed", said, ago=100)
    return made


@incident
def node_pid_pressure() -> Incident:
    taint = {"key": "node.kubernetes.io/pid-pressure", "effect": "NoSchedule"}
    return node_incident("a fork bomb", "node-pid-pressure", taints=[taint],
                         conditions=[condition("PIDPressure", "True", "KubeletHasInsufficientPID", "kubelet has insufficient PID available", 100)])  # fmt: skip


@incident
def node_network_unavailable() -> Incident:
    taint = {"key": "node.kubernetes.io/network-unavailable", "effect": "NoSchedule"}
    said = condition("NetworkUnavailable", "True", "NoRouteCreated", "RouteController failed to create a route", 500)
    return node_incident("the cloud's route controller fails", "node-network-unavailable", taints=[taint], conditions=[said])


@incident
def healthy_node_cordoned() -> Incident:
    made = node_incident("healthy: a node that somebody cordoned", "", unschedulable=True, taints=[{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}])
    made.pod("web", container(state=running(500), ready=True), ready=True)
    made.subject = "pod/web"
    return made


@incident
def healthy_node_tainted() -> Incident:
    return node_incident("healthy: a node for some pods only", "", taints=[{"key": "dedicated", "value": "batch", "effect": "NoSchedule"}])


@incident
def node_problem_detected() -> Incident:
    said = condition("ReadonlyFilesystem", "True", "FilesystemIsReadOnly", "Remounting filesystem read-only", 300)
    return node_incident("the node problem detector sees a read-only file system", "node-problem-condition", conditions=[said])


@incident
def healthy_node_rebooted_lately() -> Incident:
    made = Incident("healthy: the node was rebooted two minutes ago, and all is well again", "pod/web", "")
    of = next(o for o in made.objects if o["kind"] == "Node")
    made.event(of, "Rebooted", "Node node1 has been rebooted, boot id: 73595f86-4325-4fad-aeb0-9771479c10e1", ago=120)
    state = container(state=running(110), last=terminated(255, "Unknown", ago=115, ran=6000), restarts=1, ready=True)
    pod = made.pod("web", state, ready=True, ago=7000)
    made.event(pod, "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.", kind="Normal", ago=115)
    return made


@incident
def node_system_oom() -> Incident:
    made = node_incident("the whole node ran out of memory", "node-system-oom")
    of = next(o for o in made.objects if o["kind"] == "Node")
    made.event(of, "SystemOOM", "System OOM encountered, victim process: python3, pid: 31873", ago=60)
    return made


@incident
def node_kernel_fault() -> Incident:
    made = node_incident("the disk under the node fails", "node-kernel-fault")
    made.journal("kernel", "Buffer I/O error on dev sda1, logical block 262144, lost async page write",
                 "EXT4-fs error (device sda1): ext4_find_entry:1455: inode #2: comm kubelet: reading directory lblock 0")  # fmt: skip
    return made


@incident
def node_conntrack_full() -> Incident:
    made = node_incident("the connection tracking table is full", "node-conntrack-full")
    made.journal("kernel", "nf_conntrack: nf_conntrack: table full, dropping packet", ago=5)
    return made


@incident
def node_image_gc_failed() -> Incident:
    made = node_incident("images could not be cleaned up", "node-image-gc-failed")
    made.subject = "node/node1"
    of = next(o for o in made.objects if o["kind"] == "Node")
    made.event(of, "ImageGCFailed", "failed to get imageFs info: unable to find data in memory cache", count=3, ago=90, first=700)
    made.title = "healthy: " + made.title
    made.rule = ""
    return made


@incident
def node_cidr_exhausted() -> Incident:
    made = node_incident("no range is left for the node's pods", "node-cidr-exhausted")
    of = next(o for o in made.objects if o["kind"] == "Node")
    made.event(of, "CIDRNotAvailable", "Node node1 status is now: CIDRNotAvailable", kind="Normal", by="cidrAllocator", count=4, ago=30)
    return made


def api_errors(made: Incident, error: str) -> None:
    """Three attempts to renew the Lease that fail."""
    lease = "https://192.0.2.1:6443/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node1?timeout=10s"
    lines = [klog("E", "controller.go:195", f'"Failed to update lease" err="Put \\"{lease}\\": {error}"')] * 3
    made.journal("kubelet", *lines, klog("E", "kubelet_node_status.go:585", f'"Error updating node status, will retry" err="error getting node \\"node1\\": Get \\"https://192.0.2.1:6443/api/v1/nodes/node1?timeout=10s\\": {error}"'), ago=3)


@incident
def node_api_unreachable() -> Incident:
    made = node_incident("the kubelet runs and cannot reach the API server", "kubelet-api-unreachable")
    silent_node(made)
    api_errors(made, "dial tcp 192.0.2.1:6443: i/o timeout")
    return made


@incident
def node_api_refused() -> Incident:
    made = node_incident("the API server's port refuses the kubelet; the node still counts as Ready", "kubelet-api-unreachable")
    made.add("Lease", "node1", namespace="kube-node-lease", spec={"holderIdentity": "node1", "renewTime": at(35)})
    api_errors(made, "dial tcp 192.0.2.1:6443: connect: connection refused")
    return made


@incident
def healthy_api_restarted() -> Incident:
    made = node_incident("healthy: the API server was restarted, and the kubelet has renewed its Lease since", "")
    api_errors(made, "dial tcp 192.0.2.1:6443: connect: connection refused")
    noise = '"Unhandled Error" err="object-\\"shop\\"/\\"db\\": Failed to watch *v1.Secret: failed to list *v1.Secret: secrets \\"db\\" is forbidden: User \\"system:node:node1\\" cannot list resource \\"secrets\\" in API group \\"\\" in the namespace \\"shop\\": no relationship found between node \'node1\' and this object"'
    made.journal("kubelet", *[klog("E", "reflector.go:166", noise)] * 4, ago=2)
    made.add("Lease", "node1", namespace="kube-node-lease", spec={"holderIdentity": "node1", "renewTime": at(0)})
    return made


@incident
def node_certificate_expired() -> Incident:
    made = node_incident("a certificate has expired", "kubelet-certificate-expired")
    silent_node(made)
    api_errors(made, "tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2026-11-21T22:39:30Z is after 2026-11-20T10:00:00Z")
    return made


@incident
def node_clock_behind() -> Incident:
    made = node_incident("the node's clock is days behind", "node-clock-skew")
    silent_node(made)
    api_errors(made, "tls: failed to verify certificate: x509: certificate is not yet valid: current time 2026-11-19T22:39:30Z is before 2026-11-20T10:00:00Z")
    return made


@incident
def node_clock_ahead() -> Incident:
    made = node_incident("the node's clock is minutes ahead", "node-lease-in-future")
    made.add("Lease", "node1", namespace="kube-node-lease", spec={"holderIdentity": "node1", "renewTime": at(-300)})
    return made


@incident
def node_credentials_refused() -> Incident:
    made = node_incident("the kubelet's certificate carries another node's name", "kubelet-unauthorized")
    silent_node(made)
    denied = 'nodes \\"node1\\" is forbidden: node \\"node9\\" is not allowed to modify node \\"node1\\"'
    made.journal("kubelet", *[klog("E", "kubelet_node_status.go:110", f'"Unable to register node with API server, reason is forbidden" err="{denied}" node="node1"')] * 4, ago=2)
    return made


@incident
def node_never_registered() -> Incident:
    made = Incident("the node joined with an old token and never registered", "node/node7", "node-never-registered", also=("kubelet-unauthorized",))
    lines = [klog("E", "kubelet_node_status.go:106", '"Unable to register node with API server" err="Unauthorized" node="node7"')] * 4
    made.journal("kubelet", *lines, klog("E", "kubelet_node_status.go:561", '"Error getting the current node from lister" err="node \\"node7\\" not found"'), node="node7", ago=2)
    return made


def start_failure(title: str, rule: str, error: str, also: tuple[str, ...] = (), line: str = "") -> Incident:
    """A kubelet that systemd starts again and again, and that ends with the same error each time."""
    made = node_incident(title, rule, also=also)
    silent_node(made)
    for pid in (7001, 7010, 7022):
        lines = [klog("I", "server.go:530", '"Kubelet version" kubeletVersion="v1.33.0"', pid), line or klog("E", "run.go:72", f'"command failed" err="{error}"', pid)]
        made.journal("kubelet", *lines, ago=7 + 10 * (7022 - pid) / 9)
    return made


@incident
def node_kubelet_unknown_error() -> Incident:
    return start_failure("the kubelet ends with an error no rule knows", "kubelet-cannot-start", "failed to run Kubelet: failed to create kubelet: something unheard of")


@incident
def node_kubelet_no_runtime() -> Incident:
    error = f'failed to run Kubelet: validate service connection: validate CRI v1 runtime API for endpoint \\"unix://{SOCKET}\\": {DIAL[5:-1]}'
    return start_failure("the kubelet cannot start because containerd is down", "kubelet-runtime-not-answering", error, also=("node-runtime-down",))


@incident
def node_kubelet_cri_disabled() -> Incident:
    error = f'failed to run Kubelet: validate service connection: validate CRI v1 runtime API for endpoint \\"unix://{SOCKET}\\": rpc error: code = Unimplemented desc = unknown service runtime.v1.RuntimeService'
    return start_failure("containerd's CRI plugin is disabled", "kubelet-cri-not-served", error)


@incident
def node_kubelet_config_missing() -> Incident:
    error = 'failed to load kubelet config file, path: /var/lib/kubelet/config.yaml, error: failed to load Kubelet config file /var/lib/kubelet/config.yaml, error failed to read kubelet config file \\"/var/lib/kubelet/config.yaml\\", error: open /var/lib/kubelet/config.yaml: no such file or directory'
    return start_failure("the kubelet's configuration file is not there", "kubelet-config-invalid", error)


@incident
def node_kubelet_unknown_flag() -> Incident:
    return start_failure("the kubelet is given a flag that was removed", "kubelet-config-invalid", "failed to parse kubelet flag: unknown flag: --network-plugin")


@incident
def node_kubelet_swap_on() -> Incident:
    error = "failed to run Kubelet: running with swap on is not supported, please disable swap or set --fail-swap-on flag to false"
    return start_failure("swap is on", "kubelet-swap-on", error)


@incident
def node_kubelet_cgroup_driver() -> Incident:
    error = 'failed to run Kubelet: misconfiguration: kubelet cgroup driver: \\"systemd\\" is different from docker cgroup driver: \\"cgroupfs\\"'
    return start_failure("kubelet and dockerd use different cgroup drivers", "kubelet-cgroup-driver", error)


@incident
def node_kubelet_cgroup_v1() -> Incident:
    error = "kubelet is configured to not run on a host using cgroup v1. cgroup v1 support is in maintenance mode"
    return start_failure("the host has cgroup v1", "kubelet-cgroup-v1", error)


@incident
def node_kubelet_port_taken() -> Incident:
    line = klog("E", "server.go:253", '"Failed to listen and serve" err="listen tcp 0.0.0.0:10250: bind: address already in use"', 7022)
    return start_failure("another kubelet has the port", "kubelet-port-in-use", "", line=line)


@incident
def node_kubelet_reserved() -> Incident:
    error = '\\"Failed to start ContainerManager\\" err=\\"invalid Node Allocatable configuration. Resource \\"memory\\" has a reservation of {{6442450944 0} {<nil>} 6Gi BinarySI} but capacity of {{4124958720 0} {<nil>} 4028280Ki BinarySI}. Expected capacity >= reservation.\\"'
    text = error.replace('\\"Failed to start ContainerManager\\" err=\\"', "").removesuffix('\\"')
    line = klog("E", "kubelet.go:1706", f'"Failed to start ContainerManager" err="{text}"', 7022)
    return start_failure("more is reserved than the node has", "kubelet-reserved-invalid", "", line=line)


@incident
def node_kubelet_checkpoint() -> Incident:
    text = 'start cpu manager error: could not restore state from checkpoint: configured policy \\"static\\" differs from state checkpoint policy \\"none\\", please drain this node and delete the CPU manager checkpoint file \\"/var/lib/kubelet/cpu_manager_state\\" before restarting Kubelet'
    line = klog("E", "kubelet.go:1706", f'"Failed to start ContainerManager" err="{text}"', 7022)
    return start_failure("the CPU manager's state file is of another policy", "kubelet-checkpoint-corrupt", "", line=line)


@incident
def node_kubelet_client_certificate() -> Incident:
    error = "failed to run Kubelet: unable to load bootstrap kubeconfig: stat /etc/kubernetes/bootstrap-kubelet.conf: no such file or directory"
    made = start_failure("the kubelet's client certificate has expired", "kubelet-client-certificate-ended", error)
    first = klog("E", "bootstrap.go:266", 'part of the existing bootstrap client certificate in /etc/kubernetes/kubelet.conf is expired: 2026-11-20 10:00:00 +0000 UTC', 7022)
    made.journals["node1", "kubelet"].insert(0, (made.journals["node1", "kubelet"][0][0] - 1, first))
    return made


@incident
def node_static_pod_invalid() -> Incident:
    made = node_incident("a static pod's manifest has a mistake", "static-pod-manifest-invalid")
    text = '"Could not process manifest file" err="/etc/kubernetes/manifests/proxy.yaml: couldn\'t parse as pod(yaml: line 7: mapping values are not allowed in this context), please check config file" path="/etc/kubernetes/manifests/proxy.yaml"'
    made.journal("kubelet", klog("E", "file.go:188", text), ago=12)
    return made


@incident
def node_static_pod_rejected() -> Incident:
    made = node_incident("a static pod refers to a Secret", "static-pod-mirror-rejected")
    text = '"Failed creating a mirror pod" err="pods \\"proxy-node1\\" is forbidden: node \\"node1\\" can not create pods that reference secrets" pod="kube-system/proxy-node1"'
    made.journal("kubelet", klog("E", "kubelet.go:3342", text), ago=30)
    return made


@incident
def node_static_pod_twice() -> Incident:
    made = Incident("a copy of a static pod's manifest lies beside it", "pod/proxy-node1", "static-pod-duplicate")
    pod = made.pod("proxy-node1", container(state=running(900), ready=True), ready=True, ago=900,
                   metadata={"annotations": {"kubernetes.io/config.mirror": "5f1c", "kubernetes.io/config.source": "file"}})  # fmt: skip
    made.event(pod, "FailedValidation", 'Error validating pod proxy-node1_shop(5f1c) from file due to duplicate pod name "proxy-node1", ignoring', ago=20)
    return made


@incident
def healthy_static_pod_folder_missing() -> Incident:
    made = node_incident("healthy: the folder for static pods is not there", "")
    made.journal("kubelet", klog("E", "file_linux.go:61", '"Unable to read config path" err="path does not exist, ignoring" path="/etc/kubernetes/manifests"'), ago=12)
    return made


@incident
def node_control_plane_crashing() -> Incident:
    made = node_incident("etcd ends again and again", "control-plane-container-failing")
    text = '"Error syncing pod, skipping" err="failed to \\"StartContainer\\" for \\"etcd\\" with CrashLoopBackOff: \\"back-off 2m40s restarting failed container=etcd pod=etcd-node1_kube-system(77e1)\\"" pod="kube-system/etcd-node1" podUID="77e1"'
    made.journal("kubelet", klog("E", "pod_workers.go:1301", text), ago=12)
    return made


@incident
def wait_node_authorizer() -> Incident:
    made = Incident("the kubelet may not read the pod's Secret", "pod/web", "kubelet-authorizer-denied", also=("volume-secret-forbidden",))
    pod = made.pod("web", container(state=waiting("ContainerCreating")), phase="Pending")
    text = 'Couldn\'t get secret shop/db: secrets \\"db\\" is forbidden: User \\"system:node:node9\\" cannot get resource \\"secrets\\" in API group \\"\\" in the namespace \\"shop\\": no relationship found between node \'node9\' and this object'
    made.journal("kubelet", klog("E", "pod_workers.go:1301", f'"Error syncing pod, skipping" err="{text}" pod="shop/web" podUID="{pod["metadata"]["uid"]}"'), ago=8)
    return made
