"""Every runtime's words for each kind of pull failure; the samples are theirs, with documentation's names in them."""

import pytest

from k8sdiag.pull_errors import KINDS, MAX_MESSAGE, taken_apart

# ruff: noqa: E501  (a sample a line)
# kind | message
SAMPLES = r"""
dns|failed to pull and unpack image "r.nowhere.invalid/t/w:1.0": failed to resolve reference "r.nowhere.invalid/t/w:1.0": failed to do request: Head "https://r.nowhere.invalid/v2/t/w/manifests/1.0": dial tcp: lookup r.nowhere.invalid on 10.0.0.2:53: no such host
dns|Error response from daemon: Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io on 10.0.0.2:53: read udp 10.0.0.5:4422->10.0.0.2:53: i/o timeout
dns|initializing source docker://r.nowhere.invalid/x:1: pinging container registry r.nowhere.invalid: Get "https://r.nowhere.invalid/v2/": dial tcp: lookup r.nowhere.invalid: no such host
dns|Error response from daemon: Get https://registry-1.docker.io/v2/: dial tcp: lookup registry-1.docker.io on [::1]:53: read udp [::1]:4422->[::1]:53: read: connection refused
not-found|rpc error: code = NotFound desc = failed to pull and unpack image "127.0.0.1:5000/web:v9": failed to resolve reference "127.0.0.1:5000/web:v9": 127.0.0.1:5000/web:v9: not found
not-found|Error response from daemon: manifest for shop/web:v9 not found: manifest unknown: manifest unknown
not-found|reading manifest v9 in docker.io/library/nginx: manifest unknown
unauthorized|failed to pull and unpack image "127.0.0.1:5001/web:v1": failed to resolve reference "127.0.0.1:5001/web:v1": pulling from host 127.0.0.1:5001 failed with status code [manifests v1]: 401 Unauthorized
rate-limit|failed to pull and unpack image "docker.io/library/nginx:1": failed to copy: httpReadSeeker: failed open: unexpected status code https://registry-1.docker.io/v2/library/nginx/manifests/sha256:2: 429 Too Many Requests - Server message: toomanyrequests: You have reached your unauthenticated pull rate limit.
denied|failed to pull and unpack image "docker.io/shop/web:v1": failed to resolve reference "docker.io/shop/web:v1": pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed
denied|Error response from daemon: pull access denied for shop/web, repository does not exist or may require 'docker login': denied: requested access to the resource is denied
forbidden|failed to pull and unpack image "ghcr.io/x/y:1": failed to resolve reference "ghcr.io/x/y:1": failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://ghcr.io/token?scope=repository%3Ax%2Fy%3Apull&service=ghcr.io: 403 Forbidden
unauthorized|failed to authorize: failed to fetch oauth token: unexpected status: 401 Unauthorized
unauthorized|Error response from daemon: Head "https://1.dkr.ecr.eu-west-1.amazonaws.com/v2/app/manifests/1": no basic auth credentials
refused|failed to do request: Head "http://127.0.0.1:5999/v2/web/manifests/v1": dial tcp 127.0.0.1:5999: connect: connection refused
timeout|failed to do request: Head "https://10.9.9.9/v2/web/manifests/v1": dial tcp 10.9.9.9:443: i/o timeout
timeout|Error response from daemon: Get "https://registry-1.docker.io/v2/": net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)
timeout|Error response from daemon: Get "https://registry-1.docker.io/v2/": net/http: TLS handshake timeout
timeout|rpc error: code = DeadlineExceeded desc = failed to pull and unpack image "a:1": failed to resolve reference "a:1": failed to do request: Head "https://a/v2/": context deadline exceeded
unreachable|Head "https://10.9.9.9/v2/web/manifests/v1": dial tcp 10.9.9.9:443: connect: no route to host
tls-authority|failed to do request: Head "https://r.example/v2/web/manifests/v1": tls: failed to verify certificate: x509: certificate signed by unknown authority
tls-expired|failed to do request: Head "https://r.example/v2/web/manifests/v1": x509: certificate has expired or is not yet valid: current time 2026-11-21T22:29:33Z is after 2025-01-01T00:00:00Z
tls-name|x509: certificate is valid for a.example, not b.example
tls-name|x509: cannot validate certificate for 10.0.0.5 because it doesn't contain any IP SANs
http|failed to do request: Head "https://10.0.0.5:5000/v2/web/manifests/v1": http: server gave HTTP response to HTTPS client
https|pulling from host 127.0.0.1:5002 failed with status code [manifests v1]: 400 Bad Request
platform|rpc error: code = NotFound desc = failed to pull and unpack image "127.0.0.1:5000/arm:1": no match for platform in manifest: not found
platform|Error response from daemon: no matching manifest for linux/amd64 in the manifest list entries
platform|choosing image instance: no image found in image index for architecture "amd64", variant "", OS "linux"
no-space|failed to pull and unpack image "a:1": failed to extract layer sha256:12: write /var/lib/containerd/x: no space left on device: unknown
layer|failed to pull and unpack image "a:1": failed to extract layer sha256:12: mount callback failed on /var/lib/containerd/tmpmounts/containerd-mount1: archive/tar: invalid tar header
layer|failed to pull and unpack image "a:1": failed commit on ref "layer-sha256:12": unexpected commit digest sha256:aa, expected sha256:12: failed precondition
layer|Error response from daemon: filesystem layer verification failed for digest sha256:12
layer|failed to copy: httpReadSeeker: failed open: content at https://r.example/v2/web/blobs/sha256:12 not found: not found
store|failed to pull and unpack image "a:1": failed to prepare extraction snapshot "extract-1 sha256:aa": parent snapshot sha256:bb does not exist: not found
proxy|failed to do request: Head "https://registry-1.docker.io/v2/": proxyconnect tcp: dial tcp 10.1.1.1:3128: connect: connection refused
server-error|pulling from host r.example failed with status code [manifests v1]: 503 Service Unavailable
not-found|failed to resolve reference "r/web:429": r/web:429: not found
reset|failed to do request: Head "https://r.example/v2/a/manifests/1": EOF
reset|failed to do request: Head "https://r.example/v2/a/manifests/1": read tcp 10.0.0.5:41234->192.0.2.9:443: read: connection reset by peer
stalled|cancel pulling image a:1 because of no progress in 5m0s
stalled|rpc error: code = Canceled desc = failed to pull and unpack image "a:1": failed to copy: context canceled
format|failed to unpack image on snapshotter overlayfs: unexpected media type text/html for sha256:aa: not found
runtime|rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial unix /run/containerd/containerd.sock: connect: no such file or directory"
"""
CASES = [tuple(line.split("|", 1)) for line in SAMPLES.strip().splitlines()]


@pytest.mark.parametrize(("kind", "message"), CASES)
def test_kind_of_failure(kind: str, message: str) -> None:
    assert taken_apart(message, image="r/web:429")["problem"] == kind


def test_who_was_asked() -> None:
    found = taken_apart(
        'failed to do request: Head "https://r.example/v2/a/manifests/1": dial tcp: lookup r.example on 10.0.0.2:53: no such host'
    )
    assert (found["host"], found["dns"], found["server"]) == ("r.example", "10.0.0.2:53", "")
    assert found["error"] == "dial tcp: lookup r.example on 10.0.0.2:53: no such host"
    found = taken_apart('Head "https://r.example/v2/a/manifests/1": dial tcp 192.0.2.9:443: i/o timeout')
    assert (found["host"], found["dns"], found["server"]) == ("r.example", "", "192.0.2.9:443")
    found = taken_apart("pulling from host 127.0.0.1:5001 failed with status code [manifests v1]: 401 Unauthorized")
    assert (found["host"], found["status"]) == ("127.0.0.1:5001", 401)


@pytest.mark.parametrize(
    ("reason", "kind"), [("InvalidImageName", "name"), ("ErrImageNeverPull", "never"), ("RegistryUnavailable", "unavailable")]
)
def test_the_reason_may_say_it(reason: str, kind: str) -> None:
    assert taken_apart("", reason)["problem"] in (kind, "")
    assert taken_apart("frobnicated", reason)["problem"] == kind


def test_names_of_images_are_no_errors() -> None:
    message = 'failed to do request: Head "https://r.example/v2/forbidden/401/manifests/429": EOF'
    assert taken_apart(message, image="r.example/forbidden/401:429")["problem"] == "reset"


@pytest.mark.parametrize("text", ["lookup ", 'failed to pull image "', "https://", ": ", "manifest for ", "rpc error: code = X desc = "])
def test_hostile_messages_are_cut(text: str) -> None:
    assert len(taken_apart(text * 100_000)["error"]) <= MAX_MESSAGE


def test_every_line_of_the_table_is_read() -> None:
    assert all(slug and shape.pattern and not shape.pattern.startswith(" ") for slug, shape in KINDS)
