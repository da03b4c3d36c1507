"""What goes with its owner, what stays, and in which order."""

from __future__ import annotations

from k8sdiag.evidence import Json
from tests.minicluster.controllers.world import World


def owned_by(owner: Json, block: bool = True) -> Json:
    meta = owner["metadata"]
    reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": meta["name"], "uid": meta["uid"]}
    return {"ownerReferences": [{**reference, "blockOwnerDeletion": block}]}


def test_dependents_go_with_their_owner(world: World) -> None:
    owner = world.make("configmaps", "owner")
    world.make("secrets", "child", metadata=owned_by(owner))
    grandchild = world.make("configmaps", "grandchild", metadata=owned_by(world.get("secrets", "child")))
    world.run()
    assert world.find("configmaps", grandchild["metadata"]["name"]) is not None
    world.delete("configmaps", "owner", policy="Background")
    world.run()
    assert world.find("secrets", "child") is None
    assert world.find("configmaps", "grandchild") is None


def test_orphans_stay_and_forget_their_owner(world: World) -> None:
    owner = world.make("configmaps", "owner")
    world.make("secrets", "child", metadata=owned_by(owner))
    world.delete("configmaps", "owner", policy="Orphan")
    world.run()
    assert world.find("configmaps", "owner") is None
    assert "ownerReferences" not in world.get("secrets", "child")["metadata"]


def test_in_the_foreground_the_owner_goes_last(world: World) -> None:
    owner = world.make("configmaps", "owner")
    held = {**owned_by(owner), "finalizers": ["example.com/guard"]}
    world.make("secrets", "child", metadata=held)
    world.delete("configmaps", "owner", policy="Foreground")
    world.run()
    assert world.get("secrets", "child")["metadata"]["deletionTimestamp"]
    assert world.get("configmaps", "owner")["metadata"]["finalizers"] == ["foregroundDeletion"]
    world.change("secrets", "child", {"metadata": {"finalizers": None}})
    world.run()
    assert world.find("secrets", "child") is None
    assert world.find("configmaps", "owner") is None


def test_what_does_not_block_is_not_waited_for(world: World) -> None:
    owner = world.make("configmaps", "owner")
    world.make("secrets", "child", metadata={**owned_by(owner, block=False), "finalizers": ["example.com/guard"]})
    world.delete("configmaps", "owner", policy="Foreground")
    world.run()
    assert world.find("configmaps", "owner") is None


def test_one_owner_of_two_is_taken_off(world: World) -> None:
    one, two = world.make("configmaps", "one"), world.make("configmaps", "two")
    references = [*owned_by(one)["ownerReferences"], *owned_by(two)["ownerReferences"]]
    world.make("secrets", "child", metadata={"ownerReferences": references})
    world.delete("configmaps", "one", policy="Background")
    world.run()
    left = world.get("secrets", "child")["metadata"]["ownerReferences"]
    assert [reference["name"] for reference in left] == ["two"]


def test_an_owner_in_another_namespace_is_none(world: World) -> None:
    world.make("namespaces", "shop")
    owner = world.make("configmaps", "owner", "shop")
    world.make("secrets", "child", metadata=owned_by(owner))
    world.run()
    assert world.find("secrets", "child") is None
    assert world.find("configmaps", "owner", "shop") is not None
    uid = owner["metadata"]["uid"]
    text = f'ownerRef [v1/ConfigMap, namespace: default, name: owner, uid: {uid}] does not exist in namespace "default"'
    assert ("Warning", "OwnerRefInvalidNamespace", text) in world.events("Secret", "child")


def test_what_is_in_no_namespace_is_owned_by_nothing_that_is(world: World) -> None:
    owner = world.make("configmaps", "owner")
    world.make("clusterroles", "child", metadata=owned_by(owner), rules=[])
    world.run(60)
    assert world.find("clusterroles", "child") is not None
    reasons = [event[:2] for event in world.events("ClusterRole", "child")]
    assert reasons == [("Warning", "OwnerRefInvalidNamespace")]


def test_an_owner_of_an_unknown_kind_is_left_alone(world: World) -> None:
    reference = {"apiVersion": "example.com/v1", "kind": "Widget", "name": "w", "uid": "1"}
    world.make("secrets", "child", metadata={"ownerReferences": [reference]})
    world.run(60)
    assert world.find("secrets", "child") is not None


def test_custom_resources_own_and_are_owned(world: World) -> None:
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"}
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    spec = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]}
    world.make("customresourcedefinitions", "widgets.example.com", spec=spec)
    world.run()
    kind = {"apiVersion": "example.com/v1", "kind": "Widget"}
    owner = world.make("widgets", "owner", **kind)
    world.make("widgets", "child", metadata=owned_by(owner), **kind)
    world.make("secrets", "child", metadata=owned_by(owner))
    world.run()
    assert world.names("widgets") == ["child", "owner"]
    world.delete("widgets", "owner", policy="Background")
    world.run()
    assert world.names("widgets") == []
    assert world.find("secrets", "child") is None


def test_a_deployment_goes_with_all_that_is_its(world: World) -> None:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "app", "image": "nginx"}]}}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    world.make("deployments", "web", spec=spec)
    world.run(5)
    assert len(world.names("pods", "default")) == 2
    world.delete("deployments", "web", policy="Foreground")
    world.run(5)
    assert [world.names(word, "default") for word in ("deployments", "replicasets", "pods")] == [[], [], []]
