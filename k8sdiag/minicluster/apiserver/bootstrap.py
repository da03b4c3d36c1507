"""What an API server makes by itself when it starts: its namespaces, its own Service, priority classes, and a storage
class as small clusters have one (pkg/controlplane/controller/{systemnamespaces,kubernetesservice},
pkg/registry/scheduling/rest/storage_scheduling.go)."""

from __future__ import annotations

from typing import Protocol

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.addresses import NETWORK
from k8sdiag.minicluster.apiserver.admission.default_storage_class import CLASSES as STORAGE_CLASSES
from k8sdiag.minicluster.apiserver.admission.priority import CLASSES as PRIORITY_CLASSES
from k8sdiag.minicluster.apiserver.bootstrap_flow import flow_objects
from k8sdiag.minicluster.apiserver.bootstrap_rbac import default_objects
from k8sdiag.minicluster.apiserver.errors import ApiError

NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
SERVICE_ADDRESS = "10.96.0.1"
# Where pods would find the server: Endpoints may not be loopback addresses, which is where a lab really listens.
ADDRESS = "172.18.0.2"
PORT = 6443
PROVISIONER = "lab.k8sdiag.dev/hostpath"


class Writer(Protocol):
    """The two verbs of a client that are needed here."""

    def find(self, resource: str, namespace: str, name: str) -> Json | None: ...

    def create(self, resource: str, obj: Json, namespace: str = "", subresource: str = "", name: str = "") -> Json: ...


def install(client: Writer) -> None:
    """Make what is not there yet. The storage class is no part of a server: who has deleted it does not get it back."""
    if client.find("namespaces", "", NAMESPACES[-1]) is None:
        _ensure(client, STORAGE_CLASSES, _storage_class())
    for name in NAMESPACES:
        _ensure(client, "namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    for priority_class in _priority_classes():
        _ensure(client, PRIORITY_CLASSES, priority_class)
    keep_service(client)
    _ensure(client, "servicecidrs.networking.k8s.io", _service_range())
    for plural, obj in (*default_objects(), *flow_objects()):
        _ensure(client, plural, obj)


def keep_service(client: Writer) -> None:
    """The Service under which pods find the server: an API server looks after it all the time."""
    _ensure(client, "services", _service())
    _ensure(client, "endpoints", _endpoints())
    _ensure(client, "endpointslices.discovery.k8s.io", _endpoint_slice())


def _ensure(client: Writer, resource: str, obj: Json) -> None:
    meta = obj["metadata"]
    if client.find(resource, meta.get("namespace", ""), meta["name"]) is not None:
        return
    try:
        client.create(resource, obj)
    except ApiError:
        return  # a webhook, a quota or whoever took its address is in the way: no reason not to serve


_NODE_CRITICAL = "Used for system critical pods that must not be moved from their current node."
_CLUSTER_CRITICAL = (
    "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary."
)


def _priority_classes() -> list[Json]:
    about = (
        ("system-cluster-critical", 2000000000, _CLUSTER_CRITICAL),
        ("system-node-critical", 2000001000, _NODE_CRITICAL),
    )
    return [
        {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": name},
            "value": value,
            "description": text,
        }
        for name, value, text in about
    ]


def _service() -> Json:
    labels = {"component": "apiserver", "provider": "kubernetes"}
    port = {"name": "https", "protocol": "TCP", "port": 443, "targetPort": PORT}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kubernetes", "namespace": "default", "labels": labels},
        "spec": {"type": "ClusterIP", "clusterIP": SERVICE_ADDRESS, "ports": [port], "sessionAffinity": "None"},
    }


def _endpoints() -> Json:
    labels = {"endpointslice.kubernetes.io/skip-mirror": "true"}
    port = {"name": "https", "port": PORT, "protocol": "TCP"}
    return {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {"name": "kubernetes", "namespace": "default", "labels": labels},
        "subsets": [{"addresses": [{"ip": ADDRESS}], "ports": [port]}],
    }


def _endpoint_slice() -> Json:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "kubernetes"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [ADDRESS], "conditions": {"ready": True}}],
        "ports": [{"name": "https", "port": PORT, "protocol": "TCP"}],
    }


def _service_range() -> Json:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "ServiceCIDR",
        "metadata": {"name": "kubernetes"},
        "spec": {"cidrs": [str(NETWORK)]},
    }


def _storage_class() -> Json:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": PROVISIONER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "WaitForFirstConsumer",
    }
