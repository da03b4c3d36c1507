"""Label selectors and pod affinity terms, compiled once a pod: hashable, so that equal ones share their counts.

pkg/scheduler/framework/types.go (AffinityTerm, newAffinityTerm); the keys of matchLabelKeys are merged as the API
server does (pkg/registry/core/pod/strategy.go), which changes nothing where it has done so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from k8sdiag.evidence import Json
from k8sdiag.selectors import matches_expression

Labels = Mapping[str, str]
NamespaceLabels = Callable[[str], Labels]


@dataclass(frozen=True, slots=True)
class Selector:
    """A LabelSelector: all pairs equal, all expressions true. An empty one matches everything."""

    labels: tuple[tuple[str, str], ...] = ()
    expressions: tuple[tuple[str, str, tuple[str, ...]], ...] = ()

    def matches(self, labels: Labels) -> bool:
        for key, value in self.labels:
            if labels.get(key) != value:
                return False
        for key, operator, values in self.expressions:
            if not matches_expression({"key": key, "operator": operator, "values": values}, labels):
                return False
        return True

    def plus(self, other: Selector) -> Selector:
        return Selector(
            tuple(sorted({*self.labels, *other.labels})), tuple(sorted({*self.expressions, *other.expressions}))
        )

    @property
    def empty(self) -> bool:
        return not self.labels and not self.expressions


def selector(value: Mapping[str, Any] | None) -> Selector | None:
    """A LabelSelector compiled; None, which matches nothing, stays None."""
    if value is None:
        return None
    return Selector(
        tuple(sorted((value.get("matchLabels") or {}).items())),
        tuple(
            (entry.get("key", ""), entry.get("operator", ""), tuple(entry.get("values") or ()))
            for entry in value.get("matchExpressions") or ()
        ),
    )


def keyed(base: Selector | None, keys: Any, mismatched: Any, labels: Labels) -> Selector | None:
    """`base` with what matchLabelKeys and mismatchLabelKeys add for a pod of these labels."""
    if base is None:
        return None
    more = [(key, "In", (labels[key],)) for key in keys or () if key in labels]
    more += [(key, "NotIn", (labels[key],)) for key in mismatched or () if key in labels]
    return base.plus(Selector((), tuple(more))) if more else base


@dataclass(frozen=True, slots=True)
class Term:
    """One pod affinity term of a pod: which other pods, in which namespaces, within which topology."""

    selector: Selector | None
    namespaces: frozenset[str]
    namespace_selector: Selector | None
    topology_key: str
    weight: int = 0

    def matches(self, namespace: str, labels: Labels, namespace_labels: NamespaceLabels) -> bool:
        if self.selector is None or not self.selector.matches(labels):
            return False
        if namespace in self.namespaces:
            return True
        return self.namespace_selector is not None and self.namespace_selector.matches(namespace_labels(namespace))


def term(value: Json, namespace: str, labels: Labels, weight: int = 0) -> Term:
    """A PodAffinityTerm of a pod in `namespace` with these labels."""
    namespaces = frozenset(value.get("namespaces") or ())
    chosen = selector(value.get("namespaceSelector"))
    if not namespaces and chosen is None:
        namespaces = frozenset((namespace,))
    return Term(
        keyed(
            selector(value.get("labelSelector")), value.get("matchLabelKeys"), value.get("mismatchLabelKeys"), labels
        ),
        namespaces,
        chosen,
        value.get("topologyKey", ""),
        weight,
    )


def required_terms(affinity: Json | None, namespace: str, labels: Labels) -> tuple[Term, ...]:
    found = (affinity or {}).get("requiredDuringSchedulingIgnoredDuringExecution") or ()
    return tuple(term(entry, namespace, labels) for entry in found)


def preferred_terms(affinity: Json | None, namespace: str, labels: Labels) -> tuple[Term, ...]:
    found = (affinity or {}).get("preferredDuringSchedulingIgnoredDuringExecution") or ()
    return tuple(
        term(entry.get("podAffinityTerm") or {}, namespace, labels, entry.get("weight") or 0) for entry in found
    )
