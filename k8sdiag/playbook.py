"""Rules as data: one YAML file each, checked when loaded (file:line), compiled once to plain JSON.

The format, by example (`playbooks/README.md` has all of it):

    id: image-tag-missing            # the file's name
    severity: error                  # critical, error, warning, info
    level: cause                     # cause, class or symptom: the vaguer gives way
    modes: [M01]                     # ids of the failure catalogue
    when:                            # facts; the first is the anchor, the others join it on shared keys
      - failure: {stage: pull, message: /not found$/}
        show: [image]
      - log: {}
        optional: true
    unless:
      - failure: {stage: pull, message: /no match for platform/}
    title: {en: Image tag is not in the registry}
    symptom: {en: "..."}
    cause: {en: "Image {image} ...[[ on node {node}]]"}   # [[ ]] vanishes where a value in it is empty
    fixes:
      - title: {en: ...}
        commands: ["kubectl ..."]
        patch: ""
        risk: {en: ...}
    verify: {en: ...}
    supersedes: [image-pull-failed]
    group: "{image}"
    links: [https://...]

No code runs from a playbook, and values put into its texts are never interpreted.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from k8sdiag import __version__
from k8sdiag.facts import declared_fields, declared_keys
from k8sdiag.finding import SEVERITIES
from k8sdiag.match import MatchError, Spec, compile_spec, groups_of

LEVELS = ("symptom", "class", "cause")
PLACEHOLDER = re.compile(r"\{([a-z_A-Z][\w.]*)\}")
_LANGUAGE = re.compile(r"[a-z]{2}(-[A-Z]{2})?")
_TEXTS = ("title", "symptom", "cause", "verify")
_KEYS = {
    "id", "severity", "level", "confidence", "modes", "when", "unless", *_TEXTS,
    "fixes", "supersedes", "group", "links", "subject",
}  # fmt: skip
_CONDITION_KEYS = {"as", "on", "optional", "show"}
Text = dict[str, str]


class PlaybookError(Exception):
    """A playbook that cannot be used; the message starts with `file:line:`."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One fact to find: its kind, the name it goes by in templates, field conditions, join keys ([] is the default),
    whether it only strengthens, and the fields to show as evidence."""

    kind: str
    name: str
    fields: list[tuple[str, Spec]]
    on: list[str]
    optional: bool
    show: list[str]


@dataclass(frozen=True, slots=True)
class FixText:
    """A fix as written; `when` are field conditions on the anchor under which it is offered."""

    title: Text
    commands: list[str]
    patch: str
    risk: Text
    when: list[tuple[str, Spec]]


@dataclass(frozen=True, slots=True)
class Playbook:
    """One rule, compiled."""

    id: str
    area: str
    severity: str
    level: int
    confidence: float
    modes: list[str]
    when: list[Condition]
    unless: list[Condition]
    title: Text
    symptom: Text
    cause: Text
    verify: Text
    fixes: list[FixText]
    supersedes: list[str]
    group: str
    links: list[str]
    subject: str


def bundled_folder() -> Path:
    """Where the playbooks that come with k8sdiag are: inside the wheel, or beside the package in a checkout."""
    inside = Path(__file__).parent / "playbooks"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "playbooks"


def user_folder() -> Path:
    """Where a user's own playbooks are looked for."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "k8sdiag" / "playbooks"


def cache_folder() -> Path:
    """Where compiled playbooks are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "k8sdiag"


def load(folders: Iterable[Path] = ()) -> list[Playbook]:
    """The bundled playbooks, the user's own and those of `folders`, later ones replacing earlier ones of the same id.
    Raises PlaybookError."""
    chosen = [bundled_folder(), *([user_folder()] if user_folder().is_dir() else []), *folders]
    found: dict[str, Playbook] = {}
    for folder in chosen:
        for playbook in load_folder(folder):
            found[playbook.id] = playbook
    return list(found.values())


def load_folder(folder: Path) -> list[Playbook]:
    """Every playbook below a folder: from the cache where nothing changed since, else compiled (and cached)."""
    if not folder.is_dir():
        raise PlaybookError(f"{folder}:1: no such folder of playbooks")
    shipped = _read_compiled(folder / "compiled.json", None)
    if shipped is not None:
        return shipped
    stamp = _stamp(folder)
    cached = cache_folder() / f"playbooks-{stamp}.json"
    compiled = _read_compiled(cached, stamp)
    if compiled is None:
        compiled = compile_folder(folder)
        _write_compiled(cached, stamp, compiled)
    return compiled


def compile_folder(folder: Path) -> list[Playbook]:
    """Parse and check every playbook below a folder. Raises PlaybookError with every mistake, a line each."""
    from k8sdiag.yaml_lines import YamlError, read_yaml  # PyYAML is slow to import: only when compiling

    playbooks, mistakes = [], []
    for path in sorted(folder.glob("**/*.yaml")):
        try:
            value, lines = read_yaml(path)
            playbooks.append(_Reader(path, lines).playbook(value))
        except (PlaybookError, YamlError) as problem:
            mistakes.append(str(problem))
    seen: dict[str, str] = {}
    for playbook in playbooks:
        if playbook.id in seen:
            mistakes.append(
                f"{folder / playbook.area / playbook.id}.yaml:1: id {playbook.id} is also in {seen[playbook.id]}"
            )
        seen[playbook.id] = playbook.area
    if mistakes:
        raise PlaybookError("\n".join(mistakes))
    return playbooks


def dump(playbooks: list[Playbook], stamp: str = "") -> bytes:
    """Compiled playbooks as JSON, for the cache and for the wheel."""
    return orjson.dumps({"version": __version__, "stamp": stamp, "playbooks": [asdict(p) for p in playbooks]})


def _stamp(folder: Path) -> str:
    """Changes when a playbook or the version does. Size and time stand in for content: reading all would cost more."""
    import zlib

    text = [__version__, str(folder.resolve()), repr(declared_fields()), repr(declared_keys())]
    data = "\n".join([*text, *sorted(_seen_below(str(folder)))]).encode()
    return f"{zlib.crc32(data):08x}{zlib.adler32(data):08x}"


def _seen_below(folder: str) -> Iterator[str]:
    """Every playbook's path, size and time; by scandir, for pathlib takes three times as long."""
    for entry in os.scandir(folder):
        if entry.is_dir():
            yield from _seen_below(entry.path)
        elif entry.name.endswith(".yaml"):
            yield f"{entry.path} {entry.stat().st_size} {entry.stat().st_mtime_ns}"


def _read_compiled(path: Path, stamp: str | None) -> list[Playbook] | None:
    try:
        document = orjson.loads(path.read_bytes())
        if document["version"] != __version__ or (stamp is not None and document["stamp"] != stamp):
            return None
        return [_revive(item) for item in document["playbooks"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None  # no cache, or not ours: compile


def _write_compiled(path: Path, stamp: str, playbooks: list[Playbook]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for old in path.parent.glob("playbooks-*.json"):
            if len(list(path.parent.glob("playbooks-*.json"))) > 8:
                old.unlink(missing_ok=True)
        part = path.with_suffix(f".{os.getpid()}")
        part.write_bytes(dump(playbooks, stamp))
        part.replace(path)
    except OSError:
        pass  # a read-only home only costs the next start some time


def _revive(item: dict[str, Any]) -> Playbook:
    for condition in (*item["when"], *item["unless"]):
        condition["fields"] = [tuple(field) for field in condition["fields"]]  # JSON knows no tuples
    for fix in item["fixes"]:
        fix["when"] = [tuple(field) for field in fix["when"]]
    item["when"] = [Condition(**condition) for condition in item["when"]]
    item["unless"] = [Condition(**condition) for condition in item["unless"]]
    item["fixes"] = [FixText(**fix) for fix in item["fixes"]]
    return Playbook(**item)


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
            title=self.text(value["title"], ("title",)),
            symptom=self.text(value.get("symptom") or {"en": ""}, ("symptom",)),
            cause=self.text(value["cause"], ("cause",)),
            verify=self.text(value.get("verify") or {"en": ""}, ("verify",)),
            fixes=self.fixes(value["fixes"], when[0].kind),
            supersedes=self.words(value.get("supersedes"), ("supersedes",)),
            group=str(value.get("group") or ""),
            links=self.words(value.get("links"), ("links",)),
            subject=str(value.get("subject") or when[0].name),
        )
        self.check_names(playbook)
        return playbook

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
        for text in getattr(playbook, key).values():
            yield (key,), text
    yield ("group",), playbook.group
    for index, fix in enumerate(playbook.fixes):
        for key, texts in (("title", fix.title.values()), ("risk", fix.risk.values()), ("patch", [fix.patch])):
            for text in texts:
                yield ("fixes", index, key), text
        for number, command in enumerate(fix.commands):
            yield ("fixes", index, "commands", number), command


def _nearest(word: str, words: Iterable[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(word, list(words), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
