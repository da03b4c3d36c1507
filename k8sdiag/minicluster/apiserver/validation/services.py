"""Services (pkg/apis/core/validation ValidateService; pkg/registry/core/service/portallocator)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import duplicate, forbidden_field, invalid_value, not_supported, required
from k8sdiag.minicluster.apiserver.validation import formats
from k8sdiag.minicluster.apiserver.validation.containers import PROTOCOLS
from k8sdiag.minicluster.apiserver.validation.fields import Causes, choice, each, labels, port
from k8sdiag.minicluster.apiserver.validation.rules import Rules

_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_ONLY_BALANCER = "may only be used when `type` is 'LoadBalancer'"
_MOST_SECONDS = 86400
NODE_PORTS = (30000, 32767)


def special_ip(value: str, path: str, out: Causes) -> None:
    """Addresses that lead nowhere, or back to where one is (ValidateNonSpecialIP)."""
    address = formats.parsed_ip(value)
    if address is None:
        out.append(invalid_value(path, value, "must be a valid IP address"))
        return
    if address.is_unspecified:
        out.append(invalid_value(path, value, f"may not be unspecified ({value})"))
    if address.is_loopback:
        out.append(invalid_value(path, value, "may not be in the loopback range (127.0.0.0/8, ::1/128)"))
    if address.is_link_local:
        out.append(invalid_value(path, value, "may not be in the link-local range (169.254.0.0/16, fe80::/10)"))
    if address.is_multicast and value.startswith(("224.0.0.", "ff02:")):
        why = "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"
        out.append(invalid_value(path, value, why))


def headless(spec: Json) -> bool:
    return spec.get("clusterIP") == "None" or (spec.get("clusterIPs") or [None])[0] == "None"


def _service(obj: Json, out: Causes) -> None:
    spec = obj.get("spec") or {}
    kind, ports = spec.get("type") or "", spec.get("ports") or []
    if not ports and not headless(spec) and kind != "ExternalName":
        out.append(required("spec.ports"))
    _type(spec, kind, out)
    names: set[str] = set()
    for index, item in enumerate(ports):
        _port(item, len(ports) > 1, names, f"spec.ports[{index}]", out)
    labels(spec.get("selector"), "spec.selector", out)
    _affinity(spec, out)
    if kind != "ExternalName":
        _addresses(spec, out)
    for index, address in enumerate(spec.get("externalIPs") or ()):
        messages = formats.ip(address)
        each(messages, f"spec.externalIPs[{index}]", address, out)
        if not messages:
            special_ip(address, f"spec.externalIPs[{index}]", out)
    choice(kind, _TYPES, "spec.type", out)
    _unique_ports(ports, kind, out)
    _balancer(spec, kind, out)
    _traffic(spec, kind, out)


def _type(spec: Json, kind: str, out: Causes) -> None:
    if kind in ("LoadBalancer", "NodePort") and headless(spec):
        out.append(invalid_value("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {kind} services"))
    if kind != "ExternalName":
        return
    for name in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
        if spec.get(name):
            out.append(forbidden_field(f"spec.{name}", "may not be set for ExternalName services"))
    alias = (spec.get("externalName") or "").removesuffix(".")
    if not alias:
        out.append(required("spec.externalName"))
    else:
        each(formats.dns_subdomain(alias), "spec.externalName", alias, out)


def _port(item: Json, named: bool, names: set[str], path: str, out: Causes) -> None:
    name = item.get("name")
    if name:
        each(formats.dns_label(name), f"{path}.name", name, out)
        if name in names:
            out.append(duplicate(f"{path}.name", name))
        names.add(name)
    elif named:
        out.append(required(f"{path}.name"))
    number = item.get("port") or 0
    each(formats.port_number(number), f"{path}.port", number, out)
    choice(item.get("protocol"), PROTOCOLS, f"{path}.protocol", out)
    port(item.get("targetPort"), f"{path}.targetPort", out)
    if item.get("appProtocol") is not None:
        each(formats.qualified_name(item["appProtocol"]), f"{path}.appProtocol", item["appProtocol"], out)


def _affinity(spec: Json, out: Causes) -> None:
    affinity, config = spec.get("sessionAffinity") or "", spec.get("sessionAffinityConfig")
    choice(affinity, ("ClientIP", "None"), "spec.sessionAffinity", out)
    path = "spec.sessionAffinityConfig"
    if affinity == "None" and config is not None:
        out.append(forbidden_field(path, "must not be set when session affinity is None"))
    if affinity == "ClientIP":
        seconds = ((config or {}).get("clientIP") or {}).get("timeoutSeconds")
        if seconds is None:
            out.append(required(path, "when session affinity type is ClientIP"))
        elif not 0 < seconds <= _MOST_SECONDS:
            why = f"must be greater than 0 and less than {_MOST_SECONDS}"
            out.append(invalid_value(f"{path}.clientIP.timeoutSeconds", seconds, why))


def _addresses(spec: Json, out: Causes) -> None:
    """clusterIP, clusterIPs, ipFamilies and ipFamilyPolicy (ValidateServiceClusterIPsRelatedFields)."""
    first, addresses = spec.get("clusterIP") or "", spec.get("clusterIPs") or []
    if first and not addresses:
        out.append(required("spec.clusterIPs"))
    elif first and addresses[0] != first:
        out.append(invalid_value("spec.clusterIPs", addresses, "first value must match `clusterIP`"))
    elif not first and addresses:
        out.append(invalid_value("spec.clusterIPs", addresses, "must be empty when `clusterIP` is not specified"))
    families = spec.get("ipFamilies") or []
    for index, family in enumerate(families):
        if family not in ("IPv4", "IPv6"):
            out.append(not_supported(f"spec.ipFamilies[{index}]", family, ("IPv4", "IPv6")))
        if family in families[:index]:
            out.append(duplicate(f"spec.ipFamilies[{index}]", family))
    policies = ("PreferDualStack", "RequireDualStack", "SingleStack")
    policy = spec.get("ipFamilyPolicy")
    if policy is not None and policy not in policies:
        out.append(not_supported("spec.ipFamilyPolicy", policy, policies))
    if addresses == ["None"]:
        return
    if addresses and addresses[0] == "None":
        out.append(invalid_value("spec.clusterIPs", addresses, "'None' must be the first and only value"))
        return
    for index, address in enumerate(addresses):
        each(formats.ip(address), f"spec.clusterIPs[{index}]", address, out)
    if len(addresses) > 2:
        out.append(invalid_value("spec.clusterIPs", addresses, "may only hold up to 2 values"))


def _unique_ports(ports: list[Json], kind: str, out: Causes) -> None:
    nodes: set[tuple[str, int]] = set()
    own: set[tuple[str, int]] = set()
    for index, item in enumerate(ports):
        node, path = item.get("nodePort") or 0, f"spec.ports[{index}]"
        protocol = item.get("protocol") or ""
        if node and kind == "ClusterIP":
            out.append(forbidden_field(f"{path}.nodePort", "may not be used when `type` is 'ClusterIP'"))
        elif node and not NODE_PORTS[0] <= node <= NODE_PORTS[1]:
            why = (
                f"provided port is not in the valid range. The range of valid ports is {NODE_PORTS[0]}-{NODE_PORTS[1]}"
            )
            out.append(invalid_value(f"{path}.nodePort", node, why))
        if node and (protocol, node) in nodes:
            out.append(duplicate(f"{path}.nodePort", node))
        nodes.add((protocol, node))
        pair = (protocol, item.get("port") or 0)
        if pair in own:
            out.append(duplicate(path, {"protocol": protocol, "port": pair[1]}))
        own.add(pair)


def _balancer(spec: Json, kind: str, out: Causes) -> None:
    ranges = spec.get("loadBalancerSourceRanges") or ()
    if ranges and kind != "LoadBalancer":
        out.append(forbidden_field("spec.LoadBalancerSourceRanges", _ONLY_BALANCER))
    for index, value in enumerate(ranges):
        each(formats.cidr(value.strip()), f"spec.LoadBalancerSourceRanges[{index}]", value.strip(), out)
    if kind != "LoadBalancer":
        for name in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
            if spec.get(name) is not None:
                out.append(forbidden_field(f"spec.{name}", _ONLY_BALANCER))
    elif spec.get("loadBalancerClass") is not None:
        each(
            formats.qualified_name(spec["loadBalancerClass"]), "spec.loadBalancerClass", spec["loadBalancerClass"], out
        )


def _traffic(spec: Json, kind: str, out: Causes) -> None:
    outside = spec.get("externalTrafficPolicy") or ""
    reachable = kind in ("LoadBalancer", "NodePort") or (kind == "ClusterIP" and bool(spec.get("externalIPs")))
    if not reachable and outside:
        why = "may only be set for externally-accessible services"
        out.append(invalid_value("spec.externalTrafficPolicy", outside, why))
    elif reachable:
        choice(outside, ("Cluster", "Local"), "spec.externalTrafficPolicy", out)
    checked = kind == "LoadBalancer" and outside == "Local"
    number = spec.get("healthCheckNodePort") or 0
    if number and not checked:
        why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        out.append(invalid_value("spec.healthCheckNodePort", number, why))
    inside = spec.get("internalTrafficPolicy")
    if inside is None:
        if kind in ("ClusterIP", "NodePort", "LoadBalancer"):
            out.append(required("spec.internalTrafficPolicy"))
    elif inside not in ("Cluster", "Local"):
        out.append(not_supported("spec.internalTrafficPolicy", inside, ("Cluster", "Local")))
    spread = spec.get("trafficDistribution")
    if spread is not None and spread != "PreferClose":
        out.append(not_supported("spec.trafficDistribution", spread, ("PreferClose",)))


def _changed(obj: Json, old: Json, out: Causes) -> None:
    """A Service keeps its addresses for life, unless it is or becomes an ExternalName."""
    new, was = obj.get("spec") or {}, old.get("spec") or {}
    if "ExternalName" in (new.get("type"), was.get("type")):
        return
    addresses, before = new.get("clusterIPs") or [], was.get("clusterIPs") or []
    if not (headless(new) and headless(was)):
        if len(addresses) == len(before):
            for index, address in enumerate(before):
                if addresses[index] != address:
                    where = f"spec.clusterIPs[{index}]"
                    out.append(invalid_value(where, addresses, "may not change once set"))
        elif before and not addresses:
            out.append(invalid_value("spec.clusterIPs[0]", None, "primary clusterIP can not be unset"))
        elif before and addresses[0] != before[0]:
            out.append(invalid_value("spec.clusterIPs[0]", addresses, "may not change once set"))
    families, had = new.get("ipFamilies") or [], was.get("ipFamilies") or []
    if not headless(new) and not headless(was) and families and had and families[0] != had[0]:
        out.append(invalid_value("spec.ipFamilies[0]", families, "may not change once set"))
    chosen = new.get("loadBalancerClass")
    if new.get("type") == was.get("type") == "LoadBalancer" and chosen != was.get("loadBalancerClass"):
        out.append(invalid_value("spec.loadBalancerClass", chosen, "may not change once set"))


def _status(obj: Json, _old: Json, out: Causes) -> None:
    balancer_status(obj, (obj.get("spec") or {}).get("type") == "LoadBalancer", out)


def balancer_status(obj: Json, allowed: bool, out: Causes) -> None:
    path = "status.loadBalancer.ingress"
    entries = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    if entries and not allowed:
        out.append(forbidden_field(path, "may only be used when `spec.type` is 'LoadBalancer'"))
        return
    for index, entry in enumerate(entries):
        if entry.get("ip"):
            each(formats.ip(entry["ip"]), f"{path}[{index}].ip", entry["ip"], out)
        host = entry.get("hostname")
        if host:
            each(formats.dns_subdomain(host), f"{path}[{index}].hostname", host, out)
            if formats.parsed_ip(host):
                out.append(invalid_value(f"{path}[{index}].hostname", host, "must be a DNS name, not an IP address"))


RULES = {"services": Rules(_service, _changed, _status, name=formats.dns_1035_label)}
