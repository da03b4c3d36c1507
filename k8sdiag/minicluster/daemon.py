"""The process behind `k8sdiag lab up`: `python -m k8sdiag.minicluster.daemon FOLDER PORT BIND NODES READY-FD`.

It says on the given file descriptor how its start went, one line: `ready URL` or `error WHY`. It ends on SIGTERM and
SIGINT, with all that was acknowledged on disk; so that is after SIGKILL, too.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from random import SystemRandom

from k8sdiag.clock import SystemClock
from k8sdiag.minicluster import collector
from k8sdiag.minicluster.apiserver.durable import StorageUnusableError
from k8sdiag.minicluster.cluster import MiniCluster
from k8sdiag.minicluster.folder import Folder, replace
from k8sdiag.minicluster.hosting import hosting
from k8sdiag.minicluster.hosting import run as serve

LOG = logging.getLogger("k8sdiag.lab")


def run(
    folder: Folder,
    port: int,
    bind: str,
    nodes: int,
    ready: Callable[[str], None],
    failed: Callable[[str], None],
) -> int:
    """Run the lab of a folder until it is told to end; the exit code. `ready` is told the URL, `failed` why there
    is none."""
    gc.disable()  # see collector.py
    held = folder.hold()
    if held is None:
        failed(f"the lab {folder.name!r} runs already")
        return 3
    try:
        serve(_run(folder, port, bind, nodes, ready))
    except StorageUnusableError as problem:
        failed(str(problem))
        return 3
    except OSError as problem:
        if problem.errno not in (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES):
            raise
        why = "is taken" if problem.errno == errno.EADDRINUSE else f"cannot be used ({problem.strerror})"
        failed(f"port {port} on {bind} {why}: choose another with --port")
        return 3
    finally:
        os.close(held)
    return 0


async def _run(folder: Folder, port: int, bind: str, nodes: int, ready: Callable[[str], None]) -> None:
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    cluster = MiniCluster(SystemClock(), SystemRandom().getrandbits(64), folder.state)
    try:
        cluster.start(nodes)
        async with hosting(cluster, folder.keys, bind, port) as hosted:
            replace(folder.kubeconfig, hosted.kubeconfig.encode())
            folder.write_settings({"pid": os.getpid(), "url": hosted.url, "port": port, "bind": bind, "nodes": nodes})
            collector.tame(cluster.loop)
            LOG.info("ready at %s", hosted.url)
            ready(hosted.url)
            await ending.wait()
            LOG.info("told to end")
    finally:
        cluster.close()


def main(words: list[str]) -> int:
    """The arguments as `launch.py` gives them."""
    path, port, bind, nodes, descriptor = words
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname).1s %(name)s: %(message)s")

    def say(line: str) -> None:
        os.write(int(descriptor), f"{line}\n".encode())
        os.close(int(descriptor))

    def failed(why: str) -> None:
        LOG.error("%s", why)
        say(f"error {why}")

    return run(Folder(Path(path)), int(port), bind, int(nodes), lambda url: say(f"ready {url}"), failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
