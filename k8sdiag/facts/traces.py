"""Journal lines that concern one pod, by its uid, its namespace/name or its containers' ids; one fact a pod.

Sample: `E1121 22:32:46.4 9589 pod_workers.go:1301] "Error syncing pod, skipping" err="failed to \\"StartContainer\\"
for \\"app\\" with CreateContainerConfigError: ..." pod="shop/web" podUID="8f2f24ae-..."`.
"""

from __future__ import annotations

from collections.abc import Iterator

from k8sdiag.clock import format_time
from k8sdiag.evidence import JournalEntry, Json, ref_of
from k8sdiag.facts import Fact, pod_keys
from k8sdiag.finding import Proof
from k8sdiag.journal_words import said
from k8sdiag.patterns import regex
from k8sdiag.podstate import is_quiet
from k8sdiag.relations import View

KIND = "trace"
KEYS = ("pod", "node", "workload", "claim", "namespace")
FIELDS = {
    "text": "the kubelet's and the runtime's complaints about this pod, a line each",
    "said": "the same in plain words, without headers and quoting: PreStop hook failed: ...",
    "last": "the last of them, in plain words",
    "lines": "how many there were",
}
_ID = regex(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{64}|pods?=\[?\"([^\"/]+/[^\"]+)\"")
_COMPLAINS = regex(r"^[EWF]\d{4} |level=(?:error|warning|fatal)|oom-kill|Killed process")


def derive(view: View) -> Iterator[Fact]:
    lines = _by_id(view) if view.snapshot.journal else {}
    if not lines:
        return
    for pod in view.of_kind("Pod"):
        if is_quiet(pod):
            continue
        entries = {id(entry): entry for name in _names(pod) for entry in lines.get(name, ())}
        kept = sorted(entries.values(), key=lambda entry: entry.at)[-100:]
        if not kept:
            continue
        text = "\n".join(" ".join(entry.message[:4000].split()) for entry in kept)
        plain = [said(entry.message[:4000]) for entry in kept]
        fields = {"text": text, "said": "\n".join(plain), "last": plain[-1], "lines": len(entries)}
        proof = tuple(
            Proof(
                "journal",
                f"node/{entry.node} {entry.unit}",
                format_time(entry.at),
                " ".join(entry.message[:4000].split()),
            )
            for entry in kept[-1:]
        )
        yield Fact(KIND, ref_of(pod), fields, pod_keys(view, pod), proof)


def _by_id(view: View) -> dict[str, list[JournalEntry]]:
    """Uid, container id or namespace/name to the complaints that mention it: one pass over the journals."""
    found: dict[str, list[JournalEntry]] = {}
    for entries in view.snapshot.journal.values():
        for entry in entries:
            if not _COMPLAINS.search(entry.message[:400]):
                continue
            for hit in {match.group(1) or match.group() for match in _ID.finditer(entry.message[:8000])}:
                found.setdefault(hit, []).append(entry)
    return found


def _names(pod: Json) -> Iterator[str]:
    meta = pod["metadata"]
    yield meta.get("uid") or ""
    yield f"{meta.get('namespace')}/{meta['name']}"
    status = pod.get("status") or {}
    for item in (status.get("containerStatuses") or []) + (status.get("initContainerStatuses") or []):
        for holder in (item, *((item.get(part) or {}).get("terminated") or {} for part in ("state", "lastState"))):
            yield (holder.get("containerID") or "").split("//")[-1]
