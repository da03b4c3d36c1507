"""What collectors are allowed to see of a cluster: read-only protocols, in their own words.

`live/` fills them from a real cluster; tests fill them with a few lines. Writing is another protocol, in `actions/`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from k8sdiag.evidence import JournalEntry, Json


class ApiError(Exception):
    """The API server did not give what was asked for.

    `status` is the HTTP status, 0 where there was no answer (refused, timed out, TLS, broken off); `reason` is one
    clause for people ("forbidden: pods is forbidden: User ...", "timed out after 5 s").
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Api(Protocol):
    """Reading from an API server. Paths are absolute (`/api/v1/namespaces/shop/pods/web`)."""

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Json:
        """One GET, parsed. Raises ApiError."""

    def text(self, path: str, query: Mapping[str, str] | None = None, limit: int = 1 << 20) -> str:
        """One GET of plain text (logs): the last `limit` bytes, decoded with replacement. Raises ApiError."""


class Journal(Protocol):
    """Reading a node's journal."""

    def read(self, node: str, units: Iterable[str], since: float | None) -> Iterable[JournalEntry]:
        """Entries of these units, oldest first. Raises ApiError where the node's journal cannot be reached."""


@dataclass(frozen=True, slots=True)
class Target:
    """A cluster to collect from. `journal` is None where there is no way to one."""

    api: Api
    journal: Journal | None = None
    source: str = ""
