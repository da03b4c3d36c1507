"""ConfigMaps, Secrets, and the quotas and limits of namespaces (pkg/apis/core/validation ValidateConfigMap,
ValidateSecret, ValidateResourceQuota, ValidateLimitRange)."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import (
    duplicate,
    forbidden_field,
    invalid_value,
    required,
    too_long,
)
from k8sdiag.minicluster.apiserver.quantities import canonical, nanos
from k8sdiag.minicluster.apiserver.validation import formats, resources
from k8sdiag.minicluster.apiserver.validation.fields import IMMUTABLE, Causes, each, immutable
from k8sdiag.minicluster.apiserver.validation.rules import Rules

_MOST = 1024 * 1024
_KEPT = "field is immutable when `immutable` is set"
_TYPED = {
    "kubernetes.io/dockercfg": ".dockercfg",
    "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
}
_SCOPES = ("BestEffort", "CrossNamespacePodAffinity", "NotBestEffort", "NotTerminating", "PriorityClass", "Terminating")
_POD_SCOPED = frozenset(("pods", "cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"))


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text or "", validate=False)
    except binascii.Error:
        return b""


def _keys(values: Json, path: str, out: Causes) -> None:
    for key in values:
        each(formats.config_key(key), f"{path}[{key}]", key, out)


def _config_map(obj: Json, out: Causes) -> None:
    data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
    _keys(data, "data", out)
    for key in data.keys() & binary.keys():
        out.append(invalid_value(f"data[{key}]", key, "duplicate of key present in binaryData"))
    _keys(binary, "binaryData", out)
    size = sum(len(value.encode()) for value in data.values()) + sum(len(_decoded(value)) for value in binary.values())
    if size > _MOST:
        out.append(too_long("", _MOST))


def _kept(obj: Json, old: Json, fields: tuple[str, ...], out: Causes) -> None:
    """An object that calls itself immutable is."""
    if not old.get("immutable"):
        return
    if not obj.get("immutable"):
        out.append(forbidden_field("immutable", _KEPT))
    for name in fields:
        if (obj.get(name) or {}) != (old.get(name) or {}):
            out.append(forbidden_field(name, _KEPT))


def _config_map_change(obj: Json, old: Json, out: Causes) -> None:
    _kept(obj, old, ("data", "binaryData"), out)


def _secret(obj: Json, out: Causes) -> None:
    data, kind = obj.get("data") or {}, obj.get("type")
    _keys(data, "data", out)
    if sum(len(_decoded(value)) for value in data.values()) > _MOST:
        out.append(too_long("data", _MOST))
    if kind == "kubernetes.io/service-account-token":
        account = "kubernetes.io/service-account.name"
        if not (obj["metadata"].get("annotations") or {}).get(account):
            out.append(required(f"metadata.annotations[{account}]"))
    elif kind in _TYPED:
        _docker_config(data, _TYPED[kind], out)
    elif kind == "kubernetes.io/basic-auth":
        if "username" not in data and "password" not in data:
            out.extend((required("data[username]"), required("data[password]")))
    elif kind == "kubernetes.io/ssh-auth":
        if not data.get("ssh-privatekey"):
            out.append(required("data[ssh-privatekey]"))
    elif kind == "kubernetes.io/tls":
        out.extend(required(f"data[{key}]") for key in ("tls.crt", "tls.key") if key not in data)


def _docker_config(data: Json, key: str, out: Causes) -> None:
    if key not in data:
        out.append(required(f"data[{key}]"))
        return
    text = _decoded(data[key])
    try:
        found = json.loads(text)
    except ValueError:
        why = "unexpected end of JSON input"
        if text.strip():
            why = f"invalid character '{text.strip()[:1].decode(errors='replace')}' looking for beginning of value"
        out.append(invalid_value(f"data[{key}]", "<secret contents redacted>", why))
        return
    if not isinstance(found, dict):
        why = "json: cannot unmarshal into Go value of type map[string]interface {}"
        out.append(invalid_value(f"data[{key}]", "<secret contents redacted>", why))


def _secret_change(obj: Json, old: Json, out: Causes) -> None:
    immutable(obj.get("type"), old.get("type"), "type", out)
    _kept(obj, old, ("data",), out)


def _amounts(values: Json | None, path: str, out: Causes) -> None:
    for name, value in (values or {}).items():
        resources.quota_resource_name(name, f"{path}[{name}]", out)
        resources.amount(name, value, f"{path}[{name}]", out)


def _quota(obj: Json, out: Causes) -> None:
    spec = obj.get("spec") or {}
    hard, scopes = spec.get("hard") or {}, spec.get("scopes") or []
    _amounts(hard, "spec.hard", out)
    for scope in scopes:
        if scope not in _SCOPES:
            out.append(invalid_value("spec.scopes", scopes, "unsupported scope"))
        for name in sorted(hard):
            if not _in_scope(scope, name):
                out.append(invalid_value("spec.scopes", scopes, "unsupported scope applied to resource"))
    for pair in (("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating")):
        if set(pair) <= set(scopes):
            out.append(invalid_value("spec.scopes", scopes, "conflicting scopes"))
    selector = spec.get("scopeSelector")
    for requirement in (selector or {}).get("matchExpressions") or ():
        _scope(requirement, "spec.scopeSelector.matchExpressions", out)


def _in_scope(scope: str, name: str) -> bool:
    if name not in resources.QUOTA:
        return True
    return name == "pods" if scope == "BestEffort" else name in _POD_SCOPED or "ephemeral-storage" in name


def _scope(requirement: Json, path: str, out: Causes) -> None:
    name, operator, values = requirement.get("scopeName"), requirement.get("operator"), requirement.get("values") or []
    if name not in _SCOPES:
        out.append(invalid_value(f"{path}.scopeName", name or "", "unsupported scope"))
    if name in _SCOPES and name != "PriorityClass" and operator != "Exists":
        why = (
            "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
            "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or "
            "ResourceQuotaScopeCrossNamespacePodAffinity"
        )
        out.append(invalid_value(f"{path}.operator", operator or "", why))
    if operator in ("In", "NotIn"):
        if not values:
            why = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
            out.append(required(f"{path}.values", why))
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            why = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
            out.append(invalid_value(f"{path}.values", values, why))
    else:
        out.append(invalid_value(f"{path}.operator", operator or "", "not a valid selector operator"))


def _quota_change(obj: Json, old: Json, out: Causes) -> None:
    scopes, was = ((part.get("spec") or {}).get("scopes") or [] for part in (obj, old))
    if set(scopes) != set(was):
        out.append(invalid_value("spec.scopes", scopes, IMMUTABLE))


def _quota_status(obj: Json, _old: Json, out: Causes) -> None:
    for name in ("hard", "used"):
        _amounts((obj.get("status") or {}).get(name), f"status.{name}", out)


_PARTS = ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")


def _limit_range(obj: Json, out: Causes) -> None:
    seen: set[str] = set()
    for index, item in enumerate((obj.get("spec") or {}).get("limits") or ()):
        path, kind = f"spec.limits[{index}]", item.get("type") or ""
        messages = formats.qualified_name(kind)
        each(messages, f"{path}.type", kind, out)
        if not messages and "/" not in kind and kind not in ("Pod", "Container", "PersistentVolumeClaim"):
            why = "must be a standard limit type or fully qualified"
            out.append(invalid_value(f"{path}.type", kind, why))
        if kind in seen:
            out.append(duplicate(f"{path}.type", kind))
        seen.add(kind)
        _limits(item, kind, path, out)


def _limits(item: Json, kind: str, path: str, out: Causes) -> None:
    check = resources.container_resource_name if kind in ("Pod", "Container") else resources.resource_name
    for part in _PARTS:
        values = item.get(part) or {}
        if kind == "Pod" and part.startswith("default"):
            if values:
                out.append(forbidden_field(f"{path}.{part}", "may not be specified when `type` is 'Pod'"))
            continue
        for name in values:
            check(name, f"{path}.{part}[{name}]", out)
    if kind == "PersistentVolumeClaim" and not any("storage" in (item.get(part) or {}) for part in ("min", "max")):
        why = "either minimum or maximum storage value is required, but neither was provided"
        out.append(required(f"{path}.limits", why))
    for name in sorted({name for part in _PARTS for name in item.get(part) or ()}):
        _order({part: (item.get(part) or {}).get(name) for part in _PARTS}, name, path, out)


# The smaller, the larger, the field that is complained of and whose value is shown, and in which words.
_ORDERS = (
    ("min", "max", "min", "min", "min value {} is greater than max value {}"),
    (
        "min",
        "defaultRequest",
        "defaultRequest",
        "defaultRequest",
        "min value {} is greater than default request value {}",
    ),
    (
        "defaultRequest",
        "max",
        "defaultRequest",
        "defaultRequest",
        "default request value {} is greater than max value {}",
    ),
    (
        "defaultRequest",
        "default",
        "defaultRequest",
        "defaultRequest",
        "default request value {} is greater than default limit value {}",
    ),
    ("min", "default", "default", "min", "min value {} is greater than default value {}"),
    ("default", "max", "default", "max", "default value {} is greater than max value {}"),
)


def _order(values: dict[str, Any], name: str, path: str, out: Causes) -> None:
    for less, more, field, shown, words in _ORDERS:
        one, other = values[less], values[more]
        if one is not None and other is not None and nanos(one) > nanos(other):
            text = words.format(canonical(one), canonical(other))
            out.append(invalid_value(f"{path}.{field}[{name}]", canonical(values[shown]), text))
    ratio = values["maxLimitRequestRatio"]
    if ratio is not None and nanos(ratio) < 10**9:
        where = f"{path}.maxLimitRequestRatio[{name}]"
        out.append(invalid_value(where, canonical(ratio), f"ratio {canonical(ratio)} is less than 1"))


RULES = {
    "configmaps": Rules(_config_map, _config_map_change),
    "secrets": Rules(_secret, _secret_change),
    "serviceaccounts": Rules(),
    "resourcequotas": Rules(_quota, _quota_change, _quota_status),
    "limitranges": Rules(_limit_range),
}
