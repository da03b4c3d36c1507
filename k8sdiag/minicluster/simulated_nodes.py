"""Simulated machines for a lab's nodes: what they share, and what their network knows of the cluster (the names that
its DNS answers to, and where its services lead)."""

from __future__ import annotations

from collections.abc import Sequence

from k8sdiag.evidence import Json
from k8sdiag.minicluster.client import Client
from k8sdiag.minicluster.controllers import Context
from k8sdiag.minicluster.runtimes.base import Machine, MakeRuntime, Runtime
from k8sdiag.minicluster.runtimes.machine.files import Store
from k8sdiag.minicluster.runtimes.machine.network import Network
from k8sdiag.minicluster.runtimes.sim import SimRuntime
from k8sdiag.minicluster.runtimes.sim_state import Hardware
from k8sdiag.quantity import parse_quantity

_DOMAIN = "svc.cluster.local"


def machines(context: Context) -> MakeRuntime:
    """What makes the runtime of each node."""
    known = _Known(context.client)
    network = Network(names=known.addresses, route=known.behind)
    claims: dict[str, Store] = {}

    def make(machine: Machine) -> Runtime:
        hardware = Hardware(machine.cpu, int(parse_quantity(machine.memory) or 0) or 8 * 2**30)
        made = SimRuntime(
            machine.name,
            context.loop,
            context.random,
            network=network,
            address=machine.address,
            hardware=hardware,
            claims=claims,
        )
        made.pod_cidr = machine.pod_range
        return made

    return make


class _Known:
    """What the network asks of the cluster."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def addresses(self, namespace: str, name: str) -> Sequence[str]:
        """What DNS answers a pod of that namespace: a service's address, or those of its pods where it has none."""
        words = name.rstrip(".").removesuffix(f".{_DOMAIN}").removesuffix(".svc").split(".")
        if not words or len(words) > 3:
            return ()
        service, space = words[-2:] if len(words) > 1 else (words[0], namespace)
        found = self._client.find("services", space, service)
        if found is None:
            return ()
        if found["spec"].get("type") == "ExternalName":
            return ()
        address = found["spec"].get("clusterIP")
        if address and address != "None" and len(words) < 3:
            return (str(address),)
        pod = words[0] if len(words) == 3 else ""
        return [one for one, host in self._endpoints(space, service) if not pod or host == pod]

    def _endpoints(self, namespace: str, service: str) -> list[tuple[str, str]]:
        return [
            (str(address), str(endpoint.get("hostname") or ""))
            for each in self._slices(namespace, service)
            for endpoint in each.get("endpoints") or ()
            if (endpoint.get("conditions") or {}).get("ready")
            for address in endpoint.get("addresses") or ()
        ]

    def _slices(self, namespace: str, service: str) -> list[Json]:
        return self._client.list("endpointslices", namespace, {"kubernetes.io/service-name": service})

    def behind(self, address: str, port: int) -> tuple[str, int] | None:
        """The pod and port that a service's address and port lead to."""
        for service in self._client.list("services"):
            if service["spec"].get("clusterIP") == address:
                return self._behind(service, port)
        return None

    def _behind(self, service: Json, port: int) -> tuple[str, int] | None:
        meta = service["metadata"]
        wanted = next((one for one in service["spec"].get("ports") or () if one["port"] == port), None)
        if wanted is None:
            return None
        for each in self._slices(meta["namespace"], meta["name"]):
            targets = [
                one["port"] for one in each.get("ports") or () if (one.get("name") or "") == wanted.get("name", "")
            ]
            for endpoint in each.get("endpoints") or ():
                if targets and targets[0] and (endpoint.get("conditions") or {}).get("ready"):
                    return str(endpoint["addresses"][0]), int(targets[0])
        return None
