"""Admission: what may be changed or refused between a decoded request and the store, in the real server's order.

One plugin is one file here: a module with `NAME`, `ORDER`, `handles(verb, resource, subresource)` and `mutate` and/or
`validate`. It is found by being there. The order is that of pkg/kubeapiserver/options/plugins.go AllOrderedPlugins.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from random import Random
from types import ModuleType
from typing import Any, Protocol

from k8sdiag.clock import Clock
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.request import User
from k8sdiag.minicluster.kinds import Registry, Resource


class Store(Protocol):
    """What admission asks of the storage. Objects it hands out are shared: never changed in place."""

    def get(self, key: str, namespace: str, name: str) -> Json | None: ...

    def list(self, key: str, namespace: str = "") -> list[Json]: ...

    def update(self, key: str, obj: Json) -> Json: ...

    def subscribe(self, key: str, callback: Callable[[str, Json, Json | None], None]) -> None: ...


@dataclass(frozen=True, slots=True)
class Context:
    """The server around a request, as plugins see it. `memo` is for what a plugin keeps from request to request, under
    its name."""

    storage: Store
    registry: Registry
    clock: Clock
    random: Random
    memo: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WebhookCall:
    """One POST to a webhook. `key` names it among the calls of one request, `uid` is the review's; `host` and `port`
    are where to connect, `server_name` whose certificate to expect (`svc.ns.svc`), `url` what error messages call it,
    `ca_bundle` the certificates to trust (PEM in base64, as the configuration has it; '' for the system's)."""

    key: str
    uid: str
    url: str
    host: str
    port: int
    server_name: str
    path: str
    ca_bundle: str
    timeout: float
    body: bytes


@dataclass(frozen=True, slots=True)
class WebhookAnswer:
    """What came of a call: an HTTP status and a body, or why there is none (`error`, in Go's words). `uid` is the
    call's."""

    status: int = 0
    body: bytes = b""
    error: str = ""
    uid: str = ""


class NeedsWebhook(Exception):  # noqa: N818 (no error: a request to the caller)
    """A webhook must be asked before the request can go on. Whoever handles the request makes the call (which takes
    time, so not here) and handles it again, from the body as it was sent, with the answer added to `answers`
    (`webhooks.py`)."""

    def __init__(self, call: WebhookCall) -> None:
        super().__init__(call.url)
        self.call = call


@dataclass(slots=True)
class Attributes:
    """One request as plugins see it (apiserver/pkg/admission Attributes). `verb` is create, update (also for patches),
    delete or connect. `mutate` may change `obj` in place or set another one; `old` is the stored object. `answers` are
    those of the webhooks asked so far, by the call's key."""

    verb: str
    resource: Resource
    user: User
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    obj: Json | None = None
    old: Json | None = None
    dry_run: bool = False
    query: Mapping[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    answers: Mapping[str, WebhookAnswer] = field(default_factory=dict)
    content: Json | None = None  # DeleteOptions, where the request has any
    changed: bool = False  # by a webhook, so that the plugins before it are due again
    again: bool = False  # this is the second time round
    notes: dict[str, Any] = field(default_factory=dict)  # what a plugin keeps from the first time to the second


Plugin = Callable[[Attributes, Context], None]


class Admission:
    """The chain. `mutate` is for a decoded and defaulted object, `validate` for one that is named and valid."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._mutating: dict[tuple[str, str, str], tuple[Plugin, ...]] = {}
        self._validating: dict[tuple[str, str, str], tuple[Plugin, ...]] = {}

    def mutate(self, attributes: Attributes) -> None:
        """Let the plugins fill in `attributes.obj`; read it from there afterwards. Raises ApiError, NeedsWebhook.

        What a webhook changes, plugins before it may have something to say about: they go twice then, and never more
        often (apiserver/pkg/admission/reinvocation.go)."""
        chain = self._chain(self._mutating, "mutate", attributes)
        self._go(chain, attributes)
        if attributes.changed:
            attributes.again = True
            self._go(chain, attributes)

    def validate(self, attributes: Attributes) -> None:
        """Let the plugins refuse. Quota is charged here, so the write follows at once. Raises ApiError,
        NeedsWebhook."""
        self._go(self._chain(self._validating, "validate", attributes), attributes)

    def _go(self, chain: tuple[Plugin, ...], attributes: Attributes) -> None:
        try:
            for plugin in chain:
                plugin(attributes, self.context)
        except errors.ApiError as error:
            error.warnings = attributes.warnings
            raise

    def _chain(
        self, known: dict[tuple[str, str, str], tuple[Plugin, ...]], phase: str, attributes: Attributes
    ) -> tuple[Plugin, ...]:
        key = attributes.verb, attributes.resource.storage, attributes.subresource
        chain = known.get(key)
        if chain is None:
            chain = known[key] = tuple(
                getattr(module, phase)
                for module in plugins()
                if hasattr(module, phase)
                and module.handles(attributes.verb, attributes.resource, attributes.subresource)
            )
        return chain


@cache
def plugins() -> tuple[ModuleType, ...]:
    """The plugins' modules, in order."""
    modules = [import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    return tuple(sorted((m for m in modules if hasattr(m, "ORDER")), key=lambda module: (module.ORDER, module.NAME)))


def name_of(attributes: Attributes) -> str:
    """What refusals call the object (apiserver/pkg/admission/errors.go extractResourceName): before its name is
    generated it goes by its prefix."""
    if attributes.name:
        return attributes.name
    meta = (attributes.obj or {}).get("metadata") or {}
    return meta.get("name") or meta.get("generateName") or "Unknown"


def refusal(attributes: Attributes, why: str) -> errors.ApiError:
    """`pods "x" is forbidden: why` (admission.NewForbidden)."""
    return errors.forbidden(attributes.resource, name_of(attributes), why)
