"""Checks that many kinds share: numbers, fields that must stay, ports, percentages, label selectors
(apimachinery/pkg/api/validation, apis/meta/v1/validation, pkg/apis/apps/validation ValidatePositiveIntOrPercent)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import Cause, forbidden_field, invalid_value, not_supported, required
from k8sdiag.minicluster.apiserver.validation import formats
from k8sdiag.minicluster.apiserver.validation.formats import Format

Causes = list[Cause]
NEGATIVE = "must be greater than or equal to 0"
NOT_POSITIVE = "must be greater than zero"
IMMUTABLE = "field is immutable"
LABELS_DIFFER = "`selector` does not match template `labels`"


def each(messages: Iterable[str], path: str, value: Any, out: Causes) -> None:
    """One cause for every complaint."""
    out.extend(invalid_value(path, value, message) for message in messages)


def text(value: str | None, format_: Format, path: str, out: Causes, needed: str | None = None) -> None:
    """A text in a format. Empty is fine, unless `needed` says in which words it is not ('' for none)."""
    if value:
        for message in format_(value):
            out.append(invalid_value(path, value, message))
    elif needed is not None:
        out.append(required(path, needed))


def nonnegative(value: int | None, path: str, out: Causes) -> None:
    if value is not None and value < 0:
        out.append(invalid_value(path, value, NEGATIVE))


def same(one: Any, other: Any) -> bool:
    """Equal as Kubernetes sees it: nothing is as good as empty (apiequality.Semantic.DeepEqual)."""
    return bool(one == other) or (one in (None, [], {}, "") and other in (None, [], {}, ""))


def immutable(new: Any, old: Any, path: str, out: Causes) -> None:
    if not same(new, old):
        out.append(invalid_value(path, new, IMMUTABLE))


def choice(value: Any, choices: Iterable[str], path: str, out: Causes) -> None:
    """A word that must be given and be one of these."""
    if not value:
        out.append(required(path))
    elif value not in choices:
        out.append(not_supported(path, value, choices))


def port(value: Any, path: str, out: Causes) -> None:
    """A port's number or name."""
    if isinstance(value, str):
        each(formats.port_name(value), path, value, out)
    else:
        number = value if isinstance(value, int) else 0
        each(formats.port_number(number), path, number, out)


def count_or_percent(value: Any, path: str, out: Causes, most: int | None = None) -> None:
    """`3` or `25%`; with `most`, no larger percentage than that."""
    if isinstance(value, str):
        messages = formats.percent(value)
        each(messages, path, value, out)
        if most is not None and not messages and int(value[:-1]) > most:
            out.append(invalid_value(path, value, f"must not be greater than {most}%"))
    else:
        nonnegative(value, path, out)


def amount(value: Any) -> int:
    """The number in `3` or `25%`; 0 for what is neither."""
    if isinstance(value, str):
        digits = value.removesuffix("%")
        return int(digits) if digits.isdecimal() else 0
    return value if isinstance(value, int) else 0


def labels(values: Mapping[str, str] | None, path: str, out: Causes) -> None:
    for key, value in (values or {}).items():
        for message in formats.qualified_name(key):
            out.append(invalid_value(path, key, message))
        for message in formats.label_value(value or ""):
            out.append(invalid_value(path, value, message))


def label_selector(selector: Json | None, path: str, out: Causes) -> None:
    if not selector:
        return
    if selector.get("matchLabels"):
        labels(selector["matchLabels"], f"{path}.matchLabels", out)
    for index, requirement in enumerate(selector.get("matchExpressions") or ()):
        where = f"{path}.matchExpressions[{index}]"
        if not set_operator(requirement, where, out):
            operator = requirement.get("operator") or ""
            out.append(invalid_value(f"{where}.operator", operator, "not a valid selector operator"))
        each(formats.qualified_name(requirement.get("key") or ""), f"{where}.key", requirement.get("key") or "", out)
        for at, value in enumerate(requirement.get("values") or ()):
            each(formats.label_value(value), f"{where}.values[{at}]", value, out)


def set_operator(requirement: Json, path: str, out: Causes) -> bool:
    """Check the values for an operator that asks whether one is among some; False where it is another operator."""
    operator, values = requirement.get("operator") or "", requirement.get("values") or ()
    if operator in ("In", "NotIn"):
        if not values:
            out.append(required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            out.append(forbidden_field(f"{path}.values", why))
    else:
        return False
    return True


def empty_selector(selector: Json) -> bool:
    return not selector.get("matchLabels") and not selector.get("matchExpressions")
