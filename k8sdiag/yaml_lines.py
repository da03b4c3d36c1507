"""YAML with line numbers: what PyYAML throws away, and what makes a mistake findable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from k8sdiag.evidence import Json
from k8sdiag.patterns import regex

Lines = dict[tuple[Any, ...], int]
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


TOO_DEEP = regex(r"(?:[\[{]\s{0,9}){200}")
"""What libyaml would follow down until the stack ends."""


class YamlError(Exception):
    """Not YAML; the message starts with `file:line:`."""


def read_yaml(path: Path) -> tuple[object, Lines]:
    """A file's one document as plain values, and the line of each key and item. Raises YamlError."""
    try:
        return parse_yaml(path.read_bytes(), str(path))
    except OSError as problem:
        raise YamlError(f"{path}:1: cannot be read: {problem.strerror}") from None


def parse_yaml(data: bytes, name: str) -> tuple[object, Lines]:
    """As read_yaml, from memory; `name` stands in the message of a YamlError."""
    try:
        text = data.decode("utf-8")
        if TOO_DEEP.search(text):
            raise YamlError(f"{name}:1: not YAML: nested too deeply")
        loader = _LOADER(text)
        node = loader.get_single_node()
        lines: Lines = {(): 1}
        return (_plain(loader, node, (), lines) if node is not None else None), lines
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        what = getattr(problem, "problem", None) or str(problem)
        raise YamlError(f"{name}:{mark.line + 1 if mark else 1}: not YAML: {what}") from None
    except (RecursionError, TypeError):
        raise YamlError(f"{name}:1: nested too deeply, or a key that is no word") from None
    except UnicodeDecodeError:
        raise YamlError(f"{name}:1: not UTF-8") from None


def _plain(
    loader: Any, node: Any, where: tuple[Any, ...], lines: Lines, seen: dict[int, object] | None = None
) -> object:
    """`seen` makes an alias the same value again: expanding it would let a small file fill the memory."""
    lines.setdefault(where, node.start_mark.line + 1)
    seen = {} if seen is None else seen
    if id(node) in seen:
        return seen[id(node)]
    if isinstance(node, yaml.MappingNode):
        found: Json = {}
        seen[id(node)] = found
        for key_node, value_node in node.value:
            key = str(_scalar(loader, key_node))
            lines[(*where, key)] = key_node.start_mark.line + 1
            found[key] = _plain(loader, value_node, (*where, key), lines, seen)
        return found
    if isinstance(node, yaml.SequenceNode):
        items: list[object] = []
        seen[id(node)] = items
        items.extend(_plain(loader, item, (*where, index), lines, seen) for index, item in enumerate(node.value))
        return items
    return _scalar(loader, node)


def _scalar(loader: Any, node: Any) -> object:
    """YAML 1.1 reads `on`, `yes` and `no` as booleans; here, as in YAML 1.2, they are words."""
    if node.tag == "tag:yaml.org,2002:bool" and node.value.lower() not in ("true", "false"):
        return node.value
    return loader.construct_object(node)
