"""One look at a daemon set: its pods by node, which to make, which to delete
(pkg/controller/daemon/daemon_controller.go podsShouldBeOnNode, update.go rollingUpdate)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from k8sdiag.evidence import Json
from k8sdiag.minicluster.controllers.daemon_placement import Placement, target_of
from k8sdiag.minicluster.controllers.deployment_budget import scaled
from k8sdiag.minicluster.controllers.pod_states import available, finished, phase_of, ready, terminating
from k8sdiag.minicluster.controllers.revisions import LABEL

Verdict = Callable[[str], bool]  # whether a failed pod may be deleted now on that node


@dataclass(slots=True)
class Plan:
    """Nodes that are to get a pod, and pods that are to go."""

    nodes: list[str] = field(default_factory=list)
    pods: list[Json] = field(default_factory=list)


@dataclass(slots=True)
class DaemonNodes:
    """Where a daemon set's pods are, and where they should be."""

    set: Json
    revision: str
    now: float
    wanted: dict[str, tuple[bool, bool]]  # node: should run, may stay
    pods: dict[str, list[Json]]

    @classmethod
    def of(cls, daemon_set: Json, pods: list[Json], nodes: list[Json], revision: str, now: float) -> DaemonNodes:
        placement = Placement(daemon_set)
        by_node: dict[str, list[Json]] = {}
        for pod in sorted(pods, key=_age):
            if not (terminating(pod) and finished(pod)):
                by_node.setdefault(target_of(pod), []).append(pod)
        wanted = {node["metadata"]["name"]: placement.look(node) for node in nodes}
        return cls(daemon_set, revision, now, wanted, by_node)

    def current(self, pod: Json) -> bool:
        return (pod["metadata"].get("labels") or {}).get(LABEL) == self.revision

    def available(self, pod: Json) -> bool:
        return available(pod, self.set["spec"].get("minReadySeconds", 0), self.now)

    # ---- missing and superfluous pods

    def plan(self, may_kill: Verdict) -> Plan:
        plan = Plan()
        for node, (should_run, may_stay) in self.wanted.items():
            held = self.pods.get(node, [])
            if should_run and not held:
                plan.nodes.append(node)
            elif may_stay:
                plan.pods += self._superfluous(node, held, may_kill)
            else:
                plan.pods += [pod for pod in held if not terminating(pod)]
        for node, held in self.pods.items():  # made for nodes that are gone before they were bound
            if node not in self.wanted:
                plan.pods += [pod for pod in held if not pod["spec"].get("nodeName") and not terminating(pod)]
        return plan

    def _superfluous(self, node: str, held: list[Json], may_kill: Verdict) -> list[Json]:
        living = [pod for pod in held if not terminating(pod)]
        doomed = [pod for pod in living if phase_of(pod) == "Succeeded"]
        doomed += [pod for pod in living if phase_of(pod) == "Failed" and may_kill(node)]
        running = [pod for pod in living if not finished(pod)]
        if not self._surges():
            return [*doomed, *running[1:]]
        new = [pod for pod in running if self.current(pod)]
        old = [pod for pod in running if not self.current(pod)]
        doomed += [*new[1:], *old[1:]]
        if new and old and (self.available(new[0]) or not ready(old[0])):
            doomed.append(old[0])
        return doomed

    # ---- rolling update

    def rollout(self) -> Plan:
        """What may be replaced now."""
        more, fewer = self._budget()
        return self._surge(more) if more else self._in_place(fewer)

    def _in_place(self, fewer: int) -> Plan:
        missing, broken, working = 0, [], []
        for node, held in self.pods.items():
            if node not in self.wanted:
                continue
            new, old, clear = self._split(held)
            if not clear or (new is None and old is None) or (new is not None and old is not None):
                missing += 1
            elif new is not None:
                missing += not self.available(new)
            elif old is not None and not self.available(old):
                missing += 1
                broken.append(old)
            elif old is not None:
                working.append(old)
        return Plan(pods=[*broken, *working[: max(0, fewer - missing)]])

    def _surge(self, more: int) -> Plan:
        extra, plan, working = 0, Plan(), []
        for node, held in self.pods.items():
            if node not in self.wanted:
                continue
            new, old, clear = self._split(held)
            if not clear:
                extra += 1
            elif new is None and old is not None:
                if not self.wanted[node][0]:
                    plan.pods.append(old)
                elif not self.available(old):
                    plan.nodes.append(node)
                else:
                    working.append(node)
            elif new is not None and old is not None:
                if self.available(new):
                    plan.pods.append(old)
                else:
                    extra += 1
        plan.nodes += working[: max(0, more - extra)]
        return plan

    def _split(self, held: list[Json]) -> tuple[Json | None, Json | None, bool]:
        """The new pod and the old one; unclear where there are two of a sort."""
        living = [pod for pod in held if not terminating(pod)]
        new = [pod for pod in living if self.current(pod)]
        old = [pod for pod in living if not self.current(pod)]
        if len(new) > 1 or len(old) > 1:
            return None, None, False
        return new[0] if new else None, old[0] if old else None, True

    def _surges(self) -> bool:
        return self._budget()[0] > 0

    def _budget(self) -> tuple[int, int]:
        """How many nodes may have two pods, and how many none."""
        strategy = self.set["spec"].get("updateStrategy") or {}
        if strategy.get("type", "RollingUpdate") != "RollingUpdate":
            return 0, 0
        update = strategy.get("rollingUpdate") or {}
        desired = sum(should_run for should_run, _ in self.wanted.values())
        more = scaled(update.get("maxSurge", 0), desired, up=True)
        fewer = scaled(update.get("maxUnavailable", 1), desired, up=True)
        return more, fewer if more or fewer else 1

    # ---- status

    def status(self, collisions: int) -> Json:
        desired = current = astray = ready_now = available_now = updated = 0
        for node, (should_run, _) in self.wanted.items():
            held = self.pods.get(node, [])
            if not should_run:
                astray += bool(held)
                continue
            desired += 1
            if held:
                current += 1
                ready_now += ready(held[0])
                available_now += self.available(held[0])
                updated += self.current(held[0])
        counts = {
            "observedGeneration": self.set["metadata"].get("generation", 0),
            "updatedNumberScheduled": updated,
            "numberAvailable": available_now,
            "numberUnavailable": desired - available_now,
            "collisionCount": collisions,
        }
        return {
            "currentNumberScheduled": current,
            "numberMisscheduled": astray,
            "desiredNumberScheduled": desired,
            "numberReady": ready_now,
        } | {name: count for name, count in counts.items() if count}


def _age(pod: Json) -> tuple[bool, str, str]:
    """Bound pods before others, the oldest first."""
    meta = pod["metadata"]
    return not pod["spec"].get("nodeName"), meta.get("creationTimestamp", ""), meta["name"]
