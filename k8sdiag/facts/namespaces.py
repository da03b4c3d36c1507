"""Namespaces that do not finish terminating.

Sample: condition `NamespaceFinalizersRemaining=True SomeFinalizersRemain: Some content in the namespace has finalizers
remaining: example.com/guard in 1 resource instances`.
"""

from __future__ import annotations

from collections.abc import Iterator

from k8sdiag.clock import parse_time
from k8sdiag.evidence import ref_of
from k8sdiag.facts import Fact
from k8sdiag.finding import Proof
from k8sdiag.podstate import conditions_of
from k8sdiag.relations import View

KIND = "namespace"
KEYS = ("namespace",)
FIELDS = {
    "name": "metadata.name",
    "phase": "status.phase",
    "deleting.seconds": "seconds since deletion was asked for",
    "remaining": "message of condition NamespaceContentRemaining",
    "finalizers": "message of condition NamespaceFinalizersRemaining",
    "failure": "message of a failed discovery or content deletion",
    "enforce": "label pod-security.kubernetes.io/enforce",
}


def derive(view: View) -> Iterator[Fact]:
    for namespace in view.of_kind("Namespace"):
        meta, status = namespace["metadata"], namespace.get("status") or {}
        if status.get("phase") != "Terminating" and not meta.get("deletionTimestamp"):
            continue
        conditions = {kind: item for kind, item in conditions_of(namespace).items() if item.get("status") == "True"}
        deleted = parse_time(meta.get("deletionTimestamp"))
        failures = [item.get("message") or "" for kind, item in conditions.items() if kind.endswith("Failure")]
        fields = {
            "name": meta["name"],
            "phase": status.get("phase") or "",
            "deleting.seconds": int(view.snapshot.taken_at - deleted) if deleted else None,
            "remaining": (conditions.get("NamespaceContentRemaining") or {}).get("message") or "",
            "finalizers": (conditions.get("NamespaceFinalizersRemaining") or {}).get("message") or "",
            "failure": "; ".join(failures),
            "enforce": (meta.get("labels") or {}).get("pod-security.kubernetes.io/enforce") or "",
        }
        proof = [
            Proof(
                "status",
                f"namespace/{meta['name']}",
                item.get("lastTransitionTime") or "",
                f"condition {kind}=True {item.get('reason') or ''}: {item.get('message') or ''}",
            )
            for kind, item in conditions.items()
        ]
        yield Fact(KIND, ref_of(namespace), fields, {"namespace": (meta["name"],)}, tuple(proof))
