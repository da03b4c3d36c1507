"""An object's metadata (apimachinery/pkg/api/validation/objectmeta.go, pkg/apis/core/validation ValidateObjectMeta)."""

from __future__ import annotations

from collections.abc import Mapping

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import forbidden_field, invalid_value, required, too_long
from k8sdiag.minicluster.apiserver.validation import formats
from k8sdiag.minicluster.apiserver.validation.fields import Causes, each, immutable, labels, nonnegative
from k8sdiag.minicluster.apiserver.validation.formats import Format

_MOST_ANNOTATIONS = 256 * 1024
_OWN_FINALIZERS = ("kubernetes", "orphan", "foregroundDeletion")


def create(meta: Json, namespaced: bool, name: Format, out: Causes, core: bool = True) -> None:
    """`core` kinds are stricter about finalizers than those of the extensions' servers."""
    prefix = meta.get("generateName")
    if prefix:
        each(name(formats.prefix_of(prefix)), "metadata.generateName", prefix, out)
    called = meta.get("name")
    if not called:
        out.append(required("metadata.name", "name or generateName is required"))
    else:
        each(name(called), "metadata.name", called, out)
    namespace = meta.get("namespace") or ""
    if namespaced:
        if not namespace:
            out.append(required("metadata.namespace"))
        else:
            each(formats.dns_label(namespace), "metadata.namespace", namespace, out)
    elif namespace:
        out.append(forbidden_field("metadata.namespace", "not allowed on this type"))
    nonnegative(meta.get("generation"), "metadata.generation", out)
    _contents(meta, out, core)


def update(meta: Json, old: Json, out: Causes, core: bool = True) -> None:
    if old.get("deletionTimestamp"):
        added = sorted(set(meta.get("finalizers") or ()) - set(old.get("finalizers") or ()))
        if added:
            shown = ", ".join(f'"{name}"' for name in added)
            why = "no new finalizers can be added if the object is being deleted, found new finalizers"
            out.append(forbidden_field("metadata.finalizers", f"{why} []string{{{shown}}}"))
    if not meta.get("resourceVersion"):
        out.append(invalid_value("metadata.resourceVersion", 0, "must be specified for an update"))
    if (meta.get("generation") or 0) < (old.get("generation") or 0):
        out.append(invalid_value("metadata.generation", meta.get("generation") or 0, "must not be decremented"))
    for name in ("name", "namespace", "uid"):
        immutable(meta.get(name), old.get(name), f"metadata.{name}", out)
    _contents(meta, out, core)


def _contents(meta: Json, out: Causes, core: bool) -> None:
    if meta.get("labels"):
        labels(meta["labels"], "metadata.labels", out)
    if meta.get("annotations"):
        annotation_values(meta["annotations"], "metadata.annotations", out)
    if meta.get("ownerReferences"):
        _owners(meta["ownerReferences"], out)
    if meta.get("finalizers"):
        _finalizers(meta["finalizers"], out, core)


def annotation_values(values: Mapping[str, str] | None, path: str, out: Causes) -> None:
    total = 0
    for key, value in (values or {}).items():
        for message in formats.qualified_name(key.lower()):
            out.append(invalid_value(path, key, message))
        total += len(key) + len(value or "")
    if total > _MOST_ANNOTATIONS:
        out.append(too_long(path, _MOST_ANNOTATIONS))


def _owners(owners: list[Json], out: Causes) -> None:
    path = "metadata.ownerReferences"
    controller = ""
    for owner in owners:
        if not (owner.get("apiVersion") or "").rpartition("/")[2]:
            out.append(invalid_value(f"{path}.apiVersion", owner.get("apiVersion") or "", "version must not be empty"))
        for name in ("kind", "name", "uid"):
            if not owner.get(name):
                out.append(invalid_value(f"{path}.{name}", "", "must not be empty"))
        if owner.get("kind") == "Event" and owner.get("apiVersion") == "v1":
            out.append(invalid_value(path, owner, "/v1, Kind=Event is disallowed from being an owner"))
        if owner.get("controller"):
            called = f"{owner.get('kind')}/{owner.get('name')}"
            if controller:
                why = 'Only one reference can have Controller set to true. Found "true" in references for'
                out.append(invalid_value(path, owners, f"{why} {controller} and {called}"))
            else:
                controller = called


def finalizer(name: str, path: str, out: Causes) -> None:
    """A finalizer without a domain must be one of Kubernetes' own."""
    if "/" not in name and name not in _OWN_FINALIZERS:
        out.append(invalid_value(path, name, "name is neither a standard finalizer name nor is it fully qualified"))


def _finalizers(names: list[str], out: Causes, core: bool) -> None:
    path = "metadata.finalizers"
    for name in names:
        each(formats.qualified_name(name), path, name, out)
    if "orphan" in names and "foregroundDeletion" in names:
        why = "finalizer orphan and foregroundDeletion cannot be both set"
        out.append(invalid_value(path, names, why))
    for index, name in enumerate(names if core else ()):
        finalizer(name, f"{path}[{index}]", out)
