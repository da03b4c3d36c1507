"""Facts: what the evidence means, derived anew each time and never recorded.

One file a subject. Each declares `KIND`, `KEYS` (what its facts are joined on), `FIELDS` (name: where it comes from)
and `derive(view)`, a pure generator. It is found by being there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from k8sdiag.evidence import Json, Ref, event_count, event_message, event_time, involved, ref_of
from k8sdiag.finding import Proof
from k8sdiag.references import claim_names
from k8sdiag.relations import View, owner_chain

KEY_ORDER = ("container", "pod", "claim", "service", "workload", "node", "namespace")
"""Join keys, most specific first: two facts are joined on the first that both kinds declare."""

Keys = dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing known. `fields` are plain values (words, numbers, booleans, tuples of words); `keys` say what it
    concerns; `proof` is where it was read."""

    kind: str
    ref: Ref
    fields: Mapping[str, Any]
    keys: Keys
    proof: tuple[Proof, ...] = ()


@cache
def modules() -> tuple[ModuleType, ...]:
    """The fact modules of this folder, by name."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))
    return tuple(import_module(f"{__name__}.{name}") for name in names)


@cache
def declared_fields() -> dict[str, dict[str, str]]:
    """Fact kind to its fields and where each comes from."""
    return {module.KIND: module.FIELDS for module in modules()}


@cache
def declared_keys() -> dict[str, tuple[str, ...]]:
    """Fact kind to its join keys."""
    return {module.KIND: module.KEYS for module in modules()}


def derive(view: View, kinds: Iterable[str] | None = None) -> Iterator[Fact]:
    """All facts of a view, or those of some kinds."""
    wanted = None if kinds is None else set(kinds)
    for module in modules():
        if wanted is None or module.KIND in wanted:
            yield from module.derive(view)


def pod_keys(view: View, pod: Json, container: str = "") -> Keys:
    """The join keys of a fact about a pod, or about one of its containers."""
    ref = ref_of(pod)
    keys = view.pod_keys.get(ref)
    if keys is None:
        keys = view.pod_keys[ref] = _pod_keys(view, pod, ref)
    return keys | {"container": (f"{ref.namespace}/{ref.name}/{container}",)} if container else keys


def _pod_keys(view: View, pod: Json, ref: Ref) -> Keys:
    keys: Keys = {
        "pod": (f"{ref.namespace}/{ref.name}",),
        "namespace": (ref.namespace,),
        "workload": tuple(workload_key(owner) for owner in owner_chain(view.snapshot, pod)),
        "claim": tuple(f"{ref.namespace}/{claim}" for claim in claim_names(pod)),
    }
    node = (pod.get("spec") or {}).get("nodeName")
    if node:
        keys["node"] = (node,)
    return keys


def workload_key(ref: Ref) -> str:
    """How a workload is named in join keys."""
    return f"{ref.kind}/{ref.namespace}/{ref.name}"


def owner_word(view: View, pod: Json) -> str:
    """What kubectl would be told to change: `deployment/web`, or the pod where nothing owns it."""
    chain = [ref for ref in owner_chain(view.snapshot, pod) if ref.kind != "Node"]
    return str(chain[-1] if chain else ref_of(pod))


def goal_of(view: View, pod: Json) -> str:
    """What to look at, and what it shows once a pod's containers do as they should: a pod of a Job has to end."""
    chain = owner_chain(view.snapshot, pod)
    policy, name = (pod.get("spec") or {}).get("restartPolicy") or "Always", pod["metadata"]["name"]
    if any(ref.kind == "CronJob" for ref in chain):
        return "jobs: the next one's COMPLETIONS is full"
    if any(ref.kind == "Job" for ref in chain):
        return next(f"job {ref.name}: COMPLETIONS is full" for ref in chain if ref.kind == "Job")
    if policy == "Always":
        return f"pod {name} -w: Running, and RESTARTS stays as it is"
    return f"pod {name} -w: Completed{'' if policy == 'OnFailure' else ' (once it is made anew)'}"


def event_proof(event: Json) -> Proof:
    """An event as evidence, in the words of `kubectl describe`."""
    about = involved(event)
    count = event_count(event)
    times = f" (x{count})" if count > 1 else ""
    ref = f"{(about.get('kind') or '').lower()}/{about.get('name') or ''}"
    return Proof("event", ref, event_time(event), f"{event.get('reason')}: {event_message(event)}{times}")


def events_where(view: View, ref: Ref, uid: str, keep: Callable[[Json], bool]) -> list[Json]:
    """Events of an object that `keep` accepts, newest first."""
    return [event for event in reversed(view.snapshot.events_of(ref, uid)) if keep(event)]


def event_container(event: Json) -> str:
    """The container an event concerns (`fieldPath: spec.containers{app}`), or ''."""
    path = involved(event).get("fieldPath") or ""
    return path[path.find("{") + 1 : -1] if path.endswith("}") and "{" in path else ""
