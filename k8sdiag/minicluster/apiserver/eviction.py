"""Eviction: a deletion that asks the disruption budgets first (pkg/registry/core/pod/storage/eviction.go)."""

from __future__ import annotations

from k8sdiag.clock import format_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import deleting, errors
from k8sdiag.minicluster.apiserver.admission import Attributes
from k8sdiag.minicluster.apiserver.backend import Answers, Backend
from k8sdiag.minicluster.apiserver.bodies import read_body
from k8sdiag.minicluster.apiserver.request import Answer, Request
from k8sdiag.selectors import matches_selector

BUDGETS = "poddisruptionbudgets.policy"
MAX_DISRUPTED = 2000
_REFUSED = "Cannot evict pod as it would violate the pod's disruption budget."
_SEVERAL = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."


def create(backend: Backend, request: Request, answers: Answers) -> Answer:
    """201 with a Status once the pod is deleted, or has begun to end."""
    body = read_body("io.k8s.api.policy.v1.Eviction", request.body or {})
    name = request.name
    if (body.get("metadata") or {}).get("name", name) != name:
        raise errors.bad_request("name in URL does not match name in Eviction object")
    options: Json = {**(body.get("deleteOptions") or {})}
    dry = request.dry_run or bool(options.get("dryRun"))
    attributes = Attributes(
        "create",
        request.resource,
        request.user,
        request.namespace,
        name,
        "eviction",
        obj=body,
        dry_run=dry,
        query=request.query,
        answers=answers,
    )
    backend.admission.mutate(attributes)
    backend.admission.validate(attributes)
    pod = backend.stored(request.resource, request.namespace, name)
    _check_preconditions(request, pod, options)
    if not _is_free(pod):
        _ask_budgets(backend, pod, dry)
    _delete(backend, request, answers, pod, options, dry)
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
    return Answer(201, status, attributes.warnings)


def _check_preconditions(request: Request, pod: Json, options: Json) -> None:
    wanted, has = options.get("preconditions") or {}, pod["metadata"]
    for key, called in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        if wanted.get(key) and wanted[key] != has[key]:
            text = f"{called} in precondition: {wanted[key]}, {called} in object meta: {has[key]}"
            raise errors.conflict(request.resource, request.name, f"Precondition failed: {text}")


def _is_free(pod: Json) -> bool:
    """Pods that have ended, have not begun or already go are no budget's business (canIgnorePDB)."""
    phase = (pod.get("status") or {}).get("phase")
    return phase in ("Succeeded", "Failed", "Pending") or bool(pod["metadata"].get("deletionTimestamp"))


def _is_ready(pod: Json) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)


def _ask_budgets(backend: Backend, pod: Json, dry: bool) -> None:
    meta = pod["metadata"]
    budgets = [
        budget
        for budget in backend.storage.list(BUDGETS, meta["namespace"])
        if (selector := (budget.get("spec") or {}).get("selector"))
        and (selector.get("matchLabels") or selector.get("matchExpressions"))
        and matches_selector(selector, meta.get("labels"))
    ]
    if len(budgets) > 1:
        raise errors.ApiError(500, "", _SEVERAL)
    if not budgets:
        return
    budget = budgets[0]
    status = budget.get("status") or {}
    healthy, desired = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
    if not _is_ready(pod):
        always = budget["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow"
        if always or healthy >= desired > 0:
            return
    _charge(backend, budget, meta["name"], dry)


def _charge(backend: Backend, budget: Json, pod: str, dry: bool) -> None:
    meta, status = budget["metadata"], budget.get("status") or {}
    name, allowed = meta["name"], status.get("disruptionsAllowed", 0)
    if status.get("observedGeneration", 0) < meta.get("generation", 0):
        text = f"The disruption budget {name} is still being processed by the server."
        raise errors.too_many_requests(_REFUSED, 10, [_cause(text)])
    disrupted = status.get("disruptedPods") or {}
    if allowed < 0:
        raise _forbidden(name, "pdb disruptions allowed is negative")
    if len(disrupted) > MAX_DISRUPTED:
        raise _forbidden(name, "DisruptedPods map too big - too many evictions not confirmed by PDB controller")
    if allowed == 0:
        raise errors.too_many_requests(_REFUSED, 0, [_cause(_why(name, status))])
    if dry:
        return
    now = format_time(backend.clock.now())
    changed = {**status, "disruptionsAllowed": allowed - 1, "disruptedPods": {**disrupted, pod: now}}
    if allowed == 1:
        changed["conditions"] = _no_longer_allowed(status.get("conditions") or [], meta, now)
    backend.storage.update(BUDGETS, {**budget, "status": changed})


def _forbidden(name: str, why: str) -> errors.ApiError:
    text = f'poddisruptionbudget.policy "{name}" is forbidden: {why}'
    return errors.ApiError(403, "Forbidden", text, {"name": name, "group": "policy", "kind": "poddisruptionbudget"})


def _cause(message: str) -> Json:
    return {"reason": "DisruptionBudget", "message": message}


def _why(name: str, status: Json) -> str:
    healthy, desired = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
    for condition in status.get("conditions") or []:
        if condition.get("type") == "DisruptionAllowed" and condition.get("reason") == "SyncFailed":
            text = f"does not allow evicting pods currently because it failed sync: {condition.get('message', '')}"
            return f"The disruption budget {name} {text}"
    if healthy <= desired:
        return f"The disruption budget {name} needs {desired} healthy pods and has {healthy} currently"
    return f"The disruption budget {name} does not allow evicting pods currently"


def _no_longer_allowed(conditions: list[Json], meta: Json, now: str) -> list[Json]:
    """component-helpers/apps/poddisruptionbudget UpdateDisruptionAllowedCondition."""
    condition = {
        "type": "DisruptionAllowed",
        "status": "False",
        "observedGeneration": meta.get("generation", 0),
        "lastTransitionTime": now,
        "reason": "InsufficientPods",
        "message": "",
    }
    return [*(each for each in conditions if each.get("type") != "DisruptionAllowed"), condition]


def _delete(backend: Backend, request: Request, answers: Answers, pod: Json, options: Json, dry: bool) -> None:
    if not dry and not _is_ended(pod):
        backend.storage.update("pods", _marked(pod, format_time(backend.clock.now())))
    query = {**request.query, "dryRun": "All"} if dry else request.query
    body = {key: value for key, value in options.items() if key not in ("preconditions", "dryRun")}
    inner = Request(
        "delete", request.resource, request.user, request.namespace, request.name, query=query, body=body or None
    )
    deleting.delete(backend, inner, answers, admitted=True)


def _is_ended(pod: Json) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def _marked(pod: Json, now: str) -> Json:
    status = pod.get("status") or {}
    condition = {
        "type": "DisruptionTarget",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": now,
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
    }
    others = [each for each in status.get("conditions") or [] if each.get("type") != "DisruptionTarget"]
    return {**pod, "status": {**status, "conditions": [*others, condition]}}
