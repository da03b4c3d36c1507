"""Scales workloads by what their pods use (pkg/controller/podautoscaler/horizontal.go)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from k8sdiag.clock import format_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.amounts import Amount, parse
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.controllers import Context
from k8sdiag.minicluster.controllers.autoscaling_limits import Past, limit
from k8sdiag.minicluster.controllers.autoscaling_metrics import MetricError, Proposal, Target, propose
from k8sdiag.minicluster.kinds import Resource

NAME = "horizontal-pod-autoscaler"

_PERIOD = 15.0  # --horizontal-pod-autoscaler-sync-period
_MILLI = 10**6  # of an Amount's nanos

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Scale:
    """The workload as an autoscaler sees it."""

    resource: Resource
    replicas: int
    selector: Json | None


@dataclass(slots=True)
class _Pass:
    """One look at one autoscaler: its status in the making."""

    hpa: Json
    conditions: list[Json]
    now: float
    metrics: list[Json] = field(default_factory=list)
    scaled_at: str = ""

    def condition(self, kind: str, status: bool, reason: str, message: str) -> None:
        word = "True" if status else "False"
        old = next((one for one in self.conditions if one["type"] == kind), None)
        since = old["lastTransitionTime"] if old and old["status"] == word else format_time(self.now)
        made = {"type": kind, "status": word, "lastTransitionTime": since, "reason": reason, "message": message}
        if old is None:
            self.conditions = [*self.conditions, made]
        else:
            self.conditions = [made if one["type"] == kind else one for one in self.conditions]


class _NoScaleError(Exception):
    """The target cannot be scaled; the text says why."""


def start(context: Context) -> None:
    _Autoscalers(context)


class _Autoscalers:
    def __init__(self, context: Context) -> None:
        self._client, self._clock, self._events = context.client, context.clock, context.events
        self._registry, self._metrics = context.registry, context.metrics
        self._past: dict[Key, Past] = {}
        self._queue = context.loop.queue("autoscalers", self._sync)
        self._client.watch("horizontalpodautoscalers", self._on_hpa)

    def _on_hpa(self, kind: str, hpa: Json, old: Json | None) -> None:
        key = (hpa["metadata"]["namespace"], hpa["metadata"]["name"])
        if kind == "DELETED":
            self._past.pop(key, None)
            self._queue.forget(key)
        elif old is None or old["spec"] != hpa["spec"]:
            self._queue.add(key)

    def _sync(self, key: Key) -> float | None:
        hpa = self._client.find("horizontalpodautoscalers", *key)
        if hpa is None:
            return None
        status = hpa.get("status") or {}
        look = _Pass(hpa, status.get("conditions") or [], self._clock.now())
        current, desired = status.get("currentReplicas", 0), status.get("desiredReplicas", 0)
        look.metrics = status.get("currentMetrics") or []
        try:
            scale = self._scale(hpa)
        except _NoScaleError as why:
            self._events.event(hpa, "Warning", "FailedGetScale", str(why))
            text = f"the HPA controller was unable to get the target's current scale: {why}"
            look.condition("AbleToScale", False, "FailedGetScale", text)
        else:
            look.condition(
                "AbleToScale",
                True,
                "SucceededGetScale",
                "the HPA controller was able to get the target's current scale",
            )
            current, desired = self._autoscale(key, look, scale, desired)
        self._write(look, current, desired)
        return _PERIOD

    def _scale(self, hpa: Json) -> _Scale:
        reference, namespace = hpa["spec"]["scaleTargetRef"], hpa["metadata"]["namespace"]
        version, kind = reference.get("apiVersion", ""), reference["kind"]
        resource = self._registry.of(version, kind)
        if resource is None:
            raise _NoScaleError(f'no matches for kind "{kind}" in group "{version.rpartition("/")[0]}"')
        found = self._client.find(resource.qualified, namespace, reference["name"])
        if found is None:
            raise _NoScaleError(f'{resource.qualified} "{reference["name"]}" not found')
        if "scale" not in resource.subresources:
            raise _NoScaleError("the server could not find the requested resource")
        spec = found.get("spec") or {}
        selector = spec.get("selector")
        if isinstance(selector, dict) and not {"matchLabels", "matchExpressions"} & set(selector):
            selector = {"matchLabels": selector}
        replicas = spec.get("replicas")
        return _Scale(resource, 1 if replicas is None else replicas, selector)

    def _autoscale(self, key: Key, look: _Pass, scale: _Scale, desired: int) -> tuple[int, int]:
        """Decide, and scale. The current and the desired number."""
        spec = look.hpa["spec"]
        fewest = 1 if spec.get("minReplicas") is None else spec["minReplicas"]
        most, current = spec["maxReplicas"], scale.replicas
        past = self._past.setdefault(key, Past([(look.now, current)]))
        if current == 0 and fewest:
            text = "scaling is disabled since the replica count of the target is zero"
            look.condition("ScalingActive", False, "ScalingDisabled", text)
            return current, 0
        if current > most:
            wanted, reason = most, "Current number of replicas above Spec.MaxReplicas"
        elif current < fewest:
            wanted, reason = fewest, "Current number of replicas below Spec.MinReplicas"
        else:
            try:
                proposed, name = self._compute(look, scale)
            except MetricError as why:
                self._events.event(look.hpa, "Warning", "FailedComputeMetricsReplicas", str(why))
                return current, desired
            reason = f"{name} above target" if proposed > current else "All metrics below target"
            limited = limit(spec.get("behavior"), past, current, proposed, (fewest, most), look.now)
            look.condition("AbleToScale", True, *limited.able)
            look.condition("ScalingLimited", limited.limited, *limited.limit)
            wanted = limited.replicas
        if wanted == current:
            return current, current
        return current, self._rescale(look, scale, wanted, reason, past)

    def _rescale(self, look: _Pass, scale: _Scale, wanted: int, reason: str, past: Past) -> int:
        meta, reference = look.hpa["metadata"], look.hpa["spec"]["scaleTargetRef"]
        body = {
            "kind": "Scale",
            "apiVersion": "autoscaling/v1",
            "metadata": {"name": reference["name"], "namespace": meta["namespace"]},
            "spec": {"replicas": wanted},
        }
        try:
            self._client.update(scale.resource.qualified, body, subresource="scale")
        except ApiError as refused:
            text = f"New size: {wanted}; reason: {reason}; error: {refused.message}"
            self._events.event(look.hpa, "Warning", "FailedRescale", text)
            text = f"the HPA controller was unable to update the target scale: {refused.message}"
            look.condition("AbleToScale", False, "FailedUpdateScale", text)
            return int((look.hpa.get("status") or {}).get("desiredReplicas", 0))
        text = f"the HPA controller was able to update the target scale to {wanted}"
        look.condition("AbleToScale", True, "SucceededRescale", text)
        self._events.event(look.hpa, "Normal", "SuccessfulRescale", f"New size: {wanted}; reason: {reason}")
        past.scaled(scale.replicas, wanted, look.now)
        look.scaled_at = format_time(look.now)
        return wanted

    def _compute(self, look: _Pass, scale: _Scale) -> tuple[int, str]:
        """The most that any metric asks for, and the name of that metric (computeReplicasForMetrics)."""
        if not scale.selector:
            self._events.event(look.hpa, "Warning", "SelectorRequired", "selector is required")
            look.condition("ScalingActive", False, "InvalidSelector", "the HPA target's scale is missing a selector")
            raise MetricError("selector is required")
        pods = self._client.list("pods", look.hpa["metadata"]["namespace"], selector=scale.selector)
        figures = self._metrics.pods(pods)
        specs = look.hpa["spec"].get("metrics") or [_CPU_METRIC]
        replicas, name, statuses = 0, "", []
        failed: list[_InvalidMetricError] = []
        for metric in specs:
            try:
                proposal, called, status = _proposal(metric, scale.replicas, pods, figures, look.now)
            except _InvalidMetricError as why:
                failed.append(why)
                self._events.event(look.hpa, "Warning", why.reason, why.text)
                continue
            statuses.append(status)
            if not name or proposal.replicas > replicas:
                replicas, name = proposal.replicas, called
        look.metrics = statuses
        if failed and (len(failed) == len(specs) or replicas < scale.replicas):
            first = failed[0]
            text = f"the HPA was unable to compute the replica count: {first.text}"
            look.condition("ScalingActive", False, first.reason, text)
            text = f"invalid metrics ({len(failed)} invalid out of {len(specs)}), first error is: {first.complaint}"
            raise MetricError(text)
        text = f"the HPA was able to successfully calculate a replica count from {name}"
        look.condition("ScalingActive", True, "ValidMetricFound", text)
        return replicas, name

    def _write(self, look: _Pass, current: int, desired: int) -> None:
        old = look.hpa.get("status") or {}
        status: Json = {"currentReplicas": current, "desiredReplicas": desired}
        scaled_at = look.scaled_at or old.get("lastScaleTime")
        if scaled_at:
            status = {"lastScaleTime": scaled_at, **status}
        status["currentMetrics"] = look.metrics or None
        status["conditions"] = look.conditions
        if status != {"currentMetrics": None, **old}:
            self._client.update("horizontalpodautoscalers", {**look.hpa, "status": status}, subresource="status")


_CPU_METRIC: Json = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
}


class _InvalidMetricError(Exception):
    """A metric that yields nothing: the event's reason and text, and how the whole complaint begins."""

    def __init__(self, reason: str, text: str, complaint: str) -> None:
        super().__init__(text)
        self.reason, self.text, self.complaint = reason, text, complaint


def _proposal(
    metric: Json, current: int, pods: list[Json], figures: list[Json], now: float
) -> tuple[Proposal, str, Json]:
    """What one metric asks for, its name in events, and its entry in `currentMetrics`."""
    kind = metric["type"]
    if kind not in ("Resource", "ContainerResource"):
        group = "external" if kind == "External" else "custom"
        word = "object" if kind == "Object" else kind.lower()
        why = f"unable to get metrics: no {group} metrics API is served"
        text = f"failed to get {word} metric value: {why}"
        raise _InvalidMetricError(f"FailedGet{kind}Metric", why, text)
    part = "resource" if kind == "Resource" else "containerResource"
    source: dict[str, Any] = metric[part]
    name, container = source["name"], source.get("container", "")
    aim = source["target"]
    amount = parse(aim["averageValue"]) if aim.get("averageValue") is not None else None
    of_container = " container" if container else ""
    target = Target(name, container, aim.get("averageUtilization"), None if amount is None else amount.milli)
    if target.average is not None:
        target = Target(name, container, None, target.average)
    try:
        proposal = propose(current, target, pods, figures, now)
    except MetricError as why:
        text = f"failed to get {name} {'usage' if target.utilization is None else 'utilization'}: {why}"
        complaint = f"failed to get {name}{of_container} resource metric value: {text}"
        raise _InvalidMetricError(f"FailedGet{kind}Metric", text, complaint) from why
    called = f"{name}{of_container} resource" + (
        " utilization (percentage of request)" if proposal.utilization is not None else ""
    )
    value: Json = {"averageValue": str(Amount(proposal.raw * _MILLI))}
    if proposal.utilization is not None:
        value = {"averageUtilization": proposal.utilization, **value}
    status = {"type": kind, part: {"name": name, **({"container": container} if container else {}), "current": value}}
    return proposal, called, status
