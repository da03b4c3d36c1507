"""Sets of fields, kept as FieldsV1 itself: `{"f:spec": {"f:replicas": {}}}` (structured-merge-diff/fieldpath).

A node is a member of the set when it is empty or holds `"."`; its other keys are path elements: `f:` a field's name,
`k:` the keys of a list's item as JSON, `v:` the value of a set's item as JSON. Sets are never changed in place, and
what an operation does not touch it takes over as it is, so that a set of a hundred fields costs nothing to carry along.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

Set = dict[str, Any]
Path = tuple[str, ...]

LEAF: Set = {}
MEMBER = "."


def is_member(node: Set) -> bool:
    return not node or MEMBER in node


def union(left: Set, right: Set) -> Set:
    """What is in either of two nodes; at the root take `join`."""
    if left is right:
        return left
    if not left or not right:
        return _with_member(left or right)
    out = left
    for key, node in right.items():
        held = left.get(key)
        if held is not None and key == MEMBER:
            continue
        merged = node if held is None else union(held, node)
        if merged is not held:
            if out is left:
                out = dict(left)
            out[key] = merged
    return out


def _with_member(node: Set) -> Set:
    """The union of a leaf, which is a member, and a node that may have children."""
    return node if is_member(node) else {MEMBER: LEAF, **node}


def join(left: Set, right: Set) -> Set:
    """`union` of two whole sets, where empty means that nothing is in them."""
    if not left or not right:
        return left or right
    return union(left, right)


def difference(left: Set, right: Set) -> Set | None:
    """What is in the left node and not in the right one; None when nothing is. The left node itself when nothing of it
    goes."""
    if not left:
        return None if is_member(right) else left
    out = left
    if MEMBER in left and is_member(right):
        out = {key: value for key, value in left.items() if key != MEMBER}
    for key, node in right.items():
        held = left.get(key)
        if held is None or key == MEMBER:
            continue
        kept = difference(held, node)
        if kept is held:
            continue
        if out is left:
            out = dict(left)
        if kept is None:
            del out[key]
        else:
            out[key] = kept
    if len(out) == 1 and MEMBER in out and out is not left:
        return LEAF
    return out or None


def minus(left: Set, right: Set) -> Set:
    """`difference` of two whole sets: at the root, empty means that nothing is in it."""
    if not left or not right:
        return left
    return difference(left, right) or {}


def intersection(left: Set, right: Set) -> Set | None:
    """What is in both; None for nothing."""
    both = is_member(left) and is_member(right)
    out: Set = {}
    for key, node in left.items():
        other = right.get(key)
        if other is None or key == MEMBER:
            continue
        shared = intersection(node, other)
        if shared is not None:
            out[key] = shared
    if both:
        return {MEMBER: LEAF, **out} if out else LEAF
    return out or None


def shared(left: Set, right: Set) -> Set:
    """`intersection` of two whole sets."""
    if not left or not right:
        return {}
    return intersection(left, right) or {}


def has(node: Set, path: Path) -> bool:
    for element in path:
        found = node.get(element)
        if found is None:
            return False
        node = found
    return is_member(node)


def members(node: Set, path: Path = ()) -> Iterator[Path]:
    """The paths in a set, sorted; at each node its members come before what is below its children."""
    children = sorted((key for key in node if key != MEMBER), key=_order)
    for key in children:
        if is_member(node[key]):
            yield (*path, key)
    for key in children:
        if node[key]:
            yield from members(node[key], (*path, key))


def _order(element: str) -> tuple[int, Any]:
    """Field names first, then keys, then values (fieldpath.PathElement.Less)."""
    return "fkvi".find(element[0]), element


def key_element(keys: Mapping[str, Any]) -> str:
    """`k:{"containerPort":80,"protocol":"TCP"}`, the keys in alphabetical order."""
    return "k:" + orjson.dumps(keys, option=orjson.OPT_SORT_KEYS).decode()


def value_element(value: Any) -> str:
    return "v:" + orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def text(path: Path) -> str:
    """A path as conflicts show it: `.spec.template.spec.containers[name="web"].image` (fieldpath.Path.String)."""
    return "".join(_element_text(element) for element in path)


def _element_text(element: str) -> str:
    kind, rest = element[:2], element[2:]
    if kind == "f:":
        return f".{rest}"
    if kind == "i:":
        return f"[{rest}]"
    value = orjson.loads(rest)
    if kind == "v:":
        return f"[={orjson.dumps(value).decode()}]"
    return "[" + ",".join(f"{key}={orjson.dumps(value[key]).decode()}" for key in sorted(value)) + "]"


_ELEMENT = re.compile(r"f:|k:\{|v:|i:-?\d+$")


def parse(fields: object) -> Set:
    """A set that a client sent, checked and in our own form. ValueError for one that is none."""
    if not isinstance(fields, dict):
        raise ValueError("FieldsV1 is not an object")  # noqa: TRY004 (what a client wrote, no mistake of ours)
    out: Set = {}
    for key, node in fields.items():
        if key == MEMBER:
            out[MEMBER] = LEAF
        elif not _ELEMENT.match(key):
            raise ValueError(f"unknown path element {key!r}")
        else:
            out[_canonical(key)] = parse(node)
    return LEAF if list(out) == [MEMBER] else out


def _canonical(element: str) -> str:
    if element[0] == "k":
        return key_element(orjson.loads(element[2:]))
    return value_element(orjson.loads(element[2:])) if element[0] == "v" else element
