"""The life of a CustomResourceDefinition: its names accepted or refused, established, and at its end the removal of all
its objects (apiextensions-apiserver/pkg/controller/{status,establish,finalizer})."""

from __future__ import annotations

from collections.abc import Iterator

from k8sdiag.clock import Clock, format_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.customresources import STORAGE, CustomResources, is_established
from k8sdiag.minicluster.apiserver.storage import DELETED, Storage
from k8sdiag.minicluster.client import Client
from k8sdiag.minicluster.kinds import Registry
from k8sdiag.minicluster.loop import Loop

FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
_WORD = "customresourcedefinitions"
_AGAIN = 5.0  # seconds between looks at objects that will not go


def serve(custom: CustomResources, registry: Registry, storage: Storage, loop: Loop, client: Client) -> None:
    """Watch the definitions, and serve those that are established, from now on."""
    life = _Life(custom, registry, storage, client, loop.clock)
    queue = loop.queue("customresourcedefinition-controller", life.reconcile)

    def changed(kind: str, crd: Json, old: Json | None) -> None:  # noqa: ARG001 (all watchers are told alike)
        if kind == DELETED:
            custom.leave(crd)
        else:
            if is_established(crd):
                custom.enter(crd)
            queue.add(crd["metadata"]["name"])

    client.watch(_WORD, changed)


class _Life:
    def __init__(
        self, custom: CustomResources, registry: Registry, storage: Storage, client: Client, clock: Clock
    ) -> None:
        self._custom, self._registry, self._storage = custom, registry, storage
        self._client, self._clock = client, clock

    def reconcile(self, name: str) -> float | None:
        crd = self._client.find(_WORD, "", name)
        if crd is None:
            return None
        if crd["metadata"].get("deletionTimestamp"):
            return self._finalize(crd)
        status = self._status(crd)
        if status != crd.get("status"):
            self._client.update(_WORD, {**crd, "status": status}, "status")
        return None

    # ---- names

    def _status(self, crd: Json) -> Json:
        """The status with its names judged (NamingConditionController, EstablishingController)."""
        status: Json = {**(crd.get("status") or {})}
        conflicts = list(self._conflicts(crd))
        wanted = crd["spec"]["names"]
        taken = {field for field, _ in conflicts}
        before = status.get("acceptedNames") or {}
        status["acceptedNames"] = {
            key: before[key] if key in taken and key in before else value
            for key, value in wanted.items()
            if key not in taken or key in before
        }
        status["acceptedNames"].setdefault("plural", "")
        status["acceptedNames"].setdefault("kind", "")
        if conflicts:
            field, text = conflicts[-1]  # the last one found is told
            refused = f"{field[0].upper()}{field[1:]}Conflict"
            status = self._with(status, "NamesAccepted", "False", refused, text)
            if not is_established(crd):
                status = self._with(status, "Established", "False", "NotAccepted", "not all names are accepted")
        else:
            status = self._with(status, "NamesAccepted", "True", "NoConflicts", "no conflicts found")
            said = "the initial names have been accepted"
            status = self._with(status, "Established", "True", "InitialNamesAccepted", said)
        stored = list(status.get("storedVersions") or ())
        now = [version["name"] for version in crd["spec"]["versions"] if version.get("storage")]
        status["storedVersions"] = stored + [name for name in now if name not in stored]
        return status

    def _conflicts(self, crd: Json) -> Iterator[tuple[str, str]]:
        """Names of this group that others have: (field, message)."""
        group, own = crd["spec"]["group"], crd["metadata"]["name"]
        words: set[str] = set()
        kinds: set[str] = set()
        for other in self._storage.list(STORAGE):
            if other["spec"]["group"] == group and other["metadata"]["name"] != own:
                names = (other.get("status") or {}).get("acceptedNames") or {}
                words.update(
                    filter(None, (names.get("plural"), names.get("singular"), *(names.get("shortNames") or ())))
                )
                kinds.update(filter(None, (names.get("kind"), names.get("listKind"))))
        names = crd["spec"]["names"]
        for field in ("plural", "singular"):
            if names.get(field) in words:
                yield field, f'"{names[field]}" is already in use'
        clash = [f'"{word}" is already in use' for word in names.get("shortNames") or () if word in words]
        if clash:
            yield "shortNames", clash[0] if len(clash) == 1 else f"[{', '.join(clash)}]"
        for field in ("kind", "listKind"):
            if names.get(field) in kinds:
                yield field, f'"{names[field]}" is already in use'

    def _with(self, status: Json, kind: str, value: str, reason: str, message: str) -> Json:
        """The status with a condition set; its time changes only with its status."""
        conditions = list(status.get("conditions") or ())
        at = next((place for place, each in enumerate(conditions) if each["type"] == kind), None)
        stamp = format_time(self._clock.now())
        if at is not None and conditions[at]["status"] == value:
            stamp = conditions[at].get("lastTransitionTime", stamp)
        made = {"lastTransitionTime": stamp, "message": message, "reason": reason, "status": value, "type": kind}
        if at is None:
            conditions.append(made)
        else:
            conditions[at] = made
        return {**status, "conditions": conditions}

    # ---- the end

    def _finalize(self, crd: Json) -> float | None:
        """Delete every object; when none is left, let the definition go."""
        if FINALIZER not in (crd["metadata"].get("finalizers") or ()):
            return None
        spec, name = crd["spec"], crd["metadata"]["name"]
        resource = next(
            (found for found in self._registry.all() if found.storage == name and found.group == spec["group"]), None
        )
        if resource is not None:
            for obj in self._storage.list(resource.storage):
                meta = obj["metadata"]
                if not meta.get("deletionTimestamp"):
                    self._client.delete(resource.qualified, meta.get("namespace", ""), meta["name"])
            if self._storage.list(resource.storage):
                said = "CustomResource deletion is in progress"
                status = self._with(crd.get("status") or {}, "Terminating", "True", "InstanceDeletionInProgress", said)
                if status != crd.get("status"):
                    self._client.update(_WORD, {**crd, "status": status}, "status")
                return _AGAIN
        crd = self._client.get(_WORD, "", name)
        left = [each for each in crd["metadata"]["finalizers"] if each != FINALIZER]
        self._client.update(_WORD, {**crd, "metadata": {**crd["metadata"], "finalizers": left}})
        return None
