"""An answer in the form that was asked for: an object or a list whole, as a table, or as metadata alone
(apiserver/pkg/endpoints/handlers/response.go transformResponseObject)."""

from __future__ import annotations

from collections.abc import Mapping

from k8sdiag.clock import Clock
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.negotiation import Wanted, partial_metadata, partial_metadata_list
from k8sdiag.minicluster.apiserver.tables import table
from k8sdiag.minicluster.apiserver.watch import PLAIN, View
from k8sdiag.minicluster.kinds import Resource

_INCLUDED = ("", "None", "Metadata", "Object")


def _included(query: Mapping[str, str]) -> str:
    """`?includeObject=`: what of each object a table's rows carry."""
    value = query.get("includeObject", "")
    if value not in _INCLUDED:
        raise errors.bad_request(f'unrecognized includeObject value: "{value}"')
    return value or "Metadata"


def transform(body: Json, resource: Resource, wanted: Wanted, query: Mapping[str, str], clock: Clock) -> Json:
    """What a handler answered, as it was asked for. A Status stays one."""
    if not wanted.transform or body.get("kind") == "Status":
        return body
    is_list = body.get("kind") == resource.list_kind and "items" in body
    if wanted.transform == "Table":
        objects = body["items"] if is_list else [body]
        meta = body.get("metadata") or {}
        kept = ("resourceVersion", "continue", "remainingItemCount")
        made = table(resource, objects, clock.now(), _included(query))
        return {
            **made,
            "apiVersion": f"meta.k8s.io/{wanted.version}",
            "metadata": {key: meta[key] for key in kept if key in meta},
        }
    if is_list != wanted.transform.endswith("List"):
        if is_list:
            raise errors.not_acceptable(("application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",))
        raise errors.not_acceptable(("application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",))
    return partial_metadata_list(body, wanted.version) if is_list else partial_metadata(body, wanted.version)


def view_of(resource: Resource, wanted: Wanted, query: Mapping[str, str], clock: Clock) -> View:
    """How a watch shows its objects. A table's columns are stated in the first event alone."""
    if not wanted.transform:
        return PLAIN
    if wanted.transform != "Table":
        return View((wanted.transform, wanted.version), lambda obj: partial_metadata(obj, wanted.version))
    included = _included(query)

    def first(obj: Json) -> Json:
        made = table(resource, [obj], clock.now(), included)
        version = obj["metadata"].get("resourceVersion", "")
        return {**made, "apiVersion": f"meta.k8s.io/{wanted.version}", "metadata": {"resourceVersion": version}}

    def later(obj: Json) -> Json:
        return {**first(obj), "columnDefinitions": None}

    return View(("Table", wanted.version, included), later, first)
