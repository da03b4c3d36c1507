"""The Endpoints of every Service with a selector (pkg/controller/endpoint/endpoints_controller.go)."""

from __future__ import annotations

from collections.abc import Iterable

from k8sdiag.clock import format_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.controllers import Context
from k8sdiag.minicluster.controllers.service_pods import (
    Key,
    ServicePods,
    host_name,
    is_headless,
    is_over,
    is_ready,
    target_port,
    target_ref,
)

NAME = "endpoint-controller"

TRIGGER = "endpoints.kubernetes.io/last-change-trigger-time"
HEADLESS = "service.kubernetes.io/headless"
_MANAGED = "endpoints.kubernetes.io/managed-by"
_FULL = "endpoints.kubernetes.io/over-capacity"
_MOST = 1000
_MANY = 100  # pods of a Service from which on changes are gathered for a moment

Ports = tuple[tuple[str, int, str, str], ...]  # name, number, protocol, appProtocol


def start(context: Context) -> None:
    _Endpoints(context)


def gathered(members: int) -> float:
    """How long to wait for more changes: big Services change in floods."""
    return 0.0 if members < _MANY else 1.0


class _Endpoints:
    def __init__(self, context: Context) -> None:
        self._client = context.client
        self._queue = context.loop.queue("endpoints", self._sync)
        self._pods = ServicePods(context, lambda key, members: self._queue.add(key, gathered(members)))
        self._client.watch("endpoints", self._on_endpoints)

    def _on_endpoints(self, kind: str, endpoints: Json, _: Json | None) -> None:
        if kind == "DELETED":
            self._queue.add((endpoints["metadata"]["namespace"], endpoints["metadata"]["name"]))

    def _sync(self, key: Key) -> None:
        service = self._client.find("services", *key)
        held = self._client.find("endpoints", *key)
        if service is None:
            if held is not None and _MANAGED in (held["metadata"].get("labels") or {}):
                self._client.delete("endpoints", *key, uid=held["metadata"]["uid"])
            return
        if not service["spec"].get("selector") or service["spec"].get("type") == "ExternalName":
            return
        subsets = _subsets(service, self._pods.members(key))
        trigger = self._pods.trigger(key)
        meta = _metadata(service, held, trigger, _count(subsets) > _MOST)
        subsets = _cut(subsets)
        if held is None:
            made: Json = {"kind": "Endpoints", "apiVersion": "v1", "metadata": meta}
            if subsets:
                made["subsets"] = subsets
            self._client.create("endpoints", made, key[0])
        elif (held.get("subsets") or []) != subsets or (held["metadata"].get("labels") or {}) != meta["labels"]:
            changed = {**held, "metadata": {**held["metadata"], **meta}, "subsets": subsets}
            if not subsets:
                del changed["subsets"]
            self._client.update("endpoints", changed)


def _metadata(service: Json, held: Json | None, trigger: float | None, full: bool) -> Json:
    meta = service["metadata"]
    annotations = dict((held["metadata"].get("annotations") if held else meta.get("annotations")) or {})
    annotations.pop("kubectl.kubernetes.io/last-applied-configuration", None)
    for name, value in ((TRIGGER, format_time(trigger)), (_FULL, "truncated" if full else "")):
        if value:
            annotations[name] = value
        else:
            annotations.pop(name, None)
    labels = {name: value for name, value in (meta.get("labels") or {}).items() if name != HEADLESS}
    if is_headless(service):
        labels[HEADLESS] = ""
    labels[_MANAGED] = "endpoint-controller"
    return {"name": meta["name"], "namespace": meta["namespace"], "labels": labels, "annotations": annotations}


def _subsets(service: Json, pods: list[Json]) -> list[Json]:
    """Addresses grouped by the ports they have (endpoints/util.go RepackSubsets)."""
    spec = service["spec"]
    anyway = bool(spec.get("publishNotReadyAddresses"))
    groups: dict[Ports, tuple[list[Json], list[Json]]] = {}
    for pod in pods:
        address = (pod.get("status") or {}).get("podIP")
        if not address or is_over(pod) or (pod["metadata"].get("deletionTimestamp") and not anyway):
            continue
        ports = _ports(spec.get("ports") or (), pod)
        if not ports and not is_headless(service):
            continue
        ready, unready = groups.setdefault(ports, ([], []))
        (ready if anyway or is_ready(pod) else unready).append(_address(service, pod, address))
    return [_subset(ports, *groups[ports]) for ports in sorted(groups)]


def _ports(ports: Iterable[Json], pod: Json) -> Ports:
    found = []
    for port in ports:
        number = target_port(port, pod)
        if number is not None:
            found.append((port.get("name", ""), number, port.get("protocol", "TCP"), port.get("appProtocol", "")))
    return tuple(found)


def _address(service: Json, pod: Json, ip: str) -> Json:
    address: Json = {"ip": ip}
    own = host_name(pod, service["metadata"]["name"])
    if own:
        address["hostname"] = own
    if pod["spec"].get("nodeName"):
        address["nodeName"] = pod["spec"]["nodeName"]
    address["targetRef"] = target_ref(pod)
    return address


def _subset(ports: Ports, ready: list[Json], unready: list[Json]) -> Json:
    subset: Json = {}
    if ready:
        subset["addresses"] = sorted(ready, key=_order)
    if unready:
        subset["notReadyAddresses"] = sorted(unready, key=_order)
    if ports:
        subset["ports"] = [
            {
                **({"name": name} if name else {}),
                "port": number,
                "protocol": protocol,
                **({"appProtocol": application} if application else {}),
            }
            for name, number, protocol, application in ports
        ]
    return subset


def _order(address: Json) -> tuple[str, str]:
    return (address["ip"], address["targetRef"]["uid"])


def _count(subsets: list[Json]) -> int:
    return sum(len(subset.get(kind, ())) for subset in subsets for kind in ("addresses", "notReadyAddresses"))


def _cut(subsets: list[Json]) -> list[Json]:
    """The first thousand addresses, ready ones first."""
    if _count(subsets) <= _MOST:
        return subsets
    left = _MOST
    kept: list[Json] = [{} for _ in subsets]
    for kind in ("addresses", "notReadyAddresses"):
        for subset, some in zip(subsets, kept, strict=True):
            part = subset.get(kind, [])[:left]
            left -= len(part)
            if part:
                some[kind] = part
    return [
        {**some, **({"ports": subset["ports"]} if "ports" in subset else {})}
        for subset, some in zip(subsets, kept, strict=True)
        if some
    ]
