"""The scheduler's `0/N nodes are available: ...` in parts.

Message grammar: pkg/scheduler/framework/types.go FitError.Error; reasons: the plugins' `ErrReason` constants
(appendix C of the failure catalogue), with the wordings of older releases.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from k8sdiag.patterns import regex

REASONS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("no-nodes", regex(r"^no nodes available to schedule pods")),
    ("insufficient", regex(r"^Insufficient (?P<resource>\S+)")),
    ("too-many-pods", regex(r"^Too many pods")),
    (
        "taint",
        regex(r"(?:untolerated taint(?:\(s\))?|had taints?)\b\)?(?: \{(?P<key>[^:}]*)(?:: (?P<value>[^}]*))?\})?"),
    ),
    ("cordoned", regex(r"^node\(s\) were unschedulable")),
    ("volume-affinity", regex(r"PersistentVolume's node affinity|volume node affinity conflict")),
    (
        "affinity",
        regex(
            r"Pod's node affinity|node affinity/selector|scheduler-enforced node affinity|affinity terms conflict"
            r"|match node selector|plugin\(?s?\)? \[NodeAffinity"
        ),
    ),
    ("node-name", regex(r"didn't match the requested (?:node name|hostname)")),
    ("ports", regex(r"didn't have free ports")),
    ("existing-anti-affinity", regex(r"existing pods'? anti-affinity rules")),
    ("pod-anti-affinity", regex(r"anti-affinity rules")),
    ("pod-affinity", regex(r"pod affinity rules|pod affinity/anti-affinity")),
    ("spread", regex(r"topology spread constraints(?P<label> \(missing required label\))?")),
    ("claim-unbound", regex(r"unbound immediate PersistentVolumeClaims")),
    ("claim-missing", regex(r'^persistentvolumeclaim "(?P<claim>[^"]+)" not found')),
    ("claim-deleting", regex(r'^persistentvolumeclaim "(?P<claim>[^"]+)" is being deleted')),
    (
        "volume-missing",
        regex(
            r'persistentvolumeclaim "(?P<claim>[^"]+)" bound to non-existent persistentvolume "(?P<volume>[^"]*)"'
            r"|non-existent (?:persistentvolume|pv)"
        ),
    ),
    (
        "claim-ephemeral",
        regex(r'waiting for ephemeral volume controller to create the persistentvolumeclaim "(?P<claim>[^"]+)"'),
    ),
    ("volume-zone", regex(r"no available volume zone|no available disk")),
    ("volume-count", regex(r"exceed max volume count")),
    ("volume-exclusive", regex(r"ReadWriteOncePod access mode")),
    ("volume-none", regex(r"find available persistent volumes to bind|enough free storage")),
    ("device-claim", regex(r"resourceclaim|resource claim|device class|allocate all claims", re.IGNORECASE)),
    ("extender", regex(r"")),
)
"""Slug and pattern of each reason; the last one takes what no other does."""

_HEAD = regex(r"^(?:running \S+ plugin[^:]*: )?0/(?P<total>\d+) nodes are available:(?: |$)")
_COUNTED = regex(r"^(?P<count>\d+) (?P<text>.+)$", re.DOTALL)
_NEXT = regex(r", (?=\d+ )")
_AFTER = regex(
    r"\. (?:no new claims to deallocate|still not schedulable|deallocation of ResourceClaim completed)[.,]?$"
)
_OLD_TAINT = ", that the pod didn't tolerate"


@dataclass(frozen=True, slots=True)
class Reason:
    """One item of the scheduler's histogram: how many nodes (None: the whole pod, before nodes were looked at), the
    text, its slug, and the parts its pattern names."""

    text: str
    slug: str
    count: int | None
    parts: Mapping[str, str] = field(default_factory=dict)

    @property
    def about(self) -> tuple[str, str]:
        """What tells two reasons of a slug apart: the resource, the taint's key."""
        return self.slug, self.parts.get("resource") or self.parts.get("key") or ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A FailedScheduling message in parts."""

    total: int
    reasons: tuple[Reason, ...]
    preemption: str


def parse_message(message: str) -> Refusal:
    """`0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {a: b}. preemption: ...`.

    Either the histogram, or (where the pod was refused before nodes were looked at) one text without a count."""
    body, _, preemption = message.partition(" preemption: ")
    head = _HEAD.match(body)
    total = int(head.group("total")) if head else 0
    body = _AFTER.sub(".", body[head.end() :] if head else body).strip().removesuffix(".")
    body = body.replace(_OLD_TAINT, "")
    counted = head is not None and _COUNTED.match(body) is not None
    items = _NEXT.split(body) if counted else [body]
    reasons = tuple(_reason(item, counted) for item in items if item.strip())
    return Refusal(total, reasons, preemption.strip())


def _reason(item: str, counted: bool) -> Reason:
    found = _COUNTED.match(item) if counted else None
    text = (found.group("text") if found else item).strip()
    slug, parts = classify(text)
    return Reason(text, slug, int(found.group("count")) if found else None, parts)


def classify(text: str) -> tuple[str, dict[str, str]]:
    """A reason's slug and named parts."""
    for slug, pattern in REASONS:
        found = pattern.search(text)
        if found:
            return slug, {key: value.strip() for key, value in found.groupdict().items() if value is not None}
    return "extender", {}
