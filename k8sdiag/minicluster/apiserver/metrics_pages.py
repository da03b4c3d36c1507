"""metrics.k8s.io: nodes and pods with what they use, made when asked for, as a metrics server answers
(metrics-server/pkg/api/{node,pod}.go)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.request import Answer, Request
from k8sdiag.minicluster.apiserver.selecting import select
from k8sdiag.minicluster.apiserver.storage import Storage


class Usage(Protocol):
    """Where the figures come from: NodeMetrics of a Node, PodMetrics of a Pod."""

    def node(self, node: Json) -> Json | None: ...

    def pod(self, pod: Json) -> Json | None: ...

    def nodes(self, nodes: Iterable[Json]) -> list[Json]: ...

    def pods(self, pods: Iterable[Json]) -> list[Json]: ...


class MetricsPages:
    """Get and list."""

    def __init__(self, storage: Storage, usage: Usage) -> None:
        self._storage, self._usage = storage, usage

    def answer(self, request: Request) -> Answer:
        resource = request.resource
        kept = resource.plural
        if request.verb == "get":
            obj = self._storage.get(kept, request.namespace, request.name)
            made = None
            if obj is not None:
                made = self._usage.node(obj) if kept == "nodes" else self._usage.pod(obj)
            if made is None:
                raise errors.not_found(resource, request.name)
            return Answer(200, made)
        selection = select(resource, request.namespace, request.query)
        objects = [obj for obj in self._storage.list(kept, request.namespace) if selection.matches(obj)]
        items = self._usage.nodes(objects) if kept == "nodes" else self._usage.pods(objects)
        body: Json = {"kind": resource.list_kind, "apiVersion": resource.api_version, "metadata": {}, "items": items}
        return Answer(200, body)
