"""A fault in a cluster of its own: nodes with simulated containers, and time that is stepped from event to event.

The clock starts at START, whatever the time is, and chance comes from the seed alone: two runs with the same seed are
the same to the byte.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from k8sdiag.clock import ManualClock
from k8sdiag.evidence import ContainerLog
from k8sdiag.minicluster.cluster import SIM, MiniCluster
from k8sdiag.minicluster.controllers import controllers
from k8sdiag.minicluster.faults.inside import InProcess
from k8sdiag.minicluster.faults.marking import objects_of
from k8sdiag.minicluster.faults.tape import Tape
from k8sdiag.minicluster.faults.verbs import RefusedError, World, perform
from k8sdiag.minicluster.faults.written import Fault, Step

START = 1767600000.0
"""2026-01-05T08:00:00Z, a Monday: when a stepped cluster begins."""
WARM_UP = 300.0  # seconds until nodes are ready and no longer new
ALL_CONTROLLERS = "controllers"
_SILENCE = logging.NullHandler()


@dataclass(slots=True)
class Staged:
    """A fault that has run."""

    fault: Fault
    cluster: MiniCluster
    tape: Tape
    refusals: list[str] = field(default_factory=list)

    @property
    def now(self) -> float:
        return self.cluster.clock.now()

    def logs(self) -> list[ContainerLog]:
        return list(self.tape.logs())


def stage(fault: Fault, seed: int = 1) -> Staged:
    """Run a fault, from the start of the cluster to the moment at which it is to be looked at. What the API server
    refuses is in `refusals`. Raises RefusedError where a step cannot be done."""
    # What controllers fail at is in objects and events, where it is looked for; nobody needs it on the terminal.
    logging.getLogger("k8sdiag.minicluster").addHandler(_SILENCE)
    cluster = MiniCluster(ManualClock(START), seed)
    # Components that are not there were there once: their leases, if anything, tell of them.
    cluster.start(fault.nodes, tuple(_parts(fault)), SIM)
    cluster.run_for(WARM_UP)
    world = World(InProcess(cluster.client(), cluster.registry), fault.namespace, cluster)
    for step in fault.before:
        if step.after:
            cluster.run_for(step.after)
        _do(world, step)
    cluster.run_for(1.0)
    staged = Staged(fault, cluster, Tape(cluster, fault.namespace))
    _begin(world, staged)
    _follow(world, staged)
    staged.tape.end()
    return staged


def _parts(fault: Fault) -> list[str]:
    names = [name for name in fault.without if name != ALL_CONTROLLERS]
    return names + [name for name, _ in controllers()] if ALL_CONTROLLERS in fault.without else names


def _begin(world: World, staged: Staged) -> None:
    """The fault's namespace, and what is applied in it."""
    space = world.namespace
    described = any(obj["kind"] == "Namespace" and obj["metadata"]["name"] == space for obj in staged.fault.manifest)
    if not described:
        _try(staged, world, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}})
    for obj in objects_of(staged.fault):
        _try(staged, world, obj)


def _try(staged: Staged, world: World, obj: dict[str, object]) -> None:
    try:
        world.door.apply(obj, world.namespace)
    except RefusedError as refused:
        staged.refusals.append(str(refused))
    if obj["kind"] == "Namespace":
        staged.cluster.run_for(0.1)  # its service account comes to be
    staged.cluster.settle()


def _follow(world: World, staged: Staged) -> None:
    begun, end = staged.now, staged.now + staged.fault.seconds
    for step in sorted(staged.fault.steps, key=lambda one: one.after):
        staged.cluster.loop.run_until(min(begun + step.after, end))
        _do(world, step)
    staged.cluster.loop.run_until(end)


def _do(world: World, step: Step) -> None:
    try:
        perform(world, step.verb, step.words)
    except RefusedError as refused:
        raise RefusedError(f"{step.place}: {step.verb}: {refused}", refused.code) from None
