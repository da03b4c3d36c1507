"""Which pods would have to go for a pod of higher priority (framework/preemption/preemption.go,
plugins/defaultpreemption/default_preemption.go).

Decides only; `eviction` acts on it. On each node all pods of lower priority are taken away in thought, and as many as
possible given back, those first whose budget would be violated, the more important before the less important.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from k8sdiag.evidence import Json
from k8sdiag.minicluster.scheduler.nodes import NodeInfo
from k8sdiag.minicluster.scheduler.plugin import World
from k8sdiag.minicluster.scheduler.pods import PodInfo
from k8sdiag.minicluster.scheduler.search import Prepared, copies, objection_with_nominated, shift
from k8sdiag.minicluster.scheduler.status import NO_VICTIMS, NOT_HELPFUL, Diagnosis, Status, fit_error, unresolvable
from k8sdiag.minicluster.scheduler.terms import selector

NAME = "DefaultPreemption"
_NO_VICTIMS = unresolvable("", NO_VICTIMS)
_NOT_HELPFUL = unresolvable("", NOT_HELPFUL)
_CANDIDATES_PERCENT, _FEWEST_CANDIDATES = 10, 100
_PRIORITY_SHIFT = 2**31  # makes every priority positive, so that more victims never sum up to less


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node, and the pods that would have to leave it, the most important first."""

    node: NodeInfo
    victims: tuple[PodInfo, ...]
    violations: int  # of disruption budgets

    def cost(self) -> tuple[int, int, int, int, float]:
        """Less is better (pickOneNodeForPreemption)."""
        highest = self.victims[0].priority
        total = sum(victim.priority + _PRIORITY_SHIFT for victim in self.victims)
        earliest = min(victim.start for victim in self.victims if victim.priority == highest)
        return self.violations, highest, total, len(self.victims), -earliest


@dataclass(frozen=True, slots=True)
class Verdict:
    """The candidate, or the words why there is none. `keep`: an earlier nomination still stands."""

    candidate: Candidate | None
    message: str = ""
    keep: bool = False


def decide(pod: PodInfo, diagnosis: Diagnosis, prepared: Prepared, world: World, random: Random) -> Verdict:
    refusal = ineligible(pod, diagnosis, world)
    if refusal:
        return Verdict(None, f"preemption: {refusal}", keep=True)
    total = len(world.snapshot.nodes)
    statuses: Mapping[Status, int]
    if min(world.snapshot.priorities, default=pod.priority) >= pod.priority:
        count = diagnosis.helpable_count(total)  # nobody anywhere could be a victim
        statuses = {_NO_VICTIMS: count} if count else {}
    else:
        names = diagnosis.helpable(node.name for node in world.snapshot.nodes)
        found, statuses = candidates(pod, names, prepared, world, random)
        if found:
            return Verdict(min(found, key=Candidate.cost))
    told = Diagnosis(absent=_NOT_HELPFUL, counted=statuses)
    return Verdict(None, f"preemption: {fit_error(told, total)}")


def ineligible(pod: PodInfo, diagnosis: Diagnosis, world: World) -> str:
    """Why a pod may not preempt; '' if it may (PodEligibleToPreemptOthers)."""
    if pod.spec.get("preemptionPolicy") == "Never":
        return "not eligible due to preemptionPolicy=Never."
    promised = pod.nominated
    if promised:
        status = diagnosis.status(promised)
        if status is not None and not status.resolvable:
            return ""
        node = world.snapshot.node(promised)
        if node is not None and any(
            other.priority < pod.priority and leaving_for_preemption(other) for other in node.pods.values()
        ):
            return "not eligible due to a terminating pod on the nominated node."
    return ""


def leaving_for_preemption(pod: PodInfo) -> bool:
    conditions = (pod.obj.get("status") or {}).get("conditions") or ()
    return pod.terminating and any(
        each.get("type") == "DisruptionTarget"
        and each.get("status") == "True"
        and each.get("reason") == "PreemptionByScheduler"
        for each in conditions
    )


def candidates(
    pod: PodInfo, names: list[str], prepared: Prepared, world: World, random: Random
) -> tuple[list[Candidate], Counter[Status]]:
    """Nodes where preemption helps, and what is to be said of those where it does not (DryRunPreemption). The search
    begins anywhere, and ends when there are enough to choose from."""
    if not names:
        return [], Counter()
    offset = random.randrange(len(names)) if len(names) > 1 else 0
    enough = min(max(len(names) * _CANDIDATES_PERCENT // 100, _FEWEST_CANDIDATES), len(names))
    budgets = world.objects.list("poddisruptionbudgets")
    found: list[Candidate] = []
    statuses: Counter[Status] = Counter()
    for step in range(len(names)):
        name = names[(offset + step) % len(names)]
        node = world.snapshot.node(name)
        if node is None:
            continue
        result = victims_on(pod, node, prepared, world, budgets)
        if isinstance(result, Status):
            statuses[result] += 1
            continue
        found.append(result)
        if len(found) >= enough and any(not each.violations for each in found):
            break
    return found, statuses


def victims_on(
    pod: PodInfo, node: NodeInfo, prepared: Prepared, world: World, budgets: list[Json]
) -> Candidate | Status:
    """The fewest, least important pods whose leaving makes room on a node (SelectVictimsOnNode)."""
    lower = [other for other in node.pods.values() if other.priority < pod.priority]
    if not lower:
        return _NO_VICTIMS
    emptied, states = node.clone(), copies(prepared)
    for other in lower:
        emptied.remove(other)
        shift(states, pod, other, emptied, -1)
    status = objection_with_nominated(states, pod, emptied, world)
    if status is not None:
        return status
    lower.sort(key=_importance)
    violating, harmless = split_by_budget(lower, budgets)
    victims: list[PodInfo] = []
    violations = 0
    for other in violating + harmless:
        emptied.add(other)
        shift(states, pod, other, emptied, 1)
        if objection_with_nominated(states, pod, emptied, world) is None:
            continue
        emptied.remove(other)
        shift(states, pod, other, emptied, -1)
        victims.append(other)
        violations += other in violating
    if not victims:
        return unresolvable("", f'expected at least one victim pod on node "{node.name}"')
    return Candidate(node, tuple(sorted(victims, key=_importance)), violations)


def _importance(pod: PodInfo) -> tuple[int, float]:
    """The most important first: priority, then age (MoreImportantPod)."""
    return -pod.priority, pod.start


def split_by_budget(pods: list[PodInfo], budgets: list[Json]) -> tuple[list[PodInfo], list[PodInfo]]:
    """Pods whose eviction would violate a disruption budget, and the others (filterPodsWithPDBViolation)."""
    chosen = [(budget, selector((budget.get("spec") or {}).get("selector"))) for budget in budgets]
    left = [(budget.get("status") or {}).get("disruptionsAllowed") or 0 for budget in budgets]
    violating: list[PodInfo] = []
    harmless: list[PodInfo] = []
    for pod in pods:
        violated = False
        for index, (budget, its) in enumerate(chosen):
            if not pod.labels or budget["metadata"].get("namespace") != pod.namespace:
                continue
            if its is None or its.empty or not its.matches(pod.labels):
                continue
            if pod.name in ((budget.get("status") or {}).get("disruptedPods") or {}):
                continue
            left[index] -= 1
            violated = violated or left[index] < 0
        (violating if violated else harmless).append(pod)
    return violating, harmless
