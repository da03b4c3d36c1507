"""The API server without HTTP: the one door that scheduler, controllers and kubelets have.

Every call goes through the same checks as a request from outside. What is handed out is what is stored: nobody changes
it in place. What is handed in is copied, so that it may share parts with objects that were handed out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.handlers import Handlers
from k8sdiag.minicluster.apiserver.request import Request, User
from k8sdiag.minicluster.apiserver.storage import ADDED
from k8sdiag.minicluster.apiserver.webhooks import answered
from k8sdiag.minicluster.kinds import Resource
from k8sdiag.selectors import matches_labels, matches_selector

_PATCHES = {
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "json": "application/json-patch+json",
    "apply": "application/apply-patch+yaml",
}

Objects = list[Json]  # `list` is a method below


class Client:
    """One component's access. `agent` is the first word of its user agent: its name in managed fields."""

    def __init__(self, handlers: Handlers, user: User, agent: str) -> None:
        self.user = user
        self._handlers, self._agent = handlers, agent
        self._registry, self._storage = handlers.backend.registry, handlers.backend.storage

    # ---- reading: straight from the storage

    def find(self, resource: str, namespace: str, name: str) -> Json | None:
        return self._storage.get(self._registry.named(resource).storage, namespace, name)

    def get(self, resource: str, namespace: str, name: str) -> Json:
        found = self.find(resource, namespace, name)
        if found is None:
            raise errors.not_found(self._registry.named(resource), name)
        return found

    def list(
        self,
        resource: str,
        namespace: str = "",
        labels: Mapping[str, str] | None = None,
        selector: Json | None = None,
    ) -> Objects:
        """All, or those with these labels, or those that a LabelSelector selects; by namespace and name."""
        found = self._storage.list(self._registry.named(resource).storage, namespace)
        if labels is not None:
            found = [obj for obj in found if matches_labels(labels, obj["metadata"].get("labels"))]
        if selector is not None:
            found = [obj for obj in found if matches_selector(selector, obj["metadata"].get("labels"))]
        return found

    def owned(self, resource: str, uid: str) -> Objects:
        """The objects whose ownerReferences name this uid."""
        return self._storage.owned(self._registry.named(resource).storage, uid)

    def on_node(self, node: str) -> Objects:
        """The pods bound to a node."""
        return self._storage.on_node(node)

    def watch(self, resource: str, callback: Callable[[str, Json, Json | None], None]) -> None:
        """Have `callback(type, obj, old)` called for each object there is (as ADDED), and then within each write. It
        may enqueue keys, and must not write."""
        storage = self._registry.named(resource).storage
        for obj in self._storage.list(storage):
            callback(ADDED, obj, None)
        self._storage.subscribe(storage, callback)

    # ---- writing: through the handlers

    def create(self, resource: str, obj: Json, namespace: str = "", subresource: str = "", name: str = "") -> Json:
        """`namespace` may be left out where the object says it; `subresource` and `name` are for bindings and such."""
        kind = self._registry.named(resource)
        namespace = namespace or obj["metadata"].get("namespace", "")
        return self._write("create", kind, (namespace, name, subresource), _copy(obj))

    def update(self, resource: str, obj: Json, subresource: str = "") -> Json:
        """Conflict (409) where the object is not of the newest resourceVersion."""
        kind, meta = self._registry.named(resource), obj["metadata"]
        return self._write("update", kind, (meta.get("namespace", ""), meta["name"], subresource), _copy(obj))

    def patch(
        self, resource: str, namespace: str, name: str, patch: Any, kind: str = "merge", subresource: str = ""
    ) -> Json:
        """`kind` is merge, strategic, json or apply."""
        query = {"force": "true", "fieldManager": self._agent} if kind == "apply" else {}
        where = (namespace, name, subresource)
        return self._write("patch", self._registry.named(resource), where, _copy(patch), _PATCHES[kind], query)

    def delete(
        self, resource: str, namespace: str, name: str, uid: str = "", grace: int | None = None, policy: str = ""
    ) -> Json:
        """`policy` is Background, Foreground, Orphan or the kind's own; with `uid`, only that very object."""
        options: Json = {}
        if uid:
            options["preconditions"] = {"uid": uid}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        if policy:
            options["propagationPolicy"] = policy
        return self._write("delete", self._registry.named(resource), (namespace, name, ""), options or None)

    def _write(
        self,
        verb: str,
        resource: Resource,
        where: tuple[str, str, str],
        body: Any,
        content_type: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> Json:
        namespace, name, subresource = where
        request = Request(
            verb,
            resource,
            self.user,
            namespace if resource.namespaced else "",
            name,
            subresource,
            query or {},
            body,
            content_type=content_type,
            user_agent=self._agent,
        )
        return answered(self._handlers.handle, request, self._storage, self._handlers.outside).body


def _copy(obj: Any) -> Any:
    """A deep copy; nothing in Python is quicker."""
    return orjson.loads(orjson.dumps(obj))
