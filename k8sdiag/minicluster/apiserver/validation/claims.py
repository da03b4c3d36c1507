"""PersistentVolumeClaims (pkg/apis/core/validation ValidatePersistentVolumeClaimSpec and …Update)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import forbidden_field, invalid_value, not_supported, required
from k8sdiag.minicluster.apiserver.quantities import nanos
from k8sdiag.minicluster.apiserver.validation import formats
from k8sdiag.minicluster.apiserver.validation.difference import difference
from k8sdiag.minicluster.apiserver.validation.fields import Causes, each, immutable, label_selector
from k8sdiag.minicluster.apiserver.validation.resources import positive
from k8sdiag.minicluster.apiserver.validation.rules import Rules

ACCESS_MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
VOLUME_MODES = ("Block", "Filesystem")
_OLD_CLASS = "volume.beta.kubernetes.io/storage-class"


def access_modes(modes: list[str], path: str, out: Causes) -> None:
    for mode in modes:
        if mode not in ACCESS_MODES:
            out.append(not_supported(path, mode, ACCESS_MODES))
    known = {mode for mode in modes if mode in ACCESS_MODES}
    if "ReadWriteOncePod" in known and len(known) > 1:
        out.append(forbidden_field(path, "may not use ReadWriteOncePod with other access modes"))


def claim_spec(spec: Json, path: str, out: Causes) -> None:
    modes = spec.get("accessModes") or []
    if not modes:
        out.append(required(f"{path}.accessModes", "at least 1 access mode is required"))
    label_selector(spec.get("selector"), f"{path}.selector", out)
    access_modes(modes, f"{path}.accessModes", out)
    storage = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if storage is None:
        out.append(required(f"{path}.resources[storage]"))
    else:
        positive(storage, f"{path}.resources[storage]", out)
    for name in ("storageClassName", "volumeAttributesClassName"):
        if spec.get(name):
            each(formats.dns_subdomain(spec[name]), f"{path}.{name}", spec[name], out)
    volume_mode(spec.get("volumeMode"), f"{path}.volumeMode", out)
    for name in ("dataSource", "dataSourceRef"):
        if spec.get(name) is not None:
            _origin(spec[name], f"{path}.{name}", out)


def volume_mode(mode: str | None, path: str, out: Causes) -> None:
    if mode is not None and mode not in VOLUME_MODES:
        out.append(not_supported(path, mode, VOLUME_MODES))


def _origin(source: Json, path: str, out: Causes) -> None:
    """What a claim is filled from."""
    for name in ("name", "kind"):
        if not source.get(name):
            out.append(required(f"{path}.{name}"))
    group = source.get("apiGroup") or ""
    if not group and source.get("kind") != "PersistentVolumeClaim":
        why = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
        out.append(invalid_value(path, source.get("kind") or "", why))
    elif group:
        each(formats.dns_subdomain(group), f"{path}.apiGroup", group, out)


def _whole(obj: Json, out: Causes) -> None:
    claim_spec(obj.get("spec") or {}, "spec", out)


def _size(spec: Json) -> int:
    return nanos(((spec.get("resources") or {}).get("requests") or {}).get("storage") or "0")


def _changed(obj: Json, old: Json, out: Causes) -> None:
    """Everything stays but the size of a bound claim; and the volume's name is set once."""
    new, was = obj.get("spec") or {}, old.get("spec") or {}
    annotations, old_annotations = ((part["metadata"].get("annotations") or {}) for part in (obj, old))
    immutable(
        annotations.get(_OLD_CLASS, ""), old_annotations.get(_OLD_CLASS, ""), f"metadata.annotations.{_OLD_CLASS}", out
    )
    compared, before = dict(new), dict(was)
    if not before.get("volumeName"):
        before["volumeName"] = compared.get("volumeName")
    if before.get("storageClassName") is None and compared.get("storageClassName") is not None:
        before["storageClassName"] = compared["storageClassName"]
    if (obj.get("status") or {}).get("phase") == "Bound":
        compared["resources"] = {**(compared.get("resources") or {})}
        compared["resources"]["requests"] = {
            **(compared["resources"].get("requests") or {}),
            "storage": ((before.get("resources") or {}).get("requests") or {}).get("storage"),
        }
    compared, before = ({key: value for key, value in part.items() if value} for part in (compared, before))
    if compared != before:
        why = (
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        )
        shown = difference("core.PersistentVolumeClaimSpec", before, compared)
        out.append(forbidden_field("spec", f"{why}\n{shown}"))
    if _size(new) < _size(was):
        held = ((old.get("status") or {}).get("capacity") or {}).get("storage") or "0"
        if _size(new) <= nanos(held):
            why = "field can not be less than status.capacity"
            out.append(forbidden_field("spec.resources.requests.storage", why))
    immutable(new.get("volumeMode"), was.get("volumeMode"), "volumeMode", out)


def _status(obj: Json, _old: Json, out: Causes) -> None:
    for name, value in ((obj.get("status") or {}).get("capacity") or {}).items():
        if nanos(value) < 0:
            why = "must be a valid resource quantity"
            out.append(invalid_value(f"status.capacity[{name}]", nanos(value) // 10**9, why))


RULES = {"persistentvolumeclaims": Rules(_whole, _changed, _status)}
