"""`?fieldSelector=`: its grammar (apimachinery/pkg/fields/selector.go), and which fields of which kind it may name
(AddFieldLabelConversionFunc in pkg/apis/*/*/conversion.go, GetAttrs and SelectableFields in pkg/registry; of custom
resources, selectableFields in their definition)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.kinds import Resource

Matcher = Callable[[Json], bool]

_ALWAYS = ("metadata.name", "metadata.namespace")
_NAME_ALONE = frozenset(("nodes", "namespaces", "certificatesigningrequests.certificates.k8s.io"))
_REPLICAS = ("status.replicas",)

# By storage key, what can be selected on beside name and namespace. `a=b` is another name of b.
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "pods": (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.podIPs",
        "status.nominatedNodeName",
        "spec.host=spec.nodeName",  # from the days of v1beta
    ),
    "nodes": ("spec.unschedulable",),
    "namespaces": ("status.phase",),
    "secrets": ("type",),
    "services": ("spec.clusterIP", "spec.type"),
    "replicationcontrollers": _REPLICAS,
    "replicasets.apps": _REPLICAS,
    "jobs.batch": ("status.successful=status.succeeded",),
    "certificatesigningrequests.certificates.k8s.io": ("spec.signerName",),
    "events": (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source=source.component",
        "type",
    ),
}
# events.k8s.io/v1 calls the same fields by its own names
_NEW_EVENTS = (
    *("regarding.kind=involvedObject.kind", "regarding.namespace=involvedObject.namespace"),
    *("regarding.name=involvedObject.name", "regarding.uid=involvedObject.uid"),
    *("regarding.apiVersion=involvedObject.apiVersion", "regarding.resourceVersion=involvedObject.resourceVersion"),
    *("regarding.fieldPath=involvedObject.fieldPath", "reason", "reportingController=reportingComponent", "type"),
)
_ZERO = {"spec.unschedulable": "false", "spec.hostNetwork": "false", "status.replicas": "0", "status.succeeded": "0"}


@dataclass(frozen=True, slots=True)
class Term:
    """One comparison with a field of the stored object."""

    path: tuple[str, ...]
    value: str
    equal: bool
    zero: str

    def matches(self, obj: Json) -> bool:
        return (self._read(obj) == self.value) is self.equal

    def _read(self, obj: Json) -> str:
        found: object = obj
        for name in self.path:
            found = found.get(name) if isinstance(found, dict) else None
        if (found is None or found == "") and self.path == ("source", "component"):
            found = obj.get("reportingComponent")  # ToSelectableFields in pkg/registry/core/event
        if found is None or found == "":
            return self.zero
        if isinstance(found, bool):
            return "true" if found else "false"
        if isinstance(found, list):  # status.podIPs
            return ",".join(str(entry.get("ip", "")) for entry in found if isinstance(entry, dict))
        return str(found)


def parse(text: str, resource: Resource) -> tuple[Term, ...]:
    """The terms of a selector, all of which must hold. Raises 400."""
    if not text:
        return ()
    if resource.definition:
        return _built_in(text, resource.group, resource.storage)
    known = {field: field for field in (*_ALWAYS[: 1 + resource.namespaced], *resource.selectable)}
    return _terms(text, known, "", lambda field: f"field label not supported: {field}")


@lru_cache(maxsize=4096)
def _built_in(text: str, group: str, storage: str) -> tuple[Term, ...]:
    return _terms(text, _known(group, storage), storage, lambda field: _unsupported(field, group, storage))


def _terms(text: str, known: Mapping[str, str], storage: str, unknown: Callable[[str], str]) -> tuple[Term, ...]:
    terms = []
    for part in sorted(_split(text)):
        if not part:
            continue
        for operator in ("!=", "==", "="):
            pieces = part.split(operator)
            if len(pieces) == 2:
                break
        else:
            raise errors.bad_request(f"invalid selector: '{text}'; can't understand '{part}'")
        field, value = pieces[0], _unescape(pieces[1])
        path = known.get(field)
        if path is None:
            raise errors.bad_request(unknown(field))
        terms.append(Term(tuple(path.split(".")), value, operator != "!=", _zero(storage, path)))
    return tuple(terms)


def _known(group: str, storage: str) -> Mapping[str, str]:
    fields = _NEW_EVENTS if group == "events.k8s.io" else _FIELDS.get(storage, ())
    known = {field: field for field in _ALWAYS[: 1 if storage in _NAME_ALONE else 2]}
    for entry in fields:
        name, _, path = entry.partition("=")
        known[name] = path or name
    return known


def _unsupported(field: str, group: str, storage: str) -> str:
    """Kinds with a conversion of their own say it briefly, the others name what they know
    (apimachinery/pkg/runtime/conversion.go DefaultMetaV1FieldSelectorConversion)."""
    if storage == "jobs.batch":
        return f'field label "{field}" not supported for batchv1.Job'
    if storage in _FIELDS or group == "events.k8s.io":
        return f"field label not supported: {field}"
    return f'"{field}" is not a known field selector: only "metadata.name", "metadata.namespace"'


def _zero(storage: str, path: str) -> str:
    if storage == "events" and path == "involvedObject.resourceVersion":
        return ""
    return _ZERO.get(path, "")


def _split(text: str) -> list[str]:
    """At commas, but not at those behind a backslash."""
    return re.split(r"(?<!\\),", text)


def _unescape(value: str) -> str:
    return re.sub(r"\\([\\,=])", r"\1", value)


def matcher(text: str, resource: Resource) -> Matcher | None:
    """A test for stored objects; None where everything passes."""
    terms = parse(text, resource)
    if not terms:
        return None
    if len(terms) == 1:
        return terms[0].matches
    return lambda obj: all(term.matches(obj) for term in terms)


def exact(text: str, resource: Resource, field: str) -> str:
    """The value that the selector demands of a field; '' where it leaves a choice."""
    path = tuple(field.split("."))
    for term in parse(text, resource):
        if term.path == path and term.equal:
            return term.value
    return ""
