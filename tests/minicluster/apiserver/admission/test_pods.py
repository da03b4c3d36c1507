"""What admission makes of a plain pod, and what it refuses: accounts, priorities, runtime classes, namespaces."""

from __future__ import annotations

from typing import Any

import pytest

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.apiserver.request import User
from k8sdiag.minicluster.client import Client
from k8sdiag.minicluster.cluster import MiniCluster


def pod(name: str = "web", namespace: str = "default", **spec: Any) -> Json:
    containers = [{"name": "app", "image": "nginx"}]
    meta = {"generateName": name} if name.endswith("-") else {"name": name}
    return {"metadata": {**meta, "namespace": namespace}, "spec": {"containers": containers, **spec}}


def refused(client: Client, resource: str, obj: Json, **more: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        client.create(resource, obj, **more)
    return caught.value


def test_a_plain_pod_gets_what_a_real_server_gives_it(client: Client) -> None:
    made = client.create("pods", pod(initContainers=[{"name": "first", "image": "busybox"}]))
    spec = made["spec"]
    name = spec["volumes"][0]["name"]
    assert name.startswith("kube-api-access-")
    assert len(name) == len("kube-api-access-") + 5
    assert spec["volumes"] == [
        {
            "name": name,
            "projected": {
                "sources": [
                    {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                    {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                    {
                        "downwardAPI": {
                            "items": [
                                {
                                    "path": "namespace",
                                    "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"},
                                }
                            ]
                        }
                    },
                ],
                "defaultMode": 420,
            },
        }
    ]
    mount = {"name": name, "readOnly": True, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
    assert spec["containers"][0]["volumeMounts"] == spec["initContainers"][0]["volumeMounts"] == [mount]
    assert (spec["serviceAccountName"], spec["serviceAccount"]) == ("default", "default")
    assert (spec["priority"], spec["preemptionPolicy"]) == (0, "PreemptLowerPriority")
    assert spec["tolerations"] == [
        {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
        for key in ("not-ready", "unreachable")
    ]


def test_a_missing_account_is_named(client: Client) -> None:
    error = refused(client, "pods", pod(serviceAccountName="robot"))
    assert (error.code, error.reason) == (403, "Forbidden")
    assert error.message == (
        'pods "web" is forbidden: error looking up service account default/robot: serviceaccount "robot" not found'
    )


def test_before_its_name_is_made_a_pod_goes_by_its_prefix(client: Client) -> None:
    error = refused(client, "pods", pod("web-7f9c-", serviceAccountName="robot"))
    assert error.message.startswith('pods "web-7f9c-" is forbidden: error looking up service account')


@pytest.mark.parametrize("where", ["pod", "account"])
def test_no_token_where_none_is_wanted(client: Client, where: str) -> None:
    account: Json = {"metadata": {"name": "quiet", "namespace": "default"}, "imagePullSecrets": [{"name": "hub"}]}
    spec: Json = {"serviceAccountName": "quiet"}
    if where == "account":
        account["automountServiceAccountToken"] = False
    else:
        spec["automountServiceAccountToken"] = False
    client.create("serviceaccounts", account)
    made = client.create("pods", pod(**spec))
    assert "volumes" not in made["spec"]
    assert made["spec"]["imagePullSecrets"] == [{"name": "hub"}]


def test_the_pod_has_the_last_word_on_its_token(client: Client) -> None:
    client.create(
        "serviceaccounts",
        {"metadata": {"name": "quiet", "namespace": "default"}, "automountServiceAccountToken": False},
    )
    made = client.create("pods", pod(serviceAccountName="quiet", automountServiceAccountToken=True))
    assert len(made["spec"]["volumes"]) == 1


def test_a_mount_of_ones_own_at_that_path_stays_alone(client: Client) -> None:
    mount = {"name": "mine", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
    container = {"name": "app", "image": "nginx", "volumeMounts": [mount]}
    made = client.create("pods", pod(containers=[container], volumes=[{"name": "mine", "emptyDir": {}}]))
    assert [volume["name"] for volume in made["spec"]["volumes"]] == ["mine"]


def test_priority_classes(client: Client) -> None:
    assert client.create("pods", pod("a", priorityClassName="system-node-critical"))["spec"]["priority"] == 2000001000
    error = refused(client, "pods", pod(priorityClassName="urgent"))
    assert error.message == 'pods "web" is forbidden: no PriorityClass with name urgent was found'
    error = refused(client, "pods", pod(priority=7))
    assert error.message == (
        'pods "web" is forbidden: the integer value of priority (7) must not be provided in pod spec; '
        "priority admission controller computed 0 from the given PriorityClass name"
    )
    best = {"metadata": {"name": "usual"}, "value": 100, "globalDefault": True, "preemptionPolicy": "Never"}
    client.create("priorityclasses", best)
    made = client.create("pods", pod("b"))["spec"]
    assert (made["priorityClassName"], made["priority"], made["preemptionPolicy"]) == ("usual", 100, "Never")
    error = refused(client, "priorityclasses", {**best, "metadata": {"name": "other"}})
    assert error.message == (
        'priorityclasses.scheduling.k8s.io "other" is forbidden: PriorityClass usual is already marked as default. '
        "Only one default can exist"
    )


def test_runtime_classes(client: Client) -> None:
    error = refused(client, "pods", pod(runtimeClassName="kata"))
    assert error.message == 'pods "web" is forbidden: pod rejected: RuntimeClass "kata" not found'
    client.create(
        "runtimeclasses",
        {
            "metadata": {"name": "kata"},
            "handler": "kata",
            "overhead": {"podFixed": {"cpu": "250m", "memory": "120Mi"}},
            "scheduling": {"nodeSelector": {"kata": "yes"}, "tolerations": [{"key": "kata", "operator": "Exists"}]},
        },
    )
    spec = client.create("pods", pod(runtimeClassName="kata"))["spec"]
    assert spec["overhead"] == {"cpu": "250m", "memory": "120Mi"}
    assert spec["nodeSelector"] == {"kata": "yes"}
    assert {"key": "kata", "operator": "Exists"} in spec["tolerations"]
    error = refused(client, "pods", pod("x", runtimeClassName="kata", nodeSelector={"kata": "no"}))
    assert error.message.endswith(
        "conflict: runtimeClass.scheduling.nodeSelector[kata] = yes; pod.spec.nodeSelector[kata] = no"
    )
    error = refused(client, "pods", pod("y", overhead={"cpu": "1"}))
    assert error.message.endswith("pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead")


def test_namespaces_that_are_not_there_or_go(client: Client) -> None:
    error = refused(client, "pods", pod(namespace="shop"))
    assert (error.code, error.message) == (404, 'namespaces "shop" not found')
    client.create("namespaces", {"metadata": {"name": "shop"}})
    client.create("configmaps", {"metadata": {"name": "a", "namespace": "shop"}})
    client.delete("namespaces", "", "shop")
    error = refused(client, "configmaps", {"metadata": {"name": "b", "namespace": "shop"}})
    assert error.message == (
        'configmaps "b" is forbidden: unable to create new content in namespace shop because it is being terminated'
    )
    assert error.details is not None
    assert error.details["causes"] == [
        {
            "reason": "NamespaceTerminating",
            "message": "namespace shop is being terminated",
            "field": "metadata.namespace",
        }
    ]
    client.patch("configmaps", "shop", "a", {"data": {"still": "changes"}})


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public"])
def test_some_namespaces_stay(client: Client, name: str) -> None:
    with pytest.raises(ApiError) as caught:
        client.delete("namespaces", "", name)
    assert caught.value.message == f'namespaces "{name}" is forbidden: this namespace may not be deleted'


def test_claims_and_ingresses_get_the_default_class(client: Client) -> None:
    claim: Json = {
        "metadata": {"name": "data", "namespace": "default"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    made = client.create("persistentvolumeclaims", claim)
    assert made["spec"]["storageClassName"] == "standard"
    assert made["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
    none = {
        **claim,
        "metadata": {"name": "none", "namespace": "default"},
        "spec": {**claim["spec"], "storageClassName": ""},
    }
    assert client.create("persistentvolumeclaims", none)["spec"]["storageClassName"] == ""
    mark = {"ingressclass.kubernetes.io/is-default-class": "true"}
    client.create(
        "ingressclasses", {"metadata": {"name": "nginx", "annotations": mark}, "spec": {"controller": "k8s.io/x"}}
    )
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    ingress = {"metadata": {"name": "web", "namespace": "default"}, "spec": {"defaultBackend": backend}}
    assert client.create("ingresses", ingress)["spec"]["ingressClassName"] == "nginx"


def test_a_new_node_takes_no_pods_yet(client: Client) -> None:
    node = client.create(
        "nodes", {"metadata": {"name": "n1"}, "spec": {"taints": [{"key": "a", "effect": "NoExecute"}]}}
    )
    assert node["spec"]["taints"] == [
        {"key": "a", "effect": "NoExecute"},
        {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"},
    ]


def test_a_node_keeps_to_itself(cluster: MiniCluster, client: Client) -> None:
    for name in ("n1", "n2"):
        client.create("nodes", {"metadata": {"name": name}})
    node = cluster.client(User("system:node:n1", ("system:nodes", "system:authenticated")), "kubelet")
    with pytest.raises(ApiError) as caught:
        node.patch("nodes", "", "n2", {"metadata": {"labels": {"a": "b"}}})
    assert caught.value.message == 'nodes "n2" is forbidden: node "n1" is not allowed to modify node "n2"'
    with pytest.raises(ApiError) as caught:
        node.patch("nodes", "", "n1", {"spec": {"taints": []}})
    assert caught.value.message == 'nodes "n1" is forbidden: node "n1" is not allowed to modify taints'
    with pytest.raises(ApiError) as caught:
        node.patch("nodes", "", "n1", {"metadata": {"labels": {"node-role.kubernetes.io/master": ""}}})
    assert 'node "n1" is not allowed to modify labels: node-role.kubernetes.io/master' in caught.value.message
    assert (
        node.patch("nodes", "", "n1", {"metadata": {"labels": {"disk": "ssd"}}})["metadata"]["labels"]["disk"] == "ssd"
    )
    client.create("pods", pod("other", nodeName="n2"))
    with pytest.raises(ApiError) as caught:
        node.delete("pods", "default", "other")
    assert caught.value.message == (
        'pods "other" is forbidden: node "n1" can only delete pods with spec.nodeName set to itself'
    )


def test_claims_grow_only_where_their_class_lets_them(client: Client) -> None:
    for name, grows in (("fixed", False), ("elastic", True)):
        body: Json = {"metadata": {"name": name}, "provisioner": "example.com/disk", "allowVolumeExpansion": grows}
        client.create("storageclasses", body)
        spec = {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": name,
            "resources": {"requests": {"storage": "1Gi"}},
        }
        client.create("persistentvolumeclaims", {"metadata": {"name": name, "namespace": "default"}, "spec": spec})
        client.patch("persistentvolumeclaims", "default", name, {"spec": {"volumeName": name}})
        client.patch("persistentvolumeclaims", "default", name, {"status": {"phase": "Bound"}}, subresource="status")
    more = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
    assert (
        client.patch("persistentvolumeclaims", "default", "elastic", more)["spec"]["resources"]
        == more["spec"]["resources"]
    )
    with pytest.raises(ApiError) as caught:
        client.patch("persistentvolumeclaims", "default", "fixed", more)
    assert caught.value.message == (
        'persistentvolumeclaims "fixed" is forbidden: only dynamically provisioned pvc can be resized and the '
        "storageclass that provisions the pvc must support resize"
    )
