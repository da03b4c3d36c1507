"""One pod on one node: what the kubelet knows of it, and when it looks at it again (pkg/kubelet/pod_workers.go).

A pod is synced when something about it changed, and never before its containers have been listed again since the last
sync: once a second a node lists them (the PLEG). After a failed sync the next comes in 10 to 15 s, on the kubelet's own
one-second beat. Nothing is done for a pod of which nothing changes.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, floor
from typing import TYPE_CHECKING, Any

from k8sdiag.clock import parse_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.kubelet import pod_end, pod_sync
from k8sdiag.minicluster.kubelet.actions import Seen
from k8sdiag.minicluster.kubelet.conditions import Value, containers_ready, with_gates
from k8sdiag.minicluster.kubelet.conditions import condition as made_condition
from k8sdiag.minicluster.kubelet.containers import Record, Runs
from k8sdiag.minicluster.kubelet.pod_status import PodFacts, status_of
from k8sdiag.minicluster.kubelet.probes import LIVENESS, NO_PROBES, READINESS, STARTUP, NoProbes
from k8sdiag.minicluster.kubelet.probing import Subject
from k8sdiag.minicluster.kubelet.steps import Resume, Task
from k8sdiag.minicluster.kubelet.volumes import Attempt
from k8sdiag.minicluster.runtimes.base import RUNNING, Sandbox

if TYPE_CHECKING:
    from k8sdiag.minicluster.kubelet.kubelet import Kubelet

SYNC, TERMINATING, TERMINATED, FINISHED = "sync", "terminating", "terminated", "finished"
RETRY, NETWORK = 10.0, 1.0
_JITTER = 0.5
_PATCH = 0.006  # until a status that was made is written


class PodWorker:
    """The state of one pod on its node."""

    __slots__ = (
        "actual", "admitted", "allocated", "attempt", "begun", "evicted", "extra", "gone", "grace", "kubelet",
        "made_with", "mounted", "mounts", "over", "pending", "pod", "probes", "quiet", "reasons", "runs", "sandbox",
        "stage", "status", "synced_at", "task", "told", "uid", "verdict", "waiting",
    )  # fmt: skip

    def __init__(self, kubelet: Kubelet, pod: Json, quiet: bool) -> None:
        self.kubelet, self.pod, self.quiet = kubelet, pod, quiet
        self.uid = str(pod["metadata"]["uid"])
        self.status: Json = pod.get("status") or {}
        self.runs: dict[str, Runs] = {}
        self.reasons: dict[str, tuple[str, str]] = {}
        self.sandbox: Sandbox | None = None
        self.attempt = 0
        self.probes: NoProbes | None = None
        self.stage = SYNC
        self.task: Task | None = None
        self.pending = self.over = self.gone = self.admitted = self.mounted = False
        self.made_with: dict[str, Json] = {}
        self.synced_at = float("-inf")
        self.begun = parse_time(self.status.get("startTime"))
        self.verdict: tuple[str, str, str] | None = None
        self.evicted: tuple[str, str, str] | None = None
        self.grace: float | None = None
        self.mounts: dict[str, Attempt] = {}
        self.waiting: list[tuple[str, Resume]] = []
        self.extra: dict[str, Value] = {}
        self.allocated: dict[str, Json] = {}
        self.actual: dict[str, Json] = {}
        self.told: dict[str, str] = {}  # what the journal has said of containers

    # ---- what is known

    @property
    def terminating(self) -> bool:
        return self.stage != SYNC

    @property
    def addresses(self) -> tuple[str, ...]:
        if self.pod["spec"].get("hostNetwork"):
            return (self.kubelet.address,)
        return self.sandbox.addresses if self.sandbox is not None else ()

    def run_of(self, container: str) -> Record | None:
        found = self.runs.get(container)
        return found[-1] if found else None

    def subject(self, run: Record, container: Json) -> Subject:
        """What a probe or a hook of a container talks to."""
        address = self.addresses[0] if self.addresses else ""
        return Subject(self.kubelet.runtime, run.sandbox, run.id, address, container)

    def refresh(self) -> None:
        """List the containers again."""
        inspect = self.kubelet.runtime.inspect
        for runs in self.runs.values():
            for run in runs:
                if not run.exited:
                    run.state = inspect(run.id) or run.state
        if self.sandbox is not None and not self.over:
            there = inspect(self.sandbox.id)
            if there is None or there.state != RUNNING:
                self.sandbox = None

    def seen(self) -> Seen:
        probes = self.probes or NO_PROBES
        return Seen(
            self.runs, self.sandbox.id if self.sandbox else "", self.attempt, probes.result, self.kubelet.resized(self)
        )

    def remember(self, run: Record) -> None:
        """A new run; one before it is kept."""
        self.runs[run.name] = [*self.runs.get(run.name, [])[-1:], run]

    def say(self, kind: str, reason: str, message: str, path: str = "") -> None:
        """An event. Where very many pods start at once, only what is wrong is told."""
        if not (self.quiet and kind == "Normal"):
            self.kubelet.recorder.event(self.pod, kind, reason, message, field_path=path)

    # ---- the status

    def make_status(self) -> bool:
        """Make the status anew and have it written; whether the pod is to end by it."""
        verdict = self.evicted if self.over and self.evicted else self.verdict
        facts = PodFacts(
            self.runs,
            self.reasons,
            self.probes or NO_PROBES,
            self.sandbox is not None and not self.over,
            self.addresses,
            self.kubelet.address,
            self.over,
            verdict,
            self.extra,
            self.allocated,
            self.actual,
        )
        self.kubelet.diary.needs_sandbox(self)
        status, over = status_of(self.pod, self.status, facts, self.kubelet.clock.now())
        if self.begun is None:
            self.begun = parse_time(status["startTime"])
        self.put(status)
        if self.probes is not None:
            self.probes.look()
        return over

    def put(self, status: Json) -> None:
        """Have a status written in a moment."""
        self.status = status
        self.kubelet.fleet.statuses.add(self.uid, _PATCH)

    def probe_changed(self, kind: str, run: str, container: str, result: bool | None) -> None:
        """A probe says something new (the syncLoop's probe cases)."""
        diary = self.kubelet.diary
        if kind == LIVENESS:
            if result is False:
                diary.probe_changed(self, kind, "unhealthy")
                self.request()
            return
        shown = "ready" if kind == READINESS else "started"
        diary.probe_changed(self, kind, shown if result else "not ready" if kind == READINESS else "unhealthy")
        self._show(run, container, shown, result is True)
        self.request()

    def probe_failed(self, container: str, kind: str, output: str, errored: bool) -> None:
        """A probe's turn has gone wrong, whether or not that counts yet."""
        self.kubelet.diary.probe_failed(self.pod, container, kind, output, errored)

    def _show(self, run: str, container: str, shown: str, value: bool) -> None:
        """Change one field of one container in the status, and the conditions that follow from it."""
        if self.stage != SYNC:
            return
        made = {**self.status}
        changed = False
        for group in ("containerStatuses", "initContainerStatuses"):
            entries = made.get(group) or []
            for index, one in enumerate(entries):
                right = one["name"] == container and one.get("containerID", "").endswith(run)
                if right and one[shown] != value and (shown != STARTUP or "running" in one["state"]):
                    made[group] = [*entries[:index], {**one, shown: value}, *entries[index + 1 :]]
                    changed = True
        if changed and shown == "ready":
            self._ready_conditions(made)
        if changed:
            self.put(made)

    def _ready_conditions(self, status: Json) -> None:
        listed = {
            one["name"]: one
            for name in ("initContainerStatuses", "containerStatuses")
            for one in status.get(name) or ()
        }
        now = self.kubelet.clock.now()
        ready = containers_ready(self.pod["spec"], listed, status["phase"])
        values = {"Ready": with_gates(self.pod["spec"], status["conditions"], ready), "ContainersReady": ready}
        status["conditions"] = [
            made_condition(one["type"], values[one["type"]], one, now) if one["type"] in values else one
            for one in status["conditions"]
        ]

    # ---- when it is looked at

    def request(self) -> None:
        """Sync as soon as may be."""
        self.kubelet.fleet.syncs.add(self.uid, self._earliest())

    def _earliest(self) -> float:
        """Seconds until the containers have been listed since the last sync."""
        return max(0.0, self.kubelet.listing_after(self.synced_at) - self.kubelet.clock.now())

    def changed(self) -> None:
        """The runtime says that something is new; the next listing sees it."""
        now = self.kubelet.clock.now()
        self.kubelet.diary.ended(self)
        for identity, resume in [*self.waiting]:
            state = self.kubelet.runtime.inspect(identity)
            if state is None or state.state == "exited":
                self.waiting.remove((identity, resume))
                resume(None)
        self.kubelet.fleet.syncs.add(self.uid, max(0.0, self.kubelet.listing_after(now) - now))

    def turn(self) -> float | None:
        """A planned moment has come: do what the pod's stage asks for."""
        if self.task is not None:
            self.kubelet.diary.listed(self)
            self.pending = True
            return None
        early = self._earliest()
        if early > 0:
            return early
        self.kubelet.diary.listed(self)
        steps = {
            SYNC: pod_sync.sync,
            TERMINATING: pod_end.end,
            TERMINATED: pod_end.finish,
            FINISHED: pod_end.leave,
        }[self.stage]
        self.pending = False
        self.task = self.kubelet.fleet.engine.run(steps(self), self._done)
        return None

    def _done(self, answer: Any) -> None:
        """A sync is over; `answer` is the stage that follows, or after how many seconds to try again."""
        now = self.kubelet.clock.now()
        self.task = None
        self.synced_at = now
        if isinstance(answer, str):
            self.stage = answer
            self.request()
        elif answer is not None and self.stage == SYNC:
            wait = RETRY if not isinstance(answer, float) else answer
            due = now + wait * (1 + _JITTER * self.kubelet.random.random())
            self.kubelet.fleet.syncs.add(self.uid, self.kubelet.beat_after(due) - now)
        if self.pending:
            self.pending = False
            self.request()

    def end(self, grace: float | None = None) -> None:
        """The pod is to go (deleted, evicted, past its deadline)."""
        if grace is not None:
            self.grace = grace if self.grace is None else min(self.grace, grace)
        if self.stage == SYNC:
            self.stage = TERMINATING
            if self.task is not None:
                self.task.cancel()
                self.pending = True
        elif self.stage == TERMINATING and grace is not None:
            for runs in self.runs.values():
                for run in runs[-1:]:
                    if run.running:
                        self.kubelet.runtime.stop(run.id, grace)
        self.request()

    def await_exit(self, identity: str) -> Callable[[Resume], None]:
        """Wait for a container to end."""

        def begin(resume: Resume) -> None:
            state = self.kubelet.runtime.inspect(identity)
            if state is None or state.state == "exited":
                resume(None)
            else:
                self.waiting.append((identity, resume))

        return begin


def grid_after(moment: float, phase: float) -> float:
    """The first beat of a one-second grid that is later than a moment."""
    return floor(moment - phase + 1e-9) + 1 + phase if moment > float("-inf") else moment


def grid_from(moment: float, phase: float) -> float:
    """The first beat at or after a moment."""
    return ceil(moment - phase - 1e-9) + phase
