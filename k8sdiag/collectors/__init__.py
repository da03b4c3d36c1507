"""What to read of a cluster, next to what was found so far. One file is one collector, found by being there.

A collector fetches nothing by itself: given something that was found, it says what to ask for next (`Ask`), and
`collect.take` asks side by side, each thing once, and turns every refusal into a Gap. So each relation between objects
is written down once, whether a pod, a Deployment or a whole namespace is looked at. A reader sees `Target` only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import import_module
from pathlib import Path
from urllib.parse import urlencode

from k8sdiag.evidence import Evidence, Json, Ref, Scope
from k8sdiag.kinds import KINDS, Kind
from k8sdiag.target import ApiError, Target


class Role(StrEnum):
    """Why something was asked for, which decides what is asked next."""

    SCAN = "scan"  # no object: everything in the scope
    GONE = "gone"  # the subject, which does not exist
    SUBJECT = "subject"  # looked at in every direction
    POD = "pod"  # looked at in full
    BROKEN = "broken"  # a failing pod beyond those looked at in full: what it names is looked up
    OWNER = "owner"  # followed upwards
    CHILD = "child"  # followed down to its pods
    NODE = "node"  # a pod's node
    CLAIM = "claim"  # a pod's claim
    RELATED = "related"  # its own events are of interest, too
    ASIDE = "aside"  # evidence, and nothing more


@dataclass(frozen=True, slots=True)
class Found:
    """What came back. `obj` is {} for the roles SCAN and GONE."""

    ref: Ref
    obj: Json
    role: Role


@dataclass(frozen=True, slots=True)
class Ask:
    """One thing to read. `what` and `effect` are the Gap's words, should it fail; asks with equal keys are one.

    `ref` is the object it names, if it names one: then 404 means that it does not exist. `whole` says that it brings
    every object of `kind` in `namespace` ('' is all), so that absence is known.
    """

    what: str
    effect: str
    key: str
    read: Callable[[Target], Iterable[Evidence]]
    kind: str = ""
    namespace: str = ""
    ref: Ref | None = None
    whole: bool = False
    role: Role = Role.ASIDE


Plan = Callable[[Scope, Found], Iterable[Ask]]


@dataclass(frozen=True, slots=True)
class Collector:
    """A named plan. What it asked for and is not there `timeout` seconds after the start becomes a Gap."""

    name: str
    timeout: float
    plan: Plan


def collector(name: str, timeout: float = 20.0) -> Callable[[Plan], Collector]:
    """Make a plan a collector."""
    return lambda plan: Collector(name, timeout, plan)


@cache
def all_collectors() -> tuple[Collector, ...]:
    """The collectors of this folder, by name."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))
    modules = [import_module(f"{__name__}.{name}") for name in names]
    found = {value.name: value for module in modules for value in vars(module).values() if isinstance(value, Collector)}
    return tuple(found[name] for name in sorted(found))


def named(kind: str, namespace: str, name: str, effect: str = "", role: Role = Role.ASIDE) -> Iterator[Ask]:
    """Ask for one object by name; nothing where there is no name, or no such kind."""
    known = KINDS.get(kind)
    if known is None or not name or (known.namespaced and not namespace):
        return
    namespace = namespace if known.namespaced else ""
    path = known.path(namespace, name)

    def read(target: Target) -> Iterator[Evidence]:
        obj = target.api.get(path)
        obj.setdefault("kind", kind)
        yield obj

    ref = Ref(kind, namespace, name)
    yield Ask(f"{kind} {name}", effect or f"whether {ref} exists, and what it says, is unknown", path, read,
              kind, namespace, ref, role=role)  # fmt: skip


def listed(kind: str, namespace: str, effect: str, role: Role = Role.ASIDE, **query: str) -> Ask:
    """Ask for all objects of a kind, in one namespace or ('') in all; a query narrows it (`labelSelector=…`)."""
    known = KINDS[kind]
    namespace = namespace if known.namespaced else ""
    path = known.path(namespace)

    def read(target: Target) -> Iterator[Evidence]:
        for obj in target.api.get(path, query).get("items") or []:
            obj.setdefault("kind", kind)
            yield obj

    key = f"{path}?{urlencode(query)}" if query else path
    return Ask(_listing(known, namespace), effect, key, read, kind, namespace, whole=not query, role=role)


def journal_of(scope: Scope, found: Found, units: tuple[str, ...], whose: str, effect: str) -> Iterator[Ask]:
    """Ask for the journals of a node that is looked at."""
    if found.ref.kind != "Node" or found.role not in (Role.SUBJECT, Role.NODE) or not scope.logs:
        return
    node = found.ref.name

    def read(target: Target) -> Iterator[Evidence]:
        if target.journal is None:
            raise ApiError(0, "there is no way to the node's journal from here")
        yield from target.journal.read(node, units, scope.since)

    yield Ask(f"journal of {whose} on {found.ref}", effect, f"journal {node} {' '.join(units)}", read)


def _listing(kind: Kind, namespace: str) -> str:
    if not kind.namespaced:
        return many(kind.kind)
    return f"{many(kind.kind)} of {f'namespace {namespace}' if namespace else 'all namespaces'}"


def many(kind: str) -> str:
    """`Pods`, `NetworkPolicies`, `StorageClasses`."""
    if kind.endswith("y"):
        return kind[:-1] + "ies"
    if kind == "Endpoints":
        return kind
    return kind + ("es" if kind.endswith("s") else "s")
