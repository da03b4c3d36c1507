"""Which pod, container and node a stream is about, and what an API server says where there is none
(pkg/registry/core/pod/strategy.go)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl

from aiohttp.web_request import BaseRequest

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.backend import Backend
from k8sdiag.minicluster.apiserver.request import Request
from k8sdiag.minicluster.nodes.agent import Agent, Agents

_TRUE = frozenset(("1", "true", "True", "TRUE", "t", "T"))


@dataclass(frozen=True, slots=True)
class Nodes:
    """What a stream needs to find its node: the objects, and the agents of the nodes."""

    backend: Backend
    agents: Agents


def pod_of(nodes: Nodes, request: Request) -> Json:
    """The pod named in the path."""
    return nodes.backend.stored(nodes.backend.registry.named("pods"), request.namespace, request.name)


def container_of(pod: Json, wanted: str) -> str:
    """The container meant: the one that is named, or the only one. Raises 400 in a real server's words."""
    spec, name = pod["spec"], pod["metadata"]["name"]
    groups: list[list[str]] = [
        [item["name"] for item in spec.get(key) or []]
        for key in ("containers", "initContainers", "ephemeralContainers")
    ]
    if wanted:
        if any(wanted in group for group in groups):
            return wanted
        raise errors.bad_request(f"container {wanted} is not valid for pod {name}")
    apps, inits, extras = groups
    if len(apps) == 1:
        return apps[0]
    text = f"a container name must be specified for pod {name}, choose one of: [{' '.join(apps)}]"
    if inits:
        text += f" or one of the init containers: [{' '.join(inits)}]"
    if extras:
        text += f" or one of the ephemeral containers: [{' '.join(extras)}]"
    raise errors.bad_request(text)


def node_of(pod: Json) -> str:
    """The node a pod is on. Raises 400 where it is on none."""
    node = str(pod["spec"].get("nodeName") or "")
    if not node:
        raise errors.bad_request(f"pod {pod['metadata']['name']} does not have a host assigned")
    return node


def agent_of(nodes: Nodes, pod: Json, path: str) -> Agent:
    """The agent of the node a pod is on. Raises 400 where it is on none, 500 where it does not answer."""
    node = node_of(pod)
    return nodes.agents.reach(node, address_of(nodes, node), path)


def address_of(nodes: Nodes, node: str) -> str:
    """A node's internal address, '' where it has none."""
    found = nodes.backend.storage.get("nodes", "", node) or {}
    addresses = (found.get("status") or {}).get("addresses") or []
    return next((str(item["address"]) for item in addresses if item.get("type") == "InternalIP"), "")


def words_of(http: BaseRequest, key: str) -> tuple[str, ...]:
    """All values of a query key: `command=ls&command=-l`."""
    query = http.raw_path.partition("?")[2]
    return tuple(value for name, value in parse_qsl(query, keep_blank_values=True) if name == key)


def is_true(request: Request, key: str) -> bool:
    """A boolean query parameter, as Go's strconv.ParseBool takes it."""
    return request.query.get(key, "") in _TRUE
