"""How far and how fast an autoscaler may go: bounds, stabilisation windows, and the policies of `spec.behavior`
(pkg/controller/podautoscaler/horizontal.go normalizeDesiredReplicas and …WithBehaviors)."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil

from k8sdiag.evidence import Json

_WINDOW = 300  # --horizontal-pod-autoscaler-downscale-stabilization
_UP_POLICIES = (
    {"type": "Pods", "value": 4, "periodSeconds": 15},
    {"type": "Percent", "value": 100, "periodSeconds": 15},
)
_DOWN_POLICIES = ({"type": "Percent", "value": 100, "periodSeconds": 15},)
_STEADY = ("ReadyForNewScale", "recommended size matches current size")
_HIGHER = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
)
_LOWER = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
)
_WITHIN = ("DesiredWithinRange", "the desired count is within the acceptable range")
_FAST_UP = ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate")
_FAST_DOWN = ("ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate")
_MANY = ("TooManyReplicas", "the desired replica count is more than the maximum replica count")
_FEW = ("TooFewReplicas", "the desired replica count is less than the minimum replica count")

Words = tuple[str, str]  # reason and message of a condition


@dataclass(slots=True)
class Past:
    """What an autoscaler has recommended and done: moments and numbers."""

    recommended: list[tuple[float, int]] = field(default_factory=list)
    ups: list[tuple[float, int]] = field(default_factory=list)
    downs: list[tuple[float, int]] = field(default_factory=list)

    def scaled(self, before: int, after: int, now: float) -> None:
        (self.ups if after > before else self.downs).append((now, abs(after - before)))
        for events in (self.ups, self.downs):
            events[:] = [event for event in events if event[0] > now - 1800]  # the longest period of a policy


@dataclass(frozen=True, slots=True)
class Limited:
    """The replicas that remain, what is said of AbleToScale, and whether and why ScalingLimited."""

    replicas: int
    able: Words
    limited: bool
    limit: Words


def limit(
    behavior: Json | None, past: Past, current: int, desired: int, bounds: tuple[int, int], now: float
) -> Limited:
    """`bounds` are the fewest and the most replicas."""
    up, down = _rules(behavior, "scaleUp"), _rules(behavior, "scaleDown")
    steady, words = _stabilize(behavior is not None, past, current, desired, (up, down), now)
    able = _STEADY if steady == desired else words
    if behavior is None:
        replicas, why = _within(current, steady, bounds)
    else:
        replicas, why = _by_rate(past, current, steady, bounds, (up, down), now)
    return Limited(replicas, able, replicas != steady, why)


def _rules(behavior: Json | None, way: str) -> Json:
    said = (behavior or {}).get(way) or {}
    window = 0 if way == "scaleUp" else _WINDOW
    given = said.get("stabilizationWindowSeconds")
    return {
        "window": window if given is None else given,
        "select": said.get("selectPolicy") or "Max",
        "policies": said.get("policies") or (_UP_POLICIES if way == "scaleUp" else _DOWN_POLICIES),
    }


def _stabilize(
    both_ways: bool, past: Past, current: int, desired: int, rules: tuple[Json, Json], now: float
) -> tuple[int, Words]:
    up, down = rules
    rising = both_ways and desired >= current
    window = up["window"] if rising else down["window"]
    recent = [number for at, number in past.recommended if at > now - window]
    steady = min([*recent, desired]) if rising else max([*recent, desired])
    oldest = now - max(up["window"], down["window"])
    past.recommended = [one for one in past.recommended if one[0] >= oldest] + [(now, desired)]
    return steady, _LOWER if rising else _HIGHER


def _within(current: int, desired: int, bounds: tuple[int, int]) -> tuple[int, Words]:
    """Without `behavior`: at most double, or four."""
    fewest, most = bounds
    fastest = max(2 * current, 4)
    if desired < fewest:
        return fewest, _FEW
    if desired > min(most, fastest):
        return min(most, fastest), _FAST_UP if most > fastest else _MANY
    return desired, _WITHIN


def _by_rate(
    past: Past, current: int, desired: int, bounds: tuple[int, int], rules: tuple[Json, Json], now: float
) -> tuple[int, Words]:
    fewest, most = bounds
    if desired > current:
        fastest = max(current, _furthest_up(rules[0], past.ups, current, now))
        if desired > min(most, fastest):
            return min(most, fastest), _FAST_UP if most > fastest else _MANY
    elif desired < current:
        slowest = min(current, _furthest_down(rules[1], past.downs, current, now))
        if desired < max(fewest, slowest):
            return max(fewest, slowest), _FAST_DOWN if fewest < slowest else _FEW
    return desired, _WITHIN


def _furthest_up(rules: Json, events: list[tuple[float, int]], current: int, now: float) -> int:
    if rules["select"] == "Disabled":
        return current
    reach = []
    for policy in rules["policies"]:
        start = current - _changed(events, policy["periodSeconds"], now)
        added = policy["value"] if policy["type"] == "Pods" else ceil(round(start * policy["value"] / 100, 9))
        reach.append(start + added)
    return int(min(reach) if rules["select"] == "Min" else max(reach))


def _furthest_down(rules: Json, events: list[tuple[float, int]], current: int, now: float) -> int:
    if rules["select"] == "Disabled":
        return current
    reach = []
    for policy in rules["policies"]:
        start = current + _changed(events, policy["periodSeconds"], now)
        taken = policy["value"] if policy["type"] == "Pods" else ceil(round(start * policy["value"] / 100, 9))
        reach.append(start - taken)
    return int(max(reach) if rules["select"] == "Min" else min(reach))


def _changed(events: list[tuple[float, int]], seconds: int, now: float) -> int:
    return sum(number for at, number in events if at > now - seconds)
