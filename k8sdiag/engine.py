"""Which playbooks hold over which facts: one pass over the facts, each led straight to the rules that could hold.

A rule's first condition is its anchor. Rules are looked up by the anchor's kind and one of its equalities, so that
cost grows with the facts present and not with the number of rules; the other conditions are joined on shared keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from k8sdiag.facts import KEY_ORDER, Fact, declared_keys
from k8sdiag.match import Hit, Spec, holds
from k8sdiag.playbook import Condition, Playbook


@dataclass(frozen=True, slots=True)
class Match:
    """A fact that satisfied a condition, with what its regexes named and found."""

    condition: Condition
    fact: Fact
    groups: dict[str, str]
    lines: tuple[str, ...]


@dataclass(slots=True)
class Fired:
    """A playbook that holds: its matches, the anchor's first."""

    playbook: Playbook
    matches: list[Match]
    keys: dict[str, frozenset[str]] = field(default_factory=dict)

    @property
    def anchor(self) -> Fact:
        return self.matches[0].fact


class FactIndex:
    """Facts by kind, and by kind and join key."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        self.by_kind: dict[str, list[Fact]] = {}
        for fact in facts:
            self.by_kind.setdefault(fact.kind, []).append(fact)
        self._joined: dict[tuple[str, str], dict[str, list[Fact]]] = {}

    def joined(self, kind: str, key: str, values: Iterable[str]) -> Iterator[Fact]:
        """Facts of a kind that share one of `values` of `key`."""
        index = self._joined.get((kind, key))
        if index is None:
            index = self._joined[kind, key] = {}
            for fact in self.by_kind.get(kind, ()):
                for value in fact.keys.get(key, ()):
                    index.setdefault(value, []).append(fact)
        for value in values:
            yield from index.get(value, ())


class Rules:
    """Playbooks, arranged by what their anchors ask for."""

    def __init__(self, playbooks: Iterable[Playbook]) -> None:
        self._by_value: dict[str, dict[str, dict[object, list[Playbook]]]] = {}
        self._rest: dict[str, list[Playbook]] = {}
        for playbook in playbooks:
            anchor = playbook.when[0]
            for name, spec in anchor.fields:
                values = _equalities(spec)
                if values is not None:
                    table = self._by_value.setdefault(anchor.kind, {}).setdefault(name, {})
                    for value in values:
                        table.setdefault(value, []).append(playbook)
                    break
            else:
                self._rest.setdefault(anchor.kind, []).append(playbook)

    def candidates(self, fact: Fact) -> Iterator[Playbook]:
        """Playbooks whose anchor this fact could be."""
        yield from self._rest.get(fact.kind, ())
        for name, table in self._by_value.get(fact.kind, {}).items():
            value = fact.fields.get(name)
            for item in value if isinstance(value, tuple) else (value,):
                yield from table.get(item, ())

    def fire(self, facts: FactIndex) -> list[Fired]:
        """Every playbook that holds, once for each fact that anchors it."""
        fired = []
        for kind in (*self._rest, *(kind for kind in self._by_value if kind not in self._rest)):
            for fact in facts.by_kind.get(kind, ()):
                for playbook in self.candidates(fact):
                    found = _try(playbook, fact, facts)
                    if found:
                        fired.append(found)
        return fired


def _equalities(spec: Spec) -> list[object] | None:
    """The values a condition can equal, where it is nothing but equalities."""
    if spec[0] == "eq":
        return [spec[1]]
    if spec[0] == "any" and all(item[0] == "eq" for item in spec[1]):
        return [item[1] for item in spec[1]]
    return None


def satisfies(condition: Condition, fact: Fact) -> Match | None:
    """Does one fact satisfy a condition?"""
    groups: dict[str, str] = {}
    lines: list[str] = []
    for name, spec in condition.fields:
        hit: Hit | None = holds(spec, fact.fields.get(name))
        if hit is None:
            return None
        if hit.groups:
            groups |= hit.groups
        if hit.text:
            lines.append(hit.text)
    return Match(condition, fact, groups, tuple(lines))


def _try(playbook: Playbook, fact: Fact, facts: FactIndex) -> Fired | None:
    anchor = satisfies(playbook.when[0], fact)
    if anchor is None:
        return None
    matches = [anchor]
    for condition in playbook.when[1:]:
        found = _first(condition, matches, facts)
        if found is None and not condition.optional:
            return None
        if found is not None:
            matches.append(found)
    if any(_first(condition, matches, facts) for condition in playbook.unless):
        return None
    keys: dict[str, set[str]] = {}
    for match in matches:
        if not match.condition.optional:
            for key, values in match.fact.keys.items():
                keys.setdefault(key, set()).update(values)
    return Fired(playbook, matches, {key: frozenset(values) for key, values in keys.items()})


def _first(condition: Condition, matches: list[Match], facts: FactIndex) -> Match | None:
    """The first fact that satisfies a condition and is joined to the anchor (or, failing that, to a later match)."""
    for match in matches:
        key = join_key(condition, match.fact)
        if key is None:
            continue
        for fact in facts.joined(condition.kind, key, match.fact.keys[key]):
            if fact is match.fact and len(condition.fields) == 0:
                continue
            found = satisfies(condition, fact)
            if found:
                return found
        return None
    return None


def join_key(condition: Condition, fact: Fact) -> str | None:
    """What a condition is joined to a fact on: as written in `on`, else the most specific key that both have."""
    kind_keys = declared_keys()[condition.kind]
    for key in condition.on or KEY_ORDER:
        if key in kind_keys and fact.keys.get(key):
            return key
    return None
