"""Services: what they select, and what of that is ready at the ports they mean; one fact a Service.

Sample: `spec.selector: {app: web}` while the pods of the namespace carry `app=frontend`; an EndpointSlice without
endpoints.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from k8sdiag.clock import parse_time
from k8sdiag.evidence import Json, Ref, event_message, ref_of
from k8sdiag.facts import Fact, event_proof, events_where
from k8sdiag.finding import Proof
from k8sdiag.nearness import likeness
from k8sdiag.patterns import regex
from k8sdiag.podstate import is_finished, is_ready
from k8sdiag.quantity import count_of
from k8sdiag.relations import View, children_of, controller_of, owner_chain, pods_of, top_owner
from k8sdiag.selectors import format_labels, matches_labels

KIND = "service"
KEYS = ("service", "pod", "workload", "namespace")
FIELDS = {
    "name": "metadata.name",
    "namespace": "metadata.namespace",
    "type": "spec.type",
    "selector": "spec.selector as kubectl -l takes it",
    "matching": "pods in the namespace that the selector matches, but those that have ended",
    "ended": "those that have ended (phase Failed or Succeeded), by name",
    "template": "the workload whose pod template the selector matches, while it has no pods: deployment/web",
    "template.replicas": "how many pods that wants",
    "template.why": "what kept its pods from being created",
    "ready": "of those, how many are ready",
    "unready": "of those, the ones that are not, by name",
    "podsKnown": "pods of the namespace were collected, or an EndpointSlice without endpoints says there are none",
    "nearest": "the labels of the pods that come nearest to the selector",
    "nearest.fit": "the selector that would match them, with the same keys",
    "nearest.owner": "what those pods belong to",
    "nearest.differs": "what differs: app is frontend, not web",
    "elsewhere.first": "the first of them",
    "pod.first": "a ready pod of those it matches",
    "elsewhere": "namespaces where the selector does match pods",
    "headless": "spec.clusterIP is None",
    "mixed": "the workloads those pods belong to, where there are several",
    "owners": "what the matched pods belong to: deployment/web",
    "endpoints": "addresses in its EndpointSlices and Endpoints, ready or not",
    "external": "spec.externalName",
    "external.missing": "the Service of this cluster that spec.externalName points to, where there is none",
    "port.unnamed": "a named targetPort that no container port of the pods has",
    "port.closed": "a numeric targetPort that the pods' containers do not declare, though they declare others",
    "port.open": "a targetPort that they declare",
    "port.protocol": "a port whose targetPort they declare, but for another protocol: 53/UDP->5353",
    "port.protocol.wanted": "the Service's protocol for it",
    "port.protocol.declared": "the protocol they declare",
    "port.declared": "the ports the pods declare",
    "port.first": "the number of the one port the pods declare",
    "port.probed": "ports that the pods' probes ask",
    "port.unprobed": "a numeric targetPort other than those, where the pods declare no ports",
    "port": "spec.ports as port->targetPort",
    "pending": "type LoadBalancer without an address",
    "class": "spec.loadBalancerClass",
    "age": "seconds since metadata.creationTimestamp",
    "message": "message of the newest warning event",
    "localPolicy": "externalTrafficPolicy or internalTrafficPolicy is Local",
    "publishNotReady": "spec.publishNotReadyAddresses",
}
_CLUSTER_NAME = regex(r"^(?P<name>[a-z0-9-]+)\.(?P<namespace>[a-z0-9-]+)\.svc(?:\.|$)")


def derive(view: View) -> Iterator[Fact]:
    for service in view.of_kind("Service"):
        selector = (service.get("spec") or {}).get("selector")
        chosen = pods_of(view.snapshot, service) if selector else []
        pods = [pod for pod in chosen if not is_finished(pod)]
        fields = _fields(view, service, pods)
        fields["ended"] = tuple(pod["metadata"]["name"] for pod in chosen if is_finished(pod))
        ref = ref_of(service)
        keys = {
            "service": (f"{ref.namespace}/{ref.name}",),
            "namespace": (ref.namespace,),
            "pod": tuple(f"{ref.namespace}/{pod['metadata']['name']}" for pod in chosen),
            "workload": tuple(
                {f"{o.kind}/{o.namespace}/{o.name}": 0 for p in pods for o in owner_chain(view.snapshot, p)}
            ),
        }
        yield Fact(KIND, ref, fields, keys, tuple(_proof(view, service, fields)))


def _fields(view: View, service: Json, pods: list[Json]) -> dict[str, Any]:
    spec, ref = service.get("spec") or {}, ref_of(service)
    selector = spec.get("selector") or {}
    ready = [pod for pod in pods if is_ready(pod)]
    nearest, fit, owner, differs = ("", "", "", "") if pods else _nearest(view, ref.namespace, selector)
    elsewhere = () if pods or not selector else tuple(_elsewhere(view, ref.namespace, selector))
    created = parse_time(service["metadata"].get("creationTimestamp"))
    events = _warnings(view, service)
    owners = tuple(dict.fromkeys(str(top_owner(view.snapshot, pod)) for pod in pods))
    return (
        {
            "name": ref.name,
            "namespace": ref.namespace,
            "type": spec.get("type") or "ClusterIP",
            "selector": format_labels(selector),
            "matching": len(pods),
            "ready": len(ready),
            "unready": tuple(pod["metadata"]["name"] for pod in pods if not is_ready(pod)),
            "podsKnown": view.snapshot.count("Pod") > 0
            or "Pod" in view.snapshot.complete
            or _has_empty_slice(view, ref),
            **_template(view, ref.namespace, {} if pods else selector),
            "nearest": nearest,
            "nearest.fit": fit,
            "nearest.owner": owner,
            "nearest.differs": differs,
            "elsewhere": elsewhere,
            "elsewhere.first": elsewhere[0] if elsewhere else "",
            "pod.first": ready[0]["metadata"]["name"] if ready else "",
            "headless": spec.get("clusterIP") == "None",
            "owners": owners,
            "mixed": owners if len(owners) > 1 else (),
            "endpoints": len(list(_addresses(view, ref))),
            "age": int(view.snapshot.taken_at - created) if created else None,
            "message": event_message(events[0]) if events else "",
            "localPolicy": "Local" in (spec.get("externalTrafficPolicy"), spec.get("internalTrafficPolicy")),
            "publishNotReady": bool(spec.get("publishNotReadyAddresses")),
        }
        | _outside(view, service)
        | _ports(spec, pods)
    )


def _outside(view: View, service: Json) -> dict[str, Any]:
    """What a Service has to do with the world outside: the name it is an alias of, its load balancer."""
    spec = service.get("spec") or {}
    alias = (spec.get("externalName") or "") if spec.get("type") == "ExternalName" else ""
    found = _CLUSTER_NAME.match(alias)
    missing = found is not None and view.snapshot.exists("Service", found["namespace"], found["name"]) is False
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress")
    return {
        "external": alias,
        "external.missing": f"{found['namespace']}/{found['name']}" if found and missing else "",
        "pending": spec.get("type") == "LoadBalancer" and not ingress,
        "class": spec.get("loadBalancerClass") or "",
    }


def _addresses(view: View, ref: Ref) -> Iterator[str]:
    """Addresses that lead to pods, or to what somebody wrote down by hand."""
    for item in view.snapshot.of_kind("EndpointSlice", ref.namespace):
        if (item["metadata"].get("labels") or {}).get("kubernetes.io/service-name") == ref.name:
            yield from (
                address for endpoint in item.get("endpoints") or [] for address in endpoint.get("addresses") or []
            )
    for subset in (view.snapshot.get("Endpoints", ref.namespace, ref.name) or {}).get("subsets") or []:
        for address in (subset.get("addresses") or []) + (subset.get("notReadyAddresses") or []):
            yield address.get("ip") or ""


def _warnings(view: View, service: Json) -> list[Json]:
    uid = service["metadata"].get("uid") or ""
    return events_where(view, ref_of(service), uid, lambda event: event.get("type") == "Warning")


def _ports(spec: Json, pods: list[Json]) -> dict[str, Any]:
    """Which of a Service's targetPorts its pods have. Declaring ports is optional: a pod that declares none tells
    nothing, but its probes do."""
    names: set[tuple[str, str]] = set()
    numbers: set[int] = set()
    probed: set[int] = set()
    silent = False
    for pod in pods:
        containers = (pod.get("spec") or {}).get("containers") or []
        declared = [port for container in containers for port in container.get("ports") or []]
        silent = silent or not declared
        names |= {(port["name"], port.get("protocol") or "TCP") for port in declared if port.get("name")}
        numbers |= {port["containerPort"] for port in declared if port.get("containerPort")}
        probed |= {number for container in containers for number in _probed(container)}
    unnamed: list[str] = []
    closed: list[str] = []
    opened: list[str] = []
    unprobed: list[str] = []
    for port in spec.get("ports") or []:
        target = port.get("targetPort") or port.get("port")
        if isinstance(target, str) and not target.isdigit():
            missing = bool(pods) and (target, port.get("protocol") or "TCP") not in names
            (unnamed if missing else opened).append(target)
        elif numbers and not silent:
            (opened if int(target or 0) in numbers else closed).append(str(target))
        elif not numbers and probed and int(target or 0) not in probed:
            unprobed.append(str(target))
    return {
        "port": tuple(f"{p.get('port')}->{p.get('targetPort') or p.get('port')}" for p in spec.get("ports") or []),
        "port.unnamed": tuple(unnamed),
        "port.closed": tuple(closed),
        "port.open": tuple(opened),
        "port.declared": tuple([str(number) for number in sorted(numbers)] + sorted(name for name, _ in names)),
        **_protocol(spec, pods),
        "port.first": next(iter(numbers)) if len(numbers) == 1 else None,
        "port.probed": tuple(str(number) for number in sorted(probed)),
        "port.unprobed": tuple(unprobed),
    }


def _protocol(spec: Json, pods: list[Json]) -> dict[str, str]:
    """The first port that the pods declare, but only for another protocol than the Service's."""
    declared: dict[int, set[str]] = {}
    for pod in pods:
        for container in (pod.get("spec") or {}).get("containers") or []:
            for port in container.get("ports") or []:
                declared.setdefault(port.get("containerPort") or 0, set()).add(port.get("protocol") or "TCP")
    for port in spec.get("ports") or []:
        target, wanted = port.get("targetPort") or port.get("port"), port.get("protocol") or "TCP"
        there = declared.get(int(target), set()) if str(target).isdigit() else set()
        if there and wanted not in there:
            text = f"{port.get('port')}/{wanted}->{target}"
            return {"port.protocol": text, "port.protocol.wanted": wanted, "port.protocol.declared": min(there)}
    return {"port.protocol": "", "port.protocol.wanted": "", "port.protocol.declared": ""}


def _probed(container: Json) -> Iterator[int]:
    """The numeric ports that a container's probes ask."""
    for kind in ("readinessProbe", "livenessProbe", "startupProbe"):
        probe = container.get(kind) or {}
        for handler in ("httpGet", "tcpSocket", "grpc"):
            port = (probe.get(handler) or {}).get("port")
            if isinstance(port, int) and port:
                yield port


def _nearest(view: View, namespace: str, selector: dict[str, str]) -> tuple[str, str, str, str]:
    """(labels, selector that would fit, owner, what differs) of the pod that shares most with the selector."""
    best: tuple[tuple[int, int, float], Json] | None = None
    for pod in view.snapshot.of_kind("Pod", namespace):
        labels = pod["metadata"].get("labels") or {}
        score = (
            sum(labels.get(k) == v for k, v in selector.items()),
            sum(k in labels for k in selector),
            sum(likeness(v, labels[k]) for k, v in selector.items() if k in labels),
        )
        if score > (0, 0, 0.0) and (best is None or score > best[0]):
            best = (score, pod)
    if best is None:
        return "", "", "", ""
    labels = best[1]["metadata"].get("labels") or {}
    shown = {
        key: value for key, value in labels.items() if key not in ("pod-template-hash", "controller-revision-hash")
    }
    differs = [
        f"label {key} is {labels[key]!r}, not {value!r}" if key in labels else f"label {key} is missing"
        for key, value in selector.items()
        if labels.get(key) != value
    ]
    chain = owner_chain(view.snapshot, best[1])
    fit = format_labels({key: labels[key] for key in selector if key in labels})
    return format_labels(shown), fit, str(chain[-1] if chain else ref_of(best[1])), "; ".join(differs)


def _template(view: View, namespace: str, selector: dict[str, str]) -> dict[str, Any]:
    """The workload that would have the pods a Service is for, if it had any."""
    for kind in ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet") if selector else ():
        for item in view.snapshot.of_kind(kind, namespace):
            spec = item.get("spec") or {}
            labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
            if matches_labels(selector, labels) and not controller_of(item):
                wanted = count_of(spec.get("replicas"))
                why = _refused(view, item)
                return {"template": str(ref_of(item)), "template.replicas": wanted, "template.why": why}
    return {"template": "", "template.replicas": None, "template.why": ""}


def _refused(view: View, workload: Json) -> str:
    """The newest refusal of a pod that a workload, or its ReplicaSet, was told of."""
    for item in (*children_of(view.snapshot, workload, ["ReplicaSet"]), workload):
        uid = item["metadata"].get("uid") or ""
        for event in events_where(view, ref_of(item), uid, lambda event: event.get("reason") == "FailedCreate"):
            return event_message(event)
    return ""


def _elsewhere(view: View, namespace: str, selector: dict[str, str]) -> Iterator[str]:
    found = {
        pod["metadata"].get("namespace") or ""
        for pod in view.snapshot.of_kind("Pod")
        if matches_labels(selector, pod["metadata"].get("labels"))
    }
    yield from sorted(found - {namespace})


def _proof(view: View, service: Json, fields: dict[str, Any]) -> Iterator[Proof]:
    ref = ref_of(service)
    if fields["external"]:
        yield Proof("spec", str(ref), "", f"spec.externalName: {fields['external']}")
        return
    text = f"spec.selector: {fields['selector'] or 'none'}; matches {fields['matching']} pods, {fields['ready']} ready"
    yield Proof("spec", str(ref), "", text)
    if fields["port"]:
        declared = ", ".join(fields["port.declared"]) or "none"
        text = f"spec.ports (port->targetPort): {', '.join(fields['port'])}"
        if fields["matching"]:
            text += f"; pods declare: {declared}"
        yield Proof("spec", str(ref), "", text)
    if fields["pending"]:
        yield Proof("status", str(ref), "", "status.loadBalancer: no ingress; EXTERNAL-IP <pending>")
    for item in view.snapshot.of_kind("EndpointSlice", ref.namespace):
        if (item["metadata"].get("labels") or {}).get("kubernetes.io/service-name") == ref.name:
            endpoints = item.get("endpoints") or []
            good = sum(bool((endpoint.get("conditions") or {}).get("ready")) for endpoint in endpoints)
            yield Proof(
                "object", f"endpointslice/{item['metadata']['name']}", "", f"{len(endpoints)} endpoints, {good} ready"
            )
    if fields["nearest"]:
        yield Proof("object", fields["nearest.owner"], "", f"its pods are labelled {fields['nearest']}")
    for event in _warnings(view, service)[:1]:
        yield event_proof(event)


def _has_empty_slice(view: View, ref: Ref) -> bool:
    """The endpoint slice controller saw the Service and found no pod for it."""
    return any(
        (item["metadata"].get("labels") or {}).get("kubernetes.io/service-name") == ref.name
        and not item.get("endpoints")
        for item in view.snapshot.of_kind("EndpointSlice", ref.namespace)
    )
