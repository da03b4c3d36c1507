"""Objects that a pod names and that do not exist now, or lack the key it names; one fact a reference.

This is how a cause outlives its event: does that ConfigMap exist now? Only where the kind was collected.
"""

from __future__ import annotations

from collections.abc import Iterator

from k8sdiag.evidence import Json, ref_of
from k8sdiag.facts import Fact, owner_word, pod_keys
from k8sdiag.finding import Proof
from k8sdiag.nearness import nearest
from k8sdiag.podstate import is_finished, is_quiet
from k8sdiag.references import Lack, lacks
from k8sdiag.relations import View

KIND = "missing"
KEYS = ("container", "pod", "claim", "node", "workload", "namespace")
FIELDS = {
    "kind": "ConfigMap, Secret, PersistentVolumeClaim, ServiceAccount, PriorityClass or RuntimeClass",
    "name": "the name the pod uses",
    "key": "the key it names, where the object exists and lacks it",
    "what": "object or key",
    "via": "how the pod names it: env PASSWORD, envFrom, volume config, imagePullSecrets ...",
    "optional": "the pod may go on without it",
    "nearest": "names (or keys) that do exist and look alike",
    "there": "the keys the object has, or the names of that kind there are",
    "container": "the container that names it",
    "pod": "metadata.name",
    "namespace": "metadata.namespace",
    "owner": "what to change: deployment/web, or pod/web",
}


def derive(view: View) -> Iterator[Fact]:
    for pod in view.of_kind("Pod"):
        if is_quiet(pod) or is_finished(pod):
            continue
        for lack in lacks(view.snapshot, pod):
            yield _fact(view, pod, lack)


def _fact(view: View, pod: Json, lack: Lack) -> Fact:
    named, there = lack.named, list(lack.there)
    fields = {
        "kind": named.kind,
        "name": named.name,
        "key": named.key if lack.what == "key" else "",
        "what": lack.what,
        "via": named.via,
        "optional": named.optional,
        "nearest": tuple(nearest(named.key if lack.what == "key" else named.name, there, n=2, cutoff=0.5)),
        "there": lack.there,
        "container": named.container,
        "pod": pod["metadata"]["name"],
        "namespace": pod["metadata"].get("namespace") or "",
        "owner": owner_word(view, pod),
    }
    keys = pod_keys(view, pod, named.container)
    if named.kind == "PersistentVolumeClaim":
        keys = keys | {"claim": (f"{fields['namespace']}/{named.name}",)}
    proof = Proof("object", f"{named.kind.lower()}/{named.name}", "", lack.text)
    return Fact(KIND, ref_of(pod), fields, keys, (proof,))
