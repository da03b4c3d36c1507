"""What a StatefulSet does to its pods and claims, with the events that tell of it
(pkg/controller/statefulset/stateful_pod_control.go)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.client import Client
from k8sdiag.minicluster.controllers.pod_control import namespace_ends
from k8sdiag.minicluster.controllers.stateful_pods import POD_INDEX, POD_NAME, claim_owner, claims_of
from k8sdiag.minicluster.events import Recorder


class StatefulControl:
    """Makes, repairs and deletes pods of StatefulSets."""

    def __init__(self, client: Client, events: Recorder) -> None:
        self._client, self._events = client, events

    def create(self, stateful_set: Json, pod: Json, ordinal: int) -> Json:
        """The claims first, then the pod."""
        self.ensure_claims(stateful_set, pod, ordinal)
        try:
            made = self._client.create("pods", pod)
        except ApiError as error:
            if not namespace_ends(error):
                self._tell(stateful_set, "create", pod, error)
            raise
        self._tell(stateful_set, "create", pod, None)
        return made

    def delete(self, stateful_set: Json, pod: Json) -> None:
        meta = pod["metadata"]
        try:
            self._client.delete("pods", meta["namespace"], meta["name"])
        except ApiError as error:
            if error.code == 404:
                return
            self._tell(stateful_set, "delete", pod, error)
            raise
        self._tell(stateful_set, "delete", pod, None)

    def ensure_claims(self, stateful_set: Json, pod: Json, ordinal: int) -> None:
        """Make the pod's missing claims; those that there are stay as they are."""
        namespace = stateful_set["metadata"]["namespace"]
        owner = claim_owner(stateful_set, pod, condemned=False)
        for claim in claims_of(stateful_set, ordinal):
            name = claim["metadata"]["name"]
            if self._client.find("persistentvolumeclaims", namespace, name) is not None:
                continue
            if owner is not None:
                claim["metadata"]["ownerReferences"] = [owner]
            try:
                self._client.create("persistentvolumeclaims", claim)
            except ApiError as error:
                self._tell_claim(stateful_set, name, pod, error)
                raise
            self._tell_claim(stateful_set, name, pod, None)

    def hand_claims(self, stateful_set: Json, pod: Json, ordinal: int, *, condemned: bool) -> None:
        """Have the pod's claims owned by whom the retention policy says."""
        wanted = claim_owner(stateful_set, pod, condemned=condemned)
        ours = {stateful_set["metadata"]["uid"], pod["metadata"].get("uid", "")}
        for pattern in claims_of(stateful_set, ordinal):
            meta = pattern["metadata"]
            claim = self._client.find("persistentvolumeclaims", meta["namespace"], meta["name"])
            if claim is None:
                continue
            before = claim["metadata"].get("ownerReferences") or []
            others = [entry for entry in before if entry["uid"] not in ours]
            after = [*others, wanted] if wanted is not None and not any(map(_controls, others)) else others
            if after != before:
                change = {"metadata": {"ownerReferences": after or None}}
                self._client.patch("persistentvolumeclaims", meta["namespace"], meta["name"], change)

    def repair(self, stateful_set: Json, pod: Json, ordinal: int) -> None:
        """Give an adopted pod the labels of its place, and what claims it lacks."""
        self.ensure_claims(stateful_set, pod, ordinal)
        self.hand_claims(stateful_set, pod, ordinal, condemned=False)
        meta = pod["metadata"]
        wanted = {POD_NAME: meta["name"], POD_INDEX: str(ordinal)}
        if not wanted.items() <= (meta.get("labels") or {}).items():
            self._client.patch("pods", meta["namespace"], meta["name"], {"metadata": {"labels": wanted}})

    def _tell(self, stateful_set: Json, verb: str, pod: Json, error: ApiError | None) -> None:
        text = f"{verb} Pod {pod['metadata']['name']} in StatefulSet {stateful_set['metadata']['name']}"
        if error is None:
            self._events.event(stateful_set, "Normal", f"Successful{verb.title()}", f"{text} successful")
        else:
            self._events.event(stateful_set, "Warning", f"Failed{verb.title()}", f"{text} failed error: {error}")

    def _tell_claim(self, stateful_set: Json, claim: str, pod: Json, error: ApiError | None) -> None:
        place = f"Pod {pod['metadata']['name']} in StatefulSet {stateful_set['metadata']['name']}"
        if error is None:
            self._events.event(stateful_set, "Normal", "SuccessfulCreate", f"create Claim {claim} {place} success")
        else:
            text = f"create Claim {claim} for {place} failed error: {error}"
            self._events.event(stateful_set, "Warning", "FailedCreate", text)


def _controls(reference: Json) -> bool:
    return bool(reference.get("controller"))
