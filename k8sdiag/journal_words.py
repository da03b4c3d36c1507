"""What the kubelet wrote in its journal about a pod or an image: for when the event that said so has expired."""

from __future__ import annotations

import re

from k8sdiag.clock import format_time
from k8sdiag.evidence import Snapshot
from k8sdiag.finding import Proof
from k8sdiag.patterns import regex

_ERR = regex(r'err="((?:[^"\\]|\\.)*)"')
_SPREAD = regex(r"err=<(.*?)>(?: \w+=|$)", re.DOTALL)


def journal_error(snapshot: Snapshot, node: str, start: str, needle: str) -> tuple[str, Proof | None]:
    """The newest `err=` of a node's kubelet, in a line that holds both texts, with its proof; ('', None) for none."""
    for entry in reversed(snapshot.journal.get((node, "kubelet"), [])):
        text = entry.message[:8000]
        if start not in text or needle not in text:
            continue
        found = _ERR.search(text) or _SPREAD.search(text)
        if found:
            said = found.group(1).replace('\\"', '"').replace("\\n", " ").replace("\\t", " ")
            proof = Proof("journal", f"node/{node} kubelet", format_time(entry.at), " ".join(text.split()))
            return " ".join(said.split()), proof
    return "", None
