"""Time is an argument: the only module that reads the wall clock, and the one that reads Kubernetes' time stamps."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where `now` comes from: seconds since the epoch."""

    def now(self) -> float: ...


class SystemClock:
    """The machine's wall clock."""

    def now(self) -> float:
        return time.time()


class ManualClock:
    """A clock that moves only when told to (tests, replays)."""

    def __init__(self, at: float = 0.0) -> None:
        self.at = at

    def now(self) -> float:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += seconds


def stopwatch() -> float:
    """Seconds that only ever grow, for measuring how long something takes."""
    return time.monotonic()


def sleep(seconds: float) -> None:
    """Wait, where a server asked for it."""
    time.sleep(seconds)


def parse_time(text: object) -> float | None:
    """RFC 3339 to seconds since the epoch; None for anything else (absent, null, malformed).

    Kubernetes writes `metav1.Time` (seconds) and `metav1.MicroTime` (microseconds), both in UTC with `Z`; container
    logs carry nanoseconds, which are cut to microseconds.
    """
    if not isinstance(text, str) or len(text) < 19:
        return None
    if len(text) > 27 and text[19] == ".":  # nanoseconds: fromisoformat takes six digits
        end = 20
        while end < len(text) and text[end].isdigit():
            end += 1
        text = text[:20] + text[20:end][:6].ljust(6, "0") + text[end:]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def format_time(at: float | None) -> str:
    """Seconds since the epoch to RFC 3339 in UTC with whole seconds; '' for None."""
    if at is None:
        return ""
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):  # outside the years that a calendar has
        return ""


def format_micro_time(at: float) -> str:
    """Seconds since the epoch to `metav1.MicroTime`: RFC 3339 in UTC with six digits of a second."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def short_duration(seconds: float) -> str:
    """What kubectl prints for an age: `42s`, `7m3s`, `2h5m`, `3d4h`, `12d`
    (apimachinery/pkg/util/duration HumanDuration)."""
    left = int(seconds)
    if left < 0:
        return "0s"
    if left < 120:
        return f"{left}s"
    minutes = left // 60
    if minutes < 10:
        return f"{minutes}m{left % 60}s" if left % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    hours = left // 3600
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    days = hours // 24
    if days < 8:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    if days < 730:
        return f"{days}d"
    return f"{days // 365}y{days % 365}d" if days % 365 else f"{days // 365}y"
