"""Which pods each Service selects, kept up to date by watches, for those that make endpoints of it.

A pod finds its Services through one label of each selector, so a change costs what it touches, however many Services a
namespace has. Whoever listens is told the Service; what happened since it last looked is summed up in a trigger time.
"""

from __future__ import annotations

from collections.abc import Callable

from k8sdiag.clock import parse_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.controllers import Context
from k8sdiag.selectors import matches_labels

Key = tuple[str, str]  # namespace and name of a Service


class ServicePods:
    """The pods of every Service. `changed(service, members)` is called for each Service that something happened to."""

    def __init__(self, context: Context, changed: Callable[[Key, int], None]) -> None:
        self._client, self._clock = context.client, context.clock
        self._changed = changed
        self._selectors: dict[Key, dict[str, str]] = {}
        self._index: dict[tuple[str, str, str], set[Key]] = {}
        self._members: dict[Key, dict[str, Json]] = {}
        self._triggers: dict[Key, float] = {}
        self._client.watch("services", self._on_service)
        self._client.watch("pods", self._on_pod)

    def members(self, service: Key) -> list[Json]:
        return list(self._members.get(service, {}).values())

    def trigger(self, service: Key) -> float | None:
        """The earliest change since the last call (EndpointsLastChangeTriggerTime), and none from now on."""
        return self._triggers.pop(service, None)

    def _on_service(self, kind: str, service: Json, _: Json | None) -> None:
        meta = service["metadata"]
        key = (meta["namespace"], meta["name"])
        selector = service["spec"].get("selector") or {}
        if kind == "DELETED":
            self._unselect(key)
            self._triggers.pop(key, None)
        elif selector != self._selectors.get(key):
            self._unselect(key)
            if selector:
                self._select(key, selector)
        if kind == "ADDED":
            self._trigger(key, parse_time(meta.get("creationTimestamp")))
        self._changed(key, len(self._members.get(key, ())))

    def _unselect(self, key: Key) -> None:
        selector = self._selectors.pop(key, None)
        self._members.pop(key, None)
        if selector:
            entry = (key[0], *min(selector.items()))
            keys = self._index[entry]
            keys.discard(key)
            if not keys:
                del self._index[entry]

    def _select(self, key: Key, selector: dict[str, str]) -> None:
        self._selectors[key] = selector
        self._index.setdefault((key[0], *min(selector.items())), set()).add(key)
        pods = self._client.list("pods", key[0], labels=selector)
        self._members[key] = {pod["metadata"]["name"]: pod for pod in pods}

    def _on_pod(self, kind: str, pod: Json, old: Json | None) -> None:
        meta = pod["metadata"]
        now_in = set() if kind == "DELETED" else self._services_of(pod)
        was_in = self._services_of(old if old is not None else pod) if kind != "ADDED" else set()
        matters = kind == "DELETED" or old is None or _essence(pod) != _essence(old)
        for key in sorted(now_in | was_in):
            members = self._members[key]
            if key in now_in:
                members[meta["name"]] = pod
            else:
                members.pop(meta["name"], None)
            if matters or key not in was_in or key not in now_in:
                self._trigger(key, self._clock.now() if kind == "DELETED" else _ready_since(pod))
                self._changed(key, len(members))

    def _services_of(self, pod: Json) -> set[Key]:
        namespace, labels = pod["metadata"]["namespace"], pod["metadata"].get("labels") or {}
        return {
            key
            for pair in labels.items()
            for key in self._index.get((namespace, *pair), ())
            if matches_labels(self._selectors[key], labels)
        }

    def _trigger(self, key: Key, at: float | None) -> None:
        if at is not None:
            self._triggers[key] = min(at, self._triggers.get(key, at))


def is_ready(pod: Json) -> bool:
    return any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for condition in (pod.get("status") or {}).get("conditions") or ()
    )


def _ready_since(pod: Json) -> float | None:
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition["type"] == "Ready":
            return parse_time(condition.get("lastTransitionTime"))
    return parse_time(pod["metadata"].get("creationTimestamp"))


def _essence(pod: Json) -> tuple[object, ...]:
    """What of a pod shows in endpoints."""
    meta, spec, status = pod["metadata"], pod["spec"], pod.get("status") or {}
    return (
        status.get("podIP"),
        status.get("phase"),
        is_ready(pod),
        bool(meta.get("deletionTimestamp")),
        spec.get("nodeName"),
        meta.get("labels"),
    )


def is_over(pod: Json) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def target_port(port: Json, pod: Json) -> int | None:
    """The number of a Service port on a pod: by name where it has one (pkg/api/v1/pod FindPort)."""
    wanted = port.get("targetPort")
    if isinstance(wanted, int):
        return wanted or port["port"]
    protocol = port.get("protocol", "TCP")
    spec = pod["spec"]
    sidecars = [one for one in spec.get("initContainers") or () if one.get("restartPolicy") == "Always"]
    for container in (*spec["containers"], *sidecars):
        for one in container.get("ports") or ():
            if one.get("name") == wanted and one.get("protocol", "TCP") == protocol:
                number: int = one["containerPort"]
                return number
    return None


def host_name(pod: Json, service: str) -> str:
    """A pod's own name below a headless Service."""
    spec = pod["spec"]
    return str(spec.get("hostname") or "") if spec.get("subdomain") == service else ""


def target_ref(pod: Json) -> Json:
    meta = pod["metadata"]
    return {"kind": "Pod", "namespace": meta["namespace"], "name": meta["name"], "uid": meta["uid"]}


def is_headless(service: Json) -> bool:
    return bool(service["spec"].get("clusterIP") == "None")
