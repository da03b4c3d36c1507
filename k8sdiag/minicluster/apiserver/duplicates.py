"""Fields that a JSON text states twice: parsers keep the last of them and say nothing, strict decoding complains."""

from __future__ import annotations

import json
from typing import Any

import orjson


class _Pairs(list[tuple[str, Any]]):
    """An object as its pairs, to be told from a list."""


def duplicate_fields(raw: bytes, parsed: Any) -> list[str]:
    """Their paths, in order. Text as long as what it parses to, written out again, has none: so the usual compact body
    costs next to nothing."""
    if not raw or len(raw.rstrip()) <= len(orjson.dumps(parsed)):
        return []
    try:
        tree = json.loads(raw, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):  # YAML, or too deep to look
        return []
    found: dict[str, None] = {}
    _walk(tree, "", found)
    return list(found)


def _walk(value: Any, path: str, found: dict[str, None]) -> None:
    if isinstance(value, _Pairs):
        seen = set()
        for key, child in value:
            below = f"{path}.{key}" if path else key
            if key in seen:
                found[below] = None
            seen.add(key)
            _walk(child, below, found)
    elif isinstance(value, list):
        for at, child in enumerate(value):
            _walk(child, f"{path}[{at}]", found)
