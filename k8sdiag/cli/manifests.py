"""`check -f`: what a manifest names. Read as kubectl reads: files, folders, standard input; lists; many documents."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from k8sdiag.cli.refusal import CouldNotLook
from k8sdiag.cli.sources import Source
from k8sdiag.kinds import parse_kind
from k8sdiag.yaml_lines import TOO_DEEP

STATELESS = frozenset(
    "ConfigMap Secret ServiceAccount Role RoleBinding ClusterRole ClusterRoleBinding Event Lease PriorityClass"
    " RuntimeClass StorageClass LimitRange IngressClass ControllerRevision EndpointSlice Endpoints".split()
)
"""Kinds that are there or not, and never unwell."""
MAX_BYTES = 16 << 20


def named_in(filename: str, source: Source) -> list[tuple[Source, str, str]]:
    """Every object of a kind that can be checked, in the order named. A manifest's own namespace wins over the
    context's and gives way to -n."""
    found = []
    for text, where in _texts(filename):
        for document in _documents(text, where):
            kind, meta = parse_kind(str(document.get("kind") or "")), document.get("metadata")
            if kind is None or kind.kind in STATELESS or not isinstance(meta, dict) or not meta.get("name"):
                continue
            named = meta.get("namespace")
            namespace = source.namespace or (str(named) if named else None)
            found.append((replace(source, namespace=namespace), kind.kind, str(meta["name"])))
    if not found:
        raise CouldNotLook(f"{filename}: names nothing that can be checked")
    return found


def _texts(filename: str) -> Iterator[tuple[str, str]]:
    if filename == "-":
        data = sys.stdin.buffer.read(MAX_BYTES) if sys.stdin else b""
        try:
            yield data.decode("utf-8"), "standard input"
        except UnicodeDecodeError:
            raise CouldNotLook("standard input: cannot be read: not UTF-8") from None
        return
    path = Path(filename)
    files = sorted(f for f in path.iterdir() if f.suffix in (".yaml", ".yml", ".json")) if path.is_dir() else [path]
    for file in files:
        try:
            with file.open("rb") as stream:
                data = stream.read(MAX_BYTES + 1)
            if len(data) > MAX_BYTES:
                raise CouldNotLook(f"{file}: larger than {MAX_BYTES >> 20} MiB")
            yield data.decode("utf-8"), str(file)
        except (OSError, UnicodeDecodeError) as problem:
            reason = problem.strerror if isinstance(problem, OSError) else "not UTF-8"
            raise CouldNotLook(f"{file}: cannot be read: {reason}") from None


def _documents(text: str, where: str) -> Iterator[dict[str, Any]]:
    if TOO_DEEP.search(text):
        raise CouldNotLook(f"{where}: not YAML: nested too deeply")
    try:
        for document in yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            if isinstance(document, dict) and isinstance(document.get("items"), list):
                yield from (item for item in document["items"] if isinstance(item, dict))
            elif isinstance(document, dict):
                yield document
    except (ValueError, RecursionError) as problem:
        raise CouldNotLook(f"{where}: not YAML: {problem}") from None
    except yaml.YAMLError as problem:
        mark = getattr(problem, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise CouldNotLook(f"{where}{line}: not YAML: {getattr(problem, 'problem', problem)}") from None
