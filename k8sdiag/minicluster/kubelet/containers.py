"""What a kubelet knows of a pod's containers, and what it reads from the pod's spec about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from k8sdiag.evidence import Json
from k8sdiag.minicluster.runtimes.base import CREATED, EXITED, RUNNING, ContainerState, ImageInfo

INIT, MAIN, EPHEMERAL = "initContainers", "containers", "ephemeralContainers"


@dataclass(slots=True)
class Record:
    """One run of a container: what it was made from and how it stood when it was last looked at."""

    id: str
    name: str
    attempt: int
    image: ImageInfo
    sandbox: str
    wanted_image: str = ""
    runtime: str = "containerd"
    state: ContainerState = field(default_factory=lambda: ContainerState(CREATED))

    @property
    def shown(self) -> str:
        """Its id as the API has it."""
        return f"{self.runtime}://{self.id}"

    @property
    def running(self) -> bool:
        return self.state.state == RUNNING

    @property
    def exited(self) -> bool:
        return self.state.state == EXITED

    @property
    def succeeded(self) -> bool:
        return self.exited and self.state.exit_code == 0


Runs = list[Record]  # of one container, the newest last; at most two


def newest(runs: dict[str, Runs], name: str) -> Record | None:
    found = runs.get(name)
    return found[-1] if found else None


def is_sidecar(container: Json) -> bool:
    """An init container that goes on running (restartPolicy Always)."""
    return container.get("restartPolicy") == "Always"


def every(pod: Json) -> Iterator[tuple[str, Json]]:
    """All containers with the list that they stand in."""
    spec = pod["spec"]
    for group in (INIT, MAIN, EPHEMERAL):
        for container in spec.get(group) or ():
            yield group, container


def field_path(group: str, name: str) -> str:
    """What an event about a container says it is about."""
    return f"spec.{group}{{{name}}}"


def called(pod: Json) -> str:
    """`name_namespace(uid)` (pkg/kubelet/util/format)."""
    meta = pod["metadata"]
    return f"{meta['name']}_{meta['namespace']}({meta['uid']})"


def may_restart(pod: Json) -> bool:
    return bool(pod["spec"].get("restartPolicy", "Always") != "Never")


def should_start(pod: Json, run: Record | None) -> bool:
    """Whether a container that does not run has to be (pkg/kubelet/container ShouldContainerBeRestarted)."""
    if pod["metadata"].get("deletionTimestamp"):
        return False
    if run is None or run.state.state == CREATED:
        return True
    if run.running:
        return False
    policy = pod["spec"].get("restartPolicy", "Always")
    return bool(policy == "Always" or (policy == "OnFailure" and run.state.exit_code != 0))
