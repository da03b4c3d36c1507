"""What a filter says of a node, and the sentence a pod gets when no node is left.

pkg/scheduler/framework/types.go (FitError.Error), framework/interface.go (the codes). The sentence is read by people,
by autoscalers and by k8sdiag's own rules, so it has to be the real one to the letter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

NO_NODES = "no nodes available to schedule pods"
NOT_HELPFUL = "Preemption is not helpful for scheduling"
NO_VICTIMS = "No preemption victims found for incoming pod"
_NOTE_LIMIT = 1024  # validation.NoteLengthLimit of events.k8s.io


@dataclass(frozen=True, slots=True)
class Status:
    """Why a node will not do. `resolvable`: whether preempting pods could help."""

    plugin: str
    reasons: tuple[str, ...]
    resolvable: bool = True


def rejected(plugin: str, *reasons: str) -> Status:
    """Unschedulable: it would do, if other pods went."""
    return Status(plugin, reasons)


def unresolvable(plugin: str, *reasons: str) -> Status:
    """UnschedulableAndUnresolvable: no eviction can help."""
    return Status(plugin, reasons, resolvable=False)


class RefusalError(Exception):
    """A PreFilter refuses the pod whatever the node."""

    def __init__(self, status: Status) -> None:
        super().__init__(", ".join(status.reasons))
        self.status = status


@dataclass(slots=True)
class Diagnosis:
    """Each node's status, where it has one of its own, and that of all the others."""

    nodes: dict[str, Status] = field(default_factory=dict)
    absent: Status | None = None  # for nodes that no filter looked at
    pre_filter: str = ""
    plugins: set[str] = field(default_factory=set)
    counted: Mapping[Status, int] | None = None  # `nodes` by status, where that is known already

    def status(self, node: str) -> Status | None:
        return self.nodes.get(node) or self.absent

    def by_status(self) -> Mapping[Status, int]:
        """How many nodes have each status of their own."""
        return self.counted if self.counted is not None else Counter(self.nodes.values())

    def helpable_count(self, total: int) -> int:
        """At how many of all nodes preemption could help."""
        known = self.by_status()
        count = sum(number for status, number in known.items() if status.resolvable)
        if self.absent is not None and self.absent.resolvable:
            count += total - sum(known.values())
        return count

    def helpable(self, names: Iterable[str]) -> list[str]:
        """The nodes where preemption could help (NodesForStatusCode Unschedulable), in the given order."""
        found = []
        for name in names:
            status = self.nodes.get(name, self.absent)
            if status is not None and status.resolvable:
                found.append(name)
        return found


def fit_error(diagnosis: Diagnosis, total: int, post_filter: str = "") -> str:
    """`0/3 nodes are available: 1 Insufficient cpu, 2 Too many pods. preemption: …`."""
    text = f"0/{total} nodes are available:"
    if diagnosis.pre_filter:
        text += f" {diagnosis.pre_filter}."
    else:
        reasons = _histogram(diagnosis, total)
        if reasons:
            text += f" {', '.join(reasons)}."
    return f"{text} {post_filter}" if post_filter else text


def _histogram(diagnosis: Diagnosis, total: int) -> list[str]:
    counts: Counter[str] = Counter()
    known = 0
    for status, number in diagnosis.by_status().items():
        known += number
        for reason in status.reasons:
            counts[reason] += number
    if known < total and diagnosis.absent is not None:
        for reason in diagnosis.absent.reasons:
            counts[reason] += total - known
    return sorted(f"{number} {reason}" for reason, number in counts.items())  # as text: 10 comes before 2


def note(message: str) -> str:
    """What fits into an event (schedule_one.go truncateMessage)."""
    return message if len(message) <= _NOTE_LIMIT else message[: _NOTE_LIMIT - 4] + " ..."
