"""What containerd writes into its journal while a kubelet asks things of it (containerd 1.6, pkg/cri/server)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.kubelet.containers import Record
from k8sdiag.minicluster.kubelet.journal import Journal, Unwritten, quoted


class RuntimeDiary:
    """The lines of one node's containerd, word for word."""

    __slots__ = ("_journal",)

    def __init__(self, journal: Journal | Unwritten) -> None:
        self._journal = journal

    def opening(self, pod: Json, attempt: int) -> None:
        self._journal.logrus("info", f"RunPodSandbox for {_sandbox(pod, attempt)}")

    def opened(self, pod: Json, attempt: int, sandbox: str) -> None:
        text = f"RunPodSandbox for {_sandbox(pod, attempt)} returns sandbox id {quoted(sandbox)}"
        self._journal.logrus("info", text)

    def not_opened(self, pod: Json, attempt: int, why: str) -> None:
        text = f"RunPodSandbox for {_sandbox(pod, attempt)} failed, error"
        self._journal.logrus("error", text, error=remote(why).partition(" desc = ")[2])

    def pulling(self, image: str) -> None:
        self._journal.logrus("info", f"PullImage {quoted(image)}")

    def pulled(self, image: str, reference: str) -> None:
        self._journal.logrus("info", f"PullImage {quoted(image)} returns image reference {quoted(reference)}")

    def not_pulled(self, image: str, why: str) -> None:
        self._journal.logrus("error", f"PullImage {quoted(image)} failed", error=why)

    def creating(self, sandbox: str, name: str, attempt: int) -> None:
        text = f"CreateContainer within sandbox {quoted(sandbox)} for container {_container(name, attempt)}"
        self._journal.logrus("info", text)

    def created(self, run: Record) -> None:
        text = f"CreateContainer within sandbox {quoted(run.sandbox)} for {_container(run.name, run.attempt)}"
        self._journal.logrus("info", f"{text} returns container id {quoted(run.id)}")
        self._journal.logrus("info", f"StartContainer for {quoted(run.id)}")

    def not_created(self, sandbox: str, name: str, attempt: int, why: str) -> None:
        text = f"CreateContainer within sandbox {quoted(sandbox)} for {_container(name, attempt)} failed"
        self._journal.logrus("error", text, error=why)

    def started(self, identity: str) -> None:
        self._journal.logrus("info", f"StartContainer for {quoted(identity)} returns successfully")

    def not_started(self, identity: str, why: str) -> None:
        for stream in ("stdout", "stderr"):
            text = f"Failed to pipe {stream} of container {quoted(identity)}"
            self._journal.logrus("error", text, error="reading from a closed fifo")
        self._journal.logrus("error", f"StartContainer for {quoted(identity)} failed", error=why)

    def stopping(self, identity: str, grace: float) -> None:
        self._journal.logrus("info", f"StopContainer for {quoted(identity)} with timeout {int(grace)} (s)")
        self._journal.logrus("info", f"Stop container {quoted(identity)} with signal terminated")

    def killing(self, identity: str) -> None:
        self._journal.logrus("info", f"Kill container {quoted(identity)}")

    def stopped(self, identity: str) -> None:
        self._journal.logrus("info", f"StopContainer for {quoted(identity)} returns successfully")

    def ended(self, identity: str) -> None:
        """The first process of a container or sandbox is gone."""
        self._journal.logrus("info", "shim disconnected", id=identity)
        self._journal.logrus("warning", "cleaning up after shim disconnected", id=identity, namespace="k8s.io")
        self._journal.logrus("info", "cleaning up dead shim", namespace="k8s.io")

    def closed(self, sandbox: str, containers: list[str]) -> None:
        """The sandbox is stopped, and what was in it has been."""
        self._journal.logrus("info", f"StopPodSandbox for {quoted(sandbox)}")
        for one in containers:
            text = f"Container to stop {quoted(one)} must be in running or unknown state, current state "
            self._journal.logrus("info", text + quoted("CONTAINER_EXITED"))
        self.ended(sandbox)
        self._journal.logrus("info", f"TearDown network for sandbox {quoted(sandbox)} successfully")
        self._journal.logrus("info", f"StopPodSandbox for {quoted(sandbox)} returns successfully")


def remote(why: str) -> str:
    """An error as it comes back over gRPC."""
    return why if why.startswith("rpc error: code = ") else f"rpc error: code = Unknown desc = {why}"


def _sandbox(pod: Json, attempt: int) -> str:
    meta = pod["metadata"]
    told = f"Name:{meta['name']},Uid:{meta['uid']},Namespace:{meta['namespace']},Attempt:{attempt},"
    return f"&PodSandboxMetadata{{{told}}}"


def _container(name: str, attempt: int) -> str:
    return f"&ContainerMetadata{{Name:{name},Attempt:{attempt},}}"
