"""What is asked of the API server and what it answers, free of HTTP: handlers, admission and controllers speak this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from k8sdiag.evidence import Json
from k8sdiag.minicluster.kinds import Resource


@dataclass(frozen=True, slots=True)
class User:
    """Who asks (apiserver/pkg/authentication/user Info)."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)


ADMIN = User("kubernetes-admin", ("system:masters", "system:authenticated"))
APISERVER = User("system:apiserver", ("system:masters", "system:authenticated"))


@dataclass(slots=True)
class Request:
    """One request. `verb` is get, list, watch, create, update, patch, delete or deletecollection; `body` is what the
    body said once parsed (None for none), `raw` its bytes where they are known."""

    verb: str
    resource: Resource
    user: User
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    raw: bytes = b""
    content_type: str = "application/json"
    user_agent: str = ""

    @property
    def dry_run(self) -> bool:
        return bool(self.query.get("dryRun"))


@dataclass(slots=True)
class Answer:
    """An HTTP status, an object, and what to warn of (`Warning: 299 - "…"` headers)."""

    code: int
    body: Json
    warnings: list[str] = field(default_factory=list)
