"""The API of a cluster in this process, as a Door."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from k8sdiag.evidence import Json
from k8sdiag.kinds import parse_kind
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.client import Client
from k8sdiag.minicluster.faults.verbs import RefusedError
from k8sdiag.minicluster.kinds import Registry, Resource


class InProcess:
    """Through the same checks as a request over HTTP, as the lab's administrator."""

    def __init__(self, client: Client, registry: Registry) -> None:
        self._client, self._registry = client, registry

    def create(self, obj: Json, namespace: str) -> None:
        kind = self._of(obj)
        space = obj["metadata"].get("namespace") or namespace
        self._do(lambda: self._client.create(kind.qualified, obj, space if kind.namespaced else ""))

    def apply(self, obj: Json, namespace: str) -> None:
        kind = self._of(obj)
        space = (obj["metadata"].get("namespace") or namespace) if kind.namespaced else ""
        name = obj["metadata"]["name"]
        if self._client.find(kind.qualified, space, name) is None:
            self.create(obj, namespace)
        else:
            self._do(lambda: self._client.patch(kind.qualified, space, name, obj))

    def patch(self, kind: str, namespace: str, name: str, change: Any, subresource: str) -> None:
        resource = self._named(kind)
        space = namespace if resource.namespaced else ""
        self._do(lambda: self._client.patch(resource.qualified, space, name, change, subresource=subresource))

    def delete(self, kind: str, namespace: str, name: str, grace: int | None) -> None:
        resource = self._named(kind)
        space = namespace if resource.namespaced else ""
        self._do(lambda: self._client.delete(resource.qualified, space, name, grace=grace))

    def taints(self, node: str) -> list[Json]:
        return list((self._client.find("nodes", "", node) or {}).get("spec", {}).get("taints") or [])

    def pods_on(self, node: str) -> Iterable[tuple[str, str]]:
        return [
            (pod["metadata"]["namespace"], pod["metadata"]["name"])
            for pod in self._client.on_node(node)
            if not any(one.get("kind") == "DaemonSet" for one in pod["metadata"].get("ownerReferences") or ())
        ]

    def evict(self, namespace: str, name: str) -> None:
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": namespace}}
        self._do(lambda: self._client.create("pods", body, namespace, "eviction", name))

    def _of(self, obj: Json) -> Resource:
        kind = self._registry.of(obj["apiVersion"], obj["kind"])
        if kind is None:
            raise RefusedError(f'no matches for kind "{obj["kind"]}" in version "{obj["apiVersion"]}"', 404)
        return kind

    def _named(self, word: str) -> Resource:
        known = parse_kind(word)
        found = self._registry.of(known.api_version, known.kind) if known is not None else None
        if found is not None:
            return found
        try:
            return self._registry.named(word.lower())
        except KeyError:
            raise RefusedError(f"the server doesn't have a resource type {word!r}", 404) from None

    @staticmethod
    def _do(call: Callable[[], Json]) -> None:
        try:
            call()
        except ApiError as refused:
            raise RefusedError(str(refused.message), refused.code) from None
