"""An API server without HTTP for tests: no controllers, one namespace, time that stands still."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from k8sdiag.clock import ManualClock
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.handlers import Handlers
from k8sdiag.minicluster.apiserver.request import ADMIN, Answer, Request
from k8sdiag.minicluster.apiserver.storage import Storage
from k8sdiag.minicluster.client import Client
from k8sdiag.minicluster.kinds import Registry

START = 1_800_000_000.0


@dataclass(frozen=True, slots=True)
class Server:
    clock: ManualClock
    registry: Registry
    storage: Storage
    handlers: Handlers
    client: Client

    def ask(
        self,
        verb: str,
        word: str,
        name: str = "",
        body: Any = None,
        query: Mapping[str, str] | None = None,
        *,
        namespace: str = "shop",
        subresource: str = "",
        content_type: str = "application/json",
    ) -> Answer:
        resource = self.registry.named(word)
        request = Request(
            verb,
            resource,
            ADMIN,
            namespace if resource.namespaced else "",
            name,
            subresource,
            query or {},
            body,
            content_type=content_type,
            user_agent="tester/1",
        )
        return self.handlers.handle(request)


def make_server(path: Path | None = None) -> Server:
    clock = ManualClock(START)
    registry, storage = Registry(), Storage(clock, path)
    handlers = Handlers(registry, storage, clock, Random(7))
    server = Server(clock, registry, storage, handlers, Client(handlers, ADMIN, "tester"))
    if not storage.count("namespaces"):
        server.client.create("namespaces", {"metadata": {"name": "shop"}})
        server.client.create("serviceaccounts", {"metadata": {"name": "default", "namespace": "shop"}})
    return server


def config(name: str, **labels: str) -> Json:
    meta: Json = {"name": name, "namespace": "shop"}
    if labels:
        meta["labels"] = labels
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"a": "1"}}


def pod(name: str, node: str = "", **spec: Any) -> Json:
    whole: Json = {"containers": [{"name": "app", "image": "nginx"}], **spec}
    if node:
        whole["nodeName"] = node
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop"}, "spec": whole}
