"""One pod after another: take the next, find it a node, bind it, or say why not (pkg/scheduler/schedule_one.go,
eventhandlers.go).

A turn places one pod, so that whoever shares the thread never waits long. All changes come in through `watch` and are
noted at once; nothing is written from there.
"""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.controllers import Context
from k8sdiag.minicluster.scheduler import preemption, volumes_binding
from k8sdiag.minicluster.scheduler.eviction import evict, with_condition
from k8sdiag.minicluster.scheduler.hints import DELETED, HINTS, Happening
from k8sdiag.minicluster.scheduler.nodes import NodeInfo
from k8sdiag.minicluster.scheduler.plugin import World
from k8sdiag.minicluster.scheduler.pods import SCHEDULER, PodInfo, finished
from k8sdiag.minicluster.scheduler.queue import Key, SchedulingQueue, Waiting
from k8sdiag.minicluster.scheduler.search import Outcome, Search
from k8sdiag.minicluster.scheduler.shapes import Shapes
from k8sdiag.minicluster.scheduler.snapshot import Snapshot
from k8sdiag.minicluster.scheduler.spreading import Workloads
from k8sdiag.minicluster.scheduler.status import NO_NODES, fit_error, note
from k8sdiag.minicluster.scheduler.volumes_binding import BIND_TIMEOUT, Pending

_NEXT = "next"
_FLUSH_EVERY = 30.0


class Scheduler:
    def __init__(self, context: Context) -> None:
        self._context = context
        self.snapshot = Snapshot()
        self.waiting = SchedulingQueue()
        self._world = World(self.snapshot, context.client)
        self._workloads = Workloads(context.client)
        self._search = Search(self._world, self._workloads, context.random)
        self._shapes = Shapes(self._search)
        self._pending: dict[Key, Pending] = {}
        self._turns = context.loop.queue("scheduler", self._turn)
        self._binds = context.loop.queue("scheduler volumes", self._look_at_claims)

    def start(self) -> None:
        client = self._context.client
        client.watch("nodes", self._node_changed)
        client.watch("pods", self._pod_changed)
        client.watch("services", lambda _type, _obj, _old: self._workloads.forget())
        for resource in HINTS:
            if resource not in ("nodes", "pods"):
                client.watch(resource, self._noting(resource))
        self._context.loop.every("scheduler flush", _FLUSH_EVERY, self._flush, first=_FLUSH_EVERY)

    # what happens elsewhere

    def _node_changed(self, action: str, obj: Json, old: Json | None) -> None:
        if action == DELETED:
            self.snapshot.remove_node(obj["metadata"]["name"])
        elif not self.snapshot.set_node(obj):
            return
        self._happened("nodes", action, obj, old)

    def _noting(self, resource: str) -> _Note:
        return _Note(self, resource)

    def object_changed(self, resource: str, action: str, obj: Json, old: Json | None) -> None:
        """A claim, volume, class …: pods may wait for it."""
        self._happened(resource, action, obj, old)
        if resource == "persistentvolumeclaims" and self._pending:
            for key, pending in self._pending.items():
                if any(claim["metadata"]["uid"] == obj["metadata"]["uid"] for claim in pending.claims):
                    self._binds.add(key)

    def _pod_changed(self, action: str, obj: Json, old: Json | None) -> None:
        if action == DELETED or finished(obj):
            self._pod_gone(obj)
        elif (obj.get("spec") or {}).get("nodeName"):
            self._pod_placed(action, obj, old)
        elif (obj.get("spec") or {}).get("schedulerName") == SCHEDULER:
            self._pod_waits(obj)

    def _pod_gone(self, obj: Json) -> None:
        metadata = obj["metadata"]
        key = (metadata.get("namespace") or "", metadata["name"])
        promised = bool((obj.get("status") or {}).get("nominatedNodeName"))
        self.waiting.remove(key)
        self._pending.pop(key, None)
        if promised:
            self.snapshot.forget_nomination(metadata["uid"])
        if self.snapshot.remove_pod(metadata["uid"]) is not None or promised:
            self._happened("pods", DELETED, obj, None)

    def _pod_placed(self, action: str, obj: Json, old: Json | None) -> None:
        known = self.snapshot.pod(obj["metadata"]["uid"])
        if known is not None and known.node_name == obj["spec"]["nodeName"] and known.same_needs(obj):
            known.obj = obj
        else:
            self.snapshot.set_pod(PodInfo(obj))
        if known is None or not (old or obj)["spec"].get("nodeName"):
            action = "ADDED"
            metadata = obj["metadata"]
            key = (metadata["namespace"], metadata["name"])
            self.waiting.remove(key)
            self._pending.pop(key, None)
            if self.snapshot.nominated:
                self.snapshot.forget_nomination(metadata["uid"])
        elif known.obj is obj:
            return
        self._happened("pods", action, obj, old)

    def _pod_waits(self, obj: Json) -> None:
        metadata = obj["metadata"]
        key = (metadata["namespace"], metadata["name"])
        now = self._context.clock.now()
        entry = self.waiting.get(key)
        if entry is not None and entry.pod.same_needs(obj):
            entry.pod.obj = obj
            self._renominate(entry.pod)
            return
        if key in self._pending:
            return
        pod = PodInfo(obj)
        if entry is None or entry.pod.uid != pod.uid or entry.pod.gates:
            self.waiting.remove(key)
            self.waiting.add(pod, now)
        else:
            entry.pod = pod
            self.waiting.move(entry, now)
        self._renominate(pod)
        self._turns.add(_NEXT)

    def _renominate(self, pod: PodInfo) -> None:
        promised = pod.nominated
        if promised:
            self.snapshot.nominate(pod, promised)
        elif self.snapshot.nominated:
            self.snapshot.forget_nomination(pod.uid)

    def _happened(self, resource: str, action: str, obj: Json, old: Json | None) -> None:
        """Try those waiting pods again that it may help."""
        what: Happening | None = None
        moved = False
        for plugin, hint in HINTS[resource].items():
            for entry in self.waiting.refused_by(plugin):
                what = what or Happening(resource, action, obj, old, self._world)
                if hint(entry.pod, what):
                    self.waiting.move(entry, self._context.clock.now())
                    moved = True
        if moved:
            self._turns.add(_NEXT)

    def _flush(self) -> None:
        self.waiting.flush(self._context.clock.now())
        self._turns.add(_NEXT)

    # turns

    def _turn(self, _key: str) -> float | None:
        now = self._context.clock.now()
        entry = self.waiting.pop(now)
        if entry is not None:
            settled = False
            try:
                self._place(entry)
                settled = True
            finally:
                if not settled and self.waiting.get(entry.pod.key) is entry:
                    self.waiting.refused(entry, (), now)
        at = self.waiting.next_at(now)
        return None if at is None else max(0.0, at - now)

    def _place(self, entry: Waiting) -> None:
        pod = entry.pod
        if pod.terminating:
            self._tell(pod, f"skip schedule deleting pod: {pod.namespace}/{pod.name}")
            return
        total = len(self.snapshot.nodes)
        if not total:
            self._fail(entry, "Unschedulable", NO_NODES, (), "")
            return
        outcome = self._shapes.find(pod) or self._search.find(pod)
        if outcome.node is not None:
            self._take(entry, outcome, outcome.node)
            return
        diagnosis = outcome.diagnosis
        verdict = preemption.decide(pod, diagnosis, outcome.prepared, self._world, self._context.random)
        candidate = verdict.candidate
        promised = candidate.node.name if candidate else pod.nominated if verdict.keep else ""
        self._fail(entry, "Unschedulable", fit_error(diagnosis, total, verdict.message), diagnosis.plugins, promised)
        if candidate is not None:
            self._unpromise_others(pod, candidate.node.name)
            evict(self._context, pod, candidate)

    def _unpromise_others(self, pod: PodInfo, node: str) -> None:
        """Less important pods may not fit any more on a node that was promised to them."""
        for other in list(self.snapshot.nominated.get(node, {}).values()):
            if other.priority < pod.priority:
                self._set_status(other, {"nominatedNodeName": None})

    def _take(self, entry: Waiting, outcome: Outcome, node: NodeInfo) -> None:
        plan = volumes_binding.plan_for(outcome.prepared, node.name)
        if plan is None:
            self._bind(entry, node.name)
            return
        pod = entry.pod
        deadline = self._context.clock.now() + BIND_TIMEOUT
        self._pending[pod.key] = Pending(entry, node.name, plan, deadline)
        spec = {**pod.spec, "nodeName": node.name}
        self.snapshot.set_pod(PodInfo({**pod.obj, "spec": spec}))  # it holds its place while it waits
        try:
            volumes_binding.begin(self._context.client, plan, node.name)
        except ApiError as refused:
            self._give_up(pod.key, refused.message)
            return
        self._binds.add(pod.key)
        self._binds.add(pod.key, BIND_TIMEOUT)

    def _look_at_claims(self, key: Key) -> float | None:
        pending = self._pending.get(key)
        if pending is None:
            return None
        now = self._context.clock.now()
        trouble = volumes_binding.trouble(self._context.client, pending, now)
        if trouble is None:
            return max(0.0, pending.deadline - now)
        if trouble:
            self._give_up(key, trouble)
        else:
            self._pending.pop(key)
            self._bind(pending.entry, pending.node)
        return None

    def _give_up(self, key: Key, why: str) -> None:
        """The claims could not be bound: the pod's place is free again."""
        entry = self._pending.pop(key).entry
        self.snapshot.remove_pod(entry.pod.uid)
        text = f'running PreBind plugin "VolumeBinding": binding volumes: {why}'
        self._fail(entry, "SchedulerError", text, (), entry.pod.nominated)
        self._turns.add(_NEXT)

    def _bind(self, entry: Waiting, node: str) -> None:
        pod = entry.pod
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": pod.name, "namespace": pod.namespace, "uid": pod.uid},
            "target": {"kind": "Node", "name": node},
        }
        try:
            self._context.client.create("pods", binding, pod.namespace, subresource="binding", name=pod.name)
        except ApiError as refused:
            self.snapshot.remove_pod(pod.uid)
            if refused.code == 404:
                self.waiting.remove(pod.key)
            else:
                text = f'running Bind plugin "DefaultBinder": {refused.message}'
                self._fail(entry, "SchedulerError", text, (), pod.nominated)
                self._turns.add(_NEXT)
            return
        self.waiting.remove(pod.key)
        text = f"Successfully assigned {pod.namespace}/{pod.name} to {node}"
        self._context.events.series_event(pod.obj, "Normal", "Scheduled", "Binding", text)

    def _fail(
        self, entry: Waiting, reason: str, message: str, plugins: set[str] | tuple[str, ...], promised: str
    ) -> None:
        """Say why, on the pod and as an event, and put it back."""
        pod, now = entry.pod, self._context.clock.now()
        self._tell(pod, note(message))
        condition = {"type": "PodScheduled", "status": "False", "reason": reason, "message": message}
        conditions = with_condition(pod.obj.get("status") or {}, condition, now)
        change: Json = {} if conditions is None else {"conditions": conditions}
        if promised != pod.nominated:
            change["nominatedNodeName"] = promised or None
        self.waiting.refused(entry, plugins, now)
        if change:
            self._set_status(pod, change)

    def _tell(self, pod: PodInfo, message: str) -> None:
        self._context.events.series_event(pod.obj, "Warning", "FailedScheduling", "Scheduling", message)

    def _set_status(self, pod: PodInfo, change: Json) -> None:
        try:
            self._context.client.patch("pods", *pod.key, {"status": change}, subresource="status")
        except ApiError as refused:
            if refused.code not in (404, 409):
                raise


class _Note:
    """A watch's callback that knows its resource."""

    def __init__(self, scheduler: Scheduler, resource: str) -> None:
        self._scheduler, self._resource = scheduler, resource

    def __call__(self, action: str, obj: Json, old: Json | None) -> None:
        self._scheduler.object_changed(self._resource, action, obj, old)
