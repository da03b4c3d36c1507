"""DaemonSets: one pod on every node that fits (pkg/controller/daemon/daemon_controller.go)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.controllers import Context
from k8sdiag.minicluster.controllers.adoption import Adoption, OwnerKind, label_selector
from k8sdiag.minicluster.controllers.daemon_nodes import DaemonNodes, Plan
from k8sdiag.minicluster.controllers.daemon_placement import pod_for
from k8sdiag.minicluster.controllers.ownership import Key, key_of
from k8sdiag.minicluster.controllers.pod_control import PodControl
from k8sdiag.minicluster.controllers.pod_states import available_in, phase_of
from k8sdiag.minicluster.controllers.revisions import LABEL, hash_of, history_of, truncate

NAME = "daemonset-controller"
_BURST = 250
_FIRST_PAUSE, _LAST_PAUSE = 1.0, 900.0  # between two kills of failed pods on one node
_CALM = 100  # of more nodes, changes are looked at a little later, many together
_PATIENCE = 1.0


def start(context: Context) -> None:
    _DaemonSets(context)


class _DaemonSets:
    def __init__(self, context: Context) -> None:
        self._client, self._clock, self._events = context.client, context.clock, context.events
        self._pods = PodControl(context.client, context.events)
        owner = OwnerKind("apps/v1", "DaemonSet", "daemonsets", label_selector)
        self._adoption = Adoption(context.client, owner, "pods")
        self._nodes: set[str] = set()
        self._sets: dict[Key, None] = {}
        self._kills: dict[tuple[str, str, str], tuple[float, float]] = {}  # set, revision, node: when, pause
        self._queue = context.loop.queue("daemonsets", self._sync)
        self._client.watch("nodes", self._on_node)
        self._client.watch("daemonsets", self._on_set)
        self._client.watch("pods", self._on_pod)

    def _on_node(self, change: str, node: Json, old: Json | None) -> None:
        if change == "DELETED":
            self._nodes.discard(node["metadata"]["name"])
        else:
            self._nodes.add(node["metadata"]["name"])
        if change != "MODIFIED" or old is None or _placing(node) != _placing(old):
            for key in self._sets:
                self._queue.add(key, self._patience())

    def _on_set(self, change: str, daemon_set: Json, _: Json | None) -> None:
        self._adoption.see_owner(change, daemon_set)
        key = key_of(daemon_set)
        if change == "DELETED":
            self._sets.pop(key, None)
            self._queue.forget(key)
        else:
            self._sets[key] = None
            self._queue.add(key)

    def _on_pod(self, change: str, pod: Json, old: Json | None) -> None:
        for key in self._adoption.see_child(change, pod, old):
            self._queue.add(key, self._patience())

    def _patience(self) -> float:
        return _PATIENCE if len(self._nodes) > _CALM else 0.0

    def _sync(self, key: Key) -> float | None:
        daemon_set = self._client.find("daemonsets", *key)
        if daemon_set is None or "deletionTimestamp" in daemon_set["metadata"]:
            return None
        if not label_selector(daemon_set):
            message = "This daemon set is selecting all pods. A non-empty selector is required."
            self._events.event(daemon_set, "Warning", "SelectingAll", message)
            return None
        history = history_of(self._client, daemon_set, "apps/v1", "DaemonSet")
        revision = hash_of(history.update)
        fault = None
        waits: list[float] = []
        look = self._look(daemon_set, revision)
        fault = self._carry_out(daemon_set, look.plan(lambda node: self._may_kill(look, node, waits)), revision)
        if fault is None and (daemon_set["spec"].get("updateStrategy") or {}).get("type") != "OnDelete":
            look = self._look(daemon_set, revision)
            fault = self._carry_out(daemon_set, look.rollout(), revision)
        look = self._look(daemon_set, revision)
        held = [pod for pods in look.pods.values() for pod in pods]
        names = {f"{key[1]}-{(pod['metadata'].get('labels') or {}).get(LABEL, '')}" for pod in held}
        truncate(self._client, daemon_set, history, names)
        self._write(daemon_set, look.status(history.collisions))
        if fault is not None:
            raise fault
        pending = available_in(held, daemon_set["spec"].get("minReadySeconds", 0), look.now)
        return min([*waits, *([pending] if pending is not None else [])], default=None)

    def _look(self, daemon_set: Json, revision: str) -> DaemonNodes:
        pods = self._adoption.claim(daemon_set)
        return DaemonNodes.of(daemon_set, pods, self._client.list("nodes"), revision, self._clock.now())

    def _may_kill(self, look: DaemonNodes, node: str, waits: list[float]) -> bool:
        """Whether a failed pod may be deleted there now: controller and kubelet may be fighting over it."""
        key = (look.set["metadata"]["uid"], look.revision, node)
        before, pause = self._kills.get(key, (float("-inf"), 0.0))
        if look.now < before + pause:
            waits.append(before + pause - look.now)
            return False
        again = look.now - before < 2 * _LAST_PAUSE  # after a long peace it starts anew
        self._kills[key] = (look.now, min(pause * 2, _LAST_PAUSE) if pause and again else _FIRST_PAUSE)
        return True

    def _carry_out(self, daemon_set: Json, plan: Plan, revision: str) -> ApiError | None:
        for pod in plan.pods[:_BURST]:
            self._announce(daemon_set, pod)
        pods = [pod_for(daemon_set, node, revision) for node in plan.nodes[:_BURST]]
        fault = self._pods.create_many(pods, daemon_set)
        for pod in plan.pods[:_BURST]:
            try:
                self._pods.delete(pod, daemon_set)
            except ApiError as error:
                fault = fault or error
        if fault is None and max(len(plan.pods), len(plan.nodes)) > _BURST:
            self._queue.add(key_of(daemon_set))
        return fault

    def _announce(self, daemon_set: Json, pod: Json) -> None:
        meta, phase = pod["metadata"], phase_of(pod)
        place = f"{meta['namespace']}/{meta['name']} on node {pod['spec'].get('nodeName', '')}"
        if phase == "Failed":
            message = f"Found failed daemon pod {place}, will try to kill it"
            self._events.event(daemon_set, "Warning", "FailedDaemonPod", message)
        elif phase == "Succeeded":
            message = f"Found succeeded daemon pod {place}, will try to delete it"
            self._events.event(daemon_set, "Normal", "SucceededDaemonPod", message)

    def _write(self, daemon_set: Json, status: Json) -> None:
        known = (daemon_set.get("status") or {}).get("conditions")
        if known:
            status["conditions"] = known
        if status != (daemon_set.get("status") or {}):
            self._client.update("daemonsets", {**daemon_set, "status": status}, "status")


def _placing(node: Json) -> tuple[object, object]:
    """What of a node decides whether daemons belong there."""
    return node["metadata"].get("labels"), node["spec"].get("taints")
