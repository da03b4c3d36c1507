"""What changed, as Kubernetes shows it below `may not change fields other than …` (go-cmp's Diff of two Go structs).

    core.PodSpec{
        ... // 3 identical fields
  - 	Hostname: "a",
  + 	Hostname: "b",
    }

Our objects are JSON, so fields that hold nothing are not counted, and pointers show no `&`.
"""

from __future__ import annotations

from typing import Any

import orjson

_MISSING = object()


def difference(type_name: str, old: Any, new: Any) -> str:
    lines: list[str] = []
    _compare(type_name, old, new, 0, lines, "")
    return "\n".join(lines) + "\n"


def _name(key: str) -> str:
    return key[:1].upper() + key[1:]


def _value(value: Any) -> str:
    return "nil" if value is _MISSING or value is None else orjson.dumps(value).decode()


def _line(mark: str, depth: int, text: str) -> str:
    indent = "\t" * depth
    return f"{mark} {indent}{text}"


def _compare(label: str, old: Any, new: Any, depth: int, lines: list[str], end: str) -> None:
    fields = isinstance(old, dict) and isinstance(new, dict)
    if not fields and not (isinstance(old, list) and isinstance(new, list)):
        lines.append(_line("-", depth, f"{label}{_value(old)}{end}"))
        lines.append(_line("+", depth, f"{label}{_value(new)}{end}"))
        return
    lines.append(_line(" ", depth, f"{label}{{"))
    keys = list(dict.fromkeys([*old, *new])) if fields else list(range(max(len(old), len(new))))
    same = 0
    for key in keys:
        before, after = _item(old, key), _item(new, key)
        if before == after:
            same += 1
            continue
        _identical(same, fields, depth, lines)
        same = 0
        _compare(f"{_name(key)}: " if isinstance(key, str) else "", before, after, depth + 1, lines, ",")
    _identical(same, fields, depth, lines)
    lines.append(_line(" ", depth, f"}}{end}"))


def _item(of: Any, key: Any) -> Any:
    if isinstance(of, dict):
        return of.get(key, _MISSING)
    return of[key] if key < len(of) else _MISSING


def _identical(count: int, fields: bool, depth: int, lines: list[str]) -> None:
    if count:
        things = "field" if fields else "element"
        lines.append(_line(" ", depth + 1, f"... // {count} identical {things}{'' if count == 1 else 's'}"))
