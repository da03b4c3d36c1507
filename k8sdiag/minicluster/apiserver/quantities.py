"""Quantities as the API server reads and writes them: exact numbers, and one spelling for each
(apimachinery/pkg/api/resource/quantity.go: ParseQuantity, CanonicalizeBytes; amount.go).

The server never keeps what a client wrote: `0.5` comes back as `500m`, `1024Mi` as `1Gi`, `1000m` as `1`, `0.1Gi` as
`107374182400m`. Amounts are whole numbers of nano-units here, the finest step there is, so sums and comparisons are
exact.
"""

from __future__ import annotations

from functools import lru_cache

from k8sdiag.patterns import regex

NANO = 1_000_000_000
MALFORMED = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
UNKNOWN_SUFFIX = "unable to parse quantity's suffix"
_MOST = (2**63 - 1) * NANO  # larger amounts are cut to this one

_SHAPE = regex(r"([+-]?)(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))([eEinumkKMGTP]*[-+]?[0-9]*)")
_EXPONENT = regex(r"[eE][-+]?[0-9]+")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_DECIMAL_SUFFIX = {power: suffix for suffix, power in _DECIMAL.items()}
_BINARY_SUFFIX = {power: suffix for suffix, power in _BINARY.items()}


class QuantityError(ValueError):
    """Text that is no quantity; the words are the server's."""


@lru_cache(maxsize=65536)
def _parse(text: str) -> tuple[int, str]:
    """Nano-units, and the family of the suffix: `binary`, `exponent` or `decimal`."""
    found = _SHAPE.fullmatch(text.strip())
    if not found:
        raise QuantityError(MALFORMED)
    sign, whole, fraction, bare, suffix = found.groups()
    digits = (whole or "") + (fraction or bare or "")
    places = len(fraction or bare or "")
    if suffix in _DECIMAL:
        family, power, factor = "decimal", _DECIMAL[suffix], 1
    elif suffix in _BINARY:
        family, power, factor = "binary", 0, 1024 ** _BINARY[suffix]
    elif _EXPONENT.fullmatch(suffix):
        family, power, factor = "exponent", max(-400, min(int(suffix[1:]), 400)), 1
    else:
        raise QuantityError(UNKNOWN_SUFFIX)
    shift = power - places + 9
    amount = int(digits) * factor
    # What is finer than a nano-unit is rounded away from zero, so that nothing asked for becomes nothing.
    amount = amount * 10**shift if shift >= 0 else -(-amount // 10**-shift)
    amount = min(amount, _MOST)
    return (-amount if sign == "-" else amount), family


def nanos(value: object) -> int:
    """The exact amount in nano-units. QuantityError where it is none."""
    return _parse(_text(value))[0]


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise QuantityError(MALFORMED)


@lru_cache(maxsize=65536)
def canonical(text: str) -> str:
    """The one spelling the server gives an amount."""
    amount, family = _parse(text)
    return spell(amount, family)


def canonical_value(value: object) -> str:
    """The same for what JSON may hold in its place: `cpu: 2` is as good as `cpu: "2"`."""
    return canonical(value if isinstance(value, str) else _text(value))


def rounded(value: object) -> str:
    """The same, rounded up to whole thousandths, as resource lists are (core/v1 SetDefaults_ResourceList)."""
    return _rounded(value if isinstance(value, str) else _text(value))


@lru_cache(maxsize=65536)
def _rounded(text: str) -> str:
    amount, family = _parse(text)
    step = NANO // 1000
    size = -(-abs(amount) // step) * step
    return spell(size if amount >= 0 else -size, family)


def spell(amount: int, family: str = "decimal") -> str:
    """Nano-units written with the largest suffix of the family that leaves a whole number."""
    if amount == 0:
        return "0"
    if family == "binary" and abs(amount) >= 1024 * NANO and amount % NANO == 0:
        number, power = amount // NANO, 0
        while number % 1024 == 0 and power < 6:
            number, power = number // 1024, power + 1
        return f"{number}{_BINARY_SUFFIX[power] if power else ''}"
    power = -9
    while amount % 1000 == 0 and power < 18:
        amount, power = amount // 1000, power + 3
    if family == "exponent":
        return f"{amount}e{power}" if power else str(amount)
    return f"{amount}{_DECIMAL_SUFFIX[power]}"
