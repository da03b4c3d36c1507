"""Pods and the templates of pods (pkg/apis/core/validation ValidatePodSpec, ValidatePodTemplateSpec,
ValidatePodCreate)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import (
    duplicate,
    forbidden_field,
    invalid_value,
    not_supported,
    required,
)
from k8sdiag.minicluster.apiserver.validation import (
    affinity,
    containers,
    formats,
    pod_updates,
    resources,
    security,
    volumes,
)
from k8sdiag.minicluster.apiserver.validation.containers import Surroundings
from k8sdiag.minicluster.apiserver.validation.fields import Causes, choice, each, labels
from k8sdiag.minicluster.apiserver.validation.metadata import annotation_values
from k8sdiag.minicluster.apiserver.validation.rules import Rules

_RESTARTS = ("Always", "OnFailure", "Never")
_DNS = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_PREEMPTION = ("PreemptLowerPriority", "Never")
_COST = "controller.kubernetes.io/pod-deletion-cost"
_MIRROR = "kubernetes.io/config.mirror"
_NOTHING: list[Json] = []


def spec(of: Json, path: str, out: Causes, pod: str = "", in_pod: bool = False) -> None:
    """A pod's spec. `pod`: the pod's name, '' in a template."""
    grace = of.get("terminationGracePeriodSeconds")
    if grace is None:
        out.append(required(f"{path}.terminationGracePeriodSeconds"))
    found = volumes.volumes(of["volumes"], pod, f"{path}.volumes", out) if of.get("volumes") else {}
    claims = frozenset(claim["name"] for claim in of.get("resourceClaims") or () if claim.get("name"))
    around = Surroundings(found, claims, grace, of.get("restartPolicy") or "", of.get("hostUsers") is not False, in_pod)
    regular, initial = of.get("containers") or _NOTHING, of.get("initContainers") or _NOTHING
    containers.regular(regular, around, f"{path}.containers", out)
    if initial:
        containers.initial(initial, regular, around, f"{path}.initContainers", out)
    if of.get("ephemeralContainers"):
        others = [*regular, *initial]
        containers.ephemeral(of["ephemeralContainers"], others, around, f"{path}.ephemeralContainers", out)
    if of.get("resources"):
        where = f"{path}.resources"
        resources.requirements(of["resources"], claims, where, out, resources.pod_resource_name)
    if of.get("hostNetwork"):
        _host_network(regular, in_pod, f"{path}.containers", out)
    if of.get("restartPolicy") not in _RESTARTS:
        choice(of.get("restartPolicy"), _RESTARTS, f"{path}.restartPolicy", out)
    _rest(of, path, out)


def _host_network(items: list[Json], in_pod: bool, path: str, out: Causes) -> None:
    for index, one in enumerate(items):
        for at, port in enumerate(one.get("ports") or ()):
            host = port.get("hostPort") or 0
            if (in_pod or host) and host != port.get("containerPort"):
                why = "must match `containerPort` when `hostNetwork` is true"
                out.append(invalid_value(f"{path}[{index}].ports[{at}].hostPort", host, why))


def _rest(of: Json, path: str, out: Causes) -> None:
    """What is not about containers. Most fields are rare, so each is looked for only where it is."""
    if of.get("dnsPolicy") not in _DNS:
        choice(of.get("dnsPolicy"), _DNS, f"{path}.dnsPolicy", out)
    security.pod(of.get("securityContext"), of, f"{path}.securityContext", out)
    if of.get("dnsConfig") or of.get("dnsPolicy") == "None":
        _dns(of, f"{path}.dnsConfig", out)
    for name, check in _FIELDS.items():
        value = of.get(name)
        if value is not None and value not in ("", [], {}):
            check(value, f"{path}.{name}", out)
    if of.get("hostUsers") is False:
        for name, called in (("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC")):
            if of.get(name):
                out.append(forbidden_field(f"{path}.{called}", "when `pod.Spec.HostUsers` is false"))


def _dns(of: Json, path: str, out: Causes) -> None:
    config, servers = of.get("dnsConfig"), (of.get("dnsConfig") or {}).get("nameservers") or []
    if of.get("dnsPolicy") == "None":
        if config is None:
            out.append(required(path, "must provide `dnsConfig` when `dnsPolicy` is None"))
            return
        if not servers:
            why = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            out.append(required(f"{path}.nameservers", why))
            return
    if len(servers) > 3:
        out.append(invalid_value(f"{path}.nameservers", servers, "must not have more than 3 nameservers"))
    for index, server in enumerate(servers):
        each(formats.ip(server), f"{path}.nameservers[{index}]", server, out)
    searches = (config or {}).get("searches") or []
    if len(searches) > 32:
        out.append(invalid_value(f"{path}.searches", searches, "must not have more than 32 search paths"))
    if len(" ".join(searches)) > 2048:
        why = "must not have more than 2048 characters (including spaces) in the search list"
        out.append(invalid_value(f"{path}.searches", searches, why))
    for index, search in enumerate(searches):
        each(formats.dns_subdomain(search.removesuffix(".")), f"{path}.searches[{index}]", search, out)
    for index, option in enumerate((config or {}).get("options") or ()):
        if not option.get("name"):
            out.append(required(f"{path}.options[{index}]", "must not be empty"))


def _subdomain(value: str, path: str, out: Causes) -> None:
    each(formats.dns_subdomain(value), path, value, out)


def _label(value: str, path: str, out: Causes) -> None:
    each(formats.dns_label(value), path, value, out)


def _deadline(value: int, path: str, out: Causes) -> None:
    if not 1 <= value <= 2**31 - 1:
        out.append(invalid_value(path, value, formats.between(1, 2**31 - 1)))


def _aliases(items: list[Json], path: str, out: Causes) -> None:
    for index, item in enumerate(items):
        address = item.get("ip") or ""
        each(formats.ip(address), f"{path}[{index}].ip", address, out)
        for at, name in enumerate(item.get("hostnames") or ()):
            each(formats.dns_subdomain(name), f"{path}[{index}].hostnames[{at}]", name, out)


def _readiness_gates(items: list[Json], path: str, out: Causes) -> None:
    for index, item in enumerate(items):
        name = item.get("conditionType") or ""
        each(formats.qualified_name(name), f"{path}[{index}].conditionType", name, out)


def _scheduling_gates(items: list[Json], path: str, out: Causes) -> None:
    seen: set[str] = set()
    for index, item in enumerate(items):
        name = item.get("name") or ""
        each(formats.qualified_name(name), f"{path}[{index}]", name, out)
        if name in seen:
            out.append(duplicate(f"{path}[{index}]", name))
        seen.add(name)


def _preemption(value: str, path: str, out: Causes) -> None:
    if value not in _PREEMPTION:
        out.append(not_supported(path, value, _PREEMPTION))


def _overhead(value: Json, path: str, out: Causes) -> None:
    resources.requirements({"limits": value}, frozenset(), path, out)


def _system(value: Json, path: str, out: Causes) -> None:
    name = value.get("name") or ""
    if not name:
        out.append(required(f"{path}.name", "cannot be empty"))
    elif name not in ("linux", "windows"):
        out.append(not_supported(path, name, ("linux", "windows")))


def _claims(items: list[Json], path: str, out: Causes) -> None:
    seen: set[str] = set()
    for index, item in enumerate(items):
        name, where = item.get("name") or "", f"{path}[{index}]"
        if not name:
            out.append(required(f"{where}.name"))
        elif name in seen:
            out.append(duplicate(f"{where}.name", name))
        else:
            each(formats.dns_label(name), f"{where}.name", name, out)
        seen.add(name)
        given = [key for key in ("resourceClaimName", "resourceClaimTemplateName") if item.get(key) is not None]
        if len(given) == 2:
            why = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
            out.append(invalid_value(where, item, why))
        elif not given:
            why = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"
            out.append(invalid_value(where, item, why))
        for key in given:
            each(formats.dns_subdomain(item[key]), f"{where}.{key}", item[key], out)


# In Kubernetes' order.
_FIELDS: Mapping[str, Any] = {
    "resourceClaims": _claims,
    "nodeSelector": labels,
    "affinity": affinity.affinity,
    "readinessGates": _readiness_gates,
    "schedulingGates": _scheduling_gates,
    "topologySpreadConstraints": affinity.spread,
    "serviceAccountName": _subdomain,
    "nodeName": _subdomain,
    "activeDeadlineSeconds": _deadline,
    "hostname": _label,
    "subdomain": _label,
    "tolerations": affinity.tolerations,
    "hostAliases": _aliases,
    "priorityClassName": _subdomain,
    "runtimeClassName": _subdomain,
    "preemptionPolicy": _preemption,
    "overhead": _overhead,
    "os": _system,
}


def own_annotations(values: Mapping[str, str] | None, of: Json, path: str, out: Causes) -> None:
    """Annotations that mean something to pods."""
    if not values:
        return
    if _MIRROR in values and not of.get("nodeName"):
        why = "must set spec.nodeName if mirror pod annotation is set"
        out.append(invalid_value(f"{path}[{_MIRROR}]", values[_MIRROR], why))
    cost = values.get(_COST)
    if cost is not None:
        digits = cost.removeprefix("-")
        plain = digits == "0" or (digits.isascii() and digits.isdigit() and digits[0] != "0")
        if not plain or cost == "-0" or not -(2**31) <= int(cost) < 2**31:
            out.append(invalid_value(f"{path}[{_COST}]", cost, "must be a 32bit integer"))


def template(of: Json, path: str, out: Causes) -> None:
    """A pod template, wherever it stands."""
    meta, inner = of.get("metadata") or {}, of.get("spec") or {}
    labels(meta.get("labels"), f"{path}.labels", out)
    annotation_values(meta.get("annotations"), f"{path}.annotations", out)
    own_annotations(meta.get("annotations"), inner, f"{path}.annotations", out)
    spec(inner, f"{path}.spec", out)
    if inner.get("ephemeralContainers"):
        why = "ephemeral containers not allowed in pod template"
        out.append(forbidden_field(f"{path}.spec.ephemeralContainers", why))


def _pod(obj: Json, out: Causes) -> None:
    meta, inner = obj["metadata"], obj.get("spec") or {}
    own_annotations(meta.get("annotations"), inner, "metadata.annotations", out)
    spec(inner, "spec", out, meta.get("name") or "", in_pod=True)
    if inner.get("serviceAccountName"):
        return
    for index, volume in enumerate(inner.get("volumes") or ()):
        for at, source in enumerate((volume.get("projected") or {}).get("sources") or ()):
            if source.get("serviceAccountToken") is not None:
                where = f"spec.volumes[{index}].projected.sources[{at}].serviceAccountToken"
                out.append(forbidden_field(where, "must not be specified when serviceAccountName is not set"))


def _created(obj: Json, out: Causes) -> None:
    inner = obj.get("spec") or {}
    if inner.get("ephemeralContainers"):
        out.append(forbidden_field("spec.ephemeralContainers", "cannot be set on create"))
    if inner.get("nodeName") and inner.get("schedulingGates"):
        why = "cannot be set until all schedulingGates have been cleared"
        out.append(forbidden_field("spec.nodeName", why))


def _ephemeral(obj: Json, old: Json, out: Causes) -> None:
    _pod(obj, out)
    pod_updates.ephemeral(obj, old, out)


def _resize(obj: Json, old: Json, out: Causes) -> None:
    _pod(obj, out)
    pod_updates.resize(obj, old, out)


def _pod_template(obj: Json, out: Causes) -> None:
    template(obj.get("template") or {}, "template", out)


RULES = {
    "pods": Rules(
        _pod,
        pod_updates.changed,
        pod_updates.status,
        _created,
        subresources={"ephemeralcontainers": _ephemeral, "resize": _resize},
    ),
    "podtemplates": Rules(_pod_template),
}
