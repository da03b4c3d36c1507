"""Endpoints and EndpointSlices follow pods and Services."""

from __future__ import annotations

from typing import Any

from k8sdiag.evidence import Json
from tests.minicluster.controllers.world import World, container


def service(world: World, **spec: Any) -> Json:
    ports = spec.pop("ports", [{"port": 80, "targetPort": "http"}])
    return world.make("services", "web", spec={"selector": {"app": "web"}, "ports": ports, **spec})


def slices(world: World) -> list[Json]:
    return [one for one in world.client.list("endpointslices", "default") if one["metadata"]["name"] != "kubernetes"]


def addresses(world: World) -> list[str]:
    return [address for one in slices(world) for end in one["endpoints"] or () for address in end["addresses"]]


def test_without_pods_there_is_one_empty_slice(world: World) -> None:
    service(world)
    world.run()
    (only,) = slices(world)
    assert (only["endpoints"], only["ports"]) == (None, None)
    assert "subsets" not in world.get("endpoints", "web")


def test_ready_pods_are_endpoints_by_the_port_they_name(world: World) -> None:
    service(world)
    one = container(ports=[{"name": "http", "containerPort": 8080}])
    other = container(ports=[{"name": "http", "containerPort": 9090}])
    world.pod("a", containers=[one])
    world.pod("b", containers=[one])
    world.pod("c", containers=[other])
    world.pod("other", labels={"app": "db"})
    world.run()
    ips = {name: world.get("pods", name)["status"]["podIP"] for name in "abc"}
    subsets = world.get("endpoints", "web")["subsets"]
    found = {s["ports"][0]["port"]: sorted(a["ip"] for a in s["addresses"]) for s in subsets}
    assert found == {8080: sorted([ips["a"], ips["b"]]), 9090: [ips["c"]]}
    assert sorted(addresses(world)) == sorted(ips.values())
    assert sorted(one["ports"][0]["port"] for one in slices(world)) == [8080, 9090]
    (end,) = next(one["endpoints"] for one in slices(world) if one["ports"][0]["port"] == 9090)
    pod = world.get("pods", "c")
    assert end == {
        "addresses": [ips["c"]],
        "conditions": {"ready": True, "serving": True, "terminating": False},
        "targetRef": {"kind": "Pod", "namespace": "default", "name": "c", "uid": pod["metadata"]["uid"]},
        "nodeName": pod["spec"]["nodeName"],
    }


def test_the_empty_slice_is_used_again(world: World) -> None:
    service(world)
    world.run()
    (before,) = slices(world)
    world.pod("a")
    world.run()
    (after,) = slices(world)
    assert after["metadata"]["name"] == before["metadata"]["name"]
    assert after["ports"] == [{"name": "", "protocol": "TCP", "port": 8080}]


def test_pods_that_are_not_ready_are_listed_apart(world: World) -> None:
    service(world)
    world.pod("a", readinessGates=[{"conditionType": "example.com/open"}])
    world.run()
    (subset,) = world.get("endpoints", "web")["subsets"]
    assert "addresses" not in subset
    assert len(subset["notReadyAddresses"]) == 1
    (one,) = slices(world)
    assert one["endpoints"][0]["conditions"] == {"ready": False, "serving": False, "terminating": False}
    world.change("services", "web", {"spec": {"publishNotReadyAddresses": True}})
    world.run()
    assert "addresses" in world.get("endpoints", "web")["subsets"][0]
    assert slices(world)[0]["endpoints"][0]["conditions"]["ready"] is True


def test_a_pod_that_goes_terminates_in_slices_and_is_gone_from_endpoints(world: World) -> None:
    service(world)
    world.pod("a", metadata={"finalizers": ["example.com/guard"]})
    world.run()
    world.delete("pods", "a")
    world.cluster.settle()
    assert "subsets" not in world.get("endpoints", "web")
    (end,) = slices(world)[0]["endpoints"]
    assert end["conditions"] == {"ready": False, "serving": True, "terminating": True}
    world.run(60)
    assert addresses(world) == []


def test_a_headless_service_has_host_names_and_a_label(world: World) -> None:
    service(world, clusterIP="None", ports=[])
    world.pod("a", hostname="first", subdomain="web")
    world.run()
    (subset,) = world.get("endpoints", "web")["subsets"]
    assert subset["addresses"][0]["hostname"] == "first"
    assert "ports" not in subset
    (one,) = slices(world)
    assert one["endpoints"][0]["hostname"] == "first"
    assert one["metadata"]["labels"]["service.kubernetes.io/headless"] == ""


def test_labels_that_change_move_a_pod(world: World) -> None:
    service(world)
    world.pod("a")
    world.run()
    assert len(addresses(world)) == 1
    world.change("pods", "a", {"metadata": {"labels": {"app": "db"}}})
    world.run()
    assert addresses(world) == []
    world.change("services", "web", {"spec": {"selector": {"app": "db"}}})
    world.run()
    assert len(addresses(world)) == 1


def test_slices_hold_a_hundred_and_change_one_at_a_time() -> None:
    world = World(nodes=3)
    service(world)
    for number in range(150):
        world.pod(f"pod-{number:03d}")
    world.run(20)
    assert sorted(len(one["endpoints"]) for one in slices(world)) == [50, 100]
    before = {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in slices(world)}
    world.delete("pods", "pod-042")
    world.run(20)
    after = {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in slices(world)}
    assert sum(before[name] != after[name] for name in before) == 1
    assert len(addresses(world)) == 149


def test_what_people_write_by_hand_is_mirrored(world: World) -> None:
    world.make("services", "ext", spec={"ports": [{"port": 80}]})
    subsets = [{"addresses": [{"ip": "192.0.2.7"}], "ports": [{"port": 8080}]}]
    world.make("endpoints", "ext", subsets=subsets)
    world.run()
    (one,) = slices(world)
    assert one["endpoints"] == [{"addresses": ["192.0.2.7"], "conditions": {"ready": True}}]
    assert one["metadata"]["labels"]["kubernetes.io/service-name"] == "ext"
    world.change("endpoints", "ext", {"subsets": [{"addresses": [{"ip": "192.0.2.8"}], "ports": [{"port": 8080}]}]})
    world.run()
    assert addresses(world) == ["192.0.2.8"]
    world.delete("endpoints", "ext")
    world.run()
    assert slices(world) == []


def test_a_service_takes_its_endpoints_with_it(world: World) -> None:
    service(world)
    world.pod("a")
    world.run()
    world.delete("services", "web")
    world.run()
    assert world.find("endpoints", "web") is None
    assert slices(world) == []
