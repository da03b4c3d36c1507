"""Paths to requests, as a real server reads them."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.apiserver.routes import find_resource, read_route
from k8sdiag.minicluster.kinds import Registry

REGISTRY = Registry()
NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,20}[a-z0-9])?", fullmatch=True).filter(
    lambda name: name not in ("status", "finalize", "watch")
)
RESOURCES = st.sampled_from([resource for resource in REGISTRY.all() if "list" in resource.verbs])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("GET /api/v1/pods", ("list", "pods", "", "", "", "")),
        ("GET /api/v1/namespaces/shop/pods", ("list", "pods", "shop", "", "", "shop")),
        ("GET /api/v1/namespaces/shop/pods/web", ("get", "pods", "shop", "web", "", "shop")),
        ("HEAD /api/v1/namespaces/shop/pods/web", ("get", "pods", "shop", "web", "", "shop")),
        ("GET /api/v1/namespaces/shop/pods/web/log", ("get", "pods", "shop", "web", "log", "shop")),
        ("POST /api/v1/namespaces/shop/pods", ("create", "pods", "shop", "", "", "shop")),
        ("DELETE /api/v1/namespaces/shop/pods", ("deletecollection", "pods", "shop", "", "", "shop")),
        ("DELETE /api/v1/namespaces/shop/pods/web", ("delete", "pods", "shop", "web", "", "shop")),
        ("GET /api/v1/namespaces", ("list", "namespaces", "", "", "", "")),
        ("GET /api/v1/namespaces/shop", ("get", "namespaces", "", "shop", "", "shop")),
        ("PUT /api/v1/namespaces/shop/finalize", ("update", "namespaces", "", "shop", "finalize", "shop")),
        ("PUT /api/v1/namespaces/shop/status", ("update", "namespaces", "", "shop", "status", "shop")),
        ("GET /api/v1/pods?watch=true", ("watch", "pods", "", "", "", "")),
        ("GET /api/v1/pods?watch=0", ("list", "pods", "", "", "", "")),
        ("GET /api/v1/watch/pods", ("watch", "pods", "", "", "", "")),
        ("GET /api/v1/watch/namespaces/shop/pods/web", ("watch", "pods", "shop", "web", "", "shop")),
        (
            "GET /apis/apps/v1/namespaces/shop/deployments/web/scale",
            ("get", "deployments", "shop", "web", "scale", "shop"),
        ),
        ("GET /api/v1/pods?fieldSelector=metadata.name%3Dweb", ("list", "pods", "", "web", "", "")),
        ("GET /api/v1/nodes/n1/proxy/stats/summary", ("get", "nodes", "", "n1", "proxy", "")),
    ],
)
def test_request_lines(line: str, expected: tuple[str, ...]) -> None:
    method, _, target = line.partition(" ")
    route = read_route(method, target)
    found = (route.verb, route.plural, route.namespace, route.name, route.subresource, route.scope)
    assert found == expected
    find_resource(route, REGISTRY)


@pytest.mark.parametrize(
    "path", ["/", "/api", "/api/v1", "/apis", "/apis/apps", "/apis/apps/v1", "/healthz/ping", "//"]
)
def test_paths_that_are_no_resources(path: str) -> None:
    route = read_route("GET", path)
    assert (route.plural, route.verb, route.path) == ("", "get", path)


@given(RESOURCES, NAMES, NAMES)
def test_a_resource_s_own_path_leads_to_it(resource: object, namespace: str, name: str) -> None:
    assert isinstance(resource, type(REGISTRY.all()[0]))
    spaced = namespace if resource.namespaced else ""
    route = read_route("GET", resource.path(spaced, name))
    found, below = find_resource(route, REGISTRY) if "get" in resource.verbs else (resource, None)
    assert (found, below, route.namespace, route.name) == (resource, None, spaced, name)
    route = read_route("GET", resource.path(spaced))
    assert find_resource(route, REGISTRY)[0] == resource
    assert (route.verb, route.namespace, route.name) == ("list", spaced, "")


@given(st.sampled_from("GET POST PUT PATCH DELETE HEAD OPTIONS".split()), st.text(max_size=80))
def test_any_path_is_read(method: str, path: str) -> None:
    """Whatever it is, it is read as something, and refused with a Status at worst."""
    for target in (path, f"/api/v1/{path}", f"/apis/{quote(path)}"):
        route = read_route(method, target)
        if route.plural:
            with suppress(ApiError):
                find_resource(route, REGISTRY)
