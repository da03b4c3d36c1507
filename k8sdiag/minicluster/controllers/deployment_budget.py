"""How many pods more or fewer a rolling update may have (pkg/controller/deployment/util/deployment_util.go
ResolveFenceposts, MaxSurge, MaxUnavailable; apimachinery/pkg/util/intstr)."""

from __future__ import annotations

import math
from typing import Any

from k8sdiag.evidence import Json


def scaled(value: Any, whole: int, *, up: bool) -> int:
    """`3`, or `"25%"` of a whole, rounded up or down."""
    if isinstance(value, str) and value.endswith("%"):
        share = int(value[:-1]) * whole / 100
        return math.ceil(share) if up else math.floor(share)
    return int(value or 0)


def rolling(deployment: Json) -> bool:
    return bool((deployment["spec"].get("strategy") or {}).get("type", "RollingUpdate") == "RollingUpdate")


def _fences(deployment: Json) -> tuple[int, int]:
    desired = int(deployment["spec"]["replicas"])
    update = (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    more = scaled(update.get("maxSurge", "25%"), desired, up=True)
    fewer = scaled(update.get("maxUnavailable", "25%"), desired, up=False)
    # Both at zero would stand still for ever: percentages that round down to it allow one.
    return more, fewer if more or fewer else 1


def surge(deployment: Json) -> int:
    return _fences(deployment)[0] if rolling(deployment) else 0


def unavailable(deployment: Json) -> int:
    desired = int(deployment["spec"]["replicas"])
    return min(_fences(deployment)[1], desired) if rolling(deployment) and desired else 0
