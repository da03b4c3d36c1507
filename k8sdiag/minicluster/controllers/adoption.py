"""Orphans find an owner, and what no longer matches is let go (pkg/controller/controller_ref_manager.go).

A real controller lists a namespace at each look; here orphans and selectors are remembered, so that a look costs what
the owner owns and no more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from k8sdiag.evidence import Json
from k8sdiag.minicluster.client import Client
from k8sdiag.minicluster.controllers.ownership import Key, controller_of, key_of, reference_to
from k8sdiag.minicluster.controllers.pod_states import finished
from k8sdiag.selectors import matches_selector


@dataclass(frozen=True, slots=True)
class OwnerKind:
    """What owns: `ReplicaSet` of `apps/v1`, and how its selector is read."""

    api_version: str
    kind: str
    resource: str
    selector: Callable[[Json], Json | None]


def label_selector(owner: Json) -> Json | None:
    """`spec.selector`, as all owners but the ReplicationController have it. An empty one selects nothing here."""
    return owner["spec"].get("selector") or None


class Adoption:
    """The children of all owners of one kind."""

    def __init__(self, client: Client, owner: OwnerKind, children: str) -> None:
        self._client, self._owner, self._children = client, owner, children
        self._selectors: dict[str, dict[str, Json | None]] = {}  # namespace: owner's name: selector
        self._orphans: dict[str, dict[str, Json]] = {}  # namespace: child's name: labels
        self._wanted: dict[Key, dict[str, None]] = {}  # an owner's key: names of orphans that it selects

    def see_owner(self, change: str, owner: Json) -> None:
        """To be told of every change of an owner."""
        namespace, name = key_of(owner)
        selectors = self._selectors.setdefault(namespace, {})
        if change == "DELETED":
            selectors.pop(name, None)
            self._wanted.pop((namespace, name), None)
            return
        selector = self._owner.selector(owner)
        if name not in selectors or selectors[name] != selector:
            selectors[name] = selector
            for child, labels in self._orphans.get(namespace, {}).items():
                if selector is not None and matches_selector(selector, labels):
                    self._wanted.setdefault((namespace, name), {})[child] = None

    def see_child(self, change: str, child: Json, old: Json | None) -> list[Key]:
        """To be told of every change of a child. The keys of owners that should look at it."""
        namespace, name = key_of(child)
        keys = []
        before = controller_of(old) if old is not None else None
        reference = controller_of(child)
        if before is not None and before != reference and before["kind"] == self._owner.kind:
            keys.append((namespace, before["name"]))
        if reference is not None:
            self._orphans.get(namespace, {}).pop(name, None)
            if reference["kind"] == self._owner.kind:
                keys.append((namespace, reference["name"]))
            return keys
        if change == "DELETED" or "deletionTimestamp" in child["metadata"]:
            self._orphans.get(namespace, {}).pop(name, None)
            return keys
        labels = child["metadata"].get("labels") or {}
        orphans = self._orphans.setdefault(namespace, {})
        if orphans.get(name) == labels and old is not None:
            return keys
        orphans[name] = labels
        for owner, selector in self._selectors.get(namespace, {}).items():
            if selector is not None and matches_selector(selector, labels):
                self._wanted.setdefault((namespace, owner), {})[name] = None
                keys.append((namespace, owner))
        return keys

    def claim(self, owner: Json) -> list[Json]:
        """The owner's children, after adopting what it selects and letting go what it does not."""
        uid, selector = owner["metadata"]["uid"], self._owner.selector(owner)
        leaving = "deletionTimestamp" in owner["metadata"]
        self._adopt(owner, leaving)
        plain = selector.get("matchLabels") if selector and not selector.get("matchExpressions") else None
        wanted = plain.items() if plain else None
        kept = []
        for child in self._client.owned(self._children, uid):
            reference = controller_of(child)
            if reference is None or reference["uid"] != uid:
                continue
            labels = child["metadata"].get("labels") or {}
            if (wanted <= labels.items()) if wanted is not None else matches_selector(selector, labels):
                kept.append(child)
            elif not leaving:
                self._release(child, uid)
        return kept

    def _adopt(self, owner: Json, leaving: bool) -> None:
        namespace, name = key_of(owner)
        selector = self._owner.selector(owner)
        for orphan in self._wanted.pop((namespace, name), {}):
            child = self._client.find(self._children, namespace, orphan)
            if child is None or leaving or controller_of(child) is not None or "deletionTimestamp" in child["metadata"]:
                continue
            if self._children == "pods" and finished(child) and self._owner.kind != "Job":
                continue
            if matches_selector(selector, child["metadata"].get("labels")):
                owners = child["metadata"].get("ownerReferences") or []
                reference = reference_to(owner, self._owner.api_version, self._owner.kind)
                self._own(child, [*owners, reference])

    def _release(self, child: Json, uid: str) -> None:
        owners = [entry for entry in child["metadata"]["ownerReferences"] if entry["uid"] != uid]
        self._own(child, owners)

    def _own(self, child: Json, owners: list[Json]) -> None:
        meta = child["metadata"]
        change = {"metadata": {"uid": meta["uid"], "ownerReferences": owners or None}}
        self._client.patch(self._children, meta.get("namespace", ""), meta["name"], change)
