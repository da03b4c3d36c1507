"""Scale, status and the subresources that write a part of their object."""

from __future__ import annotations

import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.apiserver.request import ADMIN, Request
from k8sdiag.minicluster.apiserver.scaling import selector_text
from k8sdiag.minicluster.client import Client
from k8sdiag.minicluster.cluster import MiniCluster

POD_SPEC: Json = {"containers": [{"name": "a", "image": "b"}]}


def workload(client: Client, resource: str = "deployments", replicas: int = 2) -> Json:
    labels = {"app": "web", "tier": "front"}
    spec: Json = {"replicas": replicas, "template": {"metadata": {"labels": labels}, "spec": POD_SPEC}}
    spec["selector"] = labels if resource == "replicationcontrollers" else {"matchLabels": labels}
    if resource == "statefulsets":
        spec["serviceName"] = "web"
    return client.create(resource, {"metadata": {"name": "web", "namespace": "default"}, "spec": spec})


def scale(cluster: MiniCluster, resource: str) -> Json:
    request = Request("get", cluster.registry.named(resource), ADMIN, "default", "web", "scale")
    return cluster.handlers.handle(request).body


@pytest.mark.parametrize("resource", ["deployments", "replicasets", "statefulsets", "replicationcontrollers"])
def test_scale(cluster: MiniCluster, client: Client, resource: str) -> None:
    made = workload(client, resource)
    meta = made["metadata"]
    assert scale(cluster, resource) == {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": "web",
            "namespace": "default",
            "uid": meta["uid"],
            "resourceVersion": meta["resourceVersion"],
            "creationTimestamp": meta["creationTimestamp"],
        },
        "spec": {"replicas": 2},
        "status": {"replicas": 0, "selector": "app=web,tier=front"},
    }
    answer = client.patch(resource, "default", "web", {"spec": {"replicas": 5}}, subresource="scale")
    assert answer["spec"] == {"replicas": 5}
    now = client.get(resource, "default", "web")
    assert now["spec"]["replicas"] == 5
    assert now["spec"]["template"] == made["spec"]["template"]
    if "generation" in meta:
        assert now["metadata"]["generation"] == meta["generation"] + 1


def test_a_scale_is_updated_from_its_newest_version_only(cluster: MiniCluster, client: Client) -> None:
    workload(client)
    old = scale(cluster, "deployments")
    client.patch("deployments", "default", "web", {"spec": {"replicas": 0}}, subresource="scale")
    assert scale(cluster, "deployments")["spec"] == {}  # Go leaves a wish of none out
    with pytest.raises(ApiError) as caught:
        client.update("deployments", old, "scale")
    assert (caught.value.code, caught.value.reason) == (409, "Conflict")
    assert caught.value.message.startswith(
        'Operation cannot be fulfilled on deployments.apps "web": the object has been'
    )
    with pytest.raises(ApiError) as caught:
        client.patch("deployments", "default", "web", {"spec": {"replicas": -1}}, subresource="scale")
    assert caught.value.message == (
        'Scale.autoscaling "web" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0'
    )


def test_selectors_print_as_go_prints_them() -> None:
    expressions = [
        {"key": "b", "operator": "In", "values": ["y", "x"]},
        {"key": "a", "operator": "DoesNotExist"},
        {"key": "d", "operator": "Exists"},
    ]
    selector = {"matchLabels": {"c": "1"}, "matchExpressions": expressions}
    assert selector_text(selector) == "!a,b in (x,y),c=1,d"


def test_ephemeral_containers(client: Client) -> None:
    client.create("pods", {"metadata": {"name": "web", "namespace": "default"}, "spec": POD_SPEC})
    debug = {"name": "debug", "image": "busybox"}
    patch = {"spec": {"ephemeralContainers": [debug], "nodeName": "elsewhere"}}
    client.patch("pods", "default", "web", patch, "strategic", "ephemeralcontainers")
    spec = client.get("pods", "default", "web")["spec"]
    assert [container["name"] for container in spec["ephemeralContainers"]] == ["debug"]
    assert "nodeName" not in spec


def test_resize(client: Client) -> None:
    client.create(
        "pods",
        {
            "metadata": {"name": "web", "namespace": "default"},
            "spec": {"containers": [{"name": "a", "image": "b", "resources": {"requests": {"cpu": "1"}}}]},
        },
    )
    wanted = {"spec": {"containers": [{"name": "a", "resources": {"requests": {"cpu": "2"}}}]}}
    client.patch("pods", "default", "web", wanted, "strategic", "resize")
    assert client.get("pods", "default", "web")["spec"]["containers"][0]["resources"] == {"requests": {"cpu": "2"}}


def test_a_namespace_is_gone_once_it_is_finalized(client: Client) -> None:
    client.create("namespaces", {"metadata": {"name": "shop"}})
    client.delete("namespaces", "", "shop")
    going = client.get("namespaces", "", "shop")
    assert going["status"]["phase"] == "Terminating"
    client.update("namespaces", {**going, "spec": {}}, "finalize")
    assert client.find("namespaces", "", "shop") is None


def test_a_status_changes_nothing_but_the_status(client: Client) -> None:
    workload(client)
    patch = {"spec": {"replicas": 9}, "status": {"observedGeneration": 1}}
    client.patch("deployments", "default", "web", patch, subresource="status")
    now = client.get("deployments", "default", "web")
    assert (now["spec"]["replicas"], now["status"]["observedGeneration"]) == (2, 1)
    client.patch("deployments", "default", "web", {**patch, "spec": {"replicas": 3}, "status": None})
    now = client.get("deployments", "default", "web")
    assert (now["spec"]["replicas"], now["status"]["observedGeneration"]) == (3, 1)


def test_custom_resources_scale_by_the_paths_they_state(cluster: MiniCluster, client: Client) -> None:
    count = {"type": "object", "properties": {"size": {"type": "integer"}}}
    text = {"type": "object", "properties": {"have": {"type": "integer"}, "labels": {"type": "string"}}}
    schema = {"type": "object", "properties": {"spec": count, "status": text}}
    paths = {
        "specReplicasPath": ".spec.size",
        "statusReplicasPath": ".status.have",
        "labelSelectorPath": ".status.labels",
    }
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}, "scale": paths},
    }
    names = {"plural": "rings", "singular": "ring", "kind": "Ring", "listKind": "RingList"}
    spec = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]}
    client.create("customresourcedefinitions", {"metadata": {"name": "rings.example.com"}, "spec": spec})
    cluster.settle()
    kind = {"kind": "Ring", "apiVersion": "example.com/v1"}
    client.create("rings", {**kind, "metadata": {"name": "web", "namespace": "default"}, "spec": {"size": 3}})
    client.patch("rings", "default", "web", {"status": {"have": 2, "labels": "app=ring"}}, subresource="status")
    found = scale(cluster, "rings")
    assert (found["spec"], found["status"]) == ({"replicas": 3}, {"replicas": 2, "selector": "app=ring"})
    client.patch("rings", "default", "web", {"spec": {"replicas": 5}}, subresource="scale")
    assert client.get("rings", "default", "web")["spec"] == {"size": 5}


def test_an_approval_writes_conditions_and_nothing_else(client: Client) -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "jane")])
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    pem = base64.b64encode(request.public_bytes(serialization.Encoding.PEM)).decode()
    spec = {"request": pem, "signerName": "example.com/own", "usages": ["client auth"]}
    made = client.create("certificatesigningrequests", {"metadata": {"name": "jane"}, "spec": spec})
    approved = {"type": "Approved", "status": "True", "reason": "Fine", "message": ""}
    status = {"conditions": [approved], "certificate": "eA=="}
    client.update("certificatesigningrequests", {**made, "status": status}, "approval")
    now = client.get("certificatesigningrequests", "", "jane")
    assert [condition["type"] for condition in now["status"]["conditions"]] == ["Approved"]
    assert "certificate" not in now["status"]
