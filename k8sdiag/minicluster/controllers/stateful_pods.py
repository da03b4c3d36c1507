"""A StatefulSet's pods: their names, hosts, claims and revisions (pkg/controller/statefulset/stateful_set_utils.go)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.controllers.ownership import reference_to
from k8sdiag.minicluster.controllers.pod_control import pod_from, with_labels
from k8sdiag.minicluster.controllers.pod_states import available, phase_of, ready, terminating
from k8sdiag.minicluster.controllers.revisions import LABEL

POD_NAME = "statefulset.kubernetes.io/pod-name"
POD_INDEX = "apps.kubernetes.io/pod-index"


def first_ordinal(stateful_set: Json) -> int:
    return int((stateful_set["spec"].get("ordinals") or {}).get("start", 0))


def ordinal_of(stateful_set: Json, pod: Json) -> int | None:
    """The number at the end of its name; None for a pod that is not named after its set."""
    parent, _, number = pod["metadata"]["name"].rpartition("-")
    return int(number) if parent == stateful_set["metadata"]["name"] and number.isdigit() else None


def revision_of(pod: Json) -> str:
    return str((pod["metadata"].get("labels") or {}).get(LABEL, ""))


def ready_now(pod: Json) -> bool:
    return phase_of(pod) == "Running" and ready(pod)


def available_now(stateful_set: Json, pod: Json, now: float) -> bool:
    patience = stateful_set["spec"].get("minReadySeconds", 0)
    return phase_of(pod) == "Running" and available(pod, patience, now)


def healthy(stateful_set: Json, pod: Json, now: float) -> bool:
    return available_now(stateful_set, pod, now) and not terminating(pod)


def make_pod(stateful_set: Json, template: Json, revision: str, ordinal: int) -> Json:
    name = f"{stateful_set['metadata']['name']}-{ordinal}"
    reference = reference_to(stateful_set, "apps/v1", "StatefulSet")
    spec = _with_claims(stateful_set, template["spec"], ordinal)
    spec["hostname"] = name
    if stateful_set["spec"].get("serviceName"):
        spec["subdomain"] = stateful_set["spec"]["serviceName"]
    pod = pod_from({**template, "spec": spec}, stateful_set, reference)
    pod["metadata"] = {"name": name, **pod["metadata"]}
    return with_labels(pod, {LABEL: revision, POD_NAME: name, POD_INDEX: str(ordinal)})


def claim_name(stateful_set: Json, template: Json, ordinal: int) -> str:
    """What a template without a name leads to, the server refuses as the name of a claim."""
    return f"{template['metadata'].get('name', '')}-{stateful_set['metadata']['name']}-{ordinal}"


def _with_claims(stateful_set: Json, spec: Json, ordinal: int) -> Json:
    """The pod's spec with a volume for each claim, in the place of the template's volume of that name."""
    templates = stateful_set["spec"].get("volumeClaimTemplates") or ()
    own = [
        {
            "name": template["metadata"].get("name", ""),
            "persistentVolumeClaim": {"claimName": claim_name(stateful_set, template, ordinal)},
        }
        for template in templates
    ]
    names = {volume["name"] for volume in own}
    others = [volume for volume in spec.get("volumes") or () if volume["name"] not in names]
    return {**spec, "volumes": [*own, *others]} if own or others else dict(spec)


def claims_of(stateful_set: Json, ordinal: int) -> list[Json]:
    """The claims that the pod of an ordinal uses, as they are made."""
    meta = stateful_set["metadata"]
    return [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {
                "name": claim_name(stateful_set, template, ordinal),
                "namespace": meta["namespace"],
                "labels": {
                    **(template["metadata"].get("labels") or {}),
                    **(stateful_set["spec"]["selector"].get("matchLabels") or {}),
                },
                **(
                    {"annotations": template["metadata"]["annotations"]}
                    if template["metadata"].get("annotations")
                    else {}
                ),
            },
            "spec": template.get("spec") or {},
        }
        for template in stateful_set["spec"].get("volumeClaimTemplates") or ()
    ]


def claim_owner(stateful_set: Json, pod: Json, *, condemned: bool) -> Json | None:
    """Who a claim goes with, by the retention policy: the set, the pod that is scaled away, or nobody."""
    policy = stateful_set["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    if condemned and policy.get("whenScaled") == "Delete":
        return reference_to(pod, "v1", "Pod") if "uid" in pod["metadata"] else None
    if policy.get("whenDeleted") == "Delete":
        return reference_to(stateful_set, "apps/v1", "StatefulSet")
    return None
