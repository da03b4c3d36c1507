"""Pods that the scheduler cannot place: each reason it gives, on clusters of one node and of several."""

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
    uid,
)

NO_VICTIMS = "No preemption victims found for incoming pod"
NOT_HELPFUL = "Preemption is not helpful for scheduling"
CONTROL_PLANE = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}


def refused(reasons: str, total: int = 1, why: str = NOT_HELPFUL) -> str:
    """The scheduler's message, with what it says of preemption."""
    return f"0/{total} nodes are available: {reasons}. preemption: 0/{total} nodes are available: {total} {why}."


def no_node_for(
    made: Incident, name: str, message: str, *containers: Json, event: bool = True, reason: str = "Unschedulable", **more: object
) -> Json:  # fmt: skip
    """A pod that waits for a node, with the condition and the event of the scheduler."""
    parts = containers or (container(),)
    state = [condition("PodScheduled", "False", reason, message, ago=590)]
    pod = made.pod(name, *parts, node=None, phase="Pending", conditions=state, **more)  # type: ignore[arg-type]
    if event:
        made.event(pod, "FailedScheduling", message, by="default-scheduler", ago=290, first=590, count=2)
    return pod


def deployment(made: Incident, name: str = "web", replicas: int = 2, ready: int = 1, **template: object) -> Json:
    """A Deployment and its ReplicaSet; the ReplicaSet is what pods are owned by."""
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": {"spec": template}}
    status = {"replicas": replicas, "readyReplicas": ready, "updatedReplicas": replicas, "availableReplicas": ready}
    status |= {"observedGeneration": 1, "unavailableReplicas": replicas - ready}
    upper = made.add("Deployment", name, metadata={"generation": 1}, spec=spec, status=status)
    owner = {"ownerReferences": [owner_reference(upper)], "generation": 1}
    return made.add("ReplicaSet", f"{name}-5579d475ff", metadata=owner, spec=spec, status=status)


def asks(**requests: str) -> Json:
    """A container that requests resources; `_` in a name stands for `-`."""
    return container(resources={"requests": {key.replace("_", "-"): value for key, value in requests.items()}})


def busy(made: Incident, name: str, on: str = "node1", **parts: object) -> Json:
    """A pod that runs well."""
    spec = parts.pop("container", {})
    made_of = container(state=running(900), ready=True, **spec)  # type: ignore[arg-type]
    return made.pod(name, made_of, node=on, ready=True, ago=1000, **parts)  # type: ignore[arg-type]


def three_nodes(made: Incident) -> None:
    """A control plane and two workers."""
    made.add("Node", "cp-1", namespace="", **node(name="cp-1", taints=[CONTROL_PLANE]))
    for name in ("worker-1", "worker-2"):
        made.add("Node", name, namespace="", **node(name=name))


# --- room ---


@incident
def pend_three_nodes() -> Incident:
    made = Incident(
        "three nodes, three obstacles: control-plane taint, memory, a label",
        "deployment/web",
        "node-selector-unmatched",
        nodes=(),
    )
    made.add("Node", "cp-1", namespace="", **node(name="cp-1", labels={"disk": "ssd"}, taints=[CONTROL_PLANE]))
    made.add("Node", "worker-1", namespace="", **node(name="worker-1", labels={"disk": "ssd"}))
    made.add("Node", "worker-2", namespace="", **node(name="worker-2", labels={"disktype": "ssd"}))
    replicas = deployment(made, replicas=1, ready=0)
    busy(made, "cache-0", "worker-1", container={"resources": {"requests": {"memory": "3Gi"}}})
    message = refused(
        "1 Insufficient memory, 1 node(s) didn't match Pod's node affinity/selector,"
        " 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }",
        3,
    )
    web = asks(memory="2Gi")
    no_node_for(made, "web-5579d475ff-x62kh", message, web, owner=replicas, spec={"nodeSelector": {"disk": "ssd"}})
    return made


@incident
def pend_three_nodes_memory() -> Incident:
    made = Incident(
        "three nodes; the least is in the way where memory is short", "pod/web", "insufficient-resource", nodes=()
    )
    made.add("Node", "cp-1", namespace="", **node(name="cp-1", taints=[CONTROL_PLANE]))
    made.add("Node", "gpu-1", namespace="", **node(name="gpu-1", taints=[{"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}], unschedulable=True))  # fmt: skip
    made.add("Node", "worker-1", namespace="", **node(name="worker-1"))
    busy(made, "cache-0", "worker-1", container={"resources": {"requests": {"memory": "3Gi"}}})
    message = refused(
        "1 Insufficient memory, 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: },"
        " 1 node(s) were unschedulable",
        3,
        NO_VICTIMS,
    )
    no_node_for(made, "web", message, asks(memory="2Gi"))
    return made


@incident
def pend_cpu_taken_unseen() -> Incident:
    made = Incident("the rest of the node is requested by pods of other namespaces", "pod/web", "insufficient-resource")
    no_node_for(made, "web", refused("1 Insufficient cpu", 1, NO_VICTIMS), asks(cpu="1800m"))
    return made


@incident
def pend_memory_init() -> Incident:
    made = Incident("an init container asks for more than the node has", "pod/web", "request-larger-than-any-node")
    init = container("migrate", resources={"requests": {"memory": "16Gi"}})
    no_node_for(made, "web", refused("1 Insufficient memory"), asks(memory="64Mi"), init=[init])
    return made


@incident
def pend_cpu_and_memory() -> Incident:
    made = Incident("more cpu and more memory than the node has", "deployment/web", "request-larger-than-any-node")
    replicas = deployment(made, replicas=1, ready=0)
    message = refused("1 Insufficient cpu, 1 Insufficient memory")
    no_node_for(made, "web-5579d475ff-x62kh", message, asks(cpu="8", memory="32Gi"), owner=replicas)
    return made


@incident
def pend_ephemeral_storage() -> Incident:
    made = Incident("more ephemeral storage than the node has", "pod/web", "request-larger-than-any-node")
    no_node_for(made, "web", refused("1 Insufficient ephemeral-storage"), asks(ephemeral_storage="500Gi"))
    return made


@incident
def pend_gpu_missing() -> Incident:
    made = Incident("no node has a GPU", "pod/train", "extended-resource-missing")
    gpu = {"requests": {"nvidia.com/gpu": "1"}, "limits": {"nvidia.com/gpu": "1"}}
    no_node_for(made, "train", refused("1 Insufficient nvidia.com/gpu"), container(resources=gpu))
    return made


@incident
def pend_gpu_in_use() -> Incident:
    made = Incident("the only GPU is taken", "pod/train", "extended-resource-in-use", nodes=())
    made.add("Node", "gpu-1", namespace="", **node(name="gpu-1", allocatable={"nvidia.com/gpu": "1"}))
    gpu = {"requests": {"nvidia.com/gpu": "1"}, "limits": {"nvidia.com/gpu": "1"}}
    busy(made, "notebook", "gpu-1", container={"resources": gpu})
    no_node_for(made, "train", refused("1 Insufficient nvidia.com/gpu", 1, NO_VICTIMS), container(resources=gpu))
    return made


@incident
def pend_hugepages() -> Incident:
    made = Incident("no huge pages are set aside", "pod/db", "hugepages-not-set-aside", nodes=())
    made.add("Node", "node1", namespace="", **node(allocatable={"hugepages-2Mi": "0", "hugepages-1Gi": "0"}))
    pages = {
        "requests": {"hugepages-2Mi": "512Mi", "memory": "1Gi"},
        "limits": {"hugepages-2Mi": "512Mi", "memory": "1Gi"},
    }
    no_node_for(made, "db", refused("1 Insufficient hugepages-2Mi"), container(resources=pages))
    return made


@incident
def pend_too_many_pods() -> Incident:
    made = Incident("the node runs as many pods as it may", "pod/web", "too-many-pods", nodes=())
    made.add("Node", "node1", namespace="", **node(allocatable={"pods": "2"}))
    busy(made, "one")
    busy(made, "two")
    no_node_for(made, "web", refused("1 Too many pods", 1, NO_VICTIMS))
    return made


# --- nodes that refuse ---


@incident
def pend_taint_dedicated() -> Incident:
    made = Incident("a taint, and a toleration with another value", "pod/web", "untolerated-taint", nodes=())
    made.add(
        "Node", "node1", namespace="", **node(taints=[{"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}])
    )
    tolerations = [{"key": "dedicated", "operator": "Equal", "value": "db", "effect": "NoSchedule"}]
    no_node_for(
        made, "web", refused("1 node(s) had untolerated taint {dedicated: gpu}"), spec={"tolerations": tolerations}
    )
    return made


@incident
def pend_taint_old_wording() -> Incident:
    made = Incident("a taint without value, as 1.23 words it", "pod/web", "untolerated-taint", nodes=())
    made.add("Node", "node1", namespace="", **node(taints=[{"key": "maintenance", "effect": "NoExecute"}]))
    no_node_for(
        made, "web", "0/1 nodes are available: 1 node(s) had taint {maintenance: }, that the pod didn't tolerate."
    )
    return made


@incident
def pend_control_plane_only() -> Incident:
    made = Incident("the only node is a control plane", "pod/web", "control-plane-taint", nodes=())
    made.add("Node", "node1", namespace="", **node(taints=[CONTROL_PLANE]))
    no_node_for(made, "web", refused("1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }"))
    return made


@incident
def pend_node_condition_unseen() -> Incident:
    made = Incident(
        "a node that is not ready, of which nothing was collected", "pod/web", "node-condition-taint", nodes=()
    )
    no_node_for(made, "web", refused("1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }"))
    return made


@incident
def pend_cloud_uninitialized() -> Incident:
    made = Incident(
        "no cloud-controller-manager initialises the node", "pod/web", "cloud-provider-uninitialized", nodes=()
    )
    taint = {"key": "node.cloudprovider.kubernetes.io/uninitialized", "value": "true", "effect": "NoSchedule"}
    made.add("Node", "node1", namespace="", **node(taints=[taint]))
    no_node_for(
        made, "web", refused("1 node(s) had untolerated taint {node.cloudprovider.kubernetes.io/uninitialized: true}")
    )
    return made


@incident
def pend_cordoned() -> Incident:
    made = Incident("the only node is cordoned", "deployment/web", "candidate-nodes-cordoned", nodes=())
    taint = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule", "timeAdded": at(700)}
    made.add("Node", "node1", namespace="", **node(taints=[taint], unschedulable=True))
    replicas = deployment(made, replicas=1, ready=0)
    no_node_for(made, "web-5579d475ff-x62kh", refused("1 node(s) were unschedulable"), owner=replicas)
    return made


@incident
def pend_selector_case() -> Incident:
    made = Incident("nodeSelector and label differ in case only", "pod/web", "node-selector-unmatched", nodes=())
    made.add("Node", "node1", namespace="", **node(labels={"disk": "SSD"}))
    message = refused("1 node(s) didn't match Pod's node affinity/selector")
    no_node_for(made, "web", message, spec={"nodeSelector": {"disk": "ssd"}})
    return made


@incident
def pend_selector_runtime_class() -> Incident:
    made = Incident("the nodeSelector comes from a RuntimeClass", "pod/web", "node-selector-unmatched")
    made.add(
        "RuntimeClass", "sandboxed", namespace="", handler="runsc", scheduling={"nodeSelector": {"sandbox": "gvisor"}}
    )
    spec = {"runtimeClassName": "sandboxed", "nodeSelector": {"sandbox": "gvisor"}}
    no_node_for(made, "web", refused("1 node(s) didn't match Pod's node affinity/selector"), spec=spec)
    return made


@incident
def pend_arch() -> Incident:
    made = Incident(
        "the pod wants arm64, the nodes are amd64",
        "pod/web",
        "node-platform-unmatched",
        also=("node-selector-unmatched",),
    )
    selector = {"kubernetes.io/arch": "arm64"}
    no_node_for(
        made, "web", refused("1 node(s) didn't match Pod's node affinity/selector"), spec={"nodeSelector": selector}
    )
    return made


@incident
def pend_node_affinity() -> Incident:
    made = Incident("required node affinity that no node satisfies", "pod/web", "node-affinity-unmatched", nodes=())
    made.add("Node", "node1", namespace="", **node(labels={"topology.kubernetes.io/zone": "eu-1a"}))
    term = {"matchExpressions": [{"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["eu-1c"]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}
    no_node_for(
        made, "web", refused("1 node(s) didn't match Pod's node affinity/selector"), spec={"affinity": affinity}
    )
    return made


@incident
def pend_added_affinity() -> Incident:
    made = Incident("the scheduler's configuration adds an affinity", "pod/web", "scheduler-added-affinity")
    no_node_for(made, "web", refused("1 node(s) didn't match scheduler-enforced node affinity"))
    return made


# --- neighbours ---


@incident
def pend_host_port() -> Incident:
    made = Incident("two replicas, one host port, one node", "deployment/web", "host-port-conflict")
    replicas = deployment(made)
    ports = [{"containerPort": 80, "hostPort": 8080, "protocol": "TCP"}]
    busy(made, "web-5579d475ff-aaaaa", owner=replicas, labels={"app": "web"}, container={"ports": ports})
    message = refused("1 node(s) didn't have free ports for the requested pod ports", 1, NO_VICTIMS)
    no_node_for(made, "web-5579d475ff-x62kh", message, container(ports=ports), owner=replicas, labels={"app": "web"})
    return made


def anti(key: str, value: str, topology: str = "kubernetes.io/hostname", kind: str = "podAntiAffinity") -> Json:
    """A required pod (anti-)affinity."""
    term = {"labelSelector": {"matchLabels": {key: value}}, "topologyKey": topology}
    return {"affinity": {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}


@incident
def pend_anti_affinity() -> Incident:
    made = Incident("two replicas that may not share a node, one node", "deployment/web", "pod-anti-affinity-unmet")
    replicas, spec = deployment(made), anti("app", "web")
    busy(made, "web-5579d475ff-aaaaa", owner=replicas, labels={"app": "web"}, spec=spec)
    message = refused("1 node(s) didn't match pod anti-affinity rules", 1, NO_VICTIMS)
    no_node_for(made, "web-5579d475ff-x62kh", message, owner=replicas, labels={"app": "web"}, spec=spec)
    return made


@incident
def pend_anti_affinity_of_another() -> Incident:
    made = Incident("a pod that runs wants no neighbour of this kind", "pod/batch", "pod-anti-affinity-of-others")
    busy(made, "db-0", labels={"app": "db"}, spec=anti("kind", "batch"))
    message = refused("1 node(s) didn't satisfy existing pods anti-affinity rules", 1, NO_VICTIMS)
    no_node_for(made, "batch", message, labels={"kind": "batch"})
    return made


@incident
def pend_pod_affinity() -> Incident:
    made = Incident("the pod wants to run beside a pod that is not there", "pod/web", "pod-affinity-unmet")
    busy(made, "cache-0", labels={"app": "cache"})
    spec = anti("app", "redis", kind="podAffinity")
    no_node_for(made, "web", refused("1 node(s) didn't match pod affinity rules"), spec=spec)
    return made


def spread_over(key: str) -> Json:
    """A hard topology spread constraint."""
    selector = {"matchLabels": {"app": "web"}}
    item = {"maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": selector}
    return {"topologySpreadConstraints": [item]}


@incident
def pend_spread() -> Incident:
    made = Incident(
        "spread over zones, one of which is cordoned",
        "deployment/web",
        "topology-spread-skew",
        also=("candidate-nodes-cordoned",),
        nodes=(),
    )
    zone = "topology.kubernetes.io/zone"
    made.add("Node", "node-a", namespace="", **node(name="node-a", labels={zone: "a"}))
    made.add("Node", "node-b", namespace="", **node(name="node-b", labels={zone: "b"}, unschedulable=True, taints=[{"key": "example.com/gone", "effect": "NoExecute"}]))  # fmt: skip
    replicas, spec = deployment(made), spread_over(zone)
    busy(made, "web-5579d475ff-aaaaa", "node-a", owner=replicas, labels={"app": "web"}, spec=spec)
    message = refused("1 node(s) didn't match pod topology spread constraints, 1 node(s) were unschedulable", 2)
    no_node_for(made, "web-5579d475ff-x62kh", message, owner=replicas, labels={"app": "web"}, spec=spec)
    return made


@incident
def pend_spread_label() -> Incident:
    made = Incident("spread over zones, and nodes without zone", "pod/web", "topology-label-missing")
    message = refused("1 node(s) didn't match pod topology spread constraints (missing required label)")
    no_node_for(made, "web", message, labels={"app": "web"}, spec=spread_over("topology.kubernetes.io/zone"))
    return made


# --- volumes ---


def mounts(name: str) -> Json:
    """A pod's volume from a claim."""
    return {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": name}}]}


def claim(made: Incident, name: str, volume: str = "", phase: str = "Bound", modes: tuple[str, ...] = ("ReadWriteOnce",), **metadata: object) -> Json:  # fmt: skip
    """A claim, bound to a volume or not."""
    spec: Json = {"accessModes": list(modes), "resources": {"requests": {"storage": "5Gi"}}, "storageClassName": "fast"}
    if volume:
        spec["volumeName"] = volume
    made.add("StorageClass", "fast", namespace="", provisioner="csi.example.com", volumeBindingMode="Immediate")
    return made.add("PersistentVolumeClaim", name, spec=spec, status={"phase": phase}, metadata=metadata)


def volume(made: Incident, name: str, claimed: str, labels: Json | None = None, **spec: object) -> Json:
    """A volume bound to a claim."""
    body = {
        "capacity": {"storage": "5Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "fast",
        "csi": {"driver": "csi.example.com", "volumeHandle": name},
        "claimRef": {"kind": "PersistentVolumeClaim", "namespace": "shop", "name": claimed, "uid": uid("PersistentVolumeClaim", "shop", claimed)},
    } | spec  # fmt: skip
    return made.add(
        "PersistentVolume", name, namespace="", spec=body, status={"phase": "Bound"}, metadata={"labels": labels or {}}
    )


@incident
def pend_claim_misspelt() -> Incident:
    made = Incident("claimName is mistyped", "pod/db", "claim-missing")
    claim(made, "data-db-0", "pv-1")
    volume(made, "pv-1", "data-db-0")
    no_node_for(made, "db", refused('persistentvolumeclaim "data-db0" not found'), spec=mounts("data-db0"))
    return made


@incident
def pend_claim_deleting() -> Incident:
    made = Incident("the claim is being deleted", "pod/db", "claim-being-deleted", also=("claim-in-use-terminating",))
    claim(made, "data", "pv-1", deletionTimestamp=at(800), finalizers=["kubernetes.io/pvc-protection"])
    volume(made, "pv-1", "data")
    busy(made, "old", spec=mounts("data"))
    no_node_for(made, "db", refused('persistentvolumeclaim "data" is being deleted'), spec=mounts("data"))
    return made


@incident
def pend_claim_ephemeral() -> Incident:
    made = Incident("the claim of an ephemeral volume is not made", "pod/db", "ephemeral-claim-not-created")
    made.kinds = ["PersistentVolumeClaim"]
    spec = {"volumes": [{"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}}]}
    text = 'waiting for ephemeral volume controller to create the persistentvolumeclaim "db-scratch"'
    no_node_for(made, "db", refused(text), spec=spec)
    return made


@incident
def pend_volume_missing() -> Incident:
    made = Incident(
        "the claim is bound to a volume that is not there, and the claim was not collected",
        "pod/db",
        "pod-volume-missing",
    )
    text = 'persistentvolumeclaim "data" bound to non-existent persistentvolume "pv-1"'
    no_node_for(made, "db", refused(text), spec=mounts("data"))
    return made


@incident
def pend_volume_elsewhere() -> Incident:
    made = Incident(
        "a local volume on a node that is cordoned",
        "pod/db",
        "volume-elsewhere",
        also=("candidate-nodes-cordoned",),
        nodes=(),
    )
    for name in ("worker-1", "worker-2"):
        made.add("Node", name, namespace="", **node(name=name, unschedulable=name == "worker-2"))
    claim(made, "data", "pv-local")
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["worker-2"]}]}
    volume(made, "pv-local", "data", nodeAffinity={"required": {"nodeSelectorTerms": [term]}})
    spec = mounts("data") | {"nodeSelector": {"kubernetes.io/hostname": "worker-1"}}
    message = refused("1 node(s) didn't match PersistentVolume's node affinity, 1 node(s) were unschedulable", 2)
    no_node_for(made, "db", message, spec=spec)
    return made


@incident
def pend_volume_elsewhere_old_wording() -> Incident:
    made = Incident("a zonal volume, as 1.32 words it", "pod/db", "volume-elsewhere", nodes=())
    zone = "topology.kubernetes.io/zone"
    made.add("Node", "node1", namespace="", **node(labels={zone: "eu-1a"}))
    claim(made, "data", "pv-1")
    term = {"matchExpressions": [{"key": zone, "operator": "In", "values": ["eu-1b"]}]}
    volume(made, "pv-1", "data", nodeAffinity={"required": {"nodeSelectorTerms": [term]}})
    no_node_for(made, "db", refused("1 node(s) had volume node affinity conflict"), spec=mounts("data"))
    return made


@incident
def pend_volume_zone() -> Incident:
    made = Incident("a volume in another zone", "pod/db", "volume-elsewhere", nodes=())
    zone = "topology.kubernetes.io/zone"
    made.add("Node", "node1", namespace="", **node(labels={zone: "eu-1a"}))
    claim(made, "data", "pv-1")
    volume(made, "pv-1", "data", labels={zone: "eu-1b"})
    no_node_for(made, "db", refused("1 node(s) had no available volume zone"), spec=mounts("data"))
    return made


@incident
def pend_volume_count() -> Incident:
    made = Incident("the node can attach no more volumes", "pod/db", "volume-count-exceeded")
    drivers = [{"name": "csi.example.com", "nodeID": "node1", "allocatable": {"count": 1}}]
    made.add("CSINode", "node1", namespace="", spec={"drivers": drivers})
    for name in ("data", "other"):
        claim(made, name, f"pv-{name}")
        volume(made, f"pv-{name}", name)
    busy(made, "other", spec=mounts("other"))
    no_node_for(made, "db", refused("1 node(s) exceed max volume count", 1, NO_VICTIMS), spec=mounts("data"))
    return made


@incident
def pend_read_write_once_pod() -> Incident:
    made = Incident("a ReadWriteOncePod claim that another pod uses", "deployment/db", "claim-used-by-another-pod")
    replicas = deployment(made, "db")
    claim(made, "data", "pv-1", modes=("ReadWriteOncePod",))
    volume(made, "pv-1", "data")
    busy(made, "db-5579d475ff-aaaaa", owner=replicas, labels={"app": "db"}, spec=mounts("data"))
    text = "1 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"
    no_node_for(
        made,
        "db-5579d475ff-x62kh",
        refused(text, 1, NO_VICTIMS),
        owner=replicas,
        labels={"app": "db"},
        spec=mounts("data"),
    )
    return made


@incident
def pend_volume_none_unseen() -> Incident:
    made = Incident("no volume to bind, and the claim was not collected", "pod/db", "volume-not-provided")
    no_node_for(made, "db", refused("1 node(s) didn't find available persistent volumes to bind"), spec=mounts("data"))
    return made


# --- preemption ---


@incident
def pend_preemption_waits() -> Incident:
    made = Incident(
        "a pod of lower priority takes its time to die", "pod/high", "preemption-waits", also=("insufficient-resource",)
    )
    spec = {"priority": 1000, "priorityClassName": "high"}
    made.add("PriorityClass", "high", namespace="", value=1000)
    going = {"deletionTimestamp": at(-540), "deletionGracePeriodSeconds": 600}
    busy(made, "low", metadata=going, container={"resources": {"requests": {"cpu": "1500m"}}})
    message = "0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to a terminating pod on the nominated node."
    no_node_for(made, "high", message, asks(cpu="1500m"), spec=spec, status={"nominatedNodeName": "node1"})
    return made


@incident
def pend_preempted() -> Incident:
    made = Incident(
        "a pod of higher priority took the place of a Deployment's pod",
        "deployment/low",
        "preempted-and-pending",
        also=("insufficient-resource",),
    )
    replicas = deployment(made, "low", 1, 0)
    made.add("PriorityClass", "high", namespace="", value=1000)
    high = busy(
        made,
        "high",
        spec={"priority": 1000, "priorityClassName": "high"},
        container={"resources": {"requests": {"cpu": "1500m"}}},
    )
    old = {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": "low-5579d475ff-aaaaa", "namespace": "shop", "uid": uid("old")},
    }
    made.event(
        old,
        "Preempted",
        f"Preempted by pod {high['metadata']['uid']} on node node1",
        kind="Normal",
        by="default-scheduler",
        ago=595,
    )
    message = refused("1 Insufficient cpu", 1, NO_VICTIMS)
    no_node_for(made, "low-5579d475ff-x62kh", message, asks(cpu="1500m"), owner=replicas, labels={"app": "low"})
    return made


@incident
def term_preempted() -> Incident:
    made = Incident("a pod that must make way still terminates", "pod/low", "preempted-by-scheduler")
    high = no_node_for(
        made, "high", refused("1 Insufficient cpu", 1, NO_VICTIMS), asks(cpu="1500m"), spec={"priority": 1000}
    )
    text = "default-scheduler: preempting to accommodate a higher priority pod"
    target = condition("DisruptionTarget", "True", "PreemptionByScheduler", text, ago=5)
    going = {"deletionTimestamp": at(-25), "deletionGracePeriodSeconds": 30}
    low = busy(made, "low", metadata=going, container={"resources": {"requests": {"cpu": "1500m"}}})
    low["status"]["conditions"].append(target)
    made.event(
        low,
        "Preempted",
        f"Preempted by pod {high['metadata']['uid']} on node node1",
        kind="Normal",
        by="default-scheduler",
        ago=5,
    )
    return made


@incident
def term_preempted_gone() -> Incident:
    made = Incident("a bare pod that had to make way is gone", "pod/low", "preempted-by-scheduler")
    high = busy(made, "high", spec={"priority": 1000}, container={"resources": {"requests": {"cpu": "1500m"}}})
    ended = container(state=terminated(137, "Error", ago=60, ran=500), resources={"requests": {"cpu": "1500m"}})
    text = "default-scheduler: preempting to accommodate a higher priority pod"
    target = condition("DisruptionTarget", "True", "PreemptionByScheduler", text, ago=92)
    meta = {"deletionTimestamp": at(62), "deletionGracePeriodSeconds": 30}
    low = made.pod("low", ended, conditions=[target], metadata=meta)
    by = f"Preempted by pod {high['metadata']['uid']} on node node1"
    made.event(low, "Preempted", by, kind="Normal", by="default-scheduler", ago=92)
    made.event(low, "Killing", "Stopping container app", kind="Normal", ago=91)
    made.change(600, "ADDED", low)
    made.change(60, "DELETED", low)
    made.objects.remove(low)
    return made


# --- devices, schedulers, gates ---


@incident
def pend_device_claim() -> Incident:
    made = Incident("no device for a ResourceClaim", "pod/train", "device-claim-not-allocated")
    message = "0/1 nodes are available: 1 cannot allocate all claims. no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."  # fmt: skip
    no_node_for(made, "train", message, spec={"resourceClaims": [{"name": "gpu", "resourceClaimName": "gpu-0"}]})
    return made


@incident
def pend_device_class() -> Incident:
    made = Incident("the DeviceClass of a ResourceClaim is not there", "pod/train", "device-class-missing")
    no_node_for(made, "train", refused("request gpu: device class gpu.example.com does not exist"))
    return made


@incident
def pend_resource_claim_template() -> Incident:
    made = Incident("the ResourceClaimTemplate is not there", "pod/train", "resource-claim-not-created")
    spec = {"resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "one-gpu"}]}
    pod = made.pod("train", container(), node=None, phase="Pending", spec=spec)
    text = 'PodResourceClaim gpu: resource claim template "one-gpu": resourceclaimtemplate.resource.k8s.io "one-gpu" not found'
    made.event(pod, "FailedResourceClaimCreation", text, by="resource_claim", count=6, first=590)
    return made


@incident
def pend_no_nodes() -> Incident:
    made = Incident("a cluster without nodes", "pod/web", "no-nodes", nodes=())
    made.kinds = ["Node"]
    no_node_for(made, "web", "no nodes available to schedule pods")
    return made


@incident
def pend_scheduler_name() -> Incident:
    made = Incident("no scheduler of that name", "deployment/web", "scheduler-name-unknown")
    replicas = deployment(made, replicas=1, ready=0)
    made.pod(
        "web-5579d475ff-x62kh",
        container(),
        node=None,
        phase="Pending",
        owner=replicas,
        spec={"schedulerName": "gpu-scheduler"},
    )
    return made


@incident
def pend_scheduler_down() -> Incident:
    made = Incident("the scheduler does not run", "pod/web", "scheduler-not-acting")
    made.pod("web", container(), node=None, phase="Pending")
    return made


@incident
def pend_gated() -> Incident:
    made = Incident("a scheduling gate that nobody removes", "pod/web", "scheduling-gated")
    text = "Scheduling is blocked due to non-empty scheduling gates"
    spec = {"schedulingGates": [{"name": "example.com/quota-check"}]}
    no_node_for(made, "web", text, event=False, reason="SchedulingGated", spec=spec)
    return made


@incident
def pend_node_name() -> Incident:
    made = Incident("nodeName names no node", "deployment/web", "node-name-missing")
    replicas = deployment(made, replicas=1, ready=0, nodeName="ghost")
    made.pod(
        "web-5579d475ff-x62kh",
        container(status=False),
        node=None,
        phase="Pending",
        owner=replicas,
        spec={"nodeName": "ghost"},
        ago=25,
    )
    return made


@incident
def pend_node_name_collected() -> Incident:
    made = Incident(
        "nodeName names no node, and the pod garbage collector has taken the pod",
        "pod/web",
        "node-name-missing",
        also=("podgc-deleted",),
    )
    state = [condition("DisruptionTarget", "True", "DeletionByPodGC", "PodGC: node no longer exists", ago=60)]
    pod = made.pod(
        "web", container(status=False), node=None, phase="Failed", conditions=state, spec={"nodeName": "ghost"}, ago=120
    )
    made.change(120, "ADDED", pod)
    made.change(60, "DELETED", pod)
    made.objects.remove(pod)
    return made


@incident
def pend_scheduler_error() -> Incident:
    made = Incident("the scheduler fails on the pod", "pod/web", "scheduler-error")
    text = 'running Bind plugin "DefaultBinder": binding rejected: running Bind plugin "DefaultBinder": Operation cannot be fulfilled on pods/binding "web"'
    no_node_for(made, "web", text, reason="SchedulerError")
    return made


@incident
def pend_binding_volumes() -> Incident:
    made = Incident("volumes are not provided in time", "pod/db", "scheduler-binding-volumes")
    text = 'running PreBind plugin "VolumeBinding": binding volumes: context deadline exceeded'
    no_node_for(made, "db", text, reason="SchedulerError", spec=mounts("data"))
    return made


@incident
def pend_extender_down() -> Incident:
    made = Incident("a scheduler extender does not answer", "pod/web", "scheduler-extender-failing")
    text = 'Post "http://10.96.0.20:8888/filter": dial tcp 10.96.0.20:8888: connect: connection refused'
    no_node_for(made, "web", text, reason="SchedulerError")
    return made


@incident
def pend_extender_refuses() -> Incident:
    made = Incident("a reason that no plugin of Kubernetes gives", "pod/web", "pending-unschedulable")
    no_node_for(made, "web", refused("1 node(s) didn't pass the licence check, see portal"))
    return made


@incident
def podgc_deleted() -> Incident:
    made = Incident(
        "the pod's node is gone, and a finalizer holds the pod",
        "pod/web",
        "podgc-deleted",
        also=("terminating-finalizer",),
    )
    gone = condition("DisruptionTarget", "True", "DeletionByPodGC", "PodGC: node no longer exists", ago=60)
    meta = {"deletionTimestamp": at(60), "deletionGracePeriodSeconds": 0, "finalizers": ["example.com/guard"]}
    state = container(state=running(900), ready=True)
    made.pod("web", state, node="node9", phase="Failed", conditions=[gone], metadata=meta, ago=1000)
    return made


@incident
def healthy_scheduled_late() -> Incident:
    made = Incident("healthy: a pod that waited for room, and runs now", "pod/web", "")
    pod = busy(made, "web")
    text = refused("1 Insufficient cpu", 1, NO_VICTIMS)
    made.event(pod, "FailedScheduling", text, by="default-scheduler", ago=990, first=998, count=3)
    return made


@incident
def healthy_preempted_replaced() -> Incident:
    made = Incident("healthy: a pod was preempted, and its Deployment has another", "deployment/web", "")
    replicas = deployment(made, replicas=1)
    busy(made, "web-5579d475ff-x62kh", owner=replicas, labels={"app": "web"})
    old = {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": "web-5579d475ff-aaaaa", "namespace": "shop", "uid": uid("old")},
    }
    made.event(
        old,
        "Preempted",
        f"Preempted by pod {uid('high')} on node node1",
        kind="Normal",
        by="default-scheduler",
        ago=1005,
    )
    return made
