"""Label selectors as Kubernetes matches them (apimachinery/pkg/labels, apis/meta/v1 LabelSelector)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from k8sdiag.quantity import parse_quantity


def matches_labels(selector: Mapping[str, str] | None, labels: Mapping[str, str] | None) -> bool:
    """A Service's or nodeSelector's map: every key equal. An empty map matches all."""
    have = labels or {}
    return all(have.get(key) == value for key, value in (selector or {}).items())


def matches_selector(selector: Mapping[str, Any] | None, labels: Mapping[str, str] | None) -> bool:
    """A LabelSelector (matchLabels and matchExpressions); None matches nothing, empty matches all."""
    if selector is None:
        return False
    return matches_labels(selector.get("matchLabels"), labels) and all(
        matches_expression(expression, labels or {}) for expression in selector.get("matchExpressions") or []
    )


def matches_expression(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """One requirement: In, NotIn, Exists, DoesNotExist, and for node affinity Gt and Lt."""
    key, operator, values = expression.get("key", ""), expression.get("operator"), expression.get("values") or []
    value = labels.get(key)
    if operator == "In":
        return value is not None and value in values
    if operator == "NotIn":
        return value is None or value not in values
    if operator == "Exists":
        return value is not None
    if operator == "DoesNotExist":
        return value is None
    if operator in ("Gt", "Lt") and value is not None and values:
        left, right = parse_quantity(value), parse_quantity(values[0])
        if left is None or right is None:
            return False
        return left > right if operator == "Gt" else left < right
    return False


def format_labels(labels: Mapping[str, str] | None) -> str:
    """`app=web,tier=front`, as `kubectl -l` takes it; '' for none."""
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items()))


def format_selector(selector: Mapping[str, Any] | None) -> str:
    """A LabelSelector in kubectl's words: `app=web,tier in (a,b),!canary`."""
    if not selector:
        return ""
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    parts += [format_expression(expression) for expression in selector.get("matchExpressions") or []]
    return ",".join(parts)


def format_expression(expression: Mapping[str, Any]) -> str:
    """One requirement in kubectl's words: `disk in (ssd)`, `!gpu`, `zone`."""
    key, operator, values = expression.get("key", ""), expression.get("operator"), expression.get("values") or []
    shown = ",".join(str(value) for value in values)
    words = {
        "In": f"{key} in ({shown})",
        "NotIn": f"{key} notin ({shown})",
        "Exists": str(key),
        "DoesNotExist": f"!{key}",
        "Gt": f"{key} > {shown}",
        "Lt": f"{key} < {shown}",
    }
    return words.get(str(operator), f"{key} {operator} ({shown})")
