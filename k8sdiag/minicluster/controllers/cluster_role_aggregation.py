"""ClusterRoles that are made of others, chosen by their labels: admin, edit, view
(pkg/controller/clusterroleaggregation)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.controllers import Context
from k8sdiag.selectors import matches_selector

NAME = "clusterrole-aggregation-controller"


def start(context: Context) -> None:
    _Aggregation(context)


class _Aggregation:
    def __init__(self, context: Context) -> None:
        self._client = context.client
        self._aggregated: set[str] = set()
        self._queue = context.loop.queue("cluster-roles", self._sync)
        self._client.watch("clusterroles", self._on_role)

    def _on_role(self, kind: str, role: Json, _: Json | None) -> None:
        name = role["metadata"]["name"]
        if kind != "DELETED" and role.get("aggregationRule"):
            self._aggregated.add(name)
        else:
            self._aggregated.discard(name)
        for each in self._aggregated:
            self._queue.add(each)

    def _sync(self, name: str) -> None:
        role = self._client.find("clusterroles", "", name)
        if role is None or not role.get("aggregationRule"):
            return
        rules: list[Json] = []
        for selector in role["aggregationRule"].get("clusterRoleSelectors") or ():
            for other in self._client.list("clusterroles", selector=selector):
                if other["metadata"]["name"] != name and matches_selector(selector, other["metadata"].get("labels")):
                    rules += [rule for rule in other.get("rules") or () if rule not in rules]
        if rules != (role.get("rules") or []):
            self._client.update("clusterroles", {**role, "rules": rules})
