"""What validation says of an object: makers of objects, and the texts of the causes."""

from __future__ import annotations

import copy
from typing import Any

import yaml

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import defaults
from k8sdiag.minicluster.apiserver.validation import validate
from k8sdiag.minicluster.kinds import Registry

REGISTRY = Registry()
POD = "{containers: [{name: a, image: busybox}]}"


def parsed(text: str) -> Any:
    return yaml.safe_load(text)


def made(kind: str, text: str, name: str = "x", **metadata: Any) -> Json:
    """An object of a kind (`pods`) with the fields in `text`, filled in as the server would."""
    resource = REGISTRY.named(kind)
    obj: Json = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": name, **metadata}}
    if resource.namespaced:
        obj["metadata"]["namespace"] = "shop"
    obj |= parsed(text) or {}
    defaults.apply(resource, obj)
    obj["metadata"]["uid"] = "u-1"
    defaults.prepare(resource, obj)
    return obj


def said(kind: str, obj: Json, old: Json | None = None, subresource: str = "") -> list[str]:
    if old is not None:
        for one in (obj, old):
            one["metadata"].setdefault("resourceVersion", "1")
    return [str(cause) for cause in validate(REGISTRY.named(kind), obj, old, subresource)]


def complaints(kind: str, text: str, name: str = "x", **metadata: Any) -> list[str]:
    return said(kind, made(kind, text, name, **metadata))


def changed(kind: str, before: str, after: str, subresource: str = "") -> list[str]:
    """What is said of an update from the one to the other; each is the object's fields as YAML."""
    old = made(kind, before)
    new = copy.deepcopy(made(kind, after))
    return said(kind, new, old, subresource)
