"""One node's kubelet: its pods, and what they share (pkg/kubelet/kubelet.go)."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from k8sdiag.clock import format_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.events import Recorder
from k8sdiag.minicluster.kubelet import admission
from k8sdiag.minicluster.kubelet.actions import Kill
from k8sdiag.minicluster.kubelet.containers import Record
from k8sdiag.minicluster.kubelet.diary import Diary
from k8sdiag.minicluster.kubelet.environment import environment, service_variables
from k8sdiag.minicluster.kubelet.images import Images
from k8sdiag.minicluster.kubelet.journal import Journal
from k8sdiag.minicluster.kubelet.pod_worker import FINISHED, SYNC, TERMINATING, PodWorker, grid_after, grid_from
from k8sdiag.minicluster.kubelet.recovery import runs_from
from k8sdiag.minicluster.kubelet.resize import Resizes
from k8sdiag.minicluster.kubelet.restart import BackOff
from k8sdiag.minicluster.kubelet.volume_files import VolumeFiles
from k8sdiag.minicluster.kubelet.volumes import Volumes
from k8sdiag.minicluster.runtimes.base import Runtime
from k8sdiag.minicluster.scheduler.requests import pod_requests

if TYPE_CHECKING:
    from k8sdiag.minicluster.kubelet.fleet import Fleet

_OVER = ("Succeeded", "Failed")
_DEADLINE = "Pod was active on the node longer than the specified deadline"


class Kubelet:
    """One node."""

    def __init__(self, fleet: Fleet, name: str, address: str, runtime: Runtime) -> None:
        self.fleet, self.name, self.address, self.runtime = fleet, name, address, runtime
        self.client, self.clock = fleet.client, fleet.clock
        self.random: Random = fleet.random
        self.references = fleet.references
        self.recorder = Recorder(self.client, self.clock, "kubelet", name)
        self.journal = Journal(name, self.clock)
        self.diary = Diary(self.journal, name, self.clock.now())
        self.images = Images(runtime, self.clock, self.diary)
        self.volumes = Volumes(self.client, name, set())
        self.crashes = BackOff()
        self.workers: dict[str, PodWorker] = {}
        self.resizes = Resizes(self)
        self.down = False
        self._listing, self._beat = self.random.random(), self.random.random()
        runtime.on_change = self._on_change

    # ---- its beats: when containers are listed, and when what has waited is taken up

    def listing_after(self, moment: float) -> float:
        return grid_after(moment, self._listing)

    def beat_after(self, moment: float) -> float:
        return grid_from(moment, self._beat)

    # ---- pods as the API server tells of them

    def on_pod(self, kind: str, pod: Json, old: Json | None) -> None:
        """A pod of this node is new, changed, or gone. Only plans."""
        uid = str(pod["metadata"]["uid"])
        worker = self.workers.get(uid)
        if kind == "DELETED":
            if worker is not None:
                self.diary.pod(worker, "REMOVE")
                worker.gone = True
                worker.end()
            return
        if worker is None:
            self._add(uid, pod)
            return
        before, worker.pod = worker.pod["metadata"], pod
        meta = pod["metadata"]
        grace = meta.get("deletionGracePeriodSeconds")
        if meta.get("deletionTimestamp") and (
            not before.get("deletionTimestamp") or grace != before.get("deletionGracePeriodSeconds")
        ):
            self.diary.pod(worker, "DELETE")
            worker.end(None if grace is None else float(grace))
        elif meta.get("generation") != before.get("generation") or (
            pod["spec"].get("readinessGates") and old is not None and _foreign(pod) != _foreign(old)
        ):
            worker.request()

    def _add(self, uid: str, pod: Json) -> None:
        over = (pod.get("status") or {}).get("phase") in _OVER
        leaving = pod["metadata"].get("deletionTimestamp")
        if over and not leaving:
            return  # there is nothing to do for it until it is deleted
        known = bool((pod.get("status") or {}).get("startTime"))
        worker = self.workers[uid] = self.fleet.workers[uid] = PodWorker(
            self, pod, self.fleet.many_start() and not known
        )
        self.diary.pod(worker, "ADD")
        if over:
            worker.stage, worker.over = FINISHED, True
        else:
            if known:
                worker.runs = runs_from(pod, self.clock.now())
                worker.attempt = 1 if worker.runs else 0
            if leaving:
                worker.stage = TERMINATING
        worker.request()

    def admit(self, worker: PodWorker) -> bool:
        """A first look at a pod: False where this node does not take it, which is final."""
        node = self.client.find("nodes", "", self.name)
        if node is None or worker.attempt or worker.begun is not None:
            return True
        others = [other.pod for other in self.workers.values() if other is not worker and not other.over]
        used: dict[str, int] = {}
        if any((container.get("resources") or {}).get("requests") for container in worker.pod["spec"]["containers"]):
            for other in others:
                for name, amount in pod_requests(other["spec"], other.get("status")).items():
                    used[name] = used.get(name, 0) + amount
        refused = admission.refusal(worker.pod, node, others, used)
        if refused is None:
            return True
        self.reject(worker, *refused)
        return False

    def reject(self, worker: PodWorker, reason: str, message: str) -> None:
        """The pod has failed before it began (rejectPod)."""
        worker.say("Warning", reason, message)
        old = worker.pod.get("status") or {}
        worker.over = True
        worker.put(
            {
                "phase": "Failed",
                "message": f"Pod was rejected: {message}",
                "reason": reason,
                "startTime": old.get("startTime") or format_time(self.clock.now()),
                "qosClass": old.get("qosClass") or "BestEffort",
            }
        )

    def evict(self, uid: str, reason: str, message: str, grace: float) -> bool:
        """Stop a pod and have it fail for a reason; whether it was there to be stopped."""
        worker = self.workers.get(uid)
        if worker is None or worker.stage != SYNC:
            return False
        worker.evicted = ("Failed", reason, message)
        worker.end(grace)
        return True

    def check_deadline(self, worker: PodWorker) -> None:
        """activeDeadlineSeconds (pkg/kubelet/active_deadline.go)."""
        limit = worker.pod["spec"].get("activeDeadlineSeconds")
        if limit is None or worker.begun is None or worker.verdict is not None:
            return
        left = worker.begun + float(limit) - self.clock.now()
        if left > 0:
            self.fleet.deadlines.add(worker.uid, left)
            return
        worker.say("Normal", "DeadlineExceeded", _DEADLINE)
        worker.verdict = ("Failed", "DeadlineExceeded", _DEADLINE)

    # ---- what syncs need

    def files(self, worker: PodWorker) -> VolumeFiles:
        node = self.client.find("nodes", "", self.name)
        return VolumeFiles(
            worker.pod, self.references, lambda: (self.address, worker.addresses), node, self.fleet.token
        )

    def environment(self, worker: PodWorker, container: Json) -> dict[str, str]:
        """Raises UnresolvedError."""
        pod = worker.pod
        links = pod["spec"].get("enableServiceLinks")
        services = service_variables(self.client, pod["metadata"]["namespace"], links is None or bool(links))
        node = self.client.find("nodes", "", self.name)
        return environment(pod, container, self.references, services, (self.address, worker.addresses), node)

    def kill(self, run: Record, group: str, container: Json, message: str) -> Kill:
        return Kill(run, group, container, message)

    def resized(self, worker: PodWorker) -> Callable[[Json], bool]:
        return lambda container: self.resizes.needs_restart(worker, container)

    def apply_resize(self, worker: PodWorker) -> None:
        self.resizes.apply(worker)

    # ---- ends

    def delete(self, worker: PodWorker) -> None:
        """Let the object of a pod that is over go."""
        meta = worker.pod["metadata"]
        if meta.get("deletionGracePeriodSeconds") == 0 and meta.get("finalizers"):
            return
        try:
            self.client.delete("pods", meta["namespace"], meta["name"], uid=worker.uid, grace=0)
        except ApiError as refused:
            if refused.code not in (404, 409):
                raise

    def forget(self, worker: PodWorker) -> None:
        """The object is gone, and so is all that was kept of it."""
        if self.workers.pop(worker.uid, None) is None:
            return
        if worker.probes is not None:
            worker.probes.stop()
        if worker.sandbox is not None:
            self.runtime.close_pod(worker.sandbox.id, lambda: None)
        self.crashes.forget_pod(worker.uid)
        self.images.forget_pod(worker.uid)
        self.fleet.forget(worker)

    def _on_change(self, uid: str) -> None:
        worker = self.workers.get(uid)
        if worker is not None:
            worker.changed()


def _foreign(pod: Json) -> list[tuple[str, str]]:
    """The conditions that readiness gates wait for."""
    gates = {gate["conditionType"] for gate in pod["spec"].get("readinessGates") or ()}
    held = (pod.get("status") or {}).get("conditions") or ()
    return [(one["type"], one["status"]) for one in held if one["type"] in gates]
