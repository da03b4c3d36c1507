"""ResourceQuota: what does not fit into a namespace's quotas is refused; what does is charged at once
(apiserver/pkg/admission/plugin/resourcequota: admission.go, controller.go CheckRequest)."""

from __future__ import annotations

from collections.abc import Iterable

from k8sdiag.evidence import Json
from k8sdiag.minicluster.amounts import Amounts, added, amounts, masked, subtracted, texts
from k8sdiag.minicluster.apiserver.admission import Attributes, Context, refusal
from k8sdiag.minicluster.apiserver.admission.pod_amounts import container_amounts
from k8sdiag.minicluster.apiserver.admission.quota_usage import (
    UNCOUNTED,
    compute_usage,
    count_name,
    in_scope,
    matching,
    usage,
)
from k8sdiag.minicluster.kinds import Resource

NAME = "ResourceQuota"
ORDER = 900
_UPDATED = frozenset({"services", "persistentvolumeclaims"})
# With a quota on these, every container must say what it wants (podEvaluator.Constraints).
_DEMANDED = frozenset({"cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"})


def handles(verb: str, resource: Resource, subresource: str) -> bool:
    if not resource.namespaced or resource.plural in UNCOUNTED or "list" not in resource.verbs:
        return False
    if subresource:
        return resource.storage == "pods" and subresource == "resize" and verb == "update"
    return verb == "create" or (verb == "update" and resource.storage in _UPDATED)


def validate(attributes: Attributes, context: Context) -> None:
    quotas = context.storage.list("resourcequotas", attributes.namespace) if attributes.namespace else []
    if not quotas:
        return
    resource, obj = attributes.resource, attributes.obj or {}
    concerned = [quota for quota in quotas if _concerns(quota, resource, obj)]
    for quota in concerned:
        _check_usable(attributes, quota)
    if not concerned:
        return
    delta = _delta(attributes, context)
    if not any(amount.nanos for amount in delta.values()):
        return
    charged = [_charge(attributes, quota, delta) for quota in concerned]
    if attributes.dry_run:
        return
    for quota, used in zip(concerned, charged, strict=True):
        before = (quota.get("status") or {}).get("used") or {}
        if used != before:
            context.storage.update("resourcequotas", {**quota, "status": {**quota["status"], "used": used}})


def _hard(quota: Json) -> Amounts:
    return amounts((quota.get("status") or {}).get("hard"))


def _concerns(quota: Json, resource: Resource, obj: Json) -> bool:
    return bool(matching(resource, _hard(quota))) and in_scope(resource, quota, obj)


def _check_usable(attributes: Attributes, quota: Json) -> None:
    """The object says all that the quota needs to know, and the quota knows what is used."""
    required = matching(attributes.resource, _hard(quota))
    name = quota["metadata"]["name"]
    if attributes.resource.storage == "pods":
        missing = _missing((attributes.obj or {}).get("spec") or {}, required & _DEMANDED)
        if missing:
            raise refusal(attributes, f"failed quota: {name}: must specify {missing}")
    used = (quota.get("status") or {}).get("used") or {}
    if not required <= used.keys():
        listed = ",".join(sorted(required))
        raise refusal(attributes, f"status unknown for quota: {name}, resources: {listed}")


def _missing(spec: Json, required: Iterable[str]) -> str:
    """`limits.cpu for: web; limits.memory for: side,web`; '' where nothing is missing."""
    lacking: dict[str, set[str]] = {}
    for container in [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]:
        said = compute_usage(container_amounts(container, "requests"), container_amounts(container, "limits"))
        for name in required:
            if name not in said:
                lacking.setdefault(name, set()).add(container["name"])
    return "; ".join(f"{name} for: {','.join(sorted(lacking[name]))}" for name in sorted(lacking))


def _delta(attributes: Attributes, context: Context) -> Amounts:
    now = context.clock.now()
    delta = usage(attributes.resource, attributes.obj or {}, now)
    negative = sorted(name for name, amount in delta.items() if amount.nanos < 0)
    if negative:
        raise refusal(attributes, f"quota usage is negative for resource(s): {','.join(negative)}")
    if attributes.verb == "update" and attributes.old is not None:
        before = usage(attributes.resource, attributes.old, now)
        delta = subtracted(delta, before)
        delta.pop(count_name(attributes.resource), None)
    return delta


def _charge(attributes: Attributes, quota: Json, delta: Amounts) -> dict[str, str]:
    """The quota's `used` with the object in it."""
    hard, used = _hard(quota), amounts(quota["status"].get("used"))
    requested = masked(delta, hard)
    after = added(used, requested)
    exceeded = [name for name in requested if after[name].nanos > hard[name].nanos]
    if exceeded:
        raise refusal(
            attributes,
            f"exceeded quota: {quota['metadata']['name']}, requested: {_shown(requested, exceeded)},"
            f" used: {_shown(used, exceeded)}, limited: {_shown(hard, exceeded)}",
        )
    return texts(after)


def _shown(values: Amounts, names: Iterable[str]) -> str:
    return ",".join(f"{name}={amount}" for name, amount in sorted(masked(values, names).items()))
