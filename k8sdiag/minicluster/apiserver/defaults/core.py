"""The core group but for pods and volumes (pkg/apis/core/v1/defaults.go; the registry's strategies)."""

from __future__ import annotations

import base64

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.defaults import pods
from k8sdiag.minicluster.apiserver.quantities import canonical

_AFFINITY_SECONDS = 10800  # three hours
NAME_LABEL = "kubernetes.io/metadata.name"


def service(obj: Json) -> None:
    inner = obj.setdefault("spec", {})
    affinity = inner["sessionAffinity"] = inner.get("sessionAffinity") or "None"
    if affinity == "None":
        inner.pop("sessionAffinityConfig", None)
    elif affinity == "ClientIP":
        config = inner.get("sessionAffinityConfig") or {}
        if (config.get("clientIP") or {}).get("timeoutSeconds") is None:
            inner["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": _AFFINITY_SECONDS}}
    kind = inner["type"] = inner.get("type") or "ClusterIP"
    for port in inner.get("ports") or ():
        port["protocol"] = port.get("protocol") or "TCP"
        if not port.get("targetPort"):
            port["targetPort"] = port.get("port", 0)
    outside = kind in ("NodePort", "LoadBalancer") or (kind == "ClusterIP" and inner.get("externalIPs"))
    if outside and not inner.get("externalTrafficPolicy"):
        inner["externalTrafficPolicy"] = "Cluster"
    if inner.get("internalTrafficPolicy") is None and kind in ("NodePort", "LoadBalancer", "ClusterIP"):
        inner["internalTrafficPolicy"] = "Cluster"
    balancer = obj.setdefault("status", {}).setdefault("loadBalancer", {})
    if kind == "LoadBalancer":
        if inner.get("allocateLoadBalancerNodePorts") is None:
            inner["allocateLoadBalancerNodePorts"] = True
        for entry in balancer.get("ingress") or ():
            if entry.get("ip") and entry.get("ipMode") is None:
                entry["ipMode"] = "VIP"


def endpoints(obj: Json) -> None:
    for subset in obj.get("subsets") or ():
        for port in subset.get("ports") or ():
            port["protocol"] = port.get("protocol") or "TCP"


def secret(obj: Json) -> None:
    obj["type"] = obj.get("type") or "Opaque"
    plain = obj.pop("stringData", None)
    if plain:
        data = obj["data"] = dict(obj.get("data") or {})
        for key, value in plain.items():
            data[key] = base64.b64encode(str(value).encode()).decode()


def namespace(obj: Json) -> None:
    name = obj.get("metadata", {}).get("name")
    if name:
        labels = obj["metadata"].get("labels")
        if labels is None:
            labels = obj["metadata"]["labels"] = {}
        labels[NAME_LABEL] = name
    obj.setdefault("spec", {})
    status = obj.setdefault("status", {})
    status["phase"] = status.get("phase") or "Active"


def namespace_finalizer(obj: Json) -> None:
    """A new namespace is emptied before it goes: the namespace controller takes this finalizer away."""
    held = obj.setdefault("spec", {}).get("finalizers") or []
    if "kubernetes" not in held:
        obj["spec"]["finalizers"] = [*held, "kubernetes"]


def node(obj: Json) -> None:
    obj.setdefault("spec", {})
    status = obj.setdefault("status", {})
    if status.get("allocatable") is None and status.get("capacity") is not None:
        status["allocatable"] = dict(status["capacity"])
    for part in ("capacity", "allocatable"):
        for key, value in (status.get(part) or {}).items():
            status[part][key] = canonical(value)
    status.setdefault("daemonEndpoints", {}).setdefault("kubeletEndpoint", {}).setdefault("Port", 0)
    info = status.setdefault("nodeInfo", {})
    for name in _NODE_INFO:
        info.setdefault(name, "")


_NODE_INFO = (
    "machineID",
    "systemUUID",
    "bootID",
    "kernelVersion",
    "osImage",
    "containerRuntimeVersion",
    "kubeletVersion",
    "kubeProxyVersion",
    "operatingSystem",
    "architecture",
)


def replication_controller(obj: Json) -> None:
    inner = obj.setdefault("spec", {})
    if inner.get("replicas") is None:
        inner["replicas"] = 1
    template = inner.get("template")
    if template is not None:
        pods.template(template)
        labels = template["metadata"].get("labels")
        if labels:
            if not inner.get("selector"):
                inner["selector"] = dict(labels)
            if not obj["metadata"].get("labels"):
                obj["metadata"]["labels"] = dict(labels)
    obj.setdefault("status", {}).setdefault("replicas", 0)


def limit_range(obj: Json) -> None:
    for item in obj.setdefault("spec", {}).get("limits") or ():
        for part in ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio"):
            if item.get(part):
                pods.resource_list(item[part])
        if item.get("type") != "Container":
            continue
        default = {**(item.get("max") or {}), **(item.get("default") or {})}
        request = {**(item.get("min") or {}), **default, **(item.get("defaultRequest") or {})}
        if default:
            item["default"] = default
        if request:
            item["defaultRequest"] = request


def resource_quota(obj: Json) -> None:
    hard = obj.setdefault("spec", {}).get("hard")
    if hard:
        pods.resource_list(hard)
    status = obj.setdefault("status", {})
    for part in ("hard", "used"):
        if status.get(part):
            pods.resource_list(status[part])


def event(obj: Json) -> None:
    for name in ("firstTimestamp", "lastTimestamp", "eventTime"):
        obj.setdefault(name, None)
    obj.setdefault("source", {})
    obj.setdefault("reportingComponent", "")
    obj.setdefault("reportingInstance", "")


DEFAULTS = {
    "services": service,
    "endpoints": endpoints,
    "secrets": secret,
    "namespaces": namespace,
    "nodes": node,
    "replicationcontrollers": replication_controller,
    "limitranges": limit_range,
    "resourcequotas": resource_quota,
    "events": event,
}
CREATION = {"namespaces": namespace_finalizer}
