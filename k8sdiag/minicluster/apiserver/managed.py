"""Who owns which fields: `metadata.managedFields` kept up to date over creates, updates and patches
(apimachinery/pkg/util/managedfields/internal: fieldmanager.go, managedfieldsupdater.go, capmanagers.go, stripmeta.go).

Entries are kept as they go over the wire. Only the sets of those who lost or won a field are made anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from k8sdiag.clock import format_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.fieldset import Set, join, minus, parse
from k8sdiag.minicluster.apiserver.schema import Type
from k8sdiag.minicluster.apiserver.typed import compare, zero

MAX_UPDATERS = 10
ANCIENT = "ancient-changes"
MAX_NAME = 128

# What nobody ever owns, for the server sets it or it is the object's identity.
STRIPPED: Set = {
    "f:apiVersion": {},
    "f:kind": {},
    "f:metadata": {
        ".": {},
        **{
            f"f:{name}": {}
            for name in (
                "name",
                "namespace",
                "creationTimestamp",
                "selfLink",
                "uid",
                "clusterName",
                "generation",
                "managedFields",
                "resourceVersion",
            )
        },
    },
}


@dataclass(frozen=True, slots=True)
class Manager:
    """Who writes: a name, in which version, through which subresource."""

    name: str
    api_version: str
    subresource: str = ""


@lru_cache(maxsize=256)
def manager_name(field_manager: str, user_agent: str) -> str:
    """`fieldManager` of the query, else what stands before the slash in the user agent (managerOrUserAgent)."""
    if field_manager:
        return field_manager
    shown = "".join(char for char in user_agent.partition("/")[0] if char.isprintable())
    return shown.encode()[:MAX_NAME].decode(errors="ignore") or "unknown"


def track(node: Type, old: Json | None, new: Json, manager: Manager, now: float) -> list[Json]:
    """The managedFields of `new`, which `manager` makes out of `old` (None: creates) by anything but apply. An object
    whose lists cannot be told apart item by item has none: what is wrong with it, validation says (UpdateNoErrors)."""
    try:
        return _track(node, old, new, manager, now)
    except ValueError:
        return []


def _track(node: Type, old: Json | None, new: Json, manager: Manager, now: float) -> list[Json]:
    held = _held(old, new, manager.subresource)
    if old is not None and not held:
        return []  # not tracked from the start, or reset: an apply starts again
    base = zero(node)
    difference = compare(node, base if old is None else {**base, **old}, new)
    changed = minus(difference.changed, STRIPPED)
    removed = difference.removed
    if not changed and not removed:
        return held
    entries: list[Json] = []
    own: Json | None = None
    for entry in held:
        fields = entry["fieldsV1"]
        kept = minus(minus(fields, changed), removed)
        now_kept = entry if kept is fields else {**entry, "fieldsV1": kept}
        if _is(entry, "Update", manager):
            own = now_kept
        elif kept:
            entries.append(now_kept)
    if changed:
        entries.append(make_entry(manager, "Update", now, join(own["fieldsV1"] if own else {}, changed)))
    elif own is not None and own["fieldsV1"]:
        entries.append(own)
    return in_order(_capped(entries))


def make_entry(manager: Manager, operation: str, now: float, fields: Set) -> Json:
    """A managedFields entry, its fields in Go's order."""
    entry: Json = {
        "manager": manager.name,
        "operation": operation,
        "apiVersion": manager.api_version,
        "time": format_time(now),
        "fieldsType": "FieldsV1",
        "fieldsV1": _shared(fields),
    }
    if manager.subresource:
        entry["subresource"] = manager.subresource
    return entry


_known: dict[bytes, Set] = {}
_MOST_KNOWN = 4096


def _shared(fields: Set) -> Set:
    """One set for all objects that are owned alike: ten thousand pods of a template do not keep one each."""
    text = orjson.dumps(fields)
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    return _known.setdefault(text, fields)


def _is(entry: Json, operation: str, manager: Manager) -> bool:
    """Is it this manager's own entry? An applier has one whatever the version (BuildManagerIdentifier)."""
    return (
        entry["manager"] == manager.name
        and entry["operation"] == operation
        and entry.get("subresource", "") == manager.subresource
        and (operation == "Apply" or entry["apiVersion"] == manager.api_version)
    )


def applier(entries: list[Json], manager: Manager) -> Json | None:
    """The entry of an earlier apply by the same manager."""
    return next((entry for entry in entries if _is(entry, "Apply", manager)), None)


def in_order(entries: list[Json]) -> list[Json]:
    return sorted(entries, key=_place)


def _place(entry: Json) -> tuple[str, str, str, str, str]:
    return (
        entry["operation"],
        entry.get("time") or "",
        entry["manager"],
        entry["apiVersion"],
        entry.get("subresource", ""),
    )


def entries_of(obj: Json | None) -> list[Json]:
    """The entries an object has in storage."""
    found: list[Json] = ((obj or {}).get("metadata") or {}).get("managedFields") or []
    return found


def _held(old: Json | None, new: Json, subresource: str) -> list[Json]:
    """The entries to go on from: those of the request where it states some, for clients may set them; `[]` and `[{}]`
    ask for a reset, and what makes no sense is passed over (decodeLiveOrNew)."""
    live = entries_of(old)
    if subresource:
        return live
    given = (new.get("metadata") or {}).get("managedFields")
    if given is None or given is live or given == live:
        return live
    if given in ([], [{}]):
        return []
    try:
        return [_read(entry) for entry in given]
    except (ValueError, TypeError, KeyError, AttributeError):
        return live


def _read(entry: Any) -> Json:
    """An entry that a client wrote. ValueError where it cannot be one."""
    if entry.get("operation") not in ("Apply", "Update") or not entry.get("apiVersion"):
        raise ValueError("operation must be `Apply` or `Update`")
    if entry.get("fieldsType") != "FieldsV1":
        raise ValueError("invalid fieldsType")
    return {**entry, "manager": entry.get("manager", ""), "fieldsV1": parse(entry.get("fieldsV1") or {})}


def _capped(entries: list[Json]) -> list[Json]:
    """At most ten managers that update: the oldest of a version are merged into one entry, `ancient-changes`."""
    updaters = sorted((entry for entry in entries if entry["operation"] == "Update"), key=_place)
    if len(updaters) <= MAX_UPDATERS:
        return entries
    left = {id(entry): entry for entry in entries}
    count = len(updaters)
    buckets: dict[str, Json] = {}
    for entry in updaters:
        if count <= MAX_UPDATERS:
            break
        version = entry["apiVersion"]
        first = buckets.get(version)
        if first is None:
            buckets[version] = entry
            continue
        merged = {**entry, "manager": ANCIENT, "fieldsV1": join(entry["fieldsV1"], first["fieldsV1"])}
        merged.pop("subresource", None)
        del left[id(first)], left[id(entry)]
        left[id(merged)] = buckets[version] = merged
        count -= 1
    return list(left.values())
