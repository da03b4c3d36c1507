"""What a node's journals complain of: one fact for each node and unit, with its warnings and errors as text.

Sample: `E1121 23:08:45.101 9589 kubelet.go:2475] "Skipping pod synchronization" err="container runtime is down"`;
`time="..." level=error msg="failed to load cni during init ..."`.
"""

from __future__ import annotations

from collections.abc import Iterator

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
        fields = {"unit": unit, "node": node, "text": text, "recent": recent, "last": last, "lines": lines}
        proof = tuple(
            Proof("journal", f"node/{node} {unit}", format_time(entry.at), " ".join(entry.message[:2000].split()))
            for entry in kept[-2:]
        )
        yield Fact(KIND, Ref("Node", "", node), fields, {"node": (node,)}, proof)


_VARIABLE = regex(r"\d+|[0-9a-f]{8,}")


def _without_repeats(entries: list[JournalEntry]) -> list[JournalEntry]:
    """The last of each kind of line (numbers and ids aside), in order."""
    last: dict[str, JournalEntry] = {}
    for entry in entries:
        shape = _VARIABLE.sub("#", entry.message[:300])
        last.pop(shape, None)
        last[shape] = entry
    return list(last.values())
