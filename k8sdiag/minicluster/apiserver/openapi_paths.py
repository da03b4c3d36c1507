"""The paths half of an OpenAPI document: which operations each resource knows, and what they take
(apiserver/pkg/endpoints/installer.go)."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.patch import accepted
from k8sdiag.minicluster.kinds import Resource

V3 = "#/components/schemas/"
_META = "io.k8s.apimachinery.pkg.apis.meta.v1."

# Query parameters: name, type.
_PRETTY = ("pretty", "string")
_WRITE = (_PRETTY, ("dryRun", "string"), ("fieldManager", "string"), ("fieldValidation", "string"))
_LIST = (
    _PRETTY,
    ("allowWatchBookmarks", "boolean"),
    ("continue", "string"),
    ("fieldSelector", "string"),
    ("labelSelector", "string"),
    ("limit", "integer"),
    ("resourceVersion", "string"),
    ("resourceVersionMatch", "string"),
    ("sendInitialEvents", "boolean"),
    ("timeoutSeconds", "integer"),
    ("watch", "boolean"),
)
_DELETE = (
    _PRETTY,
    ("dryRun", "string"),
    ("gracePeriodSeconds", "integer"),
    ("orphanDependents", "boolean"),
    ("propagationPolicy", "string"),
)

# verb: HTTP method, action, parameters, whether it takes a body
_OPERATIONS: dict[str, tuple[str, str, tuple[tuple[str, str], ...], bool]] = {
    "list": ("get", "list", _LIST, False),
    "create": ("post", "post", _WRITE, True),
    "deletecollection": ("delete", "deletecollection", (*_DELETE, *_LIST[2:8]), False),
    "get": ("get", "get", (_PRETTY,), False),
    "update": ("put", "put", _WRITE, True),
    "patch": ("patch", "patch", (*_WRITE, ("force", "boolean")), True),
    "delete": ("delete", "delete", _DELETE, False),
}
_COLLECTION = ("list", "create", "deletecollection")
_OBJECT = ("get", "update", "patch", "delete")
_ACTIONS = {"list": "list", "create": "create", "deletecollection": "delete", "get": "read", "update": "replace"}


def paths(
    served: Iterable[Resource], name_of: Callable[[Resource, str], str], schemas: Container[str], prefix: str
) -> Json:
    """Path items of resources. `name_of` is the definition of a resource's subresource ('': its own), `schemas` are
    the names that may be referred to below `prefix`."""
    found: Json = {}
    for resource in sorted(served, key=lambda each: (each.group, each.version, each.plural)):
        where = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
        scope = f"{where}/namespaces/{{namespace}}" if resource.namespaced else where
        builder = _Builder(resource, name_of, schemas, prefix)
        if resource.namespaced and "list" in resource.verbs:
            found[f"{where}/{resource.plural}"] = builder.item(("list",), "", whole=True)
        found[f"{scope}/{resource.plural}"] = builder.item(_COLLECTION, "")
        if "get" in resource.verbs:
            found[f"{scope}/{resource.plural}/{{name}}"] = builder.item(_OBJECT, "")
        for below in sorted(resource.subresources):
            found[f"{scope}/{resource.plural}/{{name}}/{below}"] = builder.item((*_OBJECT, "create"), below)
    return {path: item for path, item in found.items() if any(key != "parameters" for key in item)}


class _Builder:
    """The path items of one resource."""

    def __init__(
        self, resource: Resource, name_of: Callable[[Resource, str], str], schemas: Container[str], prefix: str
    ) -> None:
        self._resource, self._name_of = resource, name_of
        self._schemas, self._prefix = schemas, prefix
        self._v3 = prefix == V3
        # kubectl looks here for whether it may make strategic merge patches.
        self._patches = sorted(accepted(custom=not resource.definition))

    def item(self, verbs: Iterable[str], subresource: str, whole: bool = False) -> Json:
        resource = self._resource
        known = resource.subresources[subresource].verbs if subresource else resource.verbs
        item: Json = {}
        for verb in verbs:
            if verb in known:
                method = _OPERATIONS[verb][0]
                item[method] = self._operation(verb, subresource, whole)
        placed = []
        if verbs and ("get" in verbs or subresource):
            placed.append(self._parameter("name", "string", "path"))
        if resource.namespaced and not whole:
            placed.append(self._parameter("namespace", "string", "path"))
        if placed:
            item["parameters"] = placed
        return item

    def _operation(self, verb: str, subresource: str, whole: bool) -> Json:
        resource = self._resource
        _, action, parameters, takes_body = _OPERATIONS[verb]
        kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
        if subresource:
            below = resource.subresources[subresource]
            kind = {"group": below.group, "version": below.version, "kind": below.kind}
        operation: Json = {
            "tags": [self._tag()],
            "operationId": self._name(verb, subresource, whole),
            "parameters": [self._parameter(name, kind_of, "query") for name, kind_of in parameters],
            "responses": self._responses(verb, subresource),
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": kind,
        }
        if takes_body:
            self._add_body(operation, verb, subresource)
        if not self._v3:
            operation["consumes"] = list(self._patches) if verb == "patch" else ["*/*"]
            operation["produces"] = ["application/json", "application/yaml"]
            operation["schemes"] = ["https"]
        return operation

    def _tag(self) -> str:
        group = self._resource.group.partition(".")[0] or "core"
        return f"{group}_{self._resource.version}"

    def _name(self, verb: str, subresource: str, whole: bool) -> str:
        """`listCoreV1NamespacedPod`."""
        resource = self._resource
        group = "".join(part.capitalize() for part in (resource.group.partition(".")[0] or "core").split("-"))
        scope = "Namespaced" if resource.namespaced and not whole else ""
        collection = "Collection" if verb == "deletecollection" else ""
        below = "".join(part.capitalize() for part in subresource.split("-"))
        everywhere = "ForAllNamespaces" if whole else ""
        action = _ACTIONS.get(verb, verb)
        version = resource.version.capitalize()
        return f"{action}{group}{version}{collection}{scope}{resource.kind}{below}{everywhere}"

    def _parameter(self, name: str, kind: str, place: str) -> Json:
        parameter: Json = {"name": name, "in": place}
        if place == "path":
            parameter["required"] = True
        if self._v3:
            return {**parameter, "schema": {"type": kind, "uniqueItems": True}}
        return {**parameter, "type": kind, "uniqueItems": True}

    def _schema(self, verb: str, subresource: str) -> Json:
        name = self._name_of(self._resource, subresource)
        if verb == "list":
            name = f"{name}List"
        elif verb == "deletecollection":
            name = f"{_META}Status"
        return {"$ref": self._prefix + name} if name in self._schemas else {"type": "object"}

    def _responses(self, verb: str, subresource: str) -> Json:
        schema = self._schema(verb, subresource)
        codes = {"create": ("200", "201", "202"), "update": ("200", "201"), "patch": ("200", "201")}.get(verb, ("200",))
        words = {"200": "OK", "201": "Created", "202": "Accepted"}
        return {code: self._response(words[code], schema) for code in codes}

    def _response(self, words: str, schema: Json) -> Json:
        if self._v3:
            content = {media: {"schema": schema} for media in ("application/json", "application/yaml")}
            return {"description": words, "content": content}
        return {"description": words, "schema": schema}

    def _add_body(self, operation: Json, verb: str, subresource: str) -> None:
        schema = {"$ref": f"{self._prefix}{_META}Patch"} if verb == "patch" else self._schema(verb, subresource)
        if self._v3:
            media = self._patches if verb == "patch" else ["*/*"]
            operation["requestBody"] = {"required": True, "content": {each: {"schema": schema} for each in media}}
        else:
            operation["parameters"].append({"name": "body", "in": "body", "required": True, "schema": schema})
