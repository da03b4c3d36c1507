"""RuntimeClass: what a class costs and where it runs becomes part of the pods that name it
(plugin/pkg/admission/runtimeclass/admission.go)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster import amounts
from k8sdiag.minicluster.apiserver.admission import Attributes, Context, refusal
from k8sdiag.minicluster.kinds import Resource

NAME = "RuntimeClass"
ORDER = 180
CLASSES = "runtimeclasses.node.k8s.io"


def handles(verb: str, resource: Resource, subresource: str) -> bool:
    return resource.storage == "pods" and verb == "create" and not subresource


def mutate(attributes: Attributes, context: Context) -> None:
    spec = (attributes.obj or {})["spec"]
    if not spec.get("runtimeClassName"):
        return
    found = _class_of(attributes, context, spec)
    overhead = (found.get("overhead") or {}).get("podFixed")
    if overhead:
        if spec.get("overhead") and not _same(spec["overhead"], overhead):
            raise _mismatch(attributes)
        spec["overhead"] = dict(overhead)
    _schedule(attributes, spec, found.get("scheduling") or {})


def validate(attributes: Attributes, context: Context) -> None:
    spec = (attributes.obj or {})["spec"]
    if not spec.get("runtimeClassName") and not spec.get("overhead"):
        return
    found = _class_of(attributes, context, spec) if spec.get("runtimeClassName") else {}
    overhead = (found.get("overhead") or {}).get("podFixed")
    if overhead and not _same(spec.get("overhead") or {}, overhead):
        raise _mismatch(attributes)
    if not overhead and spec.get("overhead"):
        raise refusal(attributes, "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead")


def _class_of(attributes: Attributes, context: Context, spec: Json) -> Json:
    name = spec["runtimeClassName"]
    found = context.storage.get(CLASSES, "", name)
    if found is None:
        raise refusal(attributes, f'pod rejected: RuntimeClass "{name}" not found')
    return found


def _mismatch(attributes: Attributes) -> Exception:
    return refusal(attributes, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")


def _same(one: Json, other: Json) -> bool:
    return {name: amount.nanos for name, amount in amounts.amounts(one).items()} == {
        name: amount.nanos for name, amount in amounts.amounts(other).items()
    }


def _schedule(attributes: Attributes, spec: Json, scheduling: Json) -> None:
    wanted, selector = scheduling.get("nodeSelector") or {}, spec.get("nodeSelector") or {}
    for key, value in wanted.items():
        if key in selector and selector[key] != value:
            raise refusal(
                attributes,
                f"conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value};"
                f" pod.spec.nodeSelector[{key}] = {selector[key]}",
            )
    if wanted:
        spec["nodeSelector"] = {**selector, **wanted}
    tolerations = spec.get("tolerations") or []
    more = [toleration for toleration in scheduling.get("tolerations") or [] if toleration not in tolerations]
    if more:
        spec["tolerations"] = [*tolerations, *(dict(toleration) for toleration in more)]
