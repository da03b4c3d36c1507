"""PersistentVolumes, StorageClasses, attachments (pkg/apis/core/validation ValidatePersistentVolumeSpec,
pkg/apis/storage/validation)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import (
    forbidden_field,
    invalid_value,
    not_supported,
    required,
    too_long,
)
from k8sdiag.minicluster.apiserver.validation import formats, volume_sources
from k8sdiag.minicluster.apiserver.validation.affinity import node_selector
from k8sdiag.minicluster.apiserver.validation.claims import access_modes, volume_mode
from k8sdiag.minicluster.apiserver.validation.difference import difference
from k8sdiag.minicluster.apiserver.validation.fields import IMMUTABLE, Causes, choice, each, immutable, same
from k8sdiag.minicluster.apiserver.validation.paths import no_backsteps
from k8sdiag.minicluster.apiserver.validation.resources import positive
from k8sdiag.minicluster.apiserver.validation.rules import Rules

_RECLAIM = ("Delete", "Recycle", "Retain")
SOURCES = (
    "hostPath", "gcePersistentDisk", "awsElasticBlockStore", "glusterfs", "flocker", "nfs", "rbd", "quobyte", "cephfs",
    "iscsi", "cinder", "fc", "flexVolume", "azureFile", "vsphereVolume", "photonPersistentDisk", "portworxVolume",
    "azureDisk", "scaleIO", "local", "storageos", "csi",
)  # fmt: skip
_CSI_SECRETS = (
    "controllerPublishSecretRef",
    "controllerExpandSecretRef",
    "nodePublishSecretRef",
    "nodeExpandSecretRef",
)
_MOST_PARAMETERS = 512
_MOST_BYTES = 256 * 1024


def _volume(obj: Json, out: Causes) -> None:
    spec = obj.get("spec") or {}
    modes = spec.get("accessModes") or []
    if not modes:
        out.append(required("spec.accessModes"))
    access_modes(modes, "spec.accessModes", out)
    capacity = spec.get("capacity") or {}
    if not capacity:
        out.append(required("spec.capacity"))
    if set(capacity) != {"storage"}:
        out.append(not_supported("spec.capacity", capacity or None, ("storage",)))
    for name, value in capacity.items():
        positive(value, f"spec.capacity[{name}]", out)
    reclaim = spec.get("persistentVolumeReclaimPolicy")
    if reclaim and reclaim not in _RECLAIM:
        out.append(not_supported("spec.persistentVolumeReclaimPolicy", reclaim, _RECLAIM))
    affinity = spec.get("nodeAffinity")
    if affinity is not None:
        if affinity.get("required") is None:
            out.append(required("spec.nodeAffinity.required", "must specify required node constraints"))
        else:
            node_selector(affinity["required"], "spec.nodeAffinity.required", out)
    _source(spec, out)
    path = (spec.get("hostPath") or {}).get("path")
    if reclaim == "Recycle" and path and not path.strip("/"):
        why = "may not be 'recycle' for a hostPath mount of '/'"
        out.append(forbidden_field("spec.persistentVolumeReclaimPolicy", why))
    if spec.get("storageClassName"):
        each(formats.dns_subdomain(spec["storageClassName"]), "spec.storageClassName", spec["storageClassName"], out)
    volume_mode(spec.get("volumeMode"), "spec.volumeMode", out)


def _source(spec: Json, out: Causes) -> None:
    given = [name for name in SOURCES if spec.get(name) is not None]
    if not given:
        out.append(required("spec", "must specify a volume type"))
        return
    for name in given[1:]:
        out.append(forbidden_field(f"spec.{name}", volume_sources.ONE_TYPE))
    kind = given[0]
    source = spec[kind]
    if kind == "local":
        if not source.get("path"):
            out.append(required("spec.local.path"))
        else:
            no_backsteps(source["path"], "spec.local.path", out)
        if spec.get("nodeAffinity") is None:
            out.append(required("spec.nodeAffinity", "Local volume requires node affinity"))
    elif kind == "csi":
        volume_sources.driver_name(source.get("driver") or "", "spec.csi.driver", out)
        if not source.get("volumeHandle"):
            out.append(required("spec.csi.volumeHandle"))
        for name in _CSI_SECRETS:
            volume_sources.secret_reference(source.get(name), f"spec.csi.{name}", out)
    else:
        volume_sources.source(kind, source, "spec", out)


def _volume_change(obj: Json, old: Json, out: Causes) -> None:
    """What a volume is made of stays."""
    new, was = obj.get("spec") or {}, old.get("spec") or {}
    made, before = ({name: part[name] for name in SOURCES if part.get(name) is not None} for part in (new, was))
    if made != before:
        shown = difference("core.PersistentVolumeSource", before, made)
        why = f"spec.persistentvolumesource is immutable after creation\n{shown}"
        out.append(forbidden_field("spec.persistentvolumesource", why))
    immutable(new.get("volumeMode"), was.get("volumeMode"), "volumeMode", out)
    if was.get("nodeAffinity") and new.get("nodeAffinity") != was["nodeAffinity"]:
        why = f"{IMMUTABLE}, except for updating from beta label to GA"
        out.append(invalid_value("nodeAffinity", new.get("nodeAffinity"), why))


def _class(obj: Json, out: Causes) -> None:
    provisioner = obj.get("provisioner") or ""
    if not provisioner:
        out.append(required("provisioner"))
    else:
        each(formats.qualified_name(provisioner.lower()), "provisioner", provisioner, out)
    parameters = obj.get("parameters") or {}
    if len(parameters) > _MOST_PARAMETERS:
        out.append(too_long("parameters", _MOST_PARAMETERS))
    elif sum(len(key) + len(value) for key, value in parameters.items()) > _MOST_BYTES:
        out.append(too_long("parameters", _MOST_BYTES))
    if "" in parameters:
        out.append(invalid_value("parameters", "", "field can not be empty."))
    reclaim = obj.get("reclaimPolicy")
    if reclaim and reclaim not in ("Delete", "Retain"):
        out.append(not_supported("reclaimPolicy", reclaim, ("Delete", "Retain")))
    choice(obj.get("volumeBindingMode"), ("Immediate", "WaitForFirstConsumer"), "volumeBindingMode", out)
    for index, term in enumerate(obj.get("allowedTopologies") or ()):
        for at, requirement in enumerate(term.get("matchLabelExpressions") or ()):
            where, key = f"allowedTopologies[{index}].matchLabelExpressions[{at}]", requirement.get("key") or ""
            if not requirement.get("values"):
                out.append(required(f"{where}.values"))
            each(formats.qualified_name(key), f"{where}.key", key, out)


def _class_change(obj: Json, old: Json, out: Causes) -> None:
    for name in ("parameters", "provisioner", "reclaimPolicy"):
        if not same(obj.get(name), old.get(name)):
            out.append(forbidden_field(name, f"updates to {name} are forbidden."))
    immutable(obj.get("volumeBindingMode"), old.get("volumeBindingMode"), "volumeBindingMode", out)


def _attachment(obj: Json, out: Causes) -> None:
    spec = obj.get("spec") or {}
    source, node = spec.get("source") or {}, spec.get("nodeName") or ""
    if not spec.get("attacher"):
        out.append(required("spec.attacher"))
    if source.get("persistentVolumeName") is None and source.get("inlineVolumeSpec") is None:
        why = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
        out.append(required("spec.source", why))
    each(formats.dns_subdomain(node), "spec.nodeName", node, out)


def _attachment_change(obj: Json, old: Json, out: Causes) -> None:
    immutable(obj.get("spec"), old.get("spec"), "spec", out)


def _driver_name(name: str) -> formats.Messages:
    return formats.dns_subdomain(name.lower())


GROUP = "storage.k8s.io"
RULES = {
    "persistentvolumes": Rules(_volume, _volume_change),
    f"storageclasses.{GROUP}": Rules(_class, _class_change),
    f"volumeattachments.{GROUP}": Rules(_attachment, _attachment_change),
    f"csidrivers.{GROUP}": Rules(name=_driver_name),
}
