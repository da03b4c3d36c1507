"""Deletes what belongs to owners that are gone, in the foreground, in the background, or not at all
(pkg/controller/garbagecollector: graph_builder.go, garbagecollector.go).

Only the objects that have owners are remembered, under their owners' uids; whether an owner is there is asked of the
storage when it matters. Custom resources are watched as soon as they are served.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.controllers import Context
from k8sdiag.minicluster.events import Recorder
from k8sdiag.minicluster.kinds import Resource

NAME = "generic-garbage-collector"

_FOREGROUND = "foregroundDeletion"
_ORPHAN = "orphan"
_GONE = 5000  # uids of deleted owners that are remembered
_RETRY = 10.0  # for owners of a kind that is not served


class Item(NamedTuple):
    """An object: the word for its resource, and where it is."""

    word: str
    namespace: str
    name: str


def start(context: Context) -> None:
    _Collector(context)


class _Collector:
    def __init__(self, context: Context) -> None:
        self._client, self._registry = context.client, context.registry
        self._events = Recorder(context.client, context.clock, "garbage-collector-controller")
        self._dependents: dict[str, dict[Item, None]] = {}
        self._waiting: dict[str, Item] = {}  # owners that are being deleted in the foreground
        self._gone: OrderedDict[str, None] = OrderedDict()
        self._watched: set[str] = set()
        self._queue = context.loop.queue("garbage", self._sync)
        self._kinds = context.loop.queue("garbage-kinds", self._watch_all)
        self._watch_all("")
        self._client.watch("customresourcedefinitions", lambda *_: self._kinds.add("all"))

    def _watch_all(self, _: str) -> None:
        for resource in self._registry.all():
            if resource.storage in self._watched or resource.plural == "events":
                continue
            if {"delete", "list", "watch"} <= set(resource.verbs):
                self._watched.add(resource.storage)
                self._client.watch(resource.qualified, self._watcher(resource.qualified))

    def _watcher(self, word: str) -> Callable[[str, Json, Json | None], None]:
        return lambda kind, obj, old: self._on_change(word, kind, obj, old)

    def _on_change(self, word: str, kind: str, obj: Json, old: Json | None) -> None:
        meta = obj["metadata"]
        before = _owners(old) if old is not None else ()
        after = _owners(obj)
        item = Item(word, meta.get("namespace", ""), meta["name"])
        if kind == "DELETED":
            self._drop(item, meta["uid"], before or after)
            return
        if before != after:
            self._index(item, before, after)
            if after:
                self._queue.add(item)
        if meta.get("deletionTimestamp"):
            finalizers = meta.get("finalizers") or ()
            if _FOREGROUND in finalizers:
                self._waiting[meta["uid"]] = item
            if _FOREGROUND in finalizers or _ORPHAN in finalizers:
                self._queue.add(item)
            for reference in after:  # an owner in the foreground may wait for this one's finalizers no longer
                self._look_again(reference["uid"])

    def _index(self, item: Item, before: tuple[Json, ...], after: tuple[Json, ...]) -> None:
        for reference in before:
            held = self._dependents.get(reference["uid"])
            if held is not None:
                held.pop(item, None)
                if not held:
                    del self._dependents[reference["uid"]]
            self._look_again(reference["uid"])
        for reference in after:
            self._dependents.setdefault(reference["uid"], {})[item] = None

    def _drop(self, item: Item, uid: str, owners: tuple[Json, ...]) -> None:
        self._index(item, owners, ())
        self._queue.forget(item)
        self._waiting.pop(uid, None)
        dependents = self._dependents.get(uid)
        if dependents:
            self._gone[uid] = None
            if len(self._gone) > _GONE:
                self._gone.popitem(last=False)
            for dependent in dependents:
                self._queue.add(dependent)

    def _look_again(self, owner: str) -> None:
        waiting = self._waiting.get(owner)
        if waiting is not None:
            self._queue.add(waiting)

    def _sync(self, item: Item) -> float | None:
        obj = self._client.find(*item)
        if obj is None:
            return None
        meta = obj["metadata"]
        finalizers = meta.get("finalizers") or ()
        if meta.get("deletionTimestamp"):
            if _ORPHAN in finalizers:
                self._orphan(item, obj)
            elif _FOREGROUND in finalizers:
                self._foreground(item, obj)
            return None
        return self._collect(item, obj)

    def _collect(self, item: Item, obj: Json) -> float | None:
        """Delete an object whose owners are all gone; take the ones that are gone off one that has others."""
        meta = obj["metadata"]
        solid, dangling, going = [], [], []
        for reference in _owners(obj):
            resource = self._registry.of(reference["apiVersion"], reference["kind"])
            if resource is None:
                return _RETRY
            if resource.namespaced and not item.namespace:
                self._complain(item, obj, reference)
                return None
            owner = self._owner(item, reference, resource)
            if owner is None:
                dangling.append(reference)
            elif _deletes_dependents(owner):
                going.append(reference)
            else:
                solid.append(reference)
        if not dangling and not going:
            return None
        if solid:
            self._disown(item, obj, {reference["uid"] for reference in (*dangling, *going)})
            return None
        for reference in dangling:
            self._complain_of_namespace(item, obj, reference)
        policy = "Background"
        if going and self._dependents.get(meta["uid"]):
            self._break_circles(meta["uid"])
            policy = "Foreground"
        elif _ORPHAN in (meta.get("finalizers") or ()):
            policy = "Orphan"
        self._delete(item, meta["uid"], policy)
        return None

    def _owner(self, item: Item, reference: Json, resource: Resource) -> Json | None:
        namespace = item.namespace if resource.namespaced else ""
        found = self._client.find(resource.qualified, namespace, reference["name"])
        if found is not None and found["metadata"]["uid"] != reference["uid"]:
            return None
        return found

    def _complain_of_namespace(self, item: Item, obj: Json, reference: Json) -> None:
        """An owner may be there, but in another namespace, where it cannot own this."""
        resource = self._registry.of(reference["apiVersion"], reference["kind"])
        if resource is None or not resource.namespaced or reference["uid"] in self._gone:
            return
        if any(owner["metadata"]["uid"] == reference["uid"] for owner in self._client.list(resource.qualified)):
            self._complain(item, obj, reference)

    def _complain(self, item: Item, obj: Json, reference: Json) -> None:
        called = (
            f"[{reference['apiVersion']}/{reference['kind']}, namespace: {item.namespace},"
            f" name: {reference['name']}, uid: {reference['uid']}]"
        )
        text = f'ownerRef {called} does not exist in namespace "{item.namespace}"'
        self._events.event(obj, "Warning", "OwnerRefInvalidNamespace", text)

    def _foreground(self, item: Item, obj: Json) -> None:
        """First what blocks it, then the owner itself."""
        uid = obj["metadata"]["uid"]
        blocking = False
        for dependent in tuple(self._dependents.get(uid, ())):
            found = self._client.find(*dependent)
            if found is None:
                continue
            blocking = blocking or any(
                reference["uid"] == uid and reference.get("blockOwnerDeletion") for reference in _owners(found)
            )
            if not found["metadata"].get("deletionTimestamp"):
                self._queue.add(dependent)
        if not blocking:
            self._take_off(item, obj, _FOREGROUND)

    def _break_circles(self, uid: str) -> None:
        """Dependents that wait for us, as we are to wait for them, no longer block us."""
        for dependent in tuple(self._dependents.get(uid, ())):
            found = self._client.find(*dependent)
            if found is not None and _deletes_dependents(found):
                references = [{**reference, "blockOwnerDeletion": False} for reference in _owners(found)]
                self._client.patch(*dependent, {"metadata": {"ownerReferences": references}})

    def _orphan(self, item: Item, obj: Json) -> None:
        """The dependents stay, without this owner; then it may go."""
        uid = obj["metadata"]["uid"]
        for dependent in tuple(self._dependents.get(uid, ())):
            found = self._client.find(*dependent)
            if found is not None:
                self._disown(dependent, found, {uid})
        self._take_off(item, obj, _ORPHAN)

    def _disown(self, item: Item, obj: Json, uids: set[str]) -> None:
        left = [reference for reference in _owners(obj) if reference["uid"] not in uids]
        self._client.patch(*item, {"metadata": {"ownerReferences": left or None, "uid": obj["metadata"]["uid"]}})

    def _take_off(self, item: Item, obj: Json, finalizer: str) -> None:
        meta = obj["metadata"]
        left = [name for name in meta["finalizers"] if name != finalizer]
        patch = {"metadata": {"resourceVersion": meta["resourceVersion"], "finalizers": left or None}}
        self._client.patch(*item, patch)

    def _delete(self, item: Item, uid: str, policy: str) -> None:
        try:
            self._client.delete(*item, uid=uid, policy=policy)
        except ApiError as refused:
            if refused.code not in (404, 409):
                raise


def _owners(obj: Json) -> tuple[Json, ...]:
    return tuple(obj["metadata"].get("ownerReferences") or ())


def _deletes_dependents(obj: Json) -> bool:
    meta = obj["metadata"]
    return bool(meta.get("deletionTimestamp")) and _FOREGROUND in (meta.get("finalizers") or ())
