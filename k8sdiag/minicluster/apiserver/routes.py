"""From a method and a path to what is asked of which resource, as a real server reads them
(apiserver/pkg/endpoints/request/requestinfo.go)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.kinds import Registry, Resource, Subresource

_VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_OF_COLLECTION = {"get": "list", "delete": "deletecollection"}
_TRUE = frozenset(("1", "true", "True", "TRUE", "t", "T"))

# Subresources that speak something other than objects: streams, or whatever the thing behind a proxy says.
CONNECT = frozenset(
    ("pods/exec", "pods/attach", "pods/portforward", "pods/proxy", "pods/log", "nodes/proxy", "services/proxy")
)


@dataclass(frozen=True, slots=True)
class Route:
    """What a request is about. For a path that is no resource's, `plural` is '' and only verb and path count; the verb
    then is the method in small letters. `scope` is the namespace in which access is judged, which for a Namespace is
    the namespace itself. `rest` is what follows `/proxy`."""

    path: str
    verb: str
    group: str = ""
    version: str = ""
    plural: str = ""
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    rest: str = ""
    scope: str = ""
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_connect(self) -> bool:
        return bool(self.subresource) and f"{self.plural}/{self.subresource}" in CONNECT


def read_route(method: str, target: str) -> Route:
    """`GET /api/v1/namespaces/shop/pods?watch=1` → a Route. The target is the request line's, still quoted."""
    raw, _, query_text = target.partition("?")
    path = unquote(raw) if "%" in raw else raw
    query = _query(query_text) if query_text else {}
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) > 2:
        return _resource_route(method, path, "", parts[1], parts[2:], query)
    if parts[0] == "apis" and len(parts) > 3:
        return _resource_route(method, path, parts[1], parts[2], parts[3:], query)
    return Route(path, method.lower(), query=query)


def _query(text: str) -> dict[str, str]:
    """The first value of a key counts, as with Go's url.Values.Get."""
    query: dict[str, str] = {}
    for key, value in parse_qsl(text, keep_blank_values=True):
        query.setdefault(key, value)
    return query


def _resource_route(method: str, path: str, group: str, version: str, parts: list[str], query: dict[str, str]) -> Route:
    verb = _VERBS.get(method, method.lower())
    watched = False
    if parts[0] == "watch" and len(parts) > 1:  # the legacy form, /api/v1/watch/pods
        watched, parts = True, parts[1:]
    namespace = scope = ""
    if parts[0] == "namespaces" and len(parts) > 1:
        scope = parts[1]
        if len(parts) > 2 and parts[2] not in ("status", "finalize"):
            namespace, parts = parts[1], parts[2:]
    name = parts[1] if len(parts) > 1 else ""
    rest = "/" + "/".join(parts[3:]) if len(parts) > 3 else ""
    if not name:
        verb = _OF_COLLECTION.get(verb, verb)
        if verb in ("list", "deletecollection"):
            name = _named_by_selector(query)
    if watched or (verb == "list" and query.get("watch") in _TRUE):
        verb = "watch" if verb in ("get", "list") else verb
    if watched and name and "fieldSelector" not in query:
        query = {**query, "fieldSelector": f"metadata.name={name}"}
    return Route(
        path=path,
        verb=verb,
        group=group,
        version=version,
        plural=parts[0],
        namespace=namespace,
        name=name,
        subresource=parts[2] if len(parts) > 2 else "",
        rest=rest,
        scope=scope,
        query=query,
    )


def _named_by_selector(query: Mapping[str, str]) -> str:
    """A list of one: `fieldSelector=metadata.name=web` is judged as access to that name."""
    for term in query.get("fieldSelector", "").split(","):
        key, _, value = term.replace("==", "=").partition("=")
        if key.strip() == "metadata.name":
            return value.strip()
    return ""


def find_resource(route: Route, registry: Registry) -> tuple[Resource, Subresource | None]:
    """The resource a route asks for. Raises 404 for what is not served there, 405 for a verb it does not know."""
    resource = registry.find(route.group, route.version, route.plural)
    if resource is None:
        raise errors.no_such_path()
    below = resource.subresources.get(route.subresource) if route.subresource else None
    if route.subresource and below is None:
        raise errors.no_such_path()
    if route.rest and route.subresource != "proxy":
        raise errors.no_such_path()
    in_namespace = bool(route.namespace)
    whole = route.verb in ("list", "watch", "deletecollection", "create") and not route.subresource
    if in_namespace and not resource.namespaced:
        raise errors.no_such_path()
    if resource.namespaced and not in_namespace:
        if not whole:
            raise errors.no_such_path()
        if route.verb in ("create", "deletecollection") and "list" in resource.verbs:
            raise errors.no_such_method()
    if route.verb not in (resource.verbs if below is None else below.verbs):
        raise errors.no_such_method()
    if below is None and bool(route.name) == (route.verb == "create") and route.verb in ("create", "update", "patch"):
        raise errors.no_such_method()
    return resource, below
