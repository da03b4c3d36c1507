"""A cluster in real time behind a socket: the API server and the work of the controllers, in turns (`turns.py`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from k8sdiag.minicluster.apiserver.kubeconfig import Credentials, kubeconfig
from k8sdiag.minicluster.apiserver.request import APISERVER
from k8sdiag.minicluster.apiserver.security import load_security
from k8sdiag.minicluster.apiserver.server import ApiServer
from k8sdiag.minicluster.apiserver.signing import Signer
from k8sdiag.minicluster.apiserver.streams import streams
from k8sdiag.minicluster.apiserver.streams.subject import Nodes
from k8sdiag.minicluster.cluster import MiniCluster
from k8sdiag.minicluster.controllers import user_of
from k8sdiag.minicluster.controllers.root_ca import publish
from k8sdiag.minicluster.turns import TurnsEventLoop, Worker

T = TypeVar("T")

_COMPACT_EVERY = 30.0
SIGNER = "certificate-controller"


@dataclass(frozen=True, slots=True)
class Hosted:
    """A cluster that can be reached: its server, URL, and the administrator's kubeconfig."""

    cluster: MiniCluster
    server: ApiServer
    url: str
    kubeconfig: str


@asynccontextmanager
async def hosting(cluster: MiniCluster, keys: Path, bind: str, port: int) -> AsyncIterator[Hosted]:
    """Serve a cluster for as long as the block runs, in a TurnsEventLoop. Port 0 is any free one. Raises OSError where
    it is taken."""
    event_loop = asyncio.get_running_loop()
    if not isinstance(event_loop, TurnsEventLoop):
        raise TypeError("a cluster is hosted in a TurnsEventLoop: see hosting.run")
    security = load_security(keys, cluster.clock, cluster.random, [] if bind in ("0.0.0.0", "::") else [bind])  # noqa: S104
    publish(cluster.client(APISERVER, "kube-apiserver"), security.authority.pair.certificate.decode())
    Signer(cluster.client(user_of(SIGNER), "kube-controller-manager"), cluster.loop, cluster.clock, security.authority)
    server = ApiServer(cluster.handlers, security, cluster.metrics)
    server.streams.update(streams(Nodes(cluster.handlers.backend, cluster.agents)))
    url = await server.start(bind, port)
    token = security.tokens.add("kubernetes-admin", ("system:masters",))
    text = kubeconfig(url, security.authority.pair.certificate, "kubernetes-admin", Credentials(token))
    cluster.loop.every("compaction", _COMPACT_EVERY, cluster.storage.compact, _COMPACT_EVERY)
    cluster.handlers.outside = event_loop.baton.outside
    worker = Worker(cluster.loop, event_loop)
    worker.start()
    server.is_ready = True
    try:
        yield Hosted(cluster, server, url, text)
    finally:
        server.is_ready = False
        await worker.stop()
        await server.stop()


def run(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` for what hosts a cluster."""
    with asyncio.Runner(loop_factory=TurnsEventLoop) as runner:
        return runner.run(main)
