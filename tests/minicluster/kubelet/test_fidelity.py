"""A lab given the manifest of a real incident goes through what the real cluster went through: the same states of its
containers in the same order, and the same events of the kubelet."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import pytest
import yaml

from k8sdiag.clock import ManualClock, parse_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.cluster import MiniCluster

RECORDINGS = Path(__file__).parents[3] / "recordings"
# What a real cluster's recordings are held to; pods whose commands are programs are told what to do.
BEHAVIOURS = {
    "crash-app": "[{after: 100ms, log: boom}, {exit: 1}]",
    "crash-oom": "[{memory: 8Mi}, {after: 500ms, memory: 64Mi}]",
}
FLOORS = {
    "crash-app": 0.95,
    "crash-liveness-slow": 0.95,
    "crash-oom": 0.85,
    "end-backofflimit": 0.95,
    "ready-http500": 0.85,
    "wait-configmap": 0.95,
    "wait-exec-missing": 0.95,
    "wait-init-crash": 0.95,
    "wait-registry-auth": 0.95,
    "wait-registry-dns": 0.95,
    "wait-secret-key": 0.95,
    "wait-tag-missing": 0.95,
}
KNOWN = [name for name in FLOORS if (RECORDINGS / name / "manifest.yaml").exists()]
MASKS = (
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "UID"),
    (r"\b(?!127\.)\d{1,3}(\.\d{1,3}){3}\b", "IP"),
    (r"\b\d+(\.\d+)?(ms|s|m|h)(\d+(\.\d+)?(ms|s))?\b", "DUR"),
    (r"-[a-z0-9]{5}\b", "-POD"),
)


def state(status: Json) -> str:
    known: Json = status["state"] or {"none": {}}
    kind, what = next(iter(known.items()))
    return f"{kind}/{what.get('reason', '')}/{what.get('exitCode', '')}"


def masked(text: str) -> str:
    for pattern, instead in MASKS:
        text = re.sub(pattern, instead, text)
    return text.strip()


def told(objects: Iterable[Json]) -> tuple[dict[str, list[str]], set[tuple[str, ...]]]:
    """The states of each container, no more than two of a kind, and the kubelet's events."""
    states: dict[str, list[str]] = {}
    events: set[tuple[str, ...]] = set()
    for obj in objects:
        if obj["kind"] == "Pod":
            status = obj.get("status") or {}
            for one in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
                seen = states.setdefault(f"{obj['metadata']['name']}/{one['name']}", [])
                if not seen or seen[-1] != state(one):
                    seen.append(state(one))
        elif obj["kind"] == "Event" and (obj.get("source") or {}).get("component") == "kubelet":
            about = obj["involvedObject"]
            if about["kind"] == "Pod":
                events.add((about.get("fieldPath", ""), obj["type"], obj["reason"], masked(obj["message"])))
    return {name: shortened(seen) for name, seen in states.items()}, events


def shortened(seen: list[str]) -> list[str]:
    return [one for index, one in enumerate(seen) if seen[:index].count(one) < 2]


def enact(name: str, seconds: float) -> list[Json]:
    """The changes that a watcher of the lab sees."""
    cluster = MiniCluster(ManualClock(1_800_000_000.0), seed=1).start()
    client = cluster.client()
    cluster.run_for(5)
    client.create("namespaces", {"metadata": {"name": name}})
    cluster.run_for(1)
    seen: list[Json] = []
    for word in ("pods", "events"):
        client.watch(word, lambda _, obj, __: seen.append(obj) if obj["metadata"]["namespace"] == name else None)
    for manifest in yaml.safe_load_all((RECORDINGS / name / "manifest.yaml").read_text(encoding="utf-8")):
        if manifest["kind"] == "Pod" and name in BEHAVIOURS:
            manifest["metadata"]["annotations"] = {"lab.k8sdiag.dev/behaviour.app": BEHAVIOURS[name]}
        found = cluster.registry.of(manifest["apiVersion"], manifest["kind"])
        assert found is not None
        client.create(found.qualified, manifest, name)
    cluster.run_for(seconds)
    return seen


@pytest.mark.parametrize("name", KNOWN)
def test_a_real_incident(name: str) -> None:
    lines = [
        json.loads(line) for line in (RECORDINGS / name / "objects.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    lines = [line for line in lines if line["object"]["metadata"].get("namespace") == name]
    moments: list[Any] = [parse_time(line["t"]) for line in lines]
    real_states, real_events = told(line["object"] for line in lines)
    made_states, made_events = told(enact(name, max(moments) - min(moments) + 8))
    common = 2 * len(real_events & made_events) / (len(real_events) + len(made_events))
    pairs = zip(sorted(real_states.values()), sorted(made_states.values()), strict=True)
    ratios = [SequenceMatcher(None, real, made, autojunk=False).ratio() for real, made in pairs]
    assert min(common, *ratios) >= FLOORS[name], (real_events ^ made_events, real_states, made_states)


def test_the_recordings_are_there() -> None:
    assert sorted(KNOWN) == sorted(FLOORS)
