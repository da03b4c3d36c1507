"""Volumes that carry a zone or region as labels (plugins/volumezone/volume_zone.go): the old way of saying where a disk
is, still written by cloud controllers."""

from __future__ import annotations

from k8sdiag.minicluster.scheduler.nodes import NodeInfo
from k8sdiag.minicluster.scheduler.plugin import Filter, World
from k8sdiag.minicluster.scheduler.pods import PodInfo
from k8sdiag.minicluster.scheduler.status import Status, unresolvable

NAME = "VolumeZone"
_CONFLICT = unresolvable(NAME, "node(s) had no available volume zone")
_TODAYS = {
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
}
_KEYS = (*_TODAYS, *_TODAYS.values())

State = list[tuple[str, frozenset[str]]]


def prepare(pod: PodInfo, world: World) -> State | None:
    wanted: State = []
    for name, _ in pod.claims:
        claim = world.objects.find("persistentvolumeclaims", pod.namespace, name) or {}
        volume_name = (claim.get("spec") or {}).get("volumeName")
        volume = world.objects.find("persistentvolumes", "", volume_name) if volume_name else None
        labels = ((volume or {}).get("metadata") or {}).get("labels") or {}
        wanted += [(key, frozenset(labels[key].split("__"))) for key in _KEYS if key in labels]
    return wanted or None


def check(state: State, _pod: PodInfo, node: NodeInfo) -> Status | None:
    labels = node.labels
    if not any(key in labels for key in _KEYS):
        return None
    for key, values in state:
        value = labels.get(key)
        if value is None and key in _TODAYS:
            value = labels.get(_TODAYS[key])
        if value is None or value not in values:
            return _CONFLICT
    return None


FILTER = Filter(NAME, prepare, check)
