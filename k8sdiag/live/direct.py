"""The common kubeconfigs without the official client: a certificate or a token, a server, and nothing else.

Importing `kubernetes` costs more than a whole diagnosis. So what it is not needed for is read here; exec plugins, OIDC,
passwords, proxies, anything unknown and anything malformed is left to it (`library.py`), with its words for what is
wrong.
"""

from __future__ import annotations

import ssl
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from k8sdiag.live.wire import Wire

_CLUSTER = frozenset(
    "server certificate-authority certificate-authority-data insecure-skip-tls-verify tls-server-name extensions"
    " disable-compression".split()
)
_USER = frozenset(
    "client-certificate client-certificate-data client-key client-key-data token as as-uid as-groups".split()
)
_PROXIES = frozenset("http_proxy https_proxy all_proxy".split())


@dataclass(frozen=True, slots=True)
class Direct:
    """An API server with fixed credentials."""

    host: str
    tls: ssl.SSLContext | None
    server_name: str | None
    token: str

    def transport(self, size: int) -> Wire:
        return Wire(self.host, self.tls, self.server_name, size)

    def authorization(self) -> list[tuple[str, str]]:
        return [("authorization", f"Bearer {self.token}")] if self.token else []


@dataclass(frozen=True, slots=True)
class Chosen:
    """A context's endpoint, its name and namespace, and the user's entry."""

    endpoint: Direct
    context: str
    namespace: str
    user: Mapping[str, Any]


def choose(files: list[str], context: str | None, environ: Mapping[str, str]) -> Chosen | None:
    """The context asked for, or the current one; None where that takes the official client."""
    if any(environ.get(name) or environ.get(name.upper()) for name in _PROXIES):
        return None
    try:
        return _choose([(Path(name).expanduser(), _read(name)) for name in files], context)
    except (OSError, ValueError, TypeError, AttributeError, KeyError, yaml.YAMLError):
        return None  # the official client finds the words for it


def _read(name: str) -> Any:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(Path(name).expanduser().read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 (both are safe)


def _choose(documents: list[tuple[Path, Any]], context: str | None) -> Chosen | None:
    name = context or next((doc["current-context"] for _, doc in documents if doc.get("current-context")), None)
    found = _entry(documents, "contexts", "context", name)
    if found is None or not isinstance(name, str):
        return None
    cluster = _entry(documents, "clusters", "cluster", found[1].get("cluster"))
    user = _entry(documents, "users", "user", found[1].get("user"))
    if cluster is None or user is None or not cluster[1].keys() <= _CLUSTER or not user[1].keys() <= _USER:
        return None
    endpoint = _endpoint(*cluster, *user)
    namespace = found[1].get("namespace")
    return Chosen(endpoint, name, str(namespace or "default"), user[1]) if endpoint else None


def _entry(documents: list[tuple[Path, Any]], section: str, inner: str, name: object) -> tuple[Path, Any] | None:
    """The first entry of that name, with the folder that its relative paths start from."""
    for path, document in documents:
        for entry in document.get(section) or []:
            if entry["name"] == name:
                return (path.absolute().parent, entry[inner]) if isinstance(entry[inner], dict) else None
    return None


def _endpoint(cluster_home: Path, cluster: Any, user_home: Path, user: Any) -> Direct | None:
    host, token = cluster.get("server"), user.get("token") or ""
    verify = not cluster.get("insecure-skip-tls-verify")
    if not isinstance(host, str) or not isinstance(token, str):
        return None
    if host.startswith("http://"):
        return Direct(host, None, None, token)
    if not host.startswith("https://"):
        return None
    authority = _pem(cluster_home, cluster, "certificate-authority")
    certificate, key = _pem(user_home, user, "client-certificate"), _pem(user_home, user, "client-key")
    if (certificate is None) != (key is None):
        return None
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    tls.set_alpn_protocols(["http/1.1"])
    if not verify:
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    elif authority is None:
        tls.load_default_certs()
    else:
        tls.load_verify_locations(cadata=authority.decode())
    if certificate is not None and key is not None:
        with _in_files(certificate, key) as names:
            tls.load_cert_chain(*names)
    return Direct(host, tls, cluster.get("tls-server-name"), token)


def _pem(home: Path, entry: Any, word: str) -> bytes | None:
    """What is given inline, else what is in the file that is named."""
    inline, name = entry.get(f"{word}-data"), entry.get(word)
    if inline:
        return b64decode(inline, validate=True)
    return (home / name).read_bytes() if name else None


@contextmanager
def _in_files(certificate: bytes, key: bytes) -> Iterator[tuple[str, str]]:
    """OpenSSL takes a key only from a file: it is there for a moment, and for us alone."""
    from tempfile import TemporaryDirectory  # brings hashing and chance along: only where it is needed

    with TemporaryDirectory(prefix="k8sdiag-") as folder:
        names = Path(folder, "certificate"), Path(folder, "key")
        for name, content in zip(names, (certificate, key), strict=True):
            name.touch(mode=0o600)
            name.write_bytes(content)
        yield str(names[0]), str(names[1])
