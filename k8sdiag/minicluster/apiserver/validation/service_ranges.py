"""ServiceCIDRs and IPAddresses (pkg/apis/networking/validation/validation.go: ServiceCIDR and IPAddress)."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import invalid_value, required, too_many
from k8sdiag.minicluster.apiserver.validation import formats
from k8sdiag.minicluster.apiserver.validation.fields import Causes, each, immutable
from k8sdiag.minicluster.apiserver.validation.formats import Messages
from k8sdiag.minicluster.apiserver.validation.rules import Rules

_CANONICAL = "must be in canonical form"


def _service_cidr(obj: Json, out: Causes) -> None:
    cidrs = (obj.get("spec") or {}).get("cidrs") or []
    if not cidrs:
        out.append(required("spec.cidrs", "at least one CIDR required"))
    if len(cidrs) > 2:
        out.append(too_many("spec.cidrs", len(cidrs), 2))
        return
    for index, one in enumerate(cidrs):
        each(_canonical_cidr(one), f"spec.cidrs[{index}]", one, out)
    if len(cidrs) == 2 and len({":" in one for one in cidrs}) == 1:
        why = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
        out.append(invalid_value("spec.cidrs", ", ".join(cidrs), why))


def _service_cidr_change(obj: Json, old: Json, out: Causes) -> None:
    immutable((obj.get("spec") or {}).get("cidrs"), (old.get("spec") or {}).get("cidrs"), "spec.cidrs", out)


def _canonical_cidr(value: str) -> Messages:
    wrong = formats.cidr(value)
    if wrong:
        return wrong
    canonical = str(ip_network(value, strict=False))
    return () if value == canonical else (f'{_CANONICAL} ("{canonical}")',)


def _address_name(value: str) -> Messages:
    if formats.parsed_ip(value) is None or str(ip_address(value)) != value:
        return ("must be a valid IP address in canonical form",)
    return ()


def _ip_address(obj: Json, out: Causes) -> None:
    parent = (obj.get("spec") or {}).get("parentRef")
    if parent is None:
        out.append(required("spec.parentRef"))
        return
    for name in ("resource", "name"):
        if not parent.get(name):
            out.append(required(f"spec.parentRef.{name}"))


def _ip_address_change(obj: Json, old: Json, out: Causes) -> None:
    immutable((obj.get("spec") or {}).get("parentRef"), (old.get("spec") or {}).get("parentRef"), "spec.parentRef", out)


RULES = {
    "servicecidrs.networking.k8s.io": Rules(_service_cidr, _service_cidr_change),
    "ipaddresses.networking.k8s.io": Rules(_ip_address, _ip_address_change, name=_address_name),
}
