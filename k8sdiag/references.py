"""Names inside specs: image references, and the ConfigMaps, Secrets, claims and accounts that a pod names; and which of
those are not there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from k8sdiag.evidence import CLUSTER_SCOPED, Json, Ref, Snapshot, event_message, ref_of
from k8sdiag.patterns import regex
from k8sdiag.podstate import containers_of


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


def claim_names(pod: Json) -> list[str]:
    """Names of the claims a pod mounts, generic ephemeral volumes included (`POD-VOLUME`)."""
    names = []
    for volume in (pod.get("spec") or {}).get("volumes") or []:
        if volume.get("persistentVolumeClaim"):
            names.append(volume["persistentVolumeClaim"].get("claimName") or "")
        elif volume.get("ephemeral"):
            names.append(f"{(pod.get('metadata') or {}).get('name')}-{volume.get('name')}")
    return names


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


class Lack(NamedTuple):
    """Something named that is not there: `what` is object or key; `there` the names of the kind, or the keys of the
    object, that do exist."""

    named: Named
    what: str
    there: tuple[str, ...]

    @property
    def message(self) -> str:
        """In the kubelet's words."""
        if self.what == "object":
            return f'{self.named.kind.lower()} "{self.named.name}" not found'
        where = (
            "configmap references non-existent config"
            if self.named.kind == "ConfigMap"
            else "references non-existent secret"
        )
        return f"{where} key: {self.named.key}"

    @property
    def text(self) -> str:
        """As evidence."""
        if self.what == "object":
            return f"{self.named.kind} {self.named.name}: not found; named by {self.named.via}"
        have = f"{self.named.kind} {self.named.name} has keys [{', '.join(self.there)}], not {self.named.key}"
        return f"{have}; named by {self.named.via}"


PUBLISHED = frozenset({"kube-root-ca.crt", "openshift-service-ca.crt", "service-ca.crt"})
"""ConfigMaps that controllers put into every namespace; most recordings leave them out."""

_KINDS = {"configmap": "ConfigMap", "secret": "Secret", "persistentvolumeclaim": "PersistentVolumeClaim"}
_NOT_FOUND = regex(r'\b(configmap|secret|persistentvolumeclaim) "([^"]+)" not found')


def lacks(snapshot: Snapshot, pod: Json) -> tuple[Lack, ...]:
    """What a pod names and what is not there now; also on the word of the kubelet or the scheduler, where nobody listed
    the kind."""
    mark = ("lacks", ref_of(pod))
    if mark not in snapshot.memo:
        snapshot.memo[mark] = tuple(_lacks(snapshot, pod))
    found: tuple[Lack, ...] = snapshot.memo[mark]
    return found


def _lacks(snapshot: Snapshot, pod: Json) -> Iterator[Lack]:
    seen: set[tuple[str, str, str, str]] = set()
    denied = _denied(snapshot, pod)
    for named in names_in(pod):
        mark = (named.kind, named.name, named.key, named.container)
        lack = _lack(snapshot, pod, named, denied)
        if lack and mark not in seen:
            seen.add(mark)
            yield lack


def _denied(snapshot: Snapshot, pod: Json) -> set[tuple[str, str]]:
    waiting = [(container.status.get("state") or {}).get("waiting") or {} for container in containers_of(pod)]
    said = [state.get("message") or "" for state in waiting]
    events = snapshot.events_of(ref_of(pod), pod["metadata"].get("uid") or "")
    said += [event_message(event) for event in events if event.get("reason") in ("FailedMount", "FailedScheduling")]
    return {(_KINDS[kind], name) for text in said for kind, name in _NOT_FOUND.findall(text)}


def _lack(snapshot: Snapshot, pod: Json, named: Named, denied: set[tuple[str, str]]) -> Lack | None:
    namespace = "" if named.kind in CLUSTER_SCOPED else pod["metadata"].get("namespace") or ""
    obj = snapshot.get(named.kind, namespace, named.name)
    if obj is None:
        ref = Ref(named.kind, namespace, named.name)
        known = snapshot.exists(*ref) is False and (named.name not in PUBLISHED or ref in snapshot.missing)
        if not known and (named.kind, named.name) not in denied:
            return None
        names = {other["metadata"]["name"] for other in snapshot.of_kind(named.kind, namespace)}
        return Lack(named, "object", tuple(sorted(names - PUBLISHED)))
    if named.key and named.kind in ("ConfigMap", "Secret"):
        keys = [*(obj.get("data") or {}), *(obj.get("binaryData") or {}), *(obj.get("stringData") or {})]
        if named.key not in keys:
            return Lack(named, "key", tuple(keys))
    return None
