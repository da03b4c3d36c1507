"""What a pod needs next: which containers to kill and which to start (pure; pkg/kubelet/kuberuntime
computePodActions, computeInitContainerActions)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from k8sdiag.evidence import Json
from k8sdiag.minicluster.kubelet.containers import (
    EPHEMERAL,
    INIT,
    MAIN,
    Record,
    Runs,
    is_sidecar,
    may_restart,
    should_start,
)

LIVENESS, STARTUP = "liveness", "startup"
Result = Callable[[str, str], bool | None]  # kind of probe, run


@dataclass(frozen=True, slots=True)
class Kill:
    """A container to kill, what the event says, and which probe wants it."""

    run: Record
    group: str
    container: Json
    message: str
    probe: str = ""


@dataclass(slots=True)
class PodActions:
    """What to do, in this order: end the whole pod, kill some, make a sandbox, start some."""

    kill_pod: bool = False
    make_sandbox: bool = False
    kill: list[Kill] = field(default_factory=list)
    start: list[tuple[str, Json]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is: the runs of each container, and whether the sandbox is there and which one it is."""

    runs: Mapping[str, Runs]
    sandbox: str
    attempt: int
    result: Result
    resized: Callable[[Json], bool] = lambda _: False

    def newest(self, name: str) -> Record | None:
        found = self.runs.get(name)
        return found[-1] if found else None


def actions_for(pod: Json, seen: Seen) -> PodActions:
    """The next actions."""
    spec = pod["spec"]
    if not seen.sandbox:
        return _from_nothing(pod, seen)
    actions = PodActions()
    ephemeral = [one for one in spec.get(EPHEMERAL) or () if seen.newest(one["name"]) is None]
    actions.start += [(EPHEMERAL, one) for one in ephemeral]
    initialized, init = _init_actions(pod, seen, actions)
    if actions.kill_pod:
        actions.start = actions.start[: len(ephemeral)]
        return actions
    actions.start += init
    if not initialized:
        return actions
    kept, before = 0, len(actions.start)
    for container in spec["containers"]:
        kept += _main_action(pod, container, seen, actions)
    if not kept and len(actions.start) == before:
        actions.kill_pod = True
        actions.start = []
    return actions


def _from_nothing(pod: Json, seen: Seen) -> PodActions:
    """There is no sandbox: everything is made anew, if the pod is to run at all."""
    spec = pod["spec"]
    actions = PodActions(kill_pod=True, make_sandbox=True)
    if not may_restart(pod) and seen.attempt and seen.runs:
        actions.make_sandbox = False
        return actions
    wanted = [one for one in spec["containers"] if not _succeeded_for_good(pod, seen.newest(one["name"]))]
    if not wanted:
        actions.make_sandbox = False
    elif spec.get(INIT):
        actions.start.append((INIT, spec[INIT][0]))
    else:
        actions.start += [(MAIN, one) for one in wanted]
    return actions


def _succeeded_for_good(pod: Json, run: Record | None) -> bool:
    return bool(pod["spec"].get("restartPolicy") == "OnFailure" and run is not None and run.succeeded)


def _main_action(pod: Json, container: Json, seen: Seen, actions: PodActions) -> bool:
    """Kill or start one container; whether it is kept as it is."""
    run = seen.newest(container["name"])
    if run is None or not run.running:
        if should_start(pod, run):
            actions.start.append((MAIN, container))
        return False
    name, restart, probe = container["name"], may_restart(pod), ""
    if run.wanted_image != container.get("image", ""):
        message, restart = f"Container {name} definition changed", True
    elif seen.result(LIVENESS, run.id) is False:
        message, probe = f"Container {name} failed liveness probe", LIVENESS
    elif seen.result(STARTUP, run.id) is False:
        message, probe = f"Container {name} failed startup probe", STARTUP
    elif seen.resized(container):
        message, restart = f"Container {name} resize requires restart", True
    else:
        return True
    if restart:
        resize = message.endswith("requires restart")
        message = message if resize else f"{message}, will be restarted"
        actions.start.append((MAIN, container))
    actions.kill.append(Kill(run, MAIN, container, message, probe))
    return False


def _init_actions(pod: Json, seen: Seen, actions: PodActions) -> tuple[bool, list[tuple[str, Json]]]:
    """Whether the pod has been initialised, and the init containers to start."""
    containers = pod["spec"].get(INIT) or []
    if not containers:
        return True, []
    initialized = before = _any_main_run(pod, seen)
    start: list[int] = []
    for index in range(len(containers) - 1, -1, -1):
        container = containers[index]
        run = seen.newest(container["name"])
        if run is None or run.sandbox != seen.sandbox:
            if before and is_sidecar(container):
                start.append(index)
            continue
        if before and not is_sidecar(container):
            continue
        last = index == len(containers) - 1
        through = _sidecar(container, run, seen, actions) if is_sidecar(container) else _init(pod, run, actions)
        if actions.kill_pod:
            return False, []
        if through == "again":
            start.append(index)
        elif through == "on" and not before:
            if last:
                initialized = True
            else:
                start.append(index + 1)
        before = True
    if not before:
        start.append(0)
    return initialized, [(INIT, containers[index]) for index in sorted(set(start))]


def _any_main_run(pod: Json, seen: Seen) -> bool:
    """Whether a regular container has been started in this sandbox."""
    for container in pod["spec"]["containers"]:
        run = seen.newest(container["name"])
        if run is not None and run.sandbox == seen.sandbox:
            return True
    return False


def _init(pod: Json, run: Record, actions: PodActions) -> str:
    """An init container: `on` to the next one, `again`, or wait."""
    if not run.exited:
        return "again" if run.state.state == "created" else "wait"
    if run.succeeded:
        return "on"
    if not may_restart(pod):
        actions.kill_pod = True
        return "wait"
    return "again"


def _sidecar(container: Json, run: Record, seen: Seen, actions: PodActions) -> str:
    if not run.running:
        return "again"
    name = container["name"]
    if container.get("startupProbe"):
        startup = seen.result(STARTUP, run.id)
        if startup is False:
            actions.kill.append(Kill(run, INIT, container, f"Init container {name} failed startup probe", STARTUP))
            return "again"
        if startup is not True:
            return "wait"
    if container.get("livenessProbe") and seen.result(LIVENESS, run.id) is False:
        actions.kill.append(Kill(run, INIT, container, f"Init container {name} failed liveness probe", LIVENESS))
        return "again"
    return "on"
