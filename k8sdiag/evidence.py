"""Raw evidence, uninterpreted: the one seam. Everything to the right of a Snapshot is pure, offline, deterministic.

Objects are plain JSON dicts, never client model classes (strict models refuse objects that real clusters serve).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Json = dict[str, Any]
MAX_MESSAGE = 8192

CLUSTER_SCOPED = frozenset(
    "Node Namespace PersistentVolume StorageClass PriorityClass RuntimeClass CSIDriver CSINode VolumeAttachment"
    " IngressClass ClusterRole ClusterRoleBinding CustomResourceDefinition APIService DeviceClass ResourceSlice"
    " MutatingWebhookConfiguration ValidatingWebhookConfiguration ValidatingAdmissionPolicy"
    " ValidatingAdmissionPolicyBinding".split()
)


class Ref(NamedTuple):
    """Which object: kind as in `kind:`, namespace ('' for cluster-scoped), name."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """kubectl's words: `pod/web`."""
        return f"{self.kind.lower()}/{self.name}"


@dataclass(frozen=True, slots=True)
class Gap:
    """What could not be looked at: `what` (a noun phrase), `reason`, and `effect` on the answer."""

    what: str
    reason: str
    effect: str = ""


@dataclass(frozen=True, slots=True)
class ContainerLog:
    """The tail of one container's log. `text` is UTF-8 with replacement characters; each line is led by its RFC 3339
    time and a space where the API was asked for time stamps."""

    namespace: str
    pod: str
    container: str
    previous: bool
    text: str


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One journal entry. `at` is seconds since the epoch; `unit` without `.service` (`kubelet`, `containerd`,
    `docker`, `kernel`); `priority` is syslog's 0..7."""

    at: float
    node: str
    unit: str
    priority: int
    pid: str
    message: str
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reading:
    """A measurement that is neither object nor text: name, subject, value, unit (`metrics.memory`, bytes)."""

    name: str
    ref: Ref
    value: float
    unit: str
    at: float


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a recording's history: at `time` (RFC 3339), `type` (ADDED, MODIFIED, DELETED) happened to `ref`.
    The object of that moment is parsed only when asked for, so that history costs bytes and not dicts."""

    time: str
    type: str
    ref: Ref
    load: Callable[[], Json]


@dataclass(frozen=True, slots=True)
class Scope:
    """What to look at. `subject` None means everything in `namespace` ('' means all namespaces)."""

    namespace: str
    subject: Ref | None = None
    since: float | None = None
    logs: bool = True
    tail_lines: int = 200


Evidence = Json | ContainerLog | JournalEntry | Reading | Gap


def ref_of(obj: Json) -> Ref:
    """The Ref of an API object."""
    meta = obj.get("metadata") or {}
    return Ref(obj.get("kind") or "", meta.get("namespace") or "", meta.get("name") or "")


class Snapshot:
    """All evidence of one moment, with look-ups. Built once, then read only.

    `taken_at` is seconds since the epoch: ages count from it. `complete` names the kinds, or pairs of kind and
    namespace, of which every object was collected: only for those does absence prove that an object does not exist.
    `covers` is the namespace those collections are of ('' is all): of other namespaces they prove nothing.
    """

    def __init__(  # noqa: PLR0913 (evidence comes in as many sorts)
        self,
        objects: Iterable[Json] = (),
        *,
        taken_at: float,
        logs: Iterable[ContainerLog] = (),
        journal: Iterable[JournalEntry] = (),
        readings: Iterable[Reading] = (),
        gaps: Iterable[Gap] = (),
        history: Iterable[Change] = (),
        complete: Iterable[str | tuple[str, str]] = (),
        source: str = "",
        title: str = "",
        missing: Iterable[Ref] = (),
        covers: str = "",
    ) -> None:
        self.taken_at = taken_at
        self.source = source
        self.title = title
        self.gaps = tuple(gaps)
        self.readings = tuple(readings)
        self.history = tuple(history)
        self.complete = frozenset(complete)
        self.missing = frozenset(missing)
        self.covers = covers
        self._by_kind: dict[str, dict[tuple[str, str], Json]] = {}
        for obj in objects:
            meta = obj.get("metadata") or {}
            kind = self._by_kind.setdefault(obj.get("kind") or "", {})
            kind[meta.get("namespace") or "", meta.get("name") or ""] = obj
        self.logs: dict[tuple[str, str, str, bool], ContainerLog] = {
            (log.namespace, log.pod, log.container, log.previous): log for log in logs
        }
        self.journal: dict[tuple[str, str], list[JournalEntry]] = {}
        for entry in journal:
            self.journal.setdefault((entry.node, entry.unit), []).append(entry)
        self._indexes: dict[str, dict[Any, list[Json]]] = {}
        self._changes: dict[Ref, list[Change]] = {}
        self.memo: dict[tuple[str, Ref], Any] = {}  # what was worked out once of an object, for those who ask again

    def kinds(self) -> list[str]:
        """The kinds present, sorted."""
        return sorted(self._by_kind)

    def of_kind(self, kind: str, namespace: str | None = None) -> Iterator[Json]:
        """All objects of a kind, of one namespace or of all (None)."""
        if namespace is None:
            yield from self._by_kind.get(kind, {}).values()
        else:
            yield from self._index(f"{kind} by namespace", kind, _namespace_of).get(namespace, [])

    def count(self, kind: str) -> int:
        """How many objects of a kind there are."""
        return len(self._by_kind.get(kind, {}))

    def get(self, kind: str, namespace: str, name: str) -> Json | None:
        """One object, or None. Cluster-scoped kinds have namespace ''."""
        return self._by_kind.get(kind, {}).get((namespace, name))

    def find(self, ref: Ref) -> Json | None:
        """One object by Ref, or None."""
        return self.get(ref.kind, ref.namespace, ref.name)

    def exists(self, kind: str, namespace: str, name: str) -> bool | None:
        """Does this object exist? None where nobody looked."""
        if self.get(kind, namespace, name) is not None:
            return True
        if Ref(kind, namespace, name) in self.missing:
            return False
        if (kind, namespace) in self.complete:
            return False
        if kind in self.complete and (not self.covers or namespace in ("", self.covers)):
            return False
        return None

    def events_of(self, ref: Ref, uid: str = "") -> list[Json]:
        """Events about an object, oldest first: by uid where both have one, else by kind, namespace and name."""
        found = self._index("events", "Event", _involved).get((ref.kind, ref.namespace, ref.name), [])
        if not found and ref.kind in CLUSTER_SCOPED:
            found = self._index("cluster events", "Event", _involved_cluster).get((ref.kind, ref.name), [])
        if uid:
            found = [e for e in found if (involved(e).get("uid") or uid) in (uid, ref.name)]
        return found

    def owned_by(self, kind: str, uid: str) -> list[Json]:
        """Objects of `kind` with an ownerReference to `uid`."""
        return self._index(f"{kind} by owner", kind, _owners).get(uid, []) if uid else []

    def pods_on(self, node: str) -> list[Json]:
        """Pods bound to a node."""
        return self._index("pods by node", "Pod", _node_of).get(node, []) if node else []

    def history_of(self, ref: Ref) -> list[Change]:
        """The recorded changes of one object, oldest first; [] where there is no history."""
        if not self._changes:
            for change in self.history:
                self._changes.setdefault(change.ref, []).append(change)
        return self._changes.get(ref, [])

    def deleted(self, kind: str) -> list[Ref]:
        """Objects of a kind that the history saw go away and that have not come back."""
        gone = {change.ref for change in self.history if change.type == "DELETED" and change.ref.kind == kind}
        return sorted(ref for ref in gone if self.find(ref) is None)

    def with_deleted(self, ref: Ref) -> Snapshot:
        """The same evidence with a deleted object as it last was; itself where the history knows no such object."""
        changes = self.history_of(ref)
        if self.find(ref) is not None or not changes:
            return self
        held = [obj for kind in self._by_kind.values() for obj in kind.values()]
        return Snapshot(
            [*held, changes[-1].load()],
            taken_at=self.taken_at,
            logs=self.logs.values(),
            journal=[entry for entries in self.journal.values() for entry in entries],
            readings=self.readings,
            gaps=self.gaps,
            history=self.history,
            complete=self.complete,
            source=self.source,
            title=self.title,
            missing=self.missing,
            covers=self.covers,
        )

    def _index(self, name: str, kind: str, keys: Callable[[Json], Iterable[Any]]) -> dict[Any, list[Json]]:
        index = self._indexes.get(name)
        if index is None:
            index = {}
            for obj in self._by_kind.get(kind, {}).values():
                for key in keys(obj):
                    index.setdefault(key, []).append(obj)
            if kind == "Event":
                for found in index.values():
                    found.sort(key=event_time)
            self._indexes[name] = index
        return index


def involved(event: Json) -> Json:
    """What an event is about, for core/v1 (`involvedObject`) and events.k8s.io/v1 (`regarding`)."""
    return event.get("involvedObject") or event.get("regarding") or {}


def event_message(event: Json) -> str:
    """An event's text, for both event APIs; the API server lets no more than 1 KiB pass, so more is cut."""
    return str(event.get("message") or event.get("note") or "")[:MAX_MESSAGE]


def event_time(event: Json) -> str:
    """When an event was last seen (RFC 3339, '' if never said): the fields in the order kubectl reads them."""
    series = event.get("series") or {}
    return (
        series.get("lastObservedTime")
        or event.get("lastTimestamp")
        or event.get("deprecatedLastTimestamp")
        or event.get("eventTime")
        or event.get("firstTimestamp")
        or event.get("deprecatedFirstTimestamp")
        or (event.get("metadata") or {}).get("creationTimestamp")
        or ""
    )


def event_first_time(event: Json) -> str:
    """When an event was first seen (RFC 3339, '' if never said)."""
    return (
        event.get("firstTimestamp")
        or event.get("deprecatedFirstTimestamp")
        or event.get("eventTime")
        or (event.get("metadata") or {}).get("creationTimestamp")
        or ""
    )


def event_count(event: Json) -> int:
    """How often an event was seen."""
    series = event.get("series") or {}
    return int(series.get("count") or event.get("count") or event.get("deprecatedCount") or 1)


def event_component(event: Json) -> str:
    """Who sent an event (`kubelet`, `default-scheduler`)."""
    source = event.get("source") or event.get("deprecatedSource") or {}
    return source.get("component") or event.get("reportingComponent") or event.get("reportingController") or ""


def _namespace_of(obj: Json) -> Iterator[str]:
    yield (obj.get("metadata") or {}).get("namespace") or ""


def _involved(event: Json) -> Iterator[tuple[str, str, str]]:
    about = involved(event)
    yield about.get("kind") or "", about.get("namespace") or "", about.get("name") or ""


def _involved_cluster(event: Json) -> Iterator[tuple[str, str]]:
    about = involved(event)
    yield about.get("kind") or "", about.get("name") or ""


def _owners(obj: Json) -> Iterator[str]:
    for owner in (obj.get("metadata") or {}).get("ownerReferences") or []:
        yield owner.get("uid") or ""


def _node_of(pod: Json) -> Iterator[str]:
    node = (pod.get("spec") or {}).get("nodeName")
    if node:
        yield node
