"""The `default` account of every namespace, and tokens kept as Secrets that go with their account
(pkg/controller/serviceaccount/serviceaccounts_controller.go, tokens_controller.go)."""

from __future__ import annotations

from base64 import b64encode

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.controllers import Context

NAME = "service-account-controller"

_ACCOUNT = "kubernetes.io/service-account.name"
_ACCOUNT_UID = "kubernetes.io/service-account.uid"
_LASTING = 10 * 365 * 24 * 3600  # such tokens have no end on a real server; seconds
_TOKEN = "kubernetes.io/service-account-token"  # noqa: S105 (a Secret's type)


def start(context: Context) -> None:
    _ServiceAccounts(context)


class _ServiceAccounts:
    def __init__(self, context: Context) -> None:
        self._client = context.client
        self._namespaces = context.loop.queue("service-accounts", self._sync)
        self._tokens = context.loop.queue("service-account-tokens", self._clean)
        self._client.watch("namespaces", lambda _, obj, __: self._namespaces.add(obj["metadata"]["name"]))
        self._client.watch("serviceaccounts", self._on_account)
        self._client.watch("secrets", self._on_secret)

    def _on_account(self, kind: str, account: Json, _: Json | None) -> None:
        meta = account["metadata"]
        if kind != "DELETED":
            return
        if meta["name"] == "default":
            self._namespaces.add(meta["namespace"])
        for secret in self._client.list("secrets", meta["namespace"]):
            self._on_secret("MODIFIED", secret, None)

    def _on_secret(self, kind: str, secret: Json, _: Json | None) -> None:
        if kind != "DELETED" and secret.get("type") == _TOKEN:
            self._tokens.add((secret["metadata"]["namespace"], secret["metadata"]["name"]))

    def _sync(self, name: str) -> None:
        namespace = self._client.find("namespaces", "", name)
        if namespace is None or namespace["metadata"].get("deletionTimestamp"):
            return
        if self._client.find("serviceaccounts", name, "default") is None:
            made = {"kind": "ServiceAccount", "apiVersion": "v1", "metadata": {"name": "default", "namespace": name}}
            self._client.create("serviceaccounts", made, name)

    def _clean(self, key: tuple[str, str]) -> None:
        """A token whose account is gone, or is another one by now, goes too."""
        secret = self._client.find("secrets", *key)
        if secret is None:
            return
        said = secret["metadata"].get("annotations") or {}
        account = self._client.find("serviceaccounts", key[0], said.get(_ACCOUNT, ""))
        uid = said.get(_ACCOUNT_UID)
        if account is not None and uid in (None, "", account["metadata"]["uid"]):
            if not (secret.get("data") or {}).get("token"):
                self._fill(secret, account)
            return
        try:
            self._client.delete("secrets", *key, uid=secret["metadata"]["uid"])
        except ApiError as refused:
            if refused.code != 404:
                raise

    def _fill(self, secret: Json, account: Json) -> None:
        """A Secret that was made to hold a token gets one. Without a server that signs there is none to be had."""
        meta = account["metadata"]
        request = {"spec": {"expirationSeconds": _LASTING}}
        try:
            made = self._client.create("serviceaccounts", request, meta["namespace"], "token", meta["name"])
        except ApiError as refused:
            if refused.code != 500:
                raise
            return
        authority = self._client.find("configmaps", meta["namespace"], "kube-root-ca.crt") or {}
        values = {
            "ca.crt": (authority.get("data") or {}).get("ca.crt", ""),
            "namespace": meta["namespace"],
            "token": made["status"]["token"],
        }
        data = {name: b64encode(value.encode()).decode() for name, value in values.items()}
        own = secret["metadata"]
        said = {**(own.get("annotations") or {}), _ACCOUNT_UID: meta["uid"]}
        kept = {**(secret.get("data") or {}), **data}
        self._client.update("secrets", {**secret, "metadata": {**own, "annotations": said}, "data": kept})
