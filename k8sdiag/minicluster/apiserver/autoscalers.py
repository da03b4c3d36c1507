"""HorizontalPodAutoscalers between autoscaling/v2 and v1, which knows one metric and keeps the others, the conditions
and the behaviour in annotations (pkg/apis/autoscaling/v1/conversion.go, annotations.go)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from k8sdiag.evidence import Json

STORAGE = "horizontalpodautoscalers.autoscaling"
_PREFIX = "autoscaling.alpha.kubernetes.io/"
_METRICS, _CURRENT = f"{_PREFIX}metrics", f"{_PREFIX}current-metrics"
_CONDITIONS, _BEHAVIOR = f"{_PREFIX}conditions", f"{_PREFIX}behavior"
_PERCENT = "targetCPUUtilizationPercentage"
_CURRENT_PERCENT = "currentCPUUtilizationPercentage"


def to_v1(obj: Json) -> Json:
    spec: Json = {**(obj.get("spec") or {})}
    status: Json = {**(obj.get("status") or {})}
    notes: dict[str, str] = {}
    percent, metrics = _split(spec.pop("metrics", None) or [], "target")
    if percent is not None:
        spec[_PERCENT] = percent
    _note(notes, _METRICS, [_old_metric(metric, "target") for metric in metrics])
    percent, current = _split(status.pop("currentMetrics", None) or [], "current")
    if percent is not None:
        status[_CURRENT_PERCENT] = percent
    _note(notes, _CURRENT, [_old_metric(metric, "current") for metric in current])
    _note(notes, _CONDITIONS, status.pop("conditions", None))
    _note(notes, _BEHAVIOR, spec.pop("behavior", None))
    meta = {**obj["metadata"]}
    if notes:
        meta["annotations"] = {**(meta.get("annotations") or {}), **notes}
    return {**obj, "apiVersion": "autoscaling/v1", "metadata": meta, "spec": spec, "status": status}


def to_v2(obj: Json) -> Json:
    spec: Json = {**(obj.get("spec") or {})}
    status: Json = {**(obj.get("status") or {})}
    meta = {**(obj.get("metadata") or {})}
    notes = {**(meta.get("annotations") or {})}
    metrics = [_new_metric(metric, "target") for metric in _read(notes, _METRICS) or []]
    percent = spec.pop(_PERCENT, None)
    if percent is not None:
        metrics.insert(0, _cpu("target", percent))
    current = [_new_metric(metric, "current") for metric in _read(notes, _CURRENT) or []]
    percent = status.pop(_CURRENT_PERCENT, None)
    if percent is not None:
        current.insert(0, _cpu("current", percent))
    for part, name, value in (
        (spec, "metrics", metrics),
        (status, "currentMetrics", current),
        (status, "conditions", _read(notes, _CONDITIONS)),
        (spec, "behavior", _read(notes, _BEHAVIOR)),
    ):
        if value:
            part[name] = value
    if notes:
        meta["annotations"] = notes
    else:
        meta.pop("annotations", None)
    return {**obj, "apiVersion": "autoscaling/v2", "metadata": meta, "spec": spec, "status": status}


def _note(notes: dict[str, str], name: str, value: Any) -> None:
    if value:
        notes[name] = orjson.dumps(value).decode()


def _read(notes: dict[str, str], name: str) -> Any:
    """What an annotation says; nothing where it is none of ours."""
    text = notes.pop(name, "")
    try:
        return orjson.loads(text) if text else None
    except orjson.JSONDecodeError:
        return None


def _cpu(side: str, percent: int) -> Json:
    target: Json = {"averageUtilization": percent}
    if side == "target":
        target = {"type": "Utilization", **target}
    return {"type": "Resource", "resource": {"name": "cpu", side: target}}


def _split(metrics: list[Json], side: str) -> tuple[int | None, list[Json]]:
    """The CPU's utilization, which v1 has a field for, and the others."""
    for metric in metrics:
        resource = metric.get("resource") or {}
        percent = (resource.get(side) or {}).get("averageUtilization")
        if metric.get("type") == "Resource" and resource.get("name") == "cpu" and percent is not None:
            return percent, [other for other in metrics if other is not metric]
    return None, metrics


# By source, the old name of each value of a metric; a source's other parts stay as they are.
_OLD_VALUES: dict[str, dict[str, str]] = {
    "resource": {"averageUtilization": "AverageUtilization", "averageValue": "AverageValue"},
    "containerResource": {"averageUtilization": "AverageUtilization", "averageValue": "AverageValue"},
    "pods": {"averageValue": "AverageValue"},
    "object": {"value": "Value", "averageValue": "AverageValue"},
    "external": {"value": "Value", "averageValue": "AverageValue"},
}


def _each(metric: Json, change: Callable[[str, Json], Json]) -> Json:
    return {
        key: change(key, value) if key in _OLD_VALUES and isinstance(value, dict) else value
        for key, value in metric.items()
    }


def _old_metric(metric: Json, side: str) -> Json:
    """`{resource: {name, target: {averageValue}}}` to `{resource: {name, targetAverageValue}}`."""

    def change(source: str, held: Json) -> Json:
        made = {key: value for key, value in held.items() if key not in (side, "metric", "describedObject")}
        for name, old in _OLD_VALUES[source].items():
            value = (held.get(side) or {}).get(name)
            if value is not None:
                # An object's average keeps its short name.
                made["averageValue" if (source, name) == ("object", "averageValue") else f"{side}{old}"] = value
        identity = held.get("metric") or {}
        if identity:
            made["metricName"] = identity.get("name", "")
            if identity.get("selector") is not None:
                made["metricSelector" if source == "external" else "selector"] = identity["selector"]
        if held.get("describedObject") is not None:
            made["target"] = held["describedObject"]
        return made

    return _each(metric, change)


def _new_metric(metric: Json, side: str) -> Json:
    """The way back."""

    def change(source: str, held: Json) -> Json:
        values: Json = {}
        made: Json = {"name": held["name"]} if source in ("resource", "containerResource") and "name" in held else {}
        if "container" in held:
            made["container"] = held["container"]
        for name, old in _OLD_VALUES[source].items():
            value = held.get("averageValue" if (source, name) == ("object", "averageValue") else f"{side}{old}")
            if value is not None:
                values[name] = value
        if side == "target" and values:
            kinds = {"averageUtilization": "Utilization", "averageValue": "AverageValue", "value": "Value"}
            values = {"type": next(kinds[name] for name in kinds if name in values), **values}
        if "metricName" in held:
            made["metric"] = {"name": held["metricName"]}
            selector = held.get("metricSelector") or held.get("selector")
            if selector is not None:
                made["metric"]["selector"] = selector
        if source == "object" and isinstance(held.get("target"), dict):
            made["describedObject"] = held["target"]
        made[side] = values
        return made

    return _each(metric, change)
