"""The probes of a pod: when they run, what counts, and what their results mean (pkg/kubelet/prober/worker.go).

Each probe has its own beat, which begins when the pod is first started; a probe that its container is not ready for
passes. Nothing happens between two beats.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor
from typing import Protocol

from k8sdiag.clock import parse_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.kubelet.containers import INIT, MAIN, Record, every, field_path, is_sidecar
from k8sdiag.minicluster.kubelet.probing import Outcome, Subject, Timer, probe
from k8sdiag.minicluster.loop import Loop, Queue

LIVENESS, READINESS, STARTUP = "liveness", "readiness", "startup"
_FIELDS = {LIVENESS: "livenessProbe", READINESS: "readinessProbe", STARTUP: "startupProbe"}
_INITIAL: dict[str, bool | None] = {LIVENESS: True, READINESS: False, STARTUP: None}
_TRIES = 3  # of a probe that cannot be done (maxProbeRetries)

Key = tuple[str, str, str]  # pod's uid, container, kind of probe


class Probed(Protocol):
    """The pod that is probed."""

    pod: Json
    status: Json

    @property
    def terminating(self) -> bool: ...

    def run_of(self, container: str) -> Record | None: ...

    def subject(self, run: Record, container: Json) -> Subject: ...

    def probe_changed(self, kind: str, run: str, container: str, result: bool | None) -> None: ...

    def say(self, kind: str, reason: str, message: str, path: str = "") -> None: ...

    def probe_failed(self, container: str, kind: str, output: str, errored: bool) -> None: ...


@dataclass(slots=True)
class _Probe:
    """One probe of one container, and its state."""

    container: Json
    group: str
    kind: str
    spec: Json
    begun: float
    run: str = ""
    last: bool | None = None
    in_a_row: int = 0
    on_hold: bool = False
    busy: bool = False
    again: bool = False
    tries: int = 0

    @property
    def period(self) -> float:
        return float(self.spec.get("periodSeconds") or 10)


class NoProbes:
    """Of a pod without any."""

    def started(self, container: str, run: str) -> bool:  # noqa: ARG002
        return True

    def ready(self, container: str, run: str) -> bool:  # noqa: ARG002
        return True

    def result(self, kind: str, run: str) -> bool | None:  # noqa: ARG002
        return None

    def look(self) -> None:
        """Nothing is waited for."""

    def stop(self, kinds: tuple[str, ...] = ()) -> None:
        """Nothing runs."""


NO_PROBES = NoProbes()


class PodProbes(NoProbes):
    """The probes of one pod."""

    def __init__(self, owner: Probed, queue: Queue[Key], loop: Loop, timer: Timer, found: list[_Probe]) -> None:
        self._owner, self._queue, self._loop, self._timer = owner, queue, loop, timer
        self._uid = str(owner.pod["metadata"]["uid"])
        self._probes = {(one.container["name"], one.kind): one for one in found}
        self._results: dict[tuple[str, str], bool | None] = {}
        for name, kind in self._probes:
            queue.add((self._uid, name, kind))

    def started(self, container: str, run: str) -> bool:
        return (container, STARTUP) not in self._probes or self._results.get((STARTUP, run)) is True

    def ready(self, container: str, run: str) -> bool:
        return (container, READINESS) not in self._probes or self._results.get((READINESS, run)) is True

    def result(self, kind: str, run: str) -> bool | None:
        return self._results.get((kind, run))

    def look(self) -> None:
        """A container that runs but is not ready is probed at once (the status was just made anew)."""
        status = self._owner.status
        for name in ("initContainerStatuses", "containerStatuses"):
            for one in status.get(name) or ():
                held = self._probes.get((one["name"], READINESS))
                if held and one["started"] and not one["ready"] and "running" in one["state"]:
                    held.again = True
                    self._queue.add((self._uid, one["name"], READINESS))

    def stop(self, kinds: tuple[str, ...] = (LIVENESS, STARTUP, READINESS)) -> None:
        for name, kind in [*self._probes]:
            if kind in kinds:
                self._queue.forget((self._uid, name, kind))
                del self._probes[name, kind]

    def resume(self) -> None:
        """The kubelet was stopped for a while: go on."""
        for held in self._probes.values():
            held.busy = False
            self._queue.add((self._uid, held.container["name"], held.kind), self._next(held))

    def beat(self, name: str, kind: str) -> float | None:
        """A probe's turn; seconds until its next."""
        held = self._probes.get((name, kind))
        if held is None or held.busy:
            return None
        now = self._loop.clock.now()
        if held.again:  # out of turn: the beat counts from here
            held.again, held.begun = False, now
        if not self._due(held, now):
            return self._next(held)
        run = self._owner.run_of(name)
        if run is None:
            return self._next(held)
        held.busy, held.tries = True, 0
        self._try(held, run)
        return None if held.busy else self._next(held)

    def _next(self, held: _Probe) -> float:
        if held.again:
            return 0.0
        now = self._loop.clock.now()
        beats = floor((now - held.begun) / held.period + 1e-9) + 1
        return max(0.0, held.begun + beats * held.period - now)

    def _due(self, held: _Probe, now: float) -> bool:
        status = _status(self._owner.status, held.container["name"])
        identity = (status or {}).get("containerID", "").partition("://")[2]
        if status is None or not identity:
            return False
        if held.run != identity:
            self._results.pop((held.kind, held.run), None)
            held.run, held.on_hold = identity, False
            self._set(held, _INITIAL[held.kind])
        if held.on_hold:
            return False
        running = status["state"].get("running")
        if not running:
            self._set(held, False)
            return False
        if self._owner.terminating and held.kind != READINESS:
            return False
        if floor(now - (parse_time(running["startedAt"]) or 0.0)) < int(held.spec.get("initialDelaySeconds") or 0):
            return False
        return bool(status.get("started")) != (held.kind == STARTUP)

    def _try(self, held: _Probe, run: Record) -> None:
        held.tries += 1
        subject = self._owner.subject(run, held.container)
        probe(subject, held.spec, self._timer, lambda outcome: self._found(held, run, outcome))

    def _found(self, held: _Probe, run: Record, outcome: Outcome) -> None:
        if self._probes.get((held.container["name"], held.kind)) is not held:
            return
        if outcome.success is None and held.tries < _TRIES:
            self._try(held, run)
            return
        held.busy = False
        self._tell(held, outcome)
        if outcome.success is not None:
            self._count(held, outcome.success)
        self._queue.add((self._uid, held.container["name"], held.kind), self._next(held))

    def _tell(self, held: _Probe, outcome: Outcome) -> None:
        word = held.kind.capitalize()
        path = field_path(held.group, held.container["name"])
        if not outcome.success:
            self._owner.probe_failed(held.container["name"], word, outcome.text, outcome.success is None)
        if outcome.success is None:
            text = f"{word} probe errored and resulted in unknown state: {outcome.text}"
            self._owner.say("Warning", "Unhealthy", text, path)
        elif not outcome.success:
            self._owner.say("Warning", "Unhealthy", f"{word} probe failed: {outcome.text}", path)
        elif outcome.warning:
            self._owner.say("Warning", "ProbeWarning", f"{word} probe warning: {outcome.text}", path)

    def _count(self, held: _Probe, success: bool) -> None:
        held.in_a_row = held.in_a_row + 1 if held.last is success else 1
        held.last = success
        needed = held.spec.get("successThreshold") or 1 if success else held.spec.get("failureThreshold") or 3
        if held.in_a_row < needed:
            return
        self._set(held, success)
        if not success and held.kind != READINESS:
            held.on_hold, held.in_a_row = True, 0

    def _set(self, held: _Probe, result: bool | None) -> None:
        key = (held.kind, held.run)
        if key in self._results and self._results[key] == result:
            return
        self._results[key] = result
        self._owner.probe_changed(held.kind, held.run, held.container["name"], result)


def probes_of(owner: Probed, queue: Queue[Key], loop: Loop, timer: Timer) -> NoProbes:
    """The probes of a pod, beating from now on."""
    now = loop.clock.now()
    found = []
    for group, container in every(owner.pod):
        if group == MAIN or (group == INIT and is_sidecar(container)):
            found += [
                _Probe(container, group, kind, container[name], now)
                for kind, name in _FIELDS.items()
                if container.get(name)
            ]
    return PodProbes(owner, queue, loop, timer, found) if found else NO_PROBES


def _status(status: Json, name: str) -> Json | None:
    for group in ("containerStatuses", "initContainerStatuses"):
        for one in status.get(group) or ():
            if one["name"] == name:
                found: Json = one
                return found
    return None
