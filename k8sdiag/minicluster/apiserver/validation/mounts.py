"""Where containers see their volumes (pkg/apis/core/validation ValidateVolumeMounts, ValidateVolumeDevices)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import (
    forbidden_field,
    invalid_value,
    not_found_value,
    not_supported,
    required,
)
from k8sdiag.minicluster.apiserver.validation.fields import Causes
from k8sdiag.minicluster.apiserver.validation.paths import descending
from k8sdiag.minicluster.apiserver.validation.volumes import Volumes

_PROPAGATION = ("Bidirectional", "HostToContainer", "None")
_RECURSIVE = ("Disabled", "Enabled", "IfPossible")


def mounts(container: Json, volumes: Volumes, path: str, out: Causes) -> None:
    devices = {item.get("name"): item.get("devicePath") for item in container.get("volumeDevices") or ()}
    taken: set[str] = set()
    for index, item in enumerate(container["volumeMounts"]):
        where = f"{path}[{index}]"
        name, at = item.get("name") or "", item.get("mountPath") or ""
        if not name:
            out.append(required(f"{where}.name"))
        if name not in volumes:
            out.append(not_found_value(f"{where}.name", name))
        if not at:
            out.append(required(f"{where}.mountPath"))
        if at in taken:
            out.append(invalid_value(f"{where}.mountPath", at, "must be unique"))
        taken.add(at)
        if devices:
            if name in devices:
                out.append(invalid_value(f"{where}.name", name, "must not already exist in volumeDevices"))
            if at in devices.values():
                why = "must not already exist as a path in volumeDevices"
                out.append(invalid_value(f"{where}.mountPath", at, why))
        if len(item) > 2:
            _options(item, volumes.get(name) or {}, container, path, where, out)


def _options(item: Json, volume: Json, container: Json, path: str, where: str, out: Causes) -> None:
    """The rarer fields. Some complaints are about the list, as in the real messages."""
    below, expression = item.get("subPath") or "", item.get("subPathExpr") or ""
    if volume.get("image") is not None:
        for name, value in (("subPath", below), ("subPathExpr", expression)):
            if value:
                out.append(invalid_value(f"{where}.{name}", value, "not allowed in image volume sources"))
    if below:
        descending(below, f"{path}.subPath", out)
    if expression:
        if below:
            why = "subPathExpr and subPath are mutually exclusive"
            out.append(invalid_value(f"{where}.subPathExpr", expression, why))
        descending(expression, f"{path}.subPathExpr", out)
    _sharing(item, container, path, out)


def _sharing(item: Json, container: Json, path: str, out: Causes) -> None:
    """What is mounted later, inside or outside."""
    propagation = item.get("mountPropagation")
    if propagation is not None:
        if propagation not in _PROPAGATION:
            out.append(not_supported(f"{path}.mountPropagation", propagation, _PROPAGATION))
        if propagation == "Bidirectional" and not (container.get("securityContext") or {}).get("privileged"):
            why = "Bidirectional mount propagation is available only to privileged containers"
            out.append(forbidden_field(f"{path}.mountPropagation", why))
    recursive = item.get("recursiveReadOnly")
    if recursive in ("Enabled", "IfPossible"):
        if not item.get("readOnly"):
            out.append(forbidden_field(f"{path}.recursiveReadOnly", "may only be specified when readOnly is true"))
        if propagation not in (None, "None"):
            why = "may only be specified when mountPropagation is None or not specified"
            out.append(forbidden_field(f"{path}.recursiveReadOnly", why))
    elif recursive not in (None, "Disabled"):
        out.append(not_supported(f"{path}.recursiveReadOnly", recursive, _RECURSIVE))


def devices(container: Json, volumes: Volumes, path: str, out: Causes) -> None:
    """Block devices."""
    mounted = {item.get("name"): item.get("mountPath") for item in container.get("volumeMounts") or ()}
    names: set[str] = set()
    places: set[str] = set()
    for index, item in enumerate(container["volumeDevices"]):
        where = f"{path}[{index}]"
        name, at = item.get("name") or "", item.get("devicePath") or ""
        volume = volumes.get(name)
        if not name:
            out.append(required(f"{where}.name"))
        if name in names:
            out.append(invalid_value(f"{where}.name", name, "must be unique"))
        if volume is None:
            out.append(not_found_value(f"{where}.name", name))
        elif volume.get("persistentVolumeClaim") is None and volume.get("ephemeral") is None:
            why = "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"
            out.append(invalid_value(f"{where}.name", name, why))
        if not at:
            out.append(required(f"{where}.devicePath"))
        if at in places:
            out.append(invalid_value(f"{where}.devicePath", at, "must be unique"))
        if ".." in at.split("/"):
            out.append(invalid_value(f"{where}.devicePath", at, "can not contain backsteps ('..')"))
        if name in mounted:
            out.append(invalid_value(f"{where}.name", name, "must not already exist in volumeMounts"))
        if at in mounted.values():
            why = "must not already exist as a path in volumeMounts"
            out.append(invalid_value(f"{where}.devicePath", at, why))
        names.add(name)
        places.add(at)
