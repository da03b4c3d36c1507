"""People for a lab: a kubeconfig with a certificate of their own, and a binding to the role they are to have."""

from __future__ import annotations

from collections.abc import Iterable

from k8sdiag.clock import SystemClock
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.certificates import load_authority
from k8sdiag.minicluster.apiserver.kubeconfig import Credentials, kubeconfig
from k8sdiag.minicluster.folder import Folder
from k8sdiag.minicluster.kinds import Resource
from k8sdiag.minicluster.remote import Remote, RemoteError

_RBAC = "rbac.authorization.k8s.io"


def grant(folder: Folder, user: str, kind: str, role: str, namespace: str) -> None:
    """Bind a ClusterRole or Role to a user, in a namespace or ('') everywhere. Raises RemoteError, also where there is
    no such role."""
    remote = Remote(folder)
    held = Resource(_RBAC, "v1", f"{kind.lower()}s", kind, "", kind == "Role", ())
    remote.request("GET", held.path(namespace, role))
    binding = "RoleBinding" if namespace else "ClusterRoleBinding"
    bindings = Resource(_RBAC, "v1", f"{binding.lower()}s", binding, "", bool(namespace), ())
    name = f"{user}:{role}"
    body: Json = {
        "apiVersion": bindings.api_version,
        "kind": binding,
        "metadata": {"name": name},
        "roleRef": {"apiGroup": _RBAC, "kind": kind, "name": role},
        "subjects": [{"apiGroup": _RBAC, "kind": "User", "name": user}],
    }
    try:
        remote.request("POST", bindings.path(namespace), body)
    except RemoteError as refused:
        if refused.status != 409:
            raise


def kubeconfig_for(folder: Folder, user: str, groups: Iterable[str], namespace: str) -> str:
    """The kubeconfig of a user that the lab's authority vouches for: nothing is stored about them."""
    authority = load_authority(folder.keys)
    pair = authority.for_user(SystemClock().now(), user, groups)
    credentials = Credentials(certificate=pair.certificate, key=pair.key)
    return kubeconfig(Remote(folder).server, authority.pair.certificate, user, credentials, namespace)
