"""Endpoints and EndpointSlices (pkg/apis/core/validation ValidateEndpoints, pkg/apis/discovery/validation)."""

from __future__ import annotations

from ipaddress import IPv4Address

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import duplicate, invalid_value, not_supported, required, too_many
from k8sdiag.minicluster.apiserver.validation import formats
from k8sdiag.minicluster.apiserver.validation.containers import PROTOCOLS
from k8sdiag.minicluster.apiserver.validation.fields import Causes, choice, each, immutable
from k8sdiag.minicluster.apiserver.validation.rules import Rules
from k8sdiag.minicluster.apiserver.validation.services import special_ip

_ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")


def _endpoints(obj: Json, out: Causes) -> None:
    for index, subset in enumerate(obj.get("subsets") or ()):
        path = f"subsets[{index}]"
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            out.append(required(path, "must specify `addresses` or `notReadyAddresses`"))
        for name in ("addresses", "notReadyAddresses"):
            for at, address in enumerate(subset.get(name) or ()):
                _address(address, f"{path}.{name}[{at}]", out)
        ports = subset.get("ports") or ()
        for at, item in enumerate(ports):
            _port(item, len(ports) > 1, f"{path}.ports[{at}]", out)


def _address(address: Json, path: str, out: Causes) -> None:
    number = address.get("ip") or ""
    each(formats.ip(number), f"{path}.ip", number, out)
    if address.get("hostname"):
        each(formats.dns_label(address["hostname"]), f"{path}.hostname", address["hostname"], out)
    if address.get("nodeName") is not None:
        each(formats.dns_subdomain(address["nodeName"]), f"{path}.nodeName", address["nodeName"], out)
    special_ip(number, f"{path}.ip", out)


def _port(item: Json, named: bool, path: str, out: Causes) -> None:
    if item.get("name"):
        each(formats.dns_label(item["name"]), f"{path}.name", item["name"], out)
    elif named:
        out.append(required(f"{path}.name"))
    number = item.get("port") or 0
    each(formats.port_number(number), f"{path}.port", number, out)
    choice(item.get("protocol"), PROTOCOLS, f"{path}.protocol", out)


def _slice(obj: Json, out: Causes) -> None:
    kind = obj.get("addressType") or ""
    choice(kind, _ADDRESS_TYPES, "addressType", out)
    endpoints = obj.get("endpoints") or []
    if len(endpoints) > 1000:
        out.append(too_many("endpoints", len(endpoints), 1000))
        endpoints = []
    for index, endpoint in enumerate(endpoints):
        path, addresses = f"endpoints[{index}]", endpoint.get("addresses") or []
        if not addresses:
            out.append(required(f"{path}.addresses", "must contain at least 1 address"))
        elif len(addresses) > 100:
            out.append(too_many(f"{path}.addresses", len(addresses), 100))
        for at, address in enumerate(addresses):
            _slice_address(address, kind, f"{path}.addresses[{at}]", out)
        if endpoint.get("nodeName") is not None:
            each(formats.dns_subdomain(endpoint["nodeName"]), f"{path}.nodeName", endpoint["nodeName"], out)
        if endpoint.get("hostname") is not None:
            each(formats.dns_label(endpoint["hostname"]), f"{path}.hostname", endpoint["hostname"], out)
    _slice_ports(obj.get("ports") or [], out)


def _slice_address(address: str, kind: str, path: str, out: Causes) -> None:
    if kind == "FQDN":
        each(formats.dns_subdomain(address.removesuffix(".")), path, address, out)
        return
    parsed = formats.parsed_ip(address)
    if kind in ("IPv4", "IPv6") and (parsed is None or isinstance(parsed, IPv4Address) != (kind == "IPv4")):
        out.append(invalid_value(path, address, f"must be a valid {kind} address"))
    special_ip(address, path, out)


def _slice_ports(ports: list[Json], out: Causes) -> None:
    if len(ports) > 20000:
        out.append(too_many("ports", len(ports), 20000))
        return
    names: set[str] = set()
    for index, item in enumerate(ports):
        name, path = item.get("name") or "", f"ports[{index}]"
        if name:
            each(formats.dns_label(name), f"{path}.name", name, out)
        if name in names:
            out.append(duplicate(f"{path}.name", name))
        names.add(name)
        protocol = item.get("protocol")
        if protocol is None:
            out.append(required(f"{path}.protocol"))
        elif protocol not in PROTOCOLS:
            out.append(not_supported(f"{path}.protocol", protocol, PROTOCOLS))


def _slice_change(obj: Json, old: Json, out: Causes) -> None:
    immutable(obj.get("addressType"), old.get("addressType"), "addressType", out)


RULES = {"endpoints": Rules(_endpoints), "endpointslices.discovery.k8s.io": Rules(_slice, _slice_change)}
