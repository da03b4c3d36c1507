"""ControllerRevisions: the templates that a StatefulSet or DaemonSet has had, numbered
(pkg/controller/history/controller_history.go, pkg/controller/daemon/update.go)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.client import Client
from k8sdiag.minicluster.controllers.ownership import controlled_by, reference_to
from k8sdiag.minicluster.controllers.template_hash import short_hash

LABEL = "controller-revision-hash"


@dataclass(frozen=True, slots=True)
class History:
    """All revisions of an owner, oldest first, the newest being what its template says now; and how often a name was
    taken by another's."""

    revisions: tuple[Json, ...]
    collisions: int

    @property
    def update(self) -> Json:
        return self.revisions[-1]

    def named(self, name: str) -> Json | None:
        return next((entry for entry in self.revisions if entry["metadata"]["name"] == name), None)


def hash_of(revision: Json) -> str:
    """What daemon pods carry as their revision."""
    return str((revision["metadata"].get("labels") or {}).get(LABEL, ""))


def template_of(revision: Json) -> Json:
    """The pod template that a revision holds."""
    template = revision["data"]["spec"]["template"]
    return {name: value for name, value in template.items() if name != "$patch"}


def history_of(client: Client, owner: Json, api_version: str, kind: str) -> History:
    """The owner's revisions, after making one for its template or moving the one there is to the end."""
    known = [
        entry for entry in client.owned("controllerrevisions", owner["metadata"]["uid"]) if controlled_by(entry, owner)
    ]
    known.sort(key=lambda entry: (entry["revision"], entry["metadata"].get("creationTimestamp", "")))
    collisions = int((owner.get("status") or {}).get("collisionCount") or 0)
    data, last = _data(owner), max((entry["revision"] for entry in known), default=0)
    same = [entry for entry in known if _plain(entry.get("data")) == _plain(data)]
    if not same:
        made, collisions = _make(
            client, _revision(owner, reference_to(owner, api_version, kind), data), last, collisions
        )
        return History((*known, made), collisions)
    found = same[-1]
    if found["revision"] < last:
        found = client.update("controllerrevisions", {**found, "revision": last + 1})
    return History((*(entry for entry in known if entry is not same[-1]), found), collisions)


def truncate(client: Client, owner: Json, history: History, live: Collection[str]) -> None:
    """Delete the oldest revisions that no pod has (`live`: names in use) beyond the owner's limit."""
    past = [entry for entry in history.revisions[:-1] if entry["metadata"]["name"] not in live]
    for entry in past[: max(0, len(past) - int(owner["spec"].get("revisionHistoryLimit", 10)))]:
        client.delete("controllerrevisions", entry["metadata"]["namespace"], entry["metadata"]["name"])


def _data(owner: Json) -> Json:
    """A patch that brings the template back, as `kubectl rollout undo` applies it."""
    return {"spec": {"template": {**owner["spec"]["template"], "$patch": "replace"}}}


def _plain(data: Any) -> Any:
    """What makes two revisions the same. Anybody may write one, with data that is no template at all."""
    try:
        template = data["spec"]["template"]
        meta = {name: value for name, value in (template.get("metadata") or {}).items() if value}
    except (KeyError, TypeError, AttributeError):
        return data
    return {**template, "metadata": meta}


def _revision(owner: Json, reference: Json, data: Json) -> Json:
    meta, pattern = owner["metadata"], owner["spec"]["template"].get("metadata") or {}
    made: Json = {"namespace": meta["namespace"], "labels": pattern.get("labels") or {}, "ownerReferences": [reference]}
    if meta.get("annotations"):
        made["annotations"] = meta["annotations"]
    return {"apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": made, "data": data}


def _make(client: Client, body: Json, last: int, collisions: int) -> tuple[Json, int]:
    """Create it under a name from its hash; where another's has that name, under the next one."""
    owner = body["metadata"]["ownerReferences"][0]
    while True:
        code = short_hash(_plain(body["data"]), collisions)
        meta = {**body["metadata"], "labels": {**body["metadata"]["labels"], LABEL: code}}
        meta["name"] = f"{owner['name']}-{code}"
        try:
            made = client.create("controllerrevisions", {**body, "metadata": meta, "revision": last + 1})
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
            there = client.get("controllerrevisions", meta["namespace"], meta["name"])
            if _plain(there.get("data")) == _plain(body["data"]) and _owned(there, owner["uid"]):
                return there, collisions
            collisions += 1
            continue
        return made, collisions


def _owned(revision: Json, uid: str) -> bool:
    return any(entry["uid"] == uid for entry in revision["metadata"].get("ownerReferences") or ())
