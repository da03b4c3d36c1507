"""How pods of the new template take the place of the old ones: step by step or all at once, and how a size is shared
out among several replica sets (pkg/controller/deployment/rolling.go, recreate.go, sync.go scale)."""

from __future__ import annotations

import math

from k8sdiag.evidence import Json
from k8sdiag.minicluster.controllers.deployment_budget import rolling, surge, unavailable
from k8sdiag.minicluster.controllers.deployment_history import (
    DESIRED,
    MOST,
    active,
    by_age,
    counted,
    number,
    replicas_of,
    total,
)
from k8sdiag.minicluster.controllers.deployment_sets import DeploymentSets


def roll(sets: DeploymentSets) -> bool:
    """One step of a rolling update; whether anything was resized."""
    if sets.new is not None and sets.change_size(sets.new, _new_size(sets)):
        return True
    return _shrink_old(sets)


def _new_size(sets: DeploymentSets) -> int:
    assert sets.new is not None  # noqa: S101 - the caller has looked
    return sets.desired if replicas_of(sets.new) > sets.desired else sets.room()


def _shrink_old(sets: DeploymentSets) -> bool:
    old = active(sets.old)
    if not old or any(counted(entry, "availableReplicas") > replicas_of(entry) for entry in sets.all):
        return False  # the last change of size has not come through yet: what is available is not known
    least = sets.desired - unavailable(sets.deployment)
    waiting = replicas_of(sets.new) - counted(sets.new, "availableReplicas") if sets.new is not None else 0
    most = total(sets.all) - least - waiting
    if most <= 0:
        return False
    sick = _shrink_sick(sets, most)
    return _shrink_healthy(sets, least) or sick


def _shrink_sick(sets: DeploymentSets, most: int) -> bool:
    """Pods that do not work anyway go first: they cost no availability."""
    gone = 0
    for entry in by_age(active(sets.old)):
        size = replicas_of(entry)
        cut = min(most - gone, size - counted(entry, "availableReplicas"))
        if cut > 0:
            sets.change_size(entry, size - cut)
            gone += cut
    return gone > 0


def _shrink_healthy(sets: DeploymentSets, least: int) -> bool:
    spare = sum(counted(entry, "availableReplicas") for entry in sets.all) - least
    changed = False
    for entry in by_age(active(sets.old)):
        cut = min(replicas_of(entry), spare)
        if cut > 0:
            sets.change_size(entry, replicas_of(entry) - cut)
            spare -= cut
            changed = True
    return changed


def empty_old(sets: DeploymentSets) -> bool:
    """Recreate: every old replica set to nothing."""
    changed = [sets.change_size(entry, 0) for entry in active(sets.old)]
    return any(changed)


# ---- another size in the middle of a rollout


def rescaled(sets: DeploymentSets) -> bool:
    """Whether the deployment was given another size since its replica sets were sized last."""
    return any(
        DESIRED in (entry["metadata"].get("annotations") or {}) and number(entry, DESIRED) != sets.desired
        for entry in active(sets.all)
    )


def share_out(sets: DeploymentSets) -> None:
    """Bring the replica sets to the deployment's size: the only one, or each by its share."""
    running = active(sets.all)
    if len(running) <= 1:
        latest = running[0] if running else sets.new or (by_age(sets.old)[-1] if sets.old else None)
        if latest is not None:
            sets.resize(latest, sets.desired)
        return
    if sets.new is not None and _saturated(sets, sets.new):
        empty_old(sets)
    elif rolling(sets.deployment):
        _share_by_size(sets, running)


def _saturated(sets: DeploymentSets, new: Json) -> bool:
    """Whether the new replica set alone is all that is wanted, so that the others are not needed."""
    sizes = (replicas_of(new), number(new, DESIRED), counted(new, "availableReplicas"))
    return all(size == sets.desired for size in sizes)


def _share_by_size(sets: DeploymentSets, running: list[Json]) -> None:
    allowed = sets.desired + surge(sets.deployment) if sets.desired else 0
    change = allowed - total(running)
    aged = by_age(running) if change < 0 else by_age(running)[::-1]
    ordered = sorted(aged, key=replicas_of, reverse=True)
    sizes, given = [], 0
    for entry in ordered:
        part = _part(sets, entry, change, given) if change else 0
        sizes.append(replicas_of(entry) + part)
        given += part
    sizes[0] = max(0, sizes[0] + change - given)  # what rounding left over
    for entry, size in zip(ordered, sizes, strict=True):
        sets.resize(entry, size)


def _part(sets: DeploymentSets, entry: Json, change: int, given: int) -> int:
    """This replica set's share of the change (GetReplicaSetProportion)."""
    left, size = change - given, replicas_of(entry)
    if not left:
        return 0
    if not sets.desired:
        share = -size
    else:
        status = sets.deployment.get("status") or {}
        before = number(entry, MOST) or int(status.get("replicas", 0)) or 1
        share = math.floor(size * (sets.desired + surge(sets.deployment)) / before + 0.5) - size
    return min(share, left) if change > 0 else max(share, left)
