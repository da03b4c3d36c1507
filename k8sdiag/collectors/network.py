"""How a pod is reached: Services with their endpoints, policies, ingresses. Sample: a Service with
`selector: {app: web}` and an EndpointSlice with `conditions: {ready: false}`.
"""

from __future__ import annotations

from collections.abc import Iterator

from k8sdiag.collectors import Ask, Found, Role, collector, listed, named
from k8sdiag.evidence import Json, Scope

_EFFECTS = {
    "Service": "which Services lead to the pods is unknown",
    "EndpointSlice": "which pods the Services reach is unknown",
    "NetworkPolicy": "whether a policy keeps traffic off is unknown",
}


@collector("network")
def network(scope: Scope, found: Found) -> Iterator[Ask]:
    """A namespace's network objects, and what an Ingress or a Service leads to."""
    if found.role is Role.SCAN:
        for kind, effect in _EFFECTS.items():
            yield listed(kind, scope.namespace, effect)
        yield listed("Ingress", scope.namespace, "Ingresses were not checked")
        yield listed("IngressClass", "", "whether an ingress class exists is unknown")
    elif found.role in (Role.SUBJECT, Role.POD) and found.ref.namespace:
        for kind, effect in _EFFECTS.items():
            yield listed(kind, found.ref.namespace, effect)
        if found.role is Role.SUBJECT and found.ref.kind == "Service":
            yield listed("Ingress", found.ref.namespace, "which Ingresses lead to the Service is unknown")
        if found.role is Role.SUBJECT and found.ref.kind == "Ingress":
            yield listed("IngressClass", "", "whether the ingress class exists is unknown")
            for name in _backends(found.obj):
                yield from named("Service", found.ref.namespace, name, role=Role.CHILD)


def _backends(ingress: Json) -> list[str]:
    spec = ingress.get("spec") or {}
    backends = [spec.get("defaultBackend") or {}]
    for rule in spec.get("rules") or []:
        backends += [path.get("backend") or {} for path in (rule.get("http") or {}).get("paths") or []]
    names = [(backend.get("service") or {}).get("name") or "" for backend in backends]
    return list(dict.fromkeys(name for name in names if name))
