"""StatefulSets: pods with names and claims of their own, made and replaced in order
(pkg/controller/statefulset/stateful_set.go, stateful_set_control.go)."""

from __future__ import annotations

from dataclasses import dataclass, field

from k8sdiag.evidence import Json
from k8sdiag.minicluster.controllers import Context
from k8sdiag.minicluster.controllers.adoption import Adoption, OwnerKind, label_selector
from k8sdiag.minicluster.controllers.ownership import Key, key_of
from k8sdiag.minicluster.controllers.patience import patience
from k8sdiag.minicluster.controllers.pod_states import available_in, finished, phase_of, terminating
from k8sdiag.minicluster.controllers.revisions import History, history_of, template_of, truncate
from k8sdiag.minicluster.controllers.stateful_control import StatefulControl
from k8sdiag.minicluster.controllers.stateful_pods import (
    available_now,
    first_ordinal,
    healthy,
    make_pod,
    ordinal_of,
    ready_now,
    revision_of,
)

NAME = "statefulset-controller"


def start(context: Context) -> None:
    _StatefulSets(context)


@dataclass(slots=True)
class _Look:
    """One look at a set: its pods by place, those that are too many, and the revisions that count."""

    set: Json
    pods: list[Json]
    history: History
    current: Json
    now: float
    made: list[str] = field(default_factory=list)  # revisions of pods made just now
    gone: list[str] = field(default_factory=list)  # and of those deleted

    @property
    def ordered(self) -> bool:
        return bool(self.set["spec"].get("podManagementPolicy", "OrderedReady") == "OrderedReady")

    @property
    def update(self) -> str:
        return str(self.history.update["metadata"]["name"])

    def places(self) -> dict[int, Json | None]:
        """The pods that are wanted, by ordinal; None where one is missing."""
        first, count = first_ordinal(self.set), self.set["spec"].get("replicas", 1)
        found: dict[int, Json | None] = dict.fromkeys(range(first, first + count))
        for pod in self.pods:
            ordinal = ordinal_of(self.set, pod)
            if ordinal is not None and ordinal in found:
                found[ordinal] = pod
        return found

    def condemned(self) -> list[tuple[int, Json]]:
        """The pods that are not, the last one first."""
        wanted = self.places()
        numbered = ((ordinal_of(self.set, pod), pod) for pod in self.pods)
        extra = [(ordinal, pod) for ordinal, pod in numbered if ordinal is not None and ordinal not in wanted]
        return sorted(extra, key=lambda entry: entry[0], reverse=True)


class _StatefulSets:
    def __init__(self, context: Context) -> None:
        self._client, self._clock = context.client, context.clock
        self._control = StatefulControl(context.client, context.events)
        owner = OwnerKind("apps/v1", "StatefulSet", "statefulsets", label_selector)
        self._adoption = Adoption(context.client, owner, "pods")
        self._queue = context.loop.queue("statefulsets", self._sync)
        self._client.watch("statefulsets", self._on_set)
        self._client.watch("pods", self._on_pod)

    def _on_set(self, change: str, stateful_set: Json, _: Json | None) -> None:
        self._adoption.see_owner(change, stateful_set)
        if change == "DELETED":
            self._queue.forget(key_of(stateful_set))
        else:
            self._queue.add(key_of(stateful_set))

    def _on_pod(self, change: str, pod: Json, old: Json | None) -> None:
        for key in self._adoption.see_child(change, pod, old):
            self._queue.add(key, patience(self._client.find("statefulsets", *key)))

    def _sync(self, key: Key) -> float | None:
        stateful_set = self._client.find("statefulsets", *key)
        if stateful_set is None:
            return None
        pods = [pod for pod in self._adoption.claim(stateful_set) if ordinal_of(stateful_set, pod) is not None]
        history = history_of(self._client, stateful_set, "apps/v1", "StatefulSet")
        name = (stateful_set.get("status") or {}).get("currentRevision", "")
        current = history.named(name) or history.update
        look = _Look(stateful_set, pods, history, current, self._clock.now())
        try:
            if "deletionTimestamp" not in stateful_set["metadata"]:
                self._work(look)
        finally:
            self._report(look)
        live = {revision_of(pod) for pod in pods} | {current["metadata"]["name"]}
        truncate(self._client, stateful_set, history, live)
        return available_in(pods, stateful_set["spec"].get("minReadySeconds", 0), look.now)

    # ---- pods

    def _work(self, look: _Look) -> None:
        for ordinal, pod in look.places().items():
            if not self._fill(look, ordinal, pod):
                return
        worst = self._first_unhealthy(look)
        for ordinal, pod in look.condemned():
            if not self._remove(look, ordinal, pod, worst):
                return
        if look.set["spec"].get("updateStrategy", {}).get("type") != "OnDelete":
            self._replace(look)

    def _fill(self, look: _Look, ordinal: int, pod: Json | None) -> bool:
        """Bring one place in order; whether to go on to the next."""
        if pod is None:
            revision = self._revision_for(look, ordinal)
            name = revision["metadata"]["name"]
            self._control.create(look.set, make_pod(look.set, template_of(revision), name, ordinal), ordinal)
            look.made.append(name)
            return not look.ordered
        if finished(pod):
            if not terminating(pod):
                self._control.delete(look.set, pod)
                look.gone.append(revision_of(pod))
            return False
        if phase_of(pod) == "Pending":
            self._control.ensure_claims(look.set, pod, ordinal)
        if look.ordered and not healthy(look.set, pod, look.now):
            return False
        if not terminating(pod):
            self._control.repair(look.set, pod, ordinal)
        return True

    def _revision_for(self, look: _Look, ordinal: int) -> Json:
        """Below the partition the old template stays (newVersionedStatefulSetPod)."""
        strategy = look.set["spec"].get("updateStrategy") or {}
        rolling = strategy.get("rollingUpdate")
        if strategy.get("type", "RollingUpdate") != "RollingUpdate":
            return look.history.update
        if rolling is None:
            old = (look.set.get("status") or {}).get("currentReplicas", 0)
        else:
            old = rolling.get("partition", 0)
        return look.current if ordinal < first_ordinal(look.set) + old else look.history.update

    def _first_unhealthy(self, look: _Look) -> str:
        """The pod with the smallest ordinal that does not work: it may be removed without waiting for it."""
        pods = [pod for pod in look.places().values() if pod is not None]
        for pod in [*pods, *(pod for _, pod in reversed(look.condemned()))]:
            if not healthy(look.set, pod, look.now):
                return str(pod["metadata"]["uid"])
        return ""

    def _remove(self, look: _Look, ordinal: int, pod: Json, worst: str) -> bool:
        """Delete a pod that is too many; whether to go on to the next."""
        if terminating(pod):
            return not look.ordered
        if look.ordered and not available_now(look.set, pod, look.now) and pod["metadata"]["uid"] != worst:
            return False
        self._control.hand_claims(look.set, pod, ordinal, condemned=True)
        self._control.delete(look.set, pod)
        look.gone.append(revision_of(pod))
        return not look.ordered

    def _replace(self, look: _Look) -> None:
        """Rolling update: delete the last pod that has an old template, once all after it are healthy."""
        partition = (look.set["spec"].get("updateStrategy", {}).get("rollingUpdate") or {}).get("partition", 0)
        lowest = first_ordinal(look.set) + partition
        for ordinal, pod in reversed(look.places().items()):
            if ordinal < lowest or pod is None:
                return
            if revision_of(pod) != look.update and not terminating(pod):
                self._control.delete(look.set, pod)
                look.gone.append(revision_of(pod))
                return
            if not healthy(look.set, pod, look.now):
                return

    # ---- status

    def _report(self, look: _Look) -> None:
        before, status = look.set.get("status") or {}, _status(look)
        if status != before:
            fresh = self._client.find("statefulsets", *key_of(look.set))
            if fresh is not None:
                self._client.update("statefulsets", {**fresh, "status": status}, "status")


def _status(look: _Look) -> Json:
    current, update = look.current["metadata"]["name"], look.update
    living = [revision_of(pod) for pod in look.pods if not terminating(pod)] + look.made
    for revision in look.gone:
        if revision in living:
            living.remove(revision)
    counts = {
        "replicas": len(look.pods) + len(look.made),
        "readyReplicas": sum(map(ready_now, look.pods)),
        "currentReplicas": living.count(current),
        "updatedReplicas": living.count(update),
    }
    wanted = look.set["spec"].get("replicas", 1)
    rolls = (look.set["spec"].get("updateStrategy") or {}).get("type", "RollingUpdate") == "RollingUpdate"
    if rolls and counts["updatedReplicas"] == counts["readyReplicas"] == counts["replicas"] == wanted:
        counts["currentReplicas"], current = counts["updatedReplicas"], update
    status: Json = {"observedGeneration": look.set["metadata"].get("generation", 0), "replicas": counts.pop("replicas")}
    status |= {name: count for name, count in counts.items() if count}
    status |= {"currentRevision": current, "updateRevision": update, "collisionCount": look.history.collisions}
    known = (look.set.get("status") or {}).get("conditions")
    if known:
        status["conditions"] = known
    status["availableReplicas"] = sum(available_now(look.set, pod, look.now) for pod in look.pods)
    return status
