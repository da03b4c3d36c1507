"""The lab's network as simulated containers see it: who listens where, which names there are, and what a connection
attempt comes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Protocol

Bytes = Callable[[bytes], None]
End = Callable[[], None]

REFUSED = "connection refused"
NO_ROUTE = "no route to host"


class Connection(Protocol):
    """One side of a connection, as the other side sees it."""

    def feed(self, data: bytes) -> None: ...

    def close(self) -> None: ...


class Listener(Protocol):
    """What serves a port."""

    tls: bool

    def open(self, peer: str, write: Bytes, end: End) -> Connection:
        """Take a connection: `write` and `end` go back to the one who called."""
        ...


@dataclass(slots=True)
class Host:
    """One network namespace: a pod's, or a node's own."""

    address: str
    namespace: str = ""
    name: str = ""
    ports: dict[int, tuple[object, Listener]] | None = None  # who serves each port, and with what
    gateway: str = ""
    names: Mapping[str, Sequence[str]] | None = None  # what these names resolve to here, whatever DNS says

    def listen(self, port: int, owner: object, listener: Listener) -> bool:
        """Whether the port was free."""
        if self.ports is None:
            self.ports = {}
        if port in self.ports:
            return False
        self.ports[port] = (owner, listener)
        return True

    def leave(self, owner: object) -> None:
        """A process is gone: its ports are closed."""
        if self.ports:
            self.ports = {port: one for port, one in self.ports.items() if one[0] is not owner} or None

    def close(self, port: int) -> None:
        """Nobody serves this port any more."""
        if self.ports:
            self.ports = {other: one for other, one in self.ports.items() if other != port} or None

    def at(self, port: int) -> Listener | None:
        return self.ports[port][1] if self.ports and port in self.ports else None


def _no_names(_: str, __: str) -> Sequence[str]:
    return ()


def _no_route(_: str, __: int) -> tuple[str, int] | None:
    return None


@dataclass(slots=True)
class Network:
    """All hosts of a lab. `names` answers what DNS would (asking namespace, name), `route` turns a service's address
    and port into those of a pod; both are given by whoever knows the cluster's objects."""

    hosts: dict[str, Host] = field(default_factory=dict)
    names: Callable[[str, str], Sequence[str]] = _no_names
    route: Callable[[str, int], tuple[str, int] | None] = _no_route
    dns: str = "10.96.0.10"

    def lookup(self, host: Host, name: str) -> Sequence[str]:
        """The addresses of a name, as seen from a pod; none where there is no such host."""
        if _is_address(name):
            return (name,)
        if name in ("localhost", "ip6-localhost"):
            return ("127.0.0.1",)
        if host.names is not None and name in host.names:
            return host.names[name]
        if host.name and name == host.name:
            return (host.address,)
        return self.names(host.namespace, name.rstrip("."))

    def connect(self, host: Host, address: str, port: int, write: Bytes, end: End) -> Connection | str | None:
        """Connect from a host: the connection, the words with which it fails, or None where nobody answers."""
        peer = host.address
        if address == host.address or address.startswith("127.") or address == "::1":
            target: Host | None = host
            peer = "127.0.0.1" if address != host.address else host.address
        else:
            address, port = self.route(address, port) or (address, port)
            target = self.hosts.get(address)
        if target is None:
            return None
        listener = target.at(port)
        return REFUSED if listener is None else listener.open(peer, write, end)


class Addresses:
    """A node's pod addresses, given out in turn (the host-local plugin)."""

    __slots__ = ("_last", "_used", "range")

    def __init__(self, cidr: str) -> None:
        self.range = cidr
        self._last = 1
        self._used: set[str] = set()

    @property
    def gateway(self) -> str:
        return str(ip_network(self.range, strict=False)[1]) if self.range else ""

    def take(self) -> str | None:
        """The next free address; None where all are taken."""
        net = ip_network(self.range, strict=False)
        count = net.num_addresses
        for _ in range(min(count, 65536)):
            self._last = self._last + 1 if self._last + 2 < count else 2
            address = str(net[self._last]) if self._last < count - 1 else ""
            if address and address not in self._used:
                self._used.add(address)
                return address
        return None

    def give_back(self, address: str) -> None:
        self._used.discard(address)


def _is_address(text: str) -> bool:
    parts = text.split(".")
    return (len(parts) == 4 and all(part.isdigit() and int(part) < 256 for part in parts)) or ":" in text
