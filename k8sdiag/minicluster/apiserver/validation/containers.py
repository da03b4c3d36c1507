"""Containers of every sort (pkg/apis/core/validation validateContainerCommon, validateContainers,
validateInitContainers, validateEphemeralContainers)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import (
    duplicate,
    forbidden_field,
    invalid_value,
    not_found_value,
    not_supported,
    required,
)
from k8sdiag.minicluster.apiserver.validation import environment, formats, handlers, mounts, resources, security
from k8sdiag.minicluster.apiserver.validation.fields import Causes, choice, each
from k8sdiag.minicluster.apiserver.validation.volumes import Volumes

PROTOCOLS = ("SCTP", "TCP", "UDP")
_MESSAGES = ("File", "FallbackToLogsOnError")
_PULLS = ("Always", "IfNotPresent", "Never")
_RESIZES = ("NotRequired", "RestartContainer")
# In the order of the Go struct, in which the complaints come.
_NOT_EPHEMERAL = (
    "ports", "resources", "resizePolicy", "restartPolicy", "livenessProbe", "readinessProbe", "startupProbe",
    "lifecycle",
)  # fmt: skip
_SIDECAR_ONLY = ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a container may refer to in its pod."""

    volumes: Volumes
    claims: frozenset[str]
    grace: int | None
    restart: str
    host_users: bool
    in_pod: bool  # not in a template


def _common(one: Json, around: Surroundings, path: str, out: Causes) -> None:
    name = one.get("name")
    if not name:
        out.append(required(f"{path}.name"))
    elif formats.dns_label(name):
        each(formats.dns_label(name), f"{path}.name", name, out)
    image = one.get("image") or ""
    if not image:
        out.append(required(f"{path}.image"))
    if one.get("terminationMessagePolicy") not in _MESSAGES:
        choice(one.get("terminationMessagePolicy"), _MESSAGES, f"{path}.terminationMessagePolicy", out)
    _contents(one, around, path, out)
    if one.get("imagePullPolicy") not in _PULLS:
        choice(one.get("imagePullPolicy"), _PULLS, f"{path}.imagePullPolicy", out)
    if one.get("resources"):
        resources.requirements(one["resources"], around.claims, f"{path}.resources", out)
    if one.get("resizePolicy"):
        _resize_policy(one["resizePolicy"], around.restart, f"{path}.resizePolicy", out)
    if one.get("securityContext"):
        security.container(one["securityContext"], around.host_users, f"{path}.securityContext", out)
    if around.in_pod and image != image.strip():
        out.append(invalid_value(f"{path}.image", image, "must not have leading or trailing whitespace"))


def _contents(one: Json, around: Surroundings, path: str, out: Causes) -> None:
    """Its ports, its environment, its volumes."""
    if one.get("ports"):
        _ports(one["ports"], f"{path}.ports", out)
    if one.get("env"):
        environment.variables(one["env"], f"{path}.env", out)
    if one.get("envFrom"):
        environment.whole_sources(one["envFrom"], f"{path}.envFrom", out)
    if one.get("volumeMounts"):
        mounts.mounts(one, around.volumes, f"{path}.volumeMounts", out)
    if one.get("volumeDevices"):
        mounts.devices(one, around.volumes, f"{path}.volumeDevices", out)


def _ports(items: list[Json], path: str, out: Causes) -> None:
    names: set[str] = set()
    for index, item in enumerate(items):
        where, name = f"{path}[{index}]", item.get("name")
        if name:
            messages = formats.port_name(name)
            each(messages, f"{where}.name", name, out)
            if not messages and name in names:
                out.append(duplicate(f"{where}.name", name))
            names.add(name)
        number, host = item.get("containerPort") or 0, item.get("hostPort") or 0
        if not number:
            out.append(required(f"{where}.containerPort"))
        else:
            each(formats.port_number(number), f"{where}.containerPort", number, out)
        if host:
            each(formats.port_number(host), f"{where}.hostPort", host, out)
        choice(item.get("protocol"), PROTOCOLS, f"{where}.protocol", out)


def _resize_policy(items: list[Json], restart: str, path: str, out: Causes) -> None:
    seen: set[str] = set()
    for index, item in enumerate(items):
        name, policy = item.get("resourceName") or "", item.get("restartPolicy") or ""
        if name in seen:
            out.append(duplicate(f"{path}[{index}]", name))
        seen.add(name)
        choice(name, ("cpu", "memory"), path, out)
        choice(policy, _RESIZES, path, out)
        if restart == "Never" and policy != "NotRequired":
            why = "must be 'NotRequired' when `restartPolicy` is 'Never'"
            out.append(invalid_value(path, policy, why))


def _host_ports(items: Iterable[tuple[int, Json]], path: str, out: Causes) -> None:
    """A node has each of its ports once."""
    taken: set[str] = set()
    for index, one in items:
        for at, item in enumerate(one.get("ports") or ()):
            if item.get("hostPort"):
                wanted = f"{item.get('protocol') or ''}/{item.get('hostIP') or ''}/{item['hostPort']}"
                if wanted in taken:
                    out.append(duplicate(f"{path}[{index}].ports[{at}].hostPort", wanted))
                taken.add(wanted)


def regular(items: list[Json], around: Surroundings, path: str, out: Causes) -> None:
    if not items:
        out.append(required(path))
        return
    names: set[str] = set()
    for index, one in enumerate(items):
        where = f"{path}[{index}]"
        _common(one, around, where, out)
        name = one.get("name") or ""
        if name in names:
            out.append(duplicate(f"{where}.name", name))
        names.add(name)
        if one.get("lifecycle") is not None:
            handlers.lifecycle(one["lifecycle"], around.grace, f"{where}.lifecycle", out)
        handlers.probes(one, around.grace, where, out)
        if one.get("restartPolicy") is not None:
            out.append(forbidden_field(f"{where}.restartPolicy", "may not be set for non-init containers"))
    _host_ports(enumerate(items), path, out)


def initial(items: list[Json], others: list[Json], around: Surroundings, path: str, out: Causes) -> None:
    names = {one.get("name") for one in others}
    for index, one in enumerate(items):
        where = f"{path}[{index}]"
        _common(one, around, where, out)
        policy = one.get("restartPolicy")
        if policy is not None and policy != "Always":
            out.append(not_supported(f"{where}.restartPolicy", policy, ("Always",)))
        name = one.get("name")
        if name in names:
            out.append(duplicate(f"{where}.name", name))
        elif name:
            names.add(name)
        _host_ports([(0, one)], path, out)
        if policy == "Always":
            if one.get("lifecycle") is not None:
                handlers.lifecycle(one["lifecycle"], around.grace, f"{where}.lifecycle", out)
            handlers.probes(one, around.grace, where, out)
            continue
        for field in _SIDECAR_ONLY:
            if one.get(field) is not None:
                why = "may not be set for init containers without restartPolicy=Always"
                out.append(forbidden_field(f"{where}.{field}", why))
        if one.get("resizePolicy"):
            why = "must not be set for init containers"
            out.append(invalid_value(f"{where}.resizePolicy", one["resizePolicy"], why))


def ephemeral(items: list[Json], others: list[Json], around: Surroundings, path: str, out: Causes) -> None:
    """What `kubectl debug` adds."""
    regular_names = {one.get("name") for one in others}
    names = set(regular_names)
    why = "cannot be set for an Ephemeral Container"
    for index, one in enumerate(items):
        where = f"{path}[{index}]"
        _common(one, around, where, out)
        name, target = one.get("name"), one.get("targetContainerName")
        if name in names:
            out.append(duplicate(f"{where}.name", name))
        names.add(name)
        if target and target not in regular_names:
            out.append(not_found_value(f"{where}.targetContainerName", target))
        out.extend(forbidden_field(f"{where}.{field}", why) for field in _NOT_EPHEMERAL if one.get(field))
        for at, mount in enumerate(one.get("volumeMounts") or ()):
            for field in ("subPath", "subPathExpr"):
                if mount.get(field):
                    out.append(forbidden_field(f"{where}.volumeMounts[{at}].{field}", why))
