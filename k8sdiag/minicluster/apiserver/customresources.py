"""Custom resources: what a CustomResourceDefinition adds to what is served, version by version
(apiextensions-apiserver/pkg/apiserver/customresource_handler.go)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import structural
from k8sdiag.minicluster.apiserver.definitioncheck import validate_definition, warnings_of
from k8sdiag.minicluster.apiserver.errors import Cause
from k8sdiag.minicluster.apiserver.printcolumns import column_definitions, row_of
from k8sdiag.minicluster.apiserver.schema import Type, builtin, custom_type
from k8sdiag.minicluster.kinds import Registry, Resource, Subresource

GROUP = "apiextensions.k8s.io"
STORAGE = f"customresourcedefinitions.{GROUP}"
_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
_FREE: Json = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


@dataclass(frozen=True, slots=True)
class Served:
    """One version of a custom resource."""

    resource: Resource
    schema: Json
    node: Type
    columns: list[Json]
    row: Callable[[Json, float], list[Any]]
    scale: Json | None = None
    warning: str = ""


class CustomResources:
    """All of them that are established."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._served: dict[tuple[str, str, str], Served] = {}

    def of(self, resource: Resource) -> Served | None:
        """What is known of a resource, None for one that is built in."""
        return None if resource.definition else self._served.get(_key(resource))

    def type_of(self, resource: Resource) -> Type:
        """The type of any resource, built in or custom."""
        if resource.definition:
            return builtin(resource.definition)
        served = self._served.get(_key(resource))
        return served.node if served else custom_type(None)

    def validate(self, resource: Resource, obj: Json, old: Json | None) -> list[Cause]:
        """What is wrong with a custom resource by its schema, or with a definition of some; nothing for others."""
        if resource.storage == STORAGE:
            return validate_definition(obj, old)
        schema = None if resource.definition else self.schema_of(resource)
        return structural.validate(schema, obj, old) if schema is not None else []

    def warnings(self, resource: Resource, obj: Json) -> list[str]:
        """What writers of a definition are told."""
        return warnings_of(obj) if resource.storage == STORAGE else []

    def deprecation(self, resource: Resource) -> list[str]:
        """What everybody is told who uses a deprecated version."""
        served = self.of(resource)
        return [served.warning] if served is not None and served.warning else []

    def schema_of(self, resource: Resource) -> Json | None:
        """The schema of a custom resource, for OpenAPI."""
        served = self._served.get(_key(resource))
        return served.schema if served else None

    def table_of(self, resource: Resource) -> tuple[list[Json], Callable[[Json, float], list[Any]]] | None:
        """The columns and the row of a custom resource, for tables."""
        served = self.of(resource)
        return (served.columns, served.row) if served else None

    def enter(self, crd: Json) -> None:
        """Serve what an established definition states, and no longer what it does not state any more."""
        made = {_key(served.resource): served for served in versions_of(crd)}
        spec = crd["spec"]
        for key in [key for key in self._served if key[0] == spec["group"] and key[2] == spec["names"]["plural"]]:
            if key not in made:
                self._registry.remove(self._served.pop(key).resource)
        for key, served in made.items():
            held = self._served.get(key)
            if held is not None and _same(held, served):
                continue
            self._served[key] = served
            self._registry.add(served.resource)

    def leave(self, crd: Json) -> None:
        """Serve it no longer."""
        spec = crd["spec"]
        for key in [key for key in self._served if key[0] == spec["group"] and key[2] == spec["names"]["plural"]]:
            self._registry.remove(self._served.pop(key).resource)


def _same(held: Served, new: Served) -> bool:
    return (held.resource, held.schema, held.columns) == (new.resource, new.schema, new.columns)


def _key(resource: Resource) -> tuple[str, str, str]:
    return resource.group, resource.version, resource.plural


def is_established(crd: Json) -> bool:
    conditions = (crd.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)


def versions_of(crd: Json) -> list[Served]:
    """Every served version, the one that is stored first, for the registry keeps objects in that."""
    versions = [version for version in crd["spec"]["versions"] if version.get("served")]
    versions.sort(key=lambda version: not version.get("storage"))
    return [_served(crd, version) for version in versions]


def _served(crd: Json, version: Json) -> Served:
    spec = crd["spec"]
    names = (crd.get("status") or {}).get("acceptedNames") or spec["names"]
    below = version.get("subresources") or {}
    scale = below.get("scale")
    subresources = {}
    if "status" in below:
        verbs = ("get", "patch", "update")
        subresources["status"] = Subresource("status", spec["group"], version["name"], names["kind"], verbs)
    if scale is not None:
        subresources["scale"] = Subresource("scale", "autoscaling", "v1", "Scale", ("get", "patch", "update"))
    resource = Resource(
        group=spec["group"],
        version=version["name"],
        plural=names["plural"],
        kind=names["kind"],
        singular=names.get("singular") or names["kind"].lower(),
        namespaced=spec["scope"] == "Namespaced",
        verbs=_VERBS,
        short=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        subresources=subresources,
        storage=f"{names['plural']}.{spec['group']}",
        selectable=tuple(field["jsonPath"].removeprefix(".") for field in version.get("selectableFields") or ()),
    )
    schema = (version.get("schema") or {}).get("openAPIV3Schema") or _FREE
    columns = version.get("additionalPrinterColumns") or []
    about = f"{spec['group']}/{version['name']} {names['kind']}"
    warning = (version.get("deprecationWarning") or f"{about} is deprecated") if version.get("deprecated") else ""
    return Served(resource, schema, custom_type(schema), column_definitions(columns), row_of(columns), scale, warning)
