"""The end of a pod: its containers are asked, then made to stop, its last status is written, and its object goes
(pkg/kubelet/kubelet.go SyncTerminatingPod, SyncTerminatedPod; kuberuntime killContainer)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from k8sdiag.minicluster.kubelet.actions import LIVENESS, STARTUP, Kill
from k8sdiag.minicluster.kubelet.containers import INIT, Record, every, field_path, is_sidecar
from k8sdiag.minicluster.kubelet.hooks import run_hook
from k8sdiag.minicluster.kubelet.pod_status import terminated
from k8sdiag.minicluster.kubelet.steps import Pause, Steps, Wait

if TYPE_CHECKING:
    from k8sdiag.minicluster.kubelet.pod_worker import PodWorker

_LEAST = 2.0  # seconds that every container has (minimumGracePeriodInSeconds)
_NETWORK = 0.12  # to take the sandbox down
_UNMOUNT = 0.1


def grace_of(worker: PodWorker) -> float:
    """How long the containers of a pod may take."""
    if worker.grace is not None:
        return worker.grace
    given = worker.pod["metadata"].get("deletionGracePeriodSeconds")
    if given is None:
        given = worker.pod["spec"].get("terminationGracePeriodSeconds")
    return 30.0 if given is None else float(given)


def kill_container(worker: PodWorker, kill: Kill) -> Steps:
    """Kill one container that is to be restarted."""
    grace = grace_of(worker)
    probe = {LIVENESS: "livenessProbe", STARTUP: "startupProbe"}.get(kill.probe, "")
    own = (kill.container.get(probe) or {}).get("terminationGracePeriodSeconds") if probe else None
    yield from _kill(worker, kill, grace if own is None else float(own))


def _kill(worker: PodWorker, kill: Kill, grace: float) -> Steps:
    kubelet, run = worker.kubelet, kill.run
    path = field_path(kill.group, run.name)
    worker.say("Normal", "Killing", kill.message or f"Stopping container {run.name}", path)
    hook = (kill.container.get("lifecycle") or {}).get("preStop")
    if hook and grace > 0:
        begun = kubelet.clock.now()
        subject, timer = worker.subject(run, kill.container), kubelet.fleet.timer
        wrong = yield Wait(lambda resume: run_hook(worker.pod, subject, hook, timer, resume, grace))
        if wrong is not None:
            worker.say("Warning", "FailedPreStopHook", "PreStopHook failed", path)
        grace -= kubelet.clock.now() - begun
    kubelet.diary.killing(worker, run, kill.message, max(_LEAST, grace))
    kubelet.runtime.stop(run.id, max(_LEAST, grace))
    yield Wait(worker.await_exit(run.id))
    run.state = kubelet.runtime.inspect(run.id) or run.state


def kill_running(worker: PodWorker, runs: list[Record]) -> Steps:
    """Kill all of these that run: sidecars when the others are gone, the last one first."""
    specs = {str(container["name"]): (group, container) for group, container in every(worker.pod)}
    grace = grace_of(worker)
    begun = worker.kubelet.clock.now()
    sidecars: list[Kill] = []
    others: list[Kill] = []
    for run in runs:
        if not run.running or run.name not in specs:
            continue
        group, container = specs[run.name]
        kill = Kill(run, group, container, "")
        (sidecars if group == INIT and is_sidecar(container) else others).append(kill)
    if others:
        yield worker.kubelet.fleet.engine.together([_kill(worker, one, grace) for one in others])
    order = {str(one["name"]): index for index, one in enumerate(worker.pod["spec"].get(INIT) or ())}
    for kill in sorted(sidecars, key=lambda one: -order[one.run.name]):
        yield from _kill(worker, kill, max(0.0, grace - (worker.kubelet.clock.now() - begun)))


def end(worker: PodWorker) -> Steps:
    """Stop everything, and say how it ended."""
    kubelet = worker.kubelet
    worker.refresh()
    if worker.probes is not None:
        worker.probes.stop((LIVENESS, STARTUP))
    if worker.verdict is None and worker.evicted is None:
        worker.make_status()
    yield from kill_running(worker, [run for runs in worker.runs.values() for run in runs[-1:]])
    if worker.sandbox is not None:
        yield Pause(_NETWORK)
        kubelet.runtime.stop(worker.sandbox.id, 0.0)
        kubelet.diary.containerd(worker).closed(worker.sandbox.id, [runs[-1].id for runs in worker.runs.values()])
    if worker.probes is not None:
        worker.probes.stop()
    worker.refresh()
    worker.over = True
    worker.make_status()
    if worker.evicted is not None:
        kubelet.diary.evicted(worker)
    return "terminated"


def finish(worker: PodWorker) -> Steps:
    """Let go of its volumes, write the last word, and delete the object where that was asked for."""
    yield Pause(_UNMOUNT if worker.pod["spec"].get("volumes") else 0.0)
    worker.kubelet.diary.unmounted(worker)
    worker.kubelet.diary.needs_sandbox(worker)
    worker.put(terminated(worker.status))
    yield from leave(worker)


def leave(worker: PodWorker) -> Steps:
    """The pod is over: its object may go as soon as somebody wants it to."""
    worker.stage = "finished"
    if worker.gone:
        worker.kubelet.forget(worker)
    elif worker.pod["metadata"].get("deletionTimestamp"):
        worker.kubelet.fleet.write_now(worker)
        worker.kubelet.delete(worker)
    return None
    yield Pause(0.0)
