"""Security contexts of pods and containers (pkg/apis/core/validation ValidateSecurityContext,
validatePodSpecSecurityContext, validateSeccompProfileField, ValidateAppArmorProfileField, validateSysctls)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import duplicate, invalid_value, not_supported, required
from k8sdiag.minicluster.apiserver.validation import formats
from k8sdiag.minicluster.apiserver.validation.fields import Causes, each
from k8sdiag.minicluster.apiserver.validation.paths import descending

_PROFILES = ("Localhost", "RuntimeDefault", "Unconfined")
_SYSCTL = r"^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"
_NETWORK_SYSCTLS, _IPC_SYSCTLS = ("net.",), ("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.")


def container(context: Json | None, host_users: bool, path: str, out: Causes) -> None:
    if not context:
        return
    _identities(context, ("runAsUser", "runAsGroup"), path, out)
    mount = context.get("procMount")
    if mount is not None:
        if mount not in ("Default", "Unmasked"):
            out.append(not_supported(f"{path}.procMount", mount, ("Default", "Unmasked")))
        if host_users and mount == "Unmasked":
            out.append(invalid_value(f"{path}.procMount", mount, "`hostUsers` must be false to use `Unmasked`"))
    _seccomp(context.get("seccompProfile"), f"{path}.seccompProfile", out)
    if context.get("allowPrivilegeEscalation") is False:
        why = "cannot set `allowPrivilegeEscalation` to false and"
        if context.get("privileged"):
            out.append(invalid_value(path, context, f"{why} `privileged` to true"))
        if "CAP_SYS_ADMIN" in ((context.get("capabilities") or {}).get("add") or ()):
            out.append(invalid_value(path, context, f"{why} `capabilities.Add` CAP_SYS_ADMIN"))
    _app_armor(context.get("appArmorProfile"), f"{path}.appArmorProfile", out)


def pod(context: Json | None, spec: Json, path: str, out: Causes) -> None:
    if not context:
        return
    _identities(context, ("fsGroup", "runAsUser", "runAsGroup"), path, out)
    for index, group in enumerate(context.get("supplementalGroups") or ()):
        each(formats.identity(group), f"{path}.supplementalGroups[{index}]", group, out)
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        why = "ShareProcessNamespace and HostPID cannot both be enabled"
        out.append(invalid_value(f"{path}.shareProcessNamespace", True, why))
    if context.get("sysctls"):
        _sysctls(context["sysctls"], spec, f"{path}.sysctls", out)
    for name, choices in (
        ("fsGroupChangePolicy", ("Always", "OnRootMismatch")),
        ("supplementalGroupsPolicy", ("Merge", "Strict")),
        ("seLinuxChangePolicy", ("MountOption", "Recursive")),
    ):
        value = context.get(name)
        if value is not None and value not in choices:
            out.append(not_supported(f"{path}.{name}", value, choices))
    _seccomp(context.get("seccompProfile"), f"{path}.seccompProfile", out)
    _app_armor(context.get("appArmorProfile"), f"{path}.appArmorProfile", out)


def _identities(context: Json, names: tuple[str, ...], path: str, out: Causes) -> None:
    for name in names:
        value = context.get(name)
        if value is not None:
            each(formats.identity(value), f"{path}.{name}", value, out)


def _seccomp(profile: Json | None, path: str, out: Causes) -> None:
    if profile is None:
        return
    kind, local = profile.get("type") or "", profile.get("localhostProfile")
    if not kind:
        out.append(required(f"{path}.type", "type is required when seccompProfile is set"))
    elif kind not in _PROFILES:
        out.append(not_supported(f"{path}.type", kind, _PROFILES))
    if kind == "Localhost":
        if local is None:
            out.append(required(f"{path}.localhostProfile", "must be set when seccomp type is Localhost"))
        else:
            descending(local, f"{path}.localhostProfile", out)
    elif local is not None:
        why = "can only be set when seccomp type is Localhost"
        out.append(invalid_value(f"{path}.localhostProfile", profile, why))


def _app_armor(profile: Json | None, path: str, out: Causes) -> None:
    if profile is None:
        return
    kind, local = profile.get("type") or "", profile.get("localhostProfile")
    where = f"{path}.localhostProfile"
    if not kind:
        out.append(required(f"{path}.type", "type is required when appArmorProfile is set"))
    elif kind not in _PROFILES:
        out.append(not_supported(f"{path}.type", kind, _PROFILES))
    elif kind == "Localhost":
        if local is None or not local.strip():
            out.append(required(where, "must be set when AppArmor type is Localhost"))
        elif local != local.strip():
            out.append(invalid_value(where, local, "must not be padded with whitespace"))
    elif local is not None:
        out.append(invalid_value(where, local, "can only be set when AppArmor type is Localhost"))


def _sysctls(items: list[Json], spec: Json, path: str, out: Causes) -> None:
    seen: set[str] = set()
    for index, item in enumerate(items):
        name, where = item.get("name") or "", f"{path}[{index}].name"
        plain = name.replace("/", ".")
        if not name:
            out.append(required(where))
        elif not formats.sysctl(name):
            out.append(invalid_value(where, name, f"must have at most 253 characters and match regex {_SYSCTL}"))
        elif name in seen:
            out.append(duplicate(where, name))
        if spec.get("hostNetwork") and plain.startswith(_NETWORK_SYSCTLS):
            out.append(invalid_value(where, name, "may not be specified when 'hostNetwork' is true"))
        elif spec.get("hostIPC") and plain.startswith(_IPC_SYSCTLS):
            out.append(invalid_value(where, name, "may not be specified when 'hostIPC' is true"))
        seen.add(name)
