"""DefaultTolerationSeconds: pods stay five minutes on a node that is not ready or cannot be reached
(plugin/pkg/admission/defaulttolerationseconds/admission.go)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.admission import Attributes, Context
from k8sdiag.minicluster.kinds import Resource

NAME = "DefaultTolerationSeconds"
ORDER = 100
SECONDS = 300
_KEYS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


def handles(verb: str, resource: Resource, subresource: str) -> bool:
    return resource.storage == "pods" and verb in ("create", "update") and not subresource


def mutate(attributes: Attributes, _: Context) -> None:
    pod = attributes.obj or {}
    spec = pod["spec"]
    tolerations = spec.get("tolerations") or []
    missing = [key for key in _KEYS if not any(_tolerates(toleration, key) for toleration in tolerations)]
    if missing:
        # A patch leaves what it does not touch shared with the stored pod.
        pod["spec"] = {**spec, "tolerations": [*tolerations, *map(_toleration, missing)]}


def _tolerates(toleration: Json, key: str) -> bool:
    return toleration.get("key", "") in (key, "") and toleration.get("effect", "") in ("NoExecute", "")


def _toleration(key: str) -> Json:
    return {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": SECONDS}
