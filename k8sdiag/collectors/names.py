"""What a pod names: ConfigMaps, Secrets (keys only), its service account, its classes. Sample:
`envFrom: [{configMapRef: {name: app-config}}]`. An event that says "not found" expires; asking for the object does not.
"""

from __future__ import annotations

from collections.abc import Iterator

from k8sdiag.collectors import Ask, Found, Role, collector, named
from k8sdiag.evidence import Json, Scope
from k8sdiag.references import names_in

_ELSEWHERE = ("PersistentVolumeClaim",)  # storage.py asks for claims, and follows them


@collector("names")
def names(_scope: Scope, found: Found) -> Iterator[Ask]:
    """Each object that a pod, or a workload's pod template, names."""
    namespace = found.ref.namespace
    if found.ref.kind == "ServiceAccount":
        for secret in found.obj.get("imagePullSecrets") or []:
            yield from named("Secret", namespace, secret.get("name") or "", "whether the pull secret exists is unknown")
    if found.role not in (Role.SUBJECT, Role.POD, Role.BROKEN, Role.CHILD):
        return
    pod = _template(found)
    for kind, name in dict.fromkeys((name.kind, name.name) for name in names_in(pod) if name.kind not in _ELSEWHERE):
        # a service account is followed to its pull secrets
        role = Role.RELATED if kind == "ServiceAccount" else Role.ASIDE
        yield from named(kind, namespace, name, f"whether the {kind} {name} exists could not be checked", role)
    for claim in (pod.get("spec") or {}).get("resourceClaims") or []:
        yield from named("ResourceClaim", namespace, claim.get("resourceClaimName") or "")
        yield from named("ResourceClaimTemplate", namespace, claim.get("resourceClaimTemplateName") or "")


def _template(found: Found) -> Json:
    """The pod itself, or what a workload's pods are made from."""
    spec = found.obj.get("spec") or {}
    if found.ref.kind == "Pod":
        return found.obj
    if found.ref.kind == "CronJob":
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    template = spec.get("template")
    return template if isinstance(template, dict) else {}
