"""The one table of kinds: what the API calls them, what people call them, and where they live.

Words follow kubectl: kind, singular, plural and short name, in any case, with the group if somebody insists
(`deployments.apps`).
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind as the API serves it. `group` is '' for the core API."""

    kind: str
    group: str
    version: str
    plural: str
    namespaced: bool
    short: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        """`v1`, `apps/v1`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "") -> str:
        """The path of one object, or of the collection where `name` is ''. Namespace '' means all namespaces."""
        path = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        if self.namespaced and namespace:
            path += f"/namespaces/{quote(namespace, safe='')}"
        path += f"/{self.plural}"
        return f"{path}/{quote(name, safe='')}" if name else path


# kind, plural, N(amespaced) or C(luster), short names; under the group/version that serves them
_TABLE = {
    "v1": """
        Pod pods N po
        Event events N ev
        Service services N svc
        Endpoints endpoints N ep
        ConfigMap configmaps N cm
        Secret secrets N
        ServiceAccount serviceaccounts N sa
        PersistentVolumeClaim persistentvolumeclaims N pvc
        PersistentVolume persistentvolumes C pv
        Node nodes C no
        Namespace namespaces C ns
        ResourceQuota resourcequotas N quota
        LimitRange limitranges N limits
        ReplicationController replicationcontrollers N rc""",
    "apps/v1": """
        Deployment deployments N deploy
        ReplicaSet replicasets N rs
        StatefulSet statefulsets N sts
        DaemonSet daemonsets N ds
        ControllerRevision controllerrevisions N""",
    "batch/v1": """
        Job jobs N
        CronJob cronjobs N cj""",
    "autoscaling/v2": """
        HorizontalPodAutoscaler horizontalpodautoscalers N hpa""",
    "policy/v1": """
        PodDisruptionBudget poddisruptionbudgets N pdb""",
    "networking.k8s.io/v1": """
        Ingress ingresses N ing
        IngressClass ingressclasses C
        NetworkPolicy networkpolicies N netpol""",
    "discovery.k8s.io/v1": """
        EndpointSlice endpointslices N""",
    "storage.k8s.io/v1": """
        StorageClass storageclasses C sc
        VolumeAttachment volumeattachments C
        CSIDriver csidrivers C
        CSINode csinodes C
        CSIStorageCapacity csistoragecapacities N""",
    "scheduling.k8s.io/v1": """
        PriorityClass priorityclasses C pc""",
    "node.k8s.io/v1": """
        RuntimeClass runtimeclasses C""",
    "coordination.k8s.io/v1": """
        Lease leases N""",
    "resource.k8s.io/v1": """
        ResourceClaim resourceclaims N
        ResourceClaimTemplate resourceclaimtemplates N
        DeviceClass deviceclasses C
        ResourceSlice resourceslices C""",
    "rbac.authorization.k8s.io/v1": """
        Role roles N
        RoleBinding rolebindings N
        ClusterRole clusterroles C
        ClusterRoleBinding clusterrolebindings C""",
    "apiextensions.k8s.io/v1": """
        CustomResourceDefinition customresourcedefinitions C crd crds""",
    "apiregistration.k8s.io/v1": """
        APIService apiservices C""",
    "admissionregistration.k8s.io/v1": """
        MutatingWebhookConfiguration mutatingwebhookconfigurations C
        ValidatingWebhookConfiguration validatingwebhookconfigurations C
        ValidatingAdmissionPolicy validatingadmissionpolicies C
        ValidatingAdmissionPolicyBinding validatingadmissionpolicybindings C""",
    "certificates.k8s.io/v1": """
        CertificateSigningRequest certificatesigningrequests C csr""",
}


def _read(table: dict[str, str]) -> dict[str, Kind]:
    kinds: dict[str, Kind] = {}
    for served, rows in table.items():
        group, _, version = served.rpartition("/")
        for row in rows.strip().splitlines():
            kind, plural, scope, *short = row.split()
            kinds[kind] = Kind(kind, group, version, plural, scope == "N", tuple(short))
    return kinds


KINDS = _read(_TABLE)
_WORDS = {word: kind for kind in KINDS.values() for word in (kind.kind.lower(), kind.plural, *kind.short)}


def parse_kind(word: str) -> Kind | None:
    """`po`, `Pods`, `deployments.apps` to a Kind; None for a word that names no kind we know."""
    name, _, group = word.strip().lower().partition(".")
    kind = _WORDS.get(name)
    if kind is None or not group:
        return kind
    return kind if group in (kind.group, f"{kind.version}.{kind.group}") else None


def served_by(kind: str, api_version: str) -> Kind | None:
    """The Kind an ownerReference or scaleTargetRef means; None where its group is not the one we know."""
    known = KINDS.get(kind)
    return known if known and known.group == api_version.rpartition("/")[0] else None
