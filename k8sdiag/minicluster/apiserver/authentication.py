"""Who asks: client certificate, bearer token or nobody in particular, and whom they ask on behalf of
(apiserver/pkg/authentication, pkg/serviceaccount/claims.go, apiserver/pkg/endpoints/filters/impersonation.go)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from random import SystemRandom
from typing import Any

import orjson

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.authorization import SERVICE_ACCOUNT, Asked, Authorizer, refusal
from k8sdiag.minicluster.apiserver.request import User
from k8sdiag.minicluster.apiserver.storage import Storage
from k8sdiag.minicluster.apiserver.tokens import AUDIENCES, TokenError, TokenSigner
from k8sdiag.minicluster.folder import replace

AUTHENTICATED = "system:authenticated"
ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))
_EXTRA = "authentication.kubernetes.io/"


class StaticTokens:
    """Tokens that were handed out by hand, and whose they are; in a file where they are to outlive the process."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._users: dict[str, User] = {}
        if path is not None and path.exists():
            for token, entry in orjson.loads(path.read_bytes()).items():
                self._users[token] = User(entry["name"], tuple(entry["groups"]))

    def add(self, name: str, groups: Iterable[str] = ()) -> str:
        """A token for a user: the one they have, or a new one that nobody can guess."""
        user = User(name, tuple(dict.fromkeys((*groups, AUTHENTICATED))))
        for token, known in self._users.items():
            if known == user:
                return token
        token = f"{SystemRandom().getrandbits(256):064x}"
        self._users[token] = user
        if self._path is not None:
            entries = {held: {"name": owner.name, "groups": list(owner.groups)} for held, owner in self._users.items()}
            replace(self._path, orjson.dumps(entries))
        return token

    def find(self, token: str) -> User | None:
        return self._users.get(token)


class Authenticator:
    """From credentials to a User."""

    def __init__(self, storage: Storage, signer: TokenSigner, static: StaticTokens) -> None:
        self._storage = storage
        self._signer = signer
        self._static = static

    def authenticate(self, authorization: str, certificate: Mapping[str, Any] | None) -> User:
        """Who sent a request. Raises 401 for credentials that are not ours; none at all are nobody's."""
        if certificate:
            user = user_of_certificate(certificate)
            if user is not None:
                return user
        if not authorization:
            return ANONYMOUS
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return ANONYMOUS
        try:
            return self.check_token(token.strip(), AUDIENCES)[0]
        except TokenError:
            raise errors.unauthorized() from None

    def check_token(self, token: str, audiences: Iterable[str]) -> tuple[User, list[str]]:
        """Whose token this is, and for which of the audiences it was made. Raises TokenError."""
        wanted = list(audiences) or list(AUDIENCES)
        known = self._static.find(token)
        if known is not None:
            return known, [audience for audience in wanted if audience in AUDIENCES]
        claims = self._signer.verify(token)
        shared = [audience for audience in wanted if audience in claims.get("aud", ())]
        if not shared:
            held = _go_list(claims.get("aud", []))
            raise TokenError(f"token audiences {held} is invalid for the target audiences {_go_list(wanted)}")
        return self._account(claims), shared

    def _account(self, claims: Json) -> User:
        """The ServiceAccount of a token, provided that it and all it is bound to are still there."""
        private = claims["kubernetes.io"]
        namespace, account = private["namespace"], private["serviceaccount"]
        self._must_exist("serviceaccounts", namespace, account, "service account")
        extra: dict[str, tuple[str, ...]] = {f"{_EXTRA}credential-id": (f"JTI={claims['jti']}",)}
        if "node" in private:
            extra[f"{_EXTRA}node-name"] = (private["node"]["name"],)
            extra[f"{_EXTRA}node-uid"] = (private["node"]["uid"],)
        if "pod" in private:
            self._must_exist("pods", namespace, private["pod"], "pod")
            extra[f"{_EXTRA}pod-name"] = (private["pod"]["name"],)
            extra[f"{_EXTRA}pod-uid"] = (private["pod"]["uid"],)
        elif "node" in private:
            self._must_exist("nodes", "", private["node"], "node")
        if "secret" in private:
            self._must_exist("secrets", namespace, private["secret"], "secret")
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED)
        return User(f"{SERVICE_ACCOUNT}{namespace}:{account['name']}", groups, account["uid"], extra)

    def _must_exist(self, storage: str, namespace: str, bound: Json, called: str) -> None:
        obj = self._storage.get(storage, namespace, bound["name"])
        if obj is None or obj["metadata"]["uid"] != bound["uid"]:
            raise TokenError(f"{called} {namespace}/{bound['name']} has been deleted")


def _go_list(values: Iterable[str]) -> str:
    return "[" + " ".join(f'"{value}"' for value in values) + "]"


def user_of_certificate(certificate: Mapping[str, Any]) -> User | None:
    """CN is the name, each O a group (apiserver/pkg/authentication/request/x509); TLS has checked the rest."""
    name, groups = "", []
    for part in certificate.get("subject", ()):
        for key, value in part:
            if key == "commonName":
                name = value
            elif key == "organizationName":
                groups.append(value)
    return User(name, tuple(dict.fromkeys((*groups, AUTHENTICATED)))) if name else None


def impersonate(user: User, headers: Iterable[tuple[str, str]], authorizer: Authorizer) -> User:
    """The user that `Impersonate-…` headers name, if the one who asks may be them; the one who asks without any."""
    name, uid = "", ""
    groups: list[str] = []
    extra: dict[str, list[str]] = {}
    for header, value in headers:
        key = header.lower()
        if key == "impersonate-user":
            name = value
        elif key == "impersonate-group":
            groups.append(value)
        elif key == "impersonate-uid":
            uid = value
        elif key.startswith("impersonate-extra-"):
            extra.setdefault(key.removeprefix("impersonate-extra-"), []).append(value)
    if not name:
        if groups or extra or uid:
            raise errors.internal("requested impersonation without impersonating a user")
        return user
    _must_be_allowed(user, authorizer, name, uid, groups, extra)
    frozen = {key: tuple(values) for key, values in extra.items()}
    return User(name, _groups_of(name, groups), uid, frozen)


def _must_be_allowed(
    user: User, authorizer: Authorizer, name: str, uid: str, groups: list[str], extra: Mapping[str, list[str]]
) -> None:
    questions = []
    if name.startswith(SERVICE_ACCOUNT) and name.count(":") == 3:
        _, _, namespace, account = name.split(":")
        questions.append(Asked("impersonate", "", "serviceaccounts", "", namespace, account))
    else:
        questions.append(Asked("impersonate", "", "users", name=name))
    questions.extend(Asked("impersonate", "", "groups", name=group) for group in groups)
    group = "authentication.k8s.io"
    if uid:
        questions.append(Asked("impersonate", group, "uids", name=uid))
    questions.extend(
        Asked("impersonate", group, "userextras", key, name=value) for key, values in extra.items() for value in values
    )
    for asked in questions:
        decision = authorizer.decide(user, asked)
        if not decision.allowed:
            raise refusal(user, asked, decision.reason)


def _groups_of(name: str, groups: list[str]) -> tuple[str, ...]:
    if name == ANONYMOUS.name:
        return tuple(dict.fromkeys((*groups, *ANONYMOUS.groups)))
    if not groups and name.startswith(SERVICE_ACCOUNT) and name.count(":") == 3:
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{name.split(':')[2]}"]
    return tuple(dict.fromkeys((*groups, AUTHENTICATED)))
