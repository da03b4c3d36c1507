"""Budgets, autoscalers, priorities (pkg/apis/{policy,autoscaling,scheduling}/validation)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import forbidden_field, invalid_value, not_supported, required
from k8sdiag.minicluster.apiserver.quantities import nanos
from k8sdiag.minicluster.apiserver.validation import formats
from k8sdiag.minicluster.apiserver.validation.fields import (
    NOT_POSITIVE,
    Causes,
    count_or_percent,
    each,
    immutable,
    label_selector,
    nonnegative,
)
from k8sdiag.minicluster.apiserver.validation.rules import Rules

_HIGHEST = 1_000_000_000
_SOURCES = {
    "ContainerResource": "containerResource",
    "External": "external",
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
}
_SELECT = ("Disabled", "Max", "Min")


def _budget(obj: Json, out: Causes) -> None:
    spec = obj.get("spec") or {}
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    if least is not None and most is not None:
        out.append(invalid_value("spec", spec, "minAvailable and maxUnavailable cannot be both set"))
    for name, value in (("minAvailable", least), ("maxUnavailable", most)):
        if value is not None:
            count_or_percent(value, f"spec.{name}", out, most=100)
    label_selector(spec.get("selector"), "spec.selector", out)
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy is not None and policy not in ("AlwaysAllow", "IfHealthyBudget"):
        choices = ("AlwaysAllow", "IfHealthyBudget")
        out.append(not_supported("spec.unhealthyPodEvictionPolicy", policy, choices))


def _budget_status(obj: Json, _old: Json, out: Causes) -> None:
    for name in ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"):
        nonnegative((obj.get("status") or {}).get(name), f"status.{name}", out)


def _reference(of: Json, path: str, out: Causes) -> None:
    for name in ("kind", "name"):
        value = of.get(name) or ""
        if not value:
            out.append(required(f"{path}.{name}"))
        else:
            each(formats.path_segment(value), f"{path}.{name}", value, out)


def _autoscaler(obj: Json, out: Causes) -> None:
    spec = obj.get("spec") or {}
    least, most = spec.get("minReplicas"), spec.get("maxReplicas") or 0
    if least is not None and least < 1:
        out.append(invalid_value("spec.minReplicas", least, "must be greater than or equal to 1"))
    if most < 1:
        out.append(invalid_value("spec.maxReplicas", most, "must be greater than 0"))
    if least is not None and most < least:
        out.append(invalid_value("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`"))
    _reference(spec.get("scaleTargetRef") or {}, "spec.scaleTargetRef", out)
    for index, metric in enumerate(spec.get("metrics") or ()):
        _metric(metric, f"spec.metrics[{index}]", out)
    for name in ("scaleUp", "scaleDown"):
        rules = (spec.get("behavior") or {}).get(name)
        if rules is not None:
            _scaling(rules, f"spec.behavior.{name}", out)


def _metric(metric: Json, path: str, out: Causes) -> None:
    kind = metric.get("type") or ""
    if not kind:
        out.append(required(f"{path}.type", "must specify a metric source type"))
    if kind not in _SOURCES:
        out.append(not_supported(f"{path}.type", kind, tuple(_SOURCES)))
        return
    expected = _SOURCES[kind]
    given = [name for name in _SOURCES.values() if metric.get(name) is not None]
    if expected not in given:
        out.append(required(f"{path}.{expected}", "must populate information for the given metric source"))
    for name in given:
        if name != expected:
            out.append(forbidden_field(f"{path}.{name}", "must populate the given metric source only"))
    if expected in given:
        _source(metric[expected], expected, f"{path}.{expected}", out)


def _source(source: Json, kind: str, where: str, out: Causes) -> None:
    if kind in ("resource", "containerResource"):
        if not source.get("name"):
            out.append(required(f"{where}.name", "must specify a resource name"))
        if kind == "containerResource" and not source.get("container"):
            out.append(required(f"{where}.container", "must specify a container"))
    else:
        if kind == "object":
            _reference(source.get("describedObject") or {}, f"{where}.describedObject", out)
        if not (source.get("metric") or {}).get("name"):
            out.append(required(f"{where}.metric.name", "must specify a metric name"))
    _target(source.get("target") or {}, kind, f"{where}.target", out)


def _target(target: Json, source: str, path: str, out: Causes) -> None:
    kind, share = target.get("type") or "", target.get("averageUtilization")
    if kind not in ("Utilization", "Value", "AverageValue"):
        out.append(invalid_value(f"{path}.type", kind, "must be either Utilization, Value, or AverageValue"))
    for name in ("value", "averageValue"):
        if target.get(name) is not None and nanos(target[name]) <= 0:
            out.append(invalid_value(f"{path}.{name}", target[name], "must be positive"))
    if share is not None and share < 1:
        out.append(invalid_value(f"{path}.averageUtilization", share, "must be greater than 0"))
    average = target.get("averageValue")
    if source in ("resource", "containerResource"):
        if share is None and average is None:
            why = "must set either a target raw value or a target utilization"
            out.append(required(f"{path}.averageUtilization", why))
        if share is not None and average is not None:
            why = "may not set both a target raw value and a target utilization"
            out.append(forbidden_field(f"{path}.averageValue", why))
    elif source == "pods":
        if average is None or nanos(average) <= 0:
            out.append(required(f"{path}.averageValue", "must specify a positive target averageValue"))
    elif target.get("value") is None and average is None:
        why = "must set either a target value or averageValue"
        out.append(required(f"{path}.averageValue", why))


def _scaling(rules: Json, path: str, out: Causes) -> None:
    window = rules.get("stabilizationWindowSeconds")
    where = f"{path}.stabilizationWindowSeconds"
    if window is not None and window < 0:
        out.append(invalid_value(where, window, "must be greater than or equal to zero"))
    if window is not None and window > 3600:
        out.append(invalid_value(where, window, "must be less than or equal to 3600"))
    select = rules.get("selectPolicy")
    if select is not None and select not in _SELECT:
        out.append(not_supported(f"{path}.selectPolicy", select, _SELECT))
    if not rules.get("policies"):
        out.append(required(f"{path}.policies", "must specify at least one Policy"))
    for index, policy in enumerate(rules.get("policies") or ()):
        where = f"{path}.policies[{index}]"
        if policy.get("type") not in ("Pods", "Percent"):
            out.append(not_supported(f"{where}.type", policy.get("type") or "", ("Percent", "Pods")))
        for name in ("value", "periodSeconds"):
            if (policy.get(name) or 0) <= 0:
                out.append(invalid_value(f"{where}.{name}", policy.get(name) or 0, NOT_POSITIVE))
        if (policy.get("periodSeconds") or 0) > 1800:
            why = "must be less than or equal to 1800"
            out.append(invalid_value(f"{where}.periodSeconds", policy["periodSeconds"], why))


def _autoscaler_status(obj: Json, _old: Json, out: Causes) -> None:
    for name in ("currentReplicas", "desiredReplicas"):
        nonnegative((obj.get("status") or {}).get(name), f"status.{name}", out)


def _priority(obj: Json, out: Causes) -> None:
    name, value = obj["metadata"].get("name") or "", obj.get("value") or 0
    if name.startswith("system-"):
        known = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
        if known.get(name) != value:
            why = "priority class names with 'system-' prefix are reserved for system use only. error:"
            out.append(forbidden_field("metadata.name", f"{why} {name} is not a known system priority class"))
    elif value > _HIGHEST:
        why = f"maximum allowed value of a user defined priority is {_HIGHEST}"
        out.append(forbidden_field("value", why))
    preemption = obj.get("preemptionPolicy")
    if preemption is not None and preemption not in ("PreemptLowerPriority", "Never"):
        out.append(not_supported("preemptionPolicy", preemption, ("PreemptLowerPriority", "Never")))


def _priority_change(obj: Json, old: Json, out: Causes) -> None:
    if (obj.get("value") or 0) != (old.get("value") or 0):
        out.append(forbidden_field("value", "may not be changed in an update."))
    immutable(obj.get("preemptionPolicy"), old.get("preemptionPolicy"), "preemptionPolicy", out)


RULES = {
    "poddisruptionbudgets.policy": Rules(_budget, None, _budget_status, name=formats.path_segment),
    "horizontalpodautoscalers.autoscaling": Rules(_autoscaler, None, _autoscaler_status),
    "priorityclasses.scheduling.k8s.io": Rules(_priority, _priority_change),
}
