"""An answer in the form that was asked for: an object or a list whole, as a table, or as metadata alone
(apiserver/pkg/endpoints/handlers/response.go transformResponseObject)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from k8sdiag.clock import Clock
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.negotiation import Wanted, partial_metadata, partial_metadata_list
from k8sdiag.minicluster.apiserver.tables import table
from k8sdiag.minicluster.apiserver.watcher import PLAIN, View
from k8sdiag.minicluster.kinds import Resource

CustomTable = tuple[list[Json], Callable[[Json, float], list[Any]]]

_INCLUDED = ("", "None", "Metadata", "Object")


def _included(query: Mapping[str, str]) -> str:
    """`?includeObject=`: what of each object a table's rows carry."""
    value = query.get("includeObject", "")
    if value not in _INCLUDED:
        raise errors.bad_request(f'unrecognized includeObject value: "{value}"')
    return value or "Metadata"


class Forms:
    """Turns objects into what was asked for. `custom` gives a custom resource's columns and row, None for others."""

    def __init__(self, clock: Clock, custom: Callable[[Resource], CustomTable | None]) -> None:
        self._clock, self._custom = clock, custom

    def transform(self, body: Json, resource: Resource, wanted: Wanted, query: Mapping[str, str]) -> Json:
        """What a handler answered, as it was asked for. A Status stays one."""
        if not wanted.transform or body.get("kind") == "Status":
            return body
        is_list = body.get("kind") == resource.list_kind and "items" in body
        if wanted.transform == "Table":
            objects = body["items"] if is_list else [body]
            meta = body.get("metadata") or {}
            kept = ("resourceVersion", "continue", "remainingItemCount")
            return self._table(resource, objects, wanted, query, {key: meta[key] for key in kept if key in meta})
        if is_list != wanted.transform.endswith("List"):
            accepted = "PartialObjectMetadataList" if is_list else "PartialObjectMetadata"
            raise errors.not_acceptable((f"application/json;as={accepted};v=v1;g=meta.k8s.io",))
        return partial_metadata_list(body, wanted.version) if is_list else partial_metadata(body, wanted.version)

    def _table(
        self, resource: Resource, objects: list[Json], wanted: Wanted, query: Mapping[str, str], meta: Json
    ) -> Json:
        made = table(resource, objects, self._clock.now(), _included(query), meta, self._custom(resource))
        return {**made, "apiVersion": f"meta.k8s.io/{wanted.version}"}

    def view(self, resource: Resource, wanted: Wanted, query: Mapping[str, str]) -> View:
        """How a watch shows its objects. A table's columns are stated in the first event alone."""
        if not wanted.transform:
            return PLAIN
        if wanted.transform != "Table":
            return View((wanted.transform, wanted.version), lambda obj: partial_metadata(obj, wanted.version))
        included = _included(query)

        def first(obj: Json) -> Json:
            version = obj["metadata"].get("resourceVersion", "")
            return self._table(resource, [obj], wanted, query, {"resourceVersion": version})

        def later(obj: Json) -> Json:
            return {**first(obj), "columnDefinitions": None}

        return View(("Table", wanted.version, included), later, first)
