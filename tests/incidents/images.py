"""Image pulls: the same failure in containerd's, dockerd's and CRI-O's words."""

from typing import Any

from tests.incidents.build import Incident, at, container, incident, owner_reference, running, waiting

HEAD = "failed to do request: Head"


def containerd(image: str, error: str, code: str = "") -> str:
    """containerd's wrapping of an error met while it resolves an image (1.6, 1.7 and 2.x say it alike)."""
    host = image.split("/", 1)[0]
    known = image if "." in host or ":" in host else f"docker.io/{image}"
    prefix = f"rpc error: code = {code} desc = " if code else ""
    return f'{prefix}failed to pull and unpack image "{known}": failed to resolve reference "{known}": {error}'


def pull_failure(
    made: Incident, image: str, error: str, *, reason: str = "ImagePullBackOff", init: bool = False, **spec: object
) -> Incident:
    """A pod whose image does not come, with the events a 1.33 kubelet sends."""
    said = f'Back-off pulling image "{image}": ErrImagePull: {error}' if reason == "ImagePullBackOff" else error
    bad = container("migrate" if init else "app", image=image, state=waiting(reason, said))
    rest = [container(state=waiting("PodInitializing"))] if init else [bad]
    pod = made.pod("web", *rest, init=[bad] if init else [], phase="Pending", spec=spec)
    where = "init:migrate" if init else "app"
    made.event(pod, "Pulling", f'Pulling image "{image}"', kind="Normal", count=4, ago=40, first=590, container=where)
    made.event(pod, "Failed", f'Failed to pull image "{image}": {error}', count=4, ago=40, first=590, container=where)
    made.event(pod, "Failed", "Error: ErrImagePull", count=4, ago=40, first=590, container=where)
    made.event(pod, "BackOff", f'Back-off pulling image "{image}"', kind="Normal", count=9, ago=5, first=589, container=where)
    made.event(pod, "Failed", "Error: ImagePullBackOff", count=9, ago=5, first=589, container=where)
    return made


def pull(title: str, rule: str, image: str, error: str, **how: Any) -> Incident:
    """A pull failure as an incident of its own."""
    return pull_failure(Incident(title, "pod/web", rule), image, error, **how)


def lost_secret(made: Incident, name: str) -> Incident:
    """The kubelet's event about a pull secret it cannot read."""
    pod = next(obj for obj in made.objects if obj["kind"] == "Pod")
    text = f"Unable to retrieve some image pull secrets ({name}); attempting to pull the image may not succeed."
    made.event(pod, "FailedToRetrieveImagePullSecret", text, count=9, ago=5, first=590)
    return made


def pull_secret(made: Incident, name: str, *, namespace: str | None = None, kind: str = "kubernetes.io/dockerconfigjson") -> None:
    """A Secret, its values taken out as recordings have them."""
    key = ".dockerconfigjson" if kind != "Opaque" else "password"
    made.add("Secret", name, namespace=namespace, type=kind, data={key: "UkVEQUNURUQ="})


@incident
def image_not_found_docker() -> Incident:
    error = "Error response from daemon: manifest for shop/web:v9 not found: manifest unknown: manifest unknown"
    return pull("dockerd: the tag is not in the registry", "image-not-found", "shop/web:v9", error)


@incident
def image_not_found_crio() -> Incident:
    error = "reading manifest v9 in registry.example/shop/web: manifest unknown"
    return pull("CRI-O: the tag is not in the registry", "image-not-found", "registry.example/shop/web:v9", error)


@incident
def image_not_found_digest_init() -> Incident:
    image = f"registry.example/shop/migrate@sha256:{'0' * 64}"
    error = containerd(image, f"{image}: not found", "NotFound")
    return pull("an init container's digest is not in the registry", "image-not-found", image, error, init=True)


@incident
def image_not_found_deployment() -> Incident:
    image = "registry.example/shop/web:403"
    made = Incident("a rollout whose new image does not exist; its tag looks like an error code", "deployment/web", "image-not-found")
    deployment = made.add("Deployment", "web", spec={"replicas": 1, "selector": {"matchLabels": {"app": "web"}}},
                          status={"replicas": 2, "readyReplicas": 1, "updatedReplicas": 1, "availableReplicas": 1, "unavailableReplicas": 1})  # fmt: skip
    sets = {}
    for name in ("web-5579d475ff", "web-6d9f8c7b5d"):
        sets[name] = made.add("ReplicaSet", name, metadata={"ownerReferences": [owner_reference(deployment)]},
                              spec={"replicas": 1}, status={"replicas": 1})  # fmt: skip
    made.pod("web-5579d475ff-k2x9p", container(state=running(5000), ready=True), owner=sets["web-5579d475ff"], ready=True,
             labels={"app": "web"}, ago=5100)  # fmt: skip
    error = containerd(image, f"{image}: not found", "NotFound")
    said = f'Back-off pulling image "{image}": ErrImagePull: {error}'
    made.pod("web-6d9f8c7b5d-q8m4z", container(image=image, state=waiting("ImagePullBackOff", said)), phase="Pending",
             owner=sets["web-6d9f8c7b5d"], labels={"app": "web"})  # fmt: skip
    return made


@incident
def image_not_found_journal() -> Incident:
    made = Incident("the events have expired on an old server; the kubelet's journal has the error", "pod/web", "image-not-found")
    image = "registry.example/shop/web:v9"
    made.pod("web", container(image=image, state=waiting("ImagePullBackOff", f'Back-off pulling image "{image}"')), phase="Pending", ago=9000)
    error = containerd(image, f"{image}: not found", "NotFound").replace('"', '\\"')
    made.journal("kubelet", f'E1121 22:39:30.480904    9589 kuberuntime_image.go:55] "Failed to pull image" err="{error}" image="{image}"')
    return made


@incident
def image_pull_failed_expired() -> Incident:
    made = Incident("the events have expired on an old server, and nothing else says why", "pod/web", "image-pull-failed")
    image = "registry.example/shop/web:v9"
    made.pod("web", container(image=image, state=waiting("ImagePullBackOff", f'Back-off pulling image "{image}"')), phase="Pending", ago=9000)
    return made


@incident
def image_pull_failed_unknown() -> Incident:
    error = containerd("registry.example/shop/web:v9", "failed to lock the frobnicator")
    return pull("an error that no rule knows", "image-pull-failed", "registry.example/shop/web:v9", error)


@incident
def image_repository_denied() -> Incident:
    error = containerd("shop/web:v1", "pull access denied, repository does not exist or may require authorization: "
                       "server message: insufficient_scope: authorization failed")  # fmt: skip
    return pull("Docker Hub denies a repository that does not exist or is private", "image-repository-denied", "shop/web:v1", error)


@incident
def image_repository_denied_docker() -> Incident:
    error = ("Error response from daemon: pull access denied for shop/web, repository does not exist or may require "
             "'docker login': denied: requested access to the resource is denied")  # fmt: skip
    made = pull("dockerd: the repository is denied, and a Secret nobody names is there", "image-repository-denied", "shop/web:v1", error)
    pull_secret(made, "regcred")
    return made


@incident
def image_pull_secret_missing() -> Incident:
    image = "registry.example:5001/shop/web:v1"
    error = containerd(image, "pulling from host registry.example:5001 failed with status code [manifests v1]: 401 Unauthorized")
    made = pull("the pull secret that the pod names does not exist", "image-pull-secret-missing", image, error,
                imagePullSecrets=[{"name": "regcred"}])  # fmt: skip
    return lost_secret(made, "regcred")


@incident
def image_pull_secret_elsewhere() -> Incident:
    image = "ghcr.io/shop/web:v1"
    error = containerd(image, "failed to authorize: failed to fetch anonymous token: unexpected status from GET request to "
                       "https://ghcr.io/token?scope=repository%3Ashop%2Fweb%3Apull&service=ghcr.io: 403 Forbidden")  # fmt: skip
    made = pull("the pull secret is in another namespace; its event has expired", "image-pull-secret-missing", image, error,
                imagePullSecrets=[{"name": "ghcr"}])  # fmt: skip
    pull_secret(made, "ghcr", namespace="default")
    pull_secret(made, "db", kind="Opaque")
    made.kinds = ["Secret"]
    return made


@incident
def image_pull_secret_unusable() -> Incident:
    image = "registry.example/shop/web:v1"
    error = containerd(image, "pulling from host registry.example failed with status code [manifests v1]: 401 Unauthorized")
    made = pull("the pull secret is of type Opaque", "image-pull-secret-unusable", image, error, imagePullSecrets=[{"name": "regcred"}])
    pull_secret(made, "regcred", kind="Opaque")
    return made


@incident
def image_credentials_refused() -> Incident:
    image = "registry.example/shop/web:v1"
    error = containerd(image, "failed to authorize: failed to fetch oauth token: unexpected status from GET request to "
                       "https://registry.example/token?account=shop&scope=repository%3Ashop%2Fweb%3Apull: 401 Unauthorized")  # fmt: skip
    made = pull("the pull secret's password is wrong", "image-credentials-refused", image, error, imagePullSecrets=[{"name": "regcred"}])
    pull_secret(made, "regcred")
    return made


@incident
def image_credentials_refused_crio() -> Incident:
    error = ("initializing source docker://registry.example/shop/web:v1: unable to retrieve auth token: invalid username/password: "
             "unauthorized: incorrect username or password")  # fmt: skip
    made = pull("CRI-O: wrong password", "image-credentials-refused", "registry.example/shop/web:v1", error,
                imagePullSecrets=[{"name": "regcred"}])  # fmt: skip
    pull_secret(made, "regcred")
    return made


@incident
def registry_wants_credentials_ecr() -> Incident:
    image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/web:v1"
    error = ('Error response from daemon: Head "https://123456789012.dkr.ecr.eu-west-1.amazonaws.com/v2/web/manifests/v1": '
             "no basic auth credentials")  # fmt: skip
    return pull("dockerd: ECR without credentials", "registry-wants-credentials", image, error)


@incident
def registry_wants_credentials_unnamed() -> Incident:
    image = "registry.example/shop/web:v1"
    error = containerd(image, "pulling from host registry.example failed with status code [manifests v1]: 401 Unauthorized")
    made = pull("the pull secret is there, and the pod does not name it", "registry-wants-credentials", image, error)
    pull_secret(made, "regcred")
    return made


@incident
def registry_wants_credentials_later() -> Incident:
    made = registry_wants_credentials_unnamed()
    made.title = "the ServiceAccount got its pull secret after the pod was made"
    made.add("ServiceAccount", "default", imagePullSecrets=[{"name": "regcred"}])
    return made


@incident
def registry_dns_docker() -> Incident:
    error = ('Error response from daemon: Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io on '
             "10.0.0.2:53: read udp 10.0.0.15:41234->10.0.0.2:53: i/o timeout")  # fmt: skip
    return pull("dockerd: the node's DNS server does not answer", "registry-dns", "nginx:1.27", error)


@incident
def registry_dns_crio() -> Incident:
    error = ("initializing source docker://regisrty.example/web:v1: pinging container registry regisrty.example: Get "
             '"https://regisrty.example/v2/": dial tcp: lookup regisrty.example on 10.0.0.2:53: no such host')  # fmt: skip
    return pull("CRI-O: a typo in the registry's name", "registry-dns", "regisrty.example/web:v1", error, init=True)


@incident
def registry_refused() -> Incident:
    image = "127.0.0.1:5999/web:v1"
    error = containerd(image, f'{HEAD} "http://127.0.0.1:5999/v2/web/manifests/v1": dial tcp 127.0.0.1:5999: connect: connection refused')
    return pull("nothing listens at the registry's port", "registry-refused", image, error)


@incident
def registry_timeout() -> Incident:
    image = "192.0.2.200:5000/web:v1"
    error = containerd(image, f'{HEAD} "https://192.0.2.200:5000/v2/web/manifests/v1": dial tcp 192.0.2.200:5000: i/o timeout')
    return pull("a firewall drops what goes to the registry", "registry-timeout", image, error, reason="ErrImagePull")


@incident
def registry_timeout_docker() -> Incident:
    error = ('Error response from daemon: Get "https://registry-1.docker.io/v2/": net/http: request canceled while waiting for '
             "connection (Client.Timeout exceeded while awaiting headers)")  # fmt: skip
    return pull("dockerd: the registry does not answer in time", "registry-timeout", "nginx:1.27", error)


@incident
def registry_no_route() -> Incident:
    image = "192.0.2.201/web:v1"
    error = containerd(image, f'{HEAD} "https://192.0.2.201/v2/web/manifests/v1": dial tcp 192.0.2.201:443: connect: no route to host')
    return pull("no route to the registry", "registry-no-route", image, error)


@incident
def registry_connection_broken() -> Incident:
    image = "registry.example/web:v1"
    error = containerd(image, f'{HEAD} "https://registry.example/v2/web/manifests/v1": read tcp 10.0.0.15:41234->192.0.2.9:443: '
                       "read: connection reset by peer")  # fmt: skip
    return pull("the connection to the registry is reset", "registry-connection-broken", image, error)


@incident
def registry_proxy() -> Incident:
    image = "registry.example/web:v1"
    error = containerd(image, f'{HEAD} "https://registry.example/v2/web/manifests/v1": proxyconnect tcp: dial tcp 192.0.2.30:3128: '
                       "connect: connection refused")  # fmt: skip
    return pull("the runtime's proxy is down", "registry-proxy", image, error)


@incident
def registry_certificate_untrusted() -> Incident:
    image = "registry.example:5000/web:v1"
    error = containerd(image, f'{HEAD} "https://registry.example:5000/v2/web/manifests/v1": tls: failed to verify certificate: '
                       "x509: certificate signed by unknown authority")  # fmt: skip
    return pull("the registry's certificate is self-signed", "registry-certificate-untrusted", image, error)


@incident
def registry_certificate_expired() -> Incident:
    image = "registry.example/web:v1"
    error = containerd(image, f'{HEAD} "https://registry.example/v2/web/manifests/v1": tls: failed to verify certificate: x509: '
                       f"certificate has expired or is not yet valid: current time {at(40)} is after 2026-01-01T00:00:00Z")  # fmt: skip
    return pull("the registry's certificate has expired", "registry-certificate-expired", image, error)


@incident
def registry_certificate_name() -> Incident:
    image = "192.0.2.9:5000/web:v1"
    error = containerd(image, f'{HEAD} "https://192.0.2.9:5000/v2/web/manifests/v1": tls: failed to verify certificate: x509: cannot '
                       "validate certificate for 192.0.2.9 because it doesn't contain any IP SANs")  # fmt: skip
    return pull("the registry's certificate is for a name, the image has an address", "registry-certificate-name", image, error)


@incident
def registry_tls_failed() -> Incident:
    image = "registry.example/web:v1"
    error = containerd(image, f'{HEAD} "https://registry.example/v2/web/manifests/v1": remote error: tls: handshake failure')
    return pull("the registry wants a client certificate", "registry-tls-failed", image, error)


@incident
def registry_speaks_http() -> Incident:
    image = "192.0.2.9:5000/web:v1"
    error = containerd(image, f'{HEAD} "https://192.0.2.9:5000/v2/web/manifests/v1": http: server gave HTTP response to HTTPS client')
    return pull("an insecure registry", "registry-speaks-http", image, error)


@incident
def registry_speaks_https() -> Incident:
    image = "127.0.0.1:5443/web:v1"
    error = containerd(image, "pulling from host 127.0.0.1:5443 failed with status code [manifests v1]: 400 Bad Request")
    return pull("containerd asks a TLS registry on the loopback by HTTP", "registry-speaks-https", image, error)


@incident
def registry_server_error() -> Incident:
    image = "registry.example/web:v1"
    error = containerd(image, "pulling from host registry.example failed with status code [manifests v1]: 503 Service Unavailable")
    return pull("the registry answers 503", "registry-server-error", image, error)


@incident
def registry_unavailable() -> Incident:
    error = "image pull failed for registry.example/web:v1 because the registry is unavailable."
    return pull("CRI-O: the registry is unavailable", "registry-unavailable", "registry.example/web:v1", error, reason="RegistryUnavailable")


@incident
def image_rate_limit() -> Incident:
    error = ('failed to pull and unpack image "docker.io/library/nginx:1.27": failed to copy: httpReadSeeker: failed open: unexpected '
             "status code https://registry-1.docker.io/v2/library/nginx/manifests/sha256:0a39: 429 Too Many Requests - Server message: "
             "toomanyrequests: You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit")  # fmt: skip
    return pull("Docker Hub's rate limit", "image-rate-limit", "nginx:1.27", error)


@incident
def image_rate_limit_docker() -> Incident:
    error = ("Error response from daemon: toomanyrequests: You have reached your pull rate limit. You may increase the limit by "
             "authenticating and upgrading: https://www.docker.com/increase-rate-limit")  # fmt: skip
    return pull("dockerd: Docker Hub's rate limit", "image-rate-limit", "nginx:1.27", error)


@incident
def image_platform() -> Incident:
    error = ('rpc error: code = NotFound desc = failed to pull and unpack image "registry.example/arm:v1": no match for platform in '
             "manifest: not found")  # fmt: skip
    return pull("an image for arm64 only", "image-platform", "registry.example/arm:v1", error)


@incident
def image_platform_docker() -> Incident:
    error = "Error response from daemon: no matching manifest for linux/amd64 in the manifest list entries"
    return pull("dockerd: an image for arm64 only", "image-platform", "registry.example/arm:v1", error)


@incident
def image_pull_no_space() -> Incident:
    error = ('failed to pull and unpack image "registry.example/web:v1": failed to extract layer sha256:5f70bf18: mount callback failed '
             "on /var/lib/containerd/tmpmounts/containerd-mount1: write /var/lib/containerd/tmpmounts/containerd-mount1/usr/lib/libx.so: "
             "no space left on device: unknown")  # fmt: skip
    return pull("the image's disk is full", "image-pull-no-space", "registry.example/web:v1", error)


@incident
def image_layer_corrupt() -> Incident:
    error = ('rpc error: code = FailedPrecondition desc = failed to pull and unpack image "registry.example/web:v1": failed commit on ref '
             '"layer-sha256:5f70": unexpected commit digest sha256:aa11, expected sha256:5f70: failed precondition')  # fmt: skip
    return pull("a layer arrives with another digest", "image-layer-corrupt", "registry.example/web:v1", error)


@incident
def image_layer_missing() -> Incident:
    error = ('rpc error: code = NotFound desc = failed to pull and unpack image "registry.example/web:v1": failed to copy: httpReadSeeker: '
             "failed open: content at https://registry.example/v2/web/blobs/sha256:5f70 not found: not found")  # fmt: skip
    return pull("the registry has lost a layer: not found, but not the tag", "image-layer-corrupt", "registry.example/web:v1", error)


@incident
def image_store_broken() -> Incident:
    error = ('rpc error: code = NotFound desc = failed to pull and unpack image "registry.example/web:v1": failed to prepare extraction '
             'snapshot "extract-123 sha256:aa": parent snapshot sha256:bb does not exist: not found')  # fmt: skip
    return pull("containerd has lost a snapshot: not found, but not the tag", "image-store-broken", "registry.example/web:v1", error)


@incident
def image_format_unsupported() -> Incident:
    error = ('rpc error: code = NotFound desc = failed to pull and unpack image "registry.example/web:v1": failed to unpack image on '
             "snapshotter overlayfs: unexpected media type text/html for sha256:aa11: not found")  # fmt: skip
    return pull("a proxy answers with a page", "image-format-unsupported", "registry.example/web:v1", error)


def unpulled(title: str, rule: str, image: str, reason: str, message: str, event: str) -> Incident:
    """A container that waits before any pull; the event has the same text."""
    made = Incident(title, "pod/web", rule)
    policy = "Never" if reason == "ErrImageNeverPull" else "IfNotPresent"
    pod = made.pod("web", container(image=image, imagePullPolicy=policy, state=waiting(reason, message)), phase="Pending")
    made.event(pod, event, message, count=12, ago=8, first=595, container="app")
    made.event(pod, "Failed", f"Error: {reason}", count=12, ago=8, first=595, container="app")
    return made


@incident
def image_name_invalid() -> Incident:
    image = "registry.example/Shop/Web:v1"
    text = (f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}": invalid reference format: '
            "repository name (Shop/Web) must be lowercase")  # fmt: skip
    return unpulled("capital letters in the image's name", "image-name-invalid", image, "InvalidImageName", text, "InspectFailed")


@incident
def image_name_variable() -> Incident:
    image = "registry.example/web:${TAG}"
    text = f'Failed to apply default image tag "{image}": couldn\'t parse image name "{image}": invalid reference format'
    return unpulled("a variable that nothing replaced", "image-name-invalid", image, "InvalidImageName", text, "InspectFailed")


@incident
def image_never_pull() -> Incident:
    text = 'Container image "shop/web:local" is not present with pull policy of Never'
    return unpulled("imagePullPolicy Never, and the image is absent", "image-never-pull", "shop/web:local", "ErrImageNeverPull", text,
                    "ErrImageNeverPull")  # fmt: skip


@incident
def image_inspect_error() -> Incident:
    text = ('Failed to inspect image "registry.example/web:v1": rpc error: code = Unknown desc = metadata for image sha256:aa11 is broken')
    return unpulled("the runtime cannot inspect the image", "image-inspect-error", "registry.example/web:v1", "ImageInspectError", text,
                    "InspectFailed")  # fmt: skip


@incident
def image_signature_rejected() -> Incident:
    error = ("image pull failed for registry.example/web:v1 because the signature validation failed: Source image rejected: A signature "
             "was required, but no signature exists")  # fmt: skip
    return pull("CRI-O: the image is not signed", "image-signature-rejected", "registry.example/web:v1", error,
                reason="SignatureValidationFailed")  # fmt: skip


@incident
def image_pull_cancelled() -> Incident:
    error = 'rpc error: code = Canceled desc = failed to pull and unpack image "registry.example/web:v1": failed to copy: context canceled'
    return pull("containerd gives up a pull without progress", "image-pull-cancelled", "registry.example/web:v1", error)


@incident
def image_pull_qps() -> Incident:
    return pull("the kubelet's own limit of pulls", "image-pull-qps", "registry.example/web:v1", "pull QPS exceeded", reason="ErrImagePull")


@incident
def image_runtime_unreachable() -> Incident:
    error = ('rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial unix '
             '/run/containerd/containerd.sock: connect: connection refused"')  # fmt: skip
    return pull("containerd went away during the pull", "image-runtime-unreachable", "registry.example/web:v1", error)


def pulling(title: str, rule: str, seconds: float) -> Incident:
    """A pod whose image has been coming for so long."""
    made = Incident(title, "pod/web", rule)
    pod = made.pod("web", container(), phase="Pending", ago=seconds + 1)
    made.event(pod, "Pulling", 'Pulling image "registry.example/shop/web:v1"', kind="Normal", ago=seconds, container="app")
    return made


@incident
def image_pull_stalled() -> Incident:
    made = pulling("a pull that does not end, behind another", "image-pull-stalled", 900)
    other = made.pod("train", container(image="registry.example/ml/train:v3"), phase="Pending", ago=1000)
    made.event(other, "Pulling", 'Pulling image "registry.example/ml/train:v3"', kind="Normal", ago=999, container="app")
    return made


@incident
def image_pull_slow() -> Incident:
    return pulling("a pull of two minutes", "image-pull-slow", 120)


@incident
def image_volume_pull() -> Incident:
    image = "registry.example/models:v9"
    error = containerd(image, f"{image}: not found", "NotFound")
    said = f'Back-off pulling image "{image}": ErrImagePull: {error}'
    made = Incident("the image of an image volume does not exist", "pod/web", "image-not-found")
    spec = {"volumes": [{"name": "models", "image": {"reference": image, "pullPolicy": "IfNotPresent"}}]}
    pod = made.pod("web", container(state=waiting("ImagePullBackOff", said)), phase="Pending", spec=spec)
    made.event(pod, "Failed", f'Failed to pull image "{image}": {error}', count=4, ago=40, first=590)
    return made


@incident
def image_volume_unsupported() -> Incident:
    made = Incident("containerd 1.7 knows no image volumes", "pod/web", "image-volume-unsupported")
    said = 'failed to generate container "4fe2" spec: failed to generate spec: failed to mkdir "": mkdir : no such file or directory'
    spec = {"volumes": [{"name": "models", "image": {"reference": "registry.example/models:v9"}}]}
    pod = made.pod("web", container(state=waiting("CreateContainerError", said)), phase="Pending", spec=spec)
    made.event(pod, "Failed", f"Error: {said}", count=12, ago=8, first=590, container="app")
    return made


@incident
def healthy_pull_secret_missing() -> Incident:
    made = Incident("healthy: the pull secret does not exist, and the image needs none", "pod/web", "")
    made.pod("web", container(state=running(500), ready=True), ready=True, spec={"imagePullSecrets": [{"name": "regcred"}]})
    return lost_secret(made, "regcred")


@incident
def healthy_pull_failed_once() -> Incident:
    made = Incident("healthy: the first pull failed, the second did not", "pod/web", "")
    pod = made.pod("web", container(state=running(560), ready=True), ready=True)
    error = containerd("registry.example/shop/web:v1", f'{HEAD} "https://registry.example/v2/shop/web/manifests/v1": EOF')
    made.event(pod, "Failed", f'Failed to pull image "registry.example/shop/web:v1": {error}', ago=590, container="app")
    made.event(pod, "Failed", "Error: ErrImagePull", ago=590, container="app")
    made.event(pod, "Pulled", 'Successfully pulled image "registry.example/shop/web:v1" in 9.1s (9.1s including waiting). '
               "Image size: 52428800 bytes.", kind="Normal", ago=565, container="app")  # fmt: skip
    return made
