"""Faults as they are written, and the complaints about those that are written wrongly: `file:line: what is wrong`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from k8sdiag.evidence import Json
from k8sdiag.quantity import parse_duration
from k8sdiag.yaml_lines import Lines, YamlError, parse_yaml

FOLDER = Path(__file__).parent
LIBRARY = FOLDER  # the groups are folders beside this file
_KEYS = frozenset("title expects subject namespace for nodes without before manifest steps behaviours images".split())
_NEEDED = ("title", "expects", "subject", "manifest")
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
DEFAULT_SECONDS = 60.0


class FaultError(Exception):
    """A fault that cannot be read; one line that starts with `file:line:`."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something done to the cluster: seconds after the manifest was applied, a verb, and what it takes. `place` is the
    line it is written in."""

    after: float
    verb: str
    words: Mapping[str, Any]
    place: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A cluster, what is applied to it, what is done to it and when, how long it goes on, and what is to be found."""

    id: str
    group: str = ""
    title: str = ""
    expects: str = ""
    subject: str = ""
    namespace: str = ""
    seconds: float = DEFAULT_SECONDS
    nodes: int = 1
    without: tuple[str, ...] = ()
    before: tuple[Step, ...] = ()
    manifest: tuple[Json, ...] = ()
    steps: tuple[Step, ...] = ()
    behaviours: Mapping[str, Any] = field(default_factory=dict)
    images: Json | None = None


def files() -> list[Path]:
    """The files of the library, in the order of groups and ids."""
    return sorted(LIBRARY.glob("*/*.yaml"))


@cache
def library() -> Mapping[str, Fault]:
    """All faults by id. Raises FaultError."""
    found: dict[str, Fault] = {}
    for file in files():
        if file.stem in found:
            raise FaultError(f"{file}:1: {file.stem} is also in {found[file.stem].group}/")
        found[file.stem] = read(file)
    return found


def find(name: str) -> Fault:
    """One fault, by its id. Raises KeyError with the nearest ones."""
    for file in LIBRARY.glob(f"*/{name}.yaml"):
        if "/" not in name and file.stem == name:
            return read(file)
    near = get_close_matches(name, [file.stem for file in files()], n=3)
    raise KeyError(f"there is no fault {name!r}" + (f"; nearest: {', '.join(near)}" if near else ""))


def read(file: Path, *, needed: Iterable[str] = _NEEDED) -> Fault:
    """A file of the library, or one in the same format beside a recording (`needed` are then fewer)."""
    try:
        return parse(file.read_bytes(), str(file), file.stem, file.parent.name, needed)
    except OSError as problem:
        raise FaultError(f"{file}:1: cannot be read: {problem.strerror}") from None


def parse(data: bytes, name: str, ident: str, group: str = "", needed: Iterable[str] = _NEEDED) -> Fault:
    """A fault from memory; `name` leads complaints."""
    try:
        value, lines = parse_yaml(data, name)
    except YamlError as problem:
        raise FaultError(str(problem)) from None
    return _Reader(name, lines).fault(value, ident, group, needed)


def documents(text: str, name: str, line: int = 0) -> tuple[Json, ...]:
    """The objects of a manifest; `line` is how many lines of the file come before it."""
    try:
        found = list(yaml.load_all(text, Loader=_LOADER))
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        at = line + (mark.line + 1 if mark else 1)
        raise FaultError(f"{name}:{at}: not YAML: {getattr(problem, 'problem', problem)}") from None
    return tuple(_objects(found, f"{name}:{line + 1}"))


def _objects(found: Iterable[object], place: str) -> Iterator[Json]:
    for item in found:
        if item is None:
            continue
        if isinstance(item, dict) and isinstance(item.get("items"), list):
            yield from _objects(item["items"], place)
            continue
        meta = item.get("metadata") if isinstance(item, dict) else None
        if not isinstance(item, dict) or not item.get("apiVersion") or not item.get("kind"):
            raise FaultError(f"{place}: not an object: apiVersion and kind are needed")
        if not isinstance(meta, dict) or not (meta.get("name") or meta.get("generateName")):
            raise FaultError(f"{place}: {item['kind']} without a metadata.name")
        yield item


class _Reader:
    """One file, and where in it things stand."""

    def __init__(self, name: str, lines: Lines) -> None:
        self.name, self.lines = name, lines

    def fail(self, where: tuple[Any, ...], why: str) -> FaultError:
        return FaultError(f"{self._place(where)}: {why}")

    def _place(self, where: tuple[Any, ...]) -> str:
        while where and where not in self.lines:
            where = where[:-1]
        return f"{self.name}:{self.lines.get(where, 1)}"

    def fault(self, value: object, ident: str, group: str, needed: Iterable[str]) -> Fault:
        if not isinstance(value, dict):
            raise self.fail((), "a fault is a mapping")
        for key in value:
            if key not in _KEYS:
                near = get_close_matches(str(key), _KEYS, n=1)
                raise self.fail((key,), f"unknown key {key!r}" + (f": is {near[0]!r} meant?" if near else ""))
        for key in needed:
            if not value.get(key):
                raise self.fail((), f"{key!r} is missing")
        title = value.get("title") or {"en": ""}
        if not isinstance(title, dict) or not isinstance(title.get("en"), str):
            raise self.fail(("title",), "'title' is {en: a sentence}")
        subject = self.word(value, "subject", "")
        if subject and (subject.count("/") != 1 or not all(subject.split("/"))):
            raise self.fail(("subject",), "'subject' is kind/name, such as pod/web")
        nodes = value.get("nodes", 1)
        if not isinstance(nodes, int) or isinstance(nodes, bool) or not 0 <= nodes <= 1000:
            raise self.fail(("nodes",), "'nodes' is how many nodes there are, 0 to 1000")
        behaviours, images = value.get("behaviours") or {}, value.get("images")
        if not isinstance(behaviours, dict):
            raise self.fail(("behaviours",), "'behaviours' is {container: [what it does]}")
        if images is not None and not isinstance(images, dict):
            raise self.fail(("images",), "'images' is {image or registry: what goes wrong}")
        return Fault(
            ident,
            group,
            title["en"],
            self.word(value, "expects", ""),
            subject,
            self.word(value, "namespace", ident),
            self.seconds(value.get("for", DEFAULT_SECONDS), ("for",)),
            nodes,
            self.words(value, "without"),
            self.steps(value.get("before"), "before"),
            self.manifest(value.get("manifest")),
            self.steps(value.get("steps"), "steps"),
            behaviours,
            images,
        )

    def word(self, value: Json, key: str, default: str) -> str:
        found = value.get(key, default)
        if not isinstance(found, str):
            raise self.fail((key,), f"{key!r} is a word")
        return found

    def words(self, value: Json, key: str) -> tuple[str, ...]:
        found = value.get(key) or []
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise self.fail((key,), f"{key!r} is a list of words")
        return tuple(found)

    def seconds(self, value: object, where: tuple[Any, ...]) -> float:
        found = float(value) if isinstance(value, int | float) else parse_duration(str(value))
        if found is None or found < 0:
            raise self.fail(where, f"{value!r} is no duration such as 60s")
        return found

    def manifest(self, value: object) -> tuple[Json, ...]:
        if isinstance(value, str):
            return documents(value, self.name, self.lines.get(("manifest",), 1))
        if value is not None and not isinstance(value, list):
            raise self.fail(("manifest",), "'manifest' is a block of YAML, or a list of objects")
        found: list[Json] = []
        for index, item in enumerate(value or []):
            found += _objects([item], self._place(("manifest", index)))
        return tuple(found)

    def steps(self, value: object, key: str) -> tuple[Step, ...]:
        if value is not None and not isinstance(value, list):
            raise self.fail((key,), f"{key!r} is a list of steps")
        return tuple(self.step(item, (key, index)) for index, item in enumerate(value or []))

    def step(self, item: object, where: tuple[Any, ...]) -> Step:
        from k8sdiag.minicluster.faults.verbs import VERBS

        if not isinstance(item, dict) or not isinstance(item.get("do"), str):
            raise self.fail(where, "a step is {after: 5s, do: VERB, …}")
        verb, words = item["do"], {key: item[key] for key in item if key not in ("after", "do")}
        if verb not in VERBS:
            near = get_close_matches(verb, VERBS, n=1)
            raise self.fail((*where, "do"), f"unknown verb {verb!r}" + (f": is {near[0]!r} meant?" if near else ""))
        known = VERBS[verb]
        for word in words:
            if word not in known.takes:
                raise self.fail((*where, word), f"{verb!r} does not take {word!r}, only {', '.join(known.takes)}")
        for word in known.needs:
            if word not in words:
                raise self.fail(where, f"{verb!r} needs {word!r}")
        return Step(self.seconds(item.get("after", 0), (*where, "after")), verb, words, self._place(where))
