"""Namespaces, nodes, leases, events, runtime classes (pkg/apis/core/validation ValidateNode, ValidateNamespace;
events.go; pkg/apis/{coordination,node}/validation)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import (
    Cause,
    duplicate,
    forbidden_field,
    invalid_value,
    not_supported,
    required,
)
from k8sdiag.minicluster.apiserver.quantities import nanos
from k8sdiag.minicluster.apiserver.validation import formats
from k8sdiag.minicluster.apiserver.validation.affinity import EFFECTS, tolerations
from k8sdiag.minicluster.apiserver.validation.fields import NEGATIVE, NOT_POSITIVE, Causes, each, immutable, labels
from k8sdiag.minicluster.apiserver.validation.metadata import finalizer
from k8sdiag.minicluster.apiserver.validation.rules import Rules


def _namespace(obj: Json, out: Causes) -> None:
    for name in (obj.get("spec") or {}).get("finalizers") or ():
        each(formats.qualified_name(name), "spec.finalizers", name, out)
        finalizer(name, "spec.finalizers", out)


def _namespace_status(obj: Json, _old: Json, out: Causes) -> None:
    phase = (obj.get("status") or {}).get("phase") or ""
    if not obj["metadata"].get("deletionTimestamp"):
        if phase != "Active":
            why = "may only be 'Active' if `deletionTimestamp` is empty"
            out.append(invalid_value("status.Phase", phase, why))
    elif phase != "Terminating":
        why = "may only be 'Terminating' if `deletionTimestamp` is not empty"
        out.append(invalid_value("status.Phase", phase, why))


def _finalize(obj: Json, _old: Json, out: Causes) -> None:
    _namespace(obj, out)


def _taints(items: list[Json], path: str, out: Causes) -> None:
    seen: set[tuple[str, str]] = set()
    for index, item in enumerate(items):
        where, key, effect = f"{path}[{index}]", item.get("key") or "", item.get("effect") or ""
        each(formats.qualified_name(key), f"{where}.key", key, out)
        messages = formats.label_value(item.get("value") or "")
        if messages:
            out.append(invalid_value(f"{where}.value", item.get("value"), ";".join(messages)))
        if not effect:
            out.append(required(f"{where}.effect"))
        elif effect not in EFFECTS:
            out.append(not_supported(f"{where}.effect", effect, EFFECTS))
        if (key, effect) in seen:
            double = duplicate(where, item)
            out.append(Cause(where, double.reason, f"{double.message}: taints must be unique by key and effect pair"))
        seen.add((key, effect))


def _node(obj: Json, out: Causes) -> None:
    spec = obj.get("spec") or {}
    if spec.get("taints"):
        _taints(spec["taints"], "metadata.taints", out)  # as the real one says
    _amounts(obj, out)
    for index, value in enumerate(spec.get("podCIDRs") or ()):
        each(formats.cidr(value), f"spec.podCIDRs[{index}]", value, out)


def _amounts(obj: Json, out: Causes) -> None:
    status = obj.get("status") or {}
    for part in ("capacity", "allocatable"):
        for name, value in (status.get(part) or {}).items():
            if nanos(value) < 0:
                out.append(invalid_value(f"status.{part}.{name}", value, NEGATIVE))


def _node_change(obj: Json, old: Json, out: Causes) -> None:
    new, was = obj.get("spec") or {}, old.get("spec") or {}
    if was.get("podCIDRs") and new.get("podCIDRs") != was["podCIDRs"]:
        why = 'node updates may not change podCIDR except from "" to valid'
        out.append(forbidden_field("spec.podCIDRs", why))
    if was.get("providerID") and new.get("providerID") != was["providerID"]:
        why = 'node updates may not change providerID except from "" to valid'
        out.append(forbidden_field("spec.providerID", why))


def _node_status(obj: Json, _old: Json, out: Causes) -> None:
    _amounts(obj, out)
    addresses = (obj.get("status") or {}).get("addresses") or []
    for index, address in enumerate(addresses):
        if address in addresses[:index]:
            out.append(duplicate(f"status.addresses[{index}]", address))


def _lease(obj: Json, out: Causes) -> None:
    spec = obj.get("spec") or {}
    if spec.get("leaseDurationSeconds") is not None and spec["leaseDurationSeconds"] <= 0:
        why = "must be greater than 0"
        out.append(invalid_value("spec.leaseDurationSeconds", spec["leaseDurationSeconds"], why))
    if spec.get("leaseTransitions") is not None and spec["leaseTransitions"] < 0:
        why = "must be greater than or equal to 0"
        out.append(invalid_value("spec.leaseTransitions", spec["leaseTransitions"], why))
    if spec.get("holderIdentity") == "":
        out.append(invalid_value("spec.holderIdentity", "", "must not be empty"))


def _event(obj: Json, out: Causes) -> None:
    involved, namespace = obj.get("involvedObject") or {}, obj["metadata"].get("namespace") or ""
    about = involved.get("namespace") or ""
    if not about:
        if namespace not in ("default", "kube-system"):
            out.append(invalid_value("involvedObject.namespace", about, "does not match event.namespace"))
    elif about != namespace:
        out.append(invalid_value("involvedObject.namespace", about, "does not match event.namespace"))
    if obj.get("eventTime"):
        _new_style(obj, out)


def _new_style(obj: Json, out: Causes) -> None:
    """An event that came through events.k8s.io says who, what and why."""
    component = obj.get("reportingComponent") or ""
    if not component:
        out.append(required("reportingController"))
    else:
        each(formats.qualified_name(component), "reportingController", component, out)
    for name, most in (("reportingInstance", 128), ("action", 128), ("reason", 128)):
        value = obj.get(name) or ""
        if not value:
            out.append(required(name))
        if len(value) > most:
            out.append(invalid_value(name, "", f"can have at most {most} characters"))
    if len(obj.get("message") or "") > 1024:
        out.append(invalid_value("message", "", "can have at most 1024 characters"))


def _runtime_class(obj: Json, out: Causes) -> None:
    handler = obj.get("handler") or ""
    each(formats.dns_label(handler), "handler", handler, out)
    scheduling = obj.get("scheduling") or {}
    labels(scheduling.get("nodeSelector"), "scheduling.nodeSelector", out)
    tolerations(scheduling.get("tolerations") or [], "scheduling.tolerations", out)
    for name, value in ((obj.get("overhead") or {}).get("podFixed") or {}).items():
        if nanos(value) <= 0:
            out.append(invalid_value(f"overhead.podFixed[{name}]", value, NOT_POSITIVE))


def _runtime_change(obj: Json, old: Json, out: Causes) -> None:
    immutable(obj.get("handler"), old.get("handler"), "handler", out)


RULES = {
    "namespaces": Rules(
        _namespace, None, _namespace_status, name=formats.dns_label, subresources={"finalize": _finalize}
    ),
    "nodes": Rules(_node, _node_change, _node_status),
    "leases.coordination.k8s.io": Rules(_lease),
    "events": Rules(_event),
    "runtimeclasses.node.k8s.io": Rules(_runtime_class, _runtime_change),
}
