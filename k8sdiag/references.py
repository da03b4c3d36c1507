"""Names inside specs: image references, and the ConfigMaps, Secrets, claims and accounts that a pod names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from k8sdiag.evidence import Json


class Image(NamedTuple):
    """`registry.example:5000/shop/web:v9` in parts; `tag` is the tag or the digest, `latest` where none is given."""

    registry: str
    repository: str
    tag: str


def split_image(reference: str) -> Image:
    """An image reference in parts, with Docker's defaults (docker.io, library/, latest)."""
    name, digest = reference.split("@", 1) if "@" in reference else (reference, "")
    head, _, rest = name.partition("/")
    if rest and ("." in head or ":" in head or head == "localhost"):
        registry, path = head, rest
    else:
        registry, path = "docker.io", name
    last = path.rsplit("/", 1)[-1]
    tag = ""
    if ":" in last:
        path, tag = path[: path.rfind(":")], last.split(":", 1)[1]
    if registry == "docker.io" and "/" not in path:
        path = f"library/{path}"
    return Image(registry, path, digest or tag or "latest")


class Named(NamedTuple):
    """One object that a pod names: kind, name, key ('' for the whole object), whether it may be absent, through what
    (`env PASSWORD`, `envFrom`, `volume config`), and the container concerned ('' for the pod)."""

    kind: str
    name: str
    key: str
    optional: bool
    via: str
    container: str


def names_in(pod: Json) -> Iterator[Named]:
    """Every ConfigMap, Secret, claim, service account, priority and runtime class a pod's spec names."""
    spec = pod.get("spec") or {}
    for group in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(group) or []:
            yield from _in_env(container)
    for volume in spec.get("volumes") or []:
        yield from _in_volume(volume, f"volume {volume.get('name')}")
    for secret in spec.get("imagePullSecrets") or []:
        yield Named("Secret", secret.get("name") or "", "", True, "imagePullSecrets", "")
    for kind, field in (("PriorityClass", "priorityClassName"), ("RuntimeClass", "runtimeClassName")):
        if spec.get(field):
            yield Named(kind, spec[field], "", False, field, "")
    if spec.get("serviceAccountName"):
        yield Named("ServiceAccount", spec["serviceAccountName"], "", False, "serviceAccountName", "")


def _in_env(container: Json) -> Iterator[Named]:
    name = container.get("name") or ""
    for source in container.get("envFrom") or []:
        for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if source.get(key):
                yield Named(kind, source[key].get("name") or "", "", bool(source[key].get("optional")), "envFrom", name)
    for variable in container.get("env") or []:
        value = variable.get("valueFrom") or {}
        for key, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
            if value.get(key):
                ref = value[key]
                via = f"env {variable.get('name')}"
                yield Named(kind, ref.get("name") or "", ref.get("key") or "", bool(ref.get("optional")), via, name)


def _in_volume(volume: Json, via: str) -> Iterator[Named]:
    if volume.get("configMap"):
        yield from _with_items("ConfigMap", volume["configMap"], "name", via)
    if volume.get("secret"):
        yield from _with_items("Secret", volume["secret"], "secretName", via)
    if volume.get("persistentVolumeClaim"):
        yield Named("PersistentVolumeClaim", volume["persistentVolumeClaim"].get("claimName") or "", "", False, via, "")
    for source in (volume.get("projected") or {}).get("sources") or []:
        if source.get("configMap"):
            yield from _with_items("ConfigMap", source["configMap"], "name", via)
        if source.get("secret"):
            yield from _with_items("Secret", source["secret"], "name", via)
    for driver in ("csi", "flexVolume", "cephfs", "rbd", "iscsi", "scaleIO", "storageos"):
        ref = (volume.get(driver) or {}).get("nodePublishSecretRef") or (volume.get(driver) or {}).get("secretRef")
        if isinstance(ref, dict) and ref.get("name"):
            yield Named("Secret", ref["name"], "", False, via, "")


def _with_items(kind: str, source: Json, name_key: str, via: str) -> Iterator[Named]:
    name, optional = source.get(name_key) or "", bool(source.get("optional"))
    yield Named(kind, name, "", optional, via, "")
    for item in source.get("items") or []:
        yield Named(kind, name, item.get("key") or "", optional, via, "")
