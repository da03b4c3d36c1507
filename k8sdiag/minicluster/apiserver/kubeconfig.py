"""A kubeconfig file's text: one cluster, one user, one context (client-go tools/clientcmd/api/v1)."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass

import yaml

from k8sdiag.evidence import Json

CLUSTER = "k8sdiag-lab"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a user shows: a token, or a certificate and key (PEM)."""

    token: str = ""
    certificate: bytes = b""
    key: bytes = b""


def kubeconfig(
    server: str, authority: bytes, user: str, credentials: Credentials, namespace: str = "", cluster: str = CLUSTER
) -> str:
    """YAML for a server's URL, the PEM certificate of its authority, and one user."""
    context: Json = {"cluster": cluster, "user": user}
    if namespace:
        context["namespace"] = namespace
    shown: Json = {}
    if credentials.certificate:
        shown["client-certificate-data"] = b64encode(credentials.certificate).decode()
        shown["client-key-data"] = b64encode(credentials.key).decode()
    if credentials.token:
        shown["token"] = credentials.token
    name = cluster if user == "kubernetes-admin" else f"{user}@{cluster}"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": cluster,
                "cluster": {"server": server, "certificate-authority-data": b64encode(authority).decode()},
            }
        ],
        "users": [{"name": user, "user": shown}],
        "contexts": [{"name": name, "context": context}],
        "current-context": name,
        "preferences": {},
    }
    return yaml.safe_dump(config, sort_keys=False)
