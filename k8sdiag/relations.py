"""Who belongs to whom: owners up, pods down, and all that a subject's fate depends on.

Pure look-ups over a Snapshot; no judgement.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from k8sdiag.evidence import CLUSTER_SCOPED, Json, Ref, Snapshot, ref_of
from k8sdiag.references import claim_names
from k8sdiag.selectors import matches_labels, matches_selector

WORKLOADS = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob", "ReplicationController")
NETWORK_PLUGINS = (
    "flannel",
    "calico",
    "cilium",
    "weave",
    "canal",
    "antrea",
    "kube-router",
    "multus",
    "ovn",
    "aws-node",
)
"""Names by which a network plugin's pods are known (the DaemonSets of their own manifests)."""


class View:
    """A Snapshot seen through a scope: `refs` None is everything."""

    def __init__(self, snapshot: Snapshot, refs: frozenset[Ref] | None = None) -> None:
        self.snapshot = snapshot
        self.refs = refs
        self.pod_keys: dict[Ref, dict[str, tuple[str, ...]]] = {}  # join keys, worked out once a pod

    def __contains__(self, ref: Ref) -> bool:
        return self.refs is None or ref in self.refs

    def of_kind(self, kind: str) -> Iterator[Json]:
        """Objects of a kind in scope; of everything, without failed pods that their Job has got over."""
        if self.refs is None:
            for obj in self.snapshot.of_kind(kind):
                if kind != "Pod" or not overcome(self.snapshot, obj):
                    yield obj
            return
        for ref in sorted(r for r in self.refs if r.kind == kind):
            found = self.snapshot.find(ref)
            if found is not None:
                yield found


def overcome(snapshot: Snapshot, pod: Json) -> bool:
    """A failed pod of a Job that has completed since: a later try succeeded."""
    if (pod.get("status") or {}).get("phase") != "Failed":
        return False
    owner = controller_of(pod) or {}
    job = snapshot.get("Job", (pod.get("metadata") or {}).get("namespace") or "", owner.get("name") or "")
    if owner.get("kind") != "Job" or job is None:
        return False
    conditions = (job.get("status") or {}).get("conditions") or []
    return any(item.get("type") == "Complete" and item.get("status") == "True" for item in conditions)


def controller_of(obj: Json) -> Json | None:
    """The ownerReference with `controller: true`, or None."""
    for owner in (obj.get("metadata") or {}).get("ownerReferences") or []:
        if owner.get("controller"):
            return dict(owner)
    return None


def owner_chain(snapshot: Snapshot, obj: Json) -> list[Ref]:
    """Controllers from the nearest up: [ReplicaSet, Deployment]. Named even where the owner was not collected."""
    chain: list[Ref] = []
    current: Json | None = obj
    while current is not None and len(chain) < 8:
        owner = controller_of(current)
        if owner is None:
            break
        namespace = (obj.get("metadata") or {}).get("namespace") or ""
        kind = owner.get("kind") or ""
        ref = Ref(kind, "" if kind in CLUSTER_SCOPED else namespace, owner.get("name") or "")
        chain.append(ref)
        current = snapshot.find(ref)
    return chain


def top_owner(snapshot: Snapshot, obj: Json) -> Ref:
    """The uppermost controller, or the object itself."""
    chain = [ref for ref in owner_chain(snapshot, obj) if ref.kind != "Node"]
    return chain[-1] if chain else ref_of(obj)


def children_of(snapshot: Snapshot, obj: Json, kinds: Iterable[str]) -> list[Json]:
    """Objects of `kinds` directly owned by `obj`."""
    uid = (obj.get("metadata") or {}).get("uid") or ""
    return [child for kind in kinds for child in snapshot.owned_by(kind, uid)]


def pods_of(snapshot: Snapshot, obj: Json, depth: int = 8) -> list[Json]:
    """The pods that are, or belong to, `obj`: itself, through owners down (not past `depth`: ownership can be a
    loop), or through a Service's selector."""
    kind = obj.get("kind")
    spec = obj.get("spec") or {}
    namespace = (obj.get("metadata") or {}).get("namespace") or ""
    if kind == "Pod":
        return [obj]
    if kind == "Node":
        return snapshot.pods_on((obj.get("metadata") or {}).get("name") or "")
    if kind == "Service":
        selector = spec.get("selector")
        return [
            pod
            for pod in snapshot.of_kind("Pod", namespace)
            if selector and matches_labels(selector, (pod.get("metadata") or {}).get("labels"))
        ]
    if kind == "PodDisruptionBudget":
        return [
            pod
            for pod in snapshot.of_kind("Pod", namespace)
            if matches_selector(spec.get("selector"), (pod.get("metadata") or {}).get("labels"))
        ]
    if kind == "PersistentVolumeClaim":
        name = (obj.get("metadata") or {}).get("name") or ""
        return [pod for pod in snapshot.of_kind("Pod", namespace) if name in claim_names(pod)]
    if kind == "HorizontalPodAutoscaler":
        target = spec.get("scaleTargetRef") or {}
        scaled = snapshot.get(target.get("kind") or "", namespace, target.get("name") or "")
        return pods_of(snapshot, scaled, depth - 1) if scaled and depth else []
    pods = children_of(snapshot, obj, ["Pod"])
    for child in children_of(snapshot, obj, ["ReplicaSet", "Job"]) if depth else ():
        pods += pods_of(snapshot, child, depth - 1)
    return pods


def network_plugin(pod: Json) -> str:
    """`flannel`, `calico` ... where a pod is part of a network plugin (by the name of its DaemonSet), else ''."""
    owner = controller_of(pod)
    if not owner or owner.get("kind") != "DaemonSet":
        return ""
    name = (owner.get("name") or "").lower()
    return next((plugin for plugin in NETWORK_PLUGINS if plugin in name), "")


def closure(snapshot: Snapshot, subject: Ref) -> frozenset[Ref]:
    """Everything that can explain `subject`: its owners, pods, their nodes, the nodes' network plugin pods, claims
    with volumes and classes, and the namespace's policies. Not its siblings, and not what depends on it."""
    obj = snapshot.find(subject)
    found: set[Ref] = {subject}
    if obj is None:
        return frozenset(found)
    found.update(owner_chain(snapshot, obj))
    found.update(_children_down(snapshot, obj))
    if subject.kind == "HorizontalPodAutoscaler":
        target = (obj.get("spec") or {}).get("scaleTargetRef") or {}
        found.add(Ref(target.get("kind") or "", subject.namespace, target.get("name") or ""))
    if subject.kind == "Service":
        for workload in _meant_by(snapshot, obj):
            found.add(ref_of(workload))
            found.update(_children_down(snapshot, workload))
    pods = _telling_pods(subject, pods_of(snapshot, obj))
    for pod in pods:
        if subject.kind != "Pod" and overcome(snapshot, pod):
            continue
        found.add(ref_of(pod))
        found.update(owner_chain(snapshot, pod))
        found.update(_around_pod(snapshot, pod))
    if subject.kind == "PersistentVolumeClaim":
        found.update(_around_claim(snapshot, subject))
    if subject.kind == "Namespace":
        found.update(
            ref_of(o) for kind in snapshot.kinds() if kind != "Event" for o in snapshot.of_kind(kind, subject.name)
        )
    if subject.kind not in CLUSTER_SCOPED:
        found.add(Ref("Namespace", "", subject.namespace))
        for kind in ("ResourceQuota", "LimitRange"):
            found.update(ref_of(o) for o in snapshot.of_kind(kind, subject.namespace))
    return frozenset(found)


def _meant_by(snapshot: Snapshot, service: Json) -> Iterator[Json]:
    """The workloads whose pods a Service would select, if there were any."""
    selector = (service.get("spec") or {}).get("selector")
    namespace = (service.get("metadata") or {}).get("namespace") or ""
    for kind in ("Deployment", "StatefulSet", "DaemonSet") if selector else ():
        for workload in snapshot.of_kind(kind, namespace):
            template = ((workload.get("spec") or {}).get("template") or {}).get("metadata") or {}
            if matches_labels(selector, template.get("labels")):
                yield workload


def _telling_pods(subject: Ref, pods: list[Json]) -> list[Json]:
    """Of a node only the pods that can explain the node: its network plugin's and other DaemonSets' and static pods
    in trouble are told apart by rules, so all of kube-system's and the plugin's are kept."""
    if subject.kind != "Node":
        return pods
    return [pod for pod in pods if network_plugin(pod) or (pod.get("metadata") or {}).get("namespace") == "kube-system"]


def _children_down(snapshot: Snapshot, obj: Json, depth: int = 8) -> Iterator[Ref]:
    if obj.get("kind") not in WORKLOADS or not depth:
        return
    for child in children_of(snapshot, obj, ["ReplicaSet", "Job"]):
        yield ref_of(child)
        yield from _children_down(snapshot, child, depth - 1)


def _around_pod(snapshot: Snapshot, pod: Json) -> Iterator[Ref]:
    namespace = (pod.get("metadata") or {}).get("namespace") or ""
    spec = pod.get("spec") or {}
    node = spec.get("nodeName") or ""
    for name in [node] if node else _nodes_in_the_way(snapshot):
        yield Ref("Node", "", name)
        for other in snapshot.pods_on(name):
            if network_plugin(other):
                yield ref_of(other)
                yield from owner_chain(snapshot, other)
    for claim in claim_names(pod):
        yield from _around_claim(snapshot, Ref("PersistentVolumeClaim", namespace, claim))


def _nodes_in_the_way(snapshot: Snapshot) -> list[str]:
    """The nodes whose state can explain that a pod is placed nowhere: all, where none takes pods; else none, for then
    it is not for want of a sound node."""
    nodes = list(snapshot.of_kind("Node"))
    return [] if any(_takes_pods(node) for node in nodes) else [node["metadata"]["name"] for node in nodes]


def _takes_pods(node: Json) -> bool:
    spec = node.get("spec") or {}
    conditions = (node.get("status") or {}).get("conditions") or []
    ready = any(item.get("type") == "Ready" and item.get("status") == "True" for item in conditions)
    kept_off = any(taint.get("effect") in ("NoSchedule", "NoExecute") for taint in spec.get("taints") or [])
    return ready and not spec.get("unschedulable") and not kept_off


def _around_claim(snapshot: Snapshot, ref: Ref) -> Iterator[Ref]:
    yield ref
    claim = snapshot.find(ref)
    spec = (claim or {}).get("spec") or {}
    if spec.get("volumeName"):
        yield Ref("PersistentVolume", "", spec["volumeName"])
    if spec.get("storageClassName"):
        yield Ref("StorageClass", "", spec["storageClassName"])
