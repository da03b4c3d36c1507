"""Deletes what is in a namespace that is going away, pods first, and then lets it go
(pkg/controller/namespace/deletion/namespaced_resources_deleter.go, status_condition_utils.go)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from k8sdiag.clock import format_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.controllers import Context

NAME = "namespace-controller"

_AGAIN = 1.0  # while something remains
_FINALIZER = "kubernetes"
_REMAIN, _HELD = "NamespaceContentRemaining", "NamespaceFinalizersRemaining"
_DISCOVERED = (
    "NamespaceDeletionDiscoveryFailure",
    "False",
    "ResourcesDiscovered",
    "All resources successfully discovered",
)
_PARSED = (
    "NamespaceDeletionGroupVersionParsingFailure",
    "False",
    "ParsedGroupVersions",
    "All legacy kube types successfully parsed",
)
_DELETED = (
    "NamespaceDeletionContentFailure",
    "False",
    "ContentDeleted",
    "All content successfully deleted, may be waiting on finalization",
)
_REMOVED = (_REMAIN, "False", "ContentRemoved", "All content successfully removed")
_FREE = (_HELD, "False", "ContentHasNoFinalizers", "All content-preserving finalizers finished")


@dataclass(slots=True)
class _Rest:
    """What is left in a namespace after a round of deletions."""

    kinds: Counter[str] = field(default_factory=Counter)
    finalizers: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)


def start(context: Context) -> None:
    _Namespaces(context)


class _Namespaces:
    def __init__(self, context: Context) -> None:
        self._client, self._clock, self._registry = context.client, context.clock, context.registry
        self._queue = context.loop.queue("namespaces", self._sync)
        self._client.watch("namespaces", self._on_namespace)

    def _on_namespace(self, kind: str, namespace: Json, _: Json | None) -> None:
        if kind != "DELETED" and namespace["metadata"].get("deletionTimestamp"):
            self._queue.add(namespace["metadata"]["name"])

    def _sync(self, name: str) -> float | None:
        namespace = self._client.find("namespaces", "", name)
        if namespace is None or not namespace["metadata"].get("deletionTimestamp"):
            return None
        if _FINALIZER in (namespace["spec"].get("finalizers") or ()):
            rest = _Rest()
            self._empty(name, "pods", rest)
            if not rest.kinds:
                for word in self._words():
                    self._empty(name, word, rest)
            namespace = self._report(namespace, rest)
            if rest.kinds or rest.refused:
                return _AGAIN
            self._finalize(namespace)
        return None

    def _words(self) -> list[str]:
        """Everything namespaced that can be deleted, each once however many versions it has."""
        found: dict[str, str] = {}
        for resource in self._registry.all():
            if resource.namespaced and {"delete", "list"} <= set(resource.verbs):
                found.setdefault(resource.storage, resource.qualified)
        return list(found.values())

    def _empty(self, name: str, word: str, rest: _Rest) -> None:
        """Delete all of one kind, and count what is still there."""
        for obj in self._client.list(word, name):
            meta = obj["metadata"]
            if not meta.get("deletionTimestamp"):
                try:
                    self._client.delete(word, name, meta["name"], uid=meta["uid"], policy="Background")
                except ApiError as refused:
                    if refused.code != 404:
                        rest.refused.append(refused.message)
        group = word if "." in word else f"{word}."
        for obj in self._client.list(word, name):
            rest.kinds[group] += 1
            rest.finalizers.update(obj["metadata"].get("finalizers") or ())

    def _report(self, namespace: Json, rest: _Rest) -> Json:
        """The five conditions of a namespace that is going away."""
        remaining = ", ".join(f"{kind} has {count} resource instances" for kind, count in sorted(rest.kinds.items()))
        held = ", ".join(f"{name} in {count} resource instances" for name, count in sorted(rest.finalizers.items()))
        refused = f"Failed to delete all resource types, {len(rest.refused)} remaining: {', '.join(rest.refused)}"
        values = [
            _DISCOVERED,
            _PARSED,
            ("NamespaceDeletionContentFailure", "True", "ContentDeletionFailed", refused) if rest.refused else _DELETED,
            (_REMAIN, "True", "SomeResourcesRemain", f"Some resources are remaining: {remaining}")
            if remaining
            else _REMOVED,
            (_HELD, "True", "SomeFinalizersRemain", f"Some content in the namespace has finalizers remaining: {held}")
            if held
            else _FREE,
        ]
        old = {condition["type"]: condition for condition in namespace["status"].get("conditions") or ()}
        made = [self._condition(*value, old.pop(value[0], None)) for value in values]
        conditions = made + list(old.values())
        if conditions == namespace["status"].get("conditions"):
            return namespace
        status = {**namespace["status"], "conditions": conditions}
        return self._client.update("namespaces", {**namespace, "status": status}, subresource="status")

    def _condition(self, kind: str, status: str, reason: str, message: str, old: Json | None) -> Json:
        same = old is not None and old["status"] == status
        since = old["lastTransitionTime"] if old is not None and same else format_time(self._clock.now())
        return {"type": kind, "status": status, "lastTransitionTime": since, "reason": reason, "message": message}

    def _finalize(self, namespace: Json) -> None:
        """Nothing is left: take our name off, and delete it where that has not happened by itself."""
        spec = namespace["spec"]
        left = [name for name in spec["finalizers"] if name != _FINALIZER]
        self._client.update("namespaces", {**namespace, "spec": {**spec, "finalizers": left}}, subresource="finalize")
        name = namespace["metadata"]["name"]
        if not left and self._client.find("namespaces", "", name) is not None:
            self._client.delete("namespaces", "", name, uid=namespace["metadata"]["uid"])
