"""What the server itself knows about a write and puts into the object: who asked for a certificate, since when a volume
is in its phase, the other form of a node's range of addresses (pkg/registry/certificates/certificates/strategy.go,
pkg/registry/core/persistentvolume/strategy.go, pkg/apis/core/v1/conversion.go)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.request import User
from k8sdiag.minicluster.kinds import Resource


def stamp_create(kept: Resource, obj: Json, user: User, now: str) -> None:
    """Complete a new object, whose top level is the handler's own."""
    if kept.storage == "certificatesigningrequests.certificates.k8s.io":
        obj["spec"] = _requested(obj.get("spec") or {}, user)
        obj["status"] = {}
    elif kept.storage == "persistentvolumes":
        obj["status"] = {"phase": "Pending", "lastPhaseTransitionTime": now}
    elif kept.storage == "nodes":
        _ranges(obj)


def stamp_update(kept: Resource, obj: Json, old: Json, subresource: str, now: str) -> None:
    """Complete the new state of an object, whose top level is the handler's own."""
    if kept.storage == "persistentvolumes" and subresource == "status":
        status, was = obj.get("status") or {}, old.get("status") or {}
        if status.get("phase") != was.get("phase") and _time(status) in ("", _time(was)):
            obj["status"] = {**status, "lastPhaseTransitionTime": now}
    elif kept.storage == "nodes" and not subresource:
        _ranges(obj)
    elif kept.storage == "certificatesigningrequests.certificates.k8s.io" and not subresource:
        obj["spec"] = old.get("spec") or {}


def _time(status: Json) -> str:
    return str(status.get("lastPhaseTransitionTime") or "")


def _requested(spec: Json, user: User) -> Json:
    made = {name: value for name, value in spec.items() if name not in ("username", "uid", "groups", "extra")}
    who = {
        "username": user.name,
        "uid": user.uid,
        "groups": list(user.groups),
        "extra": {name: list(values) for name, values in user.extra.items()},
    }
    return made | {name: value for name, value in who.items() if value}


def _ranges(node: Json) -> None:
    """The one range of addresses and the list of them say the same."""
    spec = node.get("spec") or {}
    one, several = spec.get("podCIDR"), spec.get("podCIDRs")
    if one and not several:
        node["spec"] = {**spec, "podCIDRs": [one]}
    elif several and not one:
        node["spec"] = {**spec, "podCIDR": several[0]}
