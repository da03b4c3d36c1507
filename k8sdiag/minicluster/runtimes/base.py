"""What a kubelet asks of a container runtime (the Container Runtime Interface in ten verbs, for one node).

No verb blocks and none raises for what a container or a registry does: what takes time answers through `done`, later
and on the loop's thread, and what went wrong is a `Failure` with the runtime's own words. A change that nobody asked
for (a container that ended, a sandbox that died) is told through `on_change`; what it was shows in `inspect`.

Words: a *sandbox* is a pod's pause container with its network; a *container* runs in one. Both are known by the ids
that the runtime gave them (64 hex digits, as containerd's).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from k8sdiag.evidence import Json
from k8sdiag.minicluster.nodes.agent import Command, Input, LogOptions, Output

# The reasons of a Failure (pkg/kubelet/images/types.go, pkg/kubelet/kuberuntime/kuberuntime_container.go).
PULL_FAILED = "ErrImagePull"
REGISTRY_UNAVAILABLE = "RegistryUnavailable"
SIGNATURE_INVALID = "SignatureValidationFailed"
SANDBOX_FAILED = "CreatePodSandboxError"
CREATE_FAILED = "CreateContainerError"
START_FAILED = "RunContainerError"

CREATED, RUNNING, EXITED = "created", "running", "exited"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a verb did not do what it was asked to: one of the reasons above, and the whole text of the error as events
    quote it (`rpc error: code = NotFound desc = failed to pull and unpack image …`)."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """An image on the node. `name` is the full name (`docker.io/library/nginx:1.27`), `id` what a status shows as
    imageID (`docker.io/library/nginx@sha256:…`), `user` the one it runs as ('' for root)."""

    name: str
    id: str
    size: int
    user: str = ""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A pod's sandbox that runs: its id and its addresses (the node's own for a pod in the host's network)."""

    id: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Volume:
    """What is mounted. `kind` is `files` (ConfigMap, Secret, projected, downward API: `files` holds paths and content),
    `empty` (emptyDir: shared by the pod's containers, lives as long as the pod), `host` (`path` on the node) or `claim`
    (`path` names the persistent volume, whose content outlives the pod)."""

    name: str
    kind: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    path: str = ""
    in_memory: bool = False
    limit: int | None = None
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume at a place in a container."""

    volume: Volume
    path: str
    sub_path: str = ""
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """What a container may use; None for no limit. `cpu` in cores, `memory` and `disk` in bytes."""

    cpu: float | None = None
    memory: int | None = None
    disk: int | None = None
    cpu_request: float = 0.0
    memory_request: int = 0


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """A container as it is to be made: everything resolved, nothing to look up.

    `command` and `args` replace the image's entrypoint and command where they are not empty; `attempt` is the restart
    count. `annotations` are the pod's. `security` is the container's securityContext with the pod's where its own says
    nothing; `raw` is the container's entry in the pod.
    """

    namespace: str
    pod: str
    uid: str
    name: str
    image: ImageInfo
    attempt: int = 0
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    working_dir: str = ""
    mounts: tuple[Mount, ...] = ()
    limits: Limits = Limits()
    security: Mapping[str, object] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    tty: bool = False
    stdin: bool = False
    stdin_once: bool = False
    share_processes: bool = False  # one PID namespace for the whole pod
    target: str = ""  # an ephemeral container's: id of the container whose processes it sees
    message_path: str = "/dev/termination-log"
    message_from_log: bool = False  # FallbackToLogsOnError: the end of the log where the file is empty and it failed
    raw: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ContainerState:
    """A container or a sandbox now. `reason` and `message` are of its end: Completed, Error, OOMKilled, StartError,
    ContainerCannotRun; the message is what it left in its termination message file, or why it could not start.
    `memory` and `disk` are bytes in use, `cpu` cores; `volumes` the bytes in each of its emptyDirs, by name."""

    state: str
    started_at: float | None = None
    finished_at: float | None = None
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    cpu: float = 0.0
    memory: int = 0
    disk: int = 0
    volumes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """The runtime and its machine. Capacities are what a Node shows (None: the kubelet's choice); the rest is now, in
    bytes. `ready` and `network_ready` are the runtime's conditions with their message ('' where all is well)."""

    runtime: str = "containerd"
    version: str = "1.7.27"
    cpu: str | None = None
    memory: str | None = None
    disk: str | None = None
    kernel: str = ""
    os_image: str = ""
    images: Sequence[ImageInfo] = ()
    memory_available: int | None = None
    disk_available: int | None = None
    image_disk_available: int | None = None
    inodes_available: int | None = None
    processes: int | None = None
    not_ready: str = ""
    network_not_ready: str = ""


@dataclass(frozen=True, slots=True)
class Exec:
    """Run a command in a container. Its exit code ends the output; where it could not be run at all, the output ends
    with the message of containerd's error."""

    container: str
    command: Command


@dataclass(frozen=True, slots=True)
class Attach:
    """The streams of a container's own first process, from now on."""

    container: str
    command: Command


@dataclass(frozen=True, slots=True)
class Logs:
    """What a container has written, and writes if it is followed. `options.previous` means nothing here: the id of the
    earlier container is asked for."""

    container: str
    options: LogOptions


@dataclass(frozen=True, slots=True)
class Connect:
    """A TCP connection into a pod's network. An empty write says that it stands; a connection that fails ends the
    output with a code other than 0 and the words that follow `connect: ` (`connection refused`, `no route to host`);
    one that nobody answers says nothing until it is closed. `host` is an address other than the pod's, if not ''.
    With `tls` the runtime speaks TLS on it and trusts any certificate; a peer that does not speak it ends the output
    with the words of Go's http client (`http: server gave HTTP response to HTTPS client`)."""

    sandbox: str
    port: int
    host: str = ""
    tls: bool = False


@dataclass(frozen=True, slots=True)
class Health:
    """The gRPC health service of a pod's port is asked. The answer (`SERVING`, `NOT_SERVING`, `UNKNOWN`,
    `SERVICE_UNKNOWN`, `UNIMPLEMENTED`) is written and the output ended; a connection that fails is as in Connect."""

    sandbox: str
    port: int
    service: str = ""


Conversation = Exec | Attach | Logs | Connect | Health


class Runtime(Protocol):
    """One node's container runtime."""

    on_change: Callable[[str], None]
    """Set by the kubelet, called with a pod's uid on the loop's thread when something about its sandbox or containers
    changed that no `done` tells: an end, an OOM kill, a use that passed a limit of the pod's."""

    @property
    def node(self) -> NodeFacts:
        """What is known of the runtime and its machine, without waiting."""
        ...

    def image(self, name: str) -> ImageInfo | None:
        """The image, if it is on the node. `name` is as in the pod, or full."""
        ...

    def pull(self, name: str, credentials: Sequence[Json], done: Callable[[ImageInfo | Failure], None]) -> None:
        """Fetch an image. `credentials` are the entries of `auths` in the pod's pull secrets that are for this
        registry, each with its `registry`, to be tried in turn. Pulls
        are asked for one at a time, but a runtime need not rely on it."""
        ...

    def open_pod(self, pod: Json, attempt: int, done: Callable[[Sandbox | Failure], None]) -> None:
        """Make and start a pod's sandbox and its network."""
        ...

    def close_pod(self, sandbox: str, done: Callable[[], None]) -> None:
        """Kill what still runs in a sandbox, take its network down and forget it, its containers, their logs and the
        emptyDirs of the pod, unless another sandbox of the same pod is open. Nothing to do for one that is unknown."""
        ...

    def create(self, sandbox: str, spec: ContainerSpec, done: Callable[[str | Failure], None]) -> None:
        """Make a container; the answer is its id. Of the containers of that name the newest ended one is kept with its
        log, older ones are forgotten."""
        ...

    def start(self, container: str, done: Callable[[Failure | None], None]) -> None:
        """Start a container that was created. One that cannot start has ended then (StartError, exit code 128, with
        `started_at` 0 on containerd)."""
        ...

    def change(self, container: str, spec: ContainerSpec) -> None:
        """Give a running container other limits (in-place resize) or other content in its `files` volumes."""
        ...

    def stop(self, container: str, grace: float) -> None:
        """Send TERM, and KILL after `grace` seconds; again with a shorter grace brings the KILL forward. The end is
        told by `on_change`. A sandbox that is stopped ends at once with all its containers and loses its network; logs
        and states stay until `close_pod`."""
        ...

    def inspect(self, container: str) -> ContainerState | None:
        """A container or sandbox now; None for one that the runtime does not have (any more)."""
        ...

    def converse(self, what: Conversation, output: Output) -> Input:
        """Talk to a container or a port. The output may be written to at once, within the call."""
        ...


@dataclass(frozen=True, slots=True)
class Machine:
    """The node that a runtime is made for; `pod_range` is where its pods' addresses come from (`10.244.0.0/24`)."""

    name: str
    address: str
    pod_range: str
    cpu: str = "8"
    memory: str = "32Gi"


MakeRuntime = Callable[[Machine], Runtime]


def image_name(image: str) -> str:
    """An image's full name, as containerd gives it: `nginx` is `docker.io/library/nginx:latest`
    (distribution/reference, ParseDockerRef)."""
    name, _, digest = image.partition("@")
    first, slash, _ = name.partition("/")
    if not slash:
        name = f"docker.io/library/{name}"
    elif "." not in first and ":" not in first and first != "localhost":
        name = f"docker.io/{name}"
    if digest:
        tagged = name.rpartition(":")
        bare = tagged[0] if tagged[0] and "/" not in tagged[2] else name
        return f"{bare}@{digest}"
    return name if ":" in name.rsplit("/", 1)[-1] else f"{name}:latest"
