"""All kubelets of a lab: one queue for each kind of work, whatever the number of nodes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.controllers import Context
from k8sdiag.minicluster.controllers.node_ipam import node_addresses
from k8sdiag.minicluster.kubelet.agent import KubeletAgent
from k8sdiag.minicluster.kubelet.conditions import OWN, RESIZE
from k8sdiag.minicluster.kubelet.kubelet import Kubelet
from k8sdiag.minicluster.kubelet.pod_worker import PodWorker
from k8sdiag.minicluster.kubelet.probes import Key, NoProbes, PodProbes, probes_of
from k8sdiag.minicluster.kubelet.references import References
from k8sdiag.minicluster.kubelet.steps import Engine
from k8sdiag.minicluster.nodes import node_objects
from k8sdiag.minicluster.nodes.agent import Agents
from k8sdiag.minicluster.nodes.heartbeats import Heartbeats, pace_of
from k8sdiag.minicluster.nodes.node_objects import Shape
from k8sdiag.minicluster.runtimes.base import Machine, MakeRuntime

_FEW_NODES = 50  # of more, what a kubelet writes of itself at its start is left out
_FLOOD = 60  # pods that start within a second; then only what is wrong is told in events
_NEVER = 1e6  # seconds; timers that long are not set


class Fleet:
    """The kubelets, and what they work with."""

    def __init__(self, context: Context, agents: Agents, make_runtime: MakeRuntime) -> None:
        self.client, self.clock, self.random, self.loop = context.client, context.clock, context.random, context.loop
        self._agents, self._make_runtime = agents, make_runtime
        self.references = References(self.client)
        self.kubelets: dict[str, Kubelet] = {}
        self.workers: dict[str, PodWorker] = {}
        loop = context.loop
        self.engine = Engine(loop, "kubelet-steps")
        self.syncs = loop.queue("kubelet-syncs", self._sync)
        self.statuses = loop.queue("kubelet-statuses", self._write)
        self.deadlines = loop.queue("kubelet-deadlines", self._deadline)
        self._probes = loop.queue("kubelet-probes", self._probe)
        self._timers = loop.queue("kubelet-timers", self._ring)
        self._alarms: dict[int, Callable[[], None]] = {}
        self._alarm_count = 0
        self._starting: deque[float] = deque()
        self._names: list[str] = []
        self._heartbeats = Heartbeats(
            self.client, self.clock, loop, lambda: self._names, lambda name: not self.kubelets[name].down
        )
        self._heartbeats.start()
        self.client.watch("pods", self._on_pod)

    # ---- nodes

    def add(self, name: str, index: int, shape: Shape, announce: bool) -> Kubelet:
        """Register a node, or take over the one there is."""
        address = node_objects.address_of(index)
        made = self.client.find("nodes", "", name)
        ranges = node_addresses(index)
        pod_range = str((made or {}).get("spec", {}).get("podCIDR") or ranges["podCIDR"])
        runtime = self._make_runtime(Machine(name, address, pod_range, shape.cpu, shape.memory))
        kubelet = self.kubelets[name] = Kubelet(self, name, address, runtime)
        self._names.append(name)
        self._agents.add(name, KubeletAgent(kubelet))
        if made is None:
            fresh = node_objects.node(name, address, shape, self.clock.now())
            if not announce:  # the address range that the node controller would give it, without asking
                fresh["spec"] |= ranges
            made = self.client.create("nodes", fresh)
            if announce:
                self.client.create("csinodes", node_objects.csi_node(made))
                self._announce(kubelet)
        for pod in self.client.on_node(name):
            kubelet.on_pod("ADDED", pod, None)
        return kubelet

    def beat(self, name: str) -> None:
        """A node's first heartbeat."""
        self._heartbeats.beat(name, pace_of(len(self._names)))

    def stop(self, name: str) -> None:
        """The kubelet of a node is stopped; its containers run on."""
        self.kubelets[name].down = True
        self._agents.remove(name)

    def resume(self, name: str) -> None:
        """The kubelet is started again, and looks at all its pods."""
        kubelet = self.kubelets[name]
        kubelet.down = False
        self._agents.add(name, KubeletAgent(kubelet))
        self.beat(name)
        for worker in [*kubelet.workers.values()]:
            worker.request()
            self.statuses.add(worker.uid)
            if isinstance(worker.probes, PodProbes):
                worker.probes.resume()

    def _announce(self, kubelet: Kubelet) -> None:
        """The events of a kubelet's start. It knows its Node by name alone, so that is the uid it gives."""
        name, recorder = kubelet.name, kubelet.recorder
        about = {"kind": "Node", "apiVersion": "v1", "metadata": {"name": name, "uid": name}}
        recorder.event(about, "Normal", "Starting", "Starting kubelet.")
        for reason in ("NodeHasSufficientMemory", "NodeHasNoDiskPressure", "NodeHasSufficientPID"):
            recorder.event(about, "Normal", reason, f"Node {name} status is now: {reason}")
        recorder.event(about, "Normal", "NodeAllocatableEnforced", "Updated Node Allocatable limit across pods")
        recorder.event(about, "Normal", "NodeReady", f"Node {name} status is now: NodeReady")

    # ---- pods

    def _on_pod(self, kind: str, pod: Json, old: Json | None) -> None:
        kubelet = self.kubelets.get(pod["spec"].get("nodeName", ""))
        if kubelet is not None:
            kubelet.on_pod(kind, pod, old)

    def many_start(self) -> bool:
        """A pod starts; whether very many do."""
        now = self.clock.now()
        self._starting.append(now)
        while self._starting[0] < now - 1.0:
            self._starting.popleft()
        return len(self._starting) > _FLOOD

    def forget(self, worker: PodWorker) -> None:
        self.workers.pop(worker.uid, None)
        for queue in (self.syncs, self.statuses, self.deadlines):
            queue.forget(worker.uid)

    def _sync(self, uid: str) -> float | None:
        worker = self.workers.get(uid)
        return None if worker is None or worker.kubelet.down else worker.turn()

    def _deadline(self, uid: str) -> None:
        worker = self.workers.get(uid)
        if worker is not None:
            worker.request()

    def _write(self, uid: str) -> None:
        worker = self.workers.get(uid)
        if worker is not None:
            self.write_now(worker)

    def write_now(self, worker: PodWorker) -> None:
        """Write a pod's status where it differs from the one there is (pkg/kubelet/status/status_manager.go)."""
        meta = worker.pod["metadata"]
        if worker.gone or worker.kubelet.down:
            return
        pod = self.client.find("pods", meta["namespace"], meta["name"])
        if pod is None or pod["metadata"]["uid"] != worker.uid:
            return
        status = _with_foreign(worker.status, pod.get("status") or {})
        if status == pod.get("status"):
            worker.status = pod["status"]
            return
        try:
            stored = self.client.update("pods", {**pod, "status": status}, subresource="status")
        except ApiError as refused:
            if refused.code == 404:
                return
            raise
        worker.status = stored["status"]
        worker.kubelet.diary.observed(worker)

    # ---- probes, and what is waited for

    def probes_of(self, worker: PodWorker) -> NoProbes:
        return probes_of(worker, self._probes, self.loop, self.timer)

    def _probe(self, key: Key) -> float | None:
        worker = self.workers.get(key[0])
        if worker is None or not isinstance(worker.probes, PodProbes) or worker.kubelet.down:
            return None
        return worker.probes.beat(key[1], key[2])

    def timer(self, seconds: float, then: Callable[[], None]) -> None:
        """Call back after so many seconds."""
        if seconds < _NEVER:
            self._alarm_count += 1
            self._alarms[self._alarm_count] = then
            self._timers.add(self._alarm_count, seconds)

    def _ring(self, number: int) -> None:
        self._alarms.pop(number)()

    def token(self, pod: Json, wanted: Json) -> bytes:
        """A token for a pod's service account, where this lab signs any."""
        meta = pod["metadata"]
        account = str(pod["spec"].get("serviceAccountName") or "default")
        bound = {"kind": "Pod", "apiVersion": "v1", "name": meta["name"], "uid": meta["uid"]}
        spec: Json = {"boundObjectRef": bound, "expirationSeconds": int(wanted.get("expirationSeconds") or 3600)}
        if wanted.get("audience"):
            spec["audiences"] = [wanted["audience"]]
        body = {"kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "spec": spec}
        try:
            made = self.client.create("serviceaccounts", body, meta["namespace"], "token", account)
        except ApiError:
            return b""
        return str((made.get("status") or {}).get("token", "")).encode()


def _with_foreign(status: Json, stored: Json) -> Json:
    """The status to write: conditions of others as they stand now."""
    if "conditions" not in status:
        return status
    own = (*OWN, *RESIZE)
    foreign = [one for one in stored.get("conditions") or () if one["type"] not in own]
    known = {one["type"] for one in status["conditions"]}
    missing = [one for one in foreign if one["type"] not in known]
    return {**status, "conditions": [*missing, *status["conditions"]]} if missing else status


def register(
    context: Context,
    count: int,
    agents: Agents,
    make_runtime: MakeRuntime,
    shape: Callable[[int], Shape] = lambda _: Shape(),
) -> Fleet:
    """Make node1 to nodeN."""
    fleet = Fleet(context, agents, make_runtime)
    for index in range(count):
        fleet.add(f"node{index + 1}", index, shape(index), announce=count <= _FEW_NODES)
    for index in range(min(count, _FEW_NODES)):  # the others have their turn when it comes
        fleet.beat(f"node{index + 1}")
    return fleet
