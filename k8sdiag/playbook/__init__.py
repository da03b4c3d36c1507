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
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from k8sdiag import __version__
from k8sdiag.facts import declared_fields, declared_keys
from k8sdiag.match import Spec

_FORMAT = "3"  # of compiled playbooks; another makes kept ones useless
_KEPT = 8  # compiled folders; the oldest go
LEVELS = ("symptom", "class", "cause")
PLACEHOLDER = re.compile(r"\{([a-z_A-Z][\w.]*)\}")
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
class Words:
    """What a rule says once it holds."""

    title: Text
    symptom: Text
    cause: Text
    verify: Text
    fixes: list[FixText]
    links: list[str]


@dataclass(frozen=True, slots=True)
class Playbook:
    """One rule, compiled. Its words stay JSON until they are asked for: of hundreds of rules, a few hold."""

    id: str
    area: str
    severity: str
    level: int
    confidence: float
    modes: list[str]
    when: list[Condition]
    unless: list[Condition]
    supersedes: list[str]
    group: str
    subject: str
    said: str

    @property
    def words(self) -> Words:
        return _words(self.said)


def bundled_folder() -> Path:
    """Where the playbooks that come with k8sdiag are: inside the wheel, or beside the package in a checkout."""
    package = Path(__file__).parent.parent
    inside = package / "playbooks"
    return inside if inside.is_dir() else package.parent / "playbooks"


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
    from k8sdiag.playbook.written import read  # brings PyYAML along, and the words for every mistake
    from k8sdiag.yaml_lines import YamlError

    playbooks, mistakes = [], []
    for path in sorted(folder.glob("**/*.yaml")):
        try:
            playbooks.append(read(path))
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

    text = [__version__, _FORMAT, str(folder.resolve()), repr(declared_fields()), repr(declared_keys())]
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
        for old in sorted(path.parent.glob("playbooks-*.json"), key=lambda kept: -kept.stat().st_mtime)[_KEPT - 1 :]:
            old.unlink(missing_ok=True)
        part = path.with_suffix(f".{os.getpid()}")
        part.write_bytes(dump(playbooks, stamp))
        part.replace(path)
    except OSError:
        pass  # a read-only home only costs the next start some time


def _revive(item: dict[str, Any]) -> Playbook:
    for condition in (*item["when"], *item["unless"]):
        condition["fields"] = [tuple(field) for field in condition["fields"]]  # JSON knows no tuples
    item["when"] = [Condition(**condition) for condition in item["when"]]
    item["unless"] = [Condition(**condition) for condition in item["unless"]]
    return Playbook(**item)


def said(words: Words) -> str:
    """Words as a Playbook keeps them."""
    return orjson.dumps(asdict(words)).decode()


@lru_cache(maxsize=4096)
def _words(text: str) -> Words:
    item = orjson.loads(text)
    for fix in item["fixes"]:
        fix["when"] = [tuple(field) for field in fix["when"]]  # JSON knows no tuples
    return Words(**{**item, "fixes": [FixText(**fix) for fix in item["fixes"]]})
