"""A pod's volumes (pkg/apis/core/validation ValidateVolumes, validateVolumeSource)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import duplicate, forbidden_field, invalid_value, required
from k8sdiag.minicluster.apiserver.quantities import nanos
from k8sdiag.minicluster.apiserver.validation import formats, volume_files, volume_sources
from k8sdiag.minicluster.apiserver.validation.claims import claim_spec
from k8sdiag.minicluster.apiserver.validation.fields import Causes, each, labels
from k8sdiag.minicluster.apiserver.validation.metadata import annotation_values
from k8sdiag.minicluster.apiserver.validation.volume_sources import ONE_TYPE

Volumes = dict[str, Json]

# Sources beside those that PersistentVolumes have too, in the order in which Kubernetes looks at them.
_ORDER = (
    "emptyDir", "hostPath", "gitRepo", "gcePersistentDisk", "awsElasticBlockStore", "secret", "nfs", "iscsi",
    "glusterfs", "flocker", "persistentVolumeClaim", "rbd", "cinder", "cephfs", "quobyte", "downwardAPI", "fc",
    "flexVolume", "configMap", "azureFile", "vsphereVolume", "photonPersistentDisk", "portworxVolume", "azureDisk",
    "storageos", "projected", "scaleIO", "csi", "ephemeral", "image",
)  # fmt: skip
_KNOWN = frozenset(_ORDER)


def volumes(items: list[Json], pod: str, path: str, out: Causes) -> Volumes:
    """Complain of what is wrong, and give the good ones by name. `pod`: the pod's name, '' in a template."""
    found: Volumes = {}
    made = {f"{pod}-{item.get('name')}" for item in items if pod and item.get("ephemeral") is not None}
    for index, item in enumerate(items):
        where = f"{path}[{index}]"
        before = len(out)
        _source(item, pod, where, out)
        name = item.get("name") or ""
        if not name:
            out.append(required(f"{where}.name"))
        else:
            each(formats.dns_label(name), f"{where}.name", name, out)
        if name in found:
            out.append(duplicate(f"{where}.name", name))
        if len(out) == before:
            found[name] = item
        claimed = (item.get("persistentVolumeClaim") or {}).get("claimName")
        if claimed in made:
            why = "must not reference a PVC that gets created for an ephemeral volume"
            out.append(invalid_value(f"{where}.persistentVolumeClaim.claimName", claimed, why))
    return found


def _source(item: Json, pod: str, path: str, out: Causes) -> None:
    given = [name for name in item if name in _KNOWN and item[name] is not None]
    if len(given) > 1:
        given.sort(key=_ORDER.index)
        # Only the first is looked into; the message for the downward API has a letter too few, as the real one has.
        for name in given[1:]:
            called = {"downwardAPI": "downwarAPI", "cephfs": "cephFS"}.get(name, name)
            out.append(forbidden_field(f"{path}.{called}", ONE_TYPE))
    if not given:
        out.append(required(path, "must specify a volume type"))
        return
    _look(given[0], item, pod, path, out)


def _look(kind: str, item: Json, pod: str, path: str, out: Causes) -> None:
    source, where = item[kind], f"{path}.{kind}"
    if kind == "emptyDir":
        if source.get("sizeLimit") is not None and nanos(source["sizeLimit"]) < 0:
            out.append(forbidden_field(f"{where}.sizeLimit", "SizeLimit field must be a valid resource quantity"))
    elif kind in volume_files.SOURCES:
        volume_files.SOURCES[kind](source, where, out)
    elif kind == "persistentVolumeClaim":
        if not source.get("claimName"):
            out.append(required(f"{where}.claimName"))
    elif kind == "ephemeral":
        _ephemeral(source, item.get("name") or "", pod, path, out)
    elif kind == "csi":
        volume_sources.driver_name(source.get("driver") or "", f"{where}.driver", out)
        secret = source.get("nodePublishSecretRef")
        if secret is not None and not secret.get("name"):
            out.append(required(f"{where}.nodePublishSecretRef.name"))
        elif secret is not None:
            each(formats.dns_subdomain(secret["name"]), f"{where}.name", secret["name"], out)
    elif kind == "image":
        if pod and not source.get("reference"):
            out.append(required(f"{where}.reference"))
    else:
        volume_sources.source(kind, source, path, out)


def _ephemeral(source: Json, name: str, pod: str, path: str, out: Causes) -> None:
    where = f"{path}.ephemeral.volumeClaimTemplate"
    template = source.get("volumeClaimTemplate")
    if template is None:
        out.append(required(where))
    else:
        meta = template.get("metadata") or {}
        annotation_values(meta.get("annotations"), f"{where}.metadata.annotations", out)
        labels(meta.get("labels"), f"{where}.metadata.labels", out)
        claim_spec(template.get("spec") or {}, f"{where}.spec", out)
    if pod and name:
        claim = f"{pod}-{name}"
        for message in formats.dns_subdomain(claim):
            out.append(invalid_value(f"{path}.name", name, f'PVC name "{claim}": {message}'))
