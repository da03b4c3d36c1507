"""Claims: bound, waiting for their first consumer, missing, limited, and in the wrong place."""

from __future__ import annotations

from typing import Any

import pytest

from k8sdiag.minicluster.scheduler.pods import PodInfo
from k8sdiag.minicluster.scheduler.volumes_binding import plan_for
from tests.minicluster.scheduler.worlds import ZONE, Json, message, node, placed, pod, search, world

NODES = [node("a", {ZONE: "east"}), node("b", {ZONE: "west"})]
PREEMPTION = "preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."


def user(**more: Any) -> Json:
    return pod("db", volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}], **more)


def claim(
    volume: str = "", storage: str = "fast", bound: bool = False, modes: str = "ReadWriteOnce", **status: Any
) -> Json:
    annotations = {"pv.kubernetes.io/bind-completed": "yes"} if bound else {}
    spec: Json = {
        "storageClassName": storage,
        "accessModes": [modes],
        "resources": {"requests": {"storage": "1Gi"}},
        **({"volumeName": volume} if volume else {}),
    }
    metadata = {"name": "data", "namespace": "shop", "uid": "uid-claim", "annotations": annotations}
    return {"metadata": metadata, "spec": spec, "status": status}


def volume(name: str, on: str = "", size: str = "1Gi", labels: Json | None = None, **spec: Any) -> Json:
    affinity: Json = {}
    if on:
        terms = [{"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [on]}]}]
        affinity = {"nodeAffinity": {"required": {"nodeSelectorTerms": terms}}}
    whole = {
        "capacity": {"storage": size},
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "fast",
        **affinity,
        **spec,
    }
    return {"metadata": {"name": name, "labels": labels or {}}, "spec": whole, "status": {"phase": "Available"}}


def storage(mode: str = "WaitForFirstConsumer", provisioner: str = "kubernetes.io/no-provisioner", **more: Any) -> Json:
    return {"metadata": {"name": "fast"}, "provisioner": provisioner, "volumeBindingMode": mode, **more}


@pytest.mark.parametrize(
    ("objects", "words"),
    [
        ({}, 'persistentvolumeclaim "data" not found.'),
        ({"persistentvolumeclaims": [claim()]}, "pod has unbound immediate PersistentVolumeClaims."),
        (
            {"persistentvolumeclaims": [claim()], "storageclasses": [storage("Immediate")]},
            "pod has unbound immediate PersistentVolumeClaims.",
        ),
        (
            {"persistentvolumeclaims": [claim("gone", bound=True, phase="Lost")]},
            'persistentvolumeclaim "data" bound to non-existent persistentvolume "gone".',
        ),
        (
            {"persistentvolumeclaims": [claim("gone", bound=True)]},
            "2 node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s).",
        ),
        (
            {"persistentvolumeclaims": [claim()], "storageclasses": [storage()]},
            "2 node(s) didn't find available persistent volumes to bind.",
        ),
    ],
)
def test_refusals(objects: dict[str, list[Json]], words: str) -> None:
    assert message(world(NODES, **objects), user()) == f"0/2 nodes are available: {words} {PREEMPTION}"


def test_a_claim_on_its_way_out() -> None:
    leaving = claim("v", bound=True)
    leaving["metadata"]["deletionTimestamp"] = "2026-11-21T22:29:27Z"
    told = message(world(NODES, persistentvolumeclaims=[leaving]), user())
    assert told.startswith('0/2 nodes are available: persistentvolumeclaim "data" is being deleted. preemption:')


def test_a_claim_made_for_the_pod_alone() -> None:
    new = pod("db", volumes=[{"name": "data", "ephemeral": {"volumeClaimTemplate": {}}}])
    waiting = 'waiting for ephemeral volume controller to create the persistentvolumeclaim "db-data"'
    assert f"available: {waiting}. preemption:" in message(world(NODES), new)
    strange = claim()
    strange["metadata"]["name"] = "db-data"
    told = message(world(NODES, persistentvolumeclaims=[strange]), new)
    assert "available: PVC shop/db-data was not created for pod shop/db (pod is not owner). preemption:" in told


def test_a_bound_volume_holds_the_pod_to_its_node() -> None:
    around = world(NODES, persistentvolumeclaims=[claim("v", bound=True)], persistentvolumes=[volume("v", "b")])
    assert placed(around, user()) == "b"
    around = world(NODES, persistentvolumeclaims=[claim("v", bound=True)], persistentvolumes=[volume("v", "c")])
    assert "2 node(s) didn't match PersistentVolume's node affinity." in message(around, user())


def test_the_smallest_volume_that_will_do_is_tied_to_the_claim() -> None:
    volumes = [volume("big", "b", "9Gi"), volume("fit", "b", "2Gi"), volume("small", "a", "512Mi")]
    around = world(NODES, persistentvolumeclaims=[claim()], storageclasses=[storage()], persistentvolumes=volumes)
    outcome = search(around).find(PodInfo(user()))
    assert outcome.node is not None
    plan = plan_for(outcome.prepared, outcome.node.name)
    assert plan is not None
    assert (outcome.node.name, [each["metadata"]["name"] for _, each in plan.static], plan.dynamic) == (
        "b",
        ["fit"],
        [],
    )


def test_a_class_that_makes_volumes_does_so_where_it_may() -> None:
    west = [{"matchLabelExpressions": [{"key": ZONE, "values": ["west"]}]}]
    makes = storage(provisioner="disk.example", allowedTopologies=west)
    around = world(NODES, persistentvolumeclaims=[claim()], storageclasses=[makes])
    outcome = search(around).find(PodInfo(user()))
    assert outcome.node is not None
    assert outcome.node.name == "b"
    plan = plan_for(outcome.prepared, "b")
    assert plan is not None
    assert len(plan.dynamic) == 1


def test_a_driver_that_is_out_of_space_says_so() -> None:
    driver = {"metadata": {"name": "disk.example"}, "spec": {"storageCapacity": True}}
    room = {
        "metadata": {"name": "x"},
        "storageClassName": "fast",
        "nodeTopology": {"matchLabels": {ZONE: "east"}},
        "capacity": "2Gi",
    }
    objects = {
        "persistentvolumeclaims": [claim()],
        "storageclasses": [storage(provisioner="disk.example")],
        "csidrivers": [driver],
    }
    assert placed(world(NODES, **objects, csistoragecapacities=[room]), user()) == "a"
    full = {**room, "capacity": "1Mi"}
    assert "2 node(s) did not have enough free storage." in message(
        world(NODES, **objects, csistoragecapacities=[full]), user()
    )


def test_a_claim_that_was_promised_to_a_node_is_not_taken_elsewhere() -> None:
    promised = claim()
    promised["metadata"]["annotations"]["volume.kubernetes.io/selected-node"] = "b"
    objects = {"persistentvolumeclaims": [promised], "storageclasses": [storage(provisioner="disk.example")]}
    assert placed(world(NODES, **objects), user()) == "b"


def test_read_write_once_pod() -> None:
    objects = {
        "persistentvolumeclaims": [claim("v", bound=True, modes="ReadWriteOncePod")],
        "persistentvolumes": [volume("v")],
    }
    old = user(on="a")
    old["metadata"].update(name="old", uid="old")
    assert message(world(NODES, [old], **objects), user()) == (
        "0/2 nodes are available: 2 node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod "
        "access mode. preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod."
    )


def test_volume_limits_and_zones() -> None:
    csi: Json = {"csi": {"driver": "disk.example", "volumeHandle": "h1"}}
    limits = [
        {"metadata": {"name": name}, "spec": {"drivers": [{"name": "disk.example", "allocatable": {"count": count}}]}}
        for name, count in (("a", 0), ("b", 1))
    ]
    objects: dict[str, list[Json]] = {
        "persistentvolumeclaims": [claim("v", bound=True)],
        "persistentvolumes": [volume("v", **csi)],
    }
    assert placed(world(NODES, **objects, csinodes=limits), user()) == "b"
    assert "2 node(s) exceed max volume count." in message(
        world(NODES, **objects, csinodes=[limits[0], {**limits[0], "metadata": {"name": "b"}}]), user()
    )
    zoned = {**objects, "persistentvolumes": [volume("v", labels={"failure-domain.beta.kubernetes.io/zone": "west"})]}
    assert placed(world(NODES, **zoned), user()) == "b"
    elsewhere = {**objects, "persistentvolumes": [volume("v", labels={ZONE: "north"})]}
    assert "2 node(s) had no available volume zone." in message(world(NODES, **elsewhere), user())


def test_one_disk_is_not_attached_twice() -> None:
    disk = [{"name": "d", "gcePersistentDisk": {"pdName": "disk"}}]
    around = world([node("a")], [pod("old", on="a", volumes=disk)])
    assert "1 node(s) had no available disk." in message(around, pod("new", volumes=disk))
    shared = [{"name": "d", "gcePersistentDisk": {"pdName": "disk", "readOnly": True}}]
    around = world([node("a")], [pod("old", on="a", volumes=shared)])
    assert placed(around, pod("new", volumes=shared)) == "a"
