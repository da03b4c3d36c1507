"""Environment variables and the fields they may take (pkg/apis/core/validation ValidateEnv, ValidateEnvFrom,
validateObjectFieldSelector, validateContainerResourceFieldSelector; pkg/apis/core/pods/helpers.go)."""

from __future__ import annotations

from collections.abc import Collection

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import invalid_value, not_supported, required
from k8sdiag.minicluster.apiserver.quantities import canonical, nanos
from k8sdiag.minicluster.apiserver.validation import formats
from k8sdiag.minicluster.apiserver.validation.fields import Causes, each

FIELDS = frozenset(
    (
        "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName",
        "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
    )
)  # fmt: skip
_CONVERTIBLE = FIELDS | {
    "metadata.annotations",
    "metadata.labels",
    "spec.restartPolicy",
    "spec.schedulerName",
    "status.phase",
    "status.nominatedNodeName",
    "spec.host",
}
_AMOUNTS = (
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
)
_BYTES = ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei")
_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef")


def variables(items: list[Json], path: str, out: Causes) -> None:
    for index, item in enumerate(items):
        name = item.get("name")
        if not name:
            out.append(required(f"{path}[{index}].name"))
        elif formats.environment_name(name):
            each(formats.environment_name(name), f"{path}[{index}].name", name, out)
        source = item.get("valueFrom")
        if source is not None:
            _source(source, item.get("value") or "", f"{path}[{index}].valueFrom", out)


def _source(source: Json, value: str, path: str, out: Causes) -> None:
    given = [name for name in _SOURCES if source.get(name) is not None]
    for name in given:
        reference, where = source[name], f"{path}.{name}"
        if name == "fieldRef":
            object_field(reference, FIELDS, where, out)
        elif name == "resourceFieldRef":
            container_field(reference, where, out)
        else:
            _key(reference, where, out)
    if not given:
        why = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
        out.append(invalid_value(path, "", why))
    elif value:
        out.append(invalid_value(path, "", "may not be specified when `value` is not empty"))
    elif len(given) > 1:
        out.append(invalid_value(path, "", "may not have more than one field specified at a time"))


def _key(reference: Json, path: str, out: Causes) -> None:
    """A key of a ConfigMap or Secret."""
    name, key = reference.get("name") or "", reference.get("key")
    each(formats.dns_subdomain(name), f"{path}.name", name, out)
    if not key:
        out.append(required(f"{path}.key"))
    else:
        each(formats.config_key(key), f"{path}.key", key, out)


def object_field(reference: Json, allowed: Collection[str], path: str, out: Causes) -> None:
    """A field of the pod: `metadata.name`, `metadata.labels['app']`."""
    if not reference.get("apiVersion"):
        out.append(required(f"{path}.apiVersion"))
        return
    field = reference.get("fieldPath")
    if not field:
        out.append(required(f"{path}.fieldPath"))
        return
    base, bracket, subscript = field.partition("['")
    subscripted = bool(bracket) and subscript.endswith("']")
    if (base if subscripted else field) not in _CONVERTIBLE or reference["apiVersion"] != "v1":
        why = f"error converting fieldPath: field label not supported: {field}"
        if reference["apiVersion"] != "v1":
            why = f"error converting fieldPath: unsupported pod version: {reference['apiVersion']}"
        out.append(invalid_value(f"{path}.fieldPath", field, why))
    elif subscripted:
        if base not in ("metadata.annotations", "metadata.labels"):
            out.append(invalid_value(path, base, "does not support subscript"))
            return
        key = subscript.removesuffix("']")
        each(formats.qualified_name(key.lower() if base.endswith("annotations") else key), path, key, out)
    elif field not in allowed:
        out.append(not_supported(f"{path}.fieldPath", field, sorted(allowed)))


def container_field(reference: Json, path: str, out: Causes, named: bool = False) -> None:
    """An amount of a container: `limits.memory`."""
    amount = reference.get("resource") or ""
    huge = amount.startswith(("limits.hugepages-", "requests.hugepages-"))
    if named and not reference.get("containerName"):
        out.append(required(f"{path}.containerName"))
    elif not amount:
        out.append(required(f"{path}.resource"))
    elif amount not in _AMOUNTS and not huge:
        out.append(not_supported(f"{path}.resource", amount, _AMOUNTS))
    divisor = reference.get("divisor") or "0"
    if nanos(divisor) == 0:
        return
    if amount.endswith(".cpu"):
        if canonical(divisor) not in ("1m", "1"):
            why = "only divisor's values 1m and 1 are supported with the cpu resource"
            out.append(invalid_value(f"{path}.divisor", amount, why))
    elif canonical(divisor) not in _BYTES:
        called = {"memory": "memory", "ephemeral-storage": "local ephemeral storage"}.get(amount.partition(".")[2])
        why = f"only divisor's values {', '.join(_BYTES)} are supported with the {called or 'hugepages'} resource"
        out.append(invalid_value(f"{path}.divisor", amount, why))


def whole_sources(items: list[Json], path: str, out: Causes) -> None:
    """`envFrom`: all keys of a ConfigMap or Secret. Two complaints are about the list, as in the real messages."""
    for index, item in enumerate(items):
        prefix = item.get("prefix")
        if prefix:
            each(formats.environment_name(prefix), f"{path}[{index}].prefix", prefix, out)
        given = [name for name in ("configMapRef", "secretRef") if item.get(name) is not None]
        for name in given:
            called, where = item[name].get("name"), f"{path}[{index}].{name}.name"
            if not called:
                out.append(required(where))
            else:
                each(formats.dns_subdomain(formats.prefix_of(called)), where, called, out)
        if not given:
            out.append(invalid_value(path, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif len(given) > 1:
            out.append(invalid_value(path, "", "may not have more than one field specified at a time"))
