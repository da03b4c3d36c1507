"""Starts a lab in the background, and waits until it says how that went."""

from __future__ import annotations

import os
import select
import subprocess
import sys

from k8sdiag.clock import sleep, stopwatch
from k8sdiag.minicluster.folder import Folder


class LaunchError(Exception):
    """The lab did not start, or did not stop; the sentence says why."""


def launch(folder: Folder, port: int, bind: str, nodes: int, patience: float = 30.0) -> str:
    """Start the lab of a folder in a session of its own, which outlives the terminal; the URL of its API server.
    Raises LaunchError."""
    reading, writing = os.pipe()
    with folder.log.open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 (our own interpreter and module)
            [
                *(sys.executable, "-m", "k8sdiag.minicluster.daemon", str(folder.path)),
                *(str(port), bind, str(nodes), str(writing)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
            pass_fds=[writing],
        )
    os.close(writing)
    try:
        word, _, rest = _line(reading, patience).partition(" ")
    except BaseException:
        process.terminate()  # Ctrl-C while it starts: nothing stays behind
        raise
    finally:
        os.close(reading)
    if word == "ready":
        return rest
    process.terminate()
    raise LaunchError(rest or f"the lab did not start; its log is {folder.log}")


def _line(descriptor: int, patience: float) -> str:
    """What the new process says first; '' where it ends or says nothing."""
    end, said = stopwatch() + patience, b""
    while not said.endswith(b"\n") and (left := end - stopwatch()) > 0:
        if select.select([descriptor], [], [], left)[0]:
            part = os.read(descriptor, 4096)
            if not part:
                break
            said += part
    return said.decode("utf-8", "replace").strip()


def stop(folder: Folder, patience: float = 15.0) -> bool:
    """End the lab of a folder; False where none runs. Raises LaunchError where it does not end."""
    pid = folder.stop()
    if not pid:
        return False
    end = stopwatch() + patience
    while folder.running():
        if stopwatch() > end:
            raise LaunchError(
                f"the lab (process {pid}) does not end; `kill -9 {pid}` loses nothing that was acknowledged"
            )
        sleep(0.02)
    return True
