"""JSON Patch, RFC 6902, as evanphx/json-patch does it for the API server: errors have one text for all (422), and a
patch that cannot be read is a bad request. Nothing given is changed: what an operation touches is copied on the way.
"""

from __future__ import annotations

from typing import Any

MAX_OPERATIONS = 10_000
_OPERATIONS = frozenset(("add", "remove", "replace", "move", "copy", "test"))


class PatchError(ValueError):
    """The patch can be read, but not applied to this document."""


class MalformedPatchError(ValueError):
    """This is no JSON patch."""


def apply_json_patch(document: Any, operations: Any) -> Any:
    """The document after all operations, of which either all or none are done."""
    if not isinstance(operations, list) or not all(isinstance(each, dict) for each in operations):
        raise MalformedPatchError("json: cannot unmarshal into Go value of type jsonpatch.Patch")
    for operation in operations:
        document = _apply(document, operation)
    return document


def _apply(document: Any, operation: dict[str, Any]) -> Any:
    name = operation.get("op")
    if name not in _OPERATIONS:
        raise PatchError(f"Unexpected kind: {name}")
    path = _pointer(operation, "path")
    if name == "remove":
        return _removed(document, path)
    if name in ("add", "replace", "test") and "value" not in operation:
        if name != "test":
            raise PatchError(f"{name} operation: missing value")
        operation = {**operation, "value": None}
    if name == "add":
        return _put(document, path, operation["value"], insert=True)
    if name == "replace":
        value(document, path)
        return _put(document, path, operation["value"], insert=False)
    if name == "test":
        _test(document, path, operation["value"])
        return document
    source = _pointer(operation, "from")
    found = value(document, source)
    if name == "move":
        if path[: len(source)] == source and len(path) > len(source):
            raise PatchError("move operation: a value cannot be moved into itself")
        document = _removed(document, source)
    return _put(document, path, found, insert=True)


def _pointer(operation: dict[str, Any], member: str) -> list[str]:
    """The tokens of a JSON pointer, RFC 6901."""
    text = operation.get(member)
    if not isinstance(text, str):
        raise PatchError(f"operation missing {member} field")
    if not text:
        return []
    if text[0] != "/":
        raise PatchError(f'invalid pointer "{text}"')
    return [token.replace("~1", "/").replace("~0", "~") for token in text[1:].split("/")]


def value(document: Any, path: list[str]) -> Any:
    """What is there; PatchError for nothing."""
    for token in path:
        if isinstance(document, dict) and token in document:
            document = document[token]
        elif isinstance(document, list):
            document = document[_index(document, token, len(document) - 1)]
        else:
            raise PatchError(f"missing path: {token}")
    return document


def _index(items: list[Any], token: str, most: int) -> int:
    """An index into a list; negative ones count from the end, which the library allows."""
    digits = token.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or (len(digits) > 1 and digits[0] == "0"):
        raise PatchError(f'invalid index "{token}"')
    at = int(token)
    if at < 0:
        at += len(items)
    if not 0 <= at <= most:
        raise PatchError(f"Unable to access invalid index: {token}")
    return at


def _put(document: Any, path: list[str], new: Any, *, insert: bool) -> Any:
    """A copy, along the path, with the value there. In a list `insert` makes room for it."""
    if not path:
        return new
    token, rest = path[0], path[1:]
    if isinstance(document, dict):
        if rest and token not in document:
            raise PatchError(f"missing path: {token}")
        return {**document, token: _put(document.get(token), rest, new, insert=insert)}
    if not isinstance(document, list):
        raise PatchError(f"missing container: {token}")
    out = list(document)
    if rest:
        at = _index(out, token, len(out) - 1)
        out[at] = _put(out[at], rest, new, insert=insert)
    elif insert:
        at = len(out) if token == "-" else _index([*out, None], token, len(out))  # noqa: S105 (RFC 6901's token)
        out.insert(at, new)
    else:
        out[_index(out, token, len(out) - 1)] = new
    return out


def _removed(document: Any, path: list[str]) -> Any:
    if not path:
        raise PatchError("remove operation: the whole document cannot be removed")
    token, rest = path[0], path[1:]
    if isinstance(document, dict):
        if token not in document:
            raise PatchError(f"Unable to remove nonexistent key: {token}")
        if rest:
            return {**document, token: _removed(document[token], rest)}
        return {key: held for key, held in document.items() if key != token}
    if not isinstance(document, list):
        raise PatchError(f"missing container: {token}")
    at = _index(document, token, len(document) - 1)
    if rest:
        return [*document[:at], _removed(document[at], rest), *document[at + 1 :]]
    return document[:at] + document[at + 1 :]


def _test(document: Any, path: list[str], expected: Any) -> None:
    """A null is expected to be null or not there at all, as the library has it."""
    try:
        found = value(document, path)
    except PatchError:
        if expected is None:
            return
        raise
    if not same(found, expected):
        raise PatchError(f"testing value /{'/'.join(path)} failed: test failed")


def same(left: Any, right: Any) -> bool:
    """Equal as JSON: true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(held, right[key]) for key, held in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)
