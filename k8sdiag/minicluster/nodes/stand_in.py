"""Nodes that are Ready and run what is bound to them, without a kubelet and without containers.

What a kubelet would write is written: statuses in its steps, its events, graceful deletion. What its containers do
comes from their commands (commands.py). All of it is a function of the objects and of time, so a lab that is started
again goes on where it was.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from k8sdiag.clock import parse_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.controllers import Context
from k8sdiag.minicluster.controllers.node_ipam import node_addresses
from k8sdiag.minicluster.events import Recorder
from k8sdiag.minicluster.nodes import node_objects
from k8sdiag.minicluster.nodes.agent import Agents
from k8sdiag.minicluster.nodes.ephemeral import ephemerals
from k8sdiag.minicluster.nodes.heartbeats import Heartbeats, pace_of
from k8sdiag.minicluster.nodes.lifetimes import Ending
from k8sdiag.minicluster.nodes.node_objects import Shape
from k8sdiag.minicluster.nodes.pod_status import SANDBOX, Place, Standing, back_off, standing, status_of, stopped
from k8sdiag.minicluster.nodes.stand_in_agent import FollowedLogs, StandInAgent

_FEW_NODES = 50  # of more, what a kubelet writes of itself at its start is left out
_FLOOD = 60  # pods that start at the same time; then a pod goes straight to Running, without events
_STOP = 0.5  # what a container takes to end when it is told to

Key = tuple[str, str]


@dataclass(slots=True)
class _Pod:
    """What a node remembers of a pod between two looks: nothing that could not be found out again."""

    uid: str
    start: float
    address: str
    quiet: bool
    announced: dict[str, int] = field(default_factory=dict)
    killing: bool = False
    left: dict[str, Ending] = field(default_factory=dict)


class StandIn:
    """All stand-in nodes of a cluster."""

    def __init__(self, context: Context, agents: Agents) -> None:
        self._client, self._clock, self._loop = context.client, context.clock, context.loop
        self._agents = agents
        self._logs = FollowedLogs(context.loop, context.clock)
        self._nodes: dict[str, str] = {}  # name to address
        self._names: list[str] = []
        self._down: set[str] = set()
        self._pods: dict[Key, _Pod] = {}
        self._starting: deque[float] = deque()
        self._recorders: dict[str, Recorder] = {}
        self._addresses: dict[str, _Addresses] = {}
        self._queue = context.loop.queue("stand-in-nodes", self._sync)
        self._heartbeats = Heartbeats(
            context.client, context.clock, context.loop, lambda: self._names, lambda name: name not in self._down
        )
        self._client.watch("pods", self._on_pod)
        self._heartbeats.start()

    def add(self, name: str, index: int, shape: Shape, announce: bool) -> None:
        """Register a node, or take over the one there is."""
        address = node_objects.address_of(index)
        now = self._clock.now()
        self._nodes[name] = address
        self._names.append(name)
        self._agents.add(name, StandInAgent(name, self._client, self._clock, self._logs, self._leave))
        made = self._client.find("nodes", "", name)
        if made is None:
            fresh = node_objects.node(name, address, shape, now)
            if not announce:  # the address range that the node controller would give it, without asking
                fresh["spec"] |= node_addresses(index)
            made = self._client.create("nodes", fresh)
            if announce:
                self._client.create("csinodes", node_objects.csi_node(made))
                self._announce(name)
        for pod in self._client.on_node(name):
            self._queue.add((pod["metadata"]["namespace"], pod["metadata"]["name"]))

    def beat(self, name: str) -> None:
        """A node's first heartbeat."""
        self._heartbeats.beat(name, pace_of(len(self._names)))

    def stop(self, name: str) -> None:
        """The node falls silent: no heartbeats, nothing is started or stopped on it any more."""
        self._down.add(name)
        self._agents.remove(name)

    def resume(self, name: str) -> None:
        """The node comes back."""
        self._down.discard(name)
        self._agents.add(name, StandInAgent(name, self._client, self._clock, self._logs, self._leave))
        self.beat(name)
        for pod in self._client.on_node(name):
            self._queue.add((pod["metadata"]["namespace"], pod["metadata"]["name"]))

    def _announce(self, name: str) -> None:
        """The events of a kubelet's start. It knows its Node by name alone, so that is the uid it gives."""
        about = {"kind": "Node", "apiVersion": "v1", "metadata": {"name": name, "uid": name}}
        recorder = self._recorder(name)
        recorder.event(about, "Normal", "Starting", "Starting kubelet.")
        for reason in ("NodeHasSufficientMemory", "NodeHasNoDiskPressure", "NodeHasSufficientPID"):
            recorder.event(about, "Normal", reason, f"Node {name} status is now: {reason}")
        recorder.event(about, "Normal", "NodeAllocatableEnforced", "Updated Node Allocatable limit across pods")
        recorder.event(about, "Normal", "NodeReady", f"Node {name} status is now: NodeReady")

    def _recorder(self, node: str) -> Recorder:
        found = self._recorders.get(node)
        if found is None:
            found = self._recorders[node] = Recorder(self._client, self._clock, "kubelet", node)
        return found

    def _on_pod(self, kind: str, pod: Json, old: Json | None) -> None:
        node = pod["spec"].get("nodeName")
        if node not in self._nodes:
            return
        key = (pod["metadata"]["namespace"], pod["metadata"]["name"])
        if kind == "DELETED":
            self._forget(key, node)
        elif key not in self._pods or old is None or _matters(pod, old):
            self._queue.add(key)

    def _forget(self, key: Key, node: str) -> None:
        held = self._pods.pop(key, None)
        self._queue.forget(key)
        if held is not None:
            self._addresses[node].free(held.address)

    def _sync(self, key: Key) -> float | None:
        """Bring one pod's status to what it is by now; the seconds until it changes again."""
        pod = self._client.find("pods", *key)
        node = pod["spec"].get("nodeName") if pod else None
        if pod is None or node not in self._nodes or node in self._down:
            return None
        now = self._clock.now()
        if pod["metadata"].get("deletionTimestamp"):
            return self._delete(key, pod, now)
        if _phase(pod) in ("Succeeded", "Failed"):
            return None
        held = self._pods.get(key)
        if held is None or held.uid != pod["metadata"]["uid"]:
            held = self._admit(key, pod, now)
            if held.quiet:  # straight to Running, in a moment
                return SANDBOX
        stands = standing(pod, held.start, now, held.left)
        if not held.quiet:
            self._tell(pod, stands, held)
        place = Place(self._nodes[node], held.address if stands.sandbox else "")
        status, until = status_of(pod, stands, held.start, place, now), stands.until
        if pod["spec"].get("ephemeralContainers") and status["phase"] == "Running":
            extra = ephemerals(pod, now, held.left)
            status["ephemeralContainerStatuses"] = [*extra.statuses]
            until = min((at for at in (until, extra.until) if at is not None), default=None)
            for container in extra.fresh:
                self._begun(pod, container, "ephemeralContainers")
        self._write(pod, status)
        return None if until is None else max(0.001, until - now)

    def _leave(self, pod: Json, container: str, code: int) -> None:
        """Somebody who is attached to a container ended it from within."""
        key = (pod["metadata"]["namespace"], pod["metadata"]["name"])
        held = self._pods.get(key)
        if held is not None and held.uid == pod["metadata"]["uid"]:
            held.left[container] = Ending(self._clock.now(), code)
            self._queue.add(key)

    def _admit(self, key: Key, pod: Json, now: float) -> _Pod:
        """A pod that the node has not seen before, or had before the lab was started again."""
        status, node = pod.get("status") or {}, pod["spec"]["nodeName"]
        begun = parse_time(status.get("startTime"))
        self._starting.append(now)
        while self._starting and self._starting[0] < now - 1.0:
            self._starting.popleft()
        if pod["spec"].get("hostNetwork"):
            address = self._nodes[node]
        else:
            address = self._pool(node).take(str(status.get("podIP", "")))
        quiet = begun is None and len(self._starting) > _FLOOD
        held = _Pod(pod["metadata"]["uid"], now if begun is None else begun, address, quiet)
        if begun is not None:
            held.announced = {one.spec["name"]: 1_000_000 for one in standing(pod, begun, now).containers}
        self._pods[key] = held
        return held

    def _pool(self, node: str) -> _Addresses:
        pool = self._addresses.get(node)
        if pool is None:
            known = self._client.find("nodes", "", node)
            cidr = (known or {}).get("spec", {}).get("podCIDR", "")
            pool = self._addresses[node] = _Addresses(cidr or node_addresses(self._names.index(node))["podCIDR"])
        return pool

    def _tell(self, pod: Json, stands: Standing, held: _Pod) -> None:
        """The events of containers that have started since the last look, and of those that wait to start again."""
        recorder = self._recorder(pod["spec"]["nodeName"])
        for one in stands.containers:
            if one.life is None:
                continue
            name, starts = one.spec["name"], one.life.restarts + 1
            path = f"spec.{'initContainers' if one.init else 'containers'}{{{name}}}"
            for _ in range(held.announced.get(name, 0), min(starts, held.announced.get(name, 0) + 3)):
                self._begun(pod, one.spec, "initContainers" if one.init else "containers")
            held.announced[name] = max(starts, held.announced.get(name, 0))
            if one.life.state == "waiting" and one.life.wait >= 10:
                called = back_off(pod, name, 10).partition(" pod=")[2]
                text = f"Back-off restarting failed container {name} in pod {called}"
                recorder.event(pod, "Warning", "BackOff", text, field_path=path)

    def _begun(self, pod: Json, container: Json, part: str) -> None:
        name = container["name"]
        path = f"spec.{part}{{{name}}}"
        recorder = self._recorder(pod["spec"]["nodeName"])
        pulled = f'Container image "{container.get("image", "")}" already present on machine'
        recorder.event(pod, "Normal", "Pulled", pulled, field_path=path)
        recorder.event(pod, "Normal", "Created", f"Created container: {name}", field_path=path)
        recorder.event(pod, "Normal", "Started", f"Started container {name}", field_path=path)

    def _delete(self, key: Key, pod: Json, now: float) -> float | None:
        """A graceful end: the containers stop, the last status is written, the pod goes for good."""
        meta = pod["metadata"]
        asked = parse_time(meta["deletionTimestamp"]) or now
        grace = float(meta.get("deletionGracePeriodSeconds") or 0)
        held = self._pods.get(key)
        over = _phase(pod) in ("Succeeded", "Failed")
        if held is not None and not over and grace:
            if not held.killing:
                held.killing = True
                self._kill(pod, held, now)
                return min(_STOP, grace)
            stands = stopped(pod, held.start, now, held.left)
            ran = any(one.life is not None for one in stands.containers)
            if ran and not held.quiet and asked - grace <= now:
                place = Place(self._nodes[pod["spec"]["nodeName"]], "")
                pod = self._write(pod, status_of(pod, stands, held.start, place, now))
        if grace or not meta.get("finalizers"):
            try:
                self._client.delete("pods", *key, uid=meta["uid"], grace=0)
            except ApiError as refused:
                if refused.code != 404:
                    raise
        return None

    def _kill(self, pod: Json, held: _Pod, now: float) -> None:
        if held.quiet:
            return
        for one in standing(pod, held.start, now, held.left).containers:
            if one.life is not None and one.life.state == "running":
                path = f"spec.{'initContainers' if one.init else 'containers'}{{{one.spec['name']}}}"
                text = f"Stopping container {one.spec['name']}"
                self._recorder(pod["spec"]["nodeName"]).event(pod, "Normal", "Killing", text, field_path=path)

    def _write(self, pod: Json, status: Json) -> Json:
        if status == pod.get("status"):
            return pod
        return self._client.update("pods", {**pod, "status": status}, subresource="status")


class _Addresses:
    """The pod addresses of one node: .2 and up, as a bridge plugin hands them out."""

    def __init__(self, cidr: str) -> None:
        self._base = cidr.rpartition(".")[0]
        self._used: set[str] = set()
        self._last = 1

    def take(self, wanted: str) -> str:
        if wanted and wanted not in self._used:
            self._used.add(wanted)
            return wanted
        for _ in range(253):
            self._last = self._last + 1 if self._last < 254 else 2
            address = f"{self._base}.{self._last}"
            if address not in self._used:
                self._used.add(address)
                return address
        return ""

    def free(self, address: str) -> None:
        self._used.discard(address)


def _phase(pod: Json) -> str:
    return str((pod.get("status") or {}).get("phase", ""))


def _matters(pod: Json, old: Json) -> bool:
    """Whether a change is for the node to act on; its own status updates are not."""
    one, other = pod["metadata"], old["metadata"]
    return (
        one.get("deletionTimestamp") != other.get("deletionTimestamp")
        or one.get("generation") != other.get("generation")
        or pod["spec"].get("nodeName") != old["spec"].get("nodeName")
        or bool(pod["spec"].get("readinessGates"))
    )


def register(
    context: Context,
    count: int,
    agents: Agents,
    with_control_plane: bool = False,
    shape: Callable[[int], Shape] = lambda _: Shape(),
) -> StandIn:
    """Make node1 to nodeN, the first of them a control-plane node where that is wanted."""
    stand_in = StandIn(context, agents)
    for index in range(count):
        own = shape(index)
        if with_control_plane and index == 0:
            own = node_objects.control_plane(own)
        stand_in.add(f"node{index + 1}", index, own, announce=count <= _FEW_NODES)
    for index in range(min(count, _FEW_NODES)):  # the others have their turn when it comes
        stand_in.beat(f"node{index + 1}")
    return stand_in
