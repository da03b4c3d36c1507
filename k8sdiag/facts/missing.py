"""Objects that a pod names and that do not exist now, or lack the key it names; one fact a reference.

This is how a cause outlives its event: does that ConfigMap exist now? Only where the kind was collected.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from k8sdiag.evidence import CLUSTER_SCOPED, Json, ref_of
from k8sdiag.facts import Fact, owner_word, pod_keys
from k8sdiag.finding import Proof
from k8sdiag.podstate import is_finished, is_quiet
from k8sdiag.references import Named, names_in
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
    "container": "the container that names it",
    "pod": "metadata.name",
    "namespace": "metadata.namespace",
    "owner": "what to change: deployment/web, or pod/web",
}


def derive(view: View) -> Iterator[Fact]:
    for pod in view.of_kind("Pod"):
        if is_quiet(pod) or is_finished(pod):
            continue
        seen: set[tuple[str, str, str, str]] = set()
        for named in names_in(pod):
            mark = (named.kind, named.name, named.key, named.container)
            what, have = _lack(view, pod, named)
            if what and mark not in seen:
                seen.add(mark)
                yield _fact(view, pod, named, what, have)


def _lack(view: View, pod: Json, named: Named) -> tuple[str, list[str]]:
    """('object' or 'key' or '', the names there are)."""
    namespace = "" if named.kind in CLUSTER_SCOPED else pod["metadata"].get("namespace") or ""
    obj = view.snapshot.get(named.kind, namespace, named.name)
    if obj is None:
        if view.snapshot.exists(named.kind, namespace, named.name) is not False:
            return "", []
        return "object", [other["metadata"]["name"] for other in view.snapshot.of_kind(named.kind, namespace)]
    if named.key and named.kind in ("ConfigMap", "Secret"):
        keys = [*(obj.get("data") or {}), *(obj.get("binaryData") or {}), *(obj.get("stringData") or {})]
        if named.key not in keys:
            return "key", keys
    return "", []


def _fact(view: View, pod: Json, named: Named, what: str, have: list[str]) -> Fact:
    wanted = named.key if what == "key" else named.name
    fields = {
        "kind": named.kind,
        "name": named.name,
        "key": named.key if what == "key" else "",
        "what": what,
        "via": named.via,
        "optional": named.optional,
        "nearest": tuple(get_close_matches(wanted, have, n=2, cutoff=0.5)),
        "container": named.container,
        "pod": pod["metadata"]["name"],
        "namespace": pod["metadata"].get("namespace") or "",
        "owner": owner_word(view, pod),
    }
    text = f"{named.kind} {named.name}: not found; named by {named.via}"
    if what == "key":
        text = f"{named.kind} {named.name} has keys [{', '.join(have)}], not {named.key}; named by {named.via}"
    proof = Proof("object", f"{named.kind.lower()}/{named.name}", "", text)
    keys = pod_keys(view, pod, named.container)
    if named.kind == "PersistentVolumeClaim":
        keys = keys | {"claim": (f"{fields['namespace']}/{named.name}",)}
    return Fact(KIND, ref_of(pod), fields, keys, (proof,))
