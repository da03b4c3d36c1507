"""Quantities in what clients send: refused in the server's words where they are none, else put into the one spelling
the server gives each amount (`0.5` comes back as `500m`, `1024Mi` as `1Gi`; apimachinery Quantity.UnmarshalJSON).

The arithmetic is `minicluster.amounts`'; here are the complaints and the rounding of resource lists.
"""

from __future__ import annotations

from functools import lru_cache

from k8sdiag.minicluster.amounts import Amount, parse
from k8sdiag.patterns import regex

MALFORMED = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
UNKNOWN_SUFFIX = "unable to parse quantity's suffix"
_SHAPE = regex(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)[eEinumkKMGTP]*[-+]?[0-9]*")
_MILLI = 10**6  # nano-units in a thousandth


class QuantityError(ValueError):
    """Text that is no quantity; the words are the server's."""


def amount_of(value: object) -> Amount:
    """The exact amount; JSON may hold a number in its place: `cpu: 2` is as good as `cpu: "2"`."""
    if isinstance(value, str):
        return _amount(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _amount(str(value))
    raise QuantityError(MALFORMED)


@lru_cache(maxsize=16384)
def _amount(text: str) -> Amount:
    found = parse(text.strip())
    if found is None:
        raise QuantityError(UNKNOWN_SUFFIX if _SHAPE.fullmatch(text.strip()) else MALFORMED)
    return found


def nanos(value: object) -> int:
    """The amount in nano-units, to compare."""
    return amount_of(value).nanos


def canonical(value: object) -> str:
    """The one spelling the server gives an amount."""
    return str(amount_of(value))


def rounded(value: object) -> str:
    """The same, rounded up to whole thousandths, as resource lists are (core/v1 SetDefaults_ResourceList)."""
    amount = amount_of(value)
    if amount.nanos % _MILLI == 0:
        return str(amount)
    size = -(-abs(amount.nanos) // _MILLI) * _MILLI
    return str(Amount(size if amount.nanos > 0 else -size, amount.style))
