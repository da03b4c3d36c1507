"""Recorded incidents: read from a folder, or the same packed as `.tar.gz`, at any moment of their history; and written.

The format is k8sdiag-recording/v1 (docs/recording.md). What cannot be read is refused with one line that names file
and line; what is absent (all but objects.jsonl may be) becomes a gap.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any

import orjson

from k8sdiag.archive import MAX_BYTES, ArchiveError, ArchiveSource, FolderSource, open_source, read_gzip
from k8sdiag.clock import format_micro_time, format_time, parse_time
from k8sdiag.evidence import CLUSTER_SCOPED, Change, ContainerLog, Gap, JournalEntry, Json, Ref, Snapshot
from k8sdiag.journal_export import parse_export, write_export
from k8sdiag.patterns import regex

FORMAT = "k8sdiag-recording/v1"
MAX_LINE = 64 << 20
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_REDACTED = "UkVEQUNURUQ="  # base64 of REDACTED, so that a Secret stays one
_SPEC_LISTS = ("containers", "initContainers", "ephemeralContainers", "volumes", "tolerations", "taints")
_STATUS_LISTS = ("conditions", "containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
_LOG = regex(r"^logs/([^/]+)/([^/]+)/([^/]+?)(\.previous)?\.log$")
_JOURNAL = regex(r"^journal/([^/]+)/([^/]+?)\.export(\.gz)?$")
_STAMP = regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")


class RecordingError(Exception):
    """A recording that cannot be read; one line that names file and line."""


def load(path: Path, at: str | None = None) -> Snapshot:
    """A recording as a Snapshot: at its end, or at the moment `at` (RFC 3339). Raises RecordingError."""
    moment = None
    if at is not None:
        moment = parse_time(at)
        if moment is None:
            raise RecordingError(f"--at {at}: not an RFC 3339 time such as 2026-11-21T22:30:05Z")
    enabled = gc.isenabled()
    gc.disable()  # millions of new dicts and no garbage: collections would cost more than parsing
    try:
        return _load(open_source(path), path, moment)
    except ArchiveError as problem:
        raise RecordingError(str(problem)) from None
    finally:
        if enabled:
            gc.enable()


def _load(source: FolderSource | ArchiveSource, path: Path, moment: float | None) -> Snapshot:
    names = source.names()
    if "objects.jsonl" not in names:
        raise RecordingError(f"{path}: no objects.jsonl in it, so it is no recording")
    about = _about(source, path) if "recording.yaml" in names else {}
    objects, changes, kinds, last = _objects(source, path, moment)
    taken_at = moment or max(parse_time(about.get("recordedAt")) or 0.0, last)
    logs = list(_logs(source, names, moment))
    gaps = list(_gaps(names, about, objects))
    return Snapshot(
        objects,
        taken_at=taken_at,
        logs=logs,
        journal=_journal(source, names, moment),
        gaps=gaps,
        history=changes,
        complete=_complete(kinds, about),
        source=f"recording {path.name}",
        title=str(about.get("title") or path.name),
    )


def _about(source: FolderSource | ArchiveSource, path: Path) -> Json:
    from k8sdiag.yaml_lines import YamlError, parse_yaml  # PyYAML is slow to import; some recordings have no such file

    try:
        value, _ = parse_yaml(source.read("recording.yaml", 1 << 20), f"{path}/recording.yaml")
    except YamlError as problem:
        raise RecordingError(str(problem)) from None
    if not isinstance(value, dict):
        raise RecordingError(f"{path}/recording.yaml:1: not a mapping")
    if value.get("format") != FORMAT:
        raise RecordingError(f"{path}/recording.yaml:1: format is {value.get('format')!r}; this reads {FORMAT!r}")
    return value


def _objects(
    source: FolderSource | ArchiveSource, path: Path, moment: float | None
) -> tuple[list[Json], list[Change], set[tuple[str, str]], float]:
    """(last state of each object, history, kinds seen by namespace, time of the last change)."""
    state: dict[Ref, Json] = {}
    seen: dict[Ref, int] = {}
    spans: list[tuple[str, str, Ref, int, int]] = []
    last, offset, number = 0.0, 0, 0
    until = None if moment is None else format_time(moment) + "~"
    with source.open("objects.jsonl") as lines:
        for number, line in enumerate(iter(partial(lines.readline, MAX_LINE), b""), 1):
            start, offset = offset, offset + len(line)
            if len(line) == MAX_LINE and not line.endswith(b"\n"):
                raise RecordingError(f"{path}/objects.jsonl:{number}: a line longer than {MAX_LINE >> 20} MiB")
            if offset > MAX_BYTES:
                raise RecordingError(f"{path}/objects.jsonl:{number}: more than {MAX_BYTES >> 20} MiB")
            if not line.strip():
                continue
            time, kind, obj, ref = _line(path, number, line)
            if until is not None and _after(time, moment, until):
                continue
            spans.append((time, kind, ref, start, len(line)))
            seen[ref] = seen.get(ref, 0) + 1
            if kind == "DELETED":
                state.pop(ref, None)
            else:
                state[ref] = obj
    if number and spans:
        last = max((parse_time(spans[-1][0]) or 0.0), parse_time(spans[0][0]) or 0.0)
    changes = [
        Change(time, kind, ref, _Reload(source, start, length))
        for time, kind, ref, start, length in spans
        if seen[ref] > 1 or kind == "DELETED"
    ]
    return list(state.values()), changes, {(ref.kind, ref.namespace) for ref in seen}, last


def _after(time: str, moment: float | None, until: str) -> bool:
    if time[:19] != until[:19]:
        return time > until
    return (parse_time(time) or 0.0) > (moment or 0.0)


def _line(path: Path, number: int, line: bytes) -> tuple[str, str, Json, Ref]:
    where = f"{path}/objects.jsonl:{number}"
    try:
        change = orjson.loads(line)
    except orjson.JSONDecodeError as problem:
        cut = " (the line is cut off)" if not line.endswith(b"\n") else ""
        raise RecordingError(f"{where}: not JSON: {problem}{cut}") from None
    if b"null," in line or b"null]" in line:
        _drop_nulls(change)
    obj = change.get("object") if isinstance(change, dict) else None
    meta = obj.get("metadata") if isinstance(obj, dict) else None
    if not isinstance(obj, dict) or not isinstance(meta, dict) or not _named(obj, meta):
        raise RecordingError(f'{where}: not a change {{"t", "type", "object" with kind and metadata.name}}')
    time, kind = change.get("t"), change.get("type")
    if not isinstance(time, str) or kind not in ("ADDED", "MODIFIED", "DELETED"):
        raise RecordingError(f"{where}: 't' must be a time and 'type' ADDED, MODIFIED or DELETED")
    return time, kind, obj, Ref(obj["kind"], meta.get("namespace") or "", meta["name"])


def _drop_nulls(value: Any) -> None:
    """Nulls in lists, which no API server sends, are left out, so that what reads the list need not look for them."""
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, dict | list):
            _drop_nulls(item)
    if isinstance(value, list):
        value[:] = [item for item in value if item is not None]


def _named(obj: Json, meta: Json) -> bool:
    words = (obj.get("kind"), meta.get("name"), meta.get("namespace") or "-", meta.get("uid") or "-")
    parts = (obj.get("spec") or {}, obj.get("status") or {}, meta.get("labels") or {}, meta.get("annotations") or {})
    if not all(isinstance(word, str) and word for word in words) or not all(isinstance(part, dict) for part in parts):
        return False
    lists = [parts[0].get(key) for key in _SPEC_LISTS] + [parts[1].get(key) for key in _STATUS_LISTS]
    return all(isinstance(item, dict) for part in [*lists, meta.get("ownerReferences")] if part for item in part)


class _Reload:
    """Reads one line of the history again when it is asked for, so that history does not sit in memory."""

    __slots__ = ("length", "source", "start")

    def __init__(self, source: FolderSource | ArchiveSource, start: int, length: int) -> None:
        self.source, self.start, self.length = source, start, length

    def __call__(self) -> Json:
        found: Any = orjson.loads(self.source.span("objects.jsonl", self.start, self.length))
        _drop_nulls(found)
        return dict(found["object"])


def _complete(kinds: set[tuple[str, str]], about: Json) -> set[str | tuple[str, str]]:
    """Kinds of which the recorder kept everything: those it says, and those it kept any of."""
    said = about.get("kinds")
    found: set[str | tuple[str, str]] = {str(kind) for kind in said} if isinstance(said, list) else set()
    for kind, namespace in kinds:
        if kind not in ("Event", "Lease"):
            found.add(kind if kind in CLUSTER_SCOPED else (kind, namespace))
    return found


def _logs(source: FolderSource | ArchiveSource, names: list[str], moment: float | None) -> Iterator[ContainerLog]:
    for name in names:
        found = _LOG.match(name)
        if not found:
            continue
        namespace, pod, container, previous = found.groups()
        text = source.tail(name, 1 << 20).decode("utf-8", "replace")
        if moment is not None:
            text = "\n".join(line for line in text.splitlines() if not _later(line, moment))
        yield ContainerLog(namespace, pod, container, bool(previous), text)


def _later(line: str, moment: float) -> bool:
    stamp = _STAMP.match(line)
    return stamp is not None and (parse_time(stamp.group()) or 0.0) > moment


def _journal(source: FolderSource | ArchiveSource, names: list[str], moment: float | None) -> Iterator[JournalEntry]:
    for name in names:
        found = _JOURNAL.match(name)
        if not found:
            continue
        stream: IO[bytes]
        with source.open(name) as raw:
            stream = read_gzip(raw, name) if found.group(3) else raw
            for entry in parse_export(stream, found.group(1), found.group(2)):
                if moment is None or entry.at <= moment:
                    yield entry


def _gaps(names: list[str], about: Json, objects: list[Json]) -> Iterator[Gap]:
    """What is missing, and would be there: a container that ran has a log, a pod that was bound a node's journal."""
    if not about:
        yield Gap("recording.yaml", "not in the recording", "when it was made, and of what, is not known")
    pods = [obj for obj in objects if obj["kind"] == "Pod"]
    statuses = [item for pod in pods for item in (pod.get("status") or {}).get("containerStatuses") or []]
    if any(item.get("containerID") for item in statuses) and not any(name.startswith("logs/") for name in names):
        yield Gap("container logs", "not in the recording", "what the containers said is not known")
    bound = any((pod.get("spec") or {}).get("nodeName") for pod in pods)
    if bound and not any(name.startswith("journal/") for name in names):
        yield Gap("node journals", "not in the recording", "what the kubelet and the runtime said is not known")


def save(
    path: Path,
    changes: Iterable[tuple[str, str, Json]],
    *,
    at: float,
    title: str,
    kinds: Iterable[str] = (),
    logs: Iterable[ContainerLog] = (),
    journal: Iterable[JournalEntry] = (),
) -> None:
    """Write a recording into a new folder: changes (time, ADDED MODIFIED or DELETED, object) in their order, the kinds
    of which they are all there is, logs, and the journals of nodes. What Secrets hold stays out. Raises OSError."""
    import yaml

    path.mkdir(parents=True)
    about: Json = {"format": FORMAT, "title": title, "recordedAt": format_micro_time(at), "recordedBy": "k8sdiag"}
    about |= {"kinds": sorted(kinds), "redacted": ["Secret.data"]}
    (path / "recording.yaml").write_text(yaml.safe_dump(about, sort_keys=False), encoding="utf-8")
    with (path / "objects.jsonl").open("wb") as lines:
        for time, kind, obj in changes:
            lines.write(orjson.dumps({"t": time, "type": kind, "object": _fit_to_keep(obj)}) + b"\n")
    for log in logs:
        file = path / "logs" / log.namespace / log.pod / f"{log.container}{'.previous' if log.previous else ''}.log"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(log.text, encoding="utf-8")
    units: dict[tuple[str, str], list[JournalEntry]] = {}
    for entry in journal:
        units.setdefault((entry.node, entry.unit), []).append(entry)
    for (node, unit), entries in units.items():
        file = path / "journal" / node / f"{unit}.export"
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as stream:
            write_export(stream, entries)


def _fit_to_keep(obj: Json) -> Json:
    """An object without what a recording leaves out."""
    meta = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    notes = meta.get("annotations") or {}
    if _LAST_APPLIED in notes:
        meta["annotations"] = {key: value for key, value in notes.items() if key != _LAST_APPLIED}
    made = {**obj, "metadata": meta}
    if obj.get("kind") == "Secret":
        for part in {"data", "stringData"} & obj.keys():
            made[part] = dict.fromkeys(obj[part] or {}, _REDACTED)
    return made
