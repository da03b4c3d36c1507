"""Pods made from a template and deleted again, with the events that tell of it (pkg/controller/controller_utils.go,
RealPodControl)."""

from __future__ import annotations

from collections.abc import Mapping

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.client import Client
from k8sdiag.minicluster.events import Recorder


def namespace_ends(error: ApiError) -> bool:
    """Whether a refusal was for a namespace that is going away: nothing to complain of, and nothing to retry."""
    causes = (error.details or {}).get("causes") or ()
    return any(cause.get("reason") == "NamespaceTerminating" for cause in causes)


def pod_from(
    template: Json,
    owner: Json,
    reference: Json,
    *,
    name: str = "",
    prefix: str = "",
    finalizers: tuple[str, ...] = (),
) -> Json:
    """A pod as the template says, named `name`, or after its owner with a suffix that the server makes up."""
    meta, pattern = owner["metadata"], template.get("metadata") or {}
    called = {"name": name} if name else {"generateName": prefix or f"{meta['name']}-"}
    made: Json = {**called, "namespace": meta["namespace"]}
    for field in ("labels", "annotations"):
        if pattern.get(field):
            made[field] = pattern[field]
    made["ownerReferences"] = [reference]
    kept = [*(pattern.get("finalizers") or ()), *finalizers]
    if kept:
        made["finalizers"] = kept
    return {"apiVersion": "v1", "kind": "Pod", "metadata": made, "spec": template["spec"]}


def with_labels(pod: Json, labels: Mapping[str, str], annotations: Mapping[str, str] | None = None) -> Json:
    """The same pod with more labels (and annotations)."""
    meta = {**pod["metadata"], "labels": {**pod["metadata"].get("labels", {}), **labels}}
    if annotations:
        meta["annotations"] = {**pod["metadata"].get("annotations", {}), **annotations}
    return {**pod, "metadata": meta}


class PodControl:
    """Makes and deletes pods for owners, and records it."""

    def __init__(self, client: Client, events: Recorder) -> None:
        self._client, self._events = client, events

    def create(self, pod: Json, owner: Json) -> Json:
        try:
            made = self._client.create("pods", pod)
        except ApiError as error:
            if not namespace_ends(error):
                self._events.event(owner, "Warning", "FailedCreate", f"Error creating: {error}")
            raise
        self._events.event(owner, "Normal", "SuccessfulCreate", f"Created pod: {made['metadata']['name']}")
        return made

    def delete(self, pod: Json, owner: Json) -> None:
        """A pod that is gone already is what was wanted."""
        meta = pod["metadata"]
        try:
            self._client.delete("pods", meta["namespace"], meta["name"])
        except ApiError as error:
            if error.code == 404:
                return
            self._events.event(owner, "Warning", "FailedDelete", f"Error deleting: {error}")
            raise
        self._events.event(owner, "Normal", "SuccessfulDelete", f"Deleted pod: {meta['name']}")

    def create_many(self, pods: list[Json], owner: Json) -> ApiError | None:
        """One, then two, then four…: a failure ends it after its batch, so that a quota is not hammered. What went
        wrong first (slowStartBatch)."""
        done, batch = 0, 1
        while done < len(pods):
            failure = None
            for pod in pods[done : done + batch]:
                try:
                    self.create(pod, owner)
                except ApiError as error:
                    if namespace_ends(error):
                        return None
                    failure = failure or error
            if failure is not None:
                return failure
            done, batch = done + batch, batch * 2
        return None
