"""Services' neighbours: Ingresses, IngressClasses, NetworkPolicies, EndpointSlices
(pkg/apis/networking/v1/defaults.go, pkg/apis/discovery/v1/defaults.go)."""

from __future__ import annotations

from k8sdiag.evidence import Json


def ingress(obj: Json) -> None:
    obj.setdefault("spec", {})
    obj.setdefault("status", {}).setdefault("loadBalancer", {})


def ingress_class(obj: Json) -> None:
    parameters = obj.setdefault("spec", {}).get("parameters")
    if parameters is not None and parameters.get("scope") is None:
        parameters["scope"] = "Cluster"


def network_policy(obj: Json) -> None:
    inner = obj.setdefault("spec", {})
    if inner.get("podSelector") is None:
        inner["podSelector"] = {}
    for rules in ("ingress", "egress"):
        for rule in inner.get(rules) or ():
            for port in rule.get("ports") or ():
                if port.get("protocol") is None:
                    port["protocol"] = "TCP"
    if not inner.get("policyTypes"):
        inner["policyTypes"] = ["Ingress", "Egress"] if inner.get("egress") else ["Ingress"]


def endpoint_slice(obj: Json) -> None:
    for port in obj.get("ports") or ():
        if port.get("name") is None:
            port["name"] = ""
        if port.get("protocol") is None:
            port["protocol"] = "TCP"
    obj.setdefault("endpoints", None)
    obj.setdefault("ports", None)
    for endpoint in obj.get("endpoints") or ():
        endpoint.setdefault("conditions", {})


DEFAULTS = {
    "ingresses.networking.k8s.io": ingress,
    "ingressclasses.networking.k8s.io": ingress_class,
    "networkpolicies.networking.k8s.io": network_policy,
    "endpointslices.discovery.k8s.io": endpoint_slice,
}
