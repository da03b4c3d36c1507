"""Pods that their node, its kubelet or a taint ended."""

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
)

STEM = "web-7d4b9c6f5"


def deployment(made: Incident, *, ready: int = 0, wanted: int = 1) -> Json:
    """A Deployment with its ReplicaSet; the ReplicaSet is handed back as the pods' owner."""
    app = made.add(
        "Deployment", "web", ago=7200, spec={"replicas": wanted, "selector": {"matchLabels": {"app": "web"}}},
        status={"replicas": wanted, "readyReplicas": ready, "unavailableReplicas": wanted - ready, "observedGeneration": 1},
    )  # fmt: skip
    return made.add(
        "ReplicaSet", STEM, ago=7200, metadata={"ownerReferences": [owner_reference(app)]},
        spec={"replicas": wanted, "selector": {"matchLabels": {"app": "web"}}}, status={"replicas": wanted, "readyReplicas": ready},
    )  # fmt: skip


def evicted(made: Incident, message: str, *, name: str = "web", owner: Json | None = None, ago: float = 60, by_node: bool = False) -> Json:
    """A pod that the kubelet evicted, with the event it sent."""
    conditions = [
        condition("PodReadyToStartContainers", "False", ago=ago),
        condition("Initialized", "True", ago=ago + 600),
        condition("Ready", "False", "PodFailed", ago=ago),
        condition("ContainersReady", "False", "PodFailed", ago=ago),
        condition("PodScheduled", "True", ago=ago + 600),
    ]
    if by_node:
        conditions.append(condition("DisruptionTarget", "True", "TerminationByKubelet", message, ago))
    pod = made.pod(
        name, container(state=terminated(137, "Error", ago=ago, ran=500)), phase="Failed", owner=owner, conditions=conditions,
        status={"reason": "Evicted", "message": message}, ago=ago + 600,
    )  # fmt: skip
    made.event(pod, "Evicted", message.removeprefix("Pod was rejected: "), ago=ago)
    made.event(pod, "Killing", "Stopping container app", kind="Normal", ago=ago, container="app")
    return pod


def pressed(made: Incident, kind: str, taint: str) -> None:
    """node1 under pressure now."""
    words = {"MemoryPressure": ("KubeletHasInsufficientMemory", "kubelet has insufficient memory available"),
             "DiskPressure": ("KubeletHasDiskPressure", "kubelet has disk pressure")}  # fmt: skip
    parts = node(conditions=[condition(kind, "True", *words[kind], 60)], taints=[{"key": taint, "effect": "NoSchedule"}])
    made.add("Node", "node1", namespace="", **parts)


def unschedulable(made: Incident, taint: str, owner: Json) -> Json:
    """The evicted pod's successor, which no node takes."""
    said = (
        f"0/1 nodes are available: 1 node(s) had untolerated taint {{{taint}}}. preemption: 0/1 nodes are available:"
        " 1 Preemption is not helpful for scheduling."
    )
    pod = made.pod(
        f"{STEM}-n99t2", container(status=False), node=None, phase="Pending", owner=owner, ago=55,
        conditions=[condition("PodScheduled", "False", "Unschedulable", said, 55)],
    )  # fmt: skip
    made.event(pod, "FailedScheduling", said, by="default-scheduler", ago=55)
    return pod


@incident
def evict_node_memory() -> Incident:
    made = Incident("evicted for the node's memory; the pressure is over", "pod/web", "evicted-node-memory")
    said = (
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 84328Ki. Container app was using"
        " 1536Mi, request is 128Mi, has larger consumption of memory. "
    )
    evicted(made, said, by_node=True)
    return made


@incident
def evict_node_memory_old_wording() -> Incident:
    made = Incident("evicted for the node's memory, in the words of Kubernetes 1.20", "pod/web", "evicted-node-memory")
    evicted(made, "The node was low on resource: memory. Container app was using 21876Ki, which exceeds its request of 0. ")
    return made


@incident
def evict_node_memory_pressed() -> Incident:
    made = Incident("evicted, and the node is still short of memory", "deployment/web", "node-memory-pressure",
                    also=("evicted-node-memory", "workload-not-ready", "node-condition-taint"))  # fmt: skip
    pressed(made, "MemoryPressure", "node.kubernetes.io/memory-pressure")
    said = (
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 84328Ki. Container app was using"
        " 1536Mi, request is 0, has larger consumption of memory. "
    )
    owner = deployment(made)
    evicted(made, said, name=f"{STEM}-x62kh", owner=owner, by_node=True)
    unschedulable(made, "node.kubernetes.io/memory-pressure: ", owner)
    return made


@incident
def evict_node_disk() -> Incident:
    made = Incident("evicted for the node's disk", "pod/web", "evicted-node-disk")
    said = (
        "The node was low on resource: ephemeral-storage. Threshold quantity: 4709374674, available: 4411516Ki. Container"
        " app was using 12Gi, request is 0, has larger consumption of ephemeral-storage. "
    )
    evicted(made, said, by_node=True)
    return made


@incident
def evict_node_inodes() -> Incident:
    made = Incident("evicted because the node ran out of inodes", "pod/web", "evicted-node-inodes")
    evicted(made, "The node was low on resource: inodes. Threshold quantity: 147456, available: 120031. ", by_node=True)
    return made


@incident
def evict_node_pids() -> Incident:
    made = Incident("evicted because the node ran out of process ids", "pod/web", "evicted-node-pids")
    evicted(made, "The node was low on resource: pids. Threshold quantity: 3276, available: 211. ", by_node=True)
    return made


@incident
def evict_readmission() -> Incident:
    made = Incident("a pod that ran is rejected after the kubelet's restart, for the node's disk; the pressure is over", "pod/web", "evicted-node-condition")
    evicted(made, "Pod was rejected: The node had condition: [DiskPressure]. ")
    return made


@incident
def evict_container_storage() -> Incident:
    made = Incident("evicted because a container wrote more than its limit", "pod/web", "evicted-container-ephemeral-limit")
    evicted(made, 'Container app exceeded its local ephemeral storage limit "10Mi". ')
    return made


@incident
def evict_container_storage_replaced() -> Incident:
    made = Incident("evicted because a container wrote more than its limit; its successor runs, for now", "deployment/web", "evicted-container-ephemeral-limit")
    owner = deployment(made, ready=1)
    evicted(made, 'Container app exceeded its local ephemeral storage limit "10Mi". ', name=f"{STEM}-x62kh", owner=owner)
    made.pod(f"{STEM}-8hz2k", container(state=running(50), ready=True), ready=True, owner=owner, ago=52)
    return made


@incident
def evict_pod_storage() -> Incident:
    made = Incident("evicted because the pod wrote more than its limits together", "pod/web", "evicted-pod-ephemeral-limit")
    evicted(made, "Pod ephemeral local storage usage exceeds the total limit of containers 20Mi. ")
    return made


@incident
def evict_taint() -> Incident:
    made = Incident("somebody tainted the node NoExecute", "deployment/web", "evicted-by-taint",
                    also=("untolerated-taint", "workload-not-ready"))  # fmt: skip
    parts = node(taints=[{"key": "maintenance", "value": "now", "effect": "NoExecute"}])
    made.add("Node", "node1", namespace="", **parts)
    owner = deployment(made)
    gone = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": f"{STEM}-x62kh", "namespace": "shop", "uid": "5bf2f134-2df7-403e-a418-1963acd7ecc2"}}
    made.event(gone, "TaintManagerEviction", f"Marking for deletion Pod shop/{STEM}-x62kh", kind="Normal", by="taint-eviction-controller", ago=60)
    unschedulable(made, "maintenance: now", owner)
    return made


@incident
def evict_taint_slow() -> Incident:
    made = Incident("a NoExecute taint evicts a pod that ends slowly", "pod/web", "terminating-by-taint", also=("terminating-long-grace",))
    made.add("Node", "node1", namespace="", **node(taints=[{"key": "maintenance", "value": "now", "effect": "NoExecute"}]))
    said = condition("DisruptionTarget", "True", "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint", 20)
    ready = [condition("Ready", "True", ago=600), condition("ContainersReady", "True", ago=600), condition("PodScheduled", "True", ago=600)]
    made.pod("web", container(state=running(600), ready=True), ready=True, conditions=[said, *ready],
             spec={"terminationGracePeriodSeconds": 300},
             metadata={"deletionTimestamp": at(-280), "deletionGracePeriodSeconds": 300})  # fmt: skip
    return made


@incident
def evict_taint_bare_pod() -> Incident:
    made = Incident("a NoExecute taint has evicted a pod that nobody replaces", "pod/web", "terminating-by-taint")
    made.add("Node", "node1", namespace="", **node(taints=[{"key": "maintenance", "value": "now", "effect": "NoExecute"}]))
    said = condition("DisruptionTarget", "True", "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint", 60)
    ready = [condition("Ready", "True", ago=600), condition("ContainersReady", "True", ago=600), condition("PodScheduled", "True", ago=600)]
    pod = made.pod("web", container(state=running(600), ready=True), ready=True, conditions=[said, *ready],
                   metadata={"deletionTimestamp": at(30), "deletionGracePeriodSeconds": 30})  # fmt: skip
    made.event(pod, "TaintManagerEviction", "Marking for deletion Pod shop/web", kind="Normal", by="taint-eviction-controller", ago=60)
    made.event(pod, "Killing", "Stopping container app", kind="Normal", ago=60, container="app")
    made.change(30, "DELETED", pod)
    made.objects.remove(pod)
    made.change(600, "ADDED", pod)
    return made


@incident
def evict_node_shutdown() -> Incident:
    made = Incident("the node was shut down under the pod", "pod/web", "terminated-by-node-shutdown")
    said = "Pod was terminated in response to imminent node shutdown."
    made.pod("web", container(state=terminated(137, "Error", ago=300, ran=500)), phase="Failed", status={"reason": "Terminated", "message": said},
             conditions=[condition("Ready", "False", "PodFailed", ago=300), condition("DisruptionTarget", "True", "TerminationByKubelet", said, 300)])  # fmt: skip
    return made


@incident
def healthy_evicted_and_gone() -> Incident:
    made = Incident("healthy: a pod that was evicted and deleted an hour ago", "deployment/web", "")
    owner = deployment(made, ready=1)
    gone = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": f"{STEM}-x62kh", "namespace": "shop", "uid": "5bf2f134-2df7-403e-a418-1963acd7ecc2"}}
    made.event(gone, "Evicted", 'Container app exceeded its local ephemeral storage limit "10Mi". ', ago=3000)
    made.pod(f"{STEM}-8hz2k", container(state=running(2900), ready=True), ready=True, owner=owner, ago=2990)
    return made


@incident
def healthy_evicted_and_replaced() -> Incident:
    made = Incident("healthy: evicted for the node's memory an hour ago, and replaced", "deployment/web", "")
    owner = deployment(made, ready=1)
    said = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 84328Ki. "
    evicted(made, said, name=f"{STEM}-x62kh", owner=owner, ago=3500)
    made.pod(f"{STEM}-8hz2k", container(state=running(3400), ready=True), ready=True, owner=owner, ago=3450)
    return made
