"""Keeps claims that pods use, and volumes that claims use, until they are used no more
(pkg/controller/volume/pvcprotection, pvprotection)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.controllers import Context
from k8sdiag.minicluster.controllers.claim_index import claims_of

NAME = "pvc-protection-controller"

_CLAIM = "kubernetes.io/pvc-protection"
_VOLUME = "kubernetes.io/pv-protection"

Key = tuple[str, str]


def start(context: Context) -> None:
    _Protection(context)


class _Protection:
    def __init__(self, context: Context) -> None:
        self._client = context.client
        self._users: dict[Key, set[str]] = {}  # claims and the pods that mount them
        self._claims = context.loop.queue("claim-protection", self._sync_claim)
        self._volumes = context.loop.queue("volume-protection", self._sync_volume)
        self._client.watch("pods", self._on_pod)
        self._client.watch("persistentvolumeclaims", self._on_claim)
        self._client.watch("persistentvolumes", self._on_volume)

    def _on_pod(self, kind: str, pod: Json, old: Json | None) -> None:
        over = kind == "DELETED"
        if not over and not (pod.get("spec") or {}).get("nodeName"):
            return  # no kubelet sees it before it is scheduled, and none starts it on a claim that is being deleted
        if not over and old is not None and (old.get("spec") or {}).get("nodeName"):
            return  # what a pod mounts does not change; one that has ended still counts, until it is deleted
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        for claim in claims_of(pod):
            key = (namespace, claim)
            if not over:
                self._users.setdefault(key, set()).add(name)
                continue
            users = self._users.get(key)
            if users is not None:
                users.discard(name)
                if not users:
                    del self._users[key]
            self._claims.add(key)

    def _on_claim(self, kind: str, claim: Json, _: Json | None) -> None:
        if kind != "DELETED":
            self._claims.add((claim["metadata"]["namespace"], claim["metadata"]["name"]))

    def _on_volume(self, kind: str, volume: Json, _: Json | None) -> None:
        if kind != "DELETED":
            self._volumes.add(volume["metadata"]["name"])

    def _sync_claim(self, key: Key) -> None:
        claim = self._client.find("persistentvolumeclaims", *key)
        if claim is not None:
            self._guard("persistentvolumeclaims", claim, _CLAIM, used=bool(self._users.get(key)))

    def _sync_volume(self, name: str) -> None:
        volume = self._client.find("persistentvolumes", "", name)
        if volume is not None:
            used = (volume.get("status") or {}).get("phase") == "Bound"
            self._guard("persistentvolumes", volume, _VOLUME, used)

    def _guard(self, word: str, obj: Json, finalizer: str, used: bool) -> None:
        meta = obj["metadata"]
        held = meta.get("finalizers") or []
        if meta.get("deletionTimestamp"):
            if finalizer in held and not used:
                left = [name for name in held if name != finalizer]
                self._client.update(word, {**obj, "metadata": {**meta, "finalizers": left}})
        elif finalizer not in held:
            self._client.update(word, {**obj, "metadata": {**meta, "finalizers": [*held, finalizer]}})
