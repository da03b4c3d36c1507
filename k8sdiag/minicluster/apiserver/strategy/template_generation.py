"""The number of a DaemonSet's template, which apps/v1 shows as an annotation only
(pkg/registry/apps/daemonset/strategy.go, pkg/apis/apps/v1/conversion.go)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.kinds import Resource

_ANNOTATION = "deprecated.daemonset.template.generation"
_DAEMON_SETS = "daemonsets.apps"


def first_template(kept: Resource, obj: Json) -> None:
    if kept.storage == _DAEMON_SETS:
        _put(obj, 1)


def next_template(kept: Resource, obj: Json, old: Json, subresource: str) -> None:
    """The old number, or one more where pods are to be made differently. What a request says of it does not count."""
    if kept.storage != _DAEMON_SETS:
        return
    text = (old["metadata"].get("annotations") or {}).get(_ANNOTATION, "")
    number = int(text) if text.isdigit() else 1
    changed = not subresource and obj["spec"].get("template") != old["spec"].get("template")
    _put(obj, number + 1 if changed else number)


def _put(obj: Json, number: int) -> None:
    obj["metadata"]["annotations"] = {**(obj["metadata"].get("annotations") or {}), _ANNOTATION: str(number)}
