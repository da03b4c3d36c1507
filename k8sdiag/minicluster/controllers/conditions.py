"""Conditions of workloads, as lists that are never changed in place (deployment_util.go, replica_set_utils.go)."""

from __future__ import annotations

from k8sdiag.evidence import Json

Conditions = list[Json]


def find(conditions: Conditions, kind: str) -> Json | None:
    return next((condition for condition in conditions if condition["type"] == kind), None)


def true(conditions: Conditions, kind: str) -> bool:
    condition = find(conditions, kind)
    return condition is not None and condition["status"] == "True"


def without(conditions: Conditions, kind: str) -> Conditions:
    return [condition for condition in conditions if condition["type"] != kind]


def put(conditions: Conditions, new: Json) -> Conditions:
    """With `new` at the end, unless the same status and reason are there; the time of the last change of status stays
    where the status does."""
    known = find(conditions, new["type"])
    if known is not None:
        if known["status"] == new["status"] and known.get("reason") == new.get("reason"):
            return conditions
        if known["status"] == new["status"]:
            new = {**new, "lastTransitionTime": known["lastTransitionTime"]}
    return [*without(conditions, new["type"]), new]
