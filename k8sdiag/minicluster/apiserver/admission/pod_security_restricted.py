"""The checks that the Pod Security Standards add at level restricted (pod-security-admission/policy/check_*.go), and
a pod held against a level."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.admission.pod_security_checks import (
    BASELINE,
    OVERLAPPED,
    Check,
    Violation,
    containers,
    counted,
    named,
    quoted,
    seccomp_type,
    seccomp_unfit,
    security,
    setters,
)


def _windows(spec: Json, version: int) -> bool:
    """Where the pod says that it is for Windows, Linux' knobs do not count, from 1.25 on."""
    return version >= 25 and (spec.get("os") or {}).get("name") == "windows"


def allow_privilege_escalation(_: Json, spec: Json, version: int) -> Violation | None:
    if version < 8 or _windows(spec, version):
        return None
    bad = [c["name"] for c in containers(spec) if security(c).get("allowPrivilegeEscalation") is not False]
    if not bad:
        return None
    text = f"{named('container', bad)} must set securityContext.allowPrivilegeEscalation=false"
    return Violation("allowPrivilegeEscalation != false", text)


def drop_capabilities(_: Json, spec: Json, version: int) -> Violation | None:
    if version < 22 or _windows(spec, version):
        return None
    keeping, adding, added = [], [], set()
    for container in containers(spec):
        wanted = security(container).get("capabilities") or {}
        if "ALL" not in (wanted.get("drop") or []):
            keeping.append(container["name"])
        more = set(wanted.get("add") or []) - {"NET_BIND_SERVICE"}
        if more:
            adding.append(container["name"])
            added |= more
    parts = []
    if keeping:
        parts.append(f'{named("container", keeping)} must set securityContext.capabilities.drop=["ALL"]')
    if adding:
        parts.append(
            f"{named('container', adding)} must not include {quoted(sorted(added))} in securityContext.capabilities.add"
        )
    return Violation("unrestricted capabilities", "; ".join(parts)) if parts else None


_VOLUMES = frozenset("configMap csi downwardAPI emptyDir ephemeral persistentVolumeClaim projected secret".split())
_UNKNOWN = frozenset({"image"})  # a kind of volume that the standard has not heard of yet


def restricted_volumes(_: Json, spec: Json, __: int) -> Violation | None:
    bad, kinds = [], set()
    for volume in spec.get("volumes") or []:
        used = {key for key, value in volume.items() if key != "name" and value is not None}
        if not used & _VOLUMES:
            bad.append(volume["name"])
            kinds |= (used - _UNKNOWN) or {"unknown"}
    if not bad:
        return None
    verb = "uses" if len(bad) == 1 else "use"
    listed = quoted(sorted(kinds))
    return Violation(
        "restricted volume types", f"{named('volume', bad)} {verb} {counted('restricted volume type', kinds)} {listed}"
    )


def run_as_non_root(_: Json, spec: Json, __: int) -> Violation | None:
    pod = security(spec).get("runAsNonRoot")
    said = [(container["name"], security(container).get("runAsNonRoot")) for container in containers(spec)]
    who = setters(pod is False, [name for name, value in said if value is False])
    if who:
        return Violation("runAsNonRoot != true", f"{who} must not set securityContext.runAsNonRoot=false")
    silent = [name for name, value in said if value is None]
    if silent and pod is not True:
        text = f"pod or {named('container', silent)} must set securityContext.runAsNonRoot=true"
        return Violation("runAsNonRoot != true", text)
    return None


def run_as_user(_: Json, spec: Json, version: int) -> Violation | None:
    if version < 23:
        return None
    bad = [container["name"] for container in containers(spec) if security(container).get("runAsUser") == 0]
    who = setters(security(spec).get("runAsUser") == 0, bad)
    return Violation("runAsUser=0", f"{who} must not set runAsUser=0") if who else None


def seccomp_profile_set(_: Json, spec: Json, version: int) -> Violation | None:
    if version < 19 or _windows(spec, version):
        return None
    unfit = seccomp_unfit(spec)
    if unfit is not None or seccomp_type(spec) is not None:
        return unfit
    silent = [container["name"] for container in containers(spec) if seccomp_type(container) is None]
    if not silent:
        return None
    text = (
        f'{named("container", silent)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    )
    return Violation("seccompProfile", f"pod or {text}")


RESTRICTED: tuple[Check, ...] = (
    allow_privilege_escalation,
    drop_capabilities,
    restricted_volumes,
    run_as_non_root,
    run_as_user,
    seccomp_profile_set,
)


def violations(level: str, version: int, meta: Json, spec: Json) -> list[Violation]:
    """What a pod does that its namespace's level does not allow, in the standard's order."""
    if level == "privileged":
        return []
    checks = BASELINE + (OVERLAPPED if level == "baseline" else RESTRICTED)
    return [found for check in checks if (found := check(meta, spec, version)) is not None]
