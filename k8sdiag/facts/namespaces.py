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
from k8sdiag.patterns import regex
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
    "failed": "type of the condition that says so",
    "groups": "API groups of which that message says that they are not served",
    "holders": "objects in it that are being deleted and that finalizers hold",
    "own": "metadata.finalizers of the namespace itself",
    "enforce": "label pod-security.kubernetes.io/enforce",
}


_GROUP = regex(r"\b((?:[a-z0-9-]+\.)+[a-z0-9-]+/v\d\w*)\b")


def _holders(view: View, name: str) -> Iterator[str]:
    """`pod/web (example.com/guard)`: what is being deleted in the namespace and is held."""
    for kind in view.snapshot.kinds():
        for obj in view.snapshot.of_kind(kind, name):
            meta = obj.get("metadata") or {}
            if meta.get("deletionTimestamp") and meta.get("finalizers"):
                yield f"{ref_of(obj)} ({', '.join(meta['finalizers'])})"


def derive(view: View) -> Iterator[Fact]:
    for namespace in view.of_kind("Namespace"):
        meta, status = namespace["metadata"], namespace.get("status") or {}
        if status.get("phase") != "Terminating" and not meta.get("deletionTimestamp"):
            continue
        conditions = {kind: item for kind, item in conditions_of(namespace).items() if item.get("status") == "True"}
        deleted = parse_time(meta.get("deletionTimestamp"))
        failures = {kind: item.get("message") or "" for kind, item in conditions.items() if kind.endswith("Failure")}
        fields = {
            "name": meta["name"],
            "phase": status.get("phase") or ("Terminating" if deleted else ""),
            "deleting.seconds": int(view.snapshot.taken_at - deleted) if deleted else None,
            "remaining": (conditions.get("NamespaceContentRemaining") or {}).get("message") or "",
            "finalizers": (conditions.get("NamespaceFinalizersRemaining") or {}).get("message") or "",
            "failure": "; ".join(failures.values()),
            "failed": next(iter(failures), ""),
            "groups": tuple(dict.fromkeys(_GROUP.findall("; ".join(failures.values())))),
            "holders": tuple(_holders(view, meta["name"])),
            "own": tuple(meta.get("finalizers") or ()),
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
