"""What Ingresses name and is not there; one fact for each such name.

Sample: `spec.rules[].http.paths[].backend.service: {name: shop, port: {number: 80}}` while no Service shop exists.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from k8sdiag.evidence import Json, Ref, ref_of
from k8sdiag.facts import Fact, Keys
from k8sdiag.finding import Proof
from k8sdiag.nearness import nearest
from k8sdiag.relations import View

KIND = "ingress"
KEYS = ("service", "namespace")
FIELDS = {
    "name": "metadata.name",
    "namespace": "metadata.namespace",
    "problem": "service, port, secret or class",
    "what": "what is named and not there, in words",
    "nearest": "a name that is there and looks alike",
}


def derive(view: View) -> Iterator[Fact]:
    for ingress in view.of_kind("Ingress"):
        ref = ref_of(ingress)
        for problem, what, near, service in _problems(view, ingress, ref):
            fields: dict[str, Any] = {
                "name": ref.name,
                "namespace": ref.namespace,
                "problem": problem,
                "what": what,
                "nearest": f"nearest there is: {near}" if near else "",
            }
            keys: Keys = {"namespace": (ref.namespace,)}
            if service:
                keys["service"] = (f"{ref.namespace}/{service}",)
            yield Fact(KIND, ref, fields, keys, (Proof("spec", str(ref), "", f"spec names {what}"),))


def _problems(view: View, ingress: Json, ref: Ref) -> Iterator[tuple[str, str, str, str]]:
    spec, snapshot = ingress.get("spec") or {}, view.snapshot
    for name, port in dict.fromkeys(_backends(spec)):
        service = snapshot.get("Service", ref.namespace, name)
        if service is None:
            if (
                snapshot.exists("Service", ref.namespace, name) is False
                or ("Service", ref.namespace) in snapshot.complete
            ):
                known = [item["metadata"]["name"] for item in snapshot.of_kind("Service", ref.namespace)]
                yield "service", f"Service {name}", next(iter(nearest(name, known, 1)), ""), name
            continue
        ports = (service.get("spec") or {}).get("ports") or []
        if port and not any(port in (str(item.get("port")), item.get("name")) for item in ports):
            there = ", ".join(str(item.get("port")) for item in ports)
            yield "port", f"port {port} of Service {name}", f"port {there}" if there else "", name
    for tls in spec.get("tls") or []:
        secret = tls.get("secretName") or ""
        if secret and snapshot.exists("Secret", ref.namespace, secret) is False:
            yield "secret", f"TLS Secret {secret}", "", ""
    kind = spec.get("ingressClassName") or ""
    if kind and snapshot.exists("IngressClass", "", kind) is False:
        yield "class", f"IngressClass {kind}", "", ""


def _backends(spec: Json) -> Iterator[tuple[str, str]]:
    paths = [path for rule in spec.get("rules") or [] for path in (rule.get("http") or {}).get("paths") or []]
    for backend in (spec.get("defaultBackend") or {}, *(path.get("backend") or {} for path in paths)):
        service = backend.get("service") or {}
        port = service.get("port") or {}
        if service.get("name"):
            yield service["name"], str(port.get("number") or port.get("name") or "")
