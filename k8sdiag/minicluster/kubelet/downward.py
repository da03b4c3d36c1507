"""What a container can learn of its own pod: field and resource references (the downward API;
pkg/fieldpath, pkg/api/v1/resource/helpers.go)."""

from __future__ import annotations

from math import ceil

from k8sdiag.evidence import Json
from k8sdiag.patterns import regex
from k8sdiag.quantity import parse_quantity

_SUBSCRIPT = regex(r"(metadata\.(?:labels|annotations))\['(.*)'\]")


def field(pod: Json, path: str, host: str, addresses: tuple[str, ...]) -> str:
    """The value of a fieldRef."""
    meta, spec = pod["metadata"], pod["spec"]
    found = _SUBSCRIPT.fullmatch(path)
    if found:
        return str((meta.get(found[1].partition(".")[2]) or {}).get(found[2], ""))
    if path in ("metadata.labels", "metadata.annotations"):
        values = meta.get(path.partition(".")[2]) or {}
        return "\n".join(f'{key}="{_quoted(str(value))}"' for key, value in sorted(values.items()))
    known = {
        "metadata.name": meta["name"],
        "metadata.namespace": meta["namespace"],
        "metadata.uid": meta["uid"],
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", ""),
        "status.hostIP": host,
        "status.hostIPs": host,
        "status.podIP": addresses[0] if addresses else "",
        "status.podIPs": ",".join(addresses),
    }
    return str(known.get(path, ""))


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def resource(pod: Json, reference: Json, container: Json, node: Json | None) -> str:
    """The value of a resourceFieldRef; a limit that is not set is what the node has."""
    name = reference.get("containerName")
    for group in ("initContainers", "containers"):
        for other in pod["spec"].get(group) or ():
            if other["name"] == name:
                container = other
    kind, _, what = str(reference.get("resource", "")).partition(".")
    amounts = (container.get("resources") or {}).get(kind) or {}
    text = amounts.get(what)
    if text is None:
        allocatable = ((node or {}).get("status") or {}).get("allocatable") or {}
        text = allocatable.get(what, "0") if kind == "limits" else "0"
    divisor = parse_quantity(reference.get("divisor") or "1") or 1.0
    return str(ceil(round((parse_quantity(text) or 0.0) / (divisor or 1.0), 6)))
