"""LimitRanger: what a namespace's LimitRanges set for containers that say nothing, and what they refuse
(plugin/pkg/admission/limitranger/admission.go)."""

from __future__ import annotations

from collections.abc import Iterator

from k8sdiag.evidence import Json
from k8sdiag.minicluster.amounts import Amounts, amounts
from k8sdiag.minicluster.apiserver.admission import Attributes, Context, refusal
from k8sdiag.minicluster.apiserver.admission.limits import limit_claim, limit_container
from k8sdiag.minicluster.apiserver.admission.pod_amounts import container_amounts, pod_amounts
from k8sdiag.minicluster.kinds import Resource

NAME = "LimitRanger"
ORDER = 20
ANNOTATION = "kubernetes.io/limit-ranger"


def handles(verb: str, resource: Resource, subresource: str) -> bool:
    if resource.storage == "pods":  # containers of a pod do not change, but for a resize
        return (verb == "create" and not subresource) or (verb == "update" and subresource == "resize")
    return resource.storage == "persistentvolumeclaims" and verb in ("create", "update") and not subresource


def mutate(attributes: Attributes, context: Context) -> None:
    if attributes.resource.storage != "pods" or attributes.verb != "create":
        return
    for limit_range in context.storage.list("limitranges", attributes.namespace):
        _set_defaults(attributes.obj or {}, limit_range)


def validate(attributes: Attributes, context: Context) -> None:
    obj = attributes.obj or {}
    if obj["metadata"].get("deletionTimestamp"):
        return
    for limit_range in context.storage.list("limitranges", attributes.namespace):
        complaints = list(_complaints(attributes.resource.storage, obj, limit_range))
        if complaints:
            raise refusal(attributes, complaints[0] if len(complaints) == 1 else f"[{', '.join(complaints)}]")


def _set_defaults(pod: Json, limit_range: Json) -> None:
    requests: Json = {}
    limits: Json = {}
    for limit in (limit_range.get("spec") or {}).get("limits") or []:
        if limit.get("type") == "Container":
            requests |= limit.get("defaultRequest") or {}
            limits |= limit.get("default") or {}
    if not requests and not limits:
        return
    spec, notes = pod["spec"], []
    for kind, key in (("container", "containers"), ("init container", "initContainers")):
        for container in spec.get(key) or []:
            resources = dict(container.get("resources") or {})
            for word, values in (("request", requests), ("limit", limits)):
                had = resources.get(f"{word}s") or {}
                missing = sorted(name for name in values if name not in had)
                if missing:
                    resources[f"{word}s"] = {**had, **{name: values[name] for name in missing}}
                    notes.append(f"{', '.join(missing)} {word} for {kind} {container.get('name', '')}")
            container["resources"] = resources
    if notes:
        annotations = pod["metadata"].get("annotations") or {}
        pod["metadata"]["annotations"] = {**annotations, ANNOTATION: f"LimitRanger plugin set: {'; '.join(notes)}"}


def _complaints(storage: str, obj: Json, limit_range: Json) -> Iterator[str]:
    spec = obj.get("spec") or {}
    for limit in (limit_range.get("spec") or {}).get("limits") or []:
        kind = limit.get("type")
        if storage == "persistentvolumeclaims":
            if kind == "PersistentVolumeClaim":
                yield from limit_claim(limit, amounts((spec.get("resources") or {}).get("requests")))
        elif kind == "Container":
            for container in [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]:
                yield from limit_container(limit, *_both(container))
        elif kind == "Pod":
            requests = pod_amounts(spec, "requests", overhead=False)
            yield from limit_container(limit, requests, pod_amounts(spec, "limits", overhead=False))


def _both(container: Json) -> tuple[Amounts, Amounts]:
    return container_amounts(container, "requests"), container_amounts(container, "limits")
