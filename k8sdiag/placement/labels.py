"""nodeSelector and required node affinity against a node's labels, and which labels come near what is wanted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from k8sdiag.evidence import Json
from k8sdiag.nearness import likeness
from k8sdiag.selectors import format_expression, format_labels, matches_expression, matches_labels

FIXED = ("kubernetes.io/arch", "kubernetes.io/os", "beta.kubernetes.io/arch", "beta.kubernetes.io/os")
"""Labels that say what a machine is: nobody changes a node's to please a pod."""


def required_terms(pod: Json) -> list[Json] | None:
    """Terms of the required node affinity (any of them will do); None where there is none."""
    affinity = ((pod.get("spec") or {}).get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    return None if required is None else required.get("nodeSelectorTerms") or []


def selects(pod: Json, node: Json) -> bool:
    """Do the pod's nodeSelector and required node affinity accept a node?"""
    selector, terms = (pod.get("spec") or {}).get("nodeSelector"), required_terms(pod)
    if not matches_labels(selector, node["metadata"].get("labels")):
        return False
    return terms is None or any(term_matches(term, node) for term in terms)


def term_matches(term: Json, node: Json) -> bool:
    """Does one node selector term accept a node? An empty term accepts none."""
    labels = node["metadata"].get("labels") or {}
    expressions, fields = term.get("matchExpressions") or [], term.get("matchFields") or []
    return bool(expressions or fields) and (
        all(matches_expression(item, labels) for item in expressions)
        and all(matches_expression(item, {"metadata.name": node["metadata"]["name"]}) for item in fields)
    )


def term_text(term: Json) -> str:
    """A node selector term in kubectl's words."""
    parts = [*(term.get("matchExpressions") or []), *(term.get("matchFields") or [])]
    return " and ".join(format_expression(part) for part in parts)


def selector_text(pod: Json) -> str:
    """What the pod asks of a node's labels: `nodeSelector disk=ssd; nodeAffinity zone in (a,b)`."""
    selector = format_labels((pod.get("spec") or {}).get("nodeSelector"))
    terms = " or ".join(term_text(term) for term in required_terms(pod) or [])
    parts = [f"nodeSelector {selector}" if selector else "", f"nodeAffinity {terms}" if terms else ""]
    return "; ".join(part for part in parts if part)


def wanted_labels(pod: Json) -> list[tuple[str, list[str]]]:
    """(key, values that would do) of all that the pod asks of labels; [] where any value does."""
    found = [(key, [value]) for key, value in ((pod.get("spec") or {}).get("nodeSelector") or {}).items()]
    for term in required_terms(pod) or []:
        found += [
            (item.get("key") or "", [str(value) for value in item.get("values") or []])
            for item in term.get("matchExpressions") or []
            if item.get("operator") in ("In", "Exists")
        ]
    return found


def unmet_labels(pod: Json, nodes: list[Json]) -> list[tuple[str, list[str]]]:
    """Of what the pod asks of labels, what no node has at all."""
    have: dict[str, set[str]] = {}
    for node in nodes:
        for key, value in (node["metadata"].get("labels") or {}).items():
            have.setdefault(key, set()).add(str(value))
    return [
        (key, values)
        for key, values in wanted_labels(pod)
        if key not in have or (values and not have[key].intersection(values))
    ]


def near_labels(key: str, values: list[str], nodes: Iterable[Json]) -> list[str]:
    """Labels of nodes that come near `key` with one of `values`, the nearest first: `node1 has disktype=ssd`."""
    found: dict[str, tuple[float, list[str]]] = {}
    for node in nodes:
        for other, value in (node["metadata"].get("labels") or {}).items():
            distance = _distance(key, values, other, str(value))
            if distance is not None:
                found.setdefault(f"{other}={value}", (distance, []))[1].append(node["metadata"]["name"])
    ranked = sorted(found.items(), key=lambda item: (item[1][0], item[0]))
    return [f"{_several(names)} {label}" for label, (_, names) in ranked[:3]]


def _several(names: list[str]) -> str:
    if len(names) == 1:
        return f"{names[0]} has"
    return f"{', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''} have"


def _distance(key: str, values: list[str], other: str, value: str) -> float | None:
    """How far a label is from what is wanted; None: it is another label."""
    if other == key:
        if not values or value in values:
            return None
        return 0.0 if value.casefold() in (item.casefold() for item in values) else 1.0
    likeness = _likeness(key.rpartition("/")[2], other.rpartition("/")[2])
    if value in values and (likeness > 0.5 or (value not in ("true", "false", "") and not value.isdigit())):
        return 1.5 - likeness
    return 2.0 - likeness if likeness > 0.8 else None


@lru_cache(maxsize=4096)
def _likeness(one: str, other: str) -> float:
    return likeness(one.casefold(), other.casefold())


class Lack(NamedTuple):
    """What a node's labels lack: what the pod wants in words, the label that would do ('' where several could), what
    the node has instead, and whether a node could be labelled so."""

    wanted: str
    label: str
    has: str
    changeable: bool


def lacking(pod: Json, node: Json) -> Iterator[Lack]:
    """What a node's labels lack of what the pod asks of them."""
    labels = node["metadata"].get("labels") or {}
    for key, value in ((pod.get("spec") or {}).get("nodeSelector") or {}).items():
        if labels.get(key) != value:
            has = f"{key}={labels[key]}" if key in labels else ""
            yield Lack(f"nodeSelector {key}={value}", f"{key}={value}", has, key not in FIXED)
    terms = required_terms(pod)
    if terms is None or any(term_matches(term, node) for term in terms):
        return
    keys = {item.get("key") for term in terms for item in term.get("matchExpressions") or []}
    has = ", ".join(f"{key}={labels[key]}" for key in sorted(keys & set(labels)))
    named = all(term.get("matchFields") and not term.get("matchExpressions") for term in terms)
    wanted = " or ".join(term_text(term) for term in terms) or "nothing that any node has (it has no terms)"
    yield Lack(f"nodeAffinity {wanted}", "", has, not named and not keys & set(FIXED))
