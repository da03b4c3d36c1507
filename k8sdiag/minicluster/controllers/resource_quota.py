"""Counts what a namespace uses against its quotas, where admission has only added up
(pkg/controller/resourcequota/resource_quota_controller.go)."""

from __future__ import annotations

from collections.abc import Callable

from k8sdiag.evidence import Json
from k8sdiag.minicluster.amounts import ZERO, Amounts, added, amounts, masked, texts
from k8sdiag.minicluster.apiserver.admission.quota_usage import in_scope, matching, usage
from k8sdiag.minicluster.controllers import Context
from k8sdiag.minicluster.kinds import Resource

NAME = "resourcequota-controller"

_RESYNC = 300.0
_GATHER = 0.2  # deletions come in floods

Key = tuple[str, str]


def start(context: Context) -> None:
    _Quotas(context)


class _Quotas:
    def __init__(self, context: Context) -> None:
        self._client, self._clock, self._registry = context.client, context.clock, context.registry
        self._quotas: dict[str, dict[str, None]] = {}
        self._watched: set[str] = set()
        self._queue = context.loop.queue("quotas", self._sync)
        self._client.watch("resourcequotas", self._on_quota)

    def _on_quota(self, kind: str, quota: Json, old: Json | None) -> None:
        namespace, name = quota["metadata"]["namespace"], quota["metadata"]["name"]
        if kind == "DELETED":
            self._quotas.get(namespace, {}).pop(name, None)
            return
        self._quotas.setdefault(namespace, {})[name] = None
        if old is None or old["spec"] != quota["spec"] or not (quota.get("status") or {}).get("hard"):
            self._queue.add((namespace, name))

    def _counted(self, names: list[str]) -> dict[Resource, set[str]]:
        """The resources that a quota is about, and by which names."""
        found: dict[str, tuple[Resource, set[str]]] = {}
        for resource in self._registry.all():
            if resource.namespaced and resource.storage not in found and "list" in resource.verbs:
                concerned = matching(resource, names)
                if concerned:
                    found[resource.storage] = (resource, concerned)
        return dict(found.values())

    def _sync(self, key: Key) -> float | None:
        quota = self._client.find("resourcequotas", *key)
        if quota is None:
            return None
        hard = quota["spec"].get("hard") or {}
        used: Amounts = dict.fromkeys(hard, ZERO)
        now = self._clock.now()
        for resource, names in self._counted(list(hard)).items():
            self._watch(resource)
            total: Amounts = {}
            for obj in self._client.list(resource.qualified, key[0]):
                if in_scope(resource, quota, obj):
                    total = added(total, masked(usage(resource, obj, now), names))
            used |= total
        status = {"hard": texts(amounts(hard)), "used": texts(used)}
        if status != quota.get("status"):
            self._client.update("resourcequotas", {**quota, "status": status}, subresource="status")
        return _RESYNC

    def _watch(self, resource: Resource) -> None:
        if resource.storage not in self._watched:
            self._watched.add(resource.storage)
            self._client.watch(resource.qualified, self._freed)

    @property
    def _freed(self) -> Callable[[str, Json, Json | None], None]:
        """Something is gone, or has ended, or has become smaller: the quota may have room again."""

        def freed(kind: str, obj: Json, old: Json | None) -> None:
            namespace = obj["metadata"]["namespace"]
            quotas = self._quotas.get(namespace)
            if quotas and (kind == "DELETED" or (old is not None and _shrunk(obj, old))):
                for name in quotas:
                    self._queue.add((namespace, name), _GATHER)

        return freed


def _shrunk(obj: Json, old: Json) -> bool:
    over = ("Succeeded", "Failed")
    ended = (obj.get("status") or {}).get("phase") in over and (old.get("status") or {}).get("phase") not in over
    return ended or obj["metadata"].get("generation") != old["metadata"].get("generation")
