"""A fault caused in a cluster that is there already, and taken away again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from k8sdiag.clock import sleep
from k8sdiag.evidence import CLUSTER_SCOPED, Json
from k8sdiag.minicluster.faults.marking import LABEL, objects_of
from k8sdiag.minicluster.faults.through_kubectl import ThroughKubectl
from k8sdiag.minicluster.faults.verbs import VERBS, RefusedError, World, perform
from k8sdiag.minicluster.faults.written import Fault, Step

_PATIENCE = 50  # tenths of a second that a namespace's service account may take


def obstacles(fault: Fault, simulated: bool = True) -> list[str]:
    """Why a fault cannot be injected; empty where it can. `simulated` is whether the containers there are."""
    found = [f"it needs a cluster without {part}" for part in fault.without]
    found += [f"{step.verb} works on simulated nodes" for step in _steps(fault) if not VERBS[step.verb].through_api]
    if fault.nodes == 0:
        found.append("it needs a cluster without nodes")
    if not simulated and (fault.behaviours or fault.images is not None):
        found.append("what its containers and registries do is simulated")
    return found


def _steps(fault: Fault) -> list[Step]:
    return [*fault.before, *sorted(fault.steps, key=lambda one: one.after)]


def plan(fault: Fault, namespace: str) -> Iterator[str]:
    """What will be done, a line each."""
    yield from (_said(step.verb, step.words) for step in fault.before)
    yield f"create namespace/{namespace}, where there is none"
    for obj in fault.manifest:
        where = "" if obj["kind"] in CLUSTER_SCOPED else f" in {obj['metadata'].get('namespace') or namespace}"
        yield f"create {obj['kind'].lower()}/{obj['metadata'].get('name')}{where}"
    for step in sorted(fault.steps, key=lambda one: one.after):
        yield f"after {step.after:g} s: {_said(step.verb, step.words)}"


def _said(verb: str, words: Any) -> str:
    about = words.get("node") or words.get("object")
    if about is None and isinstance(words.get("manifest"), dict):
        about = f"{words['manifest']['kind'].lower()}/{words['manifest']['metadata']['name']}"
    return f"{verb} {about}"


def inject(door: ThroughKubectl, fault: Fault, namespace: str, tell: Callable[[str], None]) -> None:
    """Cause it. What the API server refuses is told: it may be the very fault. Raises RefusedError."""
    world = World(door, namespace)
    for step in fault.before:
        perform(world, step.verb, step.words)
    if not door.exists("namespace", namespace):
        meta = {"name": namespace, "labels": {LABEL: fault.id}}
        if not any(obj["kind"] == "Namespace" and obj["metadata"]["name"] == namespace for obj in fault.manifest):
            door.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": meta}, "")
    for obj in objects_of(fault, marked=True):
        _apply(door, obj, namespace, tell)
    gone = 0.0
    for step in sorted(fault.steps, key=lambda one: one.after):
        sleep(max(0.0, step.after - gone))
        gone = step.after
        words = dict(step.words)
        if isinstance(words.get("manifest"), dict):
            words["manifest"] = next(objects_of(replace(fault, manifest=(words["manifest"],)), marked=True))
        try:
            perform(world, step.verb, words)
        except RefusedError as refused:
            tell(f"{step.verb}: {refused}")


def _apply(door: ThroughKubectl, obj: Json, namespace: str, tell: Callable[[str], None]) -> None:
    for _ in range(_PATIENCE):
        try:
            door.apply(obj, namespace)
        except RefusedError as refused:
            if "error looking up service account" in str(refused) and "/default" in str(refused):
                sleep(0.1)
                continue
            tell(f"{obj['kind'].lower()}/{obj['metadata'].get('name')} was refused: {refused}")
        return


def heal(door: ThroughKubectl, faults: list[Fault], only: str, tell: Callable[[str], None]) -> int:
    """Take away what `inject` made of these faults; how many objects that were. Raises RefusedError."""
    kinds = {obj["kind"] for fault in faults for obj in fault.manifest}
    for fault in faults:
        kinds |= {
            step.words["manifest"]["kind"] for step in fault.steps if isinstance(step.words.get("manifest"), dict)
        }
    healed = set()
    count = 0
    for obj in door.marked([*sorted(kinds - {"Namespace"}), "Namespace"], only):
        meta = obj["metadata"]
        space = meta.get("namespace", "")
        healed.add((meta.get("labels") or {}).get(LABEL))
        if meta.get("finalizers"):
            door.patch(obj["kind"], space, meta["name"], {"metadata": {"finalizers": None}}, "")
        door.delete(obj["kind"], space, meta["name"], None)
        tell(f"deleted {obj['kind'].lower()}/{meta['name']}" + (f" in {space}" if space else ""))
        count += 1
    for fault in faults:
        if fault.id in healed or fault.id == only:
            count += _undo(door, fault, tell)
    return count


def _undo(door: ThroughKubectl, fault: Fault, tell: Callable[[str], None]) -> int:
    world, count = World(door, fault.namespace), 0
    for step in reversed(_steps(fault)):
        back = VERBS[step.verb].back
        if back is not None:
            back(world, step.words)
            tell(f"undid {_said(step.verb, step.words)}")
            count += 1
    return count
