"""Pods, claims, volumes and namespaces that are being deleted and do not go; evictions through the API."""

from __future__ import annotations

from typing import Any

from tests.incidents._controllers import HASH, deployment, replica_set, stateful_set
from tests.incidents.build import Incident, Json, at, condition, container, incident, node, running, terminated


def deleted(ago: float, grace: int = 30, **more: Any) -> Json:
    """metadata of an object whose deletion was asked for `ago` seconds before the end."""
    return {"deletionTimestamp": at(ago - grace), "deletionGracePeriodSeconds": grace} | more


def pod(made: Incident, ago: float, grace: int = 30, *, state: Json | None = None, metadata: Json | None = None, **spec: Any) -> Json:
    """A pod that is being deleted, with the kubelet's Killing event."""
    shown = state or running(3000)
    alive = "running" in shown
    found = made.pod("web", container(state=shown, ready=alive, **spec), ready=alive, ago=3600, metadata=deleted(ago, grace) | (metadata or {}),
                     spec={"terminationGracePeriodSeconds": grace})  # fmt: skip
    made.event(found, "Killing", "Stopping container app", kind="Normal", ago=ago, container="app")
    return found


@incident
def terminating_finalizer_job() -> Incident:
    made = Incident("a finished pod of a Job that nobody tracks any more", "pod/web", "terminating-finalizer")
    pod(made, 900, state=terminated(0, ago=890), metadata={"finalizers": ["batch.kubernetes.io/job-tracking"]})
    return made


@incident
def terminating_finalizer_two() -> Incident:
    made = Incident("a deleted pod of a StatefulSet with an operator's finalizer", "statefulset/web", "terminating-finalizer", ("statefulset-ordinal-blocked",))
    owner = stateful_set(made, replicas=1)
    state = container(state=terminated(143, ago=500))
    made.pod("web-0", state, owner=owner, phase="Failed", labels={"app": "web"}, ago=3600, metadata=deleted(530, finalizers=["mesh.example/drain"]))
    return made


@incident
def terminating_stuck() -> Incident:
    made = Incident("a deleted pod that does not go, and nothing says why", "pod/web", "terminating-stuck")
    pod(made, 400)
    return made


@incident
def terminating_kill_failed() -> Incident:
    made = Incident("the runtime does not get a container killed", "pod/web", "terminating-kill-failed")
    found = pod(made, 400)
    said = 'error killing pod: failed to "KillContainer" for "app" with KillContainerError: "rpc error: code = DeadlineExceeded desc = context deadline exceeded"'
    made.event(found, "FailedKillPod", said, count=3, ago=30, first=250)
    return made


@incident
def terminating_kill_exceeded() -> Incident:
    made = Incident("the kubelet says that the grace period was exceeded", "pod/web", "terminating-kill-failed")
    made.event(pod(made, 400), "ExceededGracePeriod", "Container runtime did not kill the pod within specified grace period.", ago=300)
    return made


@incident
def terminating_sandbox_failed() -> Incident:
    made = Incident("the network plugin does not take the pod's network down", "pod/web", "terminating-sandbox-failed")
    found = pod(made, 400, state=terminated(137, ago=370))
    said = (
        f'error killing pod: failed to "KillPodSandbox" for "{found["metadata"]["uid"]}" with KillPodSandboxError: "rpc error: code = Unknown desc = '
        'failed to destroy network for sandbox \\"4c1f\\": plugin type=\\"calico\\" failed (delete): error getting ClusterInformation: connection is unauthorized: Unauthorized"'
    )
    made.event(found, "FailedKillPod", said, count=22, ago=12, first=360)
    return made


@incident
def terminating_long_grace() -> Incident:
    made = Incident("a process that ignores SIGTERM has ten minutes", "pod/web", "terminating-long-grace")
    pod(made, 100, 600, command=["sh", "-c", "trap '' TERM; sleep 3600"])
    return made


@incident
def terminating_prestop_running() -> Incident:
    made = Incident("a preStop hook that sleeps", "pod/web", "terminating-prestop-running")
    pod(made, 100, 300, lifecycle={"preStop": {"exec": {"command": ["sh", "-c", "sleep 240"]}}})
    return made


@incident
def healthy_replaced_pod_ends() -> Incident:
    made = Incident("healthy: the old pod of a rollout is within its grace period", "deployment/web", "")
    top = deployment(made, ready=1, ago=9000)
    old = replica_set(made, top, replicas=0, mark="5579d475ff", ago=9000)
    made.pod("web-5579d475ff-k2x9p", container(state=running(8900), ready=True), ready=True, owner=old, labels={"app": "web"}, ago=9000, metadata=deleted(8))
    new = replica_set(made, top, pods=1, ready=1, ago=40)
    made.pod(f"web-{HASH}-x7k2p", container(state=running(30), ready=True), ready=True, owner=new, labels={"app": "web"}, ago=40)
    return made


@incident
def terminating_within_grace() -> Incident:
    made = Incident("a pod was deleted ten seconds ago", "pod/web", "terminating-within-grace")
    pod(made, 10)
    return made


@incident
def prestop_hook_failed() -> Incident:
    made = Incident("a preStop hook whose program is not in the image", "pod/web", "prestop-hook-failed")
    found = pod(made, 10, lifecycle={"preStop": {"exec": {"command": ["/bin/drain"]}}})
    made.event(found, "FailedPreStopHook", "PreStopHook failed", ago=9, container="app")
    return made


@incident
def prestop_hook_failed_running() -> Incident:
    made = Incident("a preStop hook whose program is not there, of a process that ignores SIGTERM", "pod/web", "prestop-hook-failed")
    found = pod(made, 60, 300, lifecycle={"preStop": {"exec": {"command": ["/scripts/drain.sh"]}}})
    made.event(found, "FailedPreStopHook", "PreStopHook failed", ago=59, container="app")
    made.journal("kubelet", 'E1121 22:39:01.000000    9589 kuberuntime_container.go:780] "PreStop hook failed" err="rpc error: code = Unknown desc = failed to exec in container: failed to start exec \\"5cf5\\": OCI runtime exec failed: exec failed: '
                 'unable to start container process: exec: \\"/scripts/drain.sh\\": stat /scripts/drain.sh: no such file or directory: unknown" pod="shop/web" podUID="4405" containerName="app"', ago=59)  # fmt: skip
    return made


@incident
def terminating_volume_busy() -> Incident:
    made = Incident("a volume of a deleted pod is busy", "pod/web", "terminating-volume-busy")
    found = pod(made, 400, state=terminated(0, ago=380))
    number = found["metadata"]["uid"]
    made.journal("kubelet", f'E1121 22:39:30.480904    9589 nestedpendingoperations.go:348] Operation for "{{volumeName:kubernetes.io/nfs/{number}-data podName:{number} nodeName:}}" failed. '
                 f'No retries permitted until 2026-11-21 22:41:32 (durationBeforeRetry 2m2s). Error: UnmountVolume.TearDown failed for volume "data" (UniqueName: "kubernetes.io/nfs/{number}-data") '
                 f'pod "{number}" (UID: "{number}") : unmount failed: exit status 32 Output: umount.nfs4: /var/lib/kubelet/pods/{number}/volumes/kubernetes.io~nfs/data: device is busy')  # fmt: skip
    return made


@incident
def mirror_pod_deleted() -> Incident:
    made = Incident("somebody deletes a mirror pod", "pod/web", "mirror-pod-deleted")
    notes = {"kubernetes.io/config.mirror": "8f2f24ae", "kubernetes.io/config.source": "file", "kubernetes.io/config.hash": "8f2f24ae"}
    pod(made, 10, metadata={"annotations": notes})
    return made


def disrupted(reason: str, message: str) -> list[Json]:
    """The conditions of a ready pod that is going to be disrupted."""
    well = [condition(kind, "True") for kind in ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")]
    return [condition("DisruptionTarget", "True", reason, message, ago=20), *well]


@incident
def evicted_by_api() -> Incident:
    made = Incident("kubectl drain evicts a pod", "pod/web", "evicted-by-api")
    made.nodes = ("node1",)
    made.add("Node", "node1", namespace="", **node(unschedulable=True, taints=[{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]))
    made.pod("web", container(state=running(3000), ready=True), metadata=deleted(20), conditions=disrupted("EvictionByEvictionAPI", "Eviction API: evicting"))
    return made


@incident
def evicted_by_api_gone() -> Incident:
    made = Incident("a pod without a controller was evicted and is gone", "pod/web", "evicted-by-api")
    found = made.pod("web", container(state=running(3000), ready=True), ready=True, ago=3600)
    made.objects = [o for o in made.objects if o["kind"] != "Pod"]
    made.change(3600, "ADDED", found)
    found["metadata"] |= deleted(100)
    found["status"]["conditions"] = disrupted("EvictionByEvictionAPI", "Eviction API: evicting")
    made.change(100, "MODIFIED", found)
    made.change(70, "DELETED", found)
    return made


@incident
def pod_was_deleted() -> Incident:
    made = Incident("a pod was deleted", "pod/web", "pod-was-deleted")
    found = made.pod("web", container(state=running(3000), ready=True), ready=True, ago=3600)
    made.event(found, "Killing", "Stopping container app", kind="Normal", ago=100, container="app")
    made.objects = [o for o in made.objects if o["kind"] != "Pod"]
    made.change(3600, "ADDED", found)
    found["metadata"] |= deleted(100)
    made.change(100, "MODIFIED", found)
    made.change(70, "DELETED", found)
    return made


@incident
def orphaned_pod_volumes() -> Incident:
    made = Incident("volume directories of a pod that is gone", "node/node1", "")
    number = "0f7b1c52-7a3b-4d1e-9f43-2f0c3f6f0b11"
    made.journal("kubelet", f'E1121 22:39:30.480904    9589 kubelet_volumes.go:263] "There were many similar errors. Turn up verbosity to see them." err="orphaned pod \\"{number}\\" found, but error occurred when trying to remove the volumes dir: not a directory" numErrs=3')
    return made


# namespaces


def namespace(made: Incident, *conditions: Json, ago: float = 900, finalizers: list[str] | None = None) -> Json:
    """The namespace of the incident, Terminating; conditions that are well are added."""
    kinds = {item["type"] for item in conditions}
    well = [
        ("NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered", "All resources successfully discovered"),
        ("NamespaceDeletionGroupVersionParsingFailure", "ParsedGroupVersions", "All legacy kube types successfully parsed"),
        ("NamespaceDeletionContentFailure", "ContentDeleted", "All content successfully deleted, may be waiting on finalization"),
        ("NamespaceContentRemaining", "ContentRemoved", "All content successfully removed"),
        ("NamespaceFinalizersRemaining", "ContentHasNoFinalizers", "All content-preserving finalizers finished"),
    ]
    more = [condition(kind, "False", reason, message) for kind, reason, message in well if kind not in kinds]
    meta: Json = {"deletionTimestamp": at(ago)} | ({"finalizers": finalizers} if finalizers else {})
    return made.add("Namespace", "shop", namespace="", ago=9000, metadata=meta, spec={"finalizers": ["kubernetes"]},
                    status={"phase": "Terminating", "conditions": [*conditions, *more]})  # fmt: skip


def remaining(text: str) -> Json:
    """Condition NamespaceContentRemaining."""
    return condition("NamespaceContentRemaining", "True", "SomeResourcesRemain", f"Some resources are remaining: {text}")


@incident
def namespace_held_by_finalizers() -> Incident:
    made = Incident("a finalizer on a ConfigMap holds a namespace", "namespace/shop", "namespace-held-by-finalizers")
    namespace(
        made, remaining("configmaps. has 1 resource instances"),
        condition("NamespaceFinalizersRemaining", "True", "SomeFinalizersRemain",
                  "Some content in the namespace has finalizers remaining: example.com/guard in 1 resource instances"),
    )  # fmt: skip
    made.add("ConfigMap", "settings", metadata={"deletionTimestamp": at(890), "finalizers": ["example.com/guard"]}, data={})
    return made


@incident
def namespace_discovery_failed() -> Incident:
    made = Incident("an aggregated API that is down holds a namespace", "namespace/shop", "namespace-discovery-failed")
    said = (
        "Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: "
        "metrics.k8s.io/v1beta1: stale GroupVersion discovery: metrics.k8s.io/v1beta1"
    )
    namespace(made, condition("NamespaceDeletionDiscoveryFailure", "True", "DiscoveryFailed", said))
    return made


@incident
def namespace_content_not_deleted() -> Incident:
    made = Incident("a conversion webhook that is gone holds a namespace", "namespace/shop", "namespace-content-not-deleted")
    said = (
        "Failed to delete all resource types, 1 remaining: conversion webhook for example.com/v1, Kind=Widget failed: "
        'Post "https://widgets.shop.svc:443/convert?timeout=30s": service "widgets" not found'
    )
    namespace(made, condition("NamespaceDeletionContentFailure", "True", "ContentDeletionFailed", said))
    return made


@incident
def namespace_own_finalizer() -> Incident:
    made = Incident("a finalizer on the namespace itself", "namespace/shop", "namespace-own-finalizer")
    namespace(made, finalizers=["controller.example.com/namespace-auth"])
    return made


@incident
def namespace_content_remains() -> Incident:
    made = Incident("a namespace whose pods are still ending", "namespace/shop", "namespace-content-remains")
    namespace(made, remaining("pods. has 1 resource instances"), ago=20)
    pod(made, 18, 30)
    return made


# claims and volumes


def claim(made: Incident, *, finalizers: list[str], ago: float = 300) -> Json:
    """A bound claim that is being deleted."""
    return made.add("PersistentVolumeClaim", "data", metadata=deleted(ago, 0, finalizers=finalizers), ago=3600,
                    spec={"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "storageClassName": "standard", "volumeName": "pv-data", "volumeMode": "Filesystem"},
                    status={"phase": "Bound", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"]})  # fmt: skip


USES = {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]}


@incident
def claim_in_use_terminating() -> Incident:
    made = Incident("a claim was deleted while a pod uses it", "pvc/data", "claim-in-use-terminating")
    claim(made, finalizers=["kubernetes.io/pvc-protection"])
    made.pod("web", container(state=running(3000), ready=True), ready=True, spec=USES, ago=3600)
    return made


@incident
def claim_in_use_by_finished_pod() -> Incident:
    made = Incident("a claim was deleted; a pod that has completed still counts as using it", "pvc/data", "claim-in-use-terminating")
    claim(made, finalizers=["kubernetes.io/pvc-protection"])
    made.pod("import-8x2kq", container(state=terminated(0, ago=2000)), phase="Succeeded", spec=USES | {"restartPolicy": "Never"}, ago=3600)
    return made


@incident
def claim_held_by_finalizer() -> Incident:
    made = Incident("an operator's finalizer holds a claim", "pvc/data", "claim-held-by-finalizer")
    claim(made, finalizers=["backup.example.com/snapshot"])
    return made


def volume(made: Incident, phase: str, finalizers: list[str], message: str = "") -> Json:
    """A PersistentVolume that is being deleted."""
    return made.add("PersistentVolume", "pv-data", namespace="", ago=9000, metadata=deleted(300, 0, finalizers=finalizers),
                    spec={"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "persistentVolumeReclaimPolicy": "Delete", "storageClassName": "standard",
                          "claimRef": {"kind": "PersistentVolumeClaim", "namespace": "shop", "name": "data"}, "hostPath": {"path": "/srv/data"}},
                    status={"phase": phase} | ({"message": message} if message else {}))  # fmt: skip


@incident
def volume_terminating() -> Incident:
    made = Incident("a volume was deleted while it is bound", "pv/pv-data", "volume-terminating")
    volume(made, "Bound", ["kubernetes.io/pv-protection"])
    return made


@incident
def volume_held_by_finalizer() -> Incident:
    made = Incident("the storage behind a deleted volume cannot be deleted", "pv/pv-data", "volume-held-by-finalizer")
    volume(made, "Released", ["external-provisioner.volume.kubernetes.io/finalizer"])
    return made
