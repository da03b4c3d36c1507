"""Ingresses, IngressClasses, NetworkPolicies (pkg/apis/networking/validation/validation.go)."""

from __future__ import annotations

from ipaddress import ip_network

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import (
    forbidden_field,
    invalid_value,
    not_supported,
    required,
    too_long,
)
from k8sdiag.minicluster.apiserver.validation import formats
from k8sdiag.minicluster.apiserver.validation.containers import PROTOCOLS
from k8sdiag.minicluster.apiserver.validation.fields import Causes, each, immutable, label_selector, port
from k8sdiag.minicluster.apiserver.validation.rules import Rules
from k8sdiag.minicluster.apiserver.validation.services import balancer_status

_CLASS = "kubernetes.io/ingress.class"
_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")


def _ingress(obj: Json, out: Causes) -> None:
    spec = obj.get("spec") or {}
    rules, backend = spec.get("rules") or [], spec.get("defaultBackend")
    if not rules and backend is None:
        out.append(invalid_value("spec", None, "either `defaultBackend` or `rules` must be specified"))
    if backend is not None:
        _backend(backend, "spec.defaultBackend", out)
    for index, rule in enumerate(rules):
        _rule(rule, f"spec.rules[{index}]", out)
    for index, tls in enumerate(spec.get("tls") or ()):
        for at, host in enumerate(tls.get("hosts") or ()):
            check = formats.wildcard_subdomain if "*" in host else formats.dns_subdomain
            each(check(host), f"spec.tls[{index}].hosts[{at}]", host, out)
        secret = tls.get("secretName")
        if secret:
            each(formats.dns_subdomain(secret), f"spec.tls[{index}].secretName", secret, out)
    name = spec.get("ingressClassName")
    if name is not None:
        each(formats.dns_subdomain(name), "spec.ingressClassName", name, out)


def _rule(rule: Json, path: str, out: Causes) -> None:
    host = rule.get("host")
    if host:
        if formats.parsed_ip(host):
            out.append(invalid_value(f"{path}.host", host, "must be a DNS name, not an IP address"))
        check = formats.wildcard_subdomain if "*" in host else formats.dns_subdomain
        each(check(host), f"{path}.host", host, out)
    http = rule.get("http")
    if http is None:
        return
    if not http.get("paths"):
        out.append(required(f"{path}.http.paths"))
    for index, item in enumerate(http.get("paths") or ()):
        _path(item, f"{path}.http.paths[{index}]", out)


def _path(item: Json, path: str, out: Causes) -> None:
    kind, value = item.get("pathType"), item.get("path") or ""
    if kind is None:
        out.append(required(f"{path}.pathType", "pathType must be specified"))
        return
    if kind not in _PATH_TYPES:
        out.append(not_supported(f"{path}.pathType", kind, _PATH_TYPES))
    elif (value or kind != "ImplementationSpecific") and not value.startswith("/"):
        out.append(invalid_value(f"{path}.path", value, "must be an absolute path"))
    if kind in ("Exact", "Prefix"):
        for part in ("//", "/./", "/../", "%2f", "%2F"):
            if part in value:
                out.append(invalid_value(f"{path}.path", value, f"must not contain '{part}'"))
        for part in ("/..", "/."):
            if value.endswith(part):
                out.append(invalid_value(f"{path}.path", value, f"cannot end with '{part}'"))
    _backend(item.get("backend") or {}, f"{path}.backend", out)


def _backend(backend: Json, path: str, out: Causes) -> None:
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        out.append(invalid_value(path, "", "cannot set both resource and service backends"))
    elif resource is not None:
        for name in ("kind", "name"):
            if not resource.get(name):
                out.append(required(f"{path}.resource.{name}"))
            else:
                each(formats.path_segment(resource[name]), f"{path}.resource.{name}", resource[name], out)
    elif service is None:
        out.append(invalid_value(path, "", "resource or service backend is required"))
    else:
        _service(service, path, out)


def _service(service: Json, path: str, out: Causes) -> None:
    called = service.get("name")
    if not called:
        out.append(required(f"{path}.service.name"))
    else:
        each(formats.dns_1035_label(called), f"{path}.service.name", called, out)
    target = service.get("port") or {}
    name, number = target.get("name"), target.get("number")
    if name and number:
        out.append(invalid_value(path, "", "cannot set both port name & port number"))
    elif name:
        each(formats.port_name(name), f"{path}.service.port.name", name, out)
    elif number:
        each(formats.port_number(number), f"{path}.service.port.number", number, out)
    else:
        out.append(required(path, "port name or number is required"))


def _new_ingress(obj: Json, out: Causes) -> None:
    said = (obj["metadata"].get("annotations") or {}).get(_CLASS)
    name = (obj.get("spec") or {}).get("ingressClassName")
    if said is not None and name is not None and said != name:
        why = "must match `ingressClassName` when both are specified"
        out.append(invalid_value(f"annotations.{_CLASS}", said, why))


def _ingress_status(obj: Json, _old: Json, out: Causes) -> None:
    balancer_status(obj, True, out)


def _class(obj: Json, out: Causes) -> None:
    spec = obj.get("spec") or {}
    controller = spec.get("controller") or ""
    if not controller:
        out.append(required("spec.controller"))
    else:
        if len(controller) > 250:
            out.append(too_long("spec.controller", 250))
        host, _, path = controller.partition("/")
        if not host or not path:
            why = 'must be a domain-prefixed path (such as "acme.io/foo")'
            out.append(invalid_value("spec.controller", controller, why))
        else:
            each(formats.dns_subdomain(host), "spec.controller", host, out)
            each(formats.http_path(path), "spec.controller", path, out)
    parameters = spec.get("parameters")
    if parameters is not None:
        _parameters(parameters, "spec.parameters", out)


def _parameters(parameters: Json, path: str, out: Causes) -> None:
    for name in ("kind", "name"):
        if not parameters.get(name):
            out.append(required(f"{path}.{name}"))
        else:
            each(formats.path_segment(parameters[name]), f"{path}.{name}", parameters[name], out)
    scope, namespace = parameters.get("scope"), parameters.get("namespace")
    if scope not in ("Cluster", "Namespace"):
        out.append(not_supported(f"{path}.scope", scope or "", ("Cluster", "Namespace")))
    elif scope == "Namespace" and namespace is None:
        out.append(required(f"{path}.namespace", "`parameters.scope` is set to 'Namespace'"))
    elif scope == "Cluster" and namespace is not None:
        out.append(forbidden_field(f"{path}.namespace", "`parameters.scope` is set to 'Cluster'"))


def _class_change(obj: Json, old: Json, out: Causes) -> None:
    new, was = ((part.get("spec") or {}).get("controller") for part in (obj, old))
    immutable(new, was, "spec.controller", out)


def _policy(obj: Json, out: Causes) -> None:
    spec = obj.get("spec") or {}
    label_selector(spec.get("podSelector"), "spec.podSelector", out)
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(direction) or ()):
            path = f"spec.{direction}[{index}]"
            for at, item in enumerate(rule.get("ports") or ()):
                _policy_port(item, f"{path}.ports[{at}]", out)
            for at, peer in enumerate(rule.get(peers) or ()):
                _peer(peer, f"{path}.{peers}[{at}]", out)
    types = spec.get("policyTypes") or []
    if len(types) > 2:
        out.append(invalid_value("spec.policyTypes", types, "may not specify more than two policyTypes"))
        return
    for index, kind in enumerate(types):
        if kind not in ("Ingress", "Egress"):
            out.append(not_supported(f"spec.policyTypes[{index}]", kind, ("Ingress", "Egress")))


def _policy_port(item: Json, path: str, out: Causes) -> None:
    protocol, number, last = item.get("protocol"), item.get("port"), item.get("endPort")
    if protocol is not None and protocol not in PROTOCOLS:
        out.append(not_supported(f"{path}.protocol", protocol, ("TCP", "UDP", "SCTP")))
    if number is not None:
        port(number, f"{path}.port", out)
    if last is None:
        return
    if number is None:
        out.append(invalid_value(f"{path}.endPort", last, "may not be specified when `port` is not specified"))
    elif isinstance(number, str):
        out.append(invalid_value(f"{path}.endPort", last, "may not be specified when `port` is non-numeric"))
    else:
        if last < number:
            out.append(invalid_value(f"{path}.endPort", last, "must be greater than or equal to `port`"))
        each(formats.port_number(last), f"{path}.endPort", last, out)


def _peer(peer: Json, path: str, out: Causes) -> None:
    given = [name for name in ("podSelector", "namespaceSelector", "ipBlock") if peer.get(name) is not None]
    for name in given[:2]:
        if name != "ipBlock":
            label_selector(peer[name], f"{path}.{name}", out)
    if "ipBlock" in given:
        _block(peer["ipBlock"], f"{path}.ipBlock", out)
    if not given:
        out.append(required(path, "must specify a peer"))
    elif len(given) > 1 and "ipBlock" in given:
        out.append(forbidden_field(path, "may not specify both ipBlock and another peer"))


def _block(block: Json, path: str, out: Causes) -> None:
    whole = block.get("cidr") or ""
    if not whole:
        out.append(required(f"{path}.cidr"))
        return
    messages = formats.cidr(whole)
    each(messages, f"{path}.cidr", whole, out)
    if messages:
        return
    network = ip_network(whole, strict=False)
    for index, part in enumerate(block.get("except") or ()):
        where, wrong = f"{path}.except[{index}]", formats.cidr(part)
        each(wrong, where, part, out)
        if wrong:
            continue
        inner = ip_network(part, strict=False)
        inside = inner.version == network.version and inner.network_address in network
        if not inside or network.prefixlen >= inner.prefixlen:
            out.append(invalid_value(where, part, "must be a strict subset of `cidr`"))


GROUP = "networking.k8s.io"
RULES = {
    f"ingresses.{GROUP}": Rules(_ingress, None, _ingress_status, _new_ingress),
    f"ingressclasses.{GROUP}": Rules(_class, _class_change),
    f"networkpolicies.{GROUP}": Rules(_policy),
}
