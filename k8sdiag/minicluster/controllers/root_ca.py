"""The certificate authority of the API server in every namespace, where pods find it
(pkg/controller/certificates/rootcacertpublisher/publisher.go).

It is read from where an API server publishes it: `extension-apiserver-authentication` in kube-system.
"""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.client import Client
from k8sdiag.minicluster.controllers import Context

NAME = "root-ca-cert-publisher"

_NAME = "kube-root-ca.crt"
_SOURCE = ("kube-system", "extension-apiserver-authentication")
_DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the"
    " internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes"
    " clusters."
)


def start(context: Context) -> None:
    _Publisher(context)


def publish(client: Client, certificate: str) -> None:
    """Say what the certificate authority is; what every API server does when it starts."""
    namespace, name = _SOURCE
    data = {"client-ca-file": certificate}
    held = client.find("configmaps", namespace, name)
    if held is None:
        meta = {"name": name, "namespace": namespace}
        client.create("configmaps", {"kind": "ConfigMap", "apiVersion": "v1", "metadata": meta, "data": data})
    elif held.get("data") != data:
        client.update("configmaps", {**held, "data": data})


class _Publisher:
    def __init__(self, context: Context) -> None:
        self._client = context.client
        self._queue = context.loop.queue("root-ca", self._sync)
        self._client.watch("namespaces", lambda _, obj, __: self._queue.add(obj["metadata"]["name"]))
        self._client.watch("configmaps", self._on_map)

    def _on_map(self, _: str, found: Json, __: Json | None) -> None:
        meta = found["metadata"]
        if meta["name"] == _NAME:
            self._queue.add(meta["namespace"])
        elif (meta["namespace"], meta["name"]) == _SOURCE:
            for namespace in self._client.list("namespaces"):
                self._queue.add(namespace["metadata"]["name"])

    def _sync(self, name: str) -> None:
        namespace = self._client.find("namespaces", "", name)
        if namespace is None or namespace["metadata"].get("deletionTimestamp"):
            return
        source = self._client.find("configmaps", *_SOURCE) or {}
        data = {"ca.crt": (source.get("data") or {}).get("client-ca-file", "")}
        held = self._client.find("configmaps", name, _NAME)
        if held is None:
            meta = {"name": _NAME, "namespace": name, "annotations": {"kubernetes.io/description": _DESCRIPTION}}
            made = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": meta, "data": data}
            self._client.create("configmaps", made, name)
        elif held.get("data") != data:
            self._client.update("configmaps", {**held, "data": data})
