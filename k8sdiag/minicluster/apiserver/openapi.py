"""The OpenAPI documents: /openapi/v3 (an index and a document a group version) and /openapi/v2 (one for all).

Made from the definitions a real server states, when they are first asked for, and again when custom resources change.
kubectl reads them to explain a type, to know merge keys, and to learn that `fieldValidation` is understood
(kube-openapi/pkg/{builder3,handler3}, kubectl/pkg/explain/v2, client-go/openapi3).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import orjson

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.health import GIT_VERSION
from k8sdiag.minicluster.apiserver.openapi_paths import paths
from k8sdiag.minicluster.kinds import Registry, Resource, read_openapi

V2, V3 = "#/definitions/", "#/components/schemas/"
_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
# Types that every document refers to, beside those its kinds are made of.
_ALWAYS = (f"{_META}Status", f"{_META}DeleteOptions", f"{_META}Patch", f"{_META}APIResourceList", f"{_META}WatchEvent")

# A custom resource's schema in one version, as OpenAPI v3 has it; None where it has none.
CustomSchema = Callable[[Resource], Json | None]


class OpenApi:
    """The documents, by path."""

    def __init__(self, registry: Registry, custom: CustomSchema = lambda _resource: None) -> None:
        self._registry = registry
        self._custom = custom
        self._generation = registry.generation
        self._made: dict[str, bytes] = {}
        self._definitions: Json = {}
        self._by_kind: dict[tuple[str, str, str], str] = {}

    def find(self, path: str) -> bytes | None:
        """A document as JSON; None for a path that is none."""
        if self._generation != self._registry.generation:
            self._made.clear()
            self._generation = self._registry.generation
        known = self._made.get(path)
        if known is None:
            document = self._document(path)
            if document is None:
                return None
            known = self._made[path] = orjson.dumps(document)
        return known

    def _document(self, path: str) -> Json | None:
        if path == "/openapi/v3":
            return {"paths": {name: self._reference(name) for name in self._versions()}}
        if path == "/openapi/v2":
            return self._whole()
        name = path.removeprefix("/openapi/v3/")
        served = self._versions().get(name)
        return self._of_version(served) if served is not None else None

    def _versions(self) -> dict[str, list[Resource]]:
        """`api/v1`, `apis/apps/v1` to what is served there."""
        found: dict[str, list[Resource]] = {}
        for resource in self._registry.all():
            name = f"apis/{resource.group}/{resource.version}" if resource.group else f"api/{resource.version}"
            found.setdefault(name, []).append(resource)
        return found

    def _reference(self, name: str) -> Json:
        body = self.find(f"/openapi/v3/{name}") or b""
        return {"serverRelativeURL": f"/openapi/v3/{name}?hash={hashlib.sha512(body).hexdigest().upper()}"}

    def _of_version(self, served: list[Resource]) -> Json:
        schemas = self._schemas(served, V3)
        return {
            "openapi": "3.0.0",
            "info": {"title": "Kubernetes", "version": GIT_VERSION},
            "paths": paths(served, self._name_of, schemas, V3),
            "components": {"schemas": schemas},
        }

    def _name_of(self, resource: Resource, subresource: str) -> str:
        below = resource.subresources.get(subresource)
        if below is None or below.kind == resource.kind:
            return definition_of(resource)
        return self._kinds().get((below.group, below.version, below.kind), "")

    def _whole(self) -> Json:
        served = self._registry.all()
        schemas = self._schemas(served, V2)
        return {
            "swagger": "2.0",
            "info": {"title": "Kubernetes", "version": GIT_VERSION},
            "paths": paths(served, self._name_of, schemas, V2),
            "definitions": schemas,
        }

    def _schemas(self, served: Iterable[Resource], prefix: str) -> dict[str, Json]:
        """The schemas of these resources and of all that they refer to, in order of their names."""
        if not self._definitions:
            self._definitions = read_openapi("definitions.json.gz")["definitions"]
        served = list(served)
        schemas = {name: schema for resource in served for name, schema in self._own(resource, prefix)}
        wanted = [*_ALWAYS, *(name for schema in schemas.values() for name in _references(schema))]
        for resource in served:
            wanted.append(resource.definition)
            wanted.append(f"{resource.definition}List")
            below = resource.subresources.values()
            wanted.extend(self._kinds().get((each.group, each.version, each.kind), "") for each in below)
        while wanted:
            name = wanted.pop()
            if name in schemas or name not in self._definitions:
                continue
            schema = self._definitions[name]
            wanted.extend(_references(schema))
            schemas[name] = _translated(name, schema, prefix)
        return dict(sorted(schemas.items()))

    def _kinds(self) -> dict[tuple[str, str, str], str]:
        """Group, version and kind to the definition that says what that is."""
        if not self._by_kind:
            for name, schema in self._definitions.items():
                stated = schema.get("x-kubernetes-group-version-kind") or []
                if len(stated) == 1:  # DeleteOptions and its like are of every group
                    kind = stated[0]
                    self._by_kind[kind["group"], kind["version"], kind["kind"]] = name
        return self._by_kind

    def _own(self, resource: Resource, prefix: str) -> Iterator[tuple[str, Json]]:
        """A custom resource's type and list; metrics' likewise."""
        if resource.definition in self._definitions:
            return
        name = definition_of(resource)
        schema = self._custom(resource) or {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        meta = {"$ref": f"{prefix}{_META}ObjectMeta"}
        properties = {
            **(schema.get("properties") or {}),
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": meta,
        }
        kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
        yield name, {**schema, "properties": properties, "x-kubernetes-group-version-kind": [kind]}
        yield (
            f"{name}List",
            {
                "type": "object",
                "required": ["items"],
                "properties": {
                    "apiVersion": {"type": "string"},
                    "items": {"type": "array", "items": {"$ref": f"{prefix}{name}"}},
                    "kind": {"type": "string"},
                    "metadata": {"$ref": f"{prefix}{_META}ListMeta"},
                },
                "x-kubernetes-group-version-kind": [{**kind, "kind": resource.list_kind}],
            },
        )


def definition_of(resource: Resource) -> str:
    """What a resource's type is called: a custom one goes by its group turned round, `dev.example.v1.Widget`."""
    if resource.definition and resource.group != "metrics.k8s.io":
        return resource.definition
    return ".".join([*reversed(resource.group.split(".")), resource.version, resource.kind])


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        reference = schema.get("$ref")
        if isinstance(reference, str):
            yield reference.rpartition("/")[2]
        for below in schema.values():
            yield from _references(below)
    elif isinstance(schema, list):
        for below in schema:
            yield from _references(below)


def _translated(name: str, schema: Json, prefix: str) -> Json:
    """A v2 definition as it is in v2 or v3: references lead elsewhere, and v3 can say `integer or string`."""
    if prefix == V2:
        return schema
    if name.endswith(".IntOrString"):
        return {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]}
    if name.endswith(".Quantity"):
        return {"oneOf": [{"type": "string"}, {"type": "number"}]}
    moved: Json = _moved(schema, prefix)
    return moved


def _moved(schema: Any, prefix: str) -> Any:
    if isinstance(schema, dict):
        return {
            key: prefix + below.rpartition("/")[2]
            if key == "$ref" and isinstance(below, str)
            else _moved(below, prefix)
            for key, below in schema.items()
        }
    if isinstance(schema, list):
        return [_moved(below, prefix) for below in schema]
    return schema
