"""ServiceAccount: every pod runs as an account that exists, gets its token mounted and its pull secrets
(plugin/pkg/admission/serviceaccount/admission.go)."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.admission import Attributes, Context, refusal
from k8sdiag.minicluster.kinds import Resource

NAME = "ServiceAccount"
ORDER = 40
MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
VOLUME_PREFIX = "kube-api-access-"
MIRROR = "kubernetes.io/config.mirror"
ENFORCE_SECRETS = "kubernetes.io/enforce-mountable-secrets"
_SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # apimachinery/pkg/util/rand: no vowels, nothing that looks alike


def handles(verb: str, resource: Resource, subresource: str) -> bool:
    return resource.storage == "pods" and verb == "create" and not subresource


def mutate(attributes: Attributes, context: Context) -> None:
    pod = attributes.obj or {}
    spec = pod["spec"]
    if MIRROR in (pod["metadata"].get("annotations") or {}):
        _refuse_mirror(attributes, spec)
        return
    name = spec.get("serviceAccountName") or spec.get("serviceAccount") or "default"
    spec["serviceAccountName"] = spec["serviceAccount"] = name
    account = context.storage.get("serviceaccounts", attributes.namespace, name)
    if account is None:
        where = f"{attributes.namespace}/{name}"
        raise refusal(attributes, f'error looking up service account {where}: serviceaccount "{name}" not found')
    if _automounts(account, spec):
        _mount_token(spec, context.random)
    if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
        spec["imagePullSecrets"] = [dict(secret) for secret in account["imagePullSecrets"]]
    if (account["metadata"].get("annotations") or {}).get(ENFORCE_SECRETS) in ("true", "1", "t", "T", "TRUE", "True"):
        _refuse_foreign_secrets(attributes, account, spec)


def _refuse_mirror(attributes: Attributes, spec: Json) -> None:
    if spec.get("serviceAccountName"):
        raise refusal(attributes, "a mirror pod may not reference service accounts")
    for volume in spec.get("volumes") or []:
        if "secret" in volume:
            raise refusal(attributes, "a mirror pod may not reference secrets")
        if "configMap" in volume:
            raise refusal(attributes, "a mirror pod may not reference configmaps")
        if "persistentVolumeClaim" in volume:
            raise refusal(attributes, "a mirror pod may not reference persistentvolumeclaims")
        for source in (volume.get("projected") or {}).get("sources") or []:
            if "serviceAccountToken" in source:
                raise refusal(attributes, "a mirror pod may not use ServiceAccountToken volume projections")


def _automounts(account: Json, spec: Json) -> bool:
    """The pod's word counts before the account's; without either it is done."""
    wish = spec.get("automountServiceAccountToken")
    if wish is None:
        wish = account.get("automountServiceAccountToken")
    return wish is not False


def _mount_token(spec: Json, random: Random) -> None:
    volumes = spec.get("volumes") or []
    name = next((volume["name"] for volume in volumes if volume["name"].startswith(VOLUME_PREFIX)), "")
    present = bool(name)
    if not name:
        name = VOLUME_PREFIX + "".join(random.choice(_SUFFIX_LETTERS) for _ in range(5))
    needed = False
    for container in _containers(spec):
        mounts = container.get("volumeMounts") or []
        if not any(mount.get("mountPath") == MOUNT_PATH for mount in mounts):
            container["volumeMounts"] = [*mounts, {"name": name, "readOnly": True, "mountPath": MOUNT_PATH}]
            needed = True
    if needed and not present:
        spec["volumes"] = [*volumes, token_volume(name)]


def token_volume(name: str) -> Json:
    """The volume a pod finds its account in: token, the cluster's certificate, the namespace."""
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    sources: list[Json] = [
        # Seven seconds over the hour tell a token that the server mounted from one that a pod asked for.
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [namespace]}},
    ]
    return {"name": name, "projected": {"sources": sources, "defaultMode": 420}}


def _containers(spec: Json) -> Iterator[Json]:
    yield from spec.get("initContainers") or []
    yield from spec.get("containers") or []


def _refuse_foreign_secrets(attributes: Attributes, account: Json, spec: Json) -> None:
    """Only where the account says so: its pods use no secret it does not list."""
    mountable = {secret.get("name") for secret in account.get("secrets") or []}
    who = f"service account {account['metadata']['name']} does not reference that"
    for volume in spec.get("volumes") or []:
        name = (volume.get("secret") or {}).get("secretName")
        if name and name not in mountable:
            raise refusal(attributes, f'volume with secret.secretName="{name}" is not allowed because {who} secret')
    for kind, containers in (("init container", spec.get("initContainers")), ("container", spec.get("containers"))):
        for container in containers or []:
            for env in container.get("env") or []:
                name = ((env.get("valueFrom") or {}).get("secretKeyRef") or {}).get("name")
                if name and name not in mountable:
                    raise refusal(
                        attributes,
                        f'{kind} {container["name"]} with envVar {env["name"]} referencing secret.secretName="{name}"'
                        f" is not allowed because {who} secret",
                    )
    pullable = {secret.get("name") for secret in account.get("imagePullSecrets") or []}
    for at, secret in enumerate(spec.get("imagePullSecrets") or []):
        if secret.get("name") not in pullable:
            raise refusal(
                attributes,
                f'imagePullSecrets[{at}].name="{secret.get("name")}" is not allowed because {who} imagePullSecret',
            )
