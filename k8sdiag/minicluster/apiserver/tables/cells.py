"""What a cell of a table says, as kubectl has always shown it (pkg/printers/internalversion/printers.go)."""

from __future__ import annotations

from collections.abc import Iterable

from k8sdiag.clock import parse_time, short_duration
from k8sdiag.evidence import Json

NONE = "<none>"
UNKNOWN = "<unknown>"
UNSET = "<unset>"


def age(stamp: object, now: float) -> str:
    """How long ago (translateTimestampSince)."""
    at = parse_time(stamp)
    return UNKNOWN if at is None else short_duration(now - at)


def born(obj: Json, now: float) -> str:
    """The AGE column."""
    return age(obj["metadata"].get("creationTimestamp"), now)


def listed(words: Iterable[object], none: str = NONE) -> str:
    """`a,b`, or `<none>`."""
    return ",".join(map(str, words)) or none


def labels(found: Json | None) -> str:
    """`app=web,tier=front` (labels.FormatLabels)."""
    return listed(f"{key}={value}" for key, value in sorted((found or {}).items()))


def containers(template: Json | None) -> list[str]:
    """The CONTAINERS and IMAGES columns of a pod template (layoutContainerCells)."""
    found = ((template or {}).get("spec") or {}).get("containers") or []
    return [",".join(item["name"] for item in found), ",".join(item.get("image", "") for item in found)]


_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}


def access_modes(modes: Iterable[str] | None) -> str:
    """`RWO,ROX` in the order kubectl has them (helper.GetAccessModesAsString)."""
    held = set(modes or ())
    return ",".join(short for mode, short in _MODES.items() if mode in held)
