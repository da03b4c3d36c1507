"""Kubernetes quantities (`500Mi`, `250m`, `2`) and durations (`5m30s`) as numbers, and back.

Grammar: apimachinery/pkg/api/resource/quantity.go; durations: Go's time.ParseDuration.
"""

from __future__ import annotations

import math

from k8sdiag.patterns import regex

_SUFFIX = {
    "": 1.0, "n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60,
}  # fmt: skip
_QUANTITY = regex(r"([+-]?(?:\d+(?:\.\d*)?|\.\d+))(?:[eE]([+-]?\d+)|([A-Za-z]{0,2}))")
_DURATION = regex(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|h|m|s|d)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_quantity(text: object) -> float | None:
    """`"500Mi"` to 524288000.0, `"250m"` to 0.25; None where it is no quantity."""
    if isinstance(text, int | float) and not isinstance(text, bool):
        return float(text)
    if not isinstance(text, str):
        return None
    found = _QUANTITY.fullmatch(text.strip())
    if not found:
        return None
    number, exponent, suffix = found.groups()
    if exponent:
        return float(number) * 10.0 ** min(int(exponent), 300)
    scale = _SUFFIX.get(suffix or "")
    return None if scale is None else float(number) * scale


def parse_duration(text: object) -> float | None:
    """`"1m30s"` to 90.0; a bare number is seconds; None where it is no duration."""
    if isinstance(text, int | float) and not isinstance(text, bool):
        return float(text)
    if not isinstance(text, str):
        return None
    stripped = text.strip()[:64]
    parts = _DURATION.findall(stripped)
    if not parts or "".join(n + u for n, u in parts) != stripped:
        return None
    return sum(float(n) * _SECONDS[u] for n, u in parts)


def format_cpu(cores: float) -> str:
    """Cores as kubectl shows them: `2`, `250m`."""
    milli = math.ceil(round(cores * 1000, 6))
    return str(milli // 1000) if milli % 1000 == 0 else f"{milli}m"


def format_bytes(count: float) -> str:
    """Bytes with the largest binary suffix that keeps at least two digits: `512Mi`, `23Gi`."""
    for suffix in ("Ti", "Gi", "Mi", "Ki"):
        scale = _SUFFIX[suffix]
        if count >= scale and (count % scale == 0 or count >= 10 * scale):
            return f"{math.floor(count / scale)}{suffix}"
    return str(math.floor(count))


def format_quantity(resource: str, amount: float) -> str:
    """An amount of a named resource: cores for `cpu`, bytes for memory and storage, else a count."""
    if resource == "cpu":
        return format_cpu(amount)
    if resource in ("memory", "ephemeral-storage", "storage") or resource.startswith("hugepages-"):
        return format_bytes(amount)
    return f"{amount:g}"


def count_of(value: object, default: int = 1) -> int:
    """`spec.replicas` and the like: the API's default where it is not given or null."""
    return value if isinstance(value, int) else default
