"""Makes volumes for claims of the lab's own storage class, on the node that the scheduler chose, and unmakes them.

What kind's default class does (local-path-provisioner), in the words of sig-storage-lib-external-provisioner.
"""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.controllers import Context
from k8sdiag.minicluster.controllers.claim_matching import class_of
from k8sdiag.minicluster.controllers.volume_binder import PROVISIONED_BY, PROVISIONER, SELECTED_NODE
from k8sdiag.minicluster.events import Recorder

NAME = "hostpath-provisioner"
PROVISIONER_NAME = "lab.k8sdiag.dev/hostpath"

_TAKES = 0.5  # seconds to make a volume

Key = tuple[str, str]


def start(context: Context) -> None:
    _Provisioner(context)


class _Provisioner:
    def __init__(self, context: Context) -> None:
        self._client = context.client
        self._events = Recorder(context.client, context.clock, f"{PROVISIONER_NAME}_lab")
        self._begun: set[Key] = set()
        self._claims = context.loop.queue("provisioner-claims", self._sync_claim)
        self._volumes = context.loop.queue("provisioner-volumes", self._sync_volume)
        self._client.watch("persistentvolumeclaims", self._on_claim)
        self._client.watch("persistentvolumes", self._on_volume)

    def _on_claim(self, kind: str, claim: Json, _: Json | None) -> None:
        said = claim["metadata"].get("annotations") or {}
        key = (claim["metadata"]["namespace"], claim["metadata"]["name"])
        if kind == "DELETED":
            self._begun.discard(key)
        elif said.get(PROVISIONER) == PROVISIONER_NAME and not claim["spec"].get("volumeName"):
            self._claims.add(key)

    def _on_volume(self, kind: str, volume: Json, _: Json | None) -> None:
        said = volume["metadata"].get("annotations") or {}
        if kind != "DELETED" and said.get(PROVISIONED_BY) == PROVISIONER_NAME:
            self._volumes.add(volume["metadata"]["name"])

    def _sync_claim(self, key: Key) -> float | None:
        claim = self._client.find("persistentvolumeclaims", *key)
        if claim is None or claim["spec"].get("volumeName") or claim["metadata"].get("deletionTimestamp"):
            return None
        storage_class = self._client.find("storageclasses", "", class_of(claim))
        name = f"pvc-{claim['metadata']['uid']}"
        if storage_class is None or self._client.find("persistentvolumes", "", name) is not None:
            return None
        node = (claim["metadata"].get("annotations") or {}).get(SELECTED_NODE, "")
        if storage_class.get("volumeBindingMode") == "WaitForFirstConsumer" and not node:
            return None
        called = f"{key[0]}/{key[1]}"
        if key not in self._begun:
            self._begun.add(key)
            text = f'External provisioner is provisioning volume for claim "{called}"'
            self._events.event(claim, "Normal", "Provisioning", text)
            return _TAKES
        self._begun.discard(key)
        node = node or self._any_node()
        if not node:
            text = f'failed to provision volume with StorageClass "{class_of(claim)}": no node available'
            self._events.event(claim, "Warning", "ProvisioningFailed", text)
            return 15.0
        self._client.create("persistentvolumes", _volume(claim, storage_class, name, node))
        self._events.event(claim, "Normal", "ProvisioningSucceeded", f"Successfully provisioned volume {name}")
        return None

    def _any_node(self) -> str:
        for node in self._client.list("nodes"):
            if not node["spec"].get("unschedulable"):
                return str(node["metadata"]["name"])
        return ""

    def _sync_volume(self, name: str) -> None:
        """A released volume is deleted where its policy says so."""
        volume = self._client.find("persistentvolumes", "", name)
        if volume is None or volume["metadata"].get("deletionTimestamp"):
            return
        released = (volume.get("status") or {}).get("phase") in ("Released", "Failed")
        if released and volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete":
            self._client.delete("persistentvolumes", "", name, uid=volume["metadata"]["uid"])


def _volume(claim: Json, storage_class: Json, name: str, node: str) -> Json:
    meta, spec = claim["metadata"], claim["spec"]
    hostname = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    made: Json = {
        "kind": "PersistentVolume",
        "apiVersion": "v1",
        "metadata": {"name": name, "annotations": {PROVISIONED_BY: PROVISIONER_NAME}},
        "spec": {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "hostPath": {
                "path": f"/var/lib/k8sdiag/{name}_{meta['namespace']}_{meta['name']}",
                "type": "DirectoryOrCreate",
            },
            "accessModes": spec.get("accessModes") or ["ReadWriteOnce"],
            "claimRef": {
                "kind": "PersistentVolumeClaim",
                "namespace": meta["namespace"],
                "name": meta["name"],
                "uid": meta["uid"],
                "apiVersion": "v1",
                "resourceVersion": meta["resourceVersion"],
            },
            "persistentVolumeReclaimPolicy": storage_class.get("reclaimPolicy") or "Delete",
            "storageClassName": storage_class["metadata"]["name"],
            "volumeMode": spec.get("volumeMode") or "Filesystem",
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [hostname]}]}},
        },
    }
    if storage_class.get("mountOptions"):
        made["spec"]["mountOptions"] = storage_class["mountOptions"]
    return made
