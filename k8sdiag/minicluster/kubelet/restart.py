"""Back-off arithmetic: how long a container or an image has to wait before it is tried again (pure).

client-go/util/flowcontrol/backoff.go: 10 s, doubled with each turn to 300 s. A crash loop counts from the moment the
container ended and is forgotten after a run of ten minutes (pkg/kubelet/kubelet.go); a pull counts from its last try.
"""

from __future__ import annotations

from dataclasses import dataclass

FIRST = 10.0
LONGEST = 300.0
GOOD_RUN = 600.0
_KEPT = 2 * LONGEST  # what was not touched for so long is dropped


@dataclass(slots=True)
class _Turn:
    wait: float
    at: float


class BackOff:
    """Waits by key."""

    def __init__(self, first: float = FIRST, longest: float = LONGEST) -> None:
        self._first, self._longest = first, longest
        self._turns: dict[tuple[str, str], _Turn] = {}

    def wait_of(self, key: tuple[str, str]) -> float:
        """The present wait of a key; 0 for one that has none."""
        turn = self._turns.get(key)
        return turn.wait if turn else 0.0

    def left_since(self, key: tuple[str, str], ended: float, now: float) -> float:
        """Seconds that something which ended then still has to wait."""
        turn = self._turns.get(key)
        if turn is None or ended - turn.at > GOOD_RUN:
            return 0.0
        return max(0.0, turn.wait - (now - ended))

    def left(self, key: tuple[str, str], now: float) -> float:
        """Seconds that are left of a wait that began with the last turn."""
        turn = self._turns.get(key)
        if turn is None or now - turn.at > _KEPT:
            return 0.0
        return max(0.0, turn.wait - (now - turn.at))

    def next(self, key: tuple[str, str], ended: float, now: float) -> None:
        """Another turn: the wait doubles, or begins anew after a good run."""
        turn = self._turns.get(key)
        if turn is None or ended - turn.at > GOOD_RUN:
            self._turns[key] = _Turn(self._first, now)
        else:
            turn.wait, turn.at = min(turn.wait * 2, self._longest), now

    def forget(self, key: tuple[str, str]) -> None:
        self._turns.pop(key, None)

    def forget_pod(self, uid: str) -> None:
        """Drop what is kept of a pod that is gone."""
        for key in [key for key in self._turns if key[0] == uid]:
            del self._turns[key]


def duration(seconds: float) -> str:
    """A duration as Go prints it: `10s`, `2m40s`, `1.234s`, `350ms`, `0s`."""
    if 0 < seconds < 1:
        text = f"{seconds * 1000:.3f}".rstrip("0").rstrip(".")
        return f"{text}ms"
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    text = f"{left:.3f}".rstrip("0").rstrip(".") + "s"
    if hours:
        return f"{hours:.0f}h{minutes:.0f}m{text}"
    return f"{minutes:.0f}m{text}" if minutes else text
