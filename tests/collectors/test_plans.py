"""What the collectors ask for next: found by being there, deaf to odd shapes, and saying what a refusal would cost."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

import k8sdiag.collectors
from k8sdiag.collectors import Ask, Found, Role, all_collectors, listed, many, named
from k8sdiag.evidence import ContainerLog, Ref, Scope
from k8sdiag.kinds import KINDS
from k8sdiag.target import ApiError, Target

SHOP = Scope("shop", Ref("Pod", "shop", "web"))


class Echo:
    """An Api that answers with what it was asked."""

    def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        return {"items": [{"metadata": {"name": path, "query": dict(query or {})}}]}

    def text(self, path: str, query: Mapping[str, str] | None = None, limit: int = 0) -> str:
        return f"{path} {dict(query or {})} {limit}"


def asks(kind: str, obj: dict[str, Any], role: Role, scope: Scope = SHOP, only: str = "") -> Iterator[Ask]:
    namespace = "shop" if KINDS[kind].namespaced else ""
    found = Found(Ref(kind, namespace, "web"), obj, role)
    for collector in all_collectors():
        if only in ("", collector.name):
            yield from collector.plan(scope, found)


def test_every_file_is_a_collector() -> None:
    files = {info.name for info in pkgutil.iter_modules(k8sdiag.collectors.__path__)}
    assert {collector.name for collector in all_collectors()} == files
    assert {"objects", "events", "container_logs", "kubelet", "container_runtime", "network"} <= files


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_an_empty_object_is_no_trouble(kind: str, role: Role) -> None:
    shapes: list[dict[str, Any]] = [
        {},
        {"metadata": {}, "spec": {}, "status": {}},
        {"metadata": None, "spec": None, "status": None},
    ]
    for obj in shapes:
        for ask in asks(kind, obj, role):
            assert ask.what
            assert ask.effect


def test_what_stands_aside_leads_nowhere() -> None:
    assert [ask.what for kind in KINDS for ask in asks(kind, {"spec": {"containers": []}}, Role.ASIDE)] == []


def test_a_container_that_never_ran_has_no_log() -> None:
    waiting = {"name": "app", "state": {"waiting": {"reason": "ContainerCreating"}}, "lastState": {}}
    pod = {"spec": {"containers": [{"name": "app"}]}, "status": {"containerStatuses": [waiting]}}
    assert list(asks("Pod", pod, Role.SUBJECT, only="container_logs")) == []


def test_init_and_debug_containers_have_logs_too() -> None:
    ended = {"state": {"terminated": {"exitCode": 1}}}
    pod = {
        "spec": {"initContainers": [{"name": "init"}], "ephemeralContainers": [{"name": "debug"}]},
        "status": {
            "initContainerStatuses": [{"name": "init", **ended}],
            "ephemeralContainerStatuses": [{"name": "debug", "state": {"running": {}}}],
        },
    }
    found = [next(iter(ask.read(Target(Echo())))) for ask in asks("Pod", pod, Role.POD, only="container_logs")]
    assert [(log.container, log.previous) for log in found if isinstance(log, ContainerLog)] == [
        ("init", False),
        ("debug", False),
    ]


def test_no_logs_where_none_are_wanted() -> None:
    running = {"containerStatuses": [{"name": "a", "state": {"running": {}}}]}
    pod = {"spec": {"containers": [{"name": "a"}]}, "status": running}
    scope = Scope("shop", SHOP.subject, logs=False)
    assert [ask.what for ask in asks("Pod", pod, Role.SUBJECT, scope, only="container_logs")] == []
    assert [ask.what for ask in asks("Node", {}, Role.NODE, scope, only="kubelet")] == []


@pytest.mark.parametrize(
    ("obj", "selector"),
    [
        ({"metadata": {"uid": "u1"}}, "involvedObject.uid=u1"),
        ({}, "involvedObject.kind=Pod,involvedObject.name=web"),
        (
            {"metadata": {"uid": "u1", "annotations": {"kubernetes.io/config.mirror": "hash"}}},
            "involvedObject.kind=Pod,involvedObject.name=web",
        ),
    ],
    ids=["by uid", "without one", "a static pod"],
)
def test_whose_events(obj: dict[str, Any], selector: str) -> None:
    (ask,) = asks("Pod", obj, Role.SUBJECT, only="events")
    (event,) = ask.read(Target(Echo()))
    assert isinstance(event, dict)
    assert event["metadata"]["query"] == {"fieldSelector": selector}


def test_a_node_s_events_are_found_by_name_in_the_default_namespace() -> None:
    (ask,) = asks("Node", {"metadata": {"uid": "u1"}}, Role.NODE, only="events")
    assert ask.key.startswith("/api/v1/namespaces/default/events?")
    assert "involvedObject.name" in ask.key


@pytest.mark.parametrize(
    ("version", "units"),
    [
        ("containerd://1.7", "containerd"),
        ("docker://24", "docker"),
        ("cri-o://1.33", "crio"),
        ("", "containerd docker crio"),
    ],
)
def test_which_runtime(version: str, units: str) -> None:
    node = {"status": {"nodeInfo": {"containerRuntimeVersion": version}}}
    (ask,) = asks("Node", node, Role.NODE, only="container_runtime")
    assert ask.key == f"journal web {units}"
    with pytest.raises(ApiError, match="no way to the node's journal"):
        list(ask.read(Target(Echo())))


def test_what_is_said_of_a_listing_and_of_an_object() -> None:
    (one,) = named("ConfigMap", "shop", "app-config")
    assert (one.what, one.ref) == ("ConfigMap app-config", Ref("ConfigMap", "shop", "app-config"))
    assert listed("NetworkPolicy", "shop", "x").what == "NetworkPolicies of namespace shop"
    assert listed("Pod", "", "x").what == "Pods of all namespaces"
    assert listed("StorageClass", "shop", "x").what == "StorageClasses"
    assert not listed("Pod", "shop", "x", labelSelector="a=b").whole
    assert many("Endpoints") == "Endpoints"
    for nothing in (("ConfigMap", "shop", ""), ("ConfigMap", "", "a"), ("Gadget", "a", "b")):
        assert list(named(*nothing)) == []
