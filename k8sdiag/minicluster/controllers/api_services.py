"""An APIService for each group and version that is served, and of those that somebody else is to serve, whether that
can be (kube-aggregator/pkg/controllers/{autoregister,status/remote,status/local},
pkg/controlplane/apiserver/aggregator.go). The lab does not pass requests on to other API servers."""

from __future__ import annotations

from collections.abc import Mapping

from k8sdiag.clock import format_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.controllers import Context

NAME = "apiservice-registration"

_KIND = "apiservices.apiregistration.k8s.io"
_MANAGED = "kube-aggregator.kubernetes.io/automanaged"
_EVERY = 1.0  # a look at which custom resources have come and gone

# How groups are ordered (DefaultGenericAPIServicePriorities); what is in none of them comes of a definition.
_GROUPS: Mapping[str, int] = {
    "": 18000,
    "apps": 17800,
    "events.k8s.io": 17750,
    "authentication.k8s.io": 17700,
    "authorization.k8s.io": 17600,
    "autoscaling": 17500,
    "batch": 17400,
    "certificates.k8s.io": 17300,
    "networking.k8s.io": 17200,
    "policy": 17100,
    "rbac.authorization.k8s.io": 17000,
    "storage.k8s.io": 16800,
    "apiextensions.k8s.io": 16700,
    "admissionregistration.k8s.io": 16700,
    "scheduling.k8s.io": 16600,
    "coordination.k8s.io": 16500,
    "node.k8s.io": 16300,
    "discovery.k8s.io": 16200,
    "flowcontrol.apiserver.k8s.io": 16100,
}
_VERSIONS: Mapping[str, int] = {"v1.": 1, "v2.autoscaling": 30, "v1.flowcontrol.apiserver.k8s.io": 21}
_NO_SERVICE = frozenset(("apiregistration.k8s.io",))


def start(context: Context) -> None:
    _Services(context)


class _Services:
    def __init__(self, context: Context) -> None:
        self._client, self._clock, self._registry = context.client, context.clock, context.registry
        self._seen = -1
        self._queue = context.loop.queue("api-services", self._sync)
        self._client.watch(_KIND, lambda _, found, __: self._queue.add(found["metadata"]["name"]))
        self._client.watch("services", self._on_service)
        context.loop.every("api-services", _EVERY, self._look_round)

    def _on_service(self, _: str, service: Json, __: Json | None) -> None:
        meta = service["metadata"]
        for found in self._client.list(_KIND):
            where = found["spec"].get("service") or {}
            if (where.get("namespace"), where.get("name")) == (meta["namespace"], meta["name"]):
                self._queue.add(found["metadata"]["name"])

    def _look_round(self) -> None:
        """Ask for what is served now and for what is registered, where something has changed."""
        if self._registry.generation == self._seen:
            return
        self._seen = self._registry.generation
        for name in self._served():
            self._queue.add(name)
        for found in self._client.list(_KIND):
            self._queue.add(found["metadata"]["name"])

    def _served(self) -> dict[str, tuple[str, str]]:
        return {
            f"{version}.{group.name}": (group.name, version)
            for group in self._registry.groups()
            if group.name not in _NO_SERVICE
            for version in group.versions
        }

    def _sync(self, name: str) -> None:
        served, found = self._served().get(name), self._client.find(_KIND, "", name)
        if found is None:
            if served is not None:
                self._client.create(_KIND, _local(name, *served))
            return
        if served is None and _MANAGED in (found["metadata"].get("labels") or {}):
            self._client.delete(_KIND, "", name)
            return
        status = found.get("status") or {}
        old: Json = next((each for each in status.get("conditions") or () if each.get("type") == "Available"), {})
        made = self._available(found)
        made["lastTransitionTime"] = format_time(self._clock.now())
        if old.get("status") == made["status"]:
            made["lastTransitionTime"] = old["lastTransitionTime"]
        if made != old:
            self._client.update(_KIND, {**found, "status": {**status, "conditions": [made]}}, "status")

    def _available(self, found: Json) -> Json:
        where = found["spec"].get("service")
        if where is None:
            text = "Local APIServices are always available"
            return {"type": "Available", "status": "True", "reason": "Local", "message": text}
        place, name = where.get("namespace", ""), where.get("name", "")
        if self._client.find("services", place, name) is None:
            reason, text = "ServiceNotFound", f'service/{name} in "{place}" is not present'
        else:
            group, version = found["spec"].get("group", ""), found["spec"].get("version", "")
            url = f"https://{name}.{place}.svc:{where.get('port') or 443}/apis/{group}/{version}"
            reason, text = "FailedDiscoveryCheck", f"failing or missing response from {url}"
        return {"type": "Available", "status": "False", "reason": reason, "message": text}


def _local(name: str, group: str, version: str) -> Json:
    built_in = group in _GROUPS
    labels = {_MANAGED: "onstart" if built_in else "true"}
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "group": group,
            "version": version,
            "groupPriorityMinimum": _GROUPS.get(group, 1000),
            "versionPriority": _VERSIONS.get(name, 15 if built_in else 100),
        },
    }
