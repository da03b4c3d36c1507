"""What every request handler works with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from k8sdiag.clock import Clock
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.admission import Admission, WebhookAnswer
from k8sdiag.minicluster.apiserver.storage import Storage
from k8sdiag.minicluster.kinds import Registry, Resource

Answers = Mapping[str, WebhookAnswer]  # of webhooks asked so far, by the key of the call


@dataclass(frozen=True, slots=True)
class Backend:
    """The server without its doors: what is served, what is stored, who has a say, time and chance."""

    registry: Registry
    storage: Storage
    admission: Admission
    clock: Clock
    random: Random


def stored(backend: Backend, resource: Resource, namespace: str, name: str) -> Json:
    """The stored object, or the 404 that says that there is none."""
    found = backend.storage.get(resource.storage, namespace, name)
    if found is None:
        raise errors.not_found(resource, name)
    return found
