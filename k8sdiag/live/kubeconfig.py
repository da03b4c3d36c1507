"""Which cluster, as whom and in which namespace, by kubectl's own rules.

`--kubeconfig`, else the files of $KUBECONFIG merged, else ~/.kube/config, else the service account of the pod this runs
in. Certificates and tokens take a direct path; the rest goes through the official client, whose import is slow.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from k8sdiag.live import direct as direct_path
from k8sdiag.target import ApiError

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class Response(Protocol):
    """An answer whose body is still to be read. What goes wrong is raised as it is; `failures.broken` knows it."""

    status: int

    def header(self, name: str) -> str: ...

    def read(self, most: int, seconds: float) -> bytes:
        """The next piece, waiting at most so long; b'' at the end."""

    def release(self) -> None:
        """It is read to the end."""

    def close(self) -> None:
        """It is not, and will not be."""


class Transport(Protocol):
    """Kept-alive connections to a server."""

    def open(self, target: str, headers: list[tuple[str, str]], due: float) -> Response:
        """GET a path with its query before `due` (on the monotonic clock). Raises Stale where a kept connection had
        been closed, ApiError, OSError and http.client.HTTPException."""

    def close(self) -> None: ...


class Endpoint(Protocol):
    """An API server and the way to be let in."""

    @property
    def host(self) -> str: ...

    def transport(self, size: int) -> Transport:
        """A way there that keeps so many connections."""

    def authorization(self) -> list[tuple[str, str]]:
        """The headers that say who asks, fresh. Raises ApiError."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A cluster to talk to, the namespace to look in, and how to call it."""

    endpoint: Endpoint
    namespace: str
    source: str
    headers: tuple[tuple[str, str], ...] = ()


def configure(
    kubeconfig: str | None,
    context: str | None,
    environ: Mapping[str, str],
    account: Path = SERVICE_ACCOUNT,
    direct: bool = True,
) -> Connection:
    """The connection that kubectl would use. Raises ApiError with what is wrong."""
    files = _files(kubeconfig, environ)
    if files:
        return _from_files(files, context, environ, direct)
    if context is None and environ.get("KUBERNETES_SERVICE_HOST"):
        from k8sdiag.live import library

        inside, namespace = library.in_cluster(environ, account)
        return Connection(inside, namespace, "the cluster this pod runs in")
    raise ApiError(0, "no kubeconfig: there is none at --kubeconfig, $KUBECONFIG or ~/.kube/config")


def _from_files(files: list[str], context: str | None, environ: Mapping[str, str], direct: bool) -> Connection:
    chosen = direct_path.choose(files, context, environ) if direct else None
    if chosen is not None:
        return Connection(chosen.endpoint, chosen.namespace, f"context {chosen.context}", _impersonation(chosen.user))
    from k8sdiag.live import library

    other = library.choose(files, context)
    return Connection(other.endpoint, other.namespace, f"context {other.context}", _impersonation(other.user))


def _files(kubeconfig: str | None, environ: Mapping[str, str]) -> list[str]:
    if kubeconfig:
        if not Path(kubeconfig).expanduser().is_file():
            raise ApiError(0, f"the kubeconfig {kubeconfig} does not exist")
        return [kubeconfig]
    home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    named = environ.get("KUBECONFIG") or str(home / ".kube" / "config")
    # An empty file is no configuration to kubectl, and an error to the client.
    return [name for name in named.split(os.pathsep) if name and _has_content(Path(name).expanduser())]


def _has_content(path: Path) -> bool:
    try:
        return path.is_file() and path.stat().st_size > 0
    except OSError:
        return False


def _impersonation(user: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The headers of `as:`, `as-uid:` and `as-groups:` (a header each)."""
    words = {"as": "Impersonate-User", "as-uid": "Impersonate-Uid"}
    named = [(header, str(user[word])) for word, header in words.items() if user.get(word)]
    return (*named, *(("Impersonate-Group", str(group)) for group in user.get("as-groups") or []))
