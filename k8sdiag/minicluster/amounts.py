"""Quantities as the API server keeps and prints them: exact, and in their one canonical form (`1024Mi` is `1Gi`).

apimachinery/pkg/api/resource/quantity.go. `k8sdiag.quantity` reads them as floats, which is enough to diagnose; a quota
must add up to the last milli-core, and its messages must show the very text that a real server shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from k8sdiag.patterns import regex

DECIMAL, BINARY, EXPONENT = "DecimalSI", "BinarySI", "DecimalExponent"
_NANO = 10**9
_MOST = (2**63 - 1) * _NANO
_GRAMMAR = regex(r"([+-]?)(\d+(?:\.\d*)?|\.\d+)(?:[eE]([+-]?\d{1,3})|(n|u|m|k|[KMGTPE]i|[MGTPE])?)")
_POWERS = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_SUFFIXES = {power: suffix for suffix, power in _POWERS.items()}
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


@dataclass(frozen=True, slots=True)
class Amount:
    """A number of nanos and the style in which it is printed. Smaller parts than nanos are rounded up."""

    nanos: int
    style: str = DECIMAL

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.nanos + other.nanos, self.style if self.nanos else other.style)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.nanos - other.nanos, self.style if self.nanos else other.style)

    def __str__(self) -> str:
        return _printed(self.nanos, self.style)

    @property
    def milli(self) -> int:
        """Thousandths, rounded up as Quantity.MilliValue rounds."""
        return -(-self.nanos // 10**6)

    @property
    def whole(self) -> int:
        """Units, rounded up as Quantity.Value rounds."""
        return -(-self.nanos // _NANO)


ZERO = Amount(0)
Amounts = dict[str, Amount]


def whole(count: int, style: str = DECIMAL) -> Amount:
    """A count of things or bytes."""
    return Amount(count * _NANO, style)


@lru_cache(maxsize=4096)
def parse(text: str | float) -> Amount | None:
    """A quantity as text or number; None where it is none."""
    found = _GRAMMAR.fullmatch(str(text))
    if not found:
        return None
    sign, digits, exponent, suffix = found.groups()
    whole_part, _, fraction = digits.partition(".")
    mantissa, places = int((whole_part + fraction) or "0"), len(fraction)
    style = EXPONENT if exponent else DECIMAL
    if suffix and suffix.endswith("i"):
        style = BINARY
        mantissa *= 1024 ** _BINARY.index(suffix)
        power = 9 - places
    else:
        power = 9 - places + (int(exponent) if exponent else _POWERS[suffix or ""])
    nanos = mantissa * 10**power if power >= 0 else -(-mantissa // 10**-power)
    nanos = min(nanos, _MOST)
    return Amount(-nanos if sign == "-" else nanos, style)


def canonical(text: str | float) -> str | None:
    """The one way to write it: `0.5` is `500m`, `1000` is `1k`; None where it is no quantity."""
    amount = parse(text)
    return None if amount is None else str(amount)


def amounts(resources: Mapping[str, Any] | None) -> Amounts:
    """A resource list (`{"cpu": "1"}`) parsed; what is no quantity is left out, for validation complains of it."""
    found = {name: parse(value) for name, value in (resources or {}).items() if isinstance(value, str | int | float)}
    return {name: amount for name, amount in found.items() if amount is not None}


def added(one: Mapping[str, Amount], other: Mapping[str, Amount]) -> Amounts:
    """Key by key; a key in either is in the sum (pkg/quota/v1/resources.go Add)."""
    total = dict(one)
    for name, amount in other.items():
        total[name] = total[name] + amount if name in total else amount
    return total


def subtracted(one: Mapping[str, Amount], other: Mapping[str, Amount]) -> Amounts:
    """Key by key; what is only in `other` counts as taken from nothing."""
    left = {name: amount - other[name] if name in other else amount for name, amount in one.items()}
    return left | {name: ZERO - amount for name, amount in other.items() if name not in one}


def largest(one: Mapping[str, Amount], other: Mapping[str, Amount]) -> Amounts:
    """The larger of both, key by key."""
    found = dict(one)
    for name, amount in other.items():
        if name not in found or amount.nanos > found[name].nanos:
            found[name] = amount
    return found


def masked(values: Mapping[str, Amount], names: Iterable[str]) -> Amounts:
    """Only the named ones."""
    kept = set(names)
    return {name: amount for name, amount in values.items() if name in kept}


def texts(values: Mapping[str, Amount]) -> dict[str, str]:
    """Back to a resource list."""
    return {name: str(amount) for name, amount in values.items()}


@lru_cache(maxsize=4096)
def _printed(nanos: int, style: str) -> str:
    if nanos == 0:
        return "0"
    if style == BINARY and nanos % _NANO == 0 and abs(nanos) >= 1024 * _NANO:
        units, steps = nanos // _NANO, 0
        while units % 1024 == 0 and steps < len(_BINARY) - 1:
            units, steps = units // 1024, steps + 1
        return f"{units}{_BINARY[steps]}"
    power = -9
    while nanos % 1000 == 0 and power < 18:
        nanos, power = nanos // 1000, power + 3
    if style == EXPONENT:
        return f"{nanos}e{power}" if power else str(nanos)
    return f"{nanos}{_SUFFIXES[power]}"
