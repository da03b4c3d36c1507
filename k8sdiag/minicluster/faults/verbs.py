"""What can be done to a cluster in the course of a fault: verbs, each one small function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from k8sdiag.evidence import Json
from k8sdiag.quantity import parse_quantity

if TYPE_CHECKING:
    from k8sdiag.minicluster.cluster import MiniCluster
    from k8sdiag.minicluster.runtimes.sim import SimRuntime

_SPARE = 64 * 2**20  # what a filled memory or disk leaves


class RefusedError(Exception):
    """What was asked for was not done; the sentence says why. `code` is the API server's, 0 where it said nothing."""

    def __init__(self, why: str, code: int = 0) -> None:
        super().__init__(why)
        self.code = code


class Door(Protocol):
    """A cluster's API, whichever way it is reached. All raise RefusedError."""

    def create(self, obj: Json, namespace: str) -> None: ...

    def apply(self, obj: Json, namespace: str) -> None:
        """Create it, or change what is there already."""

    def patch(self, kind: str, namespace: str, name: str, change: Any, subresource: str) -> None:
        """A JSON merge patch."""

    def delete(self, kind: str, namespace: str, name: str, grace: int | None) -> None: ...

    def taints(self, node: str) -> list[Json]: ...

    def pods_on(self, node: str) -> Iterable[tuple[str, str]]:
        """Namespace and name of the pods on a node."""

    def evict(self, namespace: str, name: str) -> None: ...


@dataclass(frozen=True, slots=True)
class World:
    """What verbs work on: the API, the fault's namespace, and the cluster itself where it is in this process."""

    door: Door
    namespace: str
    cluster: MiniCluster | None = None

    def sim(self, node: str) -> SimRuntime:
        """The simulated runtime of a node."""
        from k8sdiag.minicluster.runtimes.sim import SimRuntime

        if self.cluster is None:
            raise RefusedError("this is done to a node, not through the API: only `k8sdiag lab run` can do it")
        if self.cluster.fleet is None or node not in self.cluster.fleet.kubelets:
            raise RefusedError(f"{node} has no kubelet that could be asked")
        runtime = self.cluster.fleet.kubelets[node].runtime
        if not isinstance(runtime, SimRuntime):
            raise RefusedError(f"{node} has no simulated runtime")
        return runtime


Words = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb: what it does, the words it needs, and those that it takes besides."""

    run: Callable[[World, Words], None]
    needs: tuple[str, ...]
    more: tuple[str, ...] = ()
    through_api: bool = True
    back: Callable[[World, Words], None] | None = None  # what takes it back

    @property
    def takes(self) -> tuple[str, ...]:
        return (*self.needs, *self.more)


def _place(world: World, words: Words) -> tuple[str, str, str]:
    kind, _, name = str(words["object"]).partition("/")
    return kind, str(words.get("namespace", world.namespace)), name


def _apply(world: World, words: Words) -> None:
    world.door.apply(words["manifest"], world.namespace)


def _patch(world: World, words: Words) -> None:
    world.door.patch(*_place(world, words), words["change"], str(words.get("subresource", "")))


def _delete(world: World, words: Words) -> None:
    grace = words.get("grace")
    world.door.delete(*_place(world, words), None if grace is None else int(grace))


def _scale(world: World, words: Words) -> None:
    world.door.patch(*_place(world, words), {"spec": {"replicas": int(words["replicas"])}}, "")


def _cordon(world: World, words: Words) -> None:
    world.door.patch("Node", "", words["node"], {"spec": {"unschedulable": True}}, "")


def _uncordon(world: World, words: Words) -> None:
    world.door.patch("Node", "", words["node"], {"spec": {"unschedulable": None}}, "")


def _label(world: World, words: Words) -> None:
    world.door.patch("Node", "", words["node"], {"metadata": {"labels": words["labels"]}}, "")


def _taint(world: World, words: Words) -> None:
    new = words["taint"]
    kept = [
        one for one in world.door.taints(words["node"]) if (one["key"], one["effect"]) != (new["key"], new["effect"])
    ]
    world.door.patch("Node", "", words["node"], {"spec": {"taints": [*kept, new]}}, "")


def _unlabel(world: World, words: Words) -> None:
    world.door.patch("Node", "", words["node"], {"metadata": {"labels": dict.fromkeys(words["labels"])}}, "")


def _untaint(world: World, words: Words) -> None:
    gone = words["taint"]
    mark = (gone["key"], gone["effect"])
    kept = [one for one in world.door.taints(words["node"]) if (one["key"], one["effect"]) != mark]
    world.door.patch("Node", "", words["node"], {"spec": {"taints": kept or None}}, "")


def _drain(world: World, words: Words) -> None:
    _cordon(world, words)
    for namespace, name in world.door.pods_on(words["node"]):
        try:
            world.door.evict(namespace, name)
        except RefusedError as refused:
            if refused.code not in (404, 429, 500):  # 500: a pod in more than one budget
                raise


def _stop_kubelet(world: World, words: Words) -> None:
    world.sim(words["node"])
    if world.cluster is not None and world.cluster.fleet is not None:
        world.cluster.fleet.stop(words["node"])


def _start_kubelet(world: World, words: Words) -> None:
    world.sim(words["node"])
    if world.cluster is not None and world.cluster.fleet is not None:
        world.cluster.fleet.resume(words["node"])


def _stop_runtime(world: World, words: Words) -> None:
    world.sim(words["node"]).trouble.runtime = str(words.get("message", "container runtime is down"))


def _start_runtime(world: World, words: Words) -> None:
    world.sim(words["node"]).trouble.runtime = ""


def _break_network(world: World, words: Words) -> None:
    trouble = world.sim(words["node"]).trouble
    trouble.network, trouble.sandbox = str(words.get("message", "")), str(words.get("sandbox", ""))


def _fill_disk(world: World, words: Words) -> None:
    runtime = world.sim(words["node"])
    runtime.trouble.disk += _wanted(words, runtime.node.disk_available)


def _fill_memory(world: World, words: Words) -> None:
    runtime = world.sim(words["node"])
    runtime.trouble.memory += _wanted(words, runtime.node.memory_available)


def _wanted(words: Words, available: int | None) -> int:
    amount = parse_quantity(str(words["amount"])) if "amount" in words else None
    return int(amount) if amount is not None else max(0, (available or 0) - _SPARE)


VERBS: Mapping[str, Verb] = {
    "apply": Verb(_apply, ("manifest",)),
    "patch": Verb(_patch, ("object", "change"), ("namespace", "subresource")),
    "delete": Verb(_delete, ("object",), ("namespace", "grace")),
    "scale": Verb(_scale, ("object", "replicas"), ("namespace",)),
    "cordon": Verb(_cordon, ("node",), back=_uncordon),
    "uncordon": Verb(_uncordon, ("node",)),
    "label": Verb(_label, ("node", "labels"), back=_unlabel),
    "taint": Verb(_taint, ("node", "taint"), back=_untaint),
    "drain": Verb(_drain, ("node",), back=_uncordon),
    "stop-kubelet": Verb(_stop_kubelet, ("node",), through_api=False),
    "start-kubelet": Verb(_start_kubelet, ("node",), through_api=False),
    "stop-runtime": Verb(_stop_runtime, ("node",), ("message",), through_api=False),
    "start-runtime": Verb(_start_runtime, ("node",), through_api=False),
    "break-network": Verb(_break_network, ("node",), ("message", "sandbox"), through_api=False),
    "fill-disk": Verb(_fill_disk, ("node",), ("amount",), through_api=False),
    "fill-memory": Verb(_fill_memory, ("node",), ("amount",), through_api=False),
}


def perform(world: World, verb: str, words: Words) -> None:
    """Do it. Raises RefusedError."""
    VERBS[verb].run(world, words)
