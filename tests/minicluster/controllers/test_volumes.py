"""Claims and volumes: which gets which, when, and what becomes of them."""

from __future__ import annotations

from typing import Any

import pytest

from k8sdiag.evidence import Json
from k8sdiag.minicluster.controllers.claim_matching import best_volume
from tests.minicluster.controllers.world import World, container

PROVISIONER = "lab.k8sdiag.dev/hostpath"


def storage_class(world: World, name: str, mode: str = "Immediate", provisioner: str = PROVISIONER) -> None:
    world.client.create(
        "storageclasses",
        {
            "metadata": {"name": name},
            "provisioner": provisioner,
            "volumeBindingMode": mode,
            "reclaimPolicy": "Delete",
        },
    )


def claim(world: World, name: str, storage: str = "1Gi", **spec: Any) -> Json:
    whole = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": storage}}, **spec}
    return world.make("persistentvolumeclaims", name, spec=whole)


def volume(world: World, name: str, storage: str = "1Gi", **spec: Any) -> Json:
    whole = {
        "capacity": {"storage": storage},
        "accessModes": ["ReadWriteOnce"],
        "hostPath": {"path": f"/data/{name}"},
        "persistentVolumeReclaimPolicy": "Retain",
        **spec,
    }
    return world.make("persistentvolumes", name, spec=whole)


def phase(world: World, name: str, word: str = "persistentvolumeclaims") -> str:
    return str(world.get(word, name)["status"]["phase"])


def test_a_claim_without_a_class_says_so(world: World) -> None:
    claim(world, "data", storageClassName="")
    world.run()
    assert phase(world, "data") == "Pending"
    text = "no persistent volumes available for this claim and no storage class is set"
    assert world.events("PersistentVolumeClaim", "data") == [("Normal", "FailedBinding", text)]


def test_a_class_that_is_not_there(world: World) -> None:
    claim(world, "data", storageClassName="fast")
    world.run()
    text = 'storageclass.storage.k8s.io "fast" not found'
    assert world.events("PersistentVolumeClaim", "data") == [("Warning", "ProvisioningFailed", text)]
    storage_class(world, "fast")
    world.run(5)
    assert phase(world, "data") == "Bound"


def test_the_smallest_volume_that_fits_is_bound(world: World) -> None:
    for name, size in (("big", "10Gi"), ("small", "1Gi"), ("right", "2Gi")):
        volume(world, name, size)
    claim(world, "data", "2Gi", storageClassName="")
    world.run()
    data = world.get("persistentvolumeclaims", "data")
    assert data["spec"]["volumeName"] == "right"
    assert data["status"] == {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "2Gi"}}
    said = data["metadata"]["annotations"]
    assert said["pv.kubernetes.io/bind-completed"] == said["pv.kubernetes.io/bound-by-controller"] == "yes"
    right = world.get("persistentvolumes", "right")
    assert right["spec"]["claimRef"]["uid"] == data["metadata"]["uid"]
    assert (right["status"]["phase"], phase(world, "small", "persistentvolumes")) == ("Bound", "Available")


def test_a_volume_that_comes_later_is_taken(world: World) -> None:
    claim(world, "data", storageClassName="")
    world.run()
    volume(world, "late")
    world.run()
    assert phase(world, "data") == "Bound"


def test_a_volume_promised_to_another_is_not_taken(world: World) -> None:
    volume(world, "promised", claimRef={"namespace": "default", "name": "other"})
    claim(world, "data", storageClassName="")
    world.run()
    assert phase(world, "data") == "Pending"
    claim(world, "other", storageClassName="")
    world.run()
    assert world.get("persistentvolumeclaims", "other")["spec"]["volumeName"] == "promised"


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ({"storage": "5Gi"}, "requested PV is too small"),
        ({"storageClassName": "x"}, "storageClassName does not match"),
        ({"volumeMode": "Block"}, "incompatible volumeMode"),
        ({"accessModes": ["ReadWriteMany"]}, "incompatible accessMode"),
    ],
)
def test_a_volume_asked_for_by_name_must_fit(world: World, wanted: Json, why: str) -> None:
    volume(world, "disk")
    claim(world, "data", **{"storageClassName": "", "volumeName": "disk", **wanted})
    world.run()
    text = f'Cannot bind to requested volume "disk": {why}'
    assert ("Warning", "VolumeMismatch", text) in world.events("PersistentVolumeClaim", "data")
    assert phase(world, "data") == "Pending"


def test_the_labs_own_class_makes_volumes_and_unmakes_them(world: World) -> None:
    storage_class(world, "lab")
    made = claim(world, "data", storageClassName="lab")
    world.run(5)
    name = f"pvc-{made['metadata']['uid']}"
    disk = world.get("persistentvolumes", name)
    assert disk["status"]["phase"] == "Bound"
    terms = disk["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
    assert terms[0]["matchExpressions"][0]["key"] == "kubernetes.io/hostname"
    events = world.events("PersistentVolumeClaim", "data")
    assert ("Normal", "ProvisioningSucceeded", f"Successfully provisioned volume {name}") in events
    waiting = (
        f"Waiting for a volume to be created either by the external provisioner '{PROVISIONER}' or manually by the"
        " system administrator. If volume creation is delayed, please verify that the provisioner is running and"
        " correctly registered."
    )
    assert ("Normal", "ExternalProvisioning", waiting) in events
    world.delete("persistentvolumeclaims", "data")
    world.run(5)
    assert world.names("persistentvolumes") == []


def test_a_late_class_waits_for_a_pod(world: World) -> None:
    storage_class(world, "late", "WaitForFirstConsumer")
    claim(world, "data", storageClassName="late")
    world.run(5)
    text = "waiting for first consumer to be created before binding"
    assert world.events("PersistentVolumeClaim", "data") == [("Normal", "WaitForFirstConsumer", text)]
    disk = [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]
    world.pod("stuck", volumes=disk, nodeSelector={"disk": "huge"})
    world.run(20)
    text = "waiting for pod stuck to be scheduled"
    assert ("Normal", "WaitForPodScheduled", text) in world.events("PersistentVolumeClaim", "data")
    world.delete("pods", "stuck")
    world.pod("web", volumes=disk, containers=[container(volumeMounts=[{"name": "d", "mountPath": "/d"}])])
    world.run(10)
    assert phase(world, "data") == "Bound"
    assert world.get("pods", "web")["status"]["phase"] == "Running"


def test_a_claim_in_use_stays_until_its_pod_is_gone(world: World) -> None:
    storage_class(world, "lab")
    claim(world, "data", storageClassName="lab")
    world.pod("web", volumes=[{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}])
    world.run(5)
    assert world.get("persistentvolumeclaims", "data")["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
    world.delete("persistentvolumeclaims", "data")
    world.run(5)
    assert world.get("persistentvolumeclaims", "data")["metadata"]["deletionTimestamp"]
    world.delete("pods", "web")
    world.run(5)
    assert world.find("persistentvolumeclaims", "data") is None


def test_a_claim_that_only_a_waiting_pod_names_goes_at_once(world: World) -> None:
    claim(world, "data", storageClassName="gone")
    world.pod("web", volumes=[{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}])
    world.run(5)
    assert "nodeName" not in world.get("pods", "web")["spec"]
    world.delete("persistentvolumeclaims", "data")
    world.run(5)
    assert world.find("persistentvolumeclaims", "data") is None


def test_a_volume_in_use_stays_and_is_released_with_its_data(world: World) -> None:
    volume(world, "disk")
    claim(world, "data", storageClassName="")
    world.run()
    world.delete("persistentvolumes", "disk")
    world.run()
    assert world.get("persistentvolumes", "disk")["metadata"]["deletionTimestamp"]
    world.delete("persistentvolumeclaims", "data")
    world.run()
    assert world.find("persistentvolumes", "disk") is None
    volume(world, "kept")
    claim(world, "data", storageClassName="")
    world.run()
    world.delete("persistentvolumeclaims", "data")
    world.run()
    assert phase(world, "kept", "persistentvolumes") == "Released"
    claim(world, "next", storageClassName="")
    world.run()
    assert phase(world, "next") == "Pending"


def released(world: World, name: str, **spec: Any) -> None:
    """A volume whose claim came and went."""
    volume(world, name, **spec)
    claim(world, name, storageClassName="", volumeName=name)
    world.run()
    assert phase(world, name) == "Bound"
    world.delete("persistentvolumeclaims", name)
    world.run()


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ({"path": "/data/disk"}, "host_path deleter only supports /tmp/.+ but received provided /data/disk"),
        ({"path": "/tmp/"}, "host_path deleter only supports /tmp/.+ but received provided /tmp/"),
        (None, 'error getting deleter volume plugin for volume "disk": no deletable volume plugin matched'),
    ],
)
def test_who_made_a_volume_by_hand_has_to_delete_it(world: World, source: Json | None, why: str) -> None:
    kind: Json = {"hostPath": source} if source else {"hostPath": None, "nfs": {"server": "a", "path": "/b"}}
    released(world, "disk", persistentVolumeReclaimPolicy="Delete", **kind)
    status = world.get("persistentvolumes", "disk")["status"]
    assert (status["phase"], status["message"]) == ("Failed", why)
    assert world.events("PersistentVolume", "disk") == [("Warning", "VolumeFailedDelete", why)]


def test_a_directory_for_passing_things_is_deleted(world: World) -> None:
    released(world, "disk", persistentVolumeReclaimPolicy="Delete", hostPath={"path": "/tmp/disk"})
    assert world.find("persistentvolumes", "disk") is None


def test_volumes_are_recycled_where_there_is_somebody_to_do_it(world: World) -> None:
    released(world, "disk", persistentVolumeReclaimPolicy="Recycle")
    assert phase(world, "disk", "persistentvolumes") == "Available"
    assert "claimRef" not in world.get("persistentvolumes", "disk")["spec"]
    assert world.events("PersistentVolume", "disk") == [("Normal", "VolumeRecycled", "Volume recycled")]
    csi = {"driver": "csi.example.com", "volumeHandle": "v"}
    released(world, "block", persistentVolumeReclaimPolicy="Recycle", hostPath=None, csi=csi)
    assert phase(world, "block", "persistentvolumes") == "Failed"
    text = "No recycler plugin found for the volume!"
    assert world.events("PersistentVolume", "block") == [("Warning", "VolumeFailedRecycle", text)]


def test_a_recycled_volume_stays_promised_to_whom_it_was_meant_for(world: World) -> None:
    meant = {"namespace": "default", "name": "disk"}
    released(world, "disk", persistentVolumeReclaimPolicy="Recycle", claimRef=meant)
    held = world.get("persistentvolumes", "disk")
    assert (held["status"]["phase"], held["spec"]["claimRef"]["name"]) == ("Available", "disk")
    assert "uid" not in held["spec"]["claimRef"]


def test_a_claim_that_loses_its_volume_is_lost(world: World) -> None:
    volume(world, "disk")
    claim(world, "data", storageClassName="")
    world.run()
    world.delete("persistentvolumes", "disk")
    world.change("persistentvolumes", "disk", {"metadata": {"finalizers": None}})
    world.run()
    assert phase(world, "data") == "Lost"
    text = "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
    assert ("Warning", "ClaimLost", text) in world.events("PersistentVolumeClaim", "data")


def test_ephemeral_volumes_get_claims_that_go_with_the_pod(world: World) -> None:
    storage_class(world, "lab")
    template = {
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "lab",
            "resources": {"requests": {"storage": "1Gi"}},
        }
    }
    world.pod("web", volumes=[{"name": "scratch", "ephemeral": {"volumeClaimTemplate": template}}])
    world.run(10)
    assert phase(world, "web-scratch") == "Bound"
    assert world.get("pods", "web")["status"]["phase"] == "Running"
    world.delete("pods", "web")
    world.run(10)
    assert world.find("persistentvolumeclaims", "web-scratch") is None


def test_labels_choose_among_volumes() -> None:
    def disk(name: str, tier: str) -> Json:
        return {
            "metadata": {"name": name, "labels": {"tier": tier}},
            "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"]},
            "status": {"phase": "Available"},
        }

    wanted = {
        "metadata": {"name": "data", "namespace": "default", "uid": "1"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            "selector": {"matchLabels": {"tier": "fast"}},
        },
    }
    chosen = best_volume(wanted, [disk("a", "slow"), disk("b", "fast")])
    assert chosen is not None
    assert chosen["metadata"]["name"] == "b"
    assert best_volume(wanted, [disk("a", "slow")]) is None
