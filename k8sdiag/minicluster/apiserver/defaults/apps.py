"""Deployments, ReplicaSets, StatefulSets, DaemonSets, ControllerRevisions (pkg/apis/apps/v1/defaults.go)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.defaults import pods, volumes


def _spec(obj: Json) -> Json:
    """The spec, with its pod template filled in."""
    inner: Json | None = obj.get("spec")
    if inner is None:
        inner = obj["spec"] = {}
    template = inner.get("template")
    if template is None:
        template = inner["template"] = {}
    pods.template(template)
    return inner


def _unset(of: Json, key: str, value: object) -> None:
    if of.get(key) is None:
        of[key] = value


def _part(of: Json, key: str) -> Json:
    found: Json | None = of.get(key)
    if found is None:
        found = of[key] = {}
    return found


def deployment(obj: Json) -> None:
    inner = _spec(obj)
    _unset(inner, "replicas", 1)
    strategy = _part(inner, "strategy")
    strategy["type"] = strategy.get("type") or "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        rolling = _part(strategy, "rollingUpdate")
        _unset(rolling, "maxUnavailable", "25%")
        _unset(rolling, "maxSurge", "25%")
    _unset(inner, "revisionHistoryLimit", 10)
    _unset(inner, "progressDeadlineSeconds", 600)
    _part(obj, "status")


def replica_set(obj: Json) -> None:
    _unset(_spec(obj), "replicas", 1)
    _unset(_part(obj, "status"), "replicas", 0)


def stateful_set(obj: Json) -> None:
    inner = _spec(obj)
    inner["podManagementPolicy"] = inner.get("podManagementPolicy") or "OrderedReady"
    strategy = _part(inner, "updateStrategy")
    strategy["type"] = strategy.get("type") or "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        _unset(_part(strategy, "rollingUpdate"), "partition", 0)
    retention = _part(inner, "persistentVolumeClaimRetentionPolicy")
    retention["whenDeleted"] = retention.get("whenDeleted") or "Retain"
    retention["whenScaled"] = retention.get("whenScaled") or "Retain"
    _unset(inner, "replicas", 1)
    _unset(inner, "revisionHistoryLimit", 10)
    _unset(inner, "serviceName", "")
    for claim in inner.get("volumeClaimTemplates") or ():
        claim["kind"], claim["apiVersion"] = "PersistentVolumeClaim", "v1"
        _part(claim, "metadata").setdefault("creationTimestamp", None)
        volumes.claim_spec(_part(claim, "spec"))
        _part(claim, "status").setdefault("phase", "Pending")
    status = _part(obj, "status")
    _unset(status, "replicas", 0)
    _unset(status, "availableReplicas", 0)


def daemon_set(obj: Json) -> None:
    inner = _spec(obj)
    strategy = _part(inner, "updateStrategy")
    strategy["type"] = strategy.get("type") or "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        rolling = _part(strategy, "rollingUpdate")
        _unset(rolling, "maxUnavailable", 1)
        _unset(rolling, "maxSurge", 0)
    _unset(inner, "revisionHistoryLimit", 10)
    status = _part(obj, "status")
    for name in ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady"):
        _unset(status, name, 0)


def controller_revision(obj: Json) -> None:
    _unset(obj, "revision", 0)


DEFAULTS = {
    "deployments.apps": deployment,
    "replicasets.apps": replica_set,
    "statefulsets.apps": stateful_set,
    "daemonsets.apps": daemon_set,
    "controllerrevisions.apps": controller_revision,
}
