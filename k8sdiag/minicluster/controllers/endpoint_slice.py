"""The EndpointSlices of every Service with a selector: at most a hundred endpoints each, changed as little as can be
(pkg/controller/endpointslice, staging/src/k8s.io/endpointslice/reconciler.go)."""

from __future__ import annotations

from dataclasses import dataclass

from k8sdiag.clock import format_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.controllers import Context
from k8sdiag.minicluster.controllers.endpoints import HEADLESS, TRIGGER, gathered
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

NAME = "endpointslice-controller"

MANAGED = "endpointslice.kubernetes.io/managed-by"
SERVICE = "kubernetes.io/service-name"
_BY = "endpointslice-controller.k8s.io"
_MOST = 100

Ports = tuple[tuple[str, str, int | None, str], ...]  # name, protocol, number, appProtocol


@dataclass(slots=True)
class _Slice:
    """A slice as it is to be; `held` is the one there is."""

    held: Json | None
    endpoints: list[Json]
    changed: bool = False


def start(context: Context) -> None:
    _EndpointSlices(context)


class _EndpointSlices:
    def __init__(self, context: Context) -> None:
        self._client = context.client
        self._queue = context.loop.queue("endpoint-slices", self._sync)
        self._pods = ServicePods(context, lambda key, members: self._queue.add(key, gathered(members)))
        self._client.watch("endpointslices", self._on_slice)

    def _on_slice(self, kind: str, found: Json, _: Json | None) -> None:
        labels = found["metadata"].get("labels") or {}
        if kind == "DELETED" and labels.get(MANAGED) == _BY:
            self._queue.add((found["metadata"]["namespace"], labels.get(SERVICE, "")))

    def _sync(self, key: Key) -> None:
        service = self._client.find("services", *key)
        if service is None or not service["spec"].get("selector") or service["spec"].get("type") == "ExternalName":
            return
        if service["metadata"].get("deletionTimestamp"):
            return
        held = [
            found
            for found in self._client.owned("endpointslices", service["metadata"]["uid"])
            if (found["metadata"].get("labels") or {}).get(MANAGED) == _BY
        ]
        trigger = format_time(self._pods.trigger(key))
        groups = self._groups(service, self._pods.members(key))
        for found in held:
            groups.setdefault(_ports_of(found), {})
        plans = [
            (ports, one)
            for ports, wanted in groups.items()
            for one in _plan([found for found in held if _ports_of(found) == ports], wanted)
        ]
        filled = [(ports, one) for ports, one in plans if one.endpoints] or [((), _Slice(None, []))]
        spare = [one.held for _, one in plans if not one.endpoints and one.held is not None]
        for ports, one in filled:  # without any endpoint, one empty slice stays
            if one.held is None and spare:
                one.held = spare.pop(0)
            self._write(service, one, ports, trigger)
        for found in spare:
            self._client.delete("endpointslices", key[0], found["metadata"]["name"])

    def _groups(self, service: Json, pods: list[Json]) -> dict[Ports, dict[str, Json]]:
        """The endpoints there are to be, by ports and by their pod's uid."""
        spec = service["spec"]
        anyway = bool(spec.get("publishNotReadyAddresses"))
        groups: dict[Ports, dict[str, Json]] = {}
        for pod in sorted(pods, key=lambda pod: str(pod["metadata"]["name"])):
            address = (pod.get("status") or {}).get("podIP")
            if not address or is_over(pod):
                continue
            ports = tuple(
                (port.get("name", ""), port.get("protocol", "TCP"), number, port.get("appProtocol", ""))
                for port in spec.get("ports") or ()
                if (number := target_port(port, pod)) is not None
            )
            if ports or is_headless(service):
                groups.setdefault(ports, {})[pod["metadata"]["uid"]] = self._endpoint(service, pod, address, anyway)
        return groups

    def _endpoint(self, service: Json, pod: Json, address: str, anyway: bool) -> Json:
        serving, leaving = is_ready(pod), bool(pod["metadata"].get("deletionTimestamp"))
        ready = anyway or (serving and not leaving)
        endpoint: Json = {
            "addresses": [address],
            "conditions": {"ready": ready, "serving": serving, "terminating": leaving},
        }
        own = host_name(pod, service["metadata"]["name"])
        if own:
            endpoint["hostname"] = own
        endpoint["targetRef"] = target_ref(pod)
        node = pod["spec"].get("nodeName")
        if node:
            endpoint["nodeName"] = node
            labels = ((self._client.find("nodes", "", node) or {}).get("metadata") or {}).get("labels") or {}
            if labels.get("topology.kubernetes.io/zone"):
                endpoint["zone"] = labels["topology.kubernetes.io/zone"]
        return endpoint

    def _write(self, service: Json, one: _Slice, ports: Ports, trigger: str) -> None:
        meta = service["metadata"]
        labels = {name: value for name, value in (meta.get("labels") or {}).items() if name != HEADLESS}
        if is_headless(service):
            labels[HEADLESS] = ""
        labels |= {MANAGED: _BY, SERVICE: meta["name"]}
        listed = [
            {
                "name": name,
                "protocol": protocol,
                "port": number,
                **({"appProtocol": application} if application else {}),
            }
            for name, protocol, number, application in ports
        ]
        body = {"endpoints": one.endpoints or None, "ports": listed or None}
        annotations = {TRIGGER: trigger} if trigger else {}
        if one.held is None:
            self._client.create(
                "endpointslices", _made(meta, labels, annotations, _family(service), body), meta["namespace"]
            )
        elif (one.held.get("endpoints"), one.held.get("ports"), one.held["metadata"].get("labels")) != (
            body["endpoints"],
            body["ports"],
            labels,
        ):
            kept = {**one.held["metadata"], "labels": labels, "annotations": annotations}
            self._client.update("endpointslices", {**one.held, "metadata": kept, **body})


def _made(service: Json, labels: Json, annotations: Json, family: str, body: Json) -> Json:
    owner = {
        "apiVersion": "v1",
        "kind": "Service",
        "name": service["name"],
        "uid": service["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {
        "kind": "EndpointSlice",
        "apiVersion": "discovery.k8s.io/v1",
        "metadata": {
            "generateName": f"{service['name']}-",
            "namespace": service["namespace"],
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [owner],
        },
        "addressType": family,
        **body,
    }


def _family(service: Json) -> str:
    return str((service["spec"].get("ipFamilies") or ["IPv4"])[0])


def _ports_of(found: Json) -> Ports:
    return tuple(
        (port.get("name") or "", port.get("protocol") or "TCP", port.get("port"), port.get("appProtocol") or "")
        for port in found.get("ports") or ()
    )


def _plan(held: list[Json], wanted: dict[str, Json]) -> list[_Slice]:
    """Endpoints stay in their slice and in their order; new ones go where there is room, changed slices first."""
    left = dict(wanted)
    plan = []
    for found in held:
        endpoints = []
        for endpoint in found.get("endpoints") or ():
            fresh = left.pop((endpoint.get("targetRef") or {}).get("uid", ""), None)
            if fresh is not None:
                endpoints.append(fresh)
        plan.append(_Slice(found, endpoints, endpoints != (found.get("endpoints") or [])))
    new = list(left.values())
    for one in sorted(plan, key=lambda one: (not one.changed, -len(one.endpoints))):
        room = _MOST - len(one.endpoints)
        if new and room:
            one.endpoints += new[:room]
            one.changed = True
            new = new[room:]
    return plan + [_Slice(None, new[at : at + _MOST], True) for at in range(0, len(new), _MOST)]
