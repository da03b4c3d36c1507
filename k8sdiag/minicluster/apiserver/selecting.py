"""Which objects a request is about: its namespace and its two selectors, for lists and watches alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import field_selectors, label_selectors
from k8sdiag.minicluster.kinds import Resource

_NO_LABELS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Selection:
    """A test for stored objects. `name` and `node` are those it demands, '' where it demands none: short cuts."""

    namespace: str
    labels: label_selectors.Matcher | None
    fields: field_selectors.Matcher | None
    name: str = ""
    node: str = ""

    @property
    def is_everything(self) -> bool:
        """Does everything in the namespace pass?"""
        return self.labels is None and self.fields is None

    def matches(self, obj: Json) -> bool:
        """Does an object of the namespace pass?"""
        if self.labels is not None and not self.labels(obj["metadata"].get("labels") or _NO_LABELS):
            return False
        return self.fields is None or self.fields(obj)


def select(resource: Resource, namespace: str, query: Mapping[str, str]) -> Selection:
    """What a query selects. Raises 400 for a selector that cannot be read."""
    labels, fields = query.get("labelSelector", ""), query.get("fieldSelector", "")
    if not labels and not fields:
        return Selection(namespace, None, None)
    return Selection(
        namespace or field_selectors.exact(fields, resource, "metadata.namespace"),
        label_selectors.matcher(labels),
        field_selectors.matcher(fields, resource),
        field_selectors.exact(fields, resource, "metadata.name"),
        field_selectors.exact(fields, resource, "spec.nodeName") if resource.storage == "pods" else "",
    )
