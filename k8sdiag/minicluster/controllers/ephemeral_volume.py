"""The claims of generic ephemeral volumes, which live as long as their pod (pkg/controller/volume/ephemeral)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.controllers import Context
from k8sdiag.minicluster.events import Recorder

NAME = "ephemeral-volume-controller"

Key = tuple[str, str]


def start(context: Context) -> None:
    _Claims(context)


class _Claims:
    def __init__(self, context: Context) -> None:
        self._client = context.client
        self._events = Recorder(context.client, context.clock, "ephemeral_volume")
        self._queue = context.loop.queue("ephemeral-volumes", self._sync)
        self._client.watch("pods", self._on_pod)

    def _on_pod(self, kind: str, pod: Json, _: Json | None) -> None:
        if kind == "ADDED" and any(volume.get("ephemeral") for volume in pod["spec"].get("volumes") or ()):
            self._queue.add((pod["metadata"]["namespace"], pod["metadata"]["name"]))

    def _sync(self, key: Key) -> None:
        pod = self._client.find("pods", *key)
        if pod is None or pod["metadata"].get("deletionTimestamp"):
            return
        for volume in pod["spec"].get("volumes") or ():
            if volume.get("ephemeral"):
                self._make(pod, volume)

    def _make(self, pod: Json, volume: Json) -> None:
        meta = pod["metadata"]
        name = f"{meta['name']}-{volume['name']}"
        held = self._client.find("persistentvolumeclaims", meta["namespace"], name)
        if held is not None:
            owners = held["metadata"].get("ownerReferences") or ()
            if not any(owner["uid"] == meta["uid"] and owner.get("controller") for owner in owners):
                text = f'PVC "{meta["namespace"]}/{name}" was not created for the pod'
                self._events.event(pod, "Warning", "FailedBinding", f"ephemeral volume {volume['name']}: {text}")
            return
        template = volume["ephemeral"]["volumeClaimTemplate"]
        said = template.get("metadata") or {}
        owner = {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": meta["name"],
            "uid": meta["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
        own = {"name": name, "namespace": meta["namespace"], "ownerReferences": [owner]}
        own |= {key: said[key] for key in ("labels", "annotations") if said.get(key)}
        made = {"kind": "PersistentVolumeClaim", "apiVersion": "v1", "metadata": own, "spec": template["spec"]}
        self._client.create("persistentvolumeclaims", made, meta["namespace"])
