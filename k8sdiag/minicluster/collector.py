"""Python's garbage collector in a process full of objects that are no garbage.

A lab's objects are plain dicts: nothing in them points back, so they go as soon as nobody has them, without the
collector. Left to itself it looks through all of them again and again: a quarter of what creating 10,000 pods costs,
half a second at a time, and most of what starting with them does. So it is off while a lab starts, what has survived
one full look is set aside, and only once an hour everything is looked at: the garbage in there is what connections
leave.
"""

from __future__ import annotations

import gc

from k8sdiag.minicluster.loop import Loop

# So few objects at a time that a look takes some ten milliseconds, and so rarely that it pays.
_THRESHOLDS = (10_000, 5, 5)
_OLDEST = 2
_EVERY = 3600.0


def tame(loop: Loop) -> None:
    """The lab has started. From here on, look only at what is new."""
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    if _set_aside not in gc.callbacks:
        gc.callbacks.append(_set_aside)
    gc.enable()
    loop.every("collector", _EVERY, _look_through, _EVERY)


def _set_aside(phase: str, info: dict[str, int]) -> None:
    if phase == "stop" and info["generation"] == _OLDEST:
        gc.freeze()


def _look_through() -> None:
    gc.unfreeze()
    gc.collect()
