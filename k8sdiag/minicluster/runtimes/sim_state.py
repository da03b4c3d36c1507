"""What a simulated node holds: its hardware, its troubles, its sandboxes and containers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from k8sdiag.minicluster.runtimes import commands, starting
from k8sdiag.minicluster.runtimes.acting import behaviour_of
from k8sdiag.minicluster.runtimes.base import CREATED, ContainerSpec
from k8sdiag.minicluster.runtimes.behaviours import REGISTRY, BadBehaviour
from k8sdiag.minicluster.runtimes.images import BadTable, Image, read_overrides
from k8sdiag.minicluster.runtimes.machine.files import Entry
from k8sdiag.minicluster.runtimes.machine.machine import PATH, Machine
from k8sdiag.minicluster.runtimes.machine.network import Host
from k8sdiag.minicluster.runtimes.machine.threads import Timers

# How long a healthy containerd takes, in seconds.
SANDBOX, CREATE, START, KILL = 0.08, 0.01, 0.05, 0.02
NODE_MEMORY, NODE_DISK = 900 * 2**20, 8 * 2**30  # what the machine uses without pods
DOWN = (
    'rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial unix'
    ' /run/containerd/containerd.sock: connect: no such file or directory"'
)


@dataclass(slots=True)
class Trouble:
    """What is wrong with a node's runtime: texts of errors, and memory or disk that something else has taken."""

    runtime: str = ""  # it does not answer; its containers run on
    network: str = ""  # no network plugin: what the node's Ready condition says
    sandbox: str = ""  # why sandboxes fail, after `failed to setup network for sandbox "ID": `
    create: str = ""
    memory: int = 0
    disk: int = 0
    images: int = 0
    inodes: int = 0
    processes: int = 0


@dataclass(frozen=True, slots=True)
class Hardware:
    """A simulated machine; memory and disk in bytes."""

    cpu: str = "2"
    memory: int = 8 * 2**30
    disk: int = 100 * 2**30
    inodes: int = 6_553_600
    processes: int = 32_768


@dataclass(slots=True)
class Pod:
    """A sandbox."""

    id: str
    uid: str
    host: Host
    own: bool  # an address of its own, not the node's
    containers: list[str] = field(default_factory=list)
    ended: float | None = None
    started: float = 0.0


@dataclass(slots=True)
class Held:
    """A container, before, while and after it runs."""

    id: str
    pod: Pod
    spec: ContainerSpec
    image: Image
    machine: Machine | None = None
    state: str = CREATED
    started: float | None = None
    finished: float | None = None
    code: int = 0
    reason: str = ""
    message: str = ""
    kill_at: float | None = None
    killer: int = 0
    problem: str = ""


def unmakable(spec: ContainerSpec, image: Image) -> str:
    """Why a container cannot be made; ''."""
    try:
        behaviour = behaviour_of(spec)
        read_overrides(str(spec.annotations.get(REGISTRY) or ""))
    except BadBehaviour as fault:
        return str(fault)
    except BadTable as fault:
        return f"annotation {REGISTRY}: {fault}"
    if behaviour is None and not commands.words_of(spec, image):
        return "failed to generate container spec: failed to generate spec: no command specified"
    return starting.bad_profile(spec)


_BASES: dict[int, tuple[Image, Callable[[str], Entry | None]]] = {}


def base_of(image: Image) -> Callable[[str], Entry | None]:
    found = _BASES.get(id(image))
    if found is None or found[0] is not image:
        found = _BASES[id(image)] = (image, lambda path: commands.base_file(image, path))
    return found[1]


def now_of(timers: Timers) -> Callable[[], float]:
    return lambda: timers.now


def user_of(spec: ContainerSpec, image: Image) -> int:
    """The user id that the first process has."""
    said = spec.security.get("runAsUser")
    if isinstance(said, int):
        return said
    name = image.user.partition(":")[0]
    if name.isdigit():
        return int(name)
    return 1000 if name and name != "root" else 0


def environment(spec: ContainerSpec, image: Image, host: str) -> Mapping[str, str]:
    return {"PATH": PATH, "HOSTNAME": host, **image.env, **spec.env, "HOME": spec.env.get("HOME", "/root")}
