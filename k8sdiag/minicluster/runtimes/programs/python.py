"""`python3`: the ways in which manifests use it."""

from __future__ import annotations

from collections.abc import Mapping

from k8sdiag.minicluster.runtimes.machine.machine import Process, Program
from k8sdiag.minicluster.runtimes.machine.threads import Steps


def _python(process: Process) -> Steps:
    yield None
    return 0


COMMANDS: Mapping[str, Program] = {"python": _python, "python3": _python}
