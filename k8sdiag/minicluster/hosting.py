"""A cluster in real time behind a socket: the API server and the work loop take turns in one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

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
from k8sdiag.minicluster.loop import Loop

# How long the controllers may work before requests have their turn again: what a request waits at most, about.
SLICE = 0.004
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
    """Serve a cluster for as long as the block runs. Port 0 is any free one. Raises OSError where it is taken."""
    security = load_security(keys, cluster.clock, cluster.random, [] if bind in ("0.0.0.0", "::") else [bind])  # noqa: S104
    publish(cluster.client(APISERVER, "kube-apiserver"), security.authority.pair.certificate.decode())
    Signer(cluster.client(user_of(SIGNER), "kube-controller-manager"), cluster.loop, cluster.clock, security.authority)
    server = ApiServer(cluster.handlers, security, cluster.metrics)
    server.streams.update(streams(Nodes(cluster.handlers.backend, cluster.agents)))
    url = await server.start(bind, port)
    token = security.tokens.add("kubernetes-admin", ("system:masters",))
    text = kubeconfig(url, security.authority.pair.certificate, "kubernetes-admin", Credentials(token))
    work = asyncio.create_task(turns(cluster.loop))
    cluster.loop.every("compaction", _COMPACT_EVERY, cluster.storage.compact, _COMPACT_EVERY)
    server.is_ready = True
    try:
        yield Hosted(cluster, server, url, text)
    finally:
        server.is_ready = False
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
        await server.stop()


async def turns(loop: Loop) -> None:
    """Run a work loop in slices, for ever: at once while there is something to do, else when it is due."""
    news = asyncio.Event()
    loop.on_plan = news.set
    while True:
        news.clear()
        pause = loop.work(SLICE)
        if pause is not None and pause <= 0:
            await asyncio.sleep(0)
            continue
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):  # wait_for would lose a cancellation that comes together with news
                await news.wait()
