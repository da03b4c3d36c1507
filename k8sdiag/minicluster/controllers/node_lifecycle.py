"""Watches over nodes: those that fall silent become Unknown, get taints, and their pods are no longer ready
(pkg/controller/nodelifecycle/node_lifecycle_controller.go).

A node that renews its lease every 10 s for 40 s is given up after 50 s (--node-monitor-grace-period). A lab with
thousands of nodes lets them renew more rarely; the grace grows with the duration that the lease states.
"""

from __future__ import annotations

from k8sdiag.clock import format_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.controllers import Context
from k8sdiag.minicluster.controllers.node_zones import Zones, zone_of
from k8sdiag.minicluster.events import Recorder

NAME = "node-controller"

_PERIOD = 5.0  # --node-monitor-period
_GRACE = 50.0
_LEASES = "kube-node-lease"
_STATUS_KINDS = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
_UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
_TAINTS = {
    ("Ready", "False"): NOT_READY,
    ("Ready", "Unknown"): UNREACHABLE,
    ("MemoryPressure", "True"): "node.kubernetes.io/memory-pressure",
    ("DiskPressure", "True"): "node.kubernetes.io/disk-pressure",
    ("NetworkUnavailable", "True"): "node.kubernetes.io/network-unavailable",
    ("PIDPressure", "True"): "node.kubernetes.io/pid-pressure",
}
_OURS = frozenset((*_TAINTS.values(), _UNSCHEDULABLE))


def start(context: Context) -> None:
    _Nodes(context)


class _Nodes:
    def __init__(self, context: Context) -> None:
        self._client, self._clock = context.client, context.clock
        self._pod_events = Recorder(context.client, context.clock, NAME)
        self._events = context.events
        self._seen: dict[str, float] = {}  # when a node last gave a sign of life
        self._grace: dict[str, float] = {}
        self._ready: dict[str, str] = {}  # the Ready condition as it was last acted on
        self._zones = Zones()
        self._to_empty: dict[str, dict[str, None]] = {}  # zone to nodes that are to get a NoExecute taint
        self._pause: dict[str, float] = {}  # until when no further node of a zone is emptied
        self._new: set[str] = set()
        self._queue = context.loop.queue("nodes", self._sync)
        self._emptying = context.loop.queue("nodes-to-empty", self._empty_one)
        self._client.watch("nodes", self._on_node)
        self._client.watch("leases", self._on_lease)
        context.loop.every("node-monitor", _PERIOD, self._look_round, first=_PERIOD)

    def _on_node(self, kind: str, node: Json, old: Json | None) -> None:
        name = node["metadata"]["name"]
        if kind == "DELETED":
            self._zones.drop(name)
            for table in (self._seen, self._grace):
                table.pop(name, None)
            self._ready.pop(name, None)
            self._queue.add(name)
            return
        if old is None:
            self._new.add(name)
        if old is None or _heartbeat(node) != _heartbeat(old):
            self._seen[name] = self._clock.now()
        if old is None or _essence(node) != _essence(old):
            self._zones.put(name, zone_of(node), _status_of(node, "Ready") == "True")
            self._queue.add(name)

    def _on_lease(self, kind: str, lease: Json, old: Json | None) -> None:
        meta, spec = lease["metadata"], lease.get("spec") or {}
        if kind == "DELETED" or meta["namespace"] != _LEASES:
            return
        if old is None or (old.get("spec") or {}).get("renewTime") != spec.get("renewTime"):
            self._seen[meta["name"]] = self._clock.now()
            self._grace[meta["name"]] = max(_GRACE, (spec.get("leaseDurationSeconds") or 40) * 1.25)

    def _look_round(self) -> None:
        now, grace = self._clock.now(), self._grace
        for name, seen in self._seen.items():
            if now - seen > grace.get(name, _GRACE):
                self._queue.add(name)

    def _sync(self, name: str) -> None:
        node = self._client.find("nodes", "", name)
        if node is None:
            text = f"Node {name} event: Removing Node {name} from Controller"
            self._events.event(_about(name, name), "Normal", "RemovingNode", text)
            return
        if name in self._new:
            self._new.discard(name)
            text = f"Node {name} event: Registered Node {name} in Controller"
            self._events.event(_about(name, node["metadata"]["uid"]), "Normal", "RegisteredNode", text)
        if self._clock.now() - self._seen.get(name, 0.0) > self._grace.get(name, _GRACE):
            node = self._mark_unknown(node)
        node = self._taint(node)
        ready = _status_of(node, "Ready") or "Unknown"
        if ready != "True" and self._ready.get(name) == "True":
            self._not_ready(name, node)
        self._ready[name] = ready

    def _mark_unknown(self, node: Json) -> Json:
        """What a silent node said of itself counts no longer."""
        now = format_time(self._clock.now())
        said = node.get("status") or {}
        held = {condition["type"]: condition for condition in said.get("conditions") or ()}
        for kind in _STATUS_KINDS:
            old = held.get(kind)
            if old is None:
                held[kind] = {
                    "type": kind,
                    "status": "Unknown",
                    "lastHeartbeatTime": node["metadata"]["creationTimestamp"],
                    "lastTransitionTime": now,
                    "reason": "NodeStatusNeverUpdated",
                    "message": "Kubelet never posted node status.",
                }
            elif old["status"] != "Unknown":
                held[kind] = {
                    **old,
                    "status": "Unknown",
                    "lastTransitionTime": now,
                    "reason": "NodeStatusUnknown",
                    "message": "Kubelet stopped posting node status.",
                }
        conditions = list(held.values())
        if conditions == said.get("conditions"):
            return node
        seen = self._seen.get(node["metadata"]["name"], 0.0)
        status = {**said, "conditions": conditions}
        changed = self._client.update("nodes", {**node, "status": status}, subresource="status")
        self._seen[node["metadata"]["name"]] = seen  # our own writing is no sign of its life
        return changed

    def _taint(self, node: Json) -> Json:
        """Taints as the conditions say: NoSchedule at once, NoExecute when the zone's turn comes."""
        name, zone = node["metadata"]["name"], zone_of(node)
        taints = node["spec"].get("taints") or []
        wanted = [key for (kind, status), key in _TAINTS.items() if _status_of(node, kind) == status]
        if node["spec"].get("unschedulable"):
            wanted.append(_UNSCHEDULABLE)
        kept = [
            taint
            for taint in taints
            if taint["effect"] != "NoSchedule" or taint["key"] not in _OURS or taint["key"] in wanted
        ]
        have = {taint["key"] for taint in kept if taint["effect"] == "NoSchedule"}
        now = format_time(self._clock.now())
        kept += [{"key": key, "effect": "NoSchedule", "timeAdded": now} for key in wanted if key not in have]
        away = next((key for key in wanted if key in (NOT_READY, UNREACHABLE)), "")
        driving = [taint for taint in kept if _drives(taint)]
        if driving and (not away or self._zones.all_silent()):
            kept = [taint for taint in kept if not _drives(taint)]
        elif driving and driving[0]["key"] != away:
            kept = [{**taint, "key": away, "timeAdded": now} if _drives(taint) else taint for taint in kept]
        if away and not driving:
            self._to_empty.setdefault(zone, {})[name] = None
            self._emptying.add(zone)
        elif not away:
            self._to_empty.get(zone, {}).pop(name, None)
        return node if kept == taints else self._set_taints(node, kept)

    def _set_taints(self, node: Json, taints: list[Json]) -> Json:
        spec = {**node["spec"], "taints": taints}
        if not taints:
            del spec["taints"]
        return self._client.update("nodes", {**node, "spec": spec})

    def _empty_one(self, zone: str) -> float | None:
        """One node of a zone gets the taint that drives its pods away; then a pause, as the zone's state asks."""
        waiting = self._to_empty.get(zone)
        if not waiting:
            self._to_empty.pop(zone, None)
            return None
        rate, now = self._zones.rate(zone), self._clock.now()
        if not rate:
            return _PERIOD
        if now < self._pause.get(zone, 0.0):
            return self._pause[zone] - now
        name = next(iter(waiting))
        del waiting[name]
        node = self._client.find("nodes", "", name)
        status = _status_of(node, "Ready") if node else "True"
        if node is None or status == "True":
            return 0.0
        self._pause[zone] = now + 1.0 / rate
        taints = node["spec"].get("taints") or []
        if not any(_drives(taint) for taint in taints):
            key = UNREACHABLE if status == "Unknown" else NOT_READY
            made = {"key": key, "effect": "NoExecute", "timeAdded": format_time(now)}
            self._set_taints(node, [*taints, made])
        return 1.0 / rate

    def _not_ready(self, name: str, node: Json) -> None:
        """A node that was ready is not any more, and neither are its pods (MarkPodsNotReady)."""
        text = f"Node {name} status is now: NodeNotReady"
        self._events.event(_about(name, node["metadata"]["uid"]), "Normal", "NodeNotReady", text)
        now = format_time(self._clock.now())
        for pod in self._client.on_node(name):
            status = pod.get("status") or {}
            held = status.get("conditions") or []
            if not any(condition["type"] == "Ready" and condition["status"] == "True" for condition in held):
                continue
            conditions = [
                {**condition, "status": "False", "lastTransitionTime": now}
                if condition["type"] == "Ready"
                else condition
                for condition in held
            ]
            changed = {**pod, "status": {**status, "conditions": conditions}}
            self._client.update("pods", changed, subresource="status")
            self._pod_events.event(pod, "Warning", "NodeNotReady", "Node is not ready")


def _about(name: str, uid: str) -> Json:
    return {"kind": "Node", "apiVersion": "v1", "metadata": {"name": name, "uid": uid}}


def _drives(taint: Json) -> bool:
    return taint["effect"] == "NoExecute" and taint["key"] in (NOT_READY, UNREACHABLE)


def _status_of(node: Json, kind: str) -> str:
    conditions = (node.get("status") or {}).get("conditions") or ()
    return str(next((condition["status"] for condition in conditions if condition["type"] == kind), ""))


def _heartbeat(node: Json) -> list[object]:
    return [condition.get("lastHeartbeatTime") for condition in (node.get("status") or {}).get("conditions") or ()]


def _essence(node: Json) -> tuple[object, ...]:
    spec = node["spec"]
    statuses = {c["type"]: c["status"] for c in (node.get("status") or {}).get("conditions") or ()}
    return (statuses, spec.get("taints"), spec.get("unschedulable"), zone_of(node))
