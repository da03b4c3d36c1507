"""Playbooks as they are written: a YAML file, checked word by word, to a Playbook. Only needed where one changed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from k8sdiag.facts import declared_fields, declared_keys
from k8sdiag.finding import SEVERITIES
from k8sdiag.match import MatchError, Spec, compile_spec, groups_of
from k8sdiag.playbook import LEVELS, PLACEHOLDER, Condition, FixText, Playbook, PlaybookError, Text, Words, said
from k8sdiag.yaml_lines import read_yaml

_LANGUAGE = re.compile(r"[a-z]{2}(-[A-Z]{2})?")
_TEXTS = ("title", "symptom", "cause", "verify")
_KEYS = {
    "id", "severity", "level", "confidence", "modes", "when", "unless", *_TEXTS,
    "fixes", "supersedes", "group", "links", "subject",
}  # fmt: skip
_CONDITION_KEYS = {"as", "on", "optional", "show"}


def read(path: Path) -> Playbook:
    """One file. Raises PlaybookError and YamlError."""
    value, lines = read_yaml(path)
    return _Reader(path, lines).playbook(value)


class _Reader:
    """One file's YAML value to a Playbook; `lines` maps paths into the value to line numbers."""

    def __init__(self, path: Path, lines: Mapping[tuple[Any, ...], int]) -> None:
        self.path = path
        self.lines = lines

    def fail(self, where: tuple[Any, ...], message: str) -> PlaybookError:
        line = next((self.lines[where[:n]] for n in range(len(where), -1, -1) if where[:n] in self.lines), 1)
        return PlaybookError(f"{self.path}:{line}: {message}")

    def playbook(self, value: object) -> Playbook:
        if not isinstance(value, dict):
            raise self.fail((), "a playbook is a mapping with id, severity, when, title, cause ...")
        for key in value:
            if key not in _KEYS:
                raise self.fail((key,), f"unknown key {key!r}{_nearest(str(key), _KEYS)}")
        for key in ("id", "severity", "level", "when", "title", "cause", "fixes"):
            if not value.get(key):
                raise self.fail((), f"{key!r} is missing")
        if value["id"] != self.path.stem:
            raise self.fail(("id",), f"id {value['id']!r} differs from the file's name {self.path.stem!r}")
        severity, level = value["severity"], value["level"]
        if severity not in SEVERITIES:
            raise self.fail(("severity",), f"severity {severity!r} is none of {', '.join(SEVERITIES)}")
        if level not in LEVELS:
            raise self.fail(("level",), f"level {level!r} is none of {', '.join(LEVELS)}")
        when = self.conditions(value["when"], "when")
        if when[0].optional:
            raise self.fail(("when", 0), "the first condition is the anchor and cannot be optional")
        playbook = Playbook(
            id=value["id"],
            area=self.path.parent.name,
            severity=severity,
            level=LEVELS.index(level) + 1,
            confidence=self.number(value.get("confidence", 0.9), ("confidence",)),
            modes=self.words(value.get("modes"), ("modes",)),
            when=when,
            unless=self.conditions(value.get("unless") or [], "unless"),
            supersedes=self.words(value.get("supersedes"), ("supersedes",)),
            group=str(value.get("group") or ""),
            subject=str(value.get("subject") or when[0].name),
            said=said(self.said(value, when[0].kind)),
        )
        self.check_names(playbook)
        return playbook

    def said(self, value: dict[str, Any], anchor: str) -> Words:
        return Words(
            title=self.text(value["title"], ("title",)),
            symptom=self.text(value.get("symptom") or {"en": ""}, ("symptom",)),
            cause=self.text(value["cause"], ("cause",)),
            verify=self.text(value.get("verify") or {"en": ""}, ("verify",)),
            fixes=self.fixes(value["fixes"], anchor),
            links=self.words(value.get("links"), ("links",)),
        )

    def conditions(self, value: object, key: str) -> list[Condition]:
        if not isinstance(value, list):
            raise self.fail((key,), f"{key!r} is a list of conditions")
        return [self.condition(item, (key, index)) for index, item in enumerate(value)]

    def condition(self, item: object, where: tuple[Any, ...]) -> Condition:
        if not isinstance(item, dict):
            raise self.fail(where, "a condition is `KIND: {field: value}`")
        kinds = [key for key in item if key not in _CONDITION_KEYS]
        if len(kinds) != 1:
            raise self.fail(where, f"a condition names one kind of fact, not {len(kinds)}")
        kind, known = kinds[0], declared_fields()
        if kind not in known:
            raise self.fail((*where, kind), f"unknown fact {kind!r}{_nearest(kind, known)}")
        fields = self.fields(item[kind] or {}, kind, (*where, kind))
        on, show = self.words(item.get("on"), (*where, "on")), self.words(item.get("show"), (*where, "show"))
        for name in on:
            if name not in declared_keys()[kind]:
                raise self.fail((*where, "on"), f"facts {kind!r} are not joined on {name!r}")
        for name in show:
            if name not in known[kind]:
                raise self.fail((*where, "show"), f"fact {kind!r} has no field {name!r}{_nearest(name, known[kind])}")
        return Condition(kind, str(item.get("as") or kind), fields, on, bool(item.get("optional")), show)

    def fields(self, value: object, kind: str, where: tuple[Any, ...]) -> list[tuple[str, Spec]]:
        if not isinstance(value, dict):
            raise self.fail(where, "conditions on a fact are `{field: value}`")
        known, found = declared_fields()[kind], []
        for field, wanted in value.items():
            if field not in known:
                raise self.fail((*where, field), f"fact {kind!r} has no field {field!r}{_nearest(str(field), known)}")
            try:
                found.append((field, compile_spec(wanted)))
            except MatchError as problem:
                raise self.fail((*where, field), str(problem)) from None
        return found

    def fixes(self, value: object, anchor: str) -> list[FixText]:
        if not isinstance(value, list):
            raise self.fail(("fixes",), "'fixes' is a list")
        found = []
        for index, item in enumerate(value):
            where: tuple[Any, ...] = ("fixes", index)
            if not isinstance(item, dict) or "title" not in item:
                raise self.fail(where, "a fix has a title, and may have commands, patch, risk, when")
            for key in item:
                if key not in {"title", "commands", "patch", "risk", "when"}:
                    raise self.fail((*where, key), f"unknown key {key!r} in a fix")
            found.append(
                FixText(
                    title=self.text(item["title"], (*where, "title")),
                    commands=self.words(item.get("commands"), (*where, "commands")),
                    patch=str(item.get("patch") or ""),
                    risk=self.text(item.get("risk") or {"en": ""}, (*where, "risk")),
                    when=self.fields(item.get("when") or {}, anchor, (*where, "when")),
                )
            )
        return found

    def text(self, value: object, where: tuple[Any, ...]) -> Text:
        if not isinstance(value, dict) or not isinstance(value.get("en"), str):
            raise self.fail(where, "texts are keyed by language: {en: ...}")
        for language, text in value.items():
            if not _LANGUAGE.fullmatch(str(language)):
                raise self.fail(where, f"{language!r} is no language: quote a text that has a comma or a colon in it")
            if not isinstance(text, str):
                raise self.fail(where, f"the text in {language!r} is no text")
        return {language: text.strip() for language, text in value.items()}

    def words(self, value: object, where: tuple[Any, ...]) -> list[str]:
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
            raise self.fail(where, f"{where[-1]!r} is a list of words")
        return list(value)

    def number(self, value: object, where: tuple[Any, ...]) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
            raise self.fail(where, f"{where[-1]!r} is a number above 0, up to 1")
        return float(value)

    def check_names(self, playbook: Playbook) -> None:
        """Every {placeholder} must be able to have a value."""
        known = declared_fields()
        names = set(known[playbook.when[0].kind])
        for condition in playbook.when:
            names |= {f"{condition.name}.{field}" for field in known[condition.kind]}
            for _, spec in condition.fields:
                names |= groups_of(spec)
        if playbook.subject not in {condition.name for condition in playbook.when}:
            raise self.fail(("subject",), f"subject {playbook.subject!r} is none of the facts in 'when'")
        for where, text in _templates(playbook):
            for name in PLACEHOLDER.findall(text):
                if name not in names:
                    raise self.fail(where, f"nothing is called {{{name}}} here{_nearest(name, names)}")


def _templates(playbook: Playbook) -> Iterator[tuple[tuple[Any, ...], str]]:
    for key in _TEXTS:
        for text in getattr(playbook.words, key).values():
            yield (key,), text
    yield ("group",), playbook.group
    for index, fix in enumerate(playbook.words.fixes):
        for key, texts in (("title", fix.title.values()), ("risk", fix.risk.values()), ("patch", [fix.patch])):
            for text in texts:
                yield ("fixes", index, key), text
        for number, command in enumerate(fix.commands):
            yield ("fixes", index, "commands", number), command


def _nearest(word: str, words: Iterable[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(word, list(words), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
