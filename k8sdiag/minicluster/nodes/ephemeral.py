"""Ephemeral containers (`kubectl debug`): started when they are added to a pod that runs, never started again
(pkg/kubelet/kuberuntime/kuberuntime_manager.go computePodActions)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from k8sdiag.clock import parse_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.nodes.commands import run_of
from k8sdiag.minicluster.nodes.lifetimes import Ending, ended_run, life_at
from k8sdiag.minicluster.nodes.pod_status import Container, container_status


@dataclass(frozen=True, slots=True)
class Ephemerals:
    """The ephemeral containers' statuses, those that have just begun, and when something changes next."""

    statuses: tuple[Json, ...]
    fresh: tuple[Json, ...]
    until: float | None


def ephemerals(pod: Json, now: float, left: Mapping[str, Ending]) -> Ephemerals:
    """How they stand. What has begun or ended is known from the pod's status alone."""
    before = {one["name"]: one for one in (pod.get("status") or {}).get("ephemeralContainerStatuses") or ()}
    statuses: list[Json] = []
    fresh: list[Json] = []
    moments: list[float] = []
    for spec in pod["spec"].get("ephemeralContainers") or ():
        held = before.get(spec["name"])
        state = (held or {}).get("state") or {}
        if held is not None and "terminated" in state:
            statuses.append(held)
            continue
        begin = parse_time((state.get("running") or {}).get("startedAt")) or now
        run = run_of(spec)
        if spec["name"] in left:
            run = ended_run(run, begin, left[spec["name"]], "Never")
        life = life_at(run, begin, "Never", now)
        said = container_status(pod, Container(spec, run, life), now)
        statuses.append({key: value for key, value in said.items() if key != "started"} | {"ready": False})
        if held is None:
            fresh.append(spec)
        if life.until is not None:
            moments.append(life.until)
    return Ephemerals(tuple(statuses), tuple(fresh), min(moments, default=None))
