"""Where daemon pods belong, and how they are bound to go there (pkg/controller/daemon/daemon_controller.go
NodeShouldRunDaemonPod, pkg/controller/daemon/util/daemonset_util.go)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.controllers.ownership import reference_to
from k8sdiag.minicluster.controllers.pod_control import pod_from, with_labels
from k8sdiag.minicluster.controllers.revisions import LABEL
from k8sdiag.minicluster.scheduler.node_affinity import selector_matches
from k8sdiag.minicluster.scheduler.taints import untolerated
from k8sdiag.selectors import matches_labels

GENERATION = "deprecated.daemonset.template.generation"
_GENERATION_LABEL = "pod-template-generation"
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_TOLERATED = (
    ("not-ready", "NoExecute"),
    ("unreachable", "NoExecute"),
    ("disk-pressure", "NoSchedule"),
    ("memory-pressure", "NoSchedule"),
    ("pid-pressure", "NoSchedule"),
    ("unschedulable", "NoSchedule"),
)


def tolerations(spec: Json) -> list[Json]:
    """The template's own, and those that keep daemons on troubled nodes."""
    kinds = _TOLERATED + ((("network-unavailable", "NoSchedule"),) if spec.get("hostNetwork") else ())
    own = list(spec.get("tolerations") or ())
    for name, effect in kinds:
        entry = {"key": f"node.kubernetes.io/{name}", "operator": "Exists", "effect": effect}
        if entry not in own:
            own.append(entry)
    return own


class Placement:
    """Which nodes one daemon set wants: what does not depend on the node is worked out once."""

    def __init__(self, daemon_set: Json) -> None:
        spec = daemon_set["spec"]["template"]["spec"]
        affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
        self._name, self._labels = spec.get("nodeName", ""), spec.get("nodeSelector") or {}
        self._affinity: Json | None = affinity.get(_REQUIRED)
        self._tolerations = tolerations(spec)

    def look(self, node: Json) -> tuple[bool, bool]:
        """Whether a daemon pod should run there, and whether one that already does may stay."""
        name, labels = node["metadata"]["name"], node["metadata"].get("labels") or {}
        if self._name not in ("", name) or not matches_labels(self._labels, labels):
            return False, False
        if self._affinity is not None and not selector_matches(self._affinity, name, labels):
            return False, False
        taints = node["spec"].get("taints") or ()
        if not taints:
            return True, True
        kept_off = untolerated(self._tolerations, [taint for taint in taints if taint["effect"] != "PreferNoSchedule"])
        driven_off = untolerated(self._tolerations, [taint for taint in taints if taint["effect"] == "NoExecute"])
        return kept_off is None, driven_off is None


def target_of(pod: Json) -> str:
    """The node that a daemon pod runs on, or is made for."""
    spec = pod["spec"]
    if spec.get("nodeName"):
        return str(spec["nodeName"])
    required = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(_REQUIRED) or {}
    for term in required.get("nodeSelectorTerms") or ():
        for field in term.get("matchFields") or ():
            if field["key"] == "metadata.name" and field["operator"] == "In" and len(field["values"]) == 1:
                return str(field["values"][0])
    return ""


def pod_for(daemon_set: Json, node: str, revision: str) -> Json:
    """A pod that the scheduler can put on that node only."""
    template = daemon_set["spec"]["template"]
    affinity = template["spec"].get("affinity") or {}
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    bound = {**(affinity.get("nodeAffinity") or {}), _REQUIRED: {"nodeSelectorTerms": [term]}}
    spec = {
        **template["spec"],
        "affinity": {**affinity, "nodeAffinity": bound},
        "tolerations": tolerations(template["spec"]),
    }
    pod = pod_from({**template, "spec": spec}, daemon_set, reference_to(daemon_set, "apps/v1", "DaemonSet"))
    labels = {LABEL: revision}
    generation = (daemon_set["metadata"].get("annotations") or {}).get(GENERATION)
    if generation:
        labels[_GENERATION_LABEL] = generation
    return with_labels(pod, labels)
