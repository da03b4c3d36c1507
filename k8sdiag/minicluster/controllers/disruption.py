"""How many pods of each PodDisruptionBudget may be taken down right now
(pkg/controller/disruption/disruption.go)."""

from __future__ import annotations

from math import ceil

from k8sdiag.clock import format_time, parse_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.controllers import Context
from k8sdiag.minicluster.controllers.service_pods import is_ready
from k8sdiag.minicluster.events import Recorder
from k8sdiag.selectors import matches_selector

NAME = "disruption-controller"

_DELETION = 120.0  # how long a pod that was evicted has to go
_MANY, _GATHER = 100, 1.0
_SCALED = {
    ("apps", "ReplicaSet"): "replicasets",
    ("apps", "StatefulSet"): "statefulsets",
    ("apps", "Deployment"): "deployments",
    ("", "ReplicationController"): "replicationcontrollers",
}

Key = tuple[str, str]


class _CountError(Exception):
    """The pods that there are to be cannot be counted; the text says why."""


def start(context: Context) -> None:
    _Budgets(context)


class _Budgets:
    def __init__(self, context: Context) -> None:
        self._client, self._clock, self._registry = context.client, context.clock, context.registry
        self._events = Recorder(context.client, context.clock, "controllermanager")
        self._budgets: dict[str, dict[str, Json]] = {}
        self._queue = context.loop.queue("disruption-budgets", self._sync)
        self._client.watch("poddisruptionbudgets", self._on_budget)
        self._client.watch("pods", self._on_pod)

    def _on_budget(self, kind: str, budget: Json, old: Json | None) -> None:
        meta = budget["metadata"]
        if kind == "DELETED":
            self._budgets.get(meta["namespace"], {}).pop(meta["name"], None)
            return
        self._budgets.setdefault(meta["namespace"], {})[meta["name"]] = budget
        if old is None or old.get("spec") != budget.get("spec") or old.get("status") != budget.get("status"):
            self._queue.add((meta["namespace"], meta["name"]))

    def _on_pod(self, kind: str, pod: Json, old: Json | None) -> None:
        budgets = self._budgets.get(pod["metadata"]["namespace"])
        if not budgets or (kind == "MODIFIED" and old is not None and _essence(old) == _essence(pod)):
            return
        both = (pod, old) if old is not None else (pod,)
        for name, budget in budgets.items():
            selector = budget["spec"].get("selector")
            if any(matches_selector(selector, one["metadata"].get("labels")) for one in both):
                many = ((budget.get("status") or {}).get("expectedPods") or 0) > _MANY
                self._queue.add((pod["metadata"]["namespace"], name), _GATHER if many else 0.0)

    def _sync(self, key: Key) -> float | None:
        budget = self._client.find("poddisruptionbudgets", *key)
        if budget is None or budget["metadata"].get("deletionTimestamp"):
            return None
        pods = self._client.list("pods", key[0], selector=budget["spec"].get("selector"))
        if not pods:
            self._events.event(budget, "Normal", "NoPods", "No matching pods found")
        try:
            expected, desired = self._counts(budget, pods)
        except _CountError as why:
            text = f"Failed to calculate the number of expected pods: {why}"
            self._events.event(budget, "Warning", "CalculateExpectedPodCountFailed", text)
            self._write(budget, {"disruptionsAllowed": 0}, ("False", "SyncFailed", str(why)))
            return 30.0
        now = self._clock.now()
        disrupted, again = self._disrupted(budget, pods, now)
        healthy = sum(
            1
            for pod in pods
            if not pod["metadata"].get("deletionTimestamp")
            and pod["metadata"]["name"] not in disrupted
            and is_ready(pod)
        )
        allowed = max(0, healthy - desired) if expected > 0 else 0
        counts: Json = {
            "disruptionsAllowed": allowed,
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "expectedPods": expected,
        }
        if disrupted:
            counts["disruptedPods"] = disrupted
        condition = ("True", "SufficientPods", "") if allowed > 0 else ("False", "InsufficientPods", "")
        self._write(budget, counts, condition)
        return again

    def _counts(self, budget: Json, pods: list[Json]) -> tuple[int, int]:
        """How many pods there are to be, and how many of them healthy."""
        spec = budget["spec"]
        if spec.get("maxUnavailable") is not None:
            expected = self._expected(pods)
            return expected, max(0, expected - _share(spec["maxUnavailable"], expected))
        least = spec.get("minAvailable")
        if least is None:
            return 0, 0
        if isinstance(least, int):
            return len(pods), least
        expected = self._expected(pods)
        return expected, _share(least, expected)

    def _expected(self, pods: list[Json]) -> int:
        """The replicas that the pods' controllers ask for."""
        scales: dict[str, int] = {}
        for pod in pods:
            owner = _controller(pod)
            if owner is None:
                raise _CountError(f'found no controller ref for pod "{pod["metadata"]["name"]}"')
            if owner["uid"] not in scales:
                uid, replicas = self._scale(pod["metadata"]["namespace"], owner)
                scales[owner["uid"]] = 0  # a ReplicaSet that belongs to a Deployment counts as that
                scales[uid] = replicas
        return sum(scales.values())

    def _scale(self, namespace: str, owner: Json) -> tuple[str, int]:
        group = owner["apiVersion"].rpartition("/")[0]
        word = _SCALED.get((group, owner["kind"]))
        if word is None:
            resource = self._registry.of(owner["apiVersion"], owner["kind"])
            if resource is None or "scale" not in resource.subresources:
                what = f"{owner['kind'].lower()}s" + (f".{group}" if group else "")
                raise _CountError(f"{what} does not implement the scale subresource")
            word = resource.qualified
        found = self._client.find(word, namespace, owner["name"])
        if found is None or found["metadata"]["uid"] != owner["uid"]:
            return owner["uid"], 0
        above = _controller(found)
        if word == "replicasets" and above is not None and above["kind"] == "Deployment":
            deployment = self._client.find("deployments", namespace, above["name"])
            if deployment is not None and deployment["metadata"]["uid"] == above["uid"]:
                found = deployment
        replicas = found["spec"].get("replicas")
        return str(found["metadata"]["uid"]), 1 if replicas is None else int(replicas)

    def _disrupted(self, budget: Json, pods: list[Json], now: float) -> tuple[dict[str, str], float | None]:
        """Pods that an eviction has taken and that are not going yet; after two minutes they count again."""
        held = (budget.get("status") or {}).get("disruptedPods") or {}
        left: dict[str, str] = {}
        again: float | None = None
        for pod in pods:
            name = pod["metadata"]["name"]
            if name not in held or pod["metadata"].get("deletionTimestamp"):
                continue
            until = (parse_time(held[name]) or 0.0) + _DELETION
            if until <= now:
                meta = budget["metadata"]
                text = f"Pod was expected by PDB {meta['namespace']}/{meta['name']} to be deleted but it wasn't"
                self._events.event(pod, "Warning", "NotDeleted", text)
                continue
            left[name] = held[name]
            again = min(until - now, again if again is not None else until - now)
        return left, again

    def _write(self, budget: Json, counts: Json, condition: tuple[str, str, str]) -> None:
        old = budget.get("status") or {}
        held = old.get("conditions") or []
        known = next((one for one in held if one["type"] == "DisruptionAllowed"), None)
        generation = budget["metadata"].get("generation", 1)
        status, reason, message = condition
        since = known["lastTransitionTime"] if known and known["status"] == status else format_time(self._clock.now())
        made = {
            "type": "DisruptionAllowed",
            "status": status,
            "observedGeneration": generation,
            "lastTransitionTime": since,
            "reason": reason,
            "message": message,
        }
        if reason == "SyncFailed":
            counts = {**old, **counts}
        conditions = [made if one["type"] == "DisruptionAllowed" else one for one in held] if known else [*held, made]
        fresh = {"observedGeneration": generation, **counts, "conditions": conditions}
        if fresh != old:
            self._client.update("poddisruptionbudgets", {**budget, "status": fresh}, subresource="status")


def _share(value: int | str, of: int) -> int:
    """A number, or a percentage rounded up (GetScaledValueFromIntOrPercent)."""
    if isinstance(value, int):
        return value
    return ceil(of * float(value.rstrip("%") or 0) / 100)


def _controller(obj: Json) -> Json | None:
    return next((one for one in obj["metadata"].get("ownerReferences") or () if one.get("controller")), None)


def _essence(pod: Json) -> tuple[object, ...]:
    return (pod["metadata"].get("labels"), bool(pod["metadata"].get("deletionTimestamp")), is_ready(pod))
