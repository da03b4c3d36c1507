"""What an object costs a ResourceQuota, and which quotas it concerns
(pkg/quota/v1/evaluator/core: pods.go, services.go, persistent_volume_claims.go; apiserver/pkg/quota/v1/generic).

Admission charges with it, and the quota controller counts with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from k8sdiag.clock import parse_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.amounts import ZERO, Amount, Amounts, amounts, whole
from k8sdiag.minicluster.apiserver.admission.pod_amounts import pod_amounts
from k8sdiag.minicluster.kinds import Resource

CLASS_SUFFIX = ".storageclass.storage.k8s.io/"
# Never counted: they come and go, or are no objects (pkg/quota/v1/install/registry.go).
UNCOUNTED = frozenset({"events", "bindings"})
_SHORT_NAMES = frozenset({"configmaps", "resourcequotas", "replicationcontrollers", "secrets"})
_COMPUTE = ("cpu", "memory", "ephemeral-storage")


def count_name(resource: Resource) -> str:
    """`count/pods`, `count/deployments.apps`."""
    return f"count/{resource.qualified}"


def usage(resource: Resource, obj: Json, now: float) -> Amounts:
    """What one object uses, by the names quotas have for it."""
    used = {count_name(resource): whole(1)}
    if resource.group:
        return used
    if resource.plural == "pods":
        if counts(obj, now):
            used |= pod_usage(obj.get("spec") or {})
    elif resource.plural == "services":
        used |= _service_usage(obj.get("spec") or {})
    elif resource.plural == "persistentvolumeclaims":
        used |= _claim_usage(obj)
    elif resource.plural in _SHORT_NAMES:
        used[resource.plural] = whole(1)
    return used


def counts(pod: Json, now: float) -> bool:
    """Pods that have ended no longer use anything, nor do those whose time to end has passed (QuotaV1Pod)."""
    if (pod.get("status") or {}).get("phase") in ("Failed", "Succeeded"):
        return False
    meta = pod["metadata"]
    deleted, grace = parse_time(meta.get("deletionTimestamp")), meta.get("deletionGracePeriodSeconds")
    return deleted is None or grace is None or now <= deleted + grace


def pod_usage(spec: Json) -> Amounts:
    """A pod's requests and limits under every name a quota may give them."""
    return {"pods": whole(1), **compute_usage(pod_amounts(spec, "requests"), pod_amounts(spec, "limits"))}


def compute_usage(requests: Amounts, limits: Amounts) -> Amounts:
    used: Amounts = {}
    for name, amount in requests.items():
        if name in _COMPUTE or name.startswith("hugepages-"):
            used[name] = amount
        elif not is_extended(name):
            continue
        used[f"requests.{name}"] = amount
    for name in _COMPUTE:
        if name in limits:
            used[f"limits.{name}"] = limits[name]
    return used


def is_extended(name: str) -> bool:
    """`nvidia.com/gpu`: has a domain that is not Kubernetes' own (pkg/apis/core/v1/helper IsExtendedResourceName)."""
    return "/" in name and "kubernetes.io/" not in name and not name.startswith("requests.")


def _service_usage(spec: Json) -> Amounts:
    ports = spec.get("ports") or []
    used = {"services": whole(1), "services.loadbalancers": ZERO, "services.nodeports": ZERO}
    if spec.get("type") == "NodePort":
        used["services.nodeports"] = whole(len(ports))
    elif spec.get("type") == "LoadBalancer":
        if spec.get("allocateLoadBalancerNodePorts") is False:
            ports = [port for port in ports if port.get("nodePort")]
        used["services.nodeports"] = whole(len(ports))
        used["services.loadbalancers"] = whole(1)
    return used


def _claim_usage(claim: Json) -> Amounts:
    spec = claim.get("spec") or {}
    annotations = claim["metadata"].get("annotations") or {}
    name = annotations.get("volume.beta.kubernetes.io/storage-class") or spec.get("storageClassName") or ""
    asked = amounts((spec.get("resources") or {}).get("requests")).get("storage")
    used = {"persistentvolumeclaims": whole(1)}
    if name:
        used[f"{name}{CLASS_SUFFIX}persistentvolumeclaims"] = whole(1)
    if asked is not None:
        used["requests.storage"] = asked
        if name:
            used[f"{name}{CLASS_SUFFIX}requests.storage"] = asked
    return used


def matching(resource: Resource, names: Iterable[str]) -> set[str]:
    """Those of a quota's names that concern objects of this resource."""
    return {name for name in names if _concerns(resource, name)}


def _concerns(resource: Resource, name: str) -> bool:
    if name == count_name(resource):
        return True
    if resource.group:
        return False
    if resource.plural == "pods":
        bare = name.removeprefix("requests.").removeprefix("limits.")
        if bare.startswith("hugepages-"):
            return not name.startswith("limits.")
        return name == "pods" or bare in _COMPUTE or (name.startswith("requests.") and is_extended(bare))
    if resource.plural == "services":
        return name in ("services", "services.nodeports", "services.loadbalancers")
    if resource.plural == "persistentvolumeclaims":
        bare = name.rpartition(CLASS_SUFFIX)[2]
        return bare in ("persistentvolumeclaims", "requests.storage")
    return resource.plural in _SHORT_NAMES and name == resource.plural


def in_scope(resource: Resource, quota: Json, obj: Json) -> bool:
    """Does the object fall under all of the quota's scopes? Only pods have any."""
    spec = quota.get("spec") or {}
    wanted = [{"scopeName": scope, "operator": "Exists"} for scope in spec.get("scopes") or []]
    wanted += (spec.get("scopeSelector") or {}).get("matchExpressions") or []
    if not wanted:
        return True
    return resource.storage == "pods" and all(_matches(scope, obj.get("spec") or {}) for scope in wanted)


def _matches(scope: Json, spec: Json) -> bool:
    name = scope.get("scopeName")
    if name in ("Terminating", "NotTerminating"):
        return bool((spec.get("activeDeadlineSeconds") is not None) == (name == "Terminating"))
    if name in ("BestEffort", "NotBestEffort"):
        return bool(best_effort(spec) == (name == "BestEffort"))
    if name == "PriorityClass":
        return _matches_priority(scope, spec.get("priorityClassName") or "")
    if name == "CrossNamespacePodAffinity":
        return any(term.get("namespaces") or term.get("namespaceSelector") is not None for term in _terms(spec))
    return False


def _matches_priority(scope: Json, name: str) -> bool:
    operator: str = scope.get("operator") or ""
    values: list[str] = scope.get("values") or []
    if operator == "Exists":
        return bool(name)
    if operator == "DoesNotExist":
        return not name
    if operator == "In":
        return bool(name) and name in values
    return operator == "NotIn" and name not in values


def _terms(spec: Json) -> Iterator[Json]:
    affinity = spec.get("affinity") or {}
    for kind in ("podAffinity", "podAntiAffinity"):
        chosen = affinity.get(kind) or {}
        yield from chosen.get("requiredDuringSchedulingIgnoredDuringExecution") or []
        for weighted in chosen.get("preferredDuringSchedulingIgnoredDuringExecution") or []:
            yield weighted.get("podAffinityTerm") or {}


def best_effort(spec: Json) -> bool:
    """No container asks for cpu or memory, nor is limited in it (qos.ComputePodQOS)."""
    for container in [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]:
        resources = container.get("resources") or {}
        for what in ("requests", "limits"):
            values: dict[str, Amount] = amounts(resources.get(what))
            if any(name in values and values[name].nanos > 0 for name in ("cpu", "memory")):
                return False
    return True
