"""NodeRestriction: a node changes itself and its own pods, and nothing else
(plugin/pkg/admission/noderestriction/admission.go)."""

from __future__ import annotations

from collections.abc import Iterable

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.admission import Attributes, Context, refusal
from k8sdiag.minicluster.apiserver.admission.service_account import MIRROR
from k8sdiag.minicluster.apiserver.request import User
from k8sdiag.minicluster.kinds import Resource

NAME = "NodeRestriction"
ORDER = 50
_LEASES = "leases.coordination.k8s.io"
_CSI_NODES = "csinodes.storage.k8s.io"
_GUARDED = frozenset({"pods", "nodes", "serviceaccounts", "persistentvolumeclaims", _LEASES, _CSI_NODES})
# Labels that a kubelet may set on its own node, of those that Kubernetes knows (pkg/kubelet/apis/well_known_labels.go).
_OWN_LABELS = frozenset(
    "kubernetes.io/hostname kubernetes.io/os kubernetes.io/arch beta.kubernetes.io/os beta.kubernetes.io/arch"
    " node.kubernetes.io/instance-type beta.kubernetes.io/instance-type topology.kubernetes.io/zone"
    " topology.kubernetes.io/region failure-domain.beta.kubernetes.io/zone failure-domain.beta.kubernetes.io/region"
    " kubernetes.io/instance-type".split()
)
_OWN_DOMAINS = ("kubelet.kubernetes.io", "node.kubernetes.io")


def handles(verb: str, resource: Resource, _: str) -> bool:
    return resource.storage in _GUARDED and verb in ("create", "update", "delete")


def node_of(user: User) -> str:
    """The node that a user is; '' where it is none."""
    if "system:nodes" not in user.groups or not user.name.startswith("system:node:"):
        return ""
    return user.name.removeprefix("system:node:")


def mutate(attributes: Attributes, context: Context) -> None:
    node = node_of(attributes.user)
    if not node:
        return
    storage = attributes.resource.storage
    if storage == "pods":
        _pods(attributes, context, node)
    elif storage == "nodes":
        _nodes(attributes, node)
    elif storage == "serviceaccounts" and attributes.subresource == "token":
        _tokens(attributes, context, node)
    elif storage == "persistentvolumeclaims" and attributes.subresource != "status":
        raise refusal(attributes, f"may only update PVC status, not {attributes.verb.upper()}")
    elif storage == _LEASES:
        _leases(attributes, node)
    elif storage == _CSI_NODES and _name(attributes) != node:
        raise refusal(attributes, "can only access CSINode with the same name as the requesting node")


def _name(attributes: Attributes) -> str:
    return attributes.name or str(((attributes.obj or {}).get("metadata") or {}).get("name", ""))


def _pods(attributes: Attributes, context: Context, node: str) -> None:
    verb, below = attributes.verb, attributes.subresource
    if verb == "create" and not below:
        _mirror(attributes, node)
        return
    pod = attributes.old or context.storage.get("pods", attributes.namespace, attributes.name) or {}
    own = (pod.get("spec") or {}).get("nodeName") == node
    if verb == "delete":
        if not own:
            raise refusal(attributes, f'node "{node}" can only delete pods with spec.nodeName set to itself')
    elif verb == "update" and below == "status":
        if not own:
            why = "can only update pod status for pods with spec.nodeName set to itself"
            raise refusal(attributes, f'node "{node}" {why}')
        if (attributes.obj or {})["metadata"].get("labels") != pod["metadata"].get("labels"):
            raise refusal(attributes, f'node "{node}" cannot update labels through pod status')
    elif verb == "create" and below == "eviction":
        if not own:
            raise refusal(attributes, f"node {node} can only evict pods with spec.nodeName set to itself")
    else:
        what = f'"{below}"' if below else f'"{verb.upper()}"'
        raise refusal(attributes, f"unexpected pod operation {what}, only create and delete pods, and update status")


def _mirror(attributes: Attributes, node: str) -> None:
    pod = attributes.obj or {}
    spec = pod.get("spec") or {}
    if MIRROR not in (pod["metadata"].get("annotations") or {}):
        why = f'pod does not have "{MIRROR}" annotation, node "{node}" can only create mirror pods'
        raise refusal(attributes, why)
    if spec.get("nodeName") != node:
        raise refusal(attributes, f'node "{node}" can only create pods with spec.nodeName set to itself')
    if spec.get("serviceAccountName"):
        raise refusal(attributes, f'node "{node}" can not create pods that reference a service account')
    for volume in spec.get("volumes") or []:
        for key, called in (
            ("secret", "secrets"),
            ("configMap", "configmaps"),
            ("persistentVolumeClaim", "persistentvolumeclaims"),
        ):
            if key in volume:
                raise refusal(attributes, f'node "{node}" can not create pods that reference {called}')


def _nodes(attributes: Attributes, node: str) -> None:
    requested = _name(attributes)
    new, old = attributes.obj or {}, attributes.old or {}
    if attributes.verb == "create":
        changed = _forbidden(_labels(new))
        if changed:
            listed = ", ".join(changed)
            raise refusal(attributes, f'node "{node}" is not allowed to set the following labels: {listed}')
    if attributes.verb == "update" and requested == node:
        if (new.get("spec") or {}).get("taints") != (old.get("spec") or {}).get("taints"):
            raise refusal(attributes, f'node "{node}" is not allowed to modify taints')
        if new["metadata"].get("ownerReferences") != old["metadata"].get("ownerReferences"):
            raise refusal(attributes, f'node "{node}" is not allowed to update ownerReferences')
        before, after = _labels(old), _labels(new)
        touched = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
        changed = _forbidden(touched)
        if changed:
            raise refusal(attributes, f'node "{node}" is not allowed to modify labels: {", ".join(changed)}')
    if requested != node:
        raise refusal(attributes, f'node "{node}" is not allowed to modify node "{requested}"')


def _labels(obj: Json) -> Json:
    found: Json = (obj.get("metadata") or {}).get("labels") or {}
    return found


def _forbidden(keys: Iterable[str]) -> list[str]:
    found = []
    for key in keys:
        domain = key.partition("/")[0] if "/" in key else ""
        if domain == "node-restriction.kubernetes.io" or domain.endswith(".node-restriction.kubernetes.io"):
            found.append(key)
        elif any(domain == known or domain.endswith(f".{known}") for known in ("kubernetes.io", "k8s.io")):
            own = any(domain == known or domain.endswith(f".{known}") for known in _OWN_DOMAINS)
            if not own and key not in _OWN_LABELS:
                found.append(key)
    return sorted(found)


def _tokens(attributes: Attributes, context: Context, node: str) -> None:
    bound = ((attributes.obj or {}).get("spec") or {}).get("boundObjectRef")
    if not bound or bound.get("kind") != "Pod" or bound.get("apiVersion") != "v1":
        raise refusal(attributes, "node requested token not bound to a pod")
    if not bound.get("uid"):
        raise refusal(attributes, "node requested token with a pod binding without a uid")
    pod = context.storage.get("pods", attributes.namespace, bound.get("name", ""))
    if pod is None:
        raise refusal(attributes, f'pod "{bound.get("name", "")}" not found')
    if pod["metadata"]["uid"] != bound["uid"]:
        raise refusal(attributes, "the UID in the bound object reference does not match the UID in record")
    if (pod.get("spec") or {}).get("nodeName") != node:
        raise refusal(attributes, "node requested token bound to a pod scheduled on a different node")


def _leases(attributes: Attributes, node: str) -> None:
    if attributes.namespace != "kube-node-lease":
        raise refusal(attributes, 'can only access leases in the "kube-node-lease" system namespace')
    if _name(attributes) != node:
        raise refusal(attributes, "can only access node lease with the same name as the requesting node")
