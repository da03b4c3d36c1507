"""What a recorded incident says of its circumstances, for enacting it again: the labels of its namespace, whether the
cluster had the StorageClass that a lab has, and how long it took."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson

from k8sdiag.clock import parse_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.faults.written import Fault, FaultError, Step, documents, read

_LAST_AGO = 5.0  # seconds; a recording of less is one of a single moment


def reenactment(folder: Path) -> Fault:
    """The incident of a recording: its reenact.yaml, and its manifest.yaml where that names none. Raises FaultError."""
    name = folder.resolve().name
    plain, told = folder / "manifest.yaml", folder / "reenact.yaml"
    if not told.is_file() and not plain.is_file():
        raise FaultError(f"{folder}:1: there is neither a reenact.yaml nor a manifest.yaml in it")
    fault = read(told, needed=()) if told.is_file() else Fault("reenact", namespace="reenact")
    manifest = fault.manifest or (documents(_text(plain), str(plain)) if plain.is_file() else ())
    spaces = [obj["metadata"]["namespace"] for obj in manifest if obj["metadata"].get("namespace")]
    namespace = fault.namespace if fault.namespace != "reenact" else spaces[0] if spaces else name
    fault = replace(fault, id=name, namespace=namespace, manifest=manifest)
    seen = _changes(folder / "objects.jsonl")
    before = tuple(_circumstances(seen, namespace, str(folder)))
    long = _length(seen, namespace)
    if "\nfor:" in f"\n{_text(told)}" or long < _LAST_AGO:
        long = fault.seconds
    return replace(fault, before=(*before, *fault.before), seconds=long)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8") if file.is_file() else ""
    except (OSError, UnicodeDecodeError) as problem:
        raise FaultError(f"{file}:1: cannot be read: {problem}") from None


def _changes(file: Path) -> list[tuple[float, Json]]:
    found = []
    for number, line in enumerate(_text(file).splitlines(), 1):
        try:
            change = orjson.loads(line)
            found.append((parse_time(change["t"]) or 0.0, change["object"]))
        except (orjson.JSONDecodeError, KeyError, TypeError):
            raise FaultError(f"{file}:{number}: not a change of a recording") from None
    return found


def _circumstances(seen: list[tuple[float, Json]], namespace: str, place: str) -> list[Step]:
    steps = []
    classes = {obj["metadata"]["name"] for _, obj in seen if obj.get("kind") == "StorageClass"}
    if seen and "standard" not in classes:
        steps.append(Step(0.0, "delete", {"object": "StorageClass/standard"}, place))
    for _, obj in seen:
        meta = obj["metadata"]
        if obj.get("kind") == "Namespace" and meta["name"] == namespace and len(meta.get("labels") or {}) > 1:
            made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": meta["labels"]}}
            steps.append(Step(0.0, "apply", {"manifest": made}, place))
            break
    return steps


def _length(seen: list[tuple[float, Json]], namespace: str) -> float:
    own = [at for at, obj in seen if obj["metadata"].get("namespace") == namespace]
    return round(seen[-1][0] - own[0], 3) if own else 0.0
