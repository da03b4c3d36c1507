"""Required pod (anti-)affinity and topology spread, checked against the pods that are placed (plugins interpodaffinity
and podtopologyspread).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from k8sdiag.evidence import Json, Snapshot
from k8sdiag.placement.labels import selects
from k8sdiag.placement.taints import untolerated
from k8sdiag.podstate import is_finished
from k8sdiag.selectors import format_selector, matches_selector

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a neighbour rule refuses a node: slug, rule in words, what holds there, the pods concerned, and a change
    (where it is another than is usual)."""

    slug: str
    rule: str
    text: str
    pods: tuple[str, ...] = ()
    change: str = ""


@dataclass(slots=True)
class _Term:
    kind: str
    term: Json
    key: str
    found: dict[str, list[Json]] = field(default_factory=dict)


def required_pod_terms(pod: Json, kind: str) -> list[Json]:
    """Required terms of `podAffinity` or `podAntiAffinity`."""
    affinity = ((pod.get("spec") or {}).get("affinity") or {}).get(kind) or {}
    return list(affinity.get(_REQUIRED) or [])


def term_words(kind: str, term: Json) -> str:
    """`podAntiAffinity app=web per kubernetes.io/hostname`."""
    spaces = term.get("namespaces") or []
    where = f" in namespace {', '.join(spaces)}" if spaces else ""
    return f"{kind} {format_selector(term.get('labelSelector')) or 'every pod'} per {term.get('topologyKey')}{where}"


def spread_words(item: Json) -> str:
    """`maxSkew 1 over topology.kubernetes.io/zone of app=web`."""
    domains = f", minDomains {item['minDomains']}" if item.get("minDomains") else ""
    return (
        f"maxSkew {item.get('maxSkew')} over {item.get('topologyKey')} of"
        f" {format_selector(item.get('labelSelector')) or 'no pods'} ({item.get('whenUnsatisfiable')}{domains})"
    )


def name_of(pod: Json) -> str:
    """`shop/web-1`."""
    return f"{pod['metadata'].get('namespace') or ''}/{pod['metadata']['name']}"


class Neighbours:
    """The pods that are placed, with the labels of their nodes; made once for all pending pods."""

    def __init__(self, snapshot: Snapshot, nodes: list[Json]) -> None:
        self._snapshot = snapshot
        self._nodes = nodes
        self._labels = {node["metadata"]["name"]: node["metadata"].get("labels") or {} for node in nodes}
        self._placed = [
            pod
            for pod in snapshot.of_kind("Pod")
            if (pod.get("spec") or {}).get("nodeName") in self._labels and not is_finished(pod)
        ]
        self._refusing = [pod for pod in self._placed if required_pod_terms(pod, "podAntiAffinity")]

    def asked_by(self, pod: Json) -> Asked:
        """What one pending pod's neighbours mean for it, worked out once for all nodes."""
        terms = [
            _Term(kind, term, term.get("topologyKey") or "")
            for kind in ("podAffinity", "podAntiAffinity")
            for term in required_pod_terms(pod, kind)
        ]
        for item in terms:
            for other in self._placed:
                if self._concerns(item.term, pod, other):
                    item.found.setdefault(self._domain(other, item.key), []).append(other)
        refusing: list[tuple[Json, Json, str]] = []
        for other in self._refusing:
            for term in required_pod_terms(other, "podAntiAffinity"):
                value = self._domain(other, term.get("topologyKey") or "")
                if value and self._concerns(term, other, pod):
                    refusing.append((other, term, value))
        spread = (pod.get("spec") or {}).get("topologySpreadConstraints") or []
        hard = [item for item in spread if item.get("whenUnsatisfiable") == "DoNotSchedule"]
        return Asked(pod, terms, refusing, [(item, self._counts(pod, item, hard)) for item in hard])

    def _domain(self, pod: Json, key: str) -> str:
        return str(self._labels[pod["spec"]["nodeName"]].get(key) or "")

    def _concerns(self, term: Json, holder: Json, other: Json) -> bool:
        """Does a term of `holder` speak of `other`?"""
        own, space = holder["metadata"].get("namespace") or "", other["metadata"].get("namespace") or ""
        names, selector = term.get("namespaces") or [], term.get("namespaceSelector")
        inside = space in names or (not names and selector is None and space == own)
        if not inside and selector is not None:
            labels = ((self._snapshot.get("Namespace", "", space) or {}).get("metadata") or {}).get("labels")
            inside = matches_selector(selector, labels)
        return inside and matches_selector(term.get("labelSelector"), other["metadata"].get("labels"))

    def _counts(self, pod: Json, item: Json, hard: list[Json]) -> dict[str, int]:
        """Matching pods in each domain that counts: of nodes that the pod selects, with every constraint's label."""
        key = item.get("topologyKey") or ""
        counts: dict[str, int] = {}
        for node in self._nodes:
            labels = self._labels[node["metadata"]["name"]]
            if any((other.get("topologyKey") or "") not in labels for other in hard):
                continue
            if item.get("nodeAffinityPolicy") != "Ignore" and not selects(pod, node):
                continue
            if item.get("nodeTaintsPolicy") == "Honor" and untolerated(pod, node):
                continue
            counts.setdefault(str(labels[key]), 0)
        space = pod["metadata"].get("namespace") or ""
        for other in self._snapshot.of_kind("Pod", space):
            node_name = (other.get("spec") or {}).get("nodeName") or ""
            value = str(self._labels.get(node_name, {}).get(key))
            if value in counts and not is_finished(other) and not other["metadata"].get("deletionTimestamp"):
                counts[value] += _spreads(pod, item, other)
        return counts


def _spreads(pod: Json, item: Json, other: Json) -> bool:
    """Does a spread constraint of `pod` count `other`?"""
    mine, theirs = pod["metadata"].get("labels") or {}, other["metadata"].get("labels") or {}
    same = all(mine.get(key) == theirs.get(key) for key in item.get("matchLabelKeys") or [] if key in mine)
    return same and matches_selector(item.get("labelSelector"), theirs)


@dataclass(frozen=True, slots=True)
class Asked:
    """One pending pod's neighbour rules, ready to be held against nodes."""

    pod: Json
    terms: list[_Term]
    refusing: list[tuple[Json, Json, str]]
    spread: list[tuple[Json, dict[str, int]]]

    def objections(self, node: Json) -> Iterator[Objection]:
        """What the rules say against a node."""
        labels = node["metadata"].get("labels") or {}
        for constraint, counts in self.spread:
            yield from self._spread(constraint, counts, labels)
        for item in self.terms:
            yield from self._term(item, labels)
        refused = any(True for item in self.terms for _ in self._term(item, labels))
        for other, term, value in self.refusing if not refused else ():  # the scheduler stops at its own rules
            if labels.get(term.get("topologyKey") or "") == value:
                rule = term_words("podAntiAffinity", term)
                text = f"pod {name_of(other)} on {other['spec']['nodeName']} keeps it away ({rule})"
                yield Objection("existing-anti-affinity", rule, text, (name_of(other),))

    def _spread(self, item: Json, counts: dict[str, int], labels: Json) -> Iterator[Objection]:
        key, rule = item.get("topologyKey") or "", spread_words(item)
        if key not in labels:
            text = f"it has no label {key}, which the topology spread constraint needs"
            yield Objection("spread", rule, text, change=f"label it {key}=VALUE, or spread over a label that it has")
            return
        least = min(counts.values(), default=0)
        if len(counts) < (item.get("minDomains") or 0):
            least = 0
        here = counts.get(str(labels[key]), 0)
        skew = here + _spreads(self.pod, item, self.pod) - least
        if skew > (item.get("maxSkew") or 1):
            shown = ", ".join(f"{key}={value} has {count}" for value, count in sorted(counts.items()))
            yield Objection("spread", rule, f"one more pod there makes the skew {skew}: {shown}")

    def _term(self, item: _Term, labels: Json) -> Iterator[Objection]:
        rule, here = term_words(item.kind, item.term), str(labels.get(item.key) or "")
        pods = item.found.get(here, []) if here else []
        if item.kind == "podAntiAffinity":
            if pods:
                names = tuple(name_of(pod) for pod in pods)
                where = "runs" if len(pods) == 1 else "run"
                text = f"pod {', '.join(names[:3])}{_more(names)} already {where} in {item.key}={here} ({rule})"
                yield Objection("pod-anti-affinity", rule, text, names)
            return
        if item.key not in labels:
            yield Objection("pod-affinity", rule, f"it has no label {item.key} ({rule})")
        elif not pods and (any(item.found.values()) or not self._own(item.term)):
            elsewhere = [f"{name_of(pod)} in {item.key}={value}" for value, pods in item.found.items() for pod in pods]
            told = f"; such are {', '.join(elsewhere[:2])}" if elsewhere else ""
            yield Objection("pod-affinity", rule, f"no pod with that label runs in {item.key}={here} ({rule}{told})")

    def _own(self, term: Json) -> bool:
        """The pod satisfies its own term: then the first of a series may go anywhere."""
        space = self.pod["metadata"].get("namespace") or ""
        inside = not term.get("namespaces") or space in term["namespaces"]
        return inside and matches_selector(term.get("labelSelector"), self.pod["metadata"].get("labels"))


def _more(names: tuple[str, ...]) -> str:
    return f" and {len(names) - 3} more" if len(names) > 3 else ""
