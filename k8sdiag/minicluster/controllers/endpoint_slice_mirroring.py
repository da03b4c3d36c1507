"""EndpointSlices for Endpoints that people made by hand, for Services without a selector
(pkg/controller/endpointslicemirroring)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.controllers import Context
from k8sdiag.minicluster.controllers.endpoint_slice import MANAGED, SERVICE

NAME = "endpointslicemirroring-controller"

_BY = "endpointslicemirroring-controller.k8s.io"
_SKIP = "endpointslice.kubernetes.io/skip-mirror"
_LEADER = "control-plane.alpha.kubernetes.io/leader"
_MOST = 1000  # --mirroring-max-endpoints-per-subset

Key = tuple[str, str]


def start(context: Context) -> None:
    _Mirrors(context)


class _Mirrors:
    def __init__(self, context: Context) -> None:
        self._client = context.client
        self._queue = context.loop.queue("endpoint-mirrors", self._sync)
        self._client.watch("endpoints", self._on_object)
        self._client.watch("services", self._on_object)

    def _on_object(self, _: str, obj: Json, __: Json | None) -> None:
        self._queue.add((obj["metadata"]["namespace"], obj["metadata"]["name"]))

    def _sync(self, key: Key) -> None:
        endpoints = self._client.find("endpoints", *key)
        service = self._client.find("services", *key)
        if endpoints is None:
            return  # its slices go with it, by their owner reference
        held = [
            found
            for found in self._client.owned("endpointslices", endpoints["metadata"]["uid"])
            if (found["metadata"].get("labels") or {}).get(MANAGED) == _BY
        ]
        wanted = _slices(endpoints) if service is not None and _is_mirrored(endpoints, service) else []
        for made, old in zip(wanted, held, strict=False):
            if any(old.get(part) != made[part] for part in ("addressType", "endpoints", "ports")):
                if old["addressType"] == made["addressType"]:
                    self._client.update(
                        "endpointslices", {**old, "endpoints": made["endpoints"], "ports": made["ports"]}
                    )
                else:
                    self._client.delete("endpointslices", key[0], old["metadata"]["name"])
                    self._client.create("endpointslices", made, key[0])
        for made in wanted[len(held) :]:
            self._client.create("endpointslices", made, key[0])
        for old in held[len(wanted) :]:
            self._client.delete("endpointslices", key[0], old["metadata"]["name"])


def _is_mirrored(endpoints: Json, service: Json) -> bool:
    meta = endpoints["metadata"]
    return not (
        service["spec"].get("selector")
        or (meta.get("labels") or {}).get(_SKIP) == "true"
        or _LEADER in (meta.get("annotations") or {})
    )


def _slices(endpoints: Json) -> list[Json]:
    """One slice for each subset and family of addresses."""
    meta = endpoints["metadata"]
    owner = {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    labels = {**(meta.get("labels") or {}), MANAGED: _BY, SERVICE: meta["name"]}
    found = []
    for subset in endpoints.get("subsets") or ():
        families: dict[str, list[Json]] = {}
        for kind, ready in (("addresses", True), ("notReadyAddresses", False)):
            for address in subset.get(kind) or ():
                family = "IPv6" if ":" in address["ip"] else "IPv4"
                families.setdefault(family, []).append(_endpoint(address, ready))
        ports = [{"name": port.get("name", ""), **port} for port in subset.get("ports") or ()]
        for family, listed in sorted(families.items()):
            found.append(
                {
                    "kind": "EndpointSlice",
                    "apiVersion": "discovery.k8s.io/v1",
                    "metadata": {
                        "generateName": f"{meta['name']}-",
                        "namespace": meta["namespace"],
                        "labels": labels,
                        "ownerReferences": [owner],
                    },
                    "addressType": family,
                    "endpoints": listed[:_MOST],
                    "ports": ports or None,
                }
            )
    return found


def _endpoint(address: Json, ready: bool) -> Json:
    made: Json = {"addresses": [address["ip"]], "conditions": {"ready": ready}}
    for name in ("hostname", "targetRef", "nodeName"):
        if address.get(name):
            made[name] = address[name]
    return made
