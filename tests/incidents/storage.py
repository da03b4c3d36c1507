"""Claims that are not bound, and volumes that cannot be attached or mounted."""

from typing import Any

from tests.incidents.build import Incident, Json, at, condition, container, incident, running

UNBOUND = (
    "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/1 nodes are available:"
    " 1 Preemption is not helpful for scheduling."
)
NO_CLASS = "no persistent volumes available for this claim and no storage class is set"


def claim(
    made: Incident, name: str = "data", *, size: str = "10Gi", storage_class: str | None = None, volume: str = "",
    phase: str = "Pending", modes: tuple[str, ...] = ("ReadWriteOnce",), notes: Json | None = None, **status: Any,
) -> Json:  # fmt: skip
    """A PersistentVolumeClaim."""
    spec: Json = {"accessModes": list(modes), "resources": {"requests": {"storage": size}}, "volumeMode": "Filesystem"}
    if storage_class is not None:
        spec["storageClassName"] = storage_class
    if volume:
        spec["volumeName"] = volume
    meta: Json = {"finalizers": ["kubernetes.io/pvc-protection"]} | ({"annotations": notes} if notes else {})
    return made.add("PersistentVolumeClaim", name, metadata=meta, spec=spec, status={"phase": phase} | status)


def says(made: Incident, about: Json, reason: str, message: str, *, kind: str = "Normal", by: str = "") -> None:
    """The volume controller repeats itself every 15 s."""
    made.event(about, reason, message, kind=kind, by=by or "persistentvolume-controller", count=40, ago=5, first=595)


def storage_class(
    made: Incident, name: str, provisioner: str, *, binding: str = "Immediate", default: bool = False
) -> None:
    """A StorageClass."""
    notes = {"storageclass.kubernetes.io/is-default-class": "true"} if default else {}
    made.add(
        "StorageClass", name, namespace="", ago=86400, metadata={"annotations": notes}, provisioner=provisioner,
        reclaimPolicy="Delete", volumeBindingMode=binding,
    )  # fmt: skip


def volume(
    made: Incident, name: str, *, size: str = "10Gi", storage_class: str = "", modes: tuple[str, ...] = ("ReadWriteOnce",),
    phase: str = "Available", holder: str = "", **source: Any,
) -> Json:  # fmt: skip
    """A PersistentVolume, of a hostPath where no other source is given; `holder` is namespace/name of its claim."""
    spec: Json = {
        "capacity": {"storage": size}, "accessModes": list(modes), "volumeMode": "Filesystem",
        "persistentVolumeReclaimPolicy": "Retain", "storageClassName": storage_class,
    }  # fmt: skip
    if holder:
        space, _, of = holder.partition("/")
        spec["claimRef"] = {"kind": "PersistentVolumeClaim", "namespace": space, "name": of, "uid": "0"}
    spec |= source or {"hostPath": {"path": f"/srv/{name}", "type": ""}}
    return made.add("PersistentVolume", name, namespace="", ago=3600, spec=spec, status={"phase": phase})


DATA: Json = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}


def unscheduled(made: Incident, message: str = UNBOUND, name: str = "db") -> Json:
    """A pod that waits for its claim."""
    why = [condition("PodScheduled", "False", "Unschedulable", message)]
    box = container(status=False, volumeMounts=[{"name": "data", "mountPath": "/data"}])
    pod = made.pod(name, box, node=None, phase="Pending", spec={"volumes": [DATA]}, conditions=why)
    made.event(pod, "FailedScheduling", message, by="default-scheduler", count=3, ago=60, first=599)
    return pod


def creating(made: Incident, *volumes: Json, name: str = "web", ago: float = 600, scheduled: bool = True) -> Json:
    """A pod on its node whose volumes are not mounted."""
    unready = ("False", "ContainersNotReady", "containers with unready status: [app]")
    conditions = [
        condition("PodReadyToStartContainers", "False", ago=ago), condition("Initialized", "True", ago=ago),
        condition("Ready", *unready, ago=ago), condition("ContainersReady", *unready, ago=ago),
        condition("PodScheduled", "True", ago=ago),
    ]  # fmt: skip
    mounts = [{"name": item["name"], "mountPath": f"/mnt/{item['name']}"} for item in volumes]
    pod = made.pod(
        name,
        container(volumeMounts=mounts),
        phase="Pending",
        conditions=conditions,
        spec={"volumes": list(volumes)},
        ago=ago,
    )
    if not scheduled:
        made.objects = [o for o in made.objects if o.get("reason") != "Scheduled"]
    return pod


def unmounted(
    made: Incident, item: Json, error: str, *, operation: str = "MountVolume.SetUp", named: str = "",
    reason: str = "FailedMount", by: str = "kubelet", name: str = "web",
) -> Incident:  # fmt: skip
    """A pod one of whose volumes fails, in the words of the volume manager."""
    pod = creating(made, item, name=name)
    text = f'{operation} failed for volume "{named or item["name"]}" : {error}' if operation else error
    made.event(pod, reason, text, by=by, count=12, ago=20, first=598)
    return made


@incident
def claim_no_class() -> Incident:
    made = Incident("a claim without a class, no default class, no PersistentVolume", "pod/db", "claim-no-class")
    says(made, claim(made), "FailedBinding", NO_CLASS)
    unscheduled(made)
    return made


@incident
def claim_no_class_expired() -> Incident:
    made = Incident('a claim of class "", nothing said any more; asked of the claim', "pvc/data", "claim-no-class")
    made.kinds = ["PersistentVolume", "StorageClass"]
    claim(made, storage_class="")
    return made


@incident
def claim_class_missing() -> Incident:
    made = Incident("a claim of a class that does not exist", "pod/db", "claim-class-missing")
    storage_class(made, "standard", "disk.csi.example", default=True)
    text = 'storageclass.storage.k8s.io "fast-ssd" not found'
    says(made, claim(made, storage_class="fast-ssd"), "ProvisioningFailed", text, kind="Warning")
    volume(made, "pv-other", storage_class="manual")
    unscheduled(made)
    return made


@incident
def claim_volume_unfit() -> Incident:
    made = Incident("the only PersistentVolume of the claim's class is too small", "pod/db", "claim-volume-unfit")
    text = 'storageclass.storage.k8s.io "manual" not found'
    says(made, claim(made, storage_class="manual"), "ProvisioningFailed", text, kind="Warning")
    volume(made, "pv-data", size="5Gi", storage_class="manual")
    volume(made, "pv-other", size="20Gi", storage_class="manual", phase="Bound", holder="shop/other")
    unscheduled(made)
    return made


@incident
def claim_volume_unfit_modes() -> Incident:
    made = Incident("no class; the PersistentVolume offers another access mode", "pvc/data", "claim-volume-unfit")
    says(made, claim(made, modes=("ReadWriteMany",)), "FailedBinding", NO_CLASS)
    volume(made, "pv-data")
    unscheduled(made)
    return made


@incident
def claim_volume_unfit_local() -> Incident:
    made = Incident("local volumes, bound at scheduling, and none is large enough", "pod/db", "claim-volume-unfit")
    storage_class(made, "local", "kubernetes.io/no-provisioner", binding="WaitForFirstConsumer")
    text = "waiting for pod(s) db to be scheduled"
    says(made, claim(made, storage_class="local", size="100Gi"), "WaitForPodScheduled", text)
    volume(made, "local-1", storage_class="local", local={"path": "/mnt/disks/1"})
    unscheduled(
        made,
        message="0/1 nodes are available: 1 node(s) didn't find available persistent volumes to bind. preemption: 0/1"
        " nodes are available: 1 Preemption is not helpful for scheduling.",
    )
    return made


@incident
def claim_volume_released() -> Incident:
    made = Incident(
        "a claim made anew; its volume is Released, still reserved for the old one", "pod/db", "claim-volume-released"
    )
    says(made, claim(made, storage_class=""), "FailedBinding", NO_CLASS)
    volume(made, "pv-data", phase="Released", holder="shop/data")
    unscheduled(made)
    return made


@incident
def claim_volume_missing() -> Incident:
    made = Incident(
        "a claim names a PersistentVolume that does not exist: no event at all", "pod/db", "claim-volume-missing"
    )
    claim(made, storage_class="", volume="pv-old")
    unscheduled(made)
    return made


@incident
def claim_volume_mismatch() -> Incident:
    made = Incident("a claim names a PersistentVolume that is too small", "pod/db", "claim-volume-mismatch")
    text = 'Cannot bind to requested volume "pv-data": requested PV is too small'
    says(made, claim(made, storage_class="", volume="pv-data", size="20Gi"), "VolumeMismatch", text, kind="Warning")
    volume(made, "pv-data")
    unscheduled(made)
    return made


@incident
def claim_volume_taken() -> Incident:
    made = Incident("a claim names a PersistentVolume that another claim has", "pvc/data", "claim-volume-taken")
    text = 'volume "pv-data" already bound to a different claim.'
    says(made, claim(made, storage_class="", volume="pv-data"), "FailedBinding", text, kind="Warning")
    volume(made, "pv-data", phase="Bound", holder="shop/other")
    return made


GHOST = (
    "Waiting for a volume to be created either by the external provisioner 'ghost.csi.example' or manually by the system"
    " administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered."
)


@incident
def claim_provisioner_silent() -> Incident:
    made = Incident("the provisioner of the claim's class is not there", "pod/db", "claim-provisioner-silent")
    storage_class(made, "ghost", "ghost.csi.example")
    notes = {"volume.kubernetes.io/storage-provisioner": "ghost.csi.example"}
    says(made, claim(made, storage_class="ghost", notes=notes), "ExternalProvisioning", GHOST)
    unscheduled(made)
    return made


@incident
def claim_provisioner_silent_at_scheduling() -> Incident:
    made = Incident(
        "as before, with a class that waits for the pod: the scheduler has chosen a node",
        "pvc/data",
        "claim-provisioner-silent",
    )
    storage_class(made, "ghost", "ghost.csi.example", binding="WaitForFirstConsumer")
    notes = {
        "volume.kubernetes.io/storage-provisioner": "ghost.csi.example",
        "volume.kubernetes.io/selected-node": "node1",
    }
    held = claim(made, storage_class="ghost", notes=notes)
    made.event(held, "WaitForFirstConsumer", "waiting for first consumer to be created before binding", kind="Normal",
               by="persistentvolume-controller", ago=598)  # fmt: skip
    says(made, held, "ExternalProvisioning", GHOST)
    return made


@incident
def claim_provisioner_silent_pod_waits() -> Incident:
    made = claim_provisioner_silent_at_scheduling()
    made.title, made.subject = (
        "as before, asked of the pod: the scheduler waits, and the pod has no condition yet",
        "pod/db",
    )
    made.also = ("scheduler-not-acting",)
    box = container(status=False, volumeMounts=[{"name": "data", "mountPath": "/data"}])
    made.pod("db", box, node=None, phase="Pending", spec={"volumes": [DATA]}, ago=300)
    return made


@incident
def claim_provisioning_failed() -> Incident:
    made = Incident("the driver cannot create the volume", "pod/db", "claim-provisioning-failed")
    storage_class(made, "fast", "disk.csi.example")
    notes = {"volume.kubernetes.io/storage-provisioner": "disk.csi.example"}
    held = claim(made, storage_class="fast", notes=notes)
    says(made, held, "ExternalProvisioning", GHOST.replace("ghost.csi", "disk.csi"))
    text = 'failed to provision volume with StorageClass "fast": rpc error: code = ResourceExhausted desc = quota of 100 GiB exceeded'
    made.event(
        held, "ProvisioningFailed", text, by="disk.csi.example_disk-controller-0_2f1c", count=9, ago=30, first=590
    )
    unscheduled(made)
    return made


@incident
def claim_lost() -> Incident:
    made = Incident("the PersistentVolume of a bound claim was deleted", "pod/db", "claim-lost")
    held = claim(made, storage_class="", volume="pv-data", phase="Lost")
    text = "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
    made.event(held, "ClaimLost", text, by="persistentvolume-controller", ago=500)
    message = (
        '0/1 nodes are available: persistentvolumeclaim "data" bound to non-existent persistentvolume "pv-data". preemption:'
        " 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
    )
    unscheduled(made, message=message)
    return made


@incident
def claim_misbound() -> Incident:
    made = Incident("two claims are bound to one volume", "pvc/data", "claim-misbound")
    held = claim(made, storage_class="", volume="pv-data", phase="Lost")
    text = "Two claims are bound to the same volume, this one is bound incorrectly"
    says(made, held, "ClaimMisbound", text, kind="Warning")
    volume(made, "pv-data", phase="Bound", holder="shop/other")
    return made


WAITS = "waiting for first consumer to be created before binding"


@incident
def claim_consumer_bypasses_scheduler() -> Incident:
    made = Incident("a pod with spec.nodeName and a claim that waits for the scheduler", "pod/web",
                    "claim-consumer-bypasses-scheduler", ("mount-claim-not-bound",))  # fmt: skip
    storage_class(made, "local-path", "rancher.io/local-path", binding="WaitForFirstConsumer", default=True)
    says(made, claim(made, storage_class="local-path"), "WaitForFirstConsumer", WAITS)
    pod = creating(made, DATA, scheduled=False)
    text = (
        "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[], failed to process"
        " volumes=[data]: error processing PVC shop/data: PVC is not bound"
    )
    made.event(pod, "FailedMount", text, count=5, ago=20, first=590)
    return made


@incident
def healthy_claim_waits_for_pod() -> Incident:
    made = Incident("healthy: a claim that no pod uses yet, of a class that waits for one", "pvc/data", "")
    storage_class(made, "local-path", "rancher.io/local-path", binding="WaitForFirstConsumer", default=True)
    says(made, claim(made, storage_class="local-path"), "WaitForFirstConsumer", WAITS)
    made.pod("web", container(state=running(500), ready=True), ready=True)
    return made


@incident
def claim_ephemeral_conflict() -> Incident:
    made = Incident("a claim is in the way of the pod's ephemeral volume", "pod/db", "claim-ephemeral-conflict")
    claim(made, "db-scratch", phase="Bound", storage_class="fast", volume="pv-1", capacity={"storage": "10Gi"})
    pod = unscheduled(
        made,
        message='0/1 nodes are available: waiting for ephemeral volume controller to create the persistentvolumeclaim "db-scratch".'
        " preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
    )
    template = {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}
    pod["spec"]["volumes"] = [{"name": "scratch", "ephemeral": {"volumeClaimTemplate": template}}]
    text = "ephemeral volume scratch: PVC shop/db-scratch was not created for pod shop/db (pod is not owner)"
    made.event(pod, "FailedBinding", text, by="ephemeral_volume", count=10, ago=15, first=598)
    return made


@incident
def claim_resize_stuck() -> Incident:
    made = Incident("a claim was grown, and nobody grows its volume", "pvc/data", "claim-resize-stuck")
    storage_class(made, "fast", "disk.csi.example")
    resizing = [condition("Resizing", "True", ago=580)]
    held = claim(
        made,
        storage_class="fast",
        volume="pv-1",
        size="20Gi",
        phase="Bound",
        capacity={"storage": "10Gi"},
        conditions=resizing,
    )
    says(made, held, "ExternalExpanding", "waiting for an external controller to expand this PVC", by="volume_expand")
    made.pod("web", container(state=running(500), ready=True), ready=True, spec={"volumes": [DATA]})
    return made


@incident
def claim_pending() -> Incident:
    made = Incident("a claim that has just been made, and of which nothing is known", "pod/db", "claim-pending")
    held = claim(made, storage_class="fast")
    held["metadata"]["creationTimestamp"] = at(20)
    unscheduled(made)
    return made


CONFIG = {"name": "config", "configMap": {"name": "app-config", "defaultMode": 420}}
TLS = {"name": "tls", "secret": {"secretName": "web-tls", "defaultMode": 420}}


@incident
def mount_configmap_missing() -> Incident:
    made = Incident("a volume of a ConfigMap that does not exist", "pod/web", "mount-configmap-missing")
    made.add("ConfigMap", "app-conf", data={"a": "b"})
    return unmounted(made, CONFIG, 'configmap "app-config" not found')


@incident
def mount_configmap_missing_deployment() -> Incident:
    made = Incident("as before, asked of the Deployment", "deployment/web", "mount-configmap-missing")
    parent = made.add("Deployment", "web", spec={"replicas": 1, "selector": {"matchLabels": {"app": "web"}}},
                      status={"replicas": 1, "unavailableReplicas": 1})  # fmt: skip
    reference = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": "web",
        "uid": parent["metadata"]["uid"],
        "controller": True,
    }
    made.add("ReplicaSet", "web-5d4f", metadata={"ownerReferences": [reference], "labels": {"app": "web"}},
             spec={"replicas": 1}, status={"replicas": 1})  # fmt: skip
    unmounted(made, CONFIG, 'configmap "app-config" not found', name="web-5d4f-x2x9k")
    pod = next(o for o in made.objects if o["kind"] == "Pod")
    owner = next(o for o in made.objects if o["kind"] == "ReplicaSet")
    pod["metadata"]["ownerReferences"] = [
        {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "name": "web-5d4f",
            "uid": owner["metadata"]["uid"],
            "controller": True,
        }
    ]
    return made


@incident
def mount_configmap_missing_expired() -> Incident:
    made = Incident("as before, and the events have expired", "pod/web", "mount-configmap-missing")
    made.kinds = ["ConfigMap"]
    creating(made, CONFIG, ago=9000, scheduled=False)
    return made


@incident
def mount_secret_missing() -> Incident:
    made = Incident("a volume of a Secret that does not exist", "pod/web", "mount-secret-missing")
    return unmounted(made, TLS, 'secret "web-tls" not found')


@incident
def mount_key_missing_configmap() -> Incident:
    made = Incident("a volume names a key that its ConfigMap lacks", "pod/web", "mount-key-missing")
    made.add("ConfigMap", "app-config", data={"application.yaml": "a: b"})
    item = {"name": "config", "configMap": {"name": "app-config", "items": [{"key": "app.yaml", "path": "app.yaml"}]}}
    return unmounted(made, item, "configmap references non-existent config key: app.yaml")


@incident
def mount_key_missing_secret() -> Incident:
    made = Incident("a projected volume names a key that its Secret lacks", "pod/web", "mount-key-missing")
    made.add("Secret", "web-tls", type="Opaque", data={"cert.pem": "", "key.pem": ""})
    source = {"secret": {"name": "web-tls", "items": [{"key": "tls.crt", "path": "tls.crt"}]}}
    return unmounted(
        made, {"name": "all", "projected": {"sources": [source]}}, "references non-existent secret key: tls.crt"
    )


@incident
def healthy_optional_configmap() -> Incident:
    made = Incident(
        "healthy: ConfigMap and Secret are optional and absent, and the pod is not ready for a moment", "pod/web", ""
    )
    made.kinds = ["ConfigMap", "Secret"]
    volumes = [
        {"name": "config", "configMap": {"name": "app-config", "optional": True}},
        {"name": "tls", "secret": {"secretName": "web-tls", "optional": True}},
    ]
    env = [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "app-config", "key": "a", "optional": True}}}]
    last = {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": at(90000), "finishedAt": at(89000)}}
    box = container(state=running(86400), ready=True, last=last, restarts=1, env=env)
    made.pod("web", box, ready=True, ago=90000, spec={"volumes": volumes})
    return made


@incident
def healthy_late_mount_while_pulling() -> Incident:
    made = Incident("healthy: a claim whose pod got its ConfigMap late and pulls its image now", "pvc/data", "")
    claim(made, storage_class="fast", volume="pv-1", phase="Bound", capacity={"storage": "10Gi"})
    pod = creating(made, DATA, CONFIG, ago=40)
    made.event(
        pod, "FailedMount", 'MountVolume.SetUp failed for volume "config" : configmap "app-config" not found', ago=39
    )
    made.event(pod, "Pulling", 'Pulling image "registry.example/shop/web:v1"', kind="Normal", ago=35, container="app")
    return made


@incident
def mount_config_cache() -> Incident:
    made = Incident("the kubelet's watch does not come up", "pod/web", "mount-config-cache")
    return unmounted(made, TLS, "failed to sync secret cache: timed out waiting for the condition")


ACCESS = {"name": "kube-api-access-7x2lp", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}


@incident
def mount_service_account_missing() -> Incident:
    made = Incident(
        "the pod's ServiceAccount was deleted", "pod/web", "mount-service-account-missing", ("mount-token-failed",)
    )
    return unmounted(made, ACCESS, 'failed to fetch token: serviceaccounts "web" not found')


@incident
def mount_token_failed() -> Incident:
    made = Incident("the namespace has no kube-root-ca.crt", "pod/web", "mount-token-failed")
    return unmounted(made, ACCESS, 'configmap "kube-root-ca.crt" not found')


@incident
def mount_hostpath_type() -> Incident:
    made = Incident("a hostPath that is not there", "pod/web", "mount-hostpath-type")
    item = {"name": "data", "hostPath": {"path": "/srv/data", "type": "Directory"}}
    return unmounted(made, item, "hostPath type check failed: /srv/data is not a directory")


@incident
def mount_hostpath_create() -> Incident:
    made = Incident("a hostPath that cannot be created", "pod/web", "mount-hostpath-create")
    item = {"name": "data", "hostPath": {"path": "/opt/data", "type": "DirectoryOrCreate"}}
    return unmounted(made, item, "mkdir /opt/data: read-only file system")


@incident
def mount_local_path_missing() -> Incident:
    made = Incident("a local volume whose directory is not there", "pod/web", "mount-local-path-missing")
    claim(made, storage_class="local", volume="pv-ssd", phase="Bound", capacity={"storage": "10Gi"})
    volume(made, "pv-ssd", storage_class="local", phase="Bound", holder="shop/data", local={"path": "/mnt/disks/ssd1"})
    return unmounted(made, DATA, 'path "/mnt/disks/ssd1" does not exist', operation="MountVolume.NewMounter initialization",
                     named="pv-ssd")  # fmt: skip


@incident
def mount_node_affinity() -> Incident:
    made = Incident("a pod put by hand on a node its volume is not for", "pod/web", "mount-node-affinity")
    claim(made, storage_class="local", volume="pv-ssd", phase="Bound", capacity={"storage": "10Gi"})
    return unmounted(
        made, DATA, "no matching NodeSelectorTerms", operation="MountVolume.NodeAffinity check", named="pv-ssd"
    )


NFS = {"name": "share", "nfs": {"server": "192.0.2.1", "path": "/exports/share"}}
MOUNTING = (
    "mount failed: exit status 32 Mounting command: mount Mounting arguments: -t nfs 192.0.2.1:/exports/share"
    " /var/lib/kubelet/pods/1c8f/volumes/kubernetes.io~nfs/share Output: "
)


@incident
def mount_helper_missing() -> Incident:
    made = Incident("the node has no NFS client", "pod/web", "mount-helper-missing")
    output = (
        "mount: /var/lib/kubelet/pods/1c8f/volumes/kubernetes.io~nfs/share: bad option; for several filesystems (e.g. nfs,"
        " cifs) you might need a /sbin/mount.<type> helper program."
    )
    return unmounted(made, NFS, MOUNTING + output)


@incident
def mount_nfs_unreachable() -> Incident:
    made = Incident("the NFS server does not answer", "pod/web", "mount-nfs-failed")
    return unmounted(made, NFS, MOUNTING + "mount.nfs: Connection timed out")


@incident
def mount_nfs_denied() -> Incident:
    made = Incident("the NFS server refuses the node; the share is a PersistentVolume", "pod/web", "mount-nfs-failed")
    claim(made, storage_class="", volume="pv-share", phase="Bound", capacity={"storage": "10Gi"})
    volume(made, "pv-share", phase="Bound", holder="shop/data", nfs=NFS["nfs"])
    text = MOUNTING + "mount.nfs: access denied by server while mounting 192.0.2.1:/exports/share"
    return unmounted(made, DATA, text, named="pv-share")


@incident
def mount_filesystem_damaged() -> Incident:
    made = Incident("fsck cannot repair the volume", "pod/web", "mount-filesystem-damaged")
    text = "'fsck' found errors on device /dev/vdb but could not correct them: fsck from util-linux 2.38.1"
    return unmounted(made, DATA, text, operation="MountVolume.MountDevice", named="pv-1")


@incident
def mount_filesystem_type() -> Incident:
    made = Incident("the disk holds another file system", "pod/web", "mount-filesystem-type")
    text = "mount failed: exit status 32 Mounting command: mount Output: mount: /var/lib/kubelet/plugins/m: wrong fs type, bad option, bad superblock on /dev/vdb, missing codepage or helper program, or other error."
    return unmounted(made, DATA, text, operation="MountVolume.MountDevice", named="pv-1")


@incident
def mount_disk_full() -> Incident:
    made = Incident("the node's disk is full", "pod/web", "mount-disk-full")
    return unmounted(made, CONFIG, "write /var/lib/kubelet/pods/1c8f/volumes/a: no space left on device")


@incident
def attach_multi() -> Incident:
    made = Incident("the volume is still on another node", "pod/web", "attach-multi")
    claim(made, storage_class="fast", volume="pv-1", phase="Bound", capacity={"storage": "10Gi"})
    text = 'Multi-Attach error for volume "pv-1" Volume is already used by pod(s) web-6c9f-abcde'
    return unmounted(made, DATA, text, operation="", reason="FailedAttachVolume", by="attachdetach-controller")


@incident
def attach_no_attacher() -> Incident:
    made = Incident("the driver's attacher does not answer", "pod/web", "attach-no-attacher")
    claim(made, storage_class="ghost", volume="pv-1", phase="Bound", capacity={"storage": "10Gi"})
    volume(
        made,
        "pv-1",
        storage_class="ghost",
        phase="Bound",
        holder="shop/data",
        csi={"driver": "ghost.csi.example", "volumeHandle": "vol-1"},
    )
    text = "timed out waiting for external-attacher of ghost.csi.example CSI driver to attach volume vol-1"
    return unmounted(made, DATA, text, operation="AttachVolume.Attach", named="pv-1", reason="FailedAttachVolume",
                     by="attachdetach-controller")  # fmt: skip


@incident
def attach_failed() -> Incident:
    made = Incident("the disk behind the volume is gone", "pod/web", "attach-failed")
    claim(made, storage_class="fast", volume="pv-1", phase="Bound", capacity={"storage": "10Gi"})
    text = "rpc error: code = NotFound desc = disk vol-1 not found"
    return unmounted(made, DATA, text, operation="AttachVolume.Attach", named="pv-1", reason="FailedAttachVolume",
                     by="attachdetach-controller")  # fmt: skip


@incident
def csi_driver_not_registered() -> Incident:
    made = Incident("the CSI driver is not on the node", "pod/web", "csi-driver-not-registered")
    claim(made, storage_class="ghost", volume="pv-1", phase="Bound", capacity={"storage": "10Gi"})
    text = (
        "kubernetes.io/csi: attacher.MountDevice failed to create newCsiDriverClient: driver name ghost.csi.example not found"
        " in the list of registered CSI drivers"
    )
    return unmounted(made, DATA, text, operation="MountVolume.MountDevice", named="pv-1")


@incident
def csi_driver_not_installed() -> Incident:
    made = Incident("an inline CSI volume of a driver that is not installed", "pod/web", "csi-driver-not-registered")
    item = {"name": "secrets", "csi": {"driver": "secrets-store.csi.example", "readOnly": True}}
    text = 'kubernetes.io/csi: mounter.SetUpAt failed to check volume lifecycle mode: volume mode "Ephemeral" not supported by driver secrets-store.csi.example (no CSIDriver object)'
    return unmounted(made, item, text)


@incident
def csi_secret_missing() -> Incident:
    made = Incident("the CSI driver's Secret is not there", "pod/web", "csi-secret-missing")
    claim(made, storage_class="fast", volume="pv-1", phase="Bound", capacity={"storage": "10Gi"})
    text = (
        "fetching NodeStageSecretRef storage/disk-credentials failed: kubernetes.io/csi: failed to find the secret"
        ' disk-credentials in the namespace storage with error: secrets "disk-credentials" not found'
    )
    return unmounted(made, DATA, text, operation="MountVolume.MountDevice", named="pv-1")


@incident
def csi_operation_failed() -> Incident:
    made = Incident("the CSI driver cannot stage the volume", "pod/web", "csi-operation-failed")
    claim(made, storage_class="fast", volume="pv-1", phase="Bound", capacity={"storage": "10Gi"})
    text = "rpc error: code = Internal desc = iscsiadm: no records found for target iqn.2024-01.example:vol-1"
    return unmounted(made, DATA, text, operation="MountVolume.MountDevice", named="pv-1")


PROCESSING = "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[], failed to process volumes=[data]: "


@incident
def mount_volume_mode() -> Incident:
    made = Incident("a block volume in volumeMounts", "pod/web", "mount-volume-mode")
    claim(made, storage_class="fast", volume="pv-1", phase="Bound", capacity={"storage": "10Gi"})
    return unmounted(
        made, DATA, PROCESSING + "volume data has volumeMode Block, but is specified in volumeMounts", operation=""
    )


@incident
def mount_claim_not_bound() -> Incident:
    made = Incident("a pod on a node whose claim is being deleted", "pod/web", "mount-claim-not-bound")
    return unmounted(made, DATA, PROCESSING + "error processing PVC shop/data: PVC is being deleted", operation="")


@incident
def mount_ownership_slow() -> Incident:
    made = Incident("fsGroup on a volume of a million files", "pod/web", "mount-ownership-slow")
    claim(made, storage_class="fast", volume="pv-1", phase="Bound", capacity={"storage": "10Gi"})
    text = "Setting volume ownership for 1c8f/volumes/kubernetes.io~csi/pv-1 is taking longer than expected, consider using OnRootMismatch - https://kubernetes.io/docs/tasks/configure-pod-container/security-context/"
    return unmounted(made, DATA, text, operation="", reason="VolumePermissionChangeInProgress")


@incident
def mount_ownership_slow_short_path() -> Incident:
    made = Incident("fsGroup on a large volume; the path is shortened", "pod/web", "mount-ownership-slow")
    claim(made, storage_class="fast", volume="pv-1", phase="Bound", capacity={"storage": "10Gi"})
    text = "Setting volume ownership for z/volumes/data is taking longer than expected, consider using OnRootMismatch - https://kubernetes.io/docs/tasks/configure-pod-container/security-context/"
    return unmounted(made, DATA, text, operation="", reason="VolumePermissionChangeInProgress")


@incident
def mount_nfs_expired() -> Incident:
    made = Incident("an NFS server refuses the mount; only the journal still says so", "pod/web", "mount-nfs-failed")
    item = {"name": "data", "nfs": {"server": "192.0.2.1", "path": "/exports"}}
    error = "mount failed: exit status 32 Mounting command: mount Mounting arguments: -t nfs 192.0.2.1:/exports /var/lib/kubelet/pods/1c8f/volumes/kubernetes.io~nfs/data Output: mount.nfs: access denied by server while mounting 192.0.2.1:/exports"
    unmounted(made, item, error)
    made.objects = [obj for obj in made.objects if obj["kind"] != "Event"]
    pod = next(obj for obj in made.objects if obj["kind"] == "Pod")["metadata"]["uid"]
    made.journal("kubelet", f'E1121 22:39:30.480904    9589 nestedpendingoperations.go:348] Operation for "{{volumeName:kubernetes.io/nfs/{pod}-data podName:{pod} nodeName:}}" failed. No retries permitted until 2026-11-21 22:41:32 '
                 f'+0000 UTC m=+900.1 (durationBeforeRetry 2m2s). Error: MountVolume.SetUp failed for volume "data" (UniqueName: "kubernetes.io/nfs/{pod}-data") pod "web" (UID: "{pod}") : {error}')  # fmt: skip
    return made


@incident
def mount_plugin_missing() -> Incident:
    made = Incident("a gitRepo volume on 1.33", "pod/web", "mount-plugin-missing")
    item = {"name": "code", "gitRepo": {"repository": "https://git.example/shop.git"}}
    text = 'Unable to attach or mount volumes: unmounted volumes=[code], unattached volumes=[], failed to process volumes=[code]: failed to get Plugin from volumeSpec for volume "code" err=no volume plugin matched'
    return unmounted(made, item, text, operation="")


@incident
def mount_hugepages_request() -> Incident:
    made = Incident("an emptyDir of huge pages, and none requested", "pod/web", "mount-hugepages-request")
    item = {"name": "huge", "emptyDir": {"medium": "HugePages"}}
    return unmounted(
        made, item, "medium HugePages: hugePages storage requested, but there is no resource request for huge pages"
    )


@incident
def mount_timeout_silent() -> Incident:
    made = Incident("a volume is never attached, and nobody says so", "pod/web", "mount-timeout-silent")
    claim(made, storage_class="fast", volume="pv-1", phase="Bound", capacity={"storage": "10Gi"})
    volume(
        made,
        "pv-1",
        storage_class="fast",
        phase="Bound",
        holder="shop/data",
        csi={"driver": "disk.csi.example", "volumeHandle": "vol-1"},
    )
    creating(made, DATA, CONFIG)
    made.add("ConfigMap", "app-config", data={"a": "b"})
    made.add("VolumeAttachment", "csi-9f2b", namespace="", spec={"attacher": "disk.csi.example", "nodeName": "node1", "source": {"persistentVolumeName": "pv-1"}},
             status={"attached": False, "attachError": {"message": "rpc error: code = Unavailable desc = connection refused"}})  # fmt: skip
    made.journal(
        "kubelet",
        'E1121 22:39:30.000000    9589 pod_workers.go:1301] "Error syncing pod, skipping" err="unmounted volumes=[data], unattached volumes=[], failed to process volumes=[]: context deadline exceeded" pod="shop/web" podUID="1c8f"',
    )
    return made


@incident
def healthy_creating() -> Incident:
    made = Incident("healthy: a claim whose pod was placed half a minute ago", "pvc/data", "")
    claim(made, storage_class="fast", volume="pv-1", phase="Bound", capacity={"storage": "10Gi"})
    creating(made, DATA, ago=30)
    return made


@incident
def mount_failed() -> Incident:
    made = Incident("a volume error no other rule knows", "pod/web", "mount-failed")
    return unmounted(made, DATA, "ceph: mds is laggy", operation="MountVolume.MountDevice", named="pv-1")


@incident
def volume_not_deleted() -> Incident:
    made = Incident("a released volume cannot be deleted", "pv/pv-1", "volume-not-deleted")
    held = volume(made, "pv-1", phase="Failed", holder="shop/data")
    text = "host_path deleter only supports /tmp/.+ but received provided /srv/pv-1"
    made.event(held, "VolumeFailedDelete", text, by="persistentvolume-controller", ago=300)
    return made


@incident
def claim_no_volume() -> Incident:
    made = Incident("a class without a provisioner, and no volume of it", "pod/db", "claim-no-volume")
    storage_class(made, "local", "kubernetes.io/no-provisioner")
    text = "no volume plugin matched name: kubernetes.io/no-provisioner"
    says(made, claim(made, storage_class="local"), "ProvisioningFailed", text, kind="Warning")
    volume(made, "pv-other", storage_class="local", phase="Bound", holder="shop/other")
    unscheduled(made)
    return made
