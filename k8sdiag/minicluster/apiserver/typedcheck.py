"""Does a configuration for server-side apply fit its type? In the words of structured-merge-diff/typed/validate.go,
which a server hands out as they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.fieldset import Path, text
from k8sdiag.minicluster.apiserver.schema import ANY, Type
from k8sdiag.minicluster.apiserver.typed import item_element


def check_configuration(node: Type, config: Json) -> None:
    """ApiError 500 without a reason, as a real server answers."""
    found = list(_complaints(node, config, ()))
    if not found:
        return
    meta = config.get("metadata") or {}
    kind, group_version = config.get("kind", ""), str(config.get("apiVersion", ""))
    if "/" not in group_version:
        group_version = f"/{group_version}"  # the core group's name is empty
    about = f"{meta.get('namespace', '')}/{meta.get('name', '')}; {group_version}, Kind={kind}"
    shown = found[0] if len(found) == 1 else "errors:\n" + "\n".join(f"  {line}" for line in found)
    raise errors.ApiError(500, "", f"failed to create typed patch object ({about}): {shown}")


def _complaints(node: Type, value: Any, path: Path) -> Iterator[str]:
    if value is None or node.kind == "any":
        return
    if node.kind in ("object", "map"):
        if not isinstance(value, dict):
            yield f"{text(path)}: expected map, got &{{{value}}}"
            return
        for key, child in value.items():
            below = node.fields.get(key) or node.element
            if below is not None:
                yield from _complaints(below, child, (*path, f"f:{key}"))
            else:
                yield f"{text((*path, f'f:{key}'))}: field not declared in schema"
    elif node.kind == "list":
        if not isinstance(value, list):
            yield f"{text(path)}: expected list, got &{{{value}}}"
        else:
            yield from _items(node, value, path)
    else:
        yield from _scalar(node, value, path)


def _items(node: Type, value: list[Any], path: Path) -> Iterator[str]:
    seen = set()
    for at, item in enumerate(value):
        name = f"i:{at}"
        if node.relation != "atomic":
            try:
                name = item_element(node, item)
            except ValueError as error:
                yield f"{text(path)}: element {at}: {error}"
                continue
            if name in seen:
                yield f"{text(path)}: duplicate entries for key {text((name,))}"
            seen.add(name)
        yield from _complaints(node.element or ANY, item, (*path, name))


_TEXTS = ("string", "bytes", "time", "micro-time")


def _scalar(node: Type, value: Any, path: Path) -> Iterator[str]:
    if node.kind in ("integer", "number"):
        if isinstance(value, bool) or not isinstance(value, int | float):
            yield f"{text(path)}: expected numeric (int or float), got {_go_type(value)}"
    elif node.kind == "boolean":
        if not isinstance(value, bool):
            yield f"{text(path)}: expected boolean, got &{{{value}}}"
    elif node.kind in _TEXTS and not isinstance(value, str):
        yield f"{text(path)}: expected string, got &value.valueUnstructured{{Value:{_go_literal(value)}}}"


def _go_type(value: Any) -> str:
    names = {str: "string", bool: "bool", dict: "map[string]interface {}", list: "[]interface {}"}
    return names.get(type(value), type(value).__name__)


def _go_literal(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
