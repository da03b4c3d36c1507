"""A pod's status as a kubelet reports it, as a function of the pod, when it started, and the time (pure).

Shapes, orders and messages are those of pkg/kubelet/status/generate.go and kubelet_pods.go, checked against recordings
of a real cluster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from k8sdiag.clock import format_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.nodes.commands import Run, run_of
from k8sdiag.minicluster.nodes.lifetimes import NOBODY, Ending, Life, ended_run, life_at

SANDBOX = 0.4  # until the pod has its network and the first container runs
_NEXT = 0.3  # from one init container to the next


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pod runs."""

    host: str
    address: str


@dataclass(frozen=True, slots=True)
class Container:
    """A container of a pod and how it stands; no `life` is one that has not started yet."""

    spec: Json
    run: Run
    life: Life | None
    init: bool = False
    sidecar: bool = False

    @property
    def done(self) -> bool:
        """An init container that is through."""
        return self.life is not None and (
            (self.life.state == "ended" and self.run.code == 0) or (self.sidecar and self.life.state == "running")
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """A pod at one moment: its containers, and when something changes next."""

    containers: tuple[Container, ...]
    sandbox: bool
    until: float | None


def standing(pod: Json, start: float, now: float, left: Mapping[str, Ending] = NOBODY) -> Standing:
    """How the containers of a pod stand that its node began to start at `start`; `left` are those that somebody ended
    from within."""
    spec = pod["spec"]
    policy = spec.get("restartPolicy", "Always")
    in_job = any(owner.get("kind") == "Job" for owner in pod["metadata"].get("ownerReferences") or ())
    begin: float | None = start + SANDBOX
    found: list[Container] = []
    for container in spec.get("initContainers") or ():
        sidecar = container.get("restartPolicy") == "Always"
        run = run_of(container)
        rule = "Always" if sidecar else "OnFailure" if policy == "Always" else policy
        life = life_at(run, begin, rule, now) if begin is not None and begin <= now else None
        found.append(one := Container(container, run, life, init=True, sidecar=sidecar))
        if begin is not None and life is not None and one.done:
            begin = (life.started if sidecar else life.ended or now) + _NEXT
        elif life is not None:
            begin = None
    for container in spec["containers"]:
        run = run_of(container, in_job)
        if begin is not None and container["name"] in left:
            run = ended_run(run, begin, left[container["name"]], policy)
        life = life_at(run, begin, policy, now) if begin is not None and begin <= now else None
        found.append(Container(container, run, life))
    moments = [one.life.until for one in found if one.life and one.life.until is not None]
    moments += [at for one in found if (at := _ready_at(one)) is not None and at > now]
    if begin is not None and begin > now:
        moments.append(begin)
    return Standing(tuple(found), now >= start + SANDBOX, min(moments, default=None))


def stopped(pod: Json, start: float, now: float, left: Mapping[str, Ending] = NOBODY) -> Standing:
    """The same pod when all of it was just stopped."""
    held = standing(pod, start, now, left)
    ended = tuple(
        replace(one, life=replace(one.life, state="ended", ended=now, until=None))
        if one.life is not None and one.life.state == "running"
        else one
        for one in held.containers
    )
    return Standing(ended, False, None)


def _ready_at(container: Container) -> float | None:
    """When a running container is ready: after its probes' initial delays."""
    if container.life is None or container.life.state != "running":
        return None
    probes = (container.spec.get("startupProbe"), container.spec.get("readinessProbe"))
    return container.life.started + max(
        float(probe.get("initialDelaySeconds") or 0) if probe else 0.0 for probe in probes
    )


def is_ready(container: Container, now: float) -> bool:
    at = _ready_at(container)
    return at is not None and at <= now


def phase_of(pod: Json, held: Standing) -> str:
    """kubelet_pods.go getPhase."""
    init = [one for one in held.containers if one.init]
    main = [one for one in held.containers if not one.init]
    policy = pod["spec"].get("restartPolicy", "Always")
    if any(not one.done for one in init if not one.sidecar):
        failed = any(one.life and one.life.state == "ended" and one.run.code for one in init)
        return "Failed" if failed and policy == "Never" else "Pending"
    if any(one.life is None for one in main):
        return "Pending"
    if all(one.life is not None and one.life.state == "ended" for one in main):
        return "Failed" if any(one.run.code for one in main) else "Succeeded"
    return "Running"


def status_of(pod: Json, held: Standing, start: float, place: Place, now: float) -> Json:
    """The whole `status`. What is not a kubelet's own (other conditions, nominatedNodeName) stays as it is."""
    old = pod.get("status") or {}
    phase = phase_of(pod, held)
    status: Json = {"phase": phase, "conditions": _conditions(pod, old, held, phase, now)}
    status |= {"hostIP": place.host, "hostIPs": [{"ip": place.host}]}
    if (held.sandbox or old.get("podIP")) and place.address:
        status |= {"podIP": place.address, "podIPs": [{"ip": place.address}]}
    status["startTime"] = old.get("startTime") or format_time(start)
    if any(one.init for one in held.containers):
        status["initContainerStatuses"] = [container_status(pod, one, now) for one in held.containers if one.init]
    status["containerStatuses"] = [container_status(pod, one, now) for one in held.containers if not one.init]
    for kept in ("qosClass", "nominatedNodeName", "ephemeralContainerStatuses", "resize", "message", "reason"):
        if old.get(kept):
            status[kept] = old[kept]
    return status


def _conditions(pod: Json, old: Json, held: Standing, phase: str, now: float) -> list[Json]:
    main = [one["name"] for one in _unready(held, now)]
    waiting = [str(one.spec["name"]) for one in held.containers if one.init and not one.done]
    over = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(phase, "")
    ready: tuple[str, str, str]
    if over:
        ready = ("False", over, "")
    elif main:
        ready = ("False", "ContainersNotReady", f"containers with unready status: [{' '.join(main)}]")
    else:
        ready = ("True", "", "")
    initialized = ("True", "PodCompleted" if phase == "Succeeded" else "", "")
    if waiting and phase != "Succeeded":
        listed = f"containers with incomplete status: [{' '.join(waiting)}]"
        initialized = ("False", "ContainersNotInitialized", listed)
    made = {
        "PodReadyToStartContainers": ("True" if held.sandbox and not over else "False", "", ""),
        "Initialized": initialized,
        "Ready": _with_gates(pod, old, ready),
        "ContainersReady": ready,
        "PodScheduled": ("True", "", ""),
    }
    before = {condition["type"]: condition for condition in old.get("conditions") or ()}
    own = [_condition(kind, value, before.get(kind), now) for kind, value in made.items()]
    return own + [condition for kind, condition in before.items() if kind not in made]


def _unready(held: Standing, now: float) -> list[Json]:
    return [one.spec for one in held.containers if (not one.init or one.sidecar) and not is_ready(one, now)]


def _with_gates(pod: Json, old: Json, ready: tuple[str, str, str]) -> tuple[str, str, str]:
    """Readiness gates wait for conditions that somebody else sets (generate.go GeneratePodReadyCondition)."""
    gates = pod["spec"].get("readinessGates")
    if not gates or ready[0] != "True":
        return ready
    have = {condition["type"]: condition["status"] for condition in old.get("conditions") or ()}
    complaints = []
    for kind in (gate["conditionType"] for gate in gates):
        if kind not in have:
            complaints.append(f'corresponding condition of pod readiness gate "{kind}" does not exist.')
        elif have[kind] != "True":
            complaints.append(f'the status of pod readiness gate "{kind}" is not "True", but {have[kind]}')
    return ("False", "ReadinessGatesNotReady", ", ".join(complaints)) if complaints else ready


def _condition(kind: str, value: tuple[str, str, str], old: Json | None, now: float) -> Json:
    status, reason, message = value
    since = old["lastTransitionTime"] if old and old["status"] == status else format_time(now)
    made = {"type": kind, "status": status, "lastProbeTime": None, "lastTransitionTime": since}
    if reason:
        made["reason"] = reason
    if message:
        made["message"] = message
    return made


def container_id(pod: Json, name: str, restarts: int) -> str:
    return "containerd://" + sha256(f"{pod['metadata']['uid']}/{name}/{restarts}".encode()).hexdigest()


def image_name(image: str) -> str:
    """As containerd names it: `nginx` is `docker.io/library/nginx:latest`."""
    name, _, digest = image.partition("@")
    first, slash, _ = name.partition("/")
    if not slash:
        name = f"docker.io/library/{name}"
    elif "." not in first and ":" not in first and first != "localhost":
        name = f"docker.io/{name}"
    if ":" not in name.rsplit("/", 1)[-1] and not digest:
        name += ":latest"
    return f"{name}@{digest}" if digest else name


def image_id(image: str) -> str:
    """By digest, as an image that was pulled is known; the digest is made from the name."""
    name = image_name(image)
    if "@" in name:
        return name
    return f"{name.rpartition(':')[0]}@sha256:{sha256(name.encode()).hexdigest()}"


def container_status(pod: Json, one: Container, now: float) -> Json:
    """What the node says of one container."""
    spec, life = one.spec, one.life
    status: Json = {"name": spec["name"], "state": state_of(pod, one), "lastState": {}}
    if life is not None and life.last is not None:
        status["lastState"] = {
            "terminated": _terminated(pod, one, *life.last, life.restarts - (life.state != "waiting"))
        }
    if life is not None and life.state == "waiting":
        status["lastState"] = {"terminated": _terminated(pod, one, life.started, life.ended or now, life.restarts)}
    status["ready"] = is_ready(one, now) if not one.init or one.sidecar else one.done
    status["restartCount"] = 0 if life is None else life.restarts
    image = str(spec.get("image", ""))
    status |= {
        "image": image if life is None else image_name(image),
        "imageID": "" if life is None else image_id(image),
    }
    if life is not None:
        status["containerID"] = container_id(pod, spec["name"], life.restarts)
    status["started"] = life is not None and life.state == "running"
    if life is not None:
        resources = spec.get("resources") or {}
        if resources.get("requests"):
            status["allocatedResources"] = resources["requests"]
        status["resources"] = {key: resources[key] for key in ("limits", "requests") if resources.get(key)}
    mounts = [_mount(mount) for mount in spec.get("volumeMounts") or ()]
    if mounts:
        status["volumeMounts"] = mounts
    return status


def _mount(mount: Json) -> Json:
    shown = {"name": mount["name"], "mountPath": mount["mountPath"]}
    if mount.get("readOnly"):
        shown |= {"readOnly": True, "recursiveReadOnly": mount.get("recursiveReadOnly") or "Disabled"}
    return shown


def state_of(pod: Json, one: Container) -> Json:
    life = one.life
    if life is None:
        has_init = bool(pod["spec"].get("initContainers"))
        return {"waiting": {"reason": "PodInitializing" if has_init else "ContainerCreating"}}
    if life.state == "running":
        return {"running": {"startedAt": format_time(life.started)}}
    if life.state == "ended":
        return {"terminated": _terminated(pod, one, life.started, life.ended or life.started, life.restarts)}
    return {"waiting": {"reason": "CrashLoopBackOff", "message": back_off(pod, one.spec["name"], life.wait)}}


def back_off(pod: Json, container: str, wait: float) -> str:
    """Durations as Go prints them: `10s`, `2m40s`, `5m0s`."""
    minutes, seconds = divmod(round(max(wait, 10.0)), 60)
    span = f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
    meta = pod["metadata"]
    called = f"{meta['name']}_{meta['namespace']}({meta['uid']})"
    return f"back-off {span} restarting failed container={container} pod={called}"


def _terminated(pod: Json, one: Container, started: float, ended: float, restarts: int) -> Json:
    code = one.run.code
    return {
        "exitCode": code,
        "reason": "Error" if code else "Completed",
        "startedAt": format_time(started),
        "finishedAt": format_time(ended),
        "containerID": container_id(pod, one.spec["name"], restarts),
    }


def containers_of(pod: Json) -> Sequence[Json]:
    """All containers of a pod, those for debugging too."""
    spec = pod["spec"]
    return [*(spec.get("initContainers") or ()), *spec["containers"], *(spec.get("ephemeralContainers") or ())]
