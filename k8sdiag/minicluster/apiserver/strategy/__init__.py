"""What the server does of its own to an object that is being written, kind by kind (pkg/registry/*/*/strategy.go):
status and spec each have their own door, and `metadata.generation` counts changes of what is wanted."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.kinds import Resource


def prepare_create(resource: Resource, obj: Json) -> None:
    """Change a new object, which is the handler's own, in place."""
    if "status" in resource.subresources and resource.plural != "nodes":
        obj.pop("status", None)
    if "spec" in obj and "status" in resource.subresources:
        obj["metadata"]["generation"] = 1


def prepare_update(_resource: Resource, obj: Json, old: Json, subresource: str) -> None:
    """Change the new state of an object, whose top level and metadata are the handler's own, in place."""
    if subresource == "status":
        status = obj.get("status")
        for key in [key for key in obj if key not in ("metadata", "status")]:
            del obj[key]
        obj |= {key: value for key, value in old.items() if key not in ("metadata", "status")}
        if status is not None:
            obj["status"] = status
    elif "status" in old:
        obj["status"] = old["status"]
    else:
        obj.pop("status", None)
    if "generation" in old["metadata"] and obj.get("spec") != old.get("spec"):
        obj["metadata"]["generation"] = old["metadata"]["generation"] + 1
