"""Rollouts that do not get on: what still serves meanwhile, and what waits for what; one fact a workload.

Sample: ReplicaSet web-6b7d9c8f5d (revision 2) has 0 of 1 pods ready, web-5579d475ff (revision 1) still has 3 of 3; or
StatefulSet db with `podManagementPolicy: OrderedReady`, whose db-0 is not ready, so that db-1 and db-2 are not created.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from k8sdiag.clock import parse_time
from k8sdiag.evidence import Json, ref_of
from k8sdiag.facts import Fact, Keys, workload_key
from k8sdiag.finding import Proof
from k8sdiag.podstate import conditions_of, is_finished, is_ready, status_word
from k8sdiag.quantity import count_of
from k8sdiag.relations import View, children_of, pods_of

KIND = "rollout"
KEYS = ("workload", "namespace")
FIELDS = {
    "kind": "Deployment or StatefulSet",
    "name": "metadata.name",
    "namespace": "metadata.namespace",
    "word": "kubectl's word for it: deployment/web",
    "new": "the newest ReplicaSet of a Deployment; the updateRevision of a StatefulSet that is being updated",
    "bad": "pods of it that are not ready, with their STATUS",
    "old": "an older ReplicaSet whose pods are ready",
    "old.ready": "how many of them are",
    "old.revision": "its annotation deployment.kubernetes.io/revision",
    "first": "the first pod of an ordered StatefulSet that is not ready",
    "first.status": "its STATUS",
    "broken": "that pod, where it is already of the updateRevision",
    "waiting": "pods of an ordered StatefulSet that are not created before that one is ready",
    "stuck.seconds": "how long the longest of the bad pods has not been ready",
}
_REVISION = "deployment.kubernetes.io/revision"
_EMPTY: dict[str, Any] = dict.fromkeys(FIELDS, "") | {"old.ready": 0, "bad": (), "waiting": (), "stuck.seconds": 0}


def derive(view: View) -> Iterator[Fact]:
    for deployment in view.of_kind("Deployment"):
        yield from _deployment(view, deployment)
    for stateful in view.of_kind("StatefulSet"):
        yield from _stateful(view, stateful)


def _deployment(view: View, deployment: Json) -> Iterator[Fact]:
    sets = children_of(view.snapshot, deployment, ["ReplicaSet"])
    if len(sets) < 2:
        return
    newest = max(sets, key=_revision)
    bad = [pod for pod in pods_of(view.snapshot, newest) if not is_ready(pod) and not is_finished(pod)]
    serving = [item for item in sets if item is not newest and _ready(item)]
    if not bad or not serving:
        return
    old = max(serving, key=_revision)
    fields = {
        "new": newest["metadata"]["name"],
        "old": old["metadata"]["name"],
        "old.ready": _ready(old),
        "old.revision": (old["metadata"].get("annotations") or {}).get(_REVISION) or "",
    }
    sizes = ", ".join(f"{item['metadata']['name']} {_ready(item)} ready" for item in (newest, old))
    yield _fact(view, deployment, bad, fields, Proof("status", str(ref_of(deployment)), "", f"ReplicaSets: {sizes}"))


def _stateful(view: View, stateful: Json) -> Iterator[Fact]:
    spec, status = stateful.get("spec") or {}, stateful.get("status") or {}
    if spec.get("podManagementPolicy") == "Parallel":
        return
    pods = {pod["metadata"]["name"]: pod for pod in pods_of(view.snapshot, stateful)}
    wanted, start = count_of(spec.get("replicas")), (spec.get("ordinals") or {}).get("start") or 0
    names = [f"{stateful['metadata']['name']}-{number}" for number in range(start, start + min(wanted or 0, 1000))]
    first = next((pods[name] for name in names if name in pods and not is_ready(pods[name])), None)
    if first is None:
        return
    mark = (first["metadata"].get("labels") or {}).get("controller-revision-hash") or ""
    newest = status.get("updateRevision") or ""
    updating = newest != (status.get("currentRevision") or "")
    name = first["metadata"]["name"]
    fields = {
        "new": newest if updating else "",
        "first": name,
        "first.status": status_word(first),
        "broken": name if updating and mark == newest else "",
        "waiting": tuple(other for other in names[names.index(name) :] if other not in pods),
    }
    text = f"podManagementPolicy: {spec.get('podManagementPolicy') or 'OrderedReady'}; pods: {', '.join(pods)}"
    yield _fact(view, stateful, [first], fields, Proof("spec", str(ref_of(stateful)), "", text))


def _fact(view: View, obj: Json, bad: list[Json], fields: dict[str, Any], proof: Proof) -> Fact:
    ref = ref_of(obj)
    since = [parse_time((conditions_of(pod).get("Ready") or {}).get("lastTransitionTime")) for pod in bad]
    waited = [int(view.snapshot.taken_at - moment) for moment in since if moment is not None]
    usual = {
        "kind": ref.kind,
        "name": ref.name,
        "namespace": ref.namespace,
        "word": str(ref),
        "bad": tuple(f"{pod['metadata']['name']} ({status_word(pod)})" for pod in bad),
        "stuck.seconds": max(waited, default=0),
    }
    keys: Keys = {"workload": (workload_key(ref),), "namespace": (ref.namespace,)}
    return Fact(KIND, ref, _EMPTY | usual | fields, keys, (proof,))


def _revision(item: Json) -> tuple[int, str]:
    meta = item["metadata"]
    number = str((meta.get("annotations") or {}).get(_REVISION) or "")
    return int(number) if number.isdigit() else 0, meta.get("creationTimestamp") or ""


def _ready(item: Json) -> int:
    return int((item.get("status") or {}).get("readyReplicas") or 0)
