"""Which cluster, as whom and in which namespace, by kubectl's own rules.

`--kubeconfig`, else the files of $KUBECONFIG merged, else ~/.kube/config, else the service account of the pod this runs
in. The official client reads the files and gets the credentials; where it differs from kubectl (the first
current-context counts, a failing credential plugin is an error, `as:` is honoured), kubectl is followed.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes.client import Configuration
from kubernetes.config.config_exception import ConfigException
from kubernetes.config.incluster_config import InClusterConfigLoader
from kubernetes.config.kube_config import KubeConfigLoader, KubeConfigMerger
from yaml import YAMLError

from k8sdiag.target import ApiError

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_SECTION = re.compile(r"\{.*\}", re.DOTALL)
_LONGEST = 300
# What the client raises on files that are YAML but no kubeconfig, or name files that are not there.
_MALFORMED = (ConfigException, OSError, ValueError, AttributeError, TypeError, KeyError)


@dataclass(frozen=True, slots=True)
class Connection:
    """A cluster to talk to: the client's configuration, the namespace to look in, and how to call it."""

    configuration: Any
    namespace: str
    source: str
    headers: tuple[tuple[str, str], ...] = ()


def configure(
    kubeconfig: str | None,
    context: str | None,
    environ: Mapping[str, str],
    account: Path = SERVICE_ACCOUNT,
) -> Connection:
    """The connection that kubectl would use. Raises ApiError with what is wrong."""
    files = _files(kubeconfig, environ)
    if files:
        return _from_files(files, context)
    if context is None and environ.get("KUBERNETES_SERVICE_HOST"):
        return _in_cluster(environ, account)
    raise ApiError(0, "no kubeconfig: there is none at --kubeconfig, $KUBECONFIG or ~/.kube/config")


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


def _from_files(files: list[str], context: str | None) -> Connection:
    shown = os.pathsep.join(files)
    try:
        merged: Any = KubeConfigMerger(shown)  # type: ignore[no-untyped-call]
        chosen = _context(merged, context, shown)
        configuration = _configuration(merged, str(chosen["name"]))
        user = _user(merged, chosen)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{mark.name}, line {mark.line + 1}" if mark else shown
        problem = getattr(error, "problem", None) or error
        raise ApiError(0, f"the kubeconfig is not YAML: {where}: {_clause(problem)}") from error
    except _MALFORMED as error:
        raise ApiError(0, f"the kubeconfig {shown} cannot be used: {_clause(error)}") from error
    namespace = str(chosen["context"].get("namespace") or "default")
    return Connection(configuration, namespace, f"context {chosen['name']}", _impersonation(user))


def _configuration(merged: Any, context: str) -> Any:
    """The client's configuration for a context, credentials included."""
    configuration: Any = Configuration()
    complaints = _Complaints()
    root = logging.getLogger()
    root.addHandler(complaints)  # the client logs a failing credential plugin instead of raising it
    try:
        loader = KubeConfigLoader(merged.config, context, config_persister=merged.save_changes)  # type: ignore[no-untyped-call]
        loader.load_and_set(configuration)  # type: ignore[no-untyped-call]
    finally:
        root.removeHandler(complaints)
    if complaints.messages and not configuration.api_key and not configuration.cert_file:
        raise ApiError(0, f"the credential plugin failed: {_clause(complaints.messages[0])}")
    return configuration


def _clause(said: object) -> str:
    """One line, without the sections of the file that the client quotes: they hold credentials."""
    return " ".join(_SECTION.sub("…", str(said)).split())[:_LONGEST]


def _context(merged: Any, wanted: str | None, shown: str) -> Mapping[str, Any]:
    """The context's entry: the one asked for, else the first current-context of any file."""
    entries = [node.value for node in merged.config.value.get("contexts") or []]
    currents = [config.get("current-context") for config in merged.config_files.values()]
    name = wanted or next((current for current in currents if current), None)
    names = [str(entry.get("name")) for entry in entries]
    if not name:
        raise ApiError(0, f"the kubeconfig {shown} has no current context: choose one with --context ({_some(names)})")
    for entry in entries:
        if entry.get("name") == name and isinstance(entry.get("context"), dict):
            return dict(entry)
    raise ApiError(0, f"there is no context {name!r} in the kubeconfig {shown} (there is: {_some(names)})")


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "") if names else "none"


def _user(merged: Any, chosen: Mapping[str, Any]) -> Mapping[str, Any]:
    for node in merged.config.value.get("users") or []:
        if node.value.get("name") == chosen["context"].get("user"):
            return dict(node.value.get("user") or {})
    return {}


def _impersonation(user: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The headers of `as:`, `as-uid:` and `as-groups:` (a header each)."""
    words = {"as": "Impersonate-User", "as-uid": "Impersonate-Uid"}
    named = [(header, str(user[word])) for word, header in words.items() if user.get(word)]
    return (*named, *(("Impersonate-Group", str(group)) for group in user.get("as-groups") or []))


def _in_cluster(environ: Mapping[str, str], account: Path) -> Connection:
    configuration: Any = Configuration()
    loader = InClusterConfigLoader(  # type: ignore[no-untyped-call]
        token_filename=str(account / "token"), cert_filename=str(account / "ca.crt"), environ=environ
    )
    try:
        loader.load_and_set(configuration)  # type: ignore[no-untyped-call]
        namespace = account / "namespace"
        inside = namespace.read_text(encoding="utf-8").strip() if namespace.is_file() else ""
    except (ConfigException, OSError, ValueError) as error:
        raise ApiError(0, f"the pod's service account cannot be used: {error}") from error
    return Connection(configuration, inside or "default", "the cluster this pod runs in")


class _Complaints(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())
