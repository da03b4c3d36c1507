"""Objects as trees of fields that can be owned: which fields one has, and which differ between two
(structured-merge-diff/typed: tofieldset.go, compare.go).

Comparing takes a shortcut wherever both sides are equal, so that its cost is that of what changed.
"""

from __future__ import annotations

from typing import Any

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.fieldset import LEAF, MEMBER, Set, key_element, value_element
from k8sdiag.minicluster.apiserver.schema import ANY, Type


def item_element(node: Type, item: Any) -> str:
    """The path element of an item of a list that is a map or a set. ValueError for a map's item without any key."""
    if node.relation != "map":
        return value_element(item)
    keys = {}
    for key in node.keys:
        value = item.get(key) if isinstance(item, dict) else None
        if value is None:
            value = node.key_defaults.get(key)
        if value is not None:
            keys[key] = value
    if not keys:
        raise ValueError(f"associative list with keys has an element that omits all key fields {list(node.keys)}")
    return key_element(keys)


def by_element(node: Type, items: Any) -> dict[str, Any]:
    """A list's items by their path elements; of several with the same the first counts."""
    found: dict[str, Any] = {}
    for item in items or ():
        found.setdefault(item_element(node, item), item)
    return found


def granular(node: Type, value: Any) -> bool:
    """Are the parts of this value owned one by one?"""
    if isinstance(value, dict):
        return not node.atomic and node.kind in ("object", "map", "any")
    return isinstance(value, list) and node.kind == "list" and node.relation in ("map", "set")


def field_set(node: Type, value: Any) -> Set:
    """Every field that a configuration states: what server-side apply makes its manager own."""
    return _fields(node, value) or {}


def _fields(node: Type, value: Any) -> Set | None:
    """None for a value that has parts but none of them is a field (an empty granular list)."""
    if not granular(node, value):
        return LEAF
    out: Set = {}
    if isinstance(value, dict):
        for key, child in value.items():
            found = _fields(node.child(key), child)
            if child is None or child == {}:
                found = LEAF
            elif key not in node.fields:
                found = _member(found)
            if found is not None:
                out[f"f:{key}"] = found
    else:
        element = node.element or ANY
        for name, item in by_element(node, value).items():
            out[name] = _member(_fields(element, item))
    return out or None


def _member(found: Set | None) -> Set:
    return {MEMBER: LEAF, **found} if found else LEAF


class Difference:
    """What differs between two objects: `changed` (added or modified) and `removed` fields."""

    __slots__ = ("changed", "removed")

    def __init__(self, changed: Set, removed: Set) -> None:
        self.changed = changed
        self.removed = removed

    def __bool__(self) -> bool:
        return bool(self.changed or self.removed)


def compare(node: Type, old: Any, new: Any) -> Difference:
    changed: Set = {}
    removed: Set = {}
    if old is not new:
        _compare(node, old, new, changed, removed)
    return Difference(changed, removed)


_ABSENT: Any = object()


def _compare(node: Type, old: Any, new: Any, changed: Set, removed: Set) -> None:
    """Both are there and are granular in the same way; fills in what differs below them."""
    if isinstance(new, dict):
        children = node.fields
        for key, value in new.items():
            before = old.get(key, _ABSENT)
            if before is value or (before is not _ABSENT and type(before) is type(value) and before == value):
                continue
            _child(children.get(key) or node.element or ANY, f"f:{key}", before, value, changed, removed)
        for key, before in old.items():
            if key not in new:
                removed[f"f:{key}"] = _all(children.get(key) or node.element or ANY, before)
        return
    element = node.element or ANY
    befores, afters = by_element(node, old), by_element(node, new)
    for name, value in afters.items():
        before = befores.get(name, _ABSENT)
        if before is value or (before is not _ABSENT and before == value):
            continue
        _child(element, name, before, value, changed, removed)
    for name, before in befores.items():
        if name not in afters:
            removed[name] = _all(element, before)


def _child(node: Type, name: str, old: Any, new: Any, changed: Set, removed: Set) -> None:
    """One field that differs."""
    if old is _ABSENT:
        changed[name] = _all(node, new)
        return
    if not new and not old:
        changed[name] = LEAF  # empty and null are told apart, as a whole
        return
    before, after = old, new
    if old is None:  # null is what the other side is, empty
        before = type(new)()
    elif new is None:
        after = type(old)()
    if type(before) is not type(after) or not (granular(node, before) and granular(node, after)):
        changed[name] = LEAF
        return
    below: Set = {}
    gone: Set = {}
    _compare(node, before, after, below, gone)
    if below:
        changed[name] = below
    if gone:
        removed[name] = gone


def _all(node: Type, value: Any) -> Set:
    """Everything of a subtree that came or went: the parts and the whole."""
    if not value or not granular(node, value):
        return LEAF
    if isinstance(value, dict):
        below = {f"f:{key}": _all(node.child(key), child) for key, child in value.items()}
    else:
        below = {name: _all(node.element or ANY, item) for name, item in by_element(node, value).items()}
    return {MEMBER: LEAF, **below}


_zeros: dict[int, tuple[Type, Json]] = {}


def zero(node: Type) -> Json:
    """The empty object of a type as Go writes it, with which the first version of an object is compared: structs that
    are no pointers are there, so that they do not count as added by whoever created the object."""
    held = _zeros.get(id(node))
    if held is None:
        _zeros[id(node)] = held = (node, _zero(node))
    return held[1]


_ZERO_VALUES = {"string": "", "integer": 0, "number": 0.0, "boolean": False, "quantity": "0", "int-or-string": 0}


def _zero(node: Type) -> Json:
    out: Json = {}
    if "metadata" in node.fields:
        out["metadata"] = {}
    for name in node.required:
        child = node.fields.get(name)
        if child is not None:
            out[name] = _zero(child) if child.kind == "object" and not child.atomic else _ZERO_VALUES.get(child.kind)
    for name, least in node.always.items():
        out[name] = _filled(least, _zero(node.fields[name])) if isinstance(least, dict) else least
    return out


def _filled(least: Json, more: Json) -> Json:
    out = {**least, **more}
    for name, value in least.items():
        if isinstance(value, dict):
            out[name] = _filled(value, more.get(name) or {})
    return out
