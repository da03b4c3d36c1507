"""Strategic merge patch: a merge patch that knows which lists are maps
(apimachinery/pkg/util/strategicpatch/patch.go; its directives: $patch, $retainKeys, $setElementOrder/…,
$deleteFromPrimitiveList/…). Nothing given is changed.
"""

from __future__ import annotations

from typing import Any

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.schema import ANY, Type

_PATCH = "$patch"
_RETAIN = "$retainKeys"
_ORDER = "$setElementOrder/"
_DELETE = "$deleteFromPrimitiveList/"

BAD_PRIMITIVE_LIST = "invalid patch format of primitive list"
BAD_RETAIN_KEYS = "invalid patch format of retainKeys"
BAD_ELEMENT_ORDER = "invalid patch format of setElementOrder list"


class StrategicError(ValueError):
    """The patch is not what the object's type asks for. `code` is the HTTP status a real server answers with."""

    def __init__(self, message: str, code: int = 500) -> None:
        super().__init__(message)
        self.code = code


def strategic_merge(node: Type, original: Json, patch: Json) -> Json:
    """The object with the patch merged in."""
    if _PATCH in patch:
        return _directive(patch)
    out = _retained(original, patch)
    done: set[str] = set()
    for key, value in patch.items():
        if key.startswith(_ORDER):
            done.update(_ordered(node, out, patch, key, value))
    for key, value in patch.items():
        if key in done or key == _RETAIN or key.startswith(_ORDER):
            continue
        if key.startswith(_DELETE):
            _delete_primitives(out, key[len(_DELETE) :], value)
        elif value is None:
            out.pop(key, None)
        elif key not in out:
            out[key] = _new(value)
        else:
            out[key] = _merged(node.child(key), out[key], value)
    return out


def _new(value: Any) -> Any:
    """A value the object has nothing of yet: without nulls and directives, which name nothing that could go
    (discardNullValuesFromPatch, dropDirectives)."""
    if isinstance(value, dict):
        if value.get(_PATCH) == "delete":
            return None
        return {
            key: _new(held)
            for key, held in value.items()
            if held is not None and key not in (_PATCH, _RETAIN) and not key.startswith((_ORDER, _DELETE))
        }
    if isinstance(value, list):
        return [new for new in map(_new, value) if new is not None]
    return value


def _directive(patch: Json) -> Json:
    if patch[_PATCH] == "replace":
        return {key: value for key, value in patch.items() if key != _PATCH}
    if patch[_PATCH] == "delete":
        return {}
    raise StrategicError(f"unknown patch type: {patch[_PATCH]} in map: {patch}")


def _retained(original: Json, patch: Json) -> Json:
    """A copy with the keys that `$retainKeys` lists, or all where it is not there."""
    if _RETAIN not in patch:
        return dict(original)
    retained = patch[_RETAIN]
    if not isinstance(retained, list):
        raise StrategicError(BAD_RETAIN_KEYS, 400)
    for key, value in patch.items():
        if value is not None and not key.startswith((_RETAIN, _ORDER, _DELETE)) and key not in retained:
            raise StrategicError(BAD_RETAIN_KEYS, 400)
    return {key: value for key, value in original.items() if key in retained}


def _delete_primitives(out: Json, key: str, value: Any) -> None:
    held = out.get(key)
    if not isinstance(value, list):
        raise StrategicError(BAD_PRIMITIVE_LIST, 400)
    if isinstance(held, list):
        out[key] = [item for item in held if item not in value]


def _merged(node: Type, held: Any, value: Any) -> Any:
    if isinstance(held, dict) and isinstance(value, dict):
        return strategic_merge(node, held, value)
    if isinstance(held, list) and isinstance(value, list) and node.merge:
        return _merge_list(node, held, value)
    return _new(value) if type(held) is not type(value) else value


# ---- lists


def _ordered(node: Type, out: Json, patch: Json, key: str, order: Any) -> tuple[str, ...]:
    """`$setElementOrder/name`: merge the list, then bring it into that order. The keys that this took care of."""
    name = key[len(_ORDER) :]
    if not isinstance(order, list):
        raise StrategicError(BAD_ELEMENT_ORDER, 400)
    child = node.child(name)
    held, given = out.get(name), patch.get(name)
    if (held is not None and not isinstance(held, list)) or (given is not None and not isinstance(given, list)):
        raise StrategicError(f"expected a list at {name}", 422)
    before = held or []
    removed = patch.get(_DELETE + name)
    _check_order(child, given or [], order)
    if given is not None:
        out[name] = before = _merge_list(child, before, given) if held is not None else _new(given)
    if isinstance(removed, list):
        before = [item for item in before if item not in removed]
        out[name] = before
    if name in out:
        wanted = [_key_of(child, item) for item in order]
        out[name] = _normalized(child, before, wanted, held or [])
    return (name, key)


def _key_of(node: Type, item: Any) -> Any:
    """What tells an item from others: its merge key's value, or itself."""
    if not node.merge_key:
        return item
    if not isinstance(item, dict):
        raise StrategicError("expected a map in a list with merge key", 422)
    if node.merge_key not in item:
        raise StrategicError(f"map: {_go_map(item)} does not contain declared merge key: {node.merge_key}")
    return item[node.merge_key]


def _go_map(value: Any) -> str:
    """As Go prints a value with %v."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_go_map(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(_go_map, value)) + "]"
    if value is None:
        return "<nil>"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _check_order(node: Type, given: list[Any], order: list[Any]) -> None:
    """The items of the patch stand in the list of the order, and in that order."""
    if not order or not given:
        return
    wanted = iter([_key_of(node, item) for item in order])
    for item in given:
        if isinstance(item, dict) and _PATCH in item:
            continue
        key = _key_of(node, item)
        if not any(key == each for each in wanted):
            raise StrategicError(f"The order in patch list:\n{given}\n doesn't match {_ORDER} list:\n{order}\n")


def _merge_list(node: Type, held: list[Any], patch: list[Any]) -> list[Any]:
    if not held and not patch:
        return held
    if not any(isinstance(item, dict) for item in (*held, *patch)):
        both = list(held)
        both.extend(item for item in patch if item not in both)
        return _normalized(node, _unique(both), patch, held)
    if not all(isinstance(item, dict) for item in (*held, *patch)):
        raise StrategicError("list element types are not identical", 422)
    if not node.merge_key:
        raise StrategicError(f"cannot merge lists without merge key for type {node.go}")
    kept, changes = _special(node, held, patch)
    merged = list(kept)
    for item in changes:
        key = _key_of(node, item)
        at = next((place for place, each in enumerate(merged) if each.get(node.merge_key) == key), None)
        if at is None:
            merged.append(_new(item))
        else:
            merged[at] = strategic_merge(node.element or ANY, merged[at], item)
    return _normalized(node, merged, [_key_of(node, item) for item in changes], kept)


def _unique(items: list[Any]) -> list[Any]:
    out: list[Any] = []
    for item in items:
        if item not in out:
            out.append(item)
    return out


def _special(node: Type, held: list[Json], patch: list[Json]) -> tuple[list[Json], list[Json]]:
    """What `$patch` items leave of the list, and the patch without them."""
    plain, replace = [], False
    for item in patch:
        directive = item.get(_PATCH)
        if _PATCH not in item:
            plain.append(item)
        elif directive == "delete":
            key = _key_of(node, item)
            held = [each for each in held if each.get(node.merge_key) != key]
        elif directive == "replace":
            replace = True
        elif directive == "merge":
            raise StrategicError("merging lists cannot yet be specified in the patch")
        else:
            raise StrategicError(f"unknown patch type: {directive} in map: {_go_map(item)}")
    return (plain, []) if replace else (held, plain)


def _normalized(node: Type, items: list[Any], wanted: list[Any], before: list[Any]) -> list[Any]:
    """Items named by the patch stand in its order; those that only the server has are put in where they stood among
    them (normalizeElementOrder, mergeSortedSlice)."""
    named: list[Any] = []
    others: list[Any] = []
    for item in items:
        (named if _key_of(node, item) in wanted else others).append(item)
    named.sort(key=lambda item: wanted.index(_key_of(node, item)))
    if not others or not named:
        return named or others
    stood = [_key_of(node, item) for item in before]
    out: list[Any] = []
    while named and others:
        left, right = _key_of(node, others[0]), _key_of(node, named[0])
        first = left in stood and right in stood and stood.index(left) < stood.index(right)
        out.append((others if first else named).pop(0))
    return out + named + others
