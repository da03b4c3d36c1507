"""What happens in a cluster from one moment on, as a recording tells it: every change as it is made, then the logs.

Unlike `history` this forgets nothing, however long it goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from k8sdiag.clock import format_micro_time
from k8sdiag.evidence import ContainerLog, JournalEntry, Json
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.nodes.agent import LogOptions

if TYPE_CHECKING:
    from k8sdiag.minicluster.cluster import MiniCluster

UNTOLD = frozenset(("leases.coordination.k8s.io",))  # every ten seconds one of each node
LOG_LINES = 5000
_OWN = ("default", "kubernetes")  # the API server's Service, and what is behind it, are no part of anybody's incident


class Tape:
    """Runs from its making on."""

    def __init__(self, cluster: MiniCluster, namespace: str = "") -> None:
        self._cluster, self._namespace = cluster, namespace
        self.changes: list[tuple[str, str, Json]] = []
        self._known: set[str] = set()
        for key in sorted({*cluster.storage.stored(), *(one.storage for one in cluster.registry.all())}):
            if key not in UNTOLD:
                self._follow(key)

    def _follow(self, key: str) -> None:
        self._known.add(key)
        now = format_micro_time(self._cluster.clock.now())
        self.changes += ((now, "ADDED", obj) for obj in self._cluster.storage.list(key) if self._tells(obj))
        self._cluster.storage.subscribe(key, self._on_change)

    def _on_change(self, kind: str, obj: Json, old: Json | None) -> None:  # noqa: ARG002
        if self._tells(obj):
            self.changes.append((format_micro_time(self._cluster.clock.now()), kind, obj))

    def _tells(self, obj: Json) -> bool:
        meta = obj["metadata"]
        labels = meta.get("labels") or {}
        name = labels.get("kubernetes.io/service-name", meta["name"])
        return (meta.get("namespace"), name) != _OWN or self._namespace == _OWN[0]

    def end(self) -> None:
        """Take in what is of kinds that did not exist in the beginning (custom resources)."""
        for key in self._cluster.storage.stored():
            if key not in self._known and key not in UNTOLD:
                self._follow(key)

    def kinds(self) -> set[str]:
        """The kinds of which everything is told."""
        return {one.kind for one in self._cluster.registry.all() if one.kind not in ("Event", "Lease")}

    def logs(self) -> Iterator[ContainerLog]:
        """What containers said, of those that their node still has."""
        for pod in self._cluster.client().list("pods"):
            agent = self._cluster.agents.find(pod["spec"].get("nodeName", ""))
            if agent is None:
                continue
            meta, status = pod["metadata"], pod.get("status") or {}
            for one in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
                for previous in (False, True):
                    options = LogOptions(previous=previous, timestamps=True, tail=LOG_LINES)
                    page = _Page()
                    try:
                        agent.logs(pod, one["name"], options, page)
                    except ApiError:
                        continue
                    if page.text and not page.problem:
                        text = page.text.decode("utf-8", "replace")
                        yield ContainerLog(meta["namespace"], meta["name"], one["name"], previous, text)

    def journal(self) -> Iterator[JournalEntry]:
        """What the nodes' units have written."""
        for kubelet in self._cluster.fleet.kubelets.values() if self._cluster.fleet is not None else ():
            yield from kubelet.journal.entries()


class _Page:
    """An Output that keeps what is written."""

    def __init__(self) -> None:
        self.text = b""
        self.problem = ""

    def write(self, stream: int, data: bytes) -> None:  # noqa: ARG002
        self.text += data

    def end(self, code: int = 0, message: str = "") -> None:  # noqa: ARG002
        self.problem = message
