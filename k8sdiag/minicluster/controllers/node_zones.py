"""How fast pods are driven from nodes that do not answer, zone by zone.

Where most nodes of a zone are silent, the fault is more likely the network's, and nobody is driven away
(node_lifecycle_controller.go handleDisruption, ComputeZoneState, setLimiterInZone).
"""

from __future__ import annotations

from k8sdiag.evidence import Json

_RATE = 0.1  # nodes a second: --node-eviction-rate
_SLOW = 0.01  # --secondary-node-eviction-rate
_LARGE = 50  # --large-cluster-size-threshold
_UNHEALTHY = 0.55  # --unhealthy-zone-threshold

NORMAL, PARTIAL, FULL = "Normal", "PartialDisruption", "FullDisruption"


def zone_of(node: Json) -> str:
    """Region and zone as one word; '' where a node says neither."""
    labels = node["metadata"].get("labels") or {}
    region, zone = labels.get("topology.kubernetes.io/region", ""), labels.get("topology.kubernetes.io/zone", "")
    return f"{region}:{zone}" if region or zone else ""


class Zones:
    """Which nodes are ready, by zone."""

    def __init__(self) -> None:
        self._nodes: dict[str, tuple[str, bool]] = {}
        self._counts: dict[str, list[int]] = {}  # zone to [ready, not ready]

    def put(self, name: str, zone: str, ready: bool) -> None:
        self.drop(name)
        self._nodes[name] = (zone, ready)
        self._counts.setdefault(zone, [0, 0])[not ready] += 1

    def drop(self, name: str) -> None:
        old = self._nodes.pop(name, None)
        if old is not None:
            counts = self._counts[old[0]]
            counts[not old[1]] -= 1
            if counts == [0, 0]:
                del self._counts[old[0]]

    def state(self, zone: str) -> str:
        ready, silent = self._counts.get(zone, (0, 0))
        if not ready and silent:
            return FULL
        if silent > 2 and silent / (silent + ready) >= _UNHEALTHY:
            return PARTIAL
        return NORMAL

    def all_silent(self) -> bool:
        """No node anywhere is ready: the fault is on our side."""
        return bool(self._counts) and all(not ready for ready, _ in self._counts.values())

    def rate(self, zone: str) -> float:
        """Nodes a second that may be emptied."""
        if self.all_silent():
            return 0.0
        if self.state(zone) != PARTIAL:
            return _RATE
        return _SLOW if sum(self._counts[zone]) > _LARGE else 0.0
