"""The ranges Services have their addresses from, and an IPAddress for each address that is taken: ranges become ready
and stay while somebody has an address of theirs (pkg/controller/servicecidrs,
pkg/registry/core/service/ipallocator/ipallocator.go, pkg/controlplane/controller/defaultservicecidr)."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from k8sdiag.clock import format_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.controllers import Context

NAME = "service-cidrs-controller"

_RANGES, _ADDRESSES = "servicecidrs.networking.k8s.io", "ipaddresses.networking.k8s.io"
_FINALIZER = "networking.k8s.io/service-cidr-finalizer"
_OWN = "ipallocator.k8s.io"
_MANAGED = "ipaddress.kubernetes.io/managed-by"


def start(context: Context) -> None:
    _Ranges(context)


class _Ranges:
    def __init__(self, context: Context) -> None:
        self._client, self._clock = context.client, context.clock
        self._ranges = context.loop.queue("service-cidrs", self._sync_range)
        self._services = context.loop.queue("service-addresses", self._sync_address)
        self._client.watch(_RANGES, lambda _, found, __: self._ranges.add(found["metadata"]["name"]))
        self._client.watch("services", self._on_service)

    def _on_service(self, kind: str, service: Json, old: Json | None) -> None:
        held, was = _addresses(service), _addresses(old or {})
        for address in held ^ was if kind == "MODIFIED" else held | was:
            meta = service["metadata"]
            self._services.add((address, meta["namespace"], meta["name"]))

    def _sync_address(self, key: tuple[str, str, str]) -> None:
        """There is an IPAddress while the Service has it."""
        address, namespace, name = key
        service = self._client.find("services", namespace, name)
        wanted = service is not None and address in _addresses(service)
        held = self._client.find(_ADDRESSES, "", address)
        if wanted and held is None:
            self._client.create(_ADDRESSES, _taken(address, namespace, name))
        elif not wanted and held is not None and _owner(held) == (namespace, name):
            self._client.delete(_ADDRESSES, "", address, uid=held["metadata"]["uid"])
            for found in self._client.list(_RANGES):
                if found["metadata"].get("deletionTimestamp"):
                    self._ranges.add(found["metadata"]["name"])

    def _sync_range(self, name: str) -> None:
        found = self._client.find(_RANGES, "", name)
        if found is None:
            return
        meta = found["metadata"]
        held = meta.get("finalizers") or []
        if meta.get("deletionTimestamp"):
            if _FINALIZER in held and not self._in_use(found):
                kept = [each for each in held if each != _FINALIZER]
                self._client.update(_RANGES, {**found, "metadata": {**meta, "finalizers": kept}})
            return
        if _FINALIZER not in held:
            found = self._client.update(_RANGES, {**found, "metadata": {**meta, "finalizers": [*held, _FINALIZER]}})
        if not any(each["type"] == "Ready" for each in (found.get("status") or {}).get("conditions") or ()):
            ready = {
                "type": "Ready",
                "status": "True",
                "lastTransitionTime": format_time(self._clock.now()),
                "reason": "",
                "message": "Kubernetes Service CIDR is ready",
            }
            self._client.update(_RANGES, {**found, "status": {"conditions": [ready]}}, subresource="status")

    def _in_use(self, found: Json) -> bool:
        """Has somebody an address that no other range holds?"""
        name = found["metadata"]["name"]
        others = [
            ip_network(one)
            for each in self._client.list(_RANGES)
            if each["metadata"]["name"] != name and not each["metadata"].get("deletionTimestamp")
            for one in each["spec"].get("cidrs") or ()
        ]
        own = [ip_network(one) for one in found["spec"].get("cidrs") or ()]
        taken = (ip_address(each["metadata"]["name"]) for each in self._client.list(_ADDRESSES))
        return any(
            any(one in network for network in own) and not any(one in network for network in others) for one in taken
        )


def _addresses(service: Json) -> set[str]:
    spec = service.get("spec") or {}
    return {one for one in spec.get("clusterIPs") or () if one and one != "None"}


def _owner(held: Json) -> tuple[str, str]:
    parent = held["spec"].get("parentRef") or {}
    return str(parent.get("namespace")), str(parent.get("name"))


def _taken(address: str, namespace: str, name: str) -> Json:
    family = f"IPv{ip_address(address).version}"
    labels = {"ipaddress.kubernetes.io/ip-family": family, _MANAGED: _OWN}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IPAddress",
        "metadata": {"name": address, "labels": labels},
        "spec": {"parentRef": {"resource": "services", "namespace": namespace, "name": name}},
    }
