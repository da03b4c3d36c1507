"""A namespace comes with an account and a certificate, and goes when nothing is left in it."""

from __future__ import annotations

from tests.minicluster.controllers.world import World, condition


def test_what_every_namespace_has(world: World) -> None:
    world.make("namespaces", "shop")
    world.run()
    assert world.names("serviceaccounts", "shop") == ["default"]
    assert world.names("configmaps", "shop") == ["kube-root-ca.crt"]
    world.delete("serviceaccounts", "default", "shop")
    world.delete("configmaps", "kube-root-ca.crt", "shop")
    world.run()
    assert world.names("serviceaccounts", "shop") == ["default"]
    assert world.names("configmaps", "shop") == ["kube-root-ca.crt"]


def test_a_changed_certificate_is_put_right(world: World) -> None:
    before = world.get("configmaps", "kube-root-ca.crt")["data"]
    world.change("configmaps", "kube-root-ca.crt", {"data": {"ca.crt": "forged"}})
    world.run()
    assert world.get("configmaps", "kube-root-ca.crt")["data"] == before


def test_all_in_it_goes_with_it(world: World) -> None:
    world.make("namespaces", "shop")
    world.make("configmaps", "one", "shop")
    world.make("services", "web", "shop", spec={"ports": [{"port": 80}], "selector": {"app": "web"}})
    world.run()
    world.pod("web", "shop")
    world.run()
    world.delete("namespaces", "shop")
    world.run(10)
    assert world.find("namespaces", "shop") is None
    for word in ("pods", "configmaps", "serviceaccounts", "services", "endpoints", "endpointslices", "events"):
        assert world.names(word, "shop") == []


def test_a_finalizer_holds_it_and_is_named(world: World) -> None:
    world.make("namespaces", "shop")
    world.make("configmaps", "later", "shop")
    world.run()
    world.pod("web", "shop", metadata={"finalizers": ["example.com/guard"]})
    world.run()
    world.delete("namespaces", "shop")
    world.run(10)
    namespace = world.get("namespaces", "shop")
    assert namespace["status"]["phase"] == "Terminating"
    texts = {one["type"]: (one["status"], one["reason"], one["message"]) for one in namespace["status"]["conditions"]}
    assert texts == {
        "NamespaceDeletionDiscoveryFailure": (
            "False",
            "ResourcesDiscovered",
            "All resources successfully discovered",
        ),
        "NamespaceDeletionGroupVersionParsingFailure": (
            "False",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        "NamespaceDeletionContentFailure": (
            "False",
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        ),
        "NamespaceContentRemaining": (
            "True",
            "SomeResourcesRemain",
            "Some resources are remaining: pods. has 1 resource instances",
        ),
        "NamespaceFinalizersRemaining": (
            "True",
            "SomeFinalizersRemain",
            "Some content in the namespace has finalizers remaining: example.com/guard in 1 resource instances",
        ),
    }
    assert world.find("configmaps", "later", "shop") is not None, "pods go first"
    since = condition(namespace, "NamespaceContentRemaining")["lastTransitionTime"]
    world.run(30)
    assert condition(world.get("namespaces", "shop"), "NamespaceContentRemaining")["lastTransitionTime"] == since
    world.change("pods", "web", {"metadata": {"finalizers": None}}, "shop")
    world.run(5)
    assert world.find("namespaces", "shop") is None


def test_a_token_goes_with_its_account(world: World) -> None:
    account = world.make("serviceaccounts", "robot")
    said = {
        "kubernetes.io/service-account.name": "robot",
        "kubernetes.io/service-account.uid": account["metadata"]["uid"],
    }
    world.make("secrets", "token", type="kubernetes.io/service-account-token", metadata={"annotations": said})
    world.run()
    assert world.find("secrets", "token") is not None
    world.delete("serviceaccounts", "robot")
    world.run()
    assert world.find("secrets", "token") is None
