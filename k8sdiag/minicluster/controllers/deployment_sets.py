"""One look at a deployment and its replica sets: finding or making the new one, numbering, sizing, and its status
(pkg/controller/deployment/sync.go)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.controllers import Context, conditions
from k8sdiag.minicluster.controllers.deployment_budget import rolling, surge
from k8sdiag.minicluster.controllers.deployment_history import (
    REVISION,
    annotations_of,
    inherited,
    next_revision,
    number,
    renumbered,
    replicas_of,
    size_annotations,
    split,
    total,
)
from k8sdiag.minicluster.controllers.deployment_status import conditions_of, deadline_of, progressing
from k8sdiag.minicluster.controllers.ownership import controlled_by, reference_to
from k8sdiag.minicluster.controllers.pod_control import namespace_ends
from k8sdiag.minicluster.controllers.template_hash import HASH_LABEL, bare, same_template, short_hash


class DeploymentSets:
    """The deployment as it is now, its new replica set where there is one, and the old ones."""

    def __init__(self, context: Context, deployment: Json, sets: list[Json]) -> None:
        self._client, self._events = context.client, context.events
        self.now = context.clock.now()
        self.deployment = deployment
        self.new, self.old = split(deployment, sets)

    @property
    def desired(self) -> int:
        return int(self.deployment["spec"]["replicas"])

    @property
    def all(self) -> list[Json]:
        return [*self.old, self.new] if self.new is not None else list(self.old)

    # ---- the new replica set

    def number(self, *, make: bool) -> None:
        """Give the new replica set its revision, making it first where it is missing and may be made."""
        revision = next_revision(self.old)
        if self.new is not None:
            self._renumber(self.new, revision)
        elif make:
            self._make(revision)

    def _renumber(self, new: Json, revision: int) -> None:
        annotations = renumbered(new, self.deployment, revision)
        patience = self.deployment["spec"].get("minReadySeconds", 0)
        if annotations != annotations_of(new) or new["spec"].get("minReadySeconds", 0) != patience:
            spec = {name: value for name, value in new["spec"].items() if name != "minReadySeconds"}
            if patience:
                spec["minReadySeconds"] = patience
            meta = {**new["metadata"], "annotations": annotations}
            self.new = self._client.update("replicasets", {**new, "metadata": meta, "spec": spec})
            return
        found = conditions_of(self.deployment)
        if deadline_of(self.deployment) is not None and conditions.find(found, "Progressing") is None:
            message = f'Found new replica set "{new["metadata"]["name"]}"'
            found = [*found, progressing("True", "FoundNewReplicaSet", message, self.now)]
        self._note(number(new, REVISION), found)

    def _make(self, revision: int) -> None:
        collisions = (self.deployment.get("status") or {}).get("collisionCount")
        body = self._body(short_hash(bare(self.deployment["spec"]["template"]), collisions), revision)
        try:
            self.new, fresh = self._client.create("replicasets", body), True
        except ApiError as error:
            if error.reason != "AlreadyExists":
                self._complain(body, error)
                return
            there = self._client.get("replicasets", body["metadata"]["namespace"], body["metadata"]["name"])
            template = self.deployment["spec"]["template"]
            if not controlled_by(there, self.deployment) or not same_template(there["spec"]["template"], template):
                self.write_status({**(self.deployment.get("status") or {}), "collisionCount": (collisions or 0) + 1})
                raise
            self.new, fresh = there, False
        name, count = body["metadata"]["name"], replicas_of(self.new)
        if fresh and count:
            message = f"Scaled up replica set {name} from 0 to {count}"
            self._events.event(self.deployment, "Normal", "ScalingReplicaSet", message)
        found = conditions_of(self.deployment)
        if fresh and deadline_of(self.deployment) is not None:
            message = f'Created new replica set "{name}"'
            found = conditions.put(found, progressing("True", "NewReplicaSetCreated", message, self.now))
        self._note(revision, found)

    def _body(self, code: str, revision: int) -> Json:
        spec, name = self.deployment["spec"], self.deployment["metadata"]["name"]
        meta = spec["template"].get("metadata") or {}
        labels = {**(meta.get("labels") or {}), HASH_LABEL: code}
        selector = {
            **spec["selector"],
            "matchLabels": {**(spec["selector"].get("matchLabels") or {}), HASH_LABEL: code},
        }
        wanted: Json = {
            "replicas": self.room(),
            "selector": selector,
            "template": {**spec["template"], "metadata": {**meta, "labels": labels}},
        }
        if spec.get("minReadySeconds"):
            wanted["minReadySeconds"] = spec["minReadySeconds"]
        return {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": f"{name}-{code}",
                "namespace": self.deployment["metadata"]["namespace"],
                "labels": labels,
                "annotations": {
                    **inherited(self.deployment),
                    **size_annotations(self.deployment),
                    REVISION: str(revision),
                },
                "ownerReferences": [reference_to(self.deployment, "apps/v1", "Deployment")],
            },
            "spec": wanted,
        }

    def _complain(self, body: Json, error: ApiError) -> None:
        if namespace_ends(error):
            raise error
        message = f'Failed to create new replica set "{body["metadata"]["name"]}": {error}'
        if deadline_of(self.deployment) is not None:
            entry = progressing("False", "ReplicaSetCreateError", message, self.now)
            self._note(0, conditions.put(conditions_of(self.deployment), entry))
        self._events.event(self.deployment, "Warning", "ReplicaSetCreateError", message)
        raise error

    def _note(self, revision: int, found: list[Json]) -> None:
        """Put revision (0: leave it) and conditions on the deployment, in one write, where they differ."""
        annotations = annotations_of(self.deployment)
        if revision and annotations.get(REVISION) != str(revision):
            annotations = {**annotations, REVISION: str(revision)}
        if annotations is annotations_of(self.deployment) and found is conditions_of(self.deployment):
            return
        status = {**(self.deployment.get("status") or {}), **({"conditions": found} if found else {})}
        if annotations == annotations_of(self.deployment) and status == (self.deployment.get("status") or {}):
            return
        meta = {**self.deployment["metadata"]}
        if annotations:
            meta["annotations"] = annotations
        body = {**self.deployment, "metadata": meta, "status": status}
        self.deployment = self._client.update("deployments", body, "status")

    # ---- sizes

    def room(self) -> int:
        """How many pods the new replica set may have now (NewRSNewReplicas)."""
        have = replicas_of(self.new) if self.new is not None else 0
        if not rolling(self.deployment):
            return self.desired
        free = self.desired + surge(self.deployment) - total(self.all)
        return have if free <= 0 else have + max(0, min(free, self.desired - have))

    def resize(self, replica_set: Json, size: int) -> bool:
        """Give a replica set another size (or bring its annotations up to date); whether the size was another."""
        before, wanted = replicas_of(replica_set), size_annotations(self.deployment)
        annotations = {**annotations_of(replica_set), **wanted}
        if before == size and annotations == annotations_of(replica_set):
            return False
        meta = {**replica_set["metadata"], "annotations": annotations}
        body = {**replica_set, "metadata": meta, "spec": {**replica_set["spec"], "replicas": size}}
        changed = self._client.update("replicasets", body)
        if self.new is replica_set:
            self.new = changed
        self.old = [changed if entry is replica_set else entry for entry in self.old]
        if before == size:
            return False
        way = "up" if size > before else "down"
        message = f"Scaled {way} replica set {replica_set['metadata']['name']} from {before} to {size}"
        self._events.event(self.deployment, "Normal", "ScalingReplicaSet", message)
        return True

    def change_size(self, replica_set: Json, size: int) -> bool:
        """The same, where the size is another only."""
        return replicas_of(replica_set) != size and self.resize(replica_set, size)

    # ---- status and history

    def write_status(self, status: Json) -> None:
        if status != (self.deployment.get("status") or {}):
            self.deployment = self._client.update("deployments", {**self.deployment, "status": status}, "status")

    def drop_history(self) -> None:
        """Delete the oldest of the empty replica sets that are more than the deployment wants to keep."""
        limit = self.deployment["spec"].get("revisionHistoryLimit")
        if limit is None or limit == 2**31 - 1:
            return
        kept = [entry for entry in self.old if "deletionTimestamp" not in entry["metadata"]]
        for entry in sorted(kept, key=lambda held: number(held, REVISION))[: max(0, len(kept) - limit)]:
            meta, status = entry["metadata"], entry.get("status") or {}
            observed = status.get("observedGeneration", 0) >= meta.get("generation", 0)
            if not replicas_of(entry) and not status.get("replicas") and observed:
                self._client.delete("replicasets", meta["namespace"], meta["name"], policy="Background")
