"""Gives Services their cluster address, node ports and IP families. No admission plugin on a real server, where the
Service's own storage does it after them (pkg/registry/core/service/storage/alloc.go, storage.go
defaultOnReadWriteSetup); here it comes right after the mutating webhooks."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.addresses import Addresses, Port, Refused, ports_of
from k8sdiag.minicluster.apiserver.admission import Attributes, Context
from k8sdiag.minicluster.kinds import Resource

NAME = "ServiceAddresses"
ORDER = 805
_WITH_ADDRESS = frozenset({"ClusterIP", "NodePort", "LoadBalancer"})
_EXTERNAL = frozenset({"NodePort", "LoadBalancer"})
_TYPED = {
    "externalTrafficPolicy": _EXTERNAL,
    "allocateLoadBalancerNodePorts": frozenset({"LoadBalancer"}),
    "loadBalancerClass": frozenset({"LoadBalancer"}),
    "externalName": frozenset({"ExternalName"}),
}


def handles(verb: str, resource: Resource, subresource: str) -> bool:
    return resource.storage == "services" and verb in ("create", "update") and not subresource


def mutate(attributes: Attributes, context: Context) -> None:
    service = attributes.obj or {}
    spec = service.get("spec")
    if not isinstance(spec, dict):
        return
    # A patch leaves what it does not touch shared with the stored Service.
    spec = service["spec"] = {**spec}
    if spec.get("ports"):
        spec["ports"] = [{**port} for port in spec["ports"]]
    addresses = _addresses(context)
    try:
        if attributes.verb == "update" and attributes.old is not None:
            _drop(spec, attributes.old.get("spec") or {})
            _keep(spec, attributes.old.get("spec") or {})
        _give_address(spec, addresses, (attributes.old or {}).get("spec") or {})
        _give_ports(spec, addresses, attributes.old)
    except Refused as refused:
        name = service["metadata"].get("name") or ""
        raise errors.invalid(attributes.resource, name, [refused.cause]) from refused


def _addresses(context: Context) -> Addresses:
    known: Addresses | None = context.memo.get(NAME)
    if known is None:
        known = context.memo[NAME] = Addresses(context.random)
        for service in context.storage.list("services"):
            known.changed("ADDED", service, None)
        context.storage.subscribe("services", known.changed)
    return known


def _drop(spec: Json, old: Json) -> None:
    """What belongs to the type that a Service had goes with it, where the update says nothing new of it
    (strategy.go dropTypeDependentFields)."""
    for field, types in _TYPED.items():
        applied, applies = old.get("type") in types, spec.get("type") in types
        if applied and not applies and spec.get(field) == old.get(field):
            spec.pop(field, None)


def _keep(spec: Json, old: Json) -> None:
    """What an update leaves out stays as it was (patchAllocatedValues)."""
    if spec.get("type") in _WITH_ADDRESS and old.get("type") in _WITH_ADDRESS:
        if not spec.get("clusterIP") and not spec.get("clusterIPs"):
            for key in ("clusterIP", "clusterIPs"):
                if old.get(key):
                    spec[key] = old[key]
        first = spec.get("clusterIP")
        if first and first != old.get("clusterIP") and spec.get("clusterIPs") == old.get("clusterIPs"):
            spec["clusterIPs"] = [first]  # whoever writes only one of both means both (NormalizeClusterIPs)
        for key in ("ipFamilies", "ipFamilyPolicy"):
            if not spec.get(key) and old.get(key):
                spec[key] = old[key]
    if not _wants_ports(spec):
        return
    before = {(port.get("protocol"), port.get("port")): port.get("nodePort") for port in old.get("ports") or []}
    used = {port.get("nodePort") for port in spec.get("ports") or []}
    for port in spec.get("ports") or []:
        had = before.get((port.get("protocol"), port.get("port")))
        if not port.get("nodePort") and had and had not in used:
            port["nodePort"] = had
    if _wants_health_port(spec) and not spec.get("healthCheckNodePort") and old.get("healthCheckNodePort"):
        spec["healthCheckNodePort"] = old["healthCheckNodePort"]


def _give_address(spec: Json, addresses: Addresses, old: Json) -> None:
    if spec.get("type", "ClusterIP") not in _WITH_ADDRESS:
        if old.get("clusterIP") and spec.get("clusterIP") == old["clusterIP"]:
            spec.pop("clusterIP", None)  # an update to ExternalName lets go of what it had
        for key in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            spec.pop(key, None)
        return
    given = spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else [])
    if given == ["None"]:
        spec["clusterIP"], spec["clusterIPs"] = "None", ["None"]
        _headless_families(spec)
        return
    if given[:1] != (old.get("clusterIPs") or [])[:1] or not given:
        if spec.get("ipFamilyPolicy") == "RequireDualStack" or len(spec.get("ipFamilies") or []) > 1:
            text = "this cluster is not configured for dual-stack services"
            raise Refused(errors.invalid_value("spec.ipFamilyPolicy", spec.get("ipFamilyPolicy", ""), text))
        if spec.get("ipFamilies") == ["IPv6"]:
            text = "not configured on this cluster"
            raise Refused(errors.invalid_value("spec.ipFamilies[0]", "IPv6", text))
        given = [addresses.take_address(given[0] if given else "")]
    spec["clusterIP"], spec["clusterIPs"] = given[0], given
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")


def _headless_families(spec: Json) -> None:
    """Without a selector nobody knows what the endpoints will be, so both families are served."""
    if spec.get("selector"):
        spec.setdefault("ipFamilies", ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")
    else:
        spec.setdefault("ipFamilyPolicy", "RequireDualStack")
        both = spec["ipFamilyPolicy"] != "SingleStack"
        spec.setdefault("ipFamilies", ["IPv4", "IPv6"] if both else ["IPv4"])


def _give_ports(spec: Json, addresses: Addresses, old: Json | None) -> None:
    if not _wants_ports(spec):
        if old is not None:  # an update to ClusterIP lets go of the ports
            held = {number for _, number in ports_of(old)}
            for port in spec.get("ports") or []:
                if port.get("nodePort") in held:
                    del port["nodePort"]
            spec.pop("healthCheckNodePort", None)
        return
    held_before = set(ports_of(old)) if old is not None else set()
    own: set[Port] = set()
    for at, port in enumerate(spec.get("ports") or []):
        protocol, wanted = port.get("protocol") or "TCP", port.get("nodePort") or 0
        if not wanted and not _allocates(spec):
            continue
        field = f"spec.ports[{at}].nodePort"
        shared = any(number == wanted for other, number in own if other != protocol)
        if (protocol, wanted) not in held_before and not shared:
            wanted = addresses.take_port(wanted, protocol, field, own)
        own.add((protocol, wanted))
        port["nodePort"] = wanted
    if _wants_health_port(spec) and ("health", spec.get("healthCheckNodePort", 0)) not in held_before:
        wanted = spec.get("healthCheckNodePort") or 0
        spec["healthCheckNodePort"] = addresses.take_port(wanted, "TCP", "spec.healthCheckNodePort", own)


def _wants_ports(spec: Json) -> bool:
    return spec.get("type") in _EXTERNAL


def _allocates(spec: Json) -> bool:
    return spec.get("type") == "NodePort" or spec.get("allocateLoadBalancerNodePorts") is not False


def _wants_health_port(spec: Json) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"
