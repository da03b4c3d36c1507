"""Kubeconfigs that take the official client: exec plugins, OIDC, passwords, proxies; and the pod's service account.

The client reads the files and gets the credentials; where it differs from kubectl (the first current-context counts, a
failing credential plugin is an error), kubectl is followed.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from time import monotonic
from typing import Any

from kubernetes.client import ApiClient, Configuration
from kubernetes.config.config_exception import ConfigException
from kubernetes.config.incluster_config import InClusterConfigLoader
from kubernetes.config.kube_config import KubeConfigLoader, KubeConfigMerger
from urllib3 import HTTPHeaderDict, Timeout, disable_warnings
from urllib3.exceptions import HTTPError, InsecureRequestWarning, NewConnectionError, ProtocolError, ProxyError
from urllib3.exceptions import TimeoutError as TimeoutError_
from yaml import YAMLError

from k8sdiag.live.failures import through_proxy
from k8sdiag.live.wire import Stale
from k8sdiag.target import ApiError

_SECTION = re.compile(r"\{.*\}", re.DOTALL)
_LONGEST = 300
# What the client raises on files that are YAML but no kubeconfig, or name files that are not there.
_MALFORMED = (ConfigException, OSError, ValueError, AttributeError, TypeError, KeyError)


class _Pool:
    """urllib3's connections."""

    def __init__(self, host: str, pool: Any) -> None:
        self._host, self._pool = host.rstrip("/"), pool

    def open(self, target: str, headers: list[tuple[str, str]], due: float) -> _Response:
        left = max(due - monotonic(), 0.001)
        try:
            answer = self._pool.request(
                "GET",
                self._host + target,
                headers=HTTPHeaderDict(headers),
                timeout=Timeout(total=left),
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except ProtocolError as error:
            raise Stale from _plain(error)
        except ProxyError as error:
            raise through_proxy(error) from error
        except HTTPError as error:
            raise _plain(error) from None
        return _Response(answer)

    def close(self) -> None:
        self._pool.clear()


class _Response:
    """urllib3's answer."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer
        self.status: int = answer.status

    def header(self, name: str) -> str:
        return str(self._answer.headers.get(name, ""))

    def read(self, most: int, seconds: float) -> bytes:
        sock = getattr(self._answer.connection, "sock", None)
        if sock is not None:
            sock.settimeout(seconds)
        try:
            data: bytes = self._answer.read1(most, decode_content=True)
        except HTTPError as error:
            raise _plain(error) from None
        return data

    def release(self) -> None:
        self._answer.release_conn()

    def close(self) -> None:
        self._answer.close()


def _plain(error: HTTPError) -> Exception:
    """What urllib3 reports in exceptions of its own, in those of the standard library."""
    if isinstance(error, TimeoutError_) and not isinstance(error, NewConnectionError):
        return TimeoutError()  # to urllib3, a connection that cannot be made is a kind of time-out, too
    inner: BaseException = error
    for _ in range(5):
        found = next((arg for arg in inner.args if isinstance(arg, BaseException)), inner.__cause__)
        if found is None:
            break
        inner = found
    if isinstance(inner, OSError | HTTPException):
        return inner
    return HTTPException(str(error)) if isinstance(error, ProtocolError) else OSError(str(error))


@dataclass(frozen=True, slots=True)
class Library:
    """The official client's configuration as an endpoint; credentials are refreshed as they expire."""

    configuration: Any

    @property
    def host(self) -> str:
        return str(self.configuration.host)

    def transport(self, size: int) -> _Pool:
        self.configuration.connection_pool_maxsize = size
        self.configuration.retries = False  # a retry would begin a deadline of its own
        if not self.configuration.verify_ssl:
            disable_warnings(InsecureRequestWarning)  # the kubeconfig asks for it, and kubectl does not warn either
        return _Pool(self.host, ApiClient(self.configuration).rest_client.pool_manager)

    def authorization(self) -> list[tuple[str, str]]:
        try:
            settings = self.configuration.auth_settings().values()
        except (ConfigException, OSError, ValueError) as error:
            raise ApiError(0, f"the credentials cannot be renewed: {error}") from error
        return [(auth["key"], auth["value"]) for auth in settings if auth["in"] == "header" and auth["value"]]


@dataclass(frozen=True, slots=True)
class Chosen:
    """A context's endpoint, its name and namespace, and the user's entry."""

    endpoint: Library
    context: str
    namespace: str
    user: Mapping[str, Any]


def choose(files: list[str], context: str | None) -> Chosen:
    """The context asked for, or the current one. Raises ApiError with what is wrong."""
    shown = os.pathsep.join(files)
    try:
        merged: Any = KubeConfigMerger(shown)  # type: ignore[no-untyped-call]
        _make_absolute(merged)
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
    return Chosen(Library(configuration), str(chosen["name"]), namespace, user)


def _make_absolute(merged: Any) -> None:
    """Paths in a kubeconfig start from its own folder; the client would take them from where we are."""
    for section, inner, words in (
        ("clusters", "cluster", ("certificate-authority",)),
        ("users", "user", ("client-certificate", "client-key", "tokenFile")),
    ):
        for node in merged.config.value.get(section) or []:
            entry = node.value.get(inner) or {}
            for word in words:
                if entry.get(word):
                    entry[word] = str(Path(node.path).expanduser().absolute().parent / entry[word])


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


def in_cluster(environ: Mapping[str, str], account: Path) -> tuple[Library, str]:
    """The service account of the pod this runs in, and its namespace. Raises ApiError."""
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
    return Library(configuration), inside or "default"


class _Complaints(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())
