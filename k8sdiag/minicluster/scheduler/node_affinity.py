"""nodeSelector and node affinity, required and preferred.

plugins/nodeaffinity/node_affinity.go; component-helpers/scheduling/corev1/nodeaffinity/nodeaffinity.go: terms are
alternatives, a term's expressions and fields all have to hold, an empty term matches nothing, and `Gt`/`Lt` compare
whole numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from k8sdiag.evidence import Json
from k8sdiag.minicluster.scheduler.nodes import NodeInfo
from k8sdiag.minicluster.scheduler.plugin import Filter, World
from k8sdiag.minicluster.scheduler.pods import PodInfo
from k8sdiag.minicluster.scheduler.status import RefusalError, Status, unresolvable
from k8sdiag.selectors import matches_expression

NAME = "NodeAffinity"
_NO_MATCH = unresolvable(NAME, "node(s) didn't match Pod's node affinity/selector")
_CONFLICT = unresolvable(NAME, "pod affinity terms conflict")


@dataclass(frozen=True, slots=True)
class Wanted:
    selector: Mapping[str, str]
    terms: tuple[Json, ...] | None  # None: no required affinity
    names: frozenset[str] | None  # the nodes that the terms name, None where one of them does not


def matches(expression: Json, labels: Mapping[str, str]) -> bool:
    """One requirement of a node selector term."""
    operator = expression.get("operator")
    if operator not in ("Gt", "Lt"):
        return matches_expression(expression, labels)
    values: list[str] = expression.get("values") or []
    value = labels.get(expression.get("key", ""))
    if value is None or len(values) != 1:
        return False
    left, right = _whole(value), _whole(values[0])
    if left is None or right is None:
        return False
    return left > right if operator == "Gt" else left < right


def _whole(text: str) -> int | None:
    digits = text[1:] if text[:1] in ("-", "+") else text
    return int(text) if digits.isascii() and digits.isdigit() else None


def term_matches(term: Json, name: str, labels: Mapping[str, str]) -> bool:
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not fields:
        return False
    return all(matches(each, labels) for each in expressions) and all(
        matches(each, {"metadata.name": name}) for each in fields
    )


def selector_matches(node_selector: Json | None, name: str, labels: Mapping[str, str]) -> bool:
    """A NodeSelector: any of its terms."""
    return any(term_matches(term, name, labels) for term in (node_selector or {}).get("nodeSelectorTerms") or ())


def wanted(pod: PodInfo) -> Wanted | None:
    """What the pod requires of its node's labels and name; None for nothing."""
    affinity = (pod.spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    selector = pod.spec.get("nodeSelector") or {}
    if required is None:
        return Wanted(selector, None, None) if selector else None
    terms = tuple(required.get("nodeSelectorTerms") or ())
    return Wanted(selector, terms, _named(terms))


def _named(terms: tuple[Json, ...]) -> frozenset[str] | None:
    named: set[str] = set()
    for term in terms:
        chosen: set[str] | None = None
        for field in term.get("matchFields") or ():
            if field.get("key") == "metadata.name" and field.get("operator") == "In":
                values = set(field.get("values") or ())
                chosen = values if chosen is None else chosen & values
        if chosen is None:
            return None
        named |= chosen
    return frozenset(named) if terms else None


def fits(state: Wanted, node: NodeInfo) -> bool:
    labels = node.labels
    for key, value in state.selector.items():
        if labels.get(key) != value:
            return False
    return state.terms is None or any(term_matches(term, node.name, labels) for term in state.terms)


def prepare(pod: PodInfo, _world: World) -> Wanted | None:
    state = wanted(pod)
    if state is not None and state.names is not None and not state.names:
        raise RefusalError(_CONFLICT)
    return state


def check(state: Wanted, _pod: PodInfo, node: NodeInfo) -> Status | None:
    return None if fits(state, node) else _NO_MATCH


def preferences(pod: PodInfo) -> list[tuple[int, Json]]:
    """Preferred terms with their weights."""
    affinity = (pod.spec.get("affinity") or {}).get("nodeAffinity") or {}
    found = affinity.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
    return [(entry.get("weight") or 0, entry.get("preference") or {}) for entry in found if entry.get("weight")]


def liking(preferred: list[tuple[int, Json]], node: NodeInfo) -> int:
    """Score's raw sum: the weights of the preferred terms that the node meets."""
    return sum(weight for weight, term in preferred if term_matches(term, node.name, node.labels))


FILTER = Filter(NAME, prepare, check, names=lambda state: state.names)
