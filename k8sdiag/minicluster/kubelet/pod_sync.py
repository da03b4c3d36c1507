"""Bringing a pod to what its spec says: volumes, sandbox, images, containers, with the order and events of a real
kubelet (pkg/kubelet/kubelet.go SyncPod, pkg/kubelet/kuberuntime SyncPod and startContainer)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from k8sdiag.evidence import Json
from k8sdiag.minicluster.kubelet.actions import actions_for
from k8sdiag.minicluster.kubelet.container_spec import Parts, container_spec
from k8sdiag.minicluster.kubelet.containers import EPHEMERAL, INIT, Record, called, field_path, is_sidecar
from k8sdiag.minicluster.kubelet.hooks import run_hook
from k8sdiag.minicluster.kubelet.images import NoImage, fitting, pull_secrets
from k8sdiag.minicluster.kubelet.pod_end import kill_container, kill_running
from k8sdiag.minicluster.kubelet.references import UnresolvedError
from k8sdiag.minicluster.kubelet.restart import duration
from k8sdiag.minicluster.kubelet.steps import Pause, Steps, Wait
from k8sdiag.minicluster.kubelet.volumes import (
    FIRST_TRY,
    PATIENCE,
    POLL,
    Attempt,
    ClaimError,
    MountError,
    unmounted,
    unprocessed,
)
from k8sdiag.minicluster.runtimes.base import Failure, Volume

if TYPE_CHECKING:
    from k8sdiag.minicluster.kubelet.pod_worker import PodWorker

FAILED, NO_NETWORK = 10.0, 1.0  # seconds after which to try again


def sync(worker: PodWorker) -> Steps:
    """One sync. The answer is the next stage, seconds after which to try again, or None."""
    kubelet, pod = worker.kubelet, worker.pod
    if not worker.admitted:
        worker.admitted = True
        if not kubelet.admit(worker):
            return "finished"
    worker.refresh()
    kubelet.check_deadline(worker)
    if worker.make_status():
        return "terminating"
    facts = kubelet.runtime.node
    trouble = facts.not_ready and f"container runtime is down: {facts.not_ready}"
    if facts.network_not_ready and not pod["spec"].get("hostNetwork"):
        why = f"network is not ready: container runtime network not ready: {facts.network_not_ready}"
        worker.say("Warning", "NetworkNotReady", why)
        kubelet.diary.sync_failed(worker, why)
        return NO_NETWORK
    if trouble:
        return FAILED
    if not (yield from _mounted(worker)):
        return FAILED
    credentials, missing = pull_secrets(pod, kubelet.references)
    if missing:
        text = f"Unable to retrieve some image pull secrets ({', '.join(missing)});"
        worker.say(
            "Warning",
            "FailedToRetrieveImagePullSecret",
            f"{text} attempting to pull the image may not succeed.",
        )
    if worker.probes is None:
        worker.probes = kubelet.fleet.probes_of(worker)
    kubelet.apply_resize(worker)
    return (yield from _run(worker, credentials))


def _run(worker: PodWorker, credentials: list[Json]) -> Steps:
    """Kill what has to go, and start what is missing."""
    diary = worker.kubelet.diary
    diary.needs_sandbox(worker)
    diary.dead_containers(worker)
    actions = actions_for(worker.pod, worker.seen())
    if actions.kill_pod:
        if worker.attempt and actions.make_sandbox:
            worker.say("Normal", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.")
        yield from kill_running(worker, [one for runs in worker.runs.values() for one in runs[-1:]])
        if not actions.make_sandbox:
            return None
    for kill in actions.kill:
        yield from kill_container(worker, kill)
    if actions.make_sandbox and not (yield from _open(worker)):
        return FAILED
    failed: list[str] = []
    for group, container in actions.start:
        if not (yield from _start(worker, group, container, credentials)):
            failed.append(str(container["name"]))
            if group == INIT and not is_sidecar(container):
                break
    if failed:
        diary.not_started(worker, failed)
    return FAILED if failed else None


def _open(worker: PodWorker) -> Steps:
    """Make the sandbox."""
    runtime, pod = worker.kubelet.runtime, worker.pod
    diary = worker.kubelet.diary
    diary.containerd(worker).opening(pod, worker.attempt)
    answer = yield Wait(lambda resume: runtime.open_pod(pod, worker.attempt, resume))
    if isinstance(answer, Failure):
        diary.no_sandbox(worker, answer.message)
        worker.say("Warning", "FailedCreatePodSandBox", f"Failed to create pod sandbox: {answer.message}")
        return False
    diary.containerd(worker).opened(pod, worker.attempt, answer.id)
    worker.sandbox = answer
    worker.attempt += 1
    worker.changed()
    return True


def _mounted(worker: PodWorker) -> Steps:
    """Wait until all volumes are there; False where that takes too long or cannot be."""
    volumes = worker.pod["spec"].get("volumes") or []
    if worker.mounted:
        return True
    if not volumes:
        return True
    clock = worker.kubelet.clock
    begun = clock.now()
    yield Pause(FIRST_TRY, open_ended=True)
    left = list(volumes)
    worker.kubelet.diary.mounting(worker, left)
    while True:
        left, errors = _try_mounts(worker, left)
        if errors:
            why = unprocessed(worker.pod, errors)
            worker.say("Warning", "FailedMount", f"Unable to attach or mount volumes: {why}")
            worker.kubelet.diary.no_volumes(worker, why)
            return False
        now = clock.now()
        if not left:
            beats = max(1, -(-(now - begun) // POLL))
            yield Pause(max(0.0, begun + beats * POLL - now), open_ended=True)
            worker.mounted = True
            return True
        if now - begun >= PATIENCE:
            worker.kubelet.diary.no_volumes(worker, unmounted([str(one["name"]) for one in left]))
            return False
        due = min(worker.mounts[one["name"]].next_at for one in left)
        yield Pause(max(0.001, min(due, begun + PATIENCE) - now), open_ended=True)


def _try_mounts(worker: PodWorker, volumes: list[Json]) -> tuple[list[Json], list[tuple[str, str]]]:
    """Those that are still not mounted, and what cannot even be looked for."""
    kubelet = worker.kubelet
    now = kubelet.clock.now()
    files = kubelet.files(worker)
    left, errors = [], []
    for volume in volumes:
        attempt = worker.mounts.get(volume["name"])
        if attempt is not None and attempt.next_at > now + 1e-9:
            left.append(volume)
            continue
        try:
            kubelet.volumes.volume(worker.pod, volume, files)
        except MountError as missing:
            attempt = worker.mounts.setdefault(volume["name"], Attempt())
            attempt.failed(now)
            worker.say("Warning", "FailedMount", str(missing))
            kubelet.diary.mount_failed(worker, volume, str(missing), attempt.wait, attempt.next_at)
            left.append(volume)
        except ClaimError as missing:
            errors.append((str(volume["name"]), str(missing)))
        else:
            worker.mounts.pop(volume["name"], None)
            kubelet.diary.mounted(worker, volume)
    return left, errors


def _start(worker: PodWorker, group: str, container: Json, credentials: list[Json]) -> Steps:
    """Start one container; whether that worked. Why not is kept for the status."""
    name, path = str(container["name"]), field_path(group, container["name"])
    if _backs_off(worker, group, container, path):
        return False
    images = worker.kubelet.images
    image = yield from images.ensure(worker, container, path, fitting(str(container.get("image", "")), credentials))
    if isinstance(image, NoImage):
        if image.reason != "ImagePullBackOff":
            worker.kubelet.diary.start_failed(worker, group, container, image.reason, image.message)
        return _fail(worker, name, path, image.reason, image.message, f"Error: {image.reason}")
    diary, run = worker.kubelet.diary, worker.run_of(name)
    try:
        parts = _parts(worker, container, 0 if run is None else run.attempt + 1)
        spec = container_spec(worker.pod, container, image, parts)
    except (UnresolvedError, MountError) as missing:
        diary.start_failed(worker, group, container, "CreateContainerConfigError", str(missing))
        return _fail(worker, name, path, "CreateContainerConfigError", str(missing))
    runtime = worker.kubelet.runtime
    sandbox = worker.sandbox.id if worker.sandbox else ""
    diary.containerd(worker).creating(sandbox, name, spec.attempt)
    made = yield Wait(lambda resume: runtime.create(sandbox, spec, resume))
    if isinstance(made, Failure):
        diary.not_created(sandbox, name, spec.attempt, made.message)
        diary.start_failed(worker, group, container, made.reason, plain(made.message))
        return _fail(worker, name, path, made.reason, plain(made.message))
    worker.made_with[name] = container.get("resources") or {}
    run = Record(made, name, spec.attempt, image, sandbox, str(container.get("image", "")), runtime.node.runtime)
    worker.remember(run)
    diary.containerd(worker).created(run)
    worker.say("Normal", "Created", f"Created container: {name}", path)
    failure = yield Wait(lambda resume: runtime.start(made, resume))
    run.state = runtime.inspect(made) or run.state
    worker.changed()
    if failure is not None:
        diary.not_run(worker, made, failure.message)
        diary.start_failed(worker, group, container, failure.reason, plain(failure.message))
        return _fail(worker, name, path, failure.reason, plain(failure.message))
    diary.containerd(worker).started(made)
    worker.say("Normal", "Started", f"Started container {name}", path)
    return (yield from _post_start(worker, group, container, run))


def _post_start(worker: PodWorker, group: str, container: Json, run: Record) -> Steps:
    name, path = str(container["name"]), field_path(group, container["name"])
    hook = (container.get("lifecycle") or {}).get("postStart")
    if hook:
        subject, timer = worker.subject(run, container), worker.kubelet.fleet.timer
        wrong = yield Wait(lambda resume: run_hook(worker.pod, subject, hook, timer, resume))
        if wrong is not None:
            worker.say("Warning", "FailedPostStartHook", "PostStartHook failed", path)
            yield from kill_container(worker, worker.kubelet.kill(run, group, container, "FailedPostStartHook"))
            worker.reasons[name] = ("PostStartHookError", wrong)
            return False
    worker.reasons.pop(name, None)
    return True


def _fail(worker: PodWorker, name: str, path: str, reason: str, message: str, said: str = "") -> bool:
    worker.say("Warning", "Failed", said or f"Error: {message}", path)
    worker.reasons[name] = (reason, message)
    return False


def plain(message: str) -> str:
    """An error without gRPC's lead, as grpcstatus gives it."""
    lead, found, text = message.partition(" desc = ")
    return text if found and lead.startswith("rpc error: code = ") else message


def _backs_off(worker: PodWorker, group: str, container: Json, path: str) -> bool:
    """Whether a container that has ended has to wait (doBackOff); if not, its next wait is longer."""
    name, run, kubelet = str(container["name"]), worker.run_of(container["name"]), worker.kubelet
    if run is None or not run.exited or group == EPHEMERAL:
        return False
    key = (worker.uid, f"{name} {container.get('image', '')}")
    now, ended = kubelet.clock.now(), run.state.finished_at or 0.0
    if kubelet.crashes.left_since(key, ended, now) > 0:
        about = called(worker.pod)
        worker.say("Warning", "BackOff", f"Back-off restarting failed container {name} in pod {about}", path)
        wait = duration(kubelet.crashes.wait_of(key))
        text = f"back-off {wait} restarting failed container={name} pod={about}"
        worker.reasons[name] = ("CrashLoopBackOff", text)
        return True
    kubelet.crashes.next(key, ended, now)
    return False


def _parts(worker: PodWorker, container: Json, attempt: int) -> Parts:
    """Raises UnresolvedError."""
    kubelet, pod = worker.kubelet, worker.pod
    env = kubelet.environment(worker, container)
    used = {mount["name"] for mount in container.get("volumeMounts") or ()}
    files = kubelet.files(worker)
    volumes: dict[str, Volume] = {}
    for volume in pod["spec"].get("volumes") or ():
        if volume["name"] in used:
            try:
                volumes[volume["name"]] = kubelet.volumes.volume(pod, volume, files)
            except ClaimError as missing:
                raise UnresolvedError(str(missing)) from None
    wanted = container.get("targetContainerName")
    target = worker.run_of(wanted) if wanted else None
    if wanted and target is None:
        raise UnresolvedError(f"unable to find target container {wanted}")
    return Parts(env, volumes, attempt, target.id if target else "")
