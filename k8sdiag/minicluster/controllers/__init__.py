"""The controllers, one file each. A file here that has a `NAME` and a `start(context)` is one; the others are nouns
that several of them need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from random import Random

from k8sdiag.clock import Clock
from k8sdiag.minicluster.apiserver.request import User
from k8sdiag.minicluster.client import Client
from k8sdiag.minicluster.events import Recorder
from k8sdiag.minicluster.kinds import Registry
from k8sdiag.minicluster.loop import Loop
from k8sdiag.minicluster.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Context:
    """What a component of the control plane works with: a client of its own, the loop, time, chance, its events, what
    is served, and what pods and nodes use."""

    client: Client
    loop: Loop
    clock: Clock
    random: Random
    events: Recorder
    registry: Registry
    metrics: Metrics


def user_of(component: str) -> User:
    """The account a controller works under (`--use-service-account-credentials`)."""
    name = f"system:serviceaccount:kube-system:{component}"
    return User(name, ("system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"))


def controllers() -> list[tuple[str, Callable[[Context], None]]]:
    """Every controller's name and start, in the order of their files' names."""
    found = []
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.stem == "__init__":
            continue
        module = import_module(f"{__name__}.{path.stem}")
        if hasattr(module, "NAME") and hasattr(module, "start"):
            found.append((module.NAME, module.start))
    return found
