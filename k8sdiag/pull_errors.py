"""What a runtime says when an image does not come, taken apart: the kind of failure, who was asked, the core of it.

Sample: `failed to pull and unpack image "r.example/a:1": failed to resolve reference "r.example/a:1": failed to do
request: Head "https://r.example/v2/a/manifests/1": dial tcp: lookup r.example on 10.0.0.2:53: no such host`.
"""

from __future__ import annotations

import re
from typing import Any

from k8sdiag.patterns import regex

MAX_MESSAGE = 8000
"""Longer ones are cut: no runtime says so much, and what is read here may be hostile."""

# Kind of failure and what tells of it (lower case), in the order in which they are tried.
TABLE = r"""
runtime        dial unix \S*(?:containerd|docker|crio)|code = unimplemented desc = unknown service
qps            pull qps exceeded
rate-limit     toomanyrequests|\b429\b|pull rate limit|rate exceeded
stalled        because of no progress|cancel pulling image|context canceled
no-space       no space left on device|disk quota exceeded|not enough space
platform       no match for platform|no matching manifest for|no image found in (?:manifest list|image index|index)
platform       image operating system .{0,80} cannot be used|does not match the (?:specified|expected) platform
store          parent snapshot \S+ does not exist|failed to prepare extraction snapshot|content digest \S+: not found
store          from content store|error creating overlay mount|failed to register layer|layer does not exist
store          input/output error|read-only file system
format         unexpected media type|unsupported (?:manifest )?media ?type|unsupported config media type
format         no longer supported|schema ?1|unsupported schema version|unknown (?:manifest|media) type
format         invalid rootfs|mismatched image rootfs|encountered unknown type|no processor for media-type
layer          failed to extract layer|layer verification failed|unexpected commit (?:digest|size)
layer          failed to verify digest|digest mismatch|digest did not match|short read|failed size validation
layer          invalid checksum|gzip: invalid header|archive/tar|could not fetch content descriptor
layer          /blobs/\S+ not found|blob unknown|failed commit on ref
signature      signature validation failed|a signature was required|source image rejected|no signature exists
signature      invalid signature
proxy          proxyconnect tcp|proxy authentication required|\b407\b|socks connect
dns            \blookup \S{1,260} .{0,300}(?:no such host|server misbehaving|i/o timeout|connection refused|unreachable)
dns            \blookup \S{1,260} .{0,300}(?:temporary failure|no answer)|no such host
tls-authority  unknown authority|self[- ]signed certificate|certificate is not trusted|local issuer certificate
tls-expired    certificate has expired or is not yet valid
tls-name       certificate is (?:not )?valid for|doesn't contain any ip sans|is not valid for any names
tls-name       common name field
http           server gave http response to https client|first record does not look like a tls handshake
https          client sent an http request to an https server|malformed http (?:response|status code)
timeout        tls handshake timeout
tls            remote error: tls|\btls: |\bx509:
refused        connection refused
unreachable    no route to host|network is unreachable|host is (?:down|unreachable)
timeout        i/o timeout|client\.timeout exceeded|deadline ?exceeded|request canceled while waiting
timeout        (?:connection|operation) timed out
server-error   \b50[0-9] [a-z]|internal server error|bad gateway|service unavailable|gateway time-?out
denied         pull access denied|requested access to the resource is denied|insufficient_scope
denied         may require (?:authorization|'docker login')
forbidden      \b403\b|forbidden|access denied
unauthorized   unauthori[sz]ed|\b401\b|authentication required|no basic auth credentials|invalid username/password
unauthorized   incorrect username or password|failed to authorize|token has expired|authorization failed
not-found      : not found$|manifest unknown|manifest for .{0,300} not found|name[ _]unknown|manifest_unknown|\b404\b
reset          connection reset by peer|unexpected eof|\beof\b|broken pipe|server closed (?:idle )?connection|http2:
name           invalid reference format|couldn't parse image name|invalid image name
"""
KINDS = tuple(
    (slug, regex(pattern.lstrip(), re.IGNORECASE))
    for slug, _, pattern in (line.partition(" ") for line in TABLE.strip("\n").splitlines())
)
_BY_REASON = {
    "InvalidImageName": "name",
    "ErrImageNeverPull": "never",
    "ImageInspectError": "inspect",
    "SignatureValidationFailed": "signature",
}
FIELDS = {
    "problem": "the kind of failure: dns, refused, timeout, unreachable, reset, proxy, tls-authority, tls-expired, "
    "tls-name, tls, http, https, denied, unauthorized, forbidden, not-found, rate-limit, server-error, platform, "
    "format, no-space, layer, store, stalled, qps, signature, never, name, inspect, runtime, unavailable, other, "
    "or '' (unknown)",
    "error": "the core of the message, without the wrapping of kubelet and runtime",
    "host": "the host that was asked (a registry's real address may differ from its name: registry-1.docker.io)",
    "server": "the address that was dialled, IP:port, where the host is another",
    "dns": "the DNS server that was asked, IP:port",
    "status": "HTTP status code of the answer",
}
_WRAPPING = regex(
    r"\(combined from similar events\): |rpc error: code = \w+ desc = |Error response from daemon: "
    r"|[Ff]ailed to (?:pull and unpack|pull|inspect|resolve) (?:sandbox )?(?:image|reference) \"[^\"]*\": "
    r"|failed (?:to get sandbox|pulling) image \"[^\"]*\": "
    r"|failed to copy: |httpReadSeeker: failed open: |failed to do request: "
    r"|(?:Error )?(?:initializing|copying system|reading) (?:source|image from source|blob) \S+: "
    r"|unable to copy from source \S+: |(?:error )?pinging (?:container|docker) registry \S+: "
    r"|(?:Head|Get|Post) \"?https?://[^\s\"]+\"?: "
    r"|image pull failed for \S+ because the (?:registry is unavailable|signature validation failed)[:.]? ?"
)
_HOST = regex(r"\b(?:Head|Get|Post|request to) \"?https?://([^/\s\"]+)|pulling from host (\S+)")
_LOOKUP = regex(r"\blookup (\S+?)(?: on (\S+?:\d+))?: ")
_DIALLED = regex(r"dial tcp (\[[^\]]+\]:\d+|[\d.]+:\d+)|->(\[[^\]]+\]:\d+|[\d.]+:\d+): ")
_PATHS = regex(r"\[manifests [^\]]*\]|/v2/\S+?(?=/manifests/|/blobs/)|(?<=/manifests/)[^\s\"]+")
_STATUS = regex(r"(?:status(?: code)?(?: \[[^\]]*\])?|:|code =) ([45]\d\d)\b|\b([45]\d\d) [A-Z][a-z]+")


def taken_apart(message: str, reason: str = "", image: str = "") -> dict[str, Any]:
    """`FIELDS` of a message about an image, the message being on one line."""
    message = message[:MAX_MESSAGE]
    lookup, asked, dialled, status = (shape.search(message) for shape in (_LOOKUP, _HOST, _DIALLED, _STATUS))
    host = lookup.group(1) if lookup else (asked.group(1) or asked.group(2)).rstrip(":") if asked else ""
    server = "" if lookup or not dialled else dialled.group(1) or dialled.group(2)
    plain = _PATHS.sub("", message.replace(image, "") if image else message)  # names of images are no errors
    return {
        "problem": _problem(plain, reason, host),
        "error": core(message),
        "host": host,
        "server": server if server != host else "",
        "dns": (lookup.group(2) or "") if lookup else "",
        "status": next((int(code) for code in status.groups() if code), None) if status else None,
    }


def _problem(message: str, reason: str, host: str) -> str:
    if reason in _BY_REASON:
        return _BY_REASON[reason]
    if not message:
        return "unavailable" if reason == "RegistryUnavailable" else ""
    found = next((slug for slug, shape in KINDS if shape.search(message)), "other")
    if found == "other" and "400 Bad Request" in message and host.startswith(("127.", "localhost")):
        return "https"  # runtimes speak plain HTTP to the loopback; a TLS server answers 400
    return "unavailable" if found == "other" and reason == "RegistryUnavailable" else found


def core(message: str) -> str:
    """A message without its wrapping: `dial tcp: lookup r.example on 10.0.0.2:53: no such host`."""
    while True:
        wrapping = _WRAPPING.match(message)
        if wrapping is None or wrapping.end() == len(message):
            return message
        message = message[wrapping.end() :]
