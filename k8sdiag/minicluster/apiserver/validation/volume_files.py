"""Volumes made of files that the kubelet writes: Secrets, ConfigMaps, the downward API, tokens, and all of them
projected into one (pkg/apis/core/validation validateSecretVolumeSource, validateProjectionSources…)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import forbidden_field, invalid_value, required
from k8sdiag.minicluster.apiserver.validation.environment import container_field, object_field
from k8sdiag.minicluster.apiserver.validation.fields import Causes
from k8sdiag.minicluster.apiserver.validation.paths import mode, unreserved

FIELDS = frozenset(("metadata.name", "metadata.namespace", "metadata.labels", "metadata.annotations", "metadata.uid"))
_SAME_PATH = "conflicting duplicate paths"


def _item(item: Json, path: str, out: Causes) -> None:
    for name in ("key", "path"):
        if not item.get(name):
            out.append(required(f"{path}.{name}"))
    unreserved(item.get("path") or "", f"{path}.path", out)
    mode(item.get("mode"), f"{path}.mode", out)


def _file(file: Json, path: str, out: Causes) -> None:
    """A file of the downward API. Its path is the list's, as in the real messages."""
    if not file.get("path"):
        out.append(required(f"{path}.path"))
    unreserved(file.get("path") or "", f"{path}.path", out)
    field, resource = file.get("fieldRef"), file.get("resourceFieldRef")
    if field is not None:
        object_field(field, FIELDS, f"{path}.fieldRef", out)
        if resource is not None:
            why = "fieldRef and resourceFieldRef can not be specified simultaneously"
            out.append(invalid_value(path, "resource", why))
    elif resource is not None:
        container_field(resource, f"{path}.resourceFieldRef", out, named=True)
    else:
        out.append(required(path, "one of fieldRef and resourceFieldRef is required"))
    mode(file.get("mode"), f"{path}.mode", out)


def _secret(source: Json, path: str, out: Causes) -> None:
    _keyed(source, "secretName", path, out)


def _config_map(source: Json, path: str, out: Causes) -> None:
    _keyed(source, "name", path, out)


def _keyed(source: Json, name: str, path: str, out: Causes) -> None:
    if not source.get(name):
        out.append(required(f"{path}.{name}"))
    mode(source.get("defaultMode"), f"{path}.defaultMode", out)
    for index, item in enumerate(source.get("items") or ()):
        _item(item, f"{path}.items[{index}]", out)


def _downward(source: Json, path: str, out: Causes) -> None:
    mode(source.get("defaultMode"), f"{path}.defaultMode", out)
    for file in source.get("items") or ():
        _file(file, path, out)


def _projected(source: Json, path: str, out: Causes) -> None:
    mode(source.get("defaultMode"), f"{path}.defaultMode", out)
    taken: set[str] = set()
    for index, projection in enumerate(source.get("sources") or ()):
        where = f"{path}.sources[{index}]"
        given = [name for name in _PROJECTIONS if projection.get(name) is not None]
        for name in given:
            _PROJECTIONS[name](projection[name], path, f"{where}.{name}", taken, out)
        if len(given) > 1:
            out.append(forbidden_field(where, "may not specify more than 1 volume type per source"))


def _take(file: str, taken: set[str], shown: str, path: str, out: Causes) -> None:
    if file and file in taken:
        out.append(invalid_value(path, shown, _SAME_PATH))
    taken.add(file)


def _keyed_projection(source: Json, path: str, where: str, taken: set[str], out: Causes) -> None:
    if not source.get("name"):
        out.append(required(f"{where}.name"))
    for index, item in enumerate(source.get("items") or ()):
        _item(item, f"{where}.items[{index}]", out)
        _take(item.get("path") or "", taken, source.get("name") or "", path, out)


def _downward_projection(source: Json, path: str, where: str, taken: set[str], out: Causes) -> None:
    for file in source.get("items") or ():
        _file(file, where, out)
        _take(file.get("path") or "", taken, file.get("path") or "", path, out)


def _token(source: Json, path: str, where: str, _taken: set[str], out: Causes) -> None:
    seconds = source.get("expirationSeconds") or 0
    if seconds < 600:
        why = "may not specify a duration less than 10 minutes"
        out.append(invalid_value(f"{where}.expirationSeconds", seconds, why))
    if seconds > 1 << 32:
        why = "may not specify a duration larger than 2^32 seconds"
        out.append(invalid_value(f"{where}.expirationSeconds", seconds, why))
    if not source.get("path"):
        out.append(required(f"{path}.path"))
    else:
        unreserved(source["path"], f"{path}.path", out)


def _trust_bundle(source: Json, path: str, where: str, taken: set[str], out: Causes) -> None:
    name, signer = source.get("name"), source.get("signerName")
    if name is not None and signer is not None:
        out.append(invalid_value(where, source, "only one of name and signerName may be used"))
    elif name is None and signer is None:
        out.append(required(where, "either name or signerName must be specified"))
    if not source.get("path"):
        out.append(required(f"{where}.path"))
    unreserved(source.get("path") or "", f"{where}.path", out)
    _take(source.get("path") or "", taken, source.get("path") or "", path, out)


_PROJECTIONS: Mapping[str, Callable[[Json, str, str, set[str], Causes], None]] = {
    "secret": _keyed_projection,
    "configMap": _keyed_projection,
    "downwardAPI": _downward_projection,
    "serviceAccountToken": _token,
    "clusterTrustBundle": _trust_bundle,
}
SOURCES: Mapping[str, Callable[[Json, str, Causes], None]] = {
    "secret": _secret,
    "configMap": _config_map,
    "downwardAPI": _downward,
    "projected": _projected,
}
