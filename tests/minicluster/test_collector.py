"""The collector in a lab: off while it starts, then on, and what has survived is not looked at again."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from random import Random

import pytest

from k8sdiag.clock import ManualClock
from k8sdiag.minicluster import collector
from k8sdiag.minicluster.loop import Loop


@pytest.fixture
def loop() -> Iterator[Loop]:
    before = gc.get_threshold()
    gc.disable()
    yield Loop(ManualClock(0), Random(1))
    gc.callbacks.remove(collector._set_aside)
    gc.unfreeze()
    gc.set_threshold(*before)
    gc.enable()


class Knot:
    """What only the collector can free."""

    alive = 0

    def __init__(self) -> None:
        self.myself = self
        Knot.alive += 1

    def __del__(self) -> None:
        Knot.alive -= 1


def test_what_survived_is_set_aside_for_an_hour(loop: Loop) -> None:
    collector.tame(loop)
    assert gc.isenabled()
    kept = Knot()
    Knot()
    gc.collect()
    assert Knot.alive == 1
    del kept
    gc.collect()
    assert Knot.alive == 1  # survived once, so it was set aside
    loop.run_for(3601)
    assert Knot.alive == 0
