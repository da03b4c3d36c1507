"""Objects as rows: the tables that `kubectl get` prints, with the columns of a real server (meta.k8s.io/v1 Table;
apiserver/pkg/endpoints/handlers/response.go asTable, pkg/printers/internalversion/printers.go).

The columns are data (`openapi/tables.json`); a kind's row is a function of the object and of now. A kind without one
has what the server's default gives: name and time of creation; custom resources say their own columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.conversion import kept_form
from k8sdiag.minicluster.apiserver.tables import cluster, core, pods, workloads
from k8sdiag.minicluster.kinds import Resource, read_openapi

Row = Callable[[Json, float], list[Any]]

_ROWS: dict[str, Row] = {**pods.ROWS, **core.ROWS, **workloads.ROWS, **cluster.ROWS}
_DEFAULT_COLUMNS: list[Json] = [
    {"name": "Name", "type": "string", "format": "name", "priority": 0},
    {"name": "Created At", "type": "date", "format": "", "priority": 0},
]
INCLUDE = ("Metadata", "Object", "None")


def table(
    resource: Resource,
    objects: Sequence[Json],
    now: float,
    include: str = "Metadata",
    metadata: Json | None = None,
    custom: tuple[list[Json], Row] | None = None,
) -> Json:
    """A Table of these objects (in the version asked for). `include` is what of each object its row carries; `custom`
    are the columns and the row of a custom resource."""
    columns, row = custom or (columns_of(resource), _ROWS.get(resource.storage, _default_row))
    made: Json = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata or {}}
    made["columnDefinitions"] = columns
    # Rows are read from the version that is kept, and carry the one that was asked for.
    made["rows"] = [_row(resource, obj, row(kept_form(obj, resource), now), include) for obj in objects]
    return made


def _row(resource: Resource, obj: Json, cells: list[Any], include: str) -> Json:
    made: Json = {"cells": cells}
    conditions = pods.condition_of_pod(obj) if resource.storage == "pods" else None
    if conditions:
        made["conditions"] = conditions
    if include == "Object":
        # An item of a list does not say its kind, a row's object does.
        made["object"] = {"kind": resource.kind, "apiVersion": resource.api_version, **obj}
    elif include == "Metadata":
        kind = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
        made["object"] = {**kind, "metadata": obj["metadata"]}
    return made


def _default_row(obj: Json, now: float) -> list[Any]:  # noqa: ARG001 (all rows take the same)
    return [obj["metadata"]["name"], obj["metadata"].get("creationTimestamp")]


@cache
def columns_of(resource: Resource) -> list[Json]:
    """The column definitions of a resource in its version."""
    found: list[Json] | None = read_openapi("tables.json").get(f"{resource.api_version}/{resource.plural}")
    return [{**column, "description": ""} for column in found or _DEFAULT_COLUMNS]
