"""Resource names and amounts, requests and limits (pkg/apis/core/validation validateResourceRequirements,
pkg/apis/core/helper/helpers.go)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import (
    Cause,
    duplicate,
    forbidden_field,
    invalid_value,
    not_found_value,
    not_supported,
    required,
)
from k8sdiag.minicluster.apiserver.quantities import canonical, nanos
from k8sdiag.minicluster.apiserver.validation import formats
from k8sdiag.minicluster.apiserver.validation.fields import NEGATIVE, NOT_POSITIVE, Causes, each

_NANO = 10**9
CONTAINER = frozenset(("cpu", "memory", "ephemeral-storage"))
COUNTED = frozenset(
    (
        "pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "configmaps",
        "persistentvolumeclaims", "services.nodeports", "services.loadbalancers",
    )
)  # fmt: skip
QUOTA = COUNTED | frozenset(
    (
        "cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory", "requests.storage",
        "requests.ephemeral-storage", "limits.cpu", "limits.memory", "limits.ephemeral-storage",
    )
)  # fmt: skip
STANDARD = QUOTA | {"storage"}
_HUGE = "hugepages-"
NameCheck = Callable[[str, str, Causes], None]


def native(name: str) -> bool:
    return "/" not in name or "kubernetes.io/" in name


def extended(name: str) -> bool:
    """Devices and the like: `example.com/gpu`."""
    return not native(name) and not name.startswith("requests.") and not formats.qualified_name(f"requests.{name}")


def overcommits(name: str) -> bool:
    """Whether more may be promised than there is."""
    return native(name) and not name.startswith(_HUGE)


def resource_name(name: str, path: str, out: Causes) -> None:
    messages = formats.qualified_name(name)
    each(messages, path, name, out)
    if messages or "/" in name or name in STANDARD or name.startswith((_HUGE, "requests.hugepages-")):
        return
    out.append(invalid_value(path, name, "must be a standard resource type or fully qualified"))


def container_resource_name(name: str, path: str, out: Causes) -> None:
    if name in CONTAINER:
        return
    resource_name(name, path, out)
    if "/" not in name:
        if not name.startswith(_HUGE):
            out.append(invalid_value(path, name, "must be a standard resource for containers"))
    elif not native(name) and not extended(name):
        out.append(invalid_value(path, name, "doesn't follow extended resource name standard"))


def pod_resource_name(name: str, path: str, out: Causes) -> None:
    """What the pod as a whole may ask for."""
    before = len(out)
    resource_name(name, path, out)
    if len(out) == before and name not in ("cpu", "memory") and not name.startswith(_HUGE):
        out.append(not_supported(path, name, ("cpu", "hugepages-", "memory")))


def quota_resource_name(name: str, path: str, out: Causes) -> None:
    if name in QUOTA:
        return
    resource_name(name, path, out)
    if "/" not in name and not name.startswith((_HUGE, "requests.hugepages-")):
        out.append(invalid_value(path, name, "must be a standard resource for quota"))


def amount(name: str, value: Any, path: str, out: Causes) -> None:
    """Not negative, and whole where things are counted."""
    size = nanos(value)
    if size < 0:
        out.append(invalid_value(path, canonical(value), NEGATIVE))
    if (name in COUNTED or extended(name)) and size % _NANO:
        out.append(invalid_value(path, canonical(value), "must be an integer"))


def positive(value: Any, path: str, out: Causes) -> None:
    if nanos(value) <= 0:
        out.append(invalid_value(path, canonical(value), NOT_POSITIVE))


def requirements(
    resources: Json | None, claims: frozenset[str], path: str, out: Causes, check: NameCheck = container_resource_name
) -> None:
    if not resources:
        return
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for name, value in limits.items():
        where = f"{path}.limits[{name}]"
        check(name, where, out)
        amount(name, value, where, out)
        _huge(name, value, where, out)
    for name, value in requests.items():
        where = f"{path}.requests[{name}]"
        check(name, where, out)
        amount(name, value, where, out)
        _within(name, value, limits, path, out)
        _huge(name, value, where, out)
    asked = limits.keys() | requests.keys()
    if any(name.startswith(_HUGE) for name in asked) and not asked & {"cpu", "memory"}:
        out.append(forbidden_field(path, "HugePages require cpu or memory"))
    for index, claim in enumerate(resources.get("claims") or ()):
        _claim(claim, resources["claims"][:index], claims, f"{path}.claims[{index}]", out)


def _within(name: str, value: Any, limits: Json, path: str, out: Causes) -> None:
    limit = limits.get(name)
    if limit is None:
        if not overcommits(name):
            out.append(required(f"{path}.limits", "Limit must be set for non overcommitable resources"))
        return
    wanted, most = nanos(value), nanos(limit)
    if wanted != most and not overcommits(name):
        text = f"must be equal to {name} limit of {canonical(limit)}"
        out.append(invalid_value(f"{path}.requests", canonical(value), text))
    elif wanted > most:
        text = f"must be less than or equal to {name} limit of {canonical(limit)}"
        out.append(invalid_value(f"{path}.requests", canonical(value), text))


def _huge(name: str, value: Any, path: str, out: Causes) -> None:
    """An amount of huge pages is a number of whole pages."""
    if name.startswith(_HUGE):
        page, size = nanos(name.removeprefix(_HUGE)), nanos(value)
        if page <= 0 or size % page:
            text = f"{canonical(value)} is not positive integer multiple of {name}"
            out.append(invalid_value(path, canonical(value), text))


def _claim(claim: Json, before: list[Json], claims: frozenset[str], path: str, out: Causes) -> None:
    name = claim.get("name")
    if not name:
        out.append(required(path))
        return
    if any(other.get("name") == name and other.get("request") == claim.get("request") for other in before):
        out.append(duplicate(path, name))
    if name not in claims:
        known = f": {', '.join(sorted(claims))}" if claims else " which is empty"
        missing = not_found_value(path, name)
        text = f"{missing.message}: must be one of the names in pod.spec.resourceClaims{known}"
        out.append(Cause(missing.field, missing.reason, text))
