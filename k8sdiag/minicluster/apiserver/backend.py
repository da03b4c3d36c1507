"""What every request handler works with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from k8sdiag.clock import Clock
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.admission import Admission, Attributes, WebhookAnswer
from k8sdiag.minicluster.apiserver.customresources import CustomResources
from k8sdiag.minicluster.apiserver.storage import Storage
from k8sdiag.minicluster.kinds import Registry, Resource

Answers = Mapping[str, WebhookAnswer]  # of webhooks asked so far, by the key of the call


@dataclass(frozen=True, slots=True)
class Backend:
    """The server without its doors: what is served, what is stored, who has a say, time and chance.

    `guards` are asked after validating admission, for what depends on who writes which object (RBAC's escalation
    check); they raise ApiError.
    """

    registry: Registry
    storage: Storage
    customs: CustomResources
    admission: Admission
    clock: Clock
    random: Random
    guards: list[Callable[[Attributes], None]] = field(default_factory=list)

    def kept(self, resource: Resource) -> Resource:
        """The version in which a resource's objects are stored."""
        return self.registry.storage_version(resource.storage)

    def stored(self, resource: Resource, namespace: str, name: str) -> Json:
        """The stored object, or the 404 that says that there is none."""
        found = self.storage.get(resource.storage, namespace, name)
        if found is None:
            raise errors.not_found(resource, name)
        return found

    def validate(self, attributes: Attributes) -> None:
        """Validating admission, and the guards."""
        self.admission.validate(attributes)
        for guard in self.guards:
            guard(attributes)
