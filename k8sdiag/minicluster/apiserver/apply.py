"""Server-side apply: a configuration merged into an object, with owners, conflicts and the removal of what is no longer
stated (structured-merge-diff/merge/update.go, typed/merge.go, typed/remove.go).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.fieldset import LEAF, MEMBER, Path, Set, has, is_member, join, members, minus
from k8sdiag.minicluster.apiserver.fieldset import shared as shared_fields
from k8sdiag.minicluster.apiserver.fieldset import text as path_text
from k8sdiag.minicluster.apiserver.fieldvalidation import DecodeError, decode
from k8sdiag.minicluster.apiserver.managed import (
    STRIPPED,
    Manager,
    applier,
    entries_of,
    in_order,
    make_entry,
    track,
)
from k8sdiag.minicluster.apiserver.schema import ANY, Type
from k8sdiag.minicluster.apiserver.typed import by_element, compare, field_set, granular, item_element
from k8sdiag.minicluster.apiserver.typedcheck import check_configuration

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_MAX_ANNOTATIONS = 256 * 1024


@dataclass(frozen=True, slots=True)
class _Conflict:
    entry: Json
    path: Path


def apply(node: Type, live: Json | None, config: Json, manager: Manager, now: float, *, force: bool = False) -> Json:
    """What the object becomes, with its new managedFields; `live` itself where nothing changes at all. `live` None
    means that apply creates it. ApiError 409 for fields that others own with another value."""
    if (config.get("metadata") or {}).get("managedFields"):
        raise errors.bad_request("metadata.managedFields must be nil")
    check_configuration(node, config)
    held = entries_of(live)
    if live is not None and not held:
        before = Manager("before-first-apply", manager.api_version)
        held = track(node, None, {**live, "metadata": _without(live["metadata"])}, before, now)
    base = {**live, "metadata": _without(live["metadata"])} if live is not None else {}
    own = applier(held, manager)
    others = [entry for entry in held if entry is not own]
    stated = field_set(node, config)
    fields = _owned(stated, manager)
    merged = merge(node, base, config)
    if own is not None:
        merged = _prune(node, merged, own["fieldsV1"], stated, others)
    difference = compare(node, base, merged)
    conflicts = [
        _Conflict(entry, path)
        for entry in others
        for path in members(shared_fields(entry["fieldsV1"], difference.changed))
    ]
    if conflicts and not force:
        _refuse(node, live or {}, conflicts, manager)
    try:
        merged, _ = decode(node, merged)
    except DecodeError as error:
        raise errors.bad_request(str(error)) from None
    if live is not None and merged == base and own is not None and own["fieldsV1"] == fields:
        return live
    entries = []
    for entry in others:
        kept = minus(minus(entry["fieldsV1"], difference.changed), difference.removed)
        if kept:
            entries.append(entry if kept is entry["fieldsV1"] else {**entry, "fieldsV1": kept})
    if fields:
        entries.append(make_entry(manager, "Apply", now, fields))
    meta = {**(merged.get("metadata") or {}), "managedFields": in_order(entries)}
    return _with_last_applied({**merged, "metadata": meta}, live, config, manager)


def _without(meta: Json) -> Json:
    return {name: value for name, value in meta.items() if name != "managedFields"}


def _owned(stated: Set, manager: Manager) -> Set:
    """What of its configuration the manager owns from now on. What this door does not write is nobody's through it: the
    status through the object itself, the rest through the status (the strategies' GetResetFields)."""
    fields = minus(stated, STRIPPED)
    closed = ("f:spec",) if manager.subresource == "status" else ("f:status",)
    return {name: value for name, value in fields.items() if name not in closed}


# ---- merging


def merge(node: Type, live: Any, config: Any) -> Any:
    """The configuration on top of the object. Null in a place with parts leaves the parts."""
    if config is None and granular(node, live) and live:
        return live
    if isinstance(live, dict) and isinstance(config, dict) and granular(node, live):
        out = dict(live)
        for key, value in config.items():
            out[key] = merge(node.child(key), live[key], value) if key in live else value
        return out
    if isinstance(live, list) and isinstance(config, list) and granular(node, live):
        return _merge_lists(node, live, config)
    return config


def _merge_lists(node: Type, live: list[Any], config: list[Any]) -> list[Any]:
    """Items of both, in the configuration's order where it states one, the object's own items kept where they stood
    as far as that goes (typed/merge.go visitListItems)."""
    left, right = by_element(node, live), by_element(node, config)
    element = node.element or ANY
    before, after = list(left), list(right)
    wanted = [name for name in after if name in left]
    out: list[Any] = []
    at = turn = following = 0
    while at < len(before) or turn < len(after):
        if at < len(before) and turn < len(after):
            name = before[at]
            if name == after[turn]:
                out.append(merge(element, left[name], right[name]))
                at, turn, following = at + 1, turn + 1, following + 1
                continue
            if name in right and following < len(wanted) and wanted[following] != name:
                at += 1
                continue
        if at < len(before) and before[at] not in right:
            out.append(left[before[at]])
            at += 1
        elif turn < len(after):
            name = after[turn]
            out.append(merge(element, left[name], right[name]) if name in left else right[name])
            if following < len(wanted) and wanted[following] == name:
                following += 1
            turn += 1
        else:
            at += 1
    return out


# ---- pruning


def _prune(node: Type, merged: Json, last: Set, stated: Set, others: list[Json]) -> Json:
    """Without what the manager applied last time, does not apply now, and no other applier has (Updater.prune)."""
    applied = stated
    for entry in others:
        if entry["operation"] == "Apply":
            applied = join(applied, entry["fieldsV1"])
    if not minus(last, applied):
        return merged
    whole, last = ensured(node, field_set(node, merged)), ensured(node, last)
    pruned = remove_items(node, merged, last) or {}
    kept = join(ensured(node, field_set(node, pruned)), ensured(node, applied))
    pruned = remove_items(node, merged, minus(whole, kept)) or {}
    gone = minus(whole, ensured(node, field_set(node, pruned)))
    out: Json = remove_items(node, merged, shared_fields(gone, last)) or {}
    return out


def ensured(node: Type, fields: Set, *, named: bool = False) -> Set:
    """The set with every known field that has members below made a member itself (EnsureNamedFieldsAreMembers)."""
    if not fields:
        return fields
    out = {
        key: below if key == MEMBER or not below else ensured(_below(node, key), below, named=key[2:] in node.fields)
        for key, below in fields.items()
    }
    return {MEMBER: LEAF, **out} if named and MEMBER not in out else out


def _below(node: Type, element: str) -> Type:
    return node.child(element[2:]) if element[0] == "f" else node.element or ANY


def remove_items(node: Type, value: Any, fields: Set) -> Any:
    """The value without the fields of the set. A map or list of which nothing is left becomes None."""
    if not fields or not value or not granular(node, value):
        return value if not granular(node, value) or value else None
    if isinstance(value, dict):
        out = {}
        for key, child in value.items():
            below = fields.get(f"f:{key}")
            if below is None:
                out[key] = child
            elif not is_member(below):
                out[key] = remove_items(node.child(key), child, below)
        return out or None
    items = []
    for item in value:
        below = fields.get(item_element(node, item))
        if below is None:
            items.append(item)
        elif not is_member(below):
            items.append(remove_items(node.element or ANY, item, below))
    return items or None


# ---- conflicts


def _refuse(node: Type, live: Json, conflicts: list[_Conflict], manager: Manager) -> None:
    """The 409, unless they are all with what kubectl itself had applied before from the client's side."""
    if manager.name == "kubectl":
        allowed = _last_applied_fields(node, live, manager)
        conflicts = [found for found in conflicts if not has(allowed, found.path)]
    if conflicts:
        raise errors.apply_conflicts(_message(conflicts), [_cause(found) for found in conflicts])


def _cause(found: _Conflict) -> errors.Cause:
    return errors.Cause(path_text(found.path), "FieldManagerConflict", f"conflict with {_shown(found.entry)}")


def _message(conflicts: list[_Conflict]) -> str:
    if len(conflicts) == 1:
        found = conflicts[0]
        return f"Apply failed with 1 conflict: conflict with {_shown(found.entry)}: {path_text(found.path)}"
    by_manager: dict[str, list[str]] = {}
    for found in conflicts:
        by_manager.setdefault(_shown(found.entry), []).append(f"- {path_text(found.path)}")
    lines = [line for who in sorted(by_manager) for line in (f"conflicts with {who}:", *by_manager[who])]
    return f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines)


def _shown(entry: Json) -> str:
    shown = orjson.dumps(entry["manager"]).decode()
    if entry.get("subresource"):
        shown += f' with subresource "{entry["subresource"]}"'
    return f"{shown} using {entry['apiVersion']}" if entry["operation"] == "Update" else shown


def _last_applied(live: Json) -> str:
    found: str = ((live.get("metadata") or {}).get("annotations") or {}).get(LAST_APPLIED, "")
    return found


def _last_applied_fields(node: Type, live: Json, manager: Manager) -> Set:
    """Fields that kubectl's last-applied annotation states as they are now (allowedConflictsFromLastApplied)."""
    try:
        config = orjson.loads(_last_applied(live) or "null")
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(config, dict) or config.get("apiVersion") != manager.api_version:
        return {}
    difference = compare(node, config, live)
    return minus(minus(field_set(node, config), difference.changed), difference.removed)


def _with_last_applied(obj: Json, live: Json | None, config: Json, manager: Manager) -> Json:
    """An object that was once applied from the client's side by kubectl keeps its annotation up to date, so that
    kubectl may go back to it (lastappliedupdater.go)."""
    if manager.name != "kubectl" or live is None or not _last_applied(live):
        return obj
    meta = config.get("metadata") or {}
    noted = {key: value for key, value in (meta.get("annotations") or {}).items() if key != LAST_APPLIED}
    stated = {**config, "metadata": {**meta, "annotations": noted}}
    value = orjson.dumps(stated, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE).decode()
    if len(value) > _MAX_ANNOTATIONS:
        return obj
    annotations = {**(obj["metadata"].get("annotations") or {}), LAST_APPLIED: value}
    return {**obj, "metadata": {**obj["metadata"], "annotations": annotations}}
