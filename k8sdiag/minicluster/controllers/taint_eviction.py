"""Drives pods from nodes with a NoExecute taint that they do not tolerate, or not for ever
(pkg/controller/tainteviction/taint_eviction.go)."""

from __future__ import annotations

from k8sdiag.clock import format_time, parse_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.controllers import Context
from k8sdiag.minicluster.tolerations import tolerates

NAME = "taint-eviction-controller"

Key = tuple[str, str]


def start(context: Context) -> None:
    _Evictions(context)


class _Evictions:
    def __init__(self, context: Context) -> None:
        self._client, self._clock, self._events = context.client, context.clock, context.events
        self._tainted: dict[str, list[Json]] = {}  # nodes with NoExecute taints
        self._since: dict[Key, float] = {}  # pods whose time is running, and from when
        self._queue = context.loop.queue("taint-evictions", self._sync)
        self._client.watch("nodes", self._on_node)
        self._client.watch("pods", self._on_pod)

    def _on_node(self, kind: str, node: Json, _: Json | None) -> None:
        name = node["metadata"]["name"]
        taints = (
            [] if kind == "DELETED" else [t for t in node["spec"].get("taints") or () if t["effect"] == "NoExecute"]
        )
        if taints == self._tainted.get(name, []):
            return
        if taints:
            self._tainted[name] = taints
        else:
            self._tainted.pop(name, None)
        for pod in self._client.on_node(name):
            self._queue.add((pod["metadata"]["namespace"], pod["metadata"]["name"]))

    def _on_pod(self, kind: str, pod: Json, old: Json | None) -> None:
        key = (pod["metadata"]["namespace"], pod["metadata"]["name"])
        if kind == "DELETED":
            if self._since.pop(key, None) is not None:
                self._queue.forget(key)
        elif pod["spec"].get("nodeName") in self._tainted and (
            old is None
            or old["spec"].get("nodeName") != pod["spec"].get("nodeName")
            or old["spec"].get("tolerations") != pod["spec"].get("tolerations")
        ):
            self._queue.add(key)

    def _sync(self, key: Key) -> float | None:
        pod = self._client.find("pods", *key)
        if pod is None or pod["metadata"].get("deletionTimestamp"):
            self._since.pop(key, None)
            return None
        taints = self._tainted.get(pod["spec"].get("nodeName", ""), [])
        patience = _patience(taints, pod["spec"].get("tolerations") or [])
        if not taints or patience is None:
            if self._since.pop(key, None) is not None:
                text = f"Cancelling deletion of Pod {key[0]}/{key[1]}"
                self._events.event(pod, "Normal", "TaintManagerEviction", text)
            return None
        now = self._clock.now()
        added = [at for taint in taints if (at := parse_time(taint.get("timeAdded"))) is not None]
        since = self._since.setdefault(key, max(added, default=now))
        if patience > 0 and since + patience > now:
            return since + patience - now
        self._since.pop(key, None)
        self._evict(key, pod, now)
        return None

    def _evict(self, key: Key, pod: Json, now: float) -> None:
        self._events.event(pod, "Normal", "TaintManagerEviction", f"Marking for deletion Pod {key[0]}/{key[1]}")
        try:
            self._client.update(
                "pods",
                disrupted(pod, "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint", now),
                subresource="status",
            )
            self._client.delete("pods", *key, uid=pod["metadata"]["uid"])
        except ApiError as refused:
            if refused.code != 404:
                raise


def disrupted(pod: Json, reason: str, message: str, now: float) -> Json:
    """The pod with the condition that says why it is about to go."""
    status = pod.get("status") or {}
    held = status.get("conditions") or []
    if any(one["type"] == "DisruptionTarget" and one.get("reason") == reason for one in held):
        return pod
    made = {
        "type": "DisruptionTarget",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": format_time(now),
        "reason": reason,
        "message": message,
    }
    kept = [one for one in held if one["type"] != "DisruptionTarget"]
    return {**pod, "status": {**status, "conditions": [*kept, made]}}


def _patience(taints: list[Json], tolerations: list[Json]) -> float | None:
    """How many seconds a pod stays: 0 where it does not tolerate a taint, None for ever (getMinTolerationTime)."""
    limits: list[float] = []
    for taint in taints:
        able = [one for one in tolerations if tolerates(one, taint)]
        if not able:
            return 0.0
        limits += [
            max(0.0, float(one["tolerationSeconds"])) for one in able if one.get("tolerationSeconds") is not None
        ]
    return min(limits, default=None)
