"""The mini-cluster: its parts put together, in one thread and on one clock.

`MiniCluster(ManualClock(0), seed=1).start()` is a whole cluster that stands still until it is stepped; the same with
SystemClock and a file is what `k8sdiag lab up` runs behind HTTP (`hosting.py`).
"""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from k8sdiag.clock import Clock
from k8sdiag.minicluster.apiserver import bootstrap, establishing
from k8sdiag.minicluster.apiserver.handlers import Handlers
from k8sdiag.minicluster.apiserver.request import ADMIN, APISERVER, User
from k8sdiag.minicluster.apiserver.storage import Storage
from k8sdiag.minicluster.client import Client
from k8sdiag.minicluster.controllers import Context, controllers, user_of
from k8sdiag.minicluster.events import Recorder
from k8sdiag.minicluster.kinds import Registry
from k8sdiag.minicluster.loop import Loop
from k8sdiag.minicluster.metrics import Metrics
from k8sdiag.minicluster.nodes.agent import Agents

if TYPE_CHECKING:
    from collections.abc import Iterable

    from k8sdiag.minicluster.kubelet.fleet import Fleet

SIM = "sim"
SCHEDULER = User("system:kube-scheduler", ("system:authenticated",))

_SERVICE_EVERY = 10.0  # pkg/controlplane/controller/kubernetesservice (EndpointReconcilerConfig)


class MiniCluster:
    """An API server without HTTP; with `start`, also the scheduler, the controllers and nodes.

    `path` is the file that keeps the state; without one it is gone with the process. Two clusters with the same seed,
    clock and requests are the same to the byte.
    """

    def __init__(self, clock: Clock, seed: int = 0, path: Path | None = None) -> None:
        self.clock = clock
        self.random = Random(seed)  # noqa: S311 (names and uids, no secrets)
        self.registry = Registry()
        self.storage = Storage(clock, path)
        self.loop = Loop(clock, self.random)
        self.agents = Agents()
        self.metrics = Metrics(clock, self.agents)
        self.fleet: Fleet | None = None  # the kubelets of the nodes, if they have any
        self.handlers = Handlers(self.registry, self.storage, clock, self.random)
        custom = self.handlers.backend.customs
        establishing.serve(custom, self.registry, self.storage, self.loop, self.client(APISERVER, "kube-apiserver"))
        bootstrap.install(self.client(APISERVER, "kube-apiserver"))

    def start(self, nodes: int = 1, without: Iterable[str] = (), runtime: str = SIM) -> MiniCluster:
        """Set the control plane going, and that many nodes that run what is bound to them. `without` are the names of
        controllers to leave out, `scheduler` among them. `runtime` is what runs containers: `sim` simulates them."""
        from k8sdiag.minicluster import scheduler

        out = frozenset(without)
        own = self.client(APISERVER, "kube-apiserver")
        self.loop.every("kubernetes-service", _SERVICE_EVERY, lambda: bootstrap.keep_service(own), _SERVICE_EVERY)
        for name, start in controllers():
            if name not in out:
                start(self.context(user_of(name), name, "kube-controller-manager"))
        if "scheduler" not in out:
            scheduler.start(self.context(SCHEDULER, "default-scheduler", "kube-scheduler"))
        if nodes:
            self.fleet = self._kubelets(nodes, runtime)
        return self

    def _kubelets(self, nodes: int, runtime: str) -> Fleet:
        """Nodes with kubelets. Raises ValueError for a runtime that there is not."""
        from k8sdiag.minicluster.kubelet import fleet
        from k8sdiag.minicluster.simulated_nodes import machines

        if runtime != SIM:
            raise ValueError(f"there is no runtime {runtime!r}")
        context = self.context(ADMIN, "kubelet")
        return fleet.register(context, nodes, self.agents, machines(context))

    def context(self, user: User, component: str, agent: str = "") -> Context:
        """What a component works with: under its name it writes events; `agent` is the program it is part of, which is
        what managed fields name."""
        client = self.client(user, agent or component)
        recorder = Recorder(client, self.clock, component)
        return Context(client, self.loop, self.clock, self.random, recorder, self.registry, self.metrics)

    def client(self, user: User = ADMIN, agent: str = "k8sdiag-lab") -> Client:
        """Access for a user, without sockets."""
        return Client(self.handlers, user, agent)

    def settle(self) -> None:
        """Do all that is due now, without moving time."""
        self.loop.settle()

    def run_for(self, seconds: float) -> None:
        """Step through that much time (only with a ManualClock)."""
        self.loop.run_for(seconds)

    def close(self) -> None:
        """Write what is pending and let go of the file."""
        self.storage.close()
