"""Which images there are for simulated nodes, what is in them, and how a pull ends: a table in YAML (`images.yaml`)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import yaml

from k8sdiag.evidence import Json
from k8sdiag.minicluster.runtimes.base import Failure, ImageInfo, image_name
from k8sdiag.minicluster.runtimes.registries import FAILURES, Reference, denied_by, reference, refusal, unknown_host
from k8sdiag.quantity import parse_duration, parse_quantity

_BASES = ("busybox", "alpine", "debian", "none")
_IMAGE_KEYS = frozenset("base has run cmd user workdir env size memory tags writable fails times slow private".split())
_REGISTRY_KEYS = frozenset(("fails", "times", "slow", "private"))
_VERSIONS = r"latest|stable|main|v?\d+(\.\d+){0,3}([-.][a-z0-9]+)*"
_SPEED = 30 * 2**20  # bytes a second


class BadTable(ValueError):  # noqa: N818 (what is said of a table)
    """A table of images that cannot be read: one sentence, with the path of what is wrong."""


@dataclass(frozen=True, slots=True)
class Image:
    """What is in an image."""

    base: str = "debian"
    has: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    user: str = ""
    workdir: str = "/"
    env: Mapping[str, str] = field(default_factory=dict)
    size: int = 50 * 2**20
    memory: int = 2**20
    tags: str = _VERSIONS
    writable: tuple[str, ...] = ()
    trouble: Trouble | None = None

    def holds(self, tag: str) -> bool:
        return tag.startswith("sha256:") or re.fullmatch(self.tags, tag) is not None


@dataclass(frozen=True, slots=True)
class Trouble:
    """How pulls of an image, or from a registry, go wrong: always, or the first `times`; `slow` adds seconds;
    `private` fails so only for who brings no credentials."""

    fails: str = ""
    times: int | None = None
    slow: float = 0.0
    private: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Images by name without tag, registries by host."""

    images: Mapping[str, Image]
    registries: Mapping[str, Trouble]
    present: tuple[str, ...]

    def joined(self, other: Table) -> Table:
        """This table, where the other says nothing."""
        return Table(
            {**self.images, **other.images},
            {**self.registries, **other.registries},
            tuple(dict.fromkeys((*self.present, *other.present))),
        )


class ImageStore:
    """One node's images."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._here: dict[str, ImageInfo] = {}
        self._pulls: dict[str, int] = {}
        for name in table.present:
            self._keep(image_name(name))

    @property
    def here(self) -> Sequence[ImageInfo]:
        return tuple(self._here.values())

    def find(self, name: str) -> ImageInfo | None:
        return self._here.get(image_name(name)) or self._here.get(name)

    def remove(self, name: str) -> None:
        """The node's garbage collection."""
        self._here.pop(image_name(name), None)

    def image(self, name: str) -> Image:
        """What is in it; a plain Debian where nobody knows."""
        return self._known(reference(image_name(name))) or Image()

    def assume(self, name: str) -> None:
        """An image that no table knows exists, for what its container does is described."""
        ref = reference(image_name(name))
        if self._known(ref) is None:
            self._table = self._table.joined(Table({ref.name: Image(tags=".*")}, {}, ()))

    def trouble(self, words: Table) -> None:
        """What a pod says of images and registries holds from now on."""
        known = {
            name: replace(self._table.images.get(name, Image(tags=".*")), trouble=image.trouble)
            if image.trouble is not None
            else image
            for name, image in words.images.items()
        }
        self._table = self._table.joined(Table(known, words.registries, ()))

    def pull(self, name: str, credentials: Sequence[Json]) -> tuple[ImageInfo | Failure, float]:
        """How a pull ends, and how many seconds it takes."""
        ref = reference(image_name(name))
        count = self._pulls[ref.whole] = self._pulls.get(ref.whole, 0) + 1
        image = self._known(ref)
        host = self._table.registries.get(ref.host)
        slow = 0.0
        for trouble in (image.trouble if image is not None else None, host):
            if trouble is None:
                continue
            slow += trouble.slow
            fails = trouble.fails if trouble.fails != "none" else ""
            if trouble.private and not fails:
                fails = denied_by(ref.host) if ref.host == "docker.io" else "unauthorized"
            spent = trouble.times is not None and count > trouble.times
            if fails and not spent and not (trouble.private and credentials):
                return self._refused(fails, ref, slow)
        if image is None:
            return self._refused(unknown_host(ref.host) if host is None else denied_by(ref.host), ref, slow)
        if not image.holds(ref.tag):
            return self._refused("not-found", ref, slow)
        fetched = 0 if ref.whole in self._here else image.size  # what is there already is only asked after
        return self._keep(ref.whole), 0.4 + fetched / _SPEED + slow

    def _refused(self, kind: str, ref: Reference, slow: float) -> tuple[ImageInfo | Failure, float]:
        failure, seconds = refusal(kind, ref)
        return failure, seconds + slow

    def _known(self, ref: Reference) -> Image | None:
        whole = self._table.images.get(ref.whole) or self._table.images.get(f"{ref.name}:{ref.tag}")
        return whole or self._table.images.get(ref.name)

    def _keep(self, name: str) -> ImageInfo:
        image = self.image(name)
        info = self._here[name] = info_of(name, image)
        return info


@lru_cache(maxsize=4096)
def _digest(name: str) -> str:
    return sha256(name.encode()).hexdigest()


def info_of(name: str, image: Image) -> ImageInfo:
    """An image as a node lists it."""
    bare = name.partition("@")[0]
    repository = bare.rpartition(":")[0] if ":" in bare.rsplit("/", 1)[-1] else bare
    return ImageInfo(name, f"{repository}@sha256:{_digest(name)}", image.size, image.user)


@lru_cache(maxsize=1)
def default_table() -> Table:
    """The table that comes with the lab."""
    return read_table((Path(__file__).parent / "images.yaml").read_text(encoding="utf-8"))


def read_table(text: str) -> Table:
    """A table of images in YAML; BadTable says what is wrong with it."""
    try:
        data = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as fault:
        raise BadTable(f"it is not YAML: {' '.join(str(fault).split())}") from None
    data = _mapping(data, "the table", ("images", "registries", "present"))
    images = _mapping(data.get("images"), "images")
    registries = _mapping(data.get("registries"), "registries")
    present = _words(data.get("present"), "present")
    return Table(
        {_name(str(name)): _image(value, f"images.{name}") for name, value in images.items()},
        {str(host): _trouble(value, f"registries.{host}") for host, value in registries.items()},
        present,
    )


def read_overrides(text: str) -> Table:
    """A pod's `lab.k8sdiag.dev/registry`: image or host to what goes wrong."""
    try:
        data = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as fault:
        raise BadTable(f"it is not YAML: {' '.join(str(fault).split())}") from None
    images, registries = {}, {}
    for key, value in _mapping(data, "it").items():
        word = str(key)
        trouble = _trouble(value, word)
        first = word.partition(":")[0]
        if "/" not in word and ("." in first or first == "localhost"):
            registries[word] = trouble
        else:
            images[_name(word)] = Image(trouble=trouble)
    return Table(images, registries, ())


def _name(word: str) -> str:
    """`nginx:1.27` to its full name, a bare name to what tables call it."""
    if ":" in word.rsplit("/", 1)[-1] or "@" in word:
        return image_name(word)
    return reference(image_name(word)).name


def _mapping(data: object, where: str, keys: Sequence[str] = ()) -> Json:
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise BadTable(f"{where} must be a mapping")
    for key in data:
        if keys and key not in keys:
            raise BadTable(f"{where} has no {key!r}: one of {', '.join(sorted(keys))}")
    return data


def _words(data: object, where: str) -> tuple[str, ...]:
    if data is None:
        return ()
    if not isinstance(data, list):
        raise BadTable(f"{where} must be a list")
    return tuple(str(word) for word in data)


def _bytes(data: object, where: str, default: int) -> int:
    if data is None:
        return default
    amount = parse_quantity(data)
    if amount is None or not 0 <= amount < 2**60:
        raise BadTable(f"{where} is no quantity: {data!r}")
    return int(amount)


def _image(data: object, where: str) -> Image:
    said = _mapping(data, where, sorted(_IMAGE_KEYS))
    base = said.get("base", "debian")
    if base not in _BASES:
        raise BadTable(f"{where}.base must be one of {', '.join(_BASES)}")
    tags = str(said.get("tags", _VERSIONS))
    try:
        re.compile(tags)
    except re.error:
        raise BadTable(f"{where}.tags is no regular expression") from None
    trouble = {key: said[key] for key in said if key in _REGISTRY_KEYS}
    return Image(
        base, _words(said.get("has"), f"{where}.has"), _words(said.get("run"), f"{where}.run"),
        _words(said.get("cmd"), f"{where}.cmd"), str(said.get("user") or ""), str(said.get("workdir") or "/"),
        {str(key): str(value) for key, value in _mapping(said.get("env"), f"{where}.env").items()},
        _bytes(said.get("size"), f"{where}.size", 50 * 2**20), _bytes(said.get("memory"), f"{where}.memory", 2**20),
        tags, _words(said.get("writable"), f"{where}.writable"), _trouble(trouble, where) if trouble else None,
    )  # fmt: skip


def _trouble(data: object, where: str) -> Trouble:
    if isinstance(data, str):
        data = {"fails": data}
    said = _mapping(data, where, sorted(_REGISTRY_KEYS))
    fails = str(said.get("fails") or "")
    if fails and fails != "none" and fails not in FAILURES:
        raise BadTable(f"{where}.fails must be one of none, {', '.join(sorted(FAILURES))}")
    times, slow = said.get("times"), parse_duration(said.get("slow", 0))
    if times is not None and (not isinstance(times, int) or isinstance(times, bool) or times < 0):
        raise BadTable(f"{where}.times must be a number")
    if slow is None or not 0 <= slow <= 86400:
        raise BadTable(f"{where}.slow must be a duration such as 30s")
    if fails == "stalled":
        fails, slow = "", slow or 86400.0
    return Trouble(fails, times, slow, bool(said.get("private")))
