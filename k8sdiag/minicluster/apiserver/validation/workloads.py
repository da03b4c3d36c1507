"""Deployments, ReplicaSets, StatefulSets, DaemonSets, ReplicationControllers, ControllerRevisions
(pkg/apis/apps/validation/validation.go)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import forbidden_field, invalid_value, not_supported, required
from k8sdiag.minicluster.apiserver.validation import formats, pods
from k8sdiag.minicluster.apiserver.validation.fields import (
    LABELS_DIFFER,
    Causes,
    amount,
    count_or_percent,
    empty_selector,
    immutable,
    label_selector,
    labels,
    nonnegative,
    same,
)
from k8sdiag.minicluster.apiserver.validation.metadata import annotation_values
from k8sdiag.minicluster.apiserver.validation.rules import Rules
from k8sdiag.selectors import matches_selector

_SET_CHANGES = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)
_SET_MUTABLE = frozenset(
    (
        "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy", "minReadySeconds",
    )
)  # fmt: skip


def _selector(spec: Json, kind: str, out: Causes, needed: bool = True) -> None:
    selector = spec.get("selector")
    if selector is None:
        if needed:
            out.append(required("spec.selector"))
        return
    label_selector(selector, "spec.selector", out)
    if empty_selector(selector):
        out.append(invalid_value("spec.selector", selector, f"empty selector is invalid for {kind}"))


def _template(spec: Json, kind: str, out: Causes) -> None:
    """The pods must be such as the selector finds, and run for ever."""
    template, selector = spec.get("template") or {}, spec.get("selector")
    found = (template.get("metadata") or {}).get("labels") or {}
    if selector is not None and not empty_selector(selector) and not matches_selector(selector, found):
        out.append(invalid_value("spec.template.metadata.labels", found or None, LABELS_DIFFER))
    pods.template(template, "spec.template", out)
    _runs_for_ever(template.get("spec") or {}, kind, out)


def _runs_for_ever(inner: Json, kind: str, out: Causes) -> None:
    restart = inner.get("restartPolicy") or ""
    if restart != "Always":
        out.append(not_supported("spec.template.spec.restartPolicy", restart, ("Always",)))
    if inner.get("activeDeadlineSeconds") is not None:
        why = f"activeDeadlineSeconds in {kind} is not Supported"
        out.append(forbidden_field("spec.template.spec.activeDeadlineSeconds", why))


def _deployment(obj: Json, out: Causes) -> None:
    spec = obj.get("spec") or {}
    nonnegative(spec.get("replicas"), "spec.replicas", out)
    _selector(spec, "deployment", out)
    _template(spec, "ReplicaSet", out)
    strategy = spec.get("strategy") or {}
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    if kind == "Recreate":
        if rolling is not None:
            why = "may not be specified when strategy `type` is 'Recreate'"
            out.append(forbidden_field("spec.strategy.rollingUpdate", why))
    elif kind != "RollingUpdate":
        out.append(not_supported("spec.strategy", strategy, ("Recreate", "RollingUpdate")))
    elif rolling is None:
        out.append(required("spec.strategy.rollingUpdate", "this should be defaulted and never be nil"))
    else:
        _rolling_deployment(rolling, "spec.strategy.rollingUpdate", out)
    _seconds(spec, out)
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None:
        nonnegative(deadline, "spec.progressDeadlineSeconds", out)
        if deadline <= (spec.get("minReadySeconds") or 0):
            out.append(invalid_value("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"))


def _seconds(spec: Json, out: Causes) -> None:
    nonnegative(spec.get("minReadySeconds"), "spec.minReadySeconds", out)
    nonnegative(spec.get("revisionHistoryLimit"), "spec.revisionHistoryLimit", out)


def _rolling_deployment(rolling: Json, path: str, out: Causes) -> None:
    fewer, more = rolling.get("maxUnavailable"), rolling.get("maxSurge")
    count_or_percent(fewer, f"{path}.maxUnavailable", out, most=100)
    count_or_percent(more, f"{path}.maxSurge", out)
    if amount(fewer) == 0 and amount(more) == 0:
        out.append(invalid_value(f"{path}.maxUnavailable", fewer, "may not be 0 when `maxSurge` is 0"))


def _replica_set(obj: Json, out: Causes) -> None:
    spec = obj.get("spec") or {}
    nonnegative(spec.get("replicas"), "spec.replicas", out)
    nonnegative(spec.get("minReadySeconds"), "spec.minReadySeconds", out)
    _selector(spec, "deployment", out)  # as the real one says
    _template(spec, "ReplicaSet", out)


def _immutable_selector(obj: Json, old: Json, out: Causes) -> None:
    new, was = ((part.get("spec") or {}).get("selector") for part in (obj, old))
    immutable(new, was, "spec.selector", out)


def _stateful_set(obj: Json, out: Causes) -> None:
    spec = obj.get("spec") or {}
    policy = spec.get("podManagementPolicy") or ""
    if policy not in ("OrderedReady", "Parallel"):
        out.append(invalid_value("spec.podManagementPolicy", policy, "must be 'OrderedReady' or 'Parallel'"))
    strategy = spec.get("updateStrategy") or {}
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    if kind == "OnDelete":
        if rolling is not None:
            why = "only allowed for updateStrategy 'RollingUpdate'"
            out.append(invalid_value("spec.updateStrategy.rollingUpdate", rolling, why))
    elif kind != "RollingUpdate":
        out.append(invalid_value("spec.updateStrategy", strategy, "must be 'RollingUpdate' or 'OnDelete'"))
    elif rolling is not None:
        nonnegative(rolling.get("partition"), "spec.updateStrategy.rollingUpdate.partition", out)
    for name in ("whenDeleted", "whenScaled"):
        held = (spec.get("persistentVolumeClaimRetentionPolicy") or {}).get(name, "Retain")
        if held not in ("Retain", "Delete"):
            where = f"spec.persistentVolumeClaimRetentionPolicy.{name}"
            out.append(not_supported(where, held, ("Retain", "Delete")))
    nonnegative(spec.get("replicas"), "spec.replicas", out)
    _seconds(spec, out)
    nonnegative((spec.get("ordinals") or {}).get("start"), "spec.ordinals.start", out)
    _selector(spec, "statefulset", out)
    _stateful_template(spec, out)


def _stateful_template(spec: Json, out: Causes) -> None:
    """Of the pods' spec next to nothing is looked at here, for its volumes are yet to come; so it is the controller
    that hears of mistakes, as a `FailedCreate` event."""
    template, selector = spec.get("template") or {}, spec.get("selector")
    meta, inner = template.get("metadata") or {}, template.get("spec") or {}
    found = meta.get("labels") or {}
    if selector is not None and not empty_selector(selector) and not matches_selector(selector, found):
        out.append(invalid_value("spec.template.metadata.labels", found or None, LABELS_DIFFER))
    labels(found, "spec.template.labels", out)
    annotation_values(meta.get("annotations"), "spec.template.annotations", out)
    pods.own_annotations(meta.get("annotations"), inner, "spec.template.annotations", out)
    _runs_for_ever(inner, "StatefulSet", out)


def _stateful_change(obj: Json, old: Json, out: Causes) -> None:
    new, was = obj.get("spec") or {}, old.get("spec") or {}
    fields = (new.keys() | was.keys()) - _SET_MUTABLE
    if any(not same(new.get(name), was.get(name)) for name in fields):
        out.append(forbidden_field("spec", _SET_CHANGES))


def _daemon_set(obj: Json, out: Causes) -> None:
    spec = obj.get("spec") or {}
    template, selector = spec.get("template") or {}, spec.get("selector")
    label_selector(selector, "spec.selector", out)
    found = (template.get("metadata") or {}).get("labels") or {}
    if not matches_selector(selector, found):
        out.append(invalid_value("spec.template.metadata.labels", found or None, LABELS_DIFFER))
    if selector is not None and empty_selector(selector):
        out.append(invalid_value("spec.selector", selector, "empty selector is invalid for daemonset"))
    pods.template(template, "spec.template", out)
    _runs_for_ever(template.get("spec") or {}, "DaemonSet", out)
    nonnegative(spec.get("minReadySeconds"), "spec.minReadySeconds", out)
    strategy = spec.get("updateStrategy") or {}
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    if kind not in ("RollingUpdate", "OnDelete"):
        out.append(not_supported("spec.updateStrategy", strategy, ("RollingUpdate", "OnDelete")))
    elif kind == "RollingUpdate" and rolling is None:
        out.append(required("spec.updateStrategy.rollingUpdate"))
    elif kind == "RollingUpdate" and rolling is not None:
        _rolling_daemons(rolling, "spec.updateStrategy.rollingUpdate", out)
    nonnegative(spec.get("revisionHistoryLimit"), "spec.revisionHistoryLimit", out)


def _rolling_daemons(rolling: Json, path: str, out: Causes) -> None:
    fewer, more = rolling.get("maxUnavailable"), rolling.get("maxSurge")
    count_or_percent(fewer, f"{path}.maxUnavailable", out, most=100)
    count_or_percent(more, f"{path}.maxSurge", out, most=100)
    if amount(fewer) and amount(more):
        out.append(invalid_value(f"{path}.maxSurge", more, "may not be set when maxUnavailable is non-zero"))
    elif not amount(fewer) and not amount(more):
        out.append(required(f"{path}.maxUnavailable", "cannot be 0 when maxSurge is 0"))


def _replication_controller(obj: Json, out: Causes) -> None:
    spec = obj.get("spec") or {}
    nonnegative(spec.get("minReadySeconds"), "spec.minReadySeconds", out)
    selector, template = spec.get("selector") or {}, spec.get("template")
    if not selector:
        out.append(required("spec.selector"))
    nonnegative(spec.get("replicas"), "spec.replicas", out)
    if template is None:
        out.append(required("spec.template"))
        return
    found = (template.get("metadata") or {}).get("labels") or {}
    if not matches_selector({"matchLabels": selector}, found):
        out.append(invalid_value("spec.template.metadata.labels", found or None, LABELS_DIFFER))
    pods.template(template, "spec.template", out)
    _runs_for_ever(template.get("spec") or {}, "ReplicationController", out)


_ABOVE = ("updatedReplicas", "readyReplicas", "availableReplicas", "currentReplicas", "fullyLabeledReplicas")


def _counts(obj: Json, _old: Json, out: Causes) -> None:
    """The numbers of a status are none below zero and none above `replicas`."""
    status = obj.get("status") or {}
    for name, value in status.items():
        if isinstance(value, int):
            nonnegative(value, f"status.{name}", out)
    total = status.get("replicas") or 0
    for name in _ABOVE:
        count = status.get(name) or 0
        if count > total:
            out.append(invalid_value(f"status.{name}", count, "cannot be greater than status.replicas"))
    ready, available = status.get("readyReplicas") or 0, status.get("availableReplicas") or 0
    if available > ready:
        why = "cannot be greater than readyReplicas"
        out.append(invalid_value("status.availableReplicas", available, why))


def _daemon_counts(obj: Json, _old: Json, out: Causes) -> None:
    for name, value in (obj.get("status") or {}).items():
        if isinstance(value, int):
            nonnegative(value, f"status.{name}", out)


def _revision(obj: Json, out: Causes) -> None:
    if obj.get("data") is None:
        out.append(required("data", "data is mandatory"))
    nonnegative(obj.get("revision"), "revision", out)


def _revision_change(obj: Json, old: Json, out: Causes) -> None:
    immutable(obj.get("data"), old.get("data"), "data", out)


RULES = {
    "deployments.apps": Rules(_deployment, _immutable_selector, _counts),
    "replicasets.apps": Rules(_replica_set, _immutable_selector, _counts),
    "statefulsets.apps": Rules(_stateful_set, _stateful_change, _counts, name=formats.dns_label),
    "daemonsets.apps": Rules(_daemon_set, _immutable_selector, _daemon_counts),
    "replicationcontrollers": Rules(_replication_controller, None, _counts),
    "controllerrevisions.apps": Rules(_revision, _revision_change),
}
