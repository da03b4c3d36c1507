"""Priority: a pod's class becomes a number, and only one class is for those that name none
(plugin/pkg/admission/priority/admission.go)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.admission import Attributes, Context, refusal
from k8sdiag.minicluster.kinds import Resource

NAME = "Priority"
ORDER = 90
CLASSES = "priorityclasses.scheduling.k8s.io"


def handles(verb: str, resource: Resource, subresource: str) -> bool:
    return resource.storage in ("pods", CLASSES) and verb in ("create", "update") and not subresource


def mutate(attributes: Attributes, context: Context) -> None:
    if attributes.resource.storage != "pods":
        return
    pod = attributes.obj or {}
    spec = pod["spec"]
    if attributes.verb == "update":
        before = (attributes.old or {}).get("spec") or {}
        lost = [
            key for key in ("priority", "preemptionPolicy") if spec.get(key) is None and before.get(key) is not None
        ]
        if lost:
            pod["spec"] = {**spec, **{key: before[key] for key in lost}}
        return
    found = _class_of(attributes, context, spec)
    value, policy = (found["value"], found.get("preemptionPolicy")) if found else (0, None)
    policy = policy or "PreemptLowerPriority"
    if spec.get("priority") is not None and spec["priority"] != value:
        raise refusal(
            attributes,
            f"the integer value of priority ({spec['priority']}) must not be provided in pod spec; "
            f"priority admission controller computed {value} from the given PriorityClass name",
        )
    if spec.get("preemptionPolicy") is not None and spec["preemptionPolicy"] != policy:
        raise refusal(
            attributes,
            f"the string value of PreemptionPolicy ({spec['preemptionPolicy']}) must not be provided in pod spec; "
            f"priority admission controller computed {policy} from the given PriorityClass name",
        )
    spec["priority"] = value
    spec["preemptionPolicy"] = policy


def _class_of(attributes: Attributes, context: Context, spec: Json) -> Json | None:
    name = spec.get("priorityClassName")
    if name:
        found = context.storage.get(CLASSES, "", name)
        if found is None:
            raise refusal(attributes, f"no PriorityClass with name {name} was found")
        return found
    found = default_class(context)
    if found is not None:
        spec["priorityClassName"] = found["metadata"]["name"]
    return found


def default_class(context: Context) -> Json | None:
    """The class for pods that name none; of several (they can come about by a race) the lowest."""
    defaults = [found for found in context.storage.list(CLASSES) if found.get("globalDefault")]
    return min(defaults, key=lambda found: found["value"]) if defaults else None


def validate(attributes: Attributes, context: Context) -> None:
    if attributes.resource.storage != CLASSES or not (attributes.obj or {}).get("globalDefault"):
        return
    known = default_class(context)
    if known is None:
        return
    name = known["metadata"]["name"]
    if attributes.verb == "create" or name != (attributes.obj or {})["metadata"]["name"]:
        raise refusal(attributes, f"PriorityClass {name} is already marked as default. Only one default can exist")
