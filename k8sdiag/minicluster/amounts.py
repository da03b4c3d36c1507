"""Sums of quantities, as quotas, limit ranges and the scheduler add them up: exact, each kept in its spelling.

apiserver/pkg/quota/v1/resources.go, apimachinery/pkg/api/resource/quantity.go Add and Sub: a sum is spelt like its first
part that is not zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from k8sdiag.minicluster.apiserver.quantities import NANO, QuantityError, parsed, spell


@dataclass(frozen=True, slots=True)
class Amount:
    """A number of nano-units and the family (`decimal`, `binary`, `exponent`) in which it is spelt."""

    nanos: int
    family: str = "decimal"

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.nanos + other.nanos, self.family if self.nanos else other.family)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.nanos - other.nanos, self.family if self.nanos else other.family)

    def __str__(self) -> str:
        return spell(self.nanos, self.family)

    @property
    def milli(self) -> int:
        """Thousandths, rounded up as Quantity.MilliValue rounds."""
        return -(-self.nanos // 10**6)

    @property
    def whole(self) -> int:
        """Units, rounded up as Quantity.Value rounds."""
        return -(-self.nanos // NANO)


ZERO = Amount(0)
Amounts = dict[str, Amount]


def whole(count: int) -> Amount:
    """A count of things."""
    return Amount(count * NANO)


@lru_cache(maxsize=4096)
def parse(value: str | float) -> Amount | None:
    """A quantity as text or number; None where it is none."""
    try:
        return Amount(*parsed(value))
    except QuantityError:
        return None


def amounts(resources: Mapping[str, Any] | None) -> Amounts:
    """A resource list (`{"cpu": "1"}`) parsed; what is no quantity is left out, for validation complains of it."""
    found = {name: parse(value) for name, value in (resources or {}).items() if isinstance(value, str | float | int)}
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
