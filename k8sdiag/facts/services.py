"""Services that reach nothing, or not the port they mean; one fact a Service in trouble.

Sample: `spec.selector: {app: web}` while the pods of the namespace carry `app=frontend`; an EndpointSlice without
endpoints.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from k8sdiag.evidence import Json, event_message, ref_of
from k8sdiag.facts import Fact, event_proof, events_where
from k8sdiag.finding import Proof
from k8sdiag.podstate import is_finished, is_ready
from k8sdiag.relations import View, owner_chain, pods_of
from k8sdiag.selectors import format_labels, matches_labels

KIND = "service"
KEYS = ("service", "pod", "workload", "namespace")
FIELDS = {
    "name": "metadata.name",
    "namespace": "metadata.namespace",
    "type": "spec.type",
    "selector": "spec.selector as kubectl -l takes it",
    "matching": "pods in the namespace that the selector matches",
    "ready": "of those, how many are ready",
    "unready": "of those, the ones that are not, by name",
    "podsKnown": "pods of the namespace were collected",
    "nearest": "the labels of the pods that come nearest to the selector",
    "nearest.owner": "what those pods belong to",
    "nearest.differs": "what differs: app is frontend, not web",
    "elsewhere": "namespaces where the selector does match pods",
    "headless": "spec.clusterIP is None",
    "port.unnamed": "a named targetPort that no container port of the pods has",
    "port.closed": "a numeric targetPort that the pods' containers do not declare, though they declare others",
    "port.declared": "the ports the pods declare",
    "port": "spec.ports as port->targetPort",
    "pending": "type LoadBalancer without an address",
    "message": "message of the newest warning event",
    "localPolicy": "externalTrafficPolicy or internalTrafficPolicy is Local",
    "publishNotReady": "spec.publishNotReadyAddresses",
}


def derive(view: View) -> Iterator[Fact]:
    for service in view.of_kind("Service"):
        spec = service.get("spec") or {}
        if spec.get("type") == "ExternalName" or (not spec.get("selector") and spec.get("type") != "LoadBalancer"):
            continue
        pods = [pod for pod in pods_of(view.snapshot, service) if not is_finished(pod)]
        fields = _fields(view, service, pods)
        if fields["ready"] and not (fields["port.unnamed"] or fields["port.closed"] or fields["pending"]):
            continue
        ref = ref_of(service)
        keys = {
            "service": (f"{ref.namespace}/{ref.name}",),
            "namespace": (ref.namespace,),
            "pod": tuple(f"{ref.namespace}/{pod['metadata']['name']}" for pod in pods),
            "workload": tuple({f"{o.kind}/{o.namespace}/{o.name}": 0 for p in pods for o in owner_chain(view.snapshot, p)}),
        }
        yield Fact(KIND, ref, fields, keys, tuple(_proof(view, service, fields)))


def _fields(view: View, service: Json, pods: list[Json]) -> dict[str, Any]:
    spec, ref = service.get("spec") or {}, ref_of(service)
    selector = spec.get("selector") or {}
    ready = [pod for pod in pods if is_ready(pod)]
    nearest, owner, differs = ("", "", "") if pods else _nearest(view, ref.namespace, selector)
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress")
    events = _warnings(view, service)
    return {
        "name": ref.name,
        "namespace": ref.namespace,
        "type": spec.get("type") or "ClusterIP",
        "selector": format_labels(selector),
        "matching": len(pods),
        "ready": len(ready),
        "unready": tuple(pod["metadata"]["name"] for pod in pods if not is_ready(pod)),
        "podsKnown": view.snapshot.count("Pod") > 0 or "Pod" in view.snapshot.complete,
        "nearest": nearest,
        "nearest.owner": owner,
        "nearest.differs": differs,
        "elsewhere": () if pods else tuple(_elsewhere(view, ref.namespace, selector)),
        "headless": spec.get("clusterIP") == "None",
        "port": tuple(f"{p.get('port')}->{p.get('targetPort', p.get('port'))}" for p in spec.get("ports") or []),
        "pending": spec.get("type") == "LoadBalancer" and not ingress,
        "message": event_message(events[0]) if events else "",
        "localPolicy": "Local" in (spec.get("externalTrafficPolicy"), spec.get("internalTrafficPolicy")),
        "publishNotReady": bool(spec.get("publishNotReadyAddresses")),
    } | _ports(spec, pods)


def _warnings(view: View, service: Json) -> list[Json]:
    uid = service["metadata"].get("uid") or ""
    return events_where(view, ref_of(service), uid, lambda event: event.get("type") == "Warning")


def _ports(spec: Json, pods: list[Json]) -> dict[str, Any]:
    names: set[str] = set()
    numbers: set[int] = set()
    silent = False
    for pod in pods:
        declared = [p for c in (pod.get("spec") or {}).get("containers") or [] for p in c.get("ports") or []]
        silent = silent or not declared
        names |= {port["name"] for port in declared if port.get("name")}
        numbers |= {port["containerPort"] for port in declared if port.get("containerPort")}
    unnamed, closed = [], []
    for port in spec.get("ports") or []:
        target = port.get("targetPort", port.get("port"))
        if isinstance(target, str) and not target.isdigit():
            if pods and target not in names:
                unnamed.append(target)
        elif numbers and not silent and int(target or 0) not in numbers:
            closed.append(str(target))
    declared_text = [str(number) for number in sorted(numbers)] + sorted(names)
    return {"port.unnamed": tuple(unnamed), "port.closed": tuple(closed), "port.declared": tuple(declared_text)}


def _nearest(view: View, namespace: str, selector: dict[str, str]) -> tuple[str, str, str]:
    """(labels, owner, what differs) of the pod that shares most with the selector, by key and by value."""
    best: tuple[tuple[int, int], Json] | None = None
    for pod in view.snapshot.of_kind("Pod", namespace):
        labels = pod["metadata"].get("labels") or {}
        score = (sum(labels.get(k) == v for k, v in selector.items()), sum(k in labels for k in selector))
        if score > (0, 0) and (best is None or score > best[0]):
            best = (score, pod)
    if best is None:
        return "", "", ""
    labels = best[1]["metadata"].get("labels") or {}
    shown = {key: value for key, value in labels.items() if key not in ("pod-template-hash", "controller-revision-hash")}
    differs = [
        f"label {key} is {labels[key]!r}, not {value!r}" if key in labels else f"label {key} is missing"
        for key, value in selector.items()
        if labels.get(key) != value
    ]
    chain = owner_chain(view.snapshot, best[1])
    return format_labels(shown), str(chain[-1] if chain else ref_of(best[1])), "; ".join(differs)


def _elsewhere(view: View, namespace: str, selector: dict[str, str]) -> Iterator[str]:
    found = {
        pod["metadata"].get("namespace") or ""
        for pod in view.snapshot.of_kind("Pod")
        if matches_labels(selector, pod["metadata"].get("labels"))
    }
    yield from sorted(found - {namespace})


def _proof(view: View, service: Json, fields: dict[str, Any]) -> Iterator[Proof]:
    ref = ref_of(service)
    text = f"spec.selector: {fields['selector']}; matches {fields['matching']} pods, {fields['ready']} ready"
    yield Proof("spec", str(ref), "", text)
    for item in view.snapshot.of_kind("EndpointSlice", ref.namespace):
        if (item["metadata"].get("labels") or {}).get("kubernetes.io/service-name") == ref.name:
            endpoints = item.get("endpoints") or []
            good = sum(bool((endpoint.get("conditions") or {}).get("ready")) for endpoint in endpoints)
            yield Proof("object", f"endpointslice/{item['metadata']['name']}", "", f"{len(endpoints)} endpoints, {good} ready")
    if fields["nearest"]:
        yield Proof("object", fields["nearest.owner"], "", f"its pods are labelled {fields['nearest']}")
    for event in _warnings(view, service)[:1]:
        yield event_proof(event)
