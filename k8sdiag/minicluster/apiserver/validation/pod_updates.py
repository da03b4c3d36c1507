"""What may change in a pod (pkg/apis/core/validation ValidatePodUpdate, ValidatePodStatusUpdate,
ValidatePodEphemeralContainersUpdate, ValidatePodResize)."""

from __future__ import annotations

from typing import Any

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.defaults.pods import qos_class
from k8sdiag.minicluster.apiserver.errors import forbidden_field, invalid_value
from k8sdiag.minicluster.apiserver.quantities import nanos
from k8sdiag.minicluster.apiserver.validation import formats
from k8sdiag.minicluster.apiserver.validation.difference import difference
from k8sdiag.minicluster.apiserver.validation.fields import Causes, each, immutable, same

_MIRROR = "kubernetes.io/config.mirror"
_MUTABLE = (
    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
    "`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_CONDITIONS = ("PodScheduled", "Ready", "Initialized", "ContainersReady")


def changed(obj: Json, old: Json, out: Causes) -> None:
    _mirror(obj, old, out)
    new, was = obj.get("spec") or {}, old.get("spec") or {}
    if new == was:
        return
    for part in ("containers", "initContainers"):
        if len(new.get(part) or ()) != len(was.get(part) or ()):
            out.append(forbidden_field(f"spec.{part}", "pod updates may not add or remove containers"))
            return
    if not _deadline(new.get("activeDeadlineSeconds"), was.get("activeDeadlineSeconds"), out):
        return
    _tolerations(new.get("tolerations") or [], was.get("tolerations") or [], out)
    _gates(new.get("schedulingGates") or [], was.get("schedulingGates") or [], out)
    _others(new, was, out)


def _mirror(obj: Json, old: Json, out: Causes) -> None:
    new, was = ((part["metadata"].get("annotations") or {}).get(_MIRROR) for part in (obj, old))
    if was is not None and new != was:
        why = "may not remove or update mirror pod annotation"
        out.append(forbidden_field(f"metadata.annotations[{_MIRROR}]", why))
    elif was is None and new is not None:
        out.append(forbidden_field(f"metadata.annotations[{_MIRROR}]", "may not add mirror pod annotation"))


def _deadline(new: int | None, was: int | None, out: Causes) -> bool:
    """May be set, and made shorter. False where nothing else is looked at."""
    path = "spec.activeDeadlineSeconds"
    if new is None:
        if was is not None:
            out.append(invalid_value(path, None, "must not update from a positive integer to nil value"))
        return True
    if not 0 <= new <= 2**31 - 1:
        out.append(invalid_value(path, new, formats.between(0, 2**31 - 1)))
        return False
    if was is not None and was < new:
        out.append(invalid_value(path, new, "must be less than or equal to previous value"))
        return False
    return True


def _tolerations(new: list[Json], was: list[Json], out: Causes) -> None:
    kept = [_untimed(item) for item in new]
    if any(_untimed(item) not in kept for item in was):
        why = "existing toleration can not be modified except its tolerationSeconds"
        out.append(forbidden_field("spec.tolerations", why))


def _untimed(toleration: Json) -> Json:
    return {key: value for key, value in toleration.items() if key != "tolerationSeconds" and value}


def _gates(new: list[Json], was: list[Json], out: Causes) -> None:
    known = {gate.get("name") for gate in was}
    for index, gate in enumerate(new):
        if gate.get("name") not in known:
            why = f"only deletion is allowed, but found new scheduling gate '{gate.get('name')}'"
            out.append(forbidden_field(f"spec.schedulingGates[{index}].name", why))


def _others(new: Json, was: Json, out: Causes) -> None:
    """Nothing else may have changed, but for what a gated pod may still be told of its node."""
    munged = dict(new)
    for part in ("containers", "initContainers"):
        munged[part] = [
            {**one, "image": before.get("image")}
            for one, before in zip(new.get(part) or (), was.get(part) or (), strict=True)
        ]
    for name in ("activeDeadlineSeconds", "schedulingGates", "tolerations"):
        munged[name] = was.get(name)
    grace = "terminationGracePeriodSeconds"
    if (was.get(grace) or 0) < 0 and munged.get(grace) == 1:
        munged[grace] = was[grace]
    if was.get("schedulingGates"):
        _gated(munged, was, out)
    munged, before = _bare(munged), _bare(was)
    if munged != before:
        shown = difference("core.PodSpec", before, munged)
        why = f"pod updates may not change fields other than {_MUTABLE}\n{shown}"
        out.append(forbidden_field("spec", why))


def _bare(of: Json) -> Json:
    """Without what holds nothing, which is as good as not there."""
    return {key: value for key, value in of.items() if value not in (None, "", [], {}) and value is not False}


def _gated(munged: Json, was: Json, out: Causes) -> None:
    selector, before = munged.get("nodeSelector") or {}, was.get("nodeSelector") or {}
    if any(selector.get(key) != value for key, value in before.items()):
        why = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
        out.append(invalid_value("spec.nodeSelector", selector, why))
    munged["nodeSelector"] = was.get("nodeSelector")
    affinity, old_affinity = munged.get("affinity") or {}, was.get("affinity") or {}
    _node_terms(affinity.get("nodeAffinity") or {}, old_affinity.get("nodeAffinity") or {}, out)
    rest = {key: value for key, value in affinity.items() if key != "nodeAffinity"}
    if old_affinity.get("nodeAffinity"):
        rest["nodeAffinity"] = old_affinity["nodeAffinity"]
    munged["affinity"] = rest or was.get("affinity")


def _node_terms(new: Json, was: Json, out: Causes) -> None:
    name = "requiredDuringSchedulingIgnoredDuringExecution"
    path = f"spec.affinity.nodeAffinity.{name}.nodeSelectorTerms"
    terms, before = ((part.get(name) or {}).get("nodeSelectorTerms") or [] for part in (new, was))
    if before and len(terms) != len(before):
        why = "no additions/deletions to non-empty NodeSelectorTerms list are allowed"
        out.append(invalid_value(path, terms, why))
        return
    for index, term in enumerate(before):
        for key in ("matchExpressions", "matchFields"):
            held = term.get(key) or []
            if (terms[index].get(key) or [])[: len(held)] != held:
                why = "only additions are allowed (no mutations or deletions)"
                out.append(invalid_value(f"{path}[{index}]", terms[index], why))
                break


def status(obj: Json, old: Json, out: Causes) -> None:
    _mirror(obj, old, out)
    new, was = obj.get("status") or {}, old.get("status") or {}
    for index, condition in enumerate(new.get("conditions") or ()):
        kind = condition.get("type") or ""
        if kind not in _CONDITIONS:
            each(formats.qualified_name(kind), f"metadata.conditions[{index}].Type", kind, out)
    nominated = new.get("nominatedNodeName")
    if nominated and nominated != was.get("nominatedNodeName"):
        each(formats.dns_subdomain(nominated), "status.nominatedNodeName", nominated, out)
    immutable(new.get("qosClass"), was.get("qosClass"), "status.qosClass", out)
    restart = (old.get("spec") or {}).get("restartPolicy")
    if restart != "Always":
        for name in ("containerStatuses", "initContainerStatuses"):
            _ended(new.get(name) or (), was.get(name) or (), restart == "OnFailure", f"status.{name}", old, out)
    ended = was.get("ephemeralContainerStatuses")
    if ended:
        path = "status.ephemeralContainerStatuses"
        _ended(new.get("ephemeralContainerStatuses") or (), ended, False, path, old, out)
    for index, address in enumerate(new.get("podIPs") or ()):
        each(formats.ip(address.get("ip") or ""), f"status.podIPs[{index}]", address.get("ip") or "", out)
    hosts = new.get("hostIPs") or ()
    if hosts and hosts[0].get("ip") != new.get("hostIP"):
        out.append(invalid_value("status.hostIPs[0].ip", hosts[0].get("ip"), "must be equal to `hostIP`"))


def _ended(new: Any, was: Any, failures_return: bool, path: str, old: Json, out: Causes) -> None:
    """A container that is done stays done, unless it is to be started again."""
    now = {item.get("name"): item for item in new}
    always = {
        one.get("name") for one in old["spec"].get("initContainers") or () if one.get("restartPolicy") == "Always"
    }
    for index, item in enumerate(was):
        ended = (item.get("state") or {}).get("terminated")
        if ended is None or (failures_return and ended.get("exitCode")) or item.get("name") in always:
            continue
        current = now.get(item.get("name"))
        if current is not None and (current.get("state") or {}).get("terminated") is None:
            why = "may not be transitioned to non-terminated state"
            out.append(forbidden_field(f"{path}[{index}].state", why))


def ephemeral(obj: Json, old: Json, out: Causes) -> None:
    """Ephemeral containers are only ever added."""
    if _MIRROR in (old["metadata"].get("annotations") or {}):
        out[:] = [forbidden_field("", "static pods do not support ephemeral containers")]
        return
    path = "spec.ephemeralContainers"
    now = {one.get("name"): one for one in obj["spec"].get("ephemeralContainers") or ()}
    for one in old["spec"].get("ephemeralContainers") or ():
        name = one.get("name")
        if name not in now:
            out.append(forbidden_field(path, f'existing ephemeral containers "{name}" may not be removed\n'))
        elif now[name] != one:
            shown = difference("core.EphemeralContainer", one, now[name])
            out.append(forbidden_field(path, f'existing ephemeral containers "{name}" may not be changed\n{shown}'))


def resize(obj: Json, old: Json, out: Causes) -> None:
    """Only the processors and memory of containers change, and never so that the QoS class does."""
    new, was = obj["spec"], old["spec"]
    if new.get("resources") or was.get("resources"):
        out[:] = [forbidden_field("", "pods with pod-level resources cannot be resized")]
        return
    if _MIRROR in (old["metadata"].get("annotations") or {}):
        out[:] = [forbidden_field("", "static pods cannot be resized")]
        return
    if (was.get("os") or {}).get("name") == "windows":
        out[:] = [forbidden_field("", "windows pods cannot be resized")]
        return
    before = (old.get("status") or {}).get("qosClass") or qos_class(was)
    if qos_class(new) != before:
        why = "Pod QOS Class may not change as a result of resizing"
        out.append(invalid_value("spec", before, why))
    munged = dict(new)
    for part in ("containers", "initContainers"):
        pairs = list(zip(new.get(part) or (), was.get(part) or (), strict=False))
        for index, (one, held) in enumerate(pairs):
            if part == "containers" or held.get("restartPolicy") == "Always":
                _resized(one, held, f"spec.{part}[{index}].resources", out)
        if pairs:
            munged[part] = [_without_resources(one, held, part) for one, held in pairs]
    if munged != {**was}:
        out.append(forbidden_field("spec", "only cpu and memory resources are mutable"))


def _without_resources(one: Json, held: Json, part: str) -> Json:
    if part == "initContainers" and held.get("restartPolicy") != "Always":
        return one
    lists: Json = {}
    for name in ("limits", "requests"):
        values = dict((one.get("resources") or {}).get(name) or {})
        before = (held.get("resources") or {}).get(name) or {}
        for key in ("cpu", "memory"):
            values.pop(key, None)
            if key in before:
                values[key] = before[key]
        if values:
            lists[name] = values
    return {**one, "resources": lists if not same(lists, held.get("resources")) else held.get("resources")}


def _resized(one: Json, held: Json, path: str, out: Causes) -> None:
    new, was = one.get("resources") or {}, held.get("resources") or {}
    for name in ("requests", "limits"):
        if (was.get(name) or {}).keys() - (new.get(name) or {}).keys():
            out.append(forbidden_field(f"{path}.{name}", f"resource {name} cannot be removed"))
    policies = {item.get("resourceName"): item.get("restartPolicy") for item in one.get("resizePolicy") or ()}
    if policies.get("memory") in (None, "NotRequired"):
        limit, before = (new.get("limits") or {}).get("memory"), (was.get("limits") or {}).get("memory")
        if limit is not None and (before is None or nanos(limit) < nanos(before)):
            done = "added" if before is None else "decreased"
            why = f"memory limits cannot be {done} unless resizePolicy is RestartContainer"
            out.append(forbidden_field(f"{path}.limits[memory]", why))
