"""A fault's objects as they are handed to a cluster: labelled with the fault they belong to, and annotated with what
simulated containers do."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from k8sdiag.evidence import Json
from k8sdiag.minicluster.faults.written import Fault
from k8sdiag.minicluster.runtimes.behaviours import BEHAVIOUR, REGISTRY

LABEL = "lab.k8sdiag.dev/fault"


def objects_of(fault: Fault, marked: bool = False) -> Iterator[Json]:
    """What a fault applies, in its order."""
    for obj in fault.manifest:
        meta = dict(obj["metadata"])
        if marked:
            meta["labels"] = {**(meta.get("labels") or {}), LABEL: fault.id}
        made = {**obj, "metadata": meta}
        yield acting(made, fault) if fault.behaviours or fault.images else made


def acting(obj: Json, fault: Fault) -> Json:
    """The object with its pods' behaviours. They are named by container, or by object/container."""
    if obj["kind"] == "Pod":
        return _pod(obj, fault, obj["metadata"].get("name", ""))
    spec = obj.get("spec")
    if not isinstance(spec, dict):
        return obj
    if obj["kind"] == "CronJob":
        job = spec["jobTemplate"]
        template = _pod(job["spec"]["template"], fault, obj["metadata"]["name"])
        return {**obj, "spec": {**spec, "jobTemplate": {**job, "spec": {**job["spec"], "template": template}}}}
    if isinstance(spec.get("template"), dict) and "spec" in spec["template"]:
        return {**obj, "spec": {**spec, "template": _pod(spec["template"], fault, obj["metadata"]["name"])}}
    return obj


def _pod(pod: Json, fault: Fault, owner: str) -> Json:
    spec, notes = pod["spec"], {}
    for container in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
        name = container["name"]
        said = fault.behaviours.get(f"{owner}/{name}", fault.behaviours.get(name))
        if said is not None:
            notes[BEHAVIOUR + name] = said if isinstance(said, str) else yaml.safe_dump(said, sort_keys=False)
    if fault.images is not None:
        notes[REGISTRY] = yaml.safe_dump(fault.images, sort_keys=False)
    if not notes:
        return pod
    meta = pod.get("metadata") or {}
    return {**pod, "metadata": {**meta, "annotations": {**(meta.get("annotations") or {}), **notes}}}
