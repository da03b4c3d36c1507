"""So many pods of one template: what ReplicaSet and ReplicationController have in common
(pkg/controller/replicaset/replica_set.go, replica_set_utils.go)."""

from __future__ import annotations

from typing import Any

from k8sdiag.clock import format_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.controllers import Context, conditions
from k8sdiag.minicluster.controllers.adoption import Adoption, OwnerKind
from k8sdiag.minicluster.controllers.ownership import Key, key_of, reference_to
from k8sdiag.minicluster.controllers.patience import patience
from k8sdiag.minicluster.controllers.pod_control import PodControl, pod_from
from k8sdiag.minicluster.controllers.pod_states import active, available, available_in, ready
from k8sdiag.minicluster.controllers.victims import victims
from k8sdiag.quantity import count_of

BURST = 500  # pods made or deleted at one look


class Replicas:
    """The controller of one of the two kinds."""

    def __init__(self, context: Context, owner: OwnerKind) -> None:
        self._client, self._clock, self._owner = context.client, context.clock, owner
        self._pods = PodControl(context.client, context.events)
        self._adoption = Adoption(context.client, owner, "pods")
        self._queue = context.loop.queue(owner.resource, self._sync)
        self._client.watch(owner.resource, self._on_owner)
        self._client.watch("pods", self._on_pod)

    def _on_owner(self, change: str, owner: Json, old: Json | None) -> None:
        self._adoption.see_owner(change, owner)
        if change == "DELETED":
            self._queue.forget(key_of(owner))
        elif old is None or owner["spec"] != old["spec"]:
            self._queue.add(key_of(owner))
        else:
            self._queue.add(key_of(owner), patience(owner))

    def _on_pod(self, change: str, pod: Json, old: Json | None) -> None:
        for key in self._adoption.see_child(change, pod, old):
            self._queue.add(key, patience(self._client.find(self._owner.resource, *key)))

    def _sync(self, key: Key) -> float | None:
        owner = self._client.find(self._owner.resource, *key)
        if owner is None:
            return None
        pods = [pod for pod in self._adoption.claim(owner) if active(pod)]
        failure: ApiError | None = None
        if "deletionTimestamp" not in owner["metadata"]:
            failure = self._adjust(owner, pods)
            owner = self._client.find(self._owner.resource, *key)
            if owner is None:
                return None
        # What was made or deleted just now counts from the next look on, which its events call for.
        again = self._report(owner, pods, failure)
        if failure is not None:
            raise failure
        return again

    def _adjust(self, owner: Json, pods: list[Json]) -> ApiError | None:
        """Make what is missing, or delete what is too much. What went wrong first."""
        missing = count_of(owner["spec"].get("replicas")) - len(pods)
        if missing > 0:
            reference = reference_to(owner, self._owner.api_version, self._owner.kind)
            pod = pod_from(owner["spec"]["template"], owner, reference)
            return self._pods.create_many([pod] * min(missing, BURST), owner)
        failure = None
        for pod in victims(pods, min(-missing, BURST), self._clock.now()) if missing else ():
            try:
                self._pods.delete(pod, owner)
            except ApiError as error:
                failure = failure or error
        return failure

    def _report(self, owner: Json, pods: list[Json], failure: ApiError | None) -> float | None:
        """Write the status if it changed; the seconds until a pod will have been ready for long enough."""
        now, spec, old = self._clock.now(), owner["spec"], owner.get("status") or {}
        patience = spec.get("minReadySeconds", 0)
        ready_pods = [pod for pod in pods if ready(pod)]
        counts = {
            "replicas": len(pods),
            "fullyLabeledReplicas": _fully_labelled(spec["template"], pods),
            "readyReplicas": len(ready_pods),
            "availableReplicas": sum(available(pod, patience, now) for pod in ready_pods),
        }
        known = old.get("conditions") or []
        new = self._conditions(known, failure, count_of(spec.get("replicas")) - len(pods))
        generation = owner["metadata"].get("generation", 0)
        before = {name: old.get(name, 0) for name in counts}
        if before != counts or new != known or old.get("observedGeneration", 0) != generation:
            status: dict[str, Any] = {"replicas": counts.pop("replicas")}
            status |= {name: count for name, count in counts.items() if count}
            status["observedGeneration"] = generation
            if new:
                status["conditions"] = new
            self._client.update(self._owner.resource, {**owner, "status": status}, "status")
        return available_in(ready_pods, patience, now)

    def _conditions(self, known: list[Json], failure: ApiError | None, missing: int) -> list[Json]:
        if failure is None:
            return conditions.without(known, "ReplicaFailure")
        if conditions.find(known, "ReplicaFailure") is not None:
            return known
        return [
            *known,
            {
                "type": "ReplicaFailure",
                "status": "True",
                "lastTransitionTime": format_time(self._clock.now()),
                "reason": "FailedCreate" if missing > 0 else "FailedDelete",
                "message": str(failure),
            },
        ]


def _fully_labelled(template: Json, pods: list[Json]) -> int:
    """How many pods carry every label of the template."""
    wanted = ((template.get("metadata") or {}).get("labels") or {}).items()
    return sum(wanted <= (pod["metadata"].get("labels") or {}).items() for pod in pods)
