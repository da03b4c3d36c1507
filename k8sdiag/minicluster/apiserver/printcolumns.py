"""The columns that a CustomResourceDefinition gives its objects in `kubectl get`
(apiextensions-apiserver/pkg/registry/customresource/tableconvertor/tableconvertor.go)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import orjson

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.tables.cells import age
from k8sdiag.patterns import regex

_AGE: Json = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}
_NAME: Json = {"name": "Name", "type": "string", "format": "name", "priority": 0}

# `.a`, `['a']`, `[0]`, `[*]`, `[?(@.type=="Ready")]`, with dots escaped in names: `.a\.b`.
_STEP = regex(
    r"""\.?\[\?\(@\.(?P<field>[\w./-]+)\s*==\s*["'](?P<equals>[^"']*)["']\)\]"""
    r"""|\.?\[["'](?P<quoted>[^"']+)["']\]|\.?\[(?P<index>-?\d+|\*)\]|\.(?P<name>(?:\\.|[^.\[\\])+)"""
)


def column_definitions(columns: Sequence[Json]) -> list[Json]:
    """The table's columns: the name first, and the age where the definition states none of its own."""
    made = [{**_NAME, "description": "Name must be unique within a namespace."}]
    for column in columns or [_AGE]:
        shown = {
            "name": column["name"],
            "type": column["type"],
            "format": column.get("format", ""),
            "description": column.get("description")
            or f"Custom resource definition column (in JSONPath format): {column['jsonPath']}",
            "priority": column.get("priority", 0),
        }
        made.append(shown)
    return made


def row_of(columns: Sequence[Json]) -> Callable[[Json, float], list[Any]]:
    """What makes the cells of an object at a moment."""
    stated = [(column["type"], read_path(column["jsonPath"])) for column in columns or [_AGE]]

    def row(obj: Json, now: float) -> list[Any]:
        return [obj["metadata"]["name"], *(_cell(kind, next(find(obj, path), None), now) for kind, path in stated)]

    return row


def _cell(kind: str, value: Any, now: float) -> Any:
    """A cell holds what its column's type says, or nothing."""
    if value is None:
        return None
    if kind == "date":
        return age(value, now) if isinstance(value, str) else None
    if kind == "string":
        return value if isinstance(value, str) else orjson.dumps(value).decode()
    wanted = {"integer": int, "number": (int, float), "boolean": bool}.get(kind, object)
    if isinstance(value, bool) != (kind == "boolean") or not isinstance(value, wanted):  # type: ignore[arg-type]
        return None
    return value


Path = tuple[tuple[str, str], ...]


@lru_cache(maxsize=1024)
def read_path(text: str) -> Path:
    """A simple JSON path as steps: (name, x), (index, 0 or *), (where, field=value). () for one that is not simple."""
    steps: list[tuple[str, str]] = []
    at = 0
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            return ()
        if found["field"]:
            steps.append(("where", f"{found['field']}={found['equals']}"))
        elif found["index"]:
            steps.append(("index", found["index"]))
        else:
            steps.append(("name", found["quoted"] or found["name"].replace("\\", "")))
        at = found.end()
    return tuple(steps)


def find(value: Any, path: Path) -> Iterator[Any]:
    """What is at a path, nothing where it is not there."""
    if not path:
        yield value
        return
    (kind, word), rest = path[0], path[1:]
    if kind == "name":
        if isinstance(value, dict) and word in value:
            yield from find(value[word], rest)
    elif isinstance(value, list):
        if kind == "index" and word != "*":
            picked = value[int(word) :][:1]
        else:
            picked = value if kind == "index" else [item for item in value if _is(item, word)]
        for item in picked:
            yield from find(item, rest)


def _is(item: Any, condition: str) -> bool:
    field, _, wanted = condition.partition("=")
    return any(str(found) == wanted for found in find(item, read_path(f".{field}")))
