"""Which part of an object is written through which door: what a request may not touch stays as it was
(PrepareForCreate, PrepareForUpdate and the status strategies in pkg/registry/*/*/strategy.go)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.kinds import Resource

_STATUS = ("status",)

# Through `status`, labels cannot be changed of these; of custom resources and policies, no metadata at all.
_LABELS_STAY = frozenset(("deployments.apps",))
_METADATA_STAYS = frozenset(
    (
        "customresourcedefinitions.apiextensions.k8s.io",
        "validatingadmissionpolicies.admissionregistration.k8s.io",
        "flowschemas.flowcontrol.apiserver.k8s.io",
        "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io",
        "servicecidrs.networking.k8s.io",
        "apiservices.apiregistration.k8s.io",
    )
)
# What the server sets itself, even where the rest of the metadata stays.
_ALWAYS_NEW = ("resourceVersion", "managedFields")


def parts(subresource: str) -> tuple[str, ...]:
    """The parts of a body that count at a subresource; none named means all."""
    return _STATUS if subresource == "status" else ()


def reset_create(kept: Resource, obj: Json) -> None:
    """A new object has no status yet. Nodes are the exception: a kubelet registers with one."""
    if "status" in kept.subresources and kept.storage != "nodes":
        obj.pop("status", None)


def reset_update(kept: Resource, obj: Json, old: Json, subresource: str) -> None:
    """Undo what a request changed beyond its part."""
    if not subresource:
        if "status" in kept.subresources:
            _keep(obj, old, "status")
        if kept.storage == "namespaces":
            _keep_within(obj, old, "spec", "finalizers")
    elif subresource == "status":
        _only_status(kept, obj, old)
    elif subresource == "finalize":
        _keep(obj, old, "status")
    elif subresource == "approval":
        _approve(obj, old)
    elif subresource == "ephemeralcontainers":
        _only_ephemeral(obj, old)
    elif subresource == "resize":
        _only_resources(obj, old)


def _keep(obj: Json, old: Json, part: str) -> None:
    if part in old:
        obj[part] = old[part]
    else:
        obj.pop(part, None)


def _keep_within(obj: Json, old: Json, part: str, name: str) -> None:
    inner = {**(obj.get(part) or {})}
    _keep(inner, old.get(part) or {}, name)
    if inner or part in obj:
        obj[part] = inner


def _only_status(kept: Resource, obj: Json, old: Json) -> None:
    for part in [part for part in obj if part not in old and part not in ("metadata", "status")]:
        del obj[part]
    for part, value in old.items():
        if part not in ("metadata", "status"):
            obj[part] = value
    meta, was = obj["metadata"], old["metadata"]
    if not kept.definition or kept.storage in _METADATA_STAYS:
        _keep_metadata(obj, old)
    elif kept.storage in _LABELS_STAY:
        _keep(meta, was, "labels")
    elif kept.storage == "pods":
        _keep(meta, was, "ownerReferences")
        _keep(meta, was, "deletionTimestamp")
        status, before = obj.get("status"), old.get("status") or {}
        if isinstance(status, dict) and not status.get("qosClass") and before.get("qosClass"):
            obj["status"] = {**status, "qosClass": before["qosClass"]}
    elif kept.storage == "certificatesigningrequests.certificates.k8s.io":
        _keep_metadata(obj, old)


def _keep_metadata(obj: Json, old: Json) -> None:
    """ResetObjectMetaForStatus."""
    meta, was = obj["metadata"], old["metadata"]
    obj["metadata"] = {**was, **{name: meta[name] for name in _ALWAYS_NEW if name in meta}}


def _approve(obj: Json, old: Json) -> None:
    """A CertificateSigningRequest's approval: conditions, and nothing else."""
    conditions = (obj.get("status") or {}).get("conditions")
    for part in [part for part in obj if part != "metadata"]:
        del obj[part]
    obj.update({part: value for part, value in old.items() if part != "metadata"})
    status = {**(old.get("status") or {})}
    if conditions is not None:
        status["conditions"] = conditions
    obj["status"] = status


def _only_ephemeral(obj: Json, old: Json) -> None:
    containers = (obj.get("spec") or {}).get("ephemeralContainers")
    spec = {**old["spec"]}
    if containers:
        spec["ephemeralContainers"] = containers
    else:
        spec.pop("ephemeralContainers", None)
    _keep_metadata(obj, old)
    obj["spec"] = spec
    _keep(obj, old, "status")


def _only_resources(obj: Json, old: Json) -> None:
    """Containers' resources and resize policies; where containers were added, renamed or moved, validation says so."""
    spec = {**old["spec"]}
    for field in ("containers", "initContainers"):
        given, held = (obj.get("spec") or {}).get(field) or [], old["spec"].get(field) or []
        if [item.get("name") for item in given] != [item.get("name") for item in held]:
            return
        if held:
            spec[field] = [_resized(was, now) for was, now in zip(held, given, strict=True)]
    _keep_metadata(obj, old)
    obj["spec"] = spec
    _keep(obj, old, "status")


def _resized(was: Json, now: Json) -> Json:
    made = {**was}
    for name in ("resources", "resizePolicy"):
        if name in now:
            made[name] = now[name]
        else:
            made.pop(name, None)
    return made
