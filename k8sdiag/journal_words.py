"""What the kubelet wrote in its journal about a pod or an image: for when the event that said so has expired."""

from __future__ import annotations

import re

from k8sdiag.clock import format_time
from k8sdiag.evidence import Snapshot
from k8sdiag.finding import Proof
from k8sdiag.patterns import regex

_ERR = regex(r'\berr(?:or)?="((?:[^"\\]|\\.)*)"')
_SPREAD = regex(r"err=<(.*?)>(?: \w+=|$)", re.DOTALL)


def journal_error(
    snapshot: Snapshot, node: str, start: str, needle: str, unit: str = "kubelet"
) -> tuple[str, Proof | None]:
    """The newest `err=` of a node's unit, in a line that holds both texts, with its proof; ('', None) for none."""
    for entry in reversed(snapshot.journal.get((node, unit), [])):
        text = entry.message[:8000]
        if start not in text or needle not in text:
            continue
        found = _ERR.search(text) or _SPREAD.search(text)
        if found:
            words = unquoted(found.group(1))
            proof = Proof("journal", f"node/{node} {unit}", format_time(entry.at), " ".join(text.split()))
            return " ".join(words.split()), proof
    return "", None


_ESCAPED = regex(r"\\(.)")
_KLOG = regex(r"[IWEF]\d{4} [\d:.]+ +\d+ [\w.-]+\.go:\d+\] ")
_LOGFMT = regex(r'time="?[^" ]*"? level=\w+ ')
_QUOTED = regex(r'(?:^|msg=)"((?:[^"\\]|\\.)*)"')
_OPERATION = regex(r"Operation for .{0,300}? failed\. No retries .*?\(durationBeforeRetry \S+\)\. Error: ")
_UNIQUE = regex(r' \(UniqueName: "[^"]*"\)(?: pod "[^"]*" \(UID: "[^"]*"\))?')


def said(message: str) -> str:
    """A line of the kubelet's or the runtime's journal in plain words: `PreStop hook failed: exec: "/drain": ...`,
    without its header, its quoting and its other values."""
    text = message[:8000]
    head = _KLOG.match(text) or _LOGFMT.match(text)
    body = text[head.end() :] if head else text
    what, why = _QUOTED.match(body), _ERR.search(body) or _SPREAD.search(body)
    if what is None and why is None:
        body = _UNIQUE.sub("", _OPERATION.sub("", body))
        return " ".join(body.split())
    words = [unquoted(part.group(1)).rstrip(": ") for part in (what, why) if part]
    return " ".join(": ".join(word for word in words if word).split())


def unquoted(value: str) -> str:
    """A quoted value of a journal line as it was before it was quoted (twice, where an error quotes another)."""
    for _ in range(2):
        value = _ESCAPED.sub(lambda found: " " if found.group(1) in "ntr" else found.group(1), value)
    return value


def newest(snapshot: Snapshot, node: str, *needles: str) -> tuple[str, Proof | None]:
    """The newest line of a node's kubelet that holds all these texts, in plain words, with its proof."""
    for entry in reversed(snapshot.journal.get((node, "kubelet"), [])):
        if all(needle in entry.message[:8000] for needle in needles):
            return said(entry.message), Proof(
                "journal", f"node/{node} kubelet", format_time(entry.at), " ".join(entry.message[:4000].split())
            )
    return "", None
