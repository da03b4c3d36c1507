"""The life of a container as a function of time: when it runs, ends, waits and runs again (pure; no clock).

Restarts follow a kubelet's back-off (pkg/kubelet/kuberuntime doBackOff): the first at once, then after 10 s, doubling
to five minutes, and from the beginning again after a run of ten minutes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from k8sdiag.minicluster.nodes.commands import Run

_AT_ONCE = 0.5
_FIRST_WAIT = 10.0
_LONGEST_WAIT = 300.0
_GOOD_RUN = 600.0


@dataclass(frozen=True, slots=True)
class Ending:
    """Somebody who was attached to a container ended it: when, and with which exit code."""

    at: float
    code: int = 0


NOBODY: Mapping[str, Ending] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Life:
    """Where a container stands at one moment.

    `state` is running, ended or waiting; `started` and `ended` are of the run in question, `restarts` counts earlier
    runs, `last` is when the run before started and ended. `until` is when the next thing happens, None for never.
    """

    state: str
    started: float
    ended: float | None = None
    restarts: int = 0
    last: tuple[float, float] | None = None
    until: float | None = None
    wait: float = 0.0


def life_at(run: Run, begin: float, policy: str, now: float) -> Life:
    """The life of a container that first started at `begin`, under a restart policy."""
    start, restarts, in_a_row = begin, 0, 0
    last: tuple[float, float] | None = None
    while True:
        if run.seconds is None or now < start + run.seconds:
            until = None if run.seconds is None else start + run.seconds
            return Life("running", start, None, restarts, last, until)
        end = start + run.seconds
        if policy == "Never" or (policy == "OnFailure" and run.code == 0):
            return Life("ended", start, end, restarts, last)
        in_a_row = 0 if run.seconds >= _GOOD_RUN else in_a_row + 1
        wait = _AT_ONCE if in_a_row < 2 else min(_FIRST_WAIT * 2.0 ** min(in_a_row - 2, 10), _LONGEST_WAIT)
        last = (start, end)
        if now < end + wait:
            return Life("waiting", start, end, restarts, last, end + wait, wait)
        start, restarts = end + wait, restarts + 1


def ended_run(run: Run, begin: float, ending: Ending, policy: str) -> Run:
    """The run of a container that somebody ended, where it is not started again; else it goes on."""
    if policy == "Always" or (policy == "OnFailure" and ending.code):
        return run
    return replace(run, seconds=max(0.0, ending.at - begin), code=ending.code)
