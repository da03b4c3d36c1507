"""The ConfigMaps and Secrets that a pod refers to, read with the errors that a kubelet's cache gives
(pkg/kubelet/util/manager, pkg/kubelet/kubelet_pods.go)."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error

from k8sdiag.evidence import Json
from k8sdiag.minicluster.client import Client

CONFIG_MAP, SECRET = "configmap", "secret"
_RESOURCES = {CONFIG_MAP: "configmaps", SECRET: "secrets"}
_TITLES = {CONFIG_MAP: "ConfigMap", SECRET: "Secret"}


class UnresolvedError(Exception):
    """Something that a pod refers to is not there; the text is the kubelet's."""


class References:
    """Reads them for the pods of a lab."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def find(self, kind: str, namespace: str, name: str) -> Json | None:
        return self._client.find(_RESOURCES[kind], namespace, name)

    def data(self, kind: str, namespace: str, name: str, optional: bool) -> dict[str, bytes] | None:
        """All keys with their content; None where it is not there and need not be."""
        found = self.find(kind, namespace, name)
        if found is None:
            if optional:
                return None
            raise UnresolvedError(f'{kind} "{name}" not found')
        return content(kind, found)

    def value(self, kind: str, namespace: str, reference: Json) -> str | None:
        """One key for an environment variable."""
        name, key, optional = reference.get("name", ""), reference.get("key", ""), bool(reference.get("optional"))
        data = self.data(kind, namespace, name, optional)
        if data is None:
            return None
        if key not in data:
            if optional:
                return None
            raise UnresolvedError(f"couldn't find key {key} in {_TITLES[kind]} {namespace}/{name}")
        return data[key].decode("utf-8", "replace")


def content(kind: str, found: Json) -> dict[str, bytes]:
    """The content of a ConfigMap or Secret by key."""
    encoded = found.get("data" if kind == SECRET else "binaryData") or {}
    made: dict[str, bytes] = {}
    for key, value in encoded.items():
        try:
            made[key] = b64decode(value)
        except (Error, ValueError):
            made[key] = b""
    if kind == CONFIG_MAP:
        made |= {key: str(value).encode() for key, value in (found.get("data") or {}).items()}
    return made
