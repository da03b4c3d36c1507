"""HorizontalPodAutoscalers (pkg/apis/autoscaling/v2/defaults.go, v1/defaults.go)."""

from __future__ import annotations

from copy import deepcopy

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.quantities import canonical

_UP: Json = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
}
_DOWN: Json = {"selectPolicy": "Max", "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]}
_METRICS: list[Json] = [
    {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}
]
_SOURCES = ("resource", "containerResource", "pods", "object", "external")


def autoscaler(obj: Json) -> None:
    inner = obj.get("spec")
    if inner is None:
        inner = obj["spec"] = {}
    if inner.get("minReplicas") is None:
        inner["minReplicas"] = 1
    if obj.get("apiVersion") == "autoscaling/v1":
        return
    if not inner.get("metrics"):
        inner["metrics"] = deepcopy(_METRICS)
    for metric in inner["metrics"]:
        for name in _SOURCES:
            target = (metric.get(name) or {}).get("target") or {}
            for key in ("value", "averageValue"):
                if target.get(key) is not None:
                    target[key] = canonical(target[key])
    behavior = inner.get("behavior")
    if behavior is not None:
        for direction, rules in (("scaleUp", _UP), ("scaleDown", _DOWN)):
            given = {key: value for key, value in (behavior.get(direction) or {}).items() if value is not None}
            behavior[direction] = deepcopy(rules) | given
    status = obj.setdefault("status", {})
    status.setdefault("currentMetrics", None)
    status.setdefault("desiredReplicas", 0)


DEFAULTS = {"horizontalpodautoscalers.autoscaling": autoscaler}
