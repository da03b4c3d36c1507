"""Who owns an object: controller references, as apimachinery/pkg/apis/meta/v1/controller_ref.go has them."""

from __future__ import annotations

from k8sdiag.evidence import Json

Key = tuple[str, str]  # namespace, name


def key_of(obj: Json) -> Key:
    meta = obj["metadata"]
    return meta.get("namespace", ""), meta["name"]


def controller_of(obj: Json) -> Json | None:
    """The one owner reference that says `controller: true`."""
    for reference in obj["metadata"].get("ownerReferences") or ():
        if reference.get("controller"):
            found: Json = reference
            return found
    return None


def controlled_by(obj: Json, owner: Json) -> bool:
    reference = controller_of(obj)
    return reference is not None and bool(reference["uid"] == owner["metadata"]["uid"])


def owner_key(obj: Json, kind: str) -> Key | None:
    """The key of the controller, where it is of this kind."""
    reference = controller_of(obj)
    if reference is None or reference["kind"] != kind:
        return None
    return obj["metadata"].get("namespace", ""), reference["name"]


def reference_to(owner: Json, api_version: str, kind: str) -> Json:
    """The controller reference that an owner puts into what it makes."""
    return {
        "apiVersion": api_version,
        "kind": kind,
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
