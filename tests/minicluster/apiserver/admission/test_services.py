"""Addresses and node ports of Services, and what a server makes at its start."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest

from k8sdiag.clock import ManualClock
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import bootstrap
from k8sdiag.minicluster.apiserver.addresses import NETWORK, PORTS
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.client import Client
from k8sdiag.minicluster.cluster import MiniCluster


def service(name: str, **spec: Any) -> Json:
    spec.setdefault("ports", [{"port": 80}])
    return {"metadata": {"name": name, "namespace": "default"}, "spec": {"selector": {"app": "web"}, **spec}}


def refused(client: Client, obj: Json) -> str:
    with pytest.raises(ApiError) as caught:
        client.create("services", obj)
    assert (caught.value.code, caught.value.reason) == (422, "Invalid")
    return caught.value.message


def test_a_service_gets_an_address_of_its_own(client: Client) -> None:
    specs = [client.create("services", service(f"s{count}"))["spec"] for count in range(50)]
    addresses = {spec["clusterIP"] for spec in specs}
    assert len(addresses) == 50
    assert all(ip_address(address) in NETWORK for address in addresses)
    assert specs[0]["clusterIPs"] == [specs[0]["clusterIP"]]
    assert (specs[0]["ipFamilies"], specs[0]["ipFamilyPolicy"]) == (["IPv4"], "SingleStack")


def test_addresses_by_number(client: Client) -> None:
    client.create("services", service("a", clusterIP="10.96.0.10"))
    assert refused(client, service("b", clusterIP="10.96.0.10")) == (
        'Service "b" is invalid: spec.clusterIPs: Invalid value: ["10.96.0.10"]: '
        "failed to allocate IP 10.96.0.10: provided IP is already allocated"
    )
    assert refused(client, service("b", clusterIP="192.168.0.1")).endswith(
        "failed to allocate IP 192.168.0.1: the provided IP (192.168.0.1) is not in the valid range. "
        "The range of valid IPs is 10.96.0.0/12"
    )
    client.delete("services", "default", "a")
    client.create("services", service("b", clusterIP="10.96.0.10"))


def test_headless_and_external(client: Client) -> None:
    spec = client.create("services", service("headless", clusterIP="None"))["spec"]
    assert (spec["clusterIPs"], spec["ipFamilies"], spec["ipFamilyPolicy"]) == (["None"], ["IPv4"], "SingleStack")
    body = service("bare", clusterIP="None")
    del body["spec"]["selector"]
    spec = client.create("services", body)["spec"]
    assert (spec["ipFamilies"], spec["ipFamilyPolicy"]) == (["IPv4", "IPv6"], "RequireDualStack")
    spec = client.create("services", service("outside", type="ExternalName", externalName="example.com"))["spec"]
    assert not {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"} & spec.keys()


def test_node_ports(client: Client) -> None:
    made = client.create("services", service("a", type="NodePort"))
    port = made["spec"]["ports"][0]["nodePort"]
    assert port in PORTS
    assert refused(client, service("b", type="NodePort", ports=[{"port": 80, "nodePort": port}])) == (
        f'Service "b" is invalid: spec.ports[0].nodePort: Invalid value: {port}: provided port is already allocated'
    )
    assert refused(client, service("b", type="NodePort", ports=[{"port": 80, "nodePort": 80}])).endswith(
        "Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767"
    )
    both = [{"name": name, "port": 53, "protocol": name.upper(), "nodePort": 30053} for name in ("tcp", "udp")]
    client.create("services", service("dns", type="NodePort", ports=both))


def test_what_an_update_leaves_out_stays(client: Client) -> None:
    made = client.create("services", service("a", type="NodePort"))
    client.update("services", {**service("a", type="NodePort"), "metadata": made["metadata"]})
    now = client.get("services", "default", "a")
    assert now["spec"]["clusterIP"] == made["spec"]["clusterIP"]
    assert now["spec"]["ports"] == made["spec"]["ports"]
    client.patch("services", "default", "a", {"spec": {"type": "ClusterIP"}})
    now = client.get("services", "default", "a")
    assert "nodePort" not in now["spec"]["ports"][0]
    assert now["spec"]["clusterIP"] == made["spec"]["clusterIP"]
    client.create("services", service("b", type="NodePort", ports=made["spec"]["ports"]))


def test_a_patch_leaves_the_stored_service_alone(client: Client) -> None:
    before = client.create("services", service("a"))
    after = client.patch("services", "default", "a", {"spec": {"type": "NodePort"}})
    assert after["spec"]["ports"][0]["nodePort"] in PORTS
    assert "nodePort" not in before["spec"]["ports"][0]


def test_addresses_are_known_after_a_restart(client: Client, cluster: MiniCluster) -> None:
    taken = client.get("services", "default", "kubernetes")["spec"]["clusterIP"]
    assert taken == "10.96.0.1"
    cluster.handlers.backend.admission.context.memo.clear()
    assert "already allocated" in refused(client, service("a", clusterIP=taken))


def test_a_dry_run_takes_nothing(client: Client, cluster: MiniCluster) -> None:
    from k8sdiag.minicluster.apiserver.request import ADMIN, Request

    body = {"kind": "Service", "apiVersion": "v1", **service("a", clusterIP="10.96.0.77")}
    request = Request(
        "create", cluster.registry.named("services"), ADMIN, "default", query={"dryRun": "All"}, body=body
    )
    assert cluster.handlers.handle(request).body["spec"]["clusterIP"] == "10.96.0.77"
    assert client.find("services", "default", "a") is None
    client.create("services", service("b", clusterIP="10.96.0.77"))


def test_what_is_there_from_the_start(client: Client) -> None:
    names = [namespace["metadata"]["name"] for namespace in client.list("namespaces")]
    assert names == ["default", "kube-node-lease", "kube-public", "kube-system"]
    assert all(namespace["status"] == {"phase": "Active"} for namespace in client.list("namespaces"))
    assert all(namespace["spec"] == {"finalizers": ["kubernetes"]} for namespace in client.list("namespaces"))
    values = {each["metadata"]["name"]: each["value"] for each in client.list("priorityclasses")}
    assert values == {"system-cluster-critical": 2000000000, "system-node-critical": 2000001000}
    assert client.get("storageclasses", "", "standard")["volumeBindingMode"] == "WaitForFirstConsumer"
    assert client.get("endpointslices", "default", "kubernetes")["endpoints"][0]["conditions"] == {"ready": True}
    assert client.find("clusterroles", "", "cluster-admin") is not None


def test_installing_again_changes_nothing() -> None:
    cluster = MiniCluster(ManualClock(1_800_000_000.0), seed=7)
    revision = cluster.storage.revision
    bootstrap.install(cluster.client())
    assert cluster.storage.revision == revision
