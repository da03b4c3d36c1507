"""The checks of the Pod Security Standards that only a privileged pod fails (level baseline)
(pod-security-admission/policy/check_*.go). Each gives what it refuses, in the standard's words, or None."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from k8sdiag.evidence import Json

LATEST = 10_000  # a minor version beyond all


@dataclass(frozen=True, slots=True)
class Violation:
    """`hostPort` and `container "web" uses hostPort 80`."""

    reason: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.reason} ({self.detail})" if self.detail else self.reason


# A pod's metadata and spec, and the minor version of the standard that it is held against.
Check = Callable[[Json, Json, int], Violation | None]


def containers(spec: Json) -> Iterator[Json]:
    """All containers, in the order in which the standard visits them."""
    for key in ("initContainers", "containers", "ephemeralContainers"):
        yield from spec.get(key) or []


def security(obj: Json) -> Json:
    """The securityContext of a pod's spec or a container."""
    found: Json = obj.get("securityContext") or {}
    return found


def quoted(items: Iterable[Any]) -> str:
    """`"a", "b"`."""
    return ", ".join(f'"{item}"' for item in items)


def counted(noun: str, items: Collection[Any]) -> str:
    """The noun, with an s where there is not just one."""
    return noun if len(items) == 1 else f"{noun}s"


def named(noun: str, items: Sequence[Any]) -> str:
    """`container "a"`, `containers "a", "b"`."""
    return f"{counted(noun, items)} {quoted(items)}"


def setters(pod: bool, bad: Sequence[str]) -> str:
    """`pod`, `container "a"`, `pod and containers "a", "b"`; '' where neither is at fault."""
    parts = ["pod"] if pod else []
    if bad:
        parts.append(named("container", bad))
    return " and ".join(parts)


def host_namespaces(_: Json, spec: Json, __: int) -> Violation | None:
    used = [f"{key}=true" for key in ("hostNetwork", "hostPID", "hostIPC") if spec.get(key)]
    return Violation("host namespaces", ", ".join(used)) if used else None


def host_path_volumes(_: Json, spec: Json, __: int) -> Violation | None:
    bad = [volume["name"] for volume in spec.get("volumes") or [] if volume.get("hostPath") is not None]
    return Violation("hostPath volumes", named("volume", bad)) if bad else None


def host_ports(_: Json, spec: Json, __: int) -> Violation | None:
    bad, ports = [], set()
    for container in containers(spec):
        used = {str(port["hostPort"]) for port in container.get("ports") or [] if port.get("hostPort")}
        if used:
            bad.append(container["name"])
            ports |= used
    if not bad:
        return None
    verb = "uses" if len(bad) == 1 else "use"
    return Violation(
        "hostPort", f"{named('container', bad)} {verb} {counted('hostPort', ports)} {', '.join(sorted(ports))}"
    )


def privileged(_: Json, spec: Json, __: int) -> Violation | None:
    bad = [container["name"] for container in containers(spec) if security(container).get("privileged")]
    if not bad:
        return None
    return Violation("privileged", f"{named('container', bad)} must not set securityContext.privileged=true")


_APPARMOR_ANNOTATION = "container.apparmor.security.beta.kubernetes.io/"


def app_armor_profile(meta: Json, spec: Json, _: int) -> Violation | None:
    def bad_type(context: Json) -> str:
        kind = (context.get("appArmorProfile") or {}).get("type")
        return kind if kind and kind not in ("RuntimeDefault", "Localhost") else ""

    values = {bad_type(security(owner)) for owner in (spec, *containers(spec))} - {""}
    parts = [setters(bool(bad_type(security(spec))), [c["name"] for c in containers(spec) if bad_type(security(c))])]
    listed = sorted(values)
    noted = sorted(
        f'{key}="{value}"'
        for key, value in (meta.get("annotations") or {}).items()
        if key.startswith(_APPARMOR_ANNOTATION)
        and value not in ("", "runtime/default")
        and not value.startswith("localhost/")
    )
    if noted:
        parts.append(counted("annotation", noted))
        listed += noted
    who = " and ".join(filter(None, parts))
    if not who:
        return None
    reason = counted("forbidden AppArmor profile", listed)
    return Violation(reason, f"{who} must not set AppArmor profile type to {quoted(listed)}")


_CAPABILITIES = frozenset(
    "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID"
    " SYS_CHROOT".split()
)


def capabilities(_: Json, spec: Json, __: int) -> Violation | None:
    bad, added = [], set()
    for container in containers(spec):
        more = set((security(container).get("capabilities") or {}).get("add") or []) - _CAPABILITIES
        if more:
            bad.append(container["name"])
            added |= more
    if not bad:
        return None
    text = f"{named('container', bad)} must not include {quoted(sorted(added))} in securityContext.capabilities.add"
    return Violation("non-default capabilities", text)


def proc_mount(_: Json, spec: Json, __: int) -> Violation | None:
    bad, kinds = [], set()
    for container in containers(spec):
        kind = security(container).get("procMount")
        if kind and kind != "Default":
            bad.append(container["name"])
            kinds.add(kind)
    if not bad:
        return None
    return Violation(
        "procMount", f"{named('container', bad)} must not set securityContext.procMount to {quoted(sorted(kinds))}"
    )


_SELINUX_TYPES = frozenset({"", "container_t", "container_init_t", "container_kvm_t"})


def se_linux_options(_: Json, spec: Json, version: int) -> Violation | None:
    allowed = _SELINUX_TYPES | {"container_engine_t"} if version >= 31 else _SELINUX_TYPES
    types: set[str] = set()
    forbidden: set[str] = set()

    def is_bad(owner: Json) -> bool:
        options = security(owner).get("seLinuxOptions") or {}
        kind, before = options.get("type") or "", len(types) + len(forbidden)
        types.update({kind} - allowed)
        found = {key for key in ("user", "role") if options.get(key)}
        forbidden.update(found)
        return kind not in allowed or bool(found) or len(types) + len(forbidden) > before

    pod = is_bad(spec)
    bad = [container["name"] for container in containers(spec) if is_bad(container)]
    who = setters(pod, bad)
    if not who:
        return None
    parts = [named("type", sorted(types))] if types else []
    parts += [f"{key} may not be set" for key in ("user", "role") if key in forbidden]
    return Violation("seLinuxOptions", f"{who} set forbidden securityContext.seLinuxOptions: {'; '.join(parts)}")


_SYSCTLS = (
    (0, "kernel.shm_rmid_forced net.ipv4.ip_local_port_range net.ipv4.tcp_syncookies net.ipv4.ping_group_range"),
    (0, "net.ipv4.ip_unprivileged_port_start"),
    (27, "net.ipv4.ip_local_reserved_ports"),
    (29, "net.ipv4.tcp_keepalive_time net.ipv4.tcp_fin_timeout net.ipv4.tcp_keepalive_intvl"),
    (29, "net.ipv4.tcp_keepalive_probes"),
    (32, "net.ipv4.tcp_rmem net.ipv4.tcp_wmem"),
)


def sysctls(_: Json, spec: Json, version: int) -> Violation | None:
    allowed = {name for since, names in _SYSCTLS if version >= since for name in names.split()}
    bad = [sysctl["name"] for sysctl in security(spec).get("sysctls") or [] if sysctl["name"] not in allowed]
    return Violation("forbidden sysctls", ", ".join(bad)) if bad else None


def windows_host_process(_: Json, spec: Json, __: int) -> Violation | None:
    def is_bad(owner: Json) -> bool:
        return bool((security(owner).get("windowsOptions") or {}).get("hostProcess"))

    who = setters(is_bad(spec), [container["name"] for container in containers(spec) if is_bad(container)])
    if not who:
        return None
    return Violation("hostProcess", f"{who} must not set securityContext.windowsOptions.hostProcess=true")


_SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP_CONTAINER = "container.seccomp.security.alpha.kubernetes.io/"


def seccomp_type(owner: Json) -> str | None:
    """The type a pod or container sets, None where it sets no profile."""
    profile = security(owner).get("seccompProfile")
    return None if profile is None else profile.get("type") or ""


def seccomp_unfit(spec: Json) -> Violation | None:
    """Where a profile is set, it is one of the two that restrict anything."""
    fit = ("RuntimeDefault", "Localhost", None)
    pod = seccomp_type(spec) not in fit
    bad = [container["name"] for container in containers(spec) if seccomp_type(container) not in fit]
    who = setters(pod, bad)
    if not who:
        return None
    values = sorted({str(seccomp_type(owner)) for owner in (spec, *containers(spec)) if seccomp_type(owner) not in fit})
    return Violation("seccompProfile", f"{who} must not set securityContext.seccompProfile.type to {quoted(values)}")


def seccomp_profile(meta: Json, spec: Json, version: int) -> Violation | None:
    if version >= 19:
        return seccomp_unfit(spec)
    keys = [_SECCOMP_POD, *(f"{_SECCOMP_CONTAINER}{container['name']}" for container in containers(spec))]
    annotations = meta.get("annotations") or {}
    bad = sorted(
        f'{key}="{annotations[key]}"'
        for key in keys
        if key in annotations
        and annotations[key] not in ("runtime/default", "docker/default")
        and not annotations[key].startswith("localhost/")
    )
    return Violation("seccompProfile", f"forbidden {counted('annotation', bad)} {', '.join(bad)}") if bad else None


BASELINE: tuple[Check, ...] = (
    app_armor_profile,
    host_namespaces,
    host_ports,
    privileged,
    proc_mount,
    se_linux_options,
    sysctls,
    windows_host_process,
)
# Left out for the restricted level, where a stricter check says the same and more.
OVERLAPPED: tuple[Check, ...] = (capabilities, host_path_volumes, seccomp_profile)
