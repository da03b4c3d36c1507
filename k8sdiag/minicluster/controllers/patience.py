"""How long a change of a pod may wait for others before its owner looks: counting ten thousand pods for each of ten
thousand changes would take for ever. Small owners look at once, as a real controller does."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.quantity import count_of

_CALM = 100
_PER_REPLICA = 0.0001
_LONGEST = 1.0


def patience(owner: Json | None) -> float:
    """Seconds, by the owner's `spec.replicas`."""
    count = count_of(owner["spec"].get("replicas")) if owner is not None else 0
    return 0.0 if count <= _CALM else min(count * _PER_REPLICA, _LONGEST)
