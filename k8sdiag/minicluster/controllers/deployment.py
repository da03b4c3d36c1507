"""Deployments: rolling updates, recreation, pauses, scaling, rollbacks, deadlines
(pkg/controller/deployment/deployment_controller.go)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.controllers import Context, conditions
from k8sdiag.minicluster.controllers.adoption import Adoption, OwnerKind, label_selector
from k8sdiag.minicluster.controllers.deployment_budget import rolling
from k8sdiag.minicluster.controllers.deployment_rollout import empty_old, rescaled, roll, share_out
from k8sdiag.minicluster.controllers.deployment_sets import DeploymentSets
from k8sdiag.minicluster.controllers.deployment_status import (
    PAUSED,
    TIMED_OUT,
    calculate,
    complete,
    condition,
    conditions_of,
    deadline_of,
    look_again,
    with_progress,
)
from k8sdiag.minicluster.controllers.ownership import Key, key_of, owner_key
from k8sdiag.minicluster.controllers.pod_states import finished

NAME = "deployment-controller"


def start(context: Context) -> None:
    _Deployments(context)


class _Deployments:
    def __init__(self, context: Context) -> None:
        self._context, self._client = context, context.client
        owner = OwnerKind("apps/v1", "Deployment", "deployments", label_selector)
        self._adoption = Adoption(context.client, owner, "replicasets")
        self._queue = context.loop.queue("deployments", self._sync)
        self._client.watch("deployments", self._on_deployment)
        self._client.watch("replicasets", self._on_replica_set)
        self._client.watch("pods", self._on_pod)

    def _on_deployment(self, change: str, deployment: Json, _: Json | None) -> None:
        self._adoption.see_owner(change, deployment)
        if change == "DELETED":
            self._queue.forget(key_of(deployment))
        else:
            self._queue.add(key_of(deployment))

    def _on_replica_set(self, change: str, replica_set: Json, old: Json | None) -> None:
        for key in self._adoption.see_child(change, replica_set, old):
            self._queue.add(key)

    def _on_pod(self, change: str, pod: Json, _: Json | None) -> None:
        """Recreate waits for the last old pod to be gone."""
        if change != "DELETED" or (parent := owner_key(pod, "ReplicaSet")) is None:
            return
        replica_set = self._client.find("replicasets", *parent)
        key = owner_key(replica_set, "Deployment") if replica_set is not None else None
        deployment = self._client.find("deployments", *key) if key is not None else None
        if key is not None and deployment is not None and not rolling(deployment):
            self._queue.add(key)

    def _sync(self, key: Key) -> float | None:
        deployment = self._client.find("deployments", *key)
        if deployment is None:
            return None
        if not label_selector(deployment):
            self._selects_all(deployment)
            return None
        sets = DeploymentSets(self._context, deployment, self._adoption.claim(deployment))
        if "deletionTimestamp" in deployment["metadata"]:
            sets.write_status(calculate(sets.deployment, sets.new, sets.all, sets.now))
            return None
        self._note_pause(sets)
        if deployment["spec"].get("paused") or rescaled(sets):
            sets.number(make=False)
            share_out(sets)
            if deployment["spec"].get("paused"):
                sets.drop_history()
            sets.write_status(calculate(sets.deployment, sets.new, sets.all, sets.now))
            return None
        if rolling(deployment):
            sets.number(make=True)
            moved = roll(sets)
        else:
            moved = self._recreate(sets)
        return self._finish(sets, moved)

    def _recreate(self, sets: DeploymentSets) -> bool:
        sets.number(make=False)
        if empty_old(sets) or self._old_pods_run(sets):
            return True
        sets.number(make=True)
        if sets.new is not None:
            sets.change_size(sets.new, sets.desired)
        return False

    def _old_pods_run(self, sets: DeploymentSets) -> bool:
        return any(
            (entry.get("status") or {}).get("replicas", 0)
            or any(not finished(pod) for pod in self._client.owned("pods", entry["metadata"]["uid"]))
            for entry in sets.old
        )

    def _finish(self, sets: DeploymentSets, moved: bool) -> float | None:
        if not moved and complete(sets.deployment, sets.deployment.get("status") or {}):
            sets.drop_history()
        status = calculate(sets.deployment, sets.new, sets.all, sets.now)
        status = with_progress(sets.deployment, sets.new, sets.all, status, sets.now)
        sets.write_status(status)
        return look_again(sets.deployment, status, sets.now)

    def _note_pause(self, sets: DeploymentSets) -> None:
        """A pause stops the clock of the progress deadline; resuming starts it again."""
        deployment = sets.deployment
        current = conditions.find(conditions_of(deployment), "Progressing")
        if deadline_of(deployment) is None or (current is not None and current["reason"] == TIMED_OUT):
            return
        paused, known = bool(deployment["spec"].get("paused")), current is not None and current["reason"] == PAUSED
        if paused == known:
            return
        word = "paused" if paused else "resumed"
        reason, message = f"Deployment{word.capitalize()}", f"Deployment is {word}"
        entry = condition("Progressing", "Unknown", reason, message, sets.now)
        status = deployment.get("status") or {}
        sets.write_status({**status, "conditions": conditions.put(conditions_of(deployment), entry)})

    def _selects_all(self, deployment: Json) -> None:
        message = "This deployment is selecting all pods. A non-empty selector is required."
        self._context.events.event(deployment, "Warning", "SelectingAll", message)
        status, generation = deployment.get("status") or {}, deployment["metadata"].get("generation", 0)
        if status.get("observedGeneration", 0) < generation:
            body = {**deployment, "status": {**status, "observedGeneration": generation}}
            self._client.update("deployments", body, "status")
