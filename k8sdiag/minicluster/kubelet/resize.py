"""Resizing a pod in place (pkg/kubelet/allocation, pkg/kubelet/kuberuntime doPodResizeAction): new requests and limits
of a pod that runs are checked against the node, then given to its containers, or wait with a condition of why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from k8sdiag.evidence import Json
from k8sdiag.minicluster.kubelet.container_spec import Parts, container_spec
from k8sdiag.minicluster.kubelet.containers import EPHEMERAL, every
from k8sdiag.minicluster.kubelet.references import UnresolvedError
from k8sdiag.minicluster.scheduler.requests import numbers, pod_requests

if TYPE_CHECKING:
    from k8sdiag.minicluster.kubelet.kubelet import Kubelet
    from k8sdiag.minicluster.kubelet.pod_worker import PodWorker

_PENDING = "PodResizePending"


class Resizes:
    """The resizes of one node's pods."""

    def __init__(self, kubelet: Kubelet) -> None:
        self._kubelet = kubelet

    def apply(self, worker: PodWorker) -> None:
        """Take note of what was asked for, and give it where it fits."""
        wanted = {
            str(container["name"]): container.get("resources") or {}
            for group, container in every(worker.pod)
            if group != EPHEMERAL
        }
        if not worker.actual:
            if worker.runs:
                worker.actual = wanted
            return
        changed = [name for name, resources in wanted.items() if worker.actual.get(name, resources) != resources]
        if not changed:
            if worker.extra.pop(_PENDING, None):
                worker.make_status()
            return
        trouble = self._trouble(worker)
        if trouble:
            worker.extra[_PENDING] = ("True", *trouble)
            worker.allocated = {name: numbers_of(resources) for name, resources in worker.actual.items()}
            worker.make_status()
            return
        worker.extra.pop(_PENDING, None)
        worker.allocated = {}
        self._give(worker, changed)
        worker.actual = {**worker.actual, **wanted}
        worker.make_status()

    def _trouble(self, worker: PodWorker) -> tuple[str, str] | None:
        node = self._kubelet.client.find("nodes", "", self._kubelet.name) or {}
        capacity = numbers((node.get("status") or {}).get("allocatable"))
        wanted = pod_requests(worker.pod["spec"])
        for name in ("cpu", "memory"):
            if wanted.get(name, 0) > capacity.get(name, 0):
                lead = f"Node didn't have enough capacity: {name}"
                return "Infeasible", f"{lead}, requested: {wanted[name]}, capacity: {capacity.get(name, 0)}"
        used: dict[str, int] = {}
        for other in self._kubelet.workers.values():
            if other is not worker and not other.over:
                for name, amount in pod_requests(other.pod["spec"], other.status).items():
                    used[name] = used.get(name, 0) + amount
        for name in ("cpu", "memory"):
            if wanted.get(name, 0) > capacity.get(name, 0) - used.get(name, 0):
                text = f"requested: {wanted[name]}, used: {used.get(name, 0)}, capacity: {capacity.get(name, 0)}"
                return "Deferred", f"Node didn't have enough resource: {name}, {text}"
        return None

    def _give(self, worker: PodWorker, changed: list[str]) -> None:
        for _, container in every(worker.pod):
            name = str(container["name"])
            run = worker.run_of(name)
            if name not in changed or run is None or not run.running or _restarts(container, worker.actual[name]):
                continue
            try:
                env = self._kubelet.environment(worker, container)
                bare = {key: value for key, value in container.items() if key != "volumeMounts"}
                spec = container_spec(worker.pod, bare, run.image, Parts(env, {}, run.attempt))
            except UnresolvedError:
                continue
            self._kubelet.runtime.change(run.id, spec)

    def needs_restart(self, worker: PodWorker, container: Json) -> bool:
        """Whether a container has to be restarted for the resources that it is to have now."""
        name = str(container["name"])
        run = worker.run_of(name)
        made_with = worker.made_with.get(name) if run is not None else None
        return made_with is not None and _restarts(container, made_with) and _PENDING not in worker.extra


def _restarts(container: Json, before: Json) -> bool:
    """Whether the difference is one for which the container's policy wants a restart."""
    policy = {entry["resourceName"]: entry.get("restartPolicy") for entry in container.get("resizePolicy") or ()}
    now = container.get("resources") or {}
    for name in ("cpu", "memory"):
        parts = [((one.get(kind) or {}).get(name)) for one in (now, before) for kind in ("limits", "requests")]
        if parts[:2] != parts[2:] and policy.get(name) == "RestartContainer":
            return True
    return False


def numbers_of(resources: Json) -> Json:
    """The requests of a container's resources."""
    found: Json = resources.get("requests") or {}
    return found
