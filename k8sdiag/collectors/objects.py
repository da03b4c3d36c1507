"""Workloads and their pods: owners up, children down, and what a scan lists. Sample: a pod's
`ownerReferences: [{kind: ReplicaSet, name: web-7d4b9c, controller: true}]` leads to the ReplicaSet, and on to its
Deployment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from k8sdiag.collectors import Ask, Found, Role, collector, listed, many, named
from k8sdiag.evidence import Evidence, Ref, Scope
from k8sdiag.kinds import parse_kind, served_by
from k8sdiag.patterns import regex
from k8sdiag.relations import WORKLOADS, controller_of
from k8sdiag.selectors import format_labels, format_selector
from k8sdiag.target import Target

_SCANNED = (
    "Pod", "ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "HorizontalPodAutoscaler",
    "PodDisruptionBudget", "ResourceQuota", "LimitRange",
)  # fmt: skip
_SCANNED_CLUSTER = (
    "Node", "PriorityClass", "APIService", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration",
)  # fmt: skip
_LEFT = regex(r"([a-z0-9-]+\.[a-z0-9.-]*) has \d+ resource")


@collector("objects")
def objects(scope: Scope, found: Found) -> Iterator[Ask]:
    """What hangs together with one object, or all workloads of a scope."""
    if found.role is Role.SCAN:
        yield from _scan(scope)
    if found.role in (Role.SUBJECT, Role.POD) and found.ref.namespace:
        yield from _surroundings(found.ref.namespace)
    if found.role in (Role.SUBJECT, Role.POD, Role.OWNER, Role.CHILD):
        yield from _owners(found)
    if found.role in (Role.SUBJECT, Role.CHILD):
        effect = f"what belongs to {found.ref} was not looked at"
        yield from _pods(found, effect)
        yield from _children(found, effect)


def _scan(scope: Scope) -> Iterator[Ask]:
    for kind in _SCANNED:
        yield listed(kind, scope.namespace, f"{many(kind)} were not checked")
    for kind in _SCANNED_CLUSTER:
        yield listed(kind, "", f"{many(kind)} were not checked")
    if scope.namespace:
        yield from named("Namespace", "", scope.namespace, "the state of the namespace is unknown")
    else:
        yield listed("Namespace", "", "namespaces that hang in deletion are not seen")


def _surroundings(namespace: str) -> Iterator[Ask]:
    yield from named("Namespace", "", namespace, "the state of the namespace is unknown")
    yield listed("ResourceQuota", namespace, "whether a quota stands in the way is unknown")
    yield listed("LimitRange", namespace, "whether a limit range stands in the way is unknown")


def _owners(found: Found) -> Iterator[Ask]:
    for owner in (found.obj.get("metadata") or {}).get("ownerReferences") or []:
        kind, name = served_by(owner.get("kind") or "", owner.get("apiVersion") or ""), owner.get("name") or ""
        if kind:
            effect = f"what {kind.kind} {name} reports is unknown"
            yield from named(kind.kind, found.ref.namespace, name, effect, Role.OWNER)


def _pods(found: Found, effect: str) -> Iterator[Ask]:
    """The pods of a subject, as its selector finds them."""
    kind, namespace, spec = found.ref.kind, found.ref.namespace, found.obj.get("spec") or {}
    if kind == "Node":
        yield listed("Pod", "", "what runs on the node is unknown", fieldSelector=f"spec.nodeName={found.ref.name}")
    elif kind == "PersistentVolumeClaim":
        yield listed("Pod", namespace, "who uses the claim is unknown")
    elif kind == "CronJob":
        yield listed("Pod", namespace, effect, labelSelector="job-name")
    elif kind == "Service":  # all, for a selector that matches none is best told by what it misses
        yield listed("Pod", namespace, "which pods the Service could lead to is unknown")
        for workload in ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"):  # that have no pods, or other ones
            yield listed(workload, namespace, "which workload the Service was meant for is unknown")
    elif kind == "ReplicationController":
        selector = format_labels(spec.get("selector"))
        if selector:
            yield listed("Pod", namespace, effect, labelSelector=selector)
    elif kind in (*WORKLOADS, "PodDisruptionBudget"):
        selector = format_selector(spec.get("selector"))
        if selector:
            yield listed("Pod", namespace, effect, labelSelector=selector)


def _children(found: Found, effect: str) -> Iterator[Ask]:
    """What stands between a subject and its pods, and what else moves it."""
    kind, namespace, spec = found.ref.kind, found.ref.namespace, found.obj.get("spec") or {}
    if kind == "CronJob":
        yield _owned(listed("Job", namespace, effect, Role.RELATED), found.ref)
    elif kind == "Deployment":
        selector = format_selector(spec.get("selector"))
        yield listed("ReplicaSet", namespace, effect, Role.RELATED, labelSelector=selector)
        yield listed("HorizontalPodAutoscaler", namespace, "whether something scales it is unknown")
    elif kind == "DaemonSet":
        yield listed("Node", "", "on which nodes it should run is unknown")
    elif kind == "HorizontalPodAutoscaler":
        target = spec.get("scaleTargetRef") or {}
        scaled = served_by(target.get("kind") or "", target.get("apiVersion") or "")
        if scaled:
            yield from named(scaled.kind, namespace, target.get("name") or "", role=Role.CHILD)
        yield from named("APIService", "", "v1beta1.metrics.k8s.io", "whether there is a metrics server is unknown")
    elif kind == "Namespace":
        yield from _remaining(found)
    elif kind == "PersistentVolume":
        ref = spec.get("claimRef") or {}
        yield from named("PersistentVolumeClaim", ref.get("namespace") or "", ref.get("name") or "", role=Role.CHILD)


def _remaining(namespace: Found) -> Iterator[Ask]:
    """What is left in a namespace that is being deleted, by the kinds its condition counts: `configmaps. has 1 resource
    instances, deployments.apps has 2 resource instances`."""
    for condition in (namespace.obj.get("status") or {}).get("conditions") or []:
        if condition.get("type") == "NamespaceContentRemaining" and condition.get("status") == "True":
            for word in _LEFT.findall(condition.get("message") or ""):
                kind = parse_kind(word.rstrip("."))
                if kind is not None and kind.namespaced:
                    yield listed(kind.kind, namespace.ref.name, "what holds the namespace's content is unknown")


def _owned(ask: Ask, owner: Ref) -> Ask:
    """The part of a listing that one object owns."""

    def read(target: Target) -> Iterator[Evidence]:
        for obj in ask.read(target):
            parent = controller_of(obj) if isinstance(obj, dict) else None
            if parent and (parent.get("kind"), parent.get("name")) == (owner.kind, owner.name):
                yield obj

    return replace(ask, key=f"{ask.key} of {owner}", whole=False, read=read)
