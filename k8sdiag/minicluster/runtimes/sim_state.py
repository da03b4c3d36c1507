"""What a simulated node holds: its hardware, its troubles, its sandboxes and containers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from k8sdiag.minicluster.runtimes import commands, starting
from k8sdiag.minicluster.runtimes.acting import behaviour_of
from k8sdiag.minicluster.runtimes.base import CREATED, ContainerSpec
from k8sdiag.minicluster.runtimes.behaviours import REGISTRY, BadBehaviour
from k8sdiag.minicluster.runtimes.images import BadTable, Image, read_overrides
from k8sdiag.minicluster.runtimes.machine.files import Entry, FileFault, Files
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


def with_own_files(base: Callable[[str], Entry | None], host: Host, path: str) -> Entry | None:
    """The image's files and those that a kubelet and containerd put over them in every container."""
    if path == "/etc/hostname":
        text = f"{host.name}\n"
    elif path == "/etc/hosts":
        text = (
            "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
            "fe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n"
            f"{host.address}\t{host.name}\n"
        )
    elif path == "/etc/resolv.conf":
        search = f"{host.namespace}.svc.cluster.local svc.cluster.local cluster.local"
        text = f"search {search}\nnameserver 10.96.0.10\noptions ndots:5\n"
    else:
        return base(path)
    return Entry(text.encode(), len(text))


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


def no_network(sandbox: str) -> str:
    """How containerd's errors of a network plugin begin."""
    return f'rpc error: code = Unknown desc = failed to setup network for sandbox "{sandbox}": '


def hold(files: Files, spec: ContainerSpec, image: Image) -> None:
    """Make the working folder, as runc does whoever the user is, and keep the container to what it may do."""
    if spec.working_dir:
        with suppress(FileFault):
            files.make_folder(spec.working_dir, parents_too=True)
    files.user = user_of(spec, image)
    files.group = "fsGroup" in spec.security
    files.sealed = spec.security.get("readOnlyRootFilesystem") is True
    files.home = image.writable if files.user and str(files.user) == image.user.partition(":")[0] else ()
