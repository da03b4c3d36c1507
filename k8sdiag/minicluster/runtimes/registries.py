"""How a pull fails, in containerd's words (core/remotes/docker/{resolver,authorizer,fetcher}.go, client/pull.go).

The kubelet strips `rpc error: code = Unknown desc = ` and keeps other codes, so a missing tag shows its code and a
refused one does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from k8sdiag.minicluster.runtimes.base import PULL_FAILED, REGISTRY_UNAVAILABLE, SIGNATURE_INVALID, Failure

# The words that a table of registries may say, and the text that each stands for. {host}, {path}, {tag}, {ref}, {ip},
# {digest}, {api} are filled in.
_RESOLVE = {
    "not-found": "{ref}: not found",
    "denied": "pull access denied, repository does not exist or may require authorization: server message:"
    " insufficient_scope: authorization failed",
    "unauthorized": "pulling from host {host} failed with status code [manifests {tag}]: 401 Unauthorized",
    "forbidden": "pulling from host {host} failed with status code [manifests {tag}]: 403 Forbidden",
    "token-unauthorized": "failed to authorize: failed to fetch oauth token: unexpected status from POST request to"
    " https://{host}/token: 401 Unauthorized",
    "anonymous-forbidden": "failed to authorize: failed to fetch anonymous token: unexpected status from GET request to"
    " https://{host}/token?scope=repository%3A{escaped}%3Apull&service={host}: 403 Forbidden",
    "basic-auth": "pull access denied, repository does not exist or may require authorization: authorization failed:"
    " no basic auth credentials",
    "server-error": "pulling from host {host} failed with status code [manifests {tag}]: 500 Internal Server Error",
    "unavailable": "pulling from host {host} failed with status code [manifests {tag}]: 503 Service Unavailable",
    "dns": "failed to do request: Head {head}: dial tcp: lookup {bare} on 10.0.0.2:53: no such host",
    "dns-timeout": "failed to do request: Head {head}: dial tcp: lookup {bare} on 10.0.0.2:53: read udp"
    " 192.0.2.2:41632->10.0.0.2:53: i/o timeout",
    "refused": "failed to do request: Head {head}: dial tcp {ip}: connect: connection refused",
    "timeout": "failed to do request: Head {head}: dial tcp {ip}: i/o timeout",
    "no-route": "failed to do request: Head {head}: dial tcp {ip}: connect: no route to host",
    "reset": "failed to do request: Head {head}: read tcp 192.0.2.2:41632->{ip}: read: connection reset by peer",
    "handshake": "failed to do request: Head {head}: net/http: TLS handshake timeout",
    "x509": "failed to do request: Head {head}: tls: failed to verify certificate: x509: certificate signed by unknown"
    " authority",
    "x509-name": "failed to do request: Head {head}: tls: failed to verify certificate: x509: certificate is valid for"
    " registry.local, not {bare}",
    "x509-expired": "failed to do request: Head {head}: tls: failed to verify certificate: x509: certificate has"
    " expired or is not yet valid: current time 2026-01-01T00:00:00Z is after 2025-12-31T00:00:00Z",
    "http": "failed to do request: Head {head}: http: server gave HTTP response to HTTPS client",
}
_LATER = {
    "rate-limit": "failed to copy: httpReadSeeker: failed open: unexpected status from GET request to"
    " {base}/manifests/{digest}: 429 Too Many Requests\ntoomanyrequests: You have reached your unauthenticated pull"
    " rate limit. https://www.docker.com/increase-rate-limit",
    "platform": "no match for platform in manifest: not found",
    "no-space": "failed to extract layer {digest}: write /var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/"
    "snapshots/42/fs/usr/lib/libc.so.6: no space left on device: unknown",
    "corrupt": "failed to extract layer {digest}: failed to get stream processor: unexpected EOF: unknown",
    "interrupted": "failed to copy: httpReadSeeker: failed open: failed to do request: Get"
    ' "{base}/blobs/{digest}": unexpected EOF',
}
FAILURES = frozenset((*_RESOLVE, *_LATER, "registry-unavailable", "signature", "stalled"))
_CODES = {"not-found": "NotFound", "platform": "NotFound"}
# How long each keeps the runtime waiting.
_SECONDS = {"timeout": 30.0, "dns-timeout": 20.0, "handshake": 10.0, "no-route": 3.1, "dns": 0.05, "refused": 0.02}
_APIS = {"docker.io": "registry-1.docker.io"}


@dataclass(frozen=True, slots=True)
class Reference:
    """An image's full name, taken apart."""

    whole: str
    host: str
    path: str
    tag: str  # or a digest

    @property
    def name(self) -> str:
        """What a table of images calls it."""
        if self.host != "docker.io":
            return f"{self.host}/{self.path}"
        return self.path.removeprefix("library/")


def reference(name: str) -> Reference:
    """Take a full name apart (`docker.io/library/nginx:1.27`)."""
    host, _, rest = name.partition("/")
    if "@" in rest:
        path, _, tag = rest.partition("@")
    else:
        path, _, tag = rest.rpartition(":")
    return Reference(name, host, path, tag)


def refusal(kind: str, ref: Reference) -> tuple[Failure, float]:
    """What a pull ends with, and after how many seconds."""
    if kind == "registry-unavailable":
        return Failure(
            REGISTRY_UNAVAILABLE, f"image pull failed for {ref.whole} because the registry is unavailable"
        ), 5.0
    if kind == "signature":
        text = f"image pull failed for {ref.whole} because the signature validation failed"
        return Failure(SIGNATURE_INVALID, text), 0.5
    text = f'failed to pull and unpack image "{ref.whole}": '
    if kind in _RESOLVE:
        text += f'failed to resolve reference "{ref.whole}": {_filled(_RESOLVE[kind], ref)}'
    else:
        text += _filled(_LATER.get(kind, kind), ref)
    if kind in _CODES:
        text = f"rpc error: code = {_CODES[kind]} desc = {text}"
    return Failure(PULL_FAILED, text), _SECONDS.get(kind, 0.3)


def denied_by(host: str) -> str:
    """How a registry that exists answers for a repository that does not."""
    if host == "docker.io":
        return "denied"
    if host == "ghcr.io":
        return "anonymous-forbidden"
    if host in ("quay.io", "registry.gitlab.com"):
        return "unauthorized" if host == "quay.io" else "denied"
    return "not-found"


def unknown_host(host: str) -> str:
    """How a host that no table knows answers."""
    bare = host.partition(":")[0]
    if bare == "localhost" or bare.startswith("127."):
        return "refused"
    if bare.replace(".", "").isdigit():
        return "timeout"
    return "dns"


def _filled(text: str, ref: Reference) -> str:
    bare, _, port = ref.host.partition(":")
    api = _APIS.get(ref.host, ref.host)
    local = bare == "localhost" or bare.startswith("127.")
    scheme = "http" if local else "https"
    base = f"{scheme}://{api}/v2/{ref.path}"
    address = "127.0.0.1" if local else bare if bare.replace(".", "").isdigit() else "198.51.100.7"
    digest = sha256(ref.whole.encode()).hexdigest()
    filled = {
        "{host}": ref.host, "{bare}": bare, "{path}": ref.path, "{escaped}": ref.path.replace("/", "%2F"),
        "{tag}": ref.tag, "{ref}": ref.whole, "{base}": base, "{head}": f'"{base}/manifests/{ref.tag}"',
        "{ip}": f"{address}:{port or ('80' if local else '443')}", "{digest}": f"sha256:{digest}",
    }  # fmt: skip
    for key, value in filled.items():
        text = text.replace(key, value)
    return text
