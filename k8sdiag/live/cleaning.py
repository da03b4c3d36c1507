"""What an API server answers, made fit to be evidence.

The values of Secrets and ConfigMaps end here: whatever this module returns holds the keys only, so nothing behind it
has to be trusted with them. `managedFields` and the last-applied annotation go too: they are large, and the annotation
may repeat a Secret. Items of lists carry no kind of their own; it is taken from the list's.
"""

from __future__ import annotations

from k8sdiag.evidence import Json

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def clean(answer: Json, secret: bool) -> Json:
    """The answer, stripped in place. `secret` says that Secrets were asked for, whatever the answer calls itself."""
    kind = str(answer.get("kind") or "")
    items = answer.get("items")
    if not isinstance(items, list):
        return _strip(answer, secret)
    item_kind = kind.removesuffix("List")
    answer["items"] = [_strip(item, secret) for item in items if isinstance(item, dict)]
    for item in answer["items"]:
        item.setdefault("kind", item_kind)
        item.setdefault("apiVersion", answer.get("apiVersion") or "")
        if item_kind in ("Secret", "ConfigMap") and not secret:
            _strip(item, secret=True)
    return answer


def _strip(obj: Json, secret: bool) -> Json:
    metadata = obj.get("metadata")
    if isinstance(metadata, dict):
        metadata.pop("managedFields", None)
        if isinstance(metadata.get("annotations"), dict):
            metadata["annotations"].pop(_LAST_APPLIED, None)
    if secret or obj.get("kind") in ("Secret", "ConfigMap"):
        for field in ("data", "stringData", "binaryData"):
            if field in obj:
                obj[field] = dict.fromkeys(obj[field] or {}, "") if isinstance(obj[field], dict | None) else {}
    return obj
