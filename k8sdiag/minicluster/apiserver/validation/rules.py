"""How the checks of a kind are laid down: one `Rules` a kind, found through its group's `RULES`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.validation.fields import Causes
from k8sdiag.minicluster.apiserver.validation.formats import Format, dns_subdomain

Check = Callable[[Json, Causes], None]
Change = Callable[[Json, Json, Causes], None]


def nothing(_obj: Json, _out: Causes) -> None:
    """For a kind of which only the metadata is looked at."""


@dataclass(frozen=True, slots=True)
class Rules:
    """`name`: the format of its names. `whole`: what is checked of each new state. `created`: only of a new object.
    `changed`: what an update may not do. `status`: the same for its status; other subresources by name."""

    whole: Check = nothing
    changed: Change | None = None
    status: Change | None = None
    created: Check | None = None
    name: Format = dns_subdomain
    subresources: Mapping[str, Change] = field(default_factory=dict)
