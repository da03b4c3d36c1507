"""What a node's journals complain of: one fact for each node and unit, with its warnings and errors as text.

Sample: `E1121 23:08:45.101 9589 kubelet.go:2475] "Skipping pod synchronization" err="container runtime is down"`;
`time="..." level=error msg="failed to load cni during init ..."`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from k8sdiag.clock import format_time
from k8sdiag.evidence import JournalEntry, Ref
from k8sdiag.facts import Fact
from k8sdiag.finding import Proof
from k8sdiag.patterns import regex
from k8sdiag.relations import View

KIND = "journal"
KEYS = ("node",)
FIELDS = {
    "unit": "kubelet, containerd, docker, crio or kernel",
    "node": "the node",
    "text": "its warnings and errors, a line each, repeats left out",
    "recent": "those of the last two minutes",
    "last": "the last of them",
    "lines": "how many there were",
    "oom": "the process that the kernel killed last because the whole node was out of memory",
    "oom.seconds": "seconds since then",
}
MAX_LINES = 400
RECENT = 120.0
_COMPLAINS = regex(
    r"^[EWF]\d{4} |level=(?:error|warning|fatal)|oom-kill|Out of memory|Killed process|Failed|[Ee]rror"
    r"|table full|blocked for more than|read-only|^BUG: |unregister_netdevice"
)


def derive(view: View) -> Iterator[Fact]:
    for (node, unit), entries in view.snapshot.journal.items():
        if Ref("Node", "", node) not in view and view.refs is not None:
            continue
        complaints = [entry for entry in entries if entry.priority <= 4 or _COMPLAINS.search(entry.message[:400])]
        kept = _without_repeats(complaints[-20 * MAX_LINES :])[-MAX_LINES:]
        if not kept:
            continue
        text = "\n".join(" ".join(entry.message[:2000].split()) for entry in kept)
        recent = "\n".join(
            " ".join(entry.message[:2000].split()) for entry in kept if view.snapshot.taken_at - entry.at <= RECENT
        )
        last, lines = kept[-1].message[:2000], len(complaints)
        fields: dict[str, Any] = {
            "unit": unit,
            "node": node,
            "text": text,
            "recent": recent,
            "last": last,
            "lines": lines,
        }
        fields |= _oom(view, complaints if unit == "kernel" else [])
        proof = tuple(
            Proof("journal", f"node/{node} {unit}", format_time(entry.at), " ".join(entry.message[:2000].split()))
            for entry in kept[-2:]
        )
        yield Fact(KIND, Ref("Node", "", node), fields, {"node": (node,)}, proof)


_OOM = regex(r"Out of memory: Kill(?:ed)? process (\d+ \([^)]*\))")  # of a cgroup: Memory cgroup out of memory


def _oom(view: View, entries: list[JournalEntry]) -> dict[str, Any]:
    for entry in reversed(entries):
        found = _OOM.search(entry.message[:400])
        if found:
            return {"oom": found.group(1), "oom.seconds": int(view.snapshot.taken_at - entry.at)}
    return {"oom": "", "oom.seconds": None}


_VARIABLE = regex(r"\d+|[0-9a-f]{8,}")


def _without_repeats(entries: list[JournalEntry]) -> list[JournalEntry]:
    """The last of each kind of line (numbers and ids aside), in order."""
    last: dict[str, JournalEntry] = {}
    for entry in entries:
        shape = _VARIABLE.sub("#", entry.message[:300])
        last.pop(shape, None)
        last[shape] = entry
    return list(last.values())
