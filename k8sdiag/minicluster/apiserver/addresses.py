"""Cluster addresses and node ports of Services: who has which, and the next free one
(pkg/registry/core/service/ipallocator, portallocator; pkg/registry/core/service/storage/alloc.go).

What is taken is read off the Services that are stored, so a deletion gives back by itself.
"""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Network, ip_address
from random import Random

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import Cause, invalid_value

NETWORK = IPv4Network("10.96.0.0/12")
PORTS = range(30000, 32768)
# The lower end is left to those who ask for an address or a port by number.
_FIRST_ADDRESS = int(NETWORK.network_address) + 257
_FIRST_PORT = PORTS.start + 86

Port = tuple[str, int]  # protocol, node port


class Refused(Exception):  # noqa: N818 (what validation says, not a fault)
    """An address or port that cannot be had."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Addresses:
    """What Services hold. `changed` is to be told of every write to a Service."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._addresses: Counter[str] = Counter()
        self._ports: Counter[Port] = Counter()

    def changed(self, kind: str, service: Json, old: Json | None) -> None:
        """A storage's callback."""
        if old is not None:
            self._addresses.subtract(addresses_of(old))
            self._ports.subtract(ports_of(old))
        if kind != "DELETED":
            self._addresses.update(addresses_of(service))
            self._ports.update(ports_of(service))

    def take_address(self, wanted: str) -> str:
        """The wanted address, or a free one for ''."""
        if wanted:
            why = self._refusal(wanted)
            if why:
                raise Refused(invalid_value("spec.clusterIPs", [wanted], f"failed to allocate IP {wanted}: {why}"))
            return wanted
        last = int(NETWORK.broadcast_address)
        while True:
            found = str(ip_address(self._random.randrange(_FIRST_ADDRESS, last)))
            if not self._addresses[found]:
                return found

    def _refusal(self, wanted: str) -> str:
        try:
            address = ip_address(wanted)
        except ValueError:
            return "not a valid IP address"
        if address not in NETWORK or address in (NETWORK.network_address, NETWORK.broadcast_address):
            return f"the provided IP ({wanted}) is not in the valid range. The range of valid IPs is {NETWORK}"
        return "provided IP is already allocated" if self._addresses[wanted] else ""

    def take_port(self, wanted: int, protocol: str, field: str, own: set[Port]) -> int:
        """The wanted port, or a free one for 0. `own` are those of the same Service, which it may use for another
        protocol too."""
        if wanted:
            if (protocol, wanted) in own:
                raise Refused(Cause(field, "FieldValueDuplicate", f"Duplicate value: {wanted}"))
            if wanted not in PORTS:
                reach = f"{PORTS.start}-{PORTS.stop - 1}"
                text = f"provided port is not in the valid range. The range of valid ports is {reach}"
                raise Refused(invalid_value(field, wanted, text))
            if self._taken(wanted):
                raise Refused(invalid_value(field, wanted, "provided port is already allocated"))
            return wanted
        free = [port for port in range(_FIRST_PORT, PORTS.stop) if not self._taken(port)]
        free = free or [port for port in PORTS if not self._taken(port)]
        if not free:
            raise Refused(Cause(field, "InternalError", "Internal error: failed to allocate a nodePort: range is full"))
        return self._random.choice(free)

    def _taken(self, port: int) -> bool:
        return any(self._ports[protocol, port] > 0 for protocol in ("TCP", "UDP", "SCTP", "health"))


def addresses_of(service: Json) -> list[str]:
    """The cluster addresses a Service holds."""
    spec = service.get("spec") or {}
    held = spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else [])
    return [address for address in held if address not in ("", "None")]


def ports_of(service: Json) -> list[Port]:
    """The node ports a Service holds."""
    spec = service.get("spec") or {}
    held = [
        (port.get("protocol") or "TCP", port["nodePort"]) for port in spec.get("ports") or [] if port.get("nodePort")
    ]
    if spec.get("healthCheckNodePort"):
        held.append(("health", spec["healthCheckNodePort"]))
    return held
