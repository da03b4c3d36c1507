"""`metadata.generation`: which kinds have one, and what counts as a change of what is wanted
(PrepareForCreate and PrepareForUpdate in pkg/registry/*/*/strategy.go)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.kinds import Resource

_SPEC = ("spec",)
_WEBHOOKS = ("webhooks",)

# The parts whose change counts, by storage key. Custom resources count anything but metadata and status.
_COUNTED: dict[str, tuple[str, ...]] = {
    "pods": _SPEC,
    "replicationcontrollers": _SPEC,
    "deployments.apps": _SPEC,
    "replicasets.apps": _SPEC,
    "statefulsets.apps": _SPEC,
    "daemonsets.apps": _SPEC,
    "jobs.batch": _SPEC,
    "cronjobs.batch": _SPEC,
    "poddisruptionbudgets.policy": _SPEC,
    "ingresses.networking.k8s.io": _SPEC,
    "ingressclasses.networking.k8s.io": _SPEC,
    "networkpolicies.networking.k8s.io": _SPEC,
    "customresourcedefinitions.apiextensions.k8s.io": _SPEC,
    "flowschemas.flowcontrol.apiserver.k8s.io": _SPEC,
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": _SPEC,
    "validatingadmissionpolicies.admissionregistration.k8s.io": _SPEC,
    "validatingadmissionpolicybindings.admissionregistration.k8s.io": _SPEC,
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": _WEBHOOKS,
    "validatingwebhookconfigurations.admissionregistration.k8s.io": _WEBHOOKS,
    "endpointslices.discovery.k8s.io": ("addressType", "endpoints", "ports"),
    "priorityclasses.scheduling.k8s.io": (),
}
# A change of these parts of the metadata counts as well.
_COUNTED_METADATA = {"deployments.apps": "annotations", "endpointslices.discovery.k8s.io": "labels"}


def first_generation(kept: Resource, obj: Json) -> None:
    if not kept.definition or kept.storage in _COUNTED:
        obj["metadata"]["generation"] = 1
    else:
        obj["metadata"].pop("generation", None)


def next_generation(kept: Resource, obj: Json, old: Json, subresource: str) -> None:
    """The old one, or one more."""
    was = old["metadata"].get("generation")
    if was is None:
        obj["metadata"].pop("generation", None)
        return
    changed = subresource != "status" and _has_changed(kept, obj, old)
    obj["metadata"]["generation"] = was + 1 if changed else was


def _has_changed(kept: Resource, obj: Json, old: Json) -> bool:
    if kept.definition:
        parts = _COUNTED.get(kept.storage, ())
        meta = _COUNTED_METADATA.get(kept.storage)
        if meta and (obj["metadata"].get(meta) or None) != (old["metadata"].get(meta) or None):
            return True
        return any(obj.get(part) != old.get(part) for part in parts)
    apart = {"metadata", "status"} if "status" in kept.subresources else {"metadata"}
    return {key: value for key, value in obj.items() if key not in apart} != {
        key: value for key, value in old.items() if key not in apart
    }
