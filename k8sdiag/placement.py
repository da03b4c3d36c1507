"""Why the scheduler places a pod nowhere: its message in parts, each node checked against the pod, and the smallest
change that would place it.

Message grammar: pkg/scheduler/framework/types.go FitError.Error; reasons: appendix C of the failure catalogue
(the plugins' `ErrReason` constants).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from k8sdiag.evidence import Json, Snapshot
from k8sdiag.podstate import is_finished
from k8sdiag.quantity import format_quantity, parse_quantity
from k8sdiag.selectors import format_expression, format_labels, matches_expression, matches_labels

REASONS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("no-nodes", re.compile(r"^no nodes available to schedule pods")),
    ("insufficient", re.compile(r"^Insufficient (?P<resource>\S+)")),
    ("too-many-pods", re.compile(r"^Too many pods")),
    ("taint", re.compile(r"untolerated taint \{(?P<key>[^:}]*)(?:: (?P<value>[^}]*))?\}")),
    ("cordoned", re.compile(r"^node\(s\) were unschedulable")),
    ("volume-affinity", re.compile(r"PersistentVolume's node affinity|volume node affinity conflict")),
    (
        "affinity",
        re.compile(r"node affinity/selector|scheduler-enforced node affinity|affinity terms conflict|plugin\(?s?\)? \[NodeAffinity"),
    ),
    ("node-name", re.compile(r"didn't match the requested node name")),
    ("ports", re.compile(r"didn't have free ports")),
    ("pod-anti-affinity", re.compile(r"anti-affinity rules")),
    ("pod-affinity", re.compile(r"pod affinity rules")),
    ("spread", re.compile(r"topology spread constraints")),
    ("claim-unbound", re.compile(r"unbound immediate PersistentVolumeClaims")),
    ("claim-missing", re.compile(r'^persistentvolumeclaim "(?P<claim>[^"]+)" not found')),
    ("claim-deleting", re.compile(r'^persistentvolumeclaim "(?P<claim>[^"]+)" is being deleted')),
    ("volume-missing", re.compile(r"non-existent (?:persistentvolume|pv)")),
    ("claim-ephemeral", re.compile(r'waiting for ephemeral volume controller to create the persistentvolumeclaim "(?P<claim>[^"]+)"')),
    ("volume-zone", re.compile(r"no available volume zone|no available disk")),
    ("volume-count", re.compile(r"exceed max volume count")),
    ("volume-exclusive", re.compile(r"ReadWriteOncePod access mode")),
    ("volume-none", re.compile(r"find available persistent volumes to bind|enough free storage")),
    ("device-claim", re.compile(r"resourceclaim|resource claim|device class|allocate all claims")),
    ("extender", re.compile(r"")),
)
"""Slug and pattern of each reason; the last one takes what no other does."""

_HEAD = re.compile(r"^(?:running \S+ plugin[^:]*: )?0/(?P<total>\d+) nodes are available: ")
_COUNTED = re.compile(r"^(?P<count>\d+) (?P<text>.+)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Reason:
    """One item of the scheduler's histogram: how many nodes (None: the whole pod, before nodes were looked at), the
    text, its slug, and the parts its pattern names."""

    text: str
    slug: str
    count: int | None
    parts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A FailedScheduling message in parts."""

    total: int
    reasons: tuple[Reason, ...]
    preemption: str


def parse_message(message: str) -> Refusal:
    """`0/3 nodes are available: 1 Insufficient cpu, 2 node(s) had untolerated taint {a: b}. preemption: ...`."""
    body, _, preemption = message.partition(" preemption: ")
    head = _HEAD.match(body)
    total = int(head.group("total")) if head else 0
    body = body[head.end() :] if head else body
    reasons = []
    for item in body.strip().rstrip(".").split(", "):
        counted = _COUNTED.match(item) if head else None
        text = (counted.group("text") if counted else item).strip().rstrip(".")
        if text:
            slug, parts = classify(text)
            reasons.append(Reason(text, slug, int(counted.group("count")) if counted else None, parts))
    return Refusal(total, tuple(reasons), preemption.strip())


def classify(text: str) -> tuple[str, dict[str, str]]:
    """A reason's slug and named parts."""
    for slug, pattern in REASONS:
        found = pattern.search(text)
        if found:
            return slug, {key: value.strip() for key, value in found.groupdict().items() if value is not None}
    return "extender", {}


def pod_requests(pod: Json) -> dict[str, float]:
    """What the scheduler counts: max(init containers, sum of app containers + sidecars) + overhead
    (pkg/api/v1/resource PodRequests). Limits stand in for requests that are not given."""
    spec = pod.get("spec") or {}
    total: dict[str, float] = {}
    for container in spec.get("containers") or []:
        _add(total, container_requests(container))
    peak: dict[str, float] = {}
    sidecars: dict[str, float] = {}
    for container in spec.get("initContainers") or []:
        own = container_requests(container)
        if container.get("restartPolicy") == "Always":
            _add(total, own)
            _add(sidecars, own)
            own = dict(sidecars)
        else:
            _add(own, sidecars)
        for name, amount in own.items():
            peak[name] = max(peak.get(name, 0), amount)
    for name, amount in peak.items():
        total[name] = max(total.get(name, 0), amount)
    level = (spec.get("resources") or {}).get("requests") or {}
    for name, amount in level.items():
        total[name] = parse_quantity(amount) or 0
    _add(total, {name: parse_quantity(amount) or 0 for name, amount in (spec.get("overhead") or {}).items()})
    return total


def container_requests(container: Json) -> dict[str, float]:
    """Requests of one container, its limits standing in where a request is not given."""
    resources = container.get("resources") or {}
    merged = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return {name: parse_quantity(amount) or 0.0 for name, amount in merged.items()}


def _add(total: dict[str, float], more: Mapping[str, float]) -> None:
    for name, amount in more.items():
        total[name] = total.get(name, 0) + amount


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One thing on one node that keeps the pod off it: the slug as above, and a change that would remove it."""

    slug: str
    text: str
    change: str
    weight: int
    resource: str = ""


CONTROL_PLANE = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")


class Nodes:
    """Each node's room, worked out once for all pending pods of a snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.nodes = list(snapshot.of_kind("Node"))
        self._snapshot = snapshot
        self._used: dict[str, dict[str, float]] = {}

    def used(self, node: str) -> dict[str, float]:
        """Requests of the pods bound to a node that have not finished; `pods` counts them."""
        if node not in self._used:
            total: dict[str, float] = {"pods": 0.0}
            for pod in self._snapshot.pods_on(node):
                if not is_finished(pod):
                    _add(total, pod_requests(pod))
                    total["pods"] += 1
            self._used[node] = total
        return self._used[node]

    def largest(self, resource: str) -> float:
        """The most that any node has allocatable."""
        return max((_allocatable(node).get(resource, 0.0) for node in self.nodes), default=0.0)

    def freest(self, resource: str) -> float:
        """The most that any node has left."""
        return max(
            (_allocatable(n).get(resource, 0.0) - self.used(n["metadata"]["name"]).get(resource, 0.0) for n in self.nodes),
            default=0.0,
        )

    def obstacles(self, pod: Json, node: Json) -> list[Obstacle]:
        """What keeps a pod off a node, as far as objects tell: room, taints, cordon, selector and affinity, ports."""
        return [*_no_room(self, pod, node), *_taints(pod, node), *_selection(pod, node), *_ports(self._snapshot, pod, node)]


def _allocatable(node: Json) -> dict[str, float]:
    found = (node.get("status") or {}).get("allocatable") or {}
    return {name: parse_quantity(amount) or 0.0 for name, amount in found.items()}


def _no_room(nodes: Nodes, pod: Json, node: Json) -> list[Obstacle]:
    name, allocatable = node["metadata"]["name"], _allocatable(node)
    used, found = nodes.used(name), []
    for resource, wanted in {**pod_requests(pod), "pods": 1.0}.items():
        have = allocatable.get(resource, 0.0)
        free = have - used.get(resource, 0.0)
        if wanted <= free + 1e-9 or wanted == 0:
            continue
        shown = {key: format_quantity(resource, value) for key, value in (("w", wanted), ("f", max(free, 0)), ("h", have))}
        if resource == "pods":
            found.append(Obstacle("too-many-pods", f"{shown['h']} pods run there", "free a pod slot or raise maxPods", 2))
        elif resource not in allocatable:
            text, change = f"it has no {resource}", f"install the driver or device plugin that provides {resource}"
            found.append(Obstacle("insufficient", text, change, 6, resource))
        elif wanted > have:
            text = f"{resource} requested {shown['w']}, allocatable {shown['h']}"
            change = f"lower the {resource} request from {shown['w']} to at most {shown['f']}, or add a larger node"
            found.append(Obstacle("insufficient", text, change, 3, resource))
        else:
            text = f"{resource} requested {shown['w']}, free {shown['f']} of {shown['h']}"
            change = f"free {format_quantity(resource, wanted - free)} of {resource} there, or lower the request to {shown['f']}"
            found.append(Obstacle("insufficient", text, change, 2, resource))
    return found


def _taints(pod: Json, node: Json) -> list[Obstacle]:
    spec, found = node.get("spec") or {}, []
    tolerations = (pod.get("spec") or {}).get("tolerations") or []
    if spec.get("unschedulable"):
        found.append(Obstacle("cordoned", "it is cordoned", f"kubectl uncordon {node['metadata']['name']}", 1))
    for taint in spec.get("taints") or []:
        if taint.get("effect") == "PreferNoSchedule" or any(tolerates(item, taint) for item in tolerations):
            continue
        key = taint.get("key") or ""
        if key == "node.kubernetes.io/unschedulable":
            continue
        weight = 8 if key in CONTROL_PLANE else 5 if key.startswith("node.") else 2
        shown = taint_text(taint)
        change = f"mend the node (taint {key})" if key.startswith("node.kubernetes.io/") else f"tolerate or remove taint {shown}"
        found.append(Obstacle("taint", f"taint {shown}", change, weight))
    return found


def taint_text(taint: Json) -> str:
    """`key=value:Effect` as kubectl taint takes it; `key:Effect` without a value."""
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint.get('key')}{value}:{taint.get('effect')}"


def tolerates(toleration: Json, taint: Json) -> bool:
    """Does a toleration tolerate a taint (api/core/v1 Toleration.ToleratesTaint)?"""
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint.get("key"):
        return False
    if toleration.get("operator") == "Exists":
        return True
    return bool(toleration.get("key")) and (toleration.get("value") or "") == (taint.get("value") or "")


def _selection(pod: Json, node: Json) -> list[Obstacle]:
    spec, labels = pod.get("spec") or {}, node["metadata"].get("labels") or {}
    selector = spec.get("nodeSelector") or {}
    found = []
    if not matches_labels(selector, labels):
        lacking = {key: value for key, value in selector.items() if labels.get(key) != value}
        shown = format_labels(lacking)
        have = ", ".join(f"{key}={labels[key]}" for key in lacking if key in labels)
        text = f"nodeSelector wants {shown}" + (f", it has {have}" if have else ", it has no such label")
        change = f"kubectl label node {node['metadata']['name']} {' '.join(f'{k}={v}' for k, v in lacking.items())}"
        found.append(Obstacle("affinity", text, change + (" --overwrite" if have else ""), 2))
    affinity = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get("requiredDuringSchedulingIgnoredDuringExecution")
    terms = (affinity or {}).get("nodeSelectorTerms") or []
    if affinity and not any(_term_matches(term, node) for term in terms):
        text = f"node affinity wants {' or '.join(term_text(term) for term in terms)}"
        found.append(Obstacle("affinity", text, "label the node so, or relax the affinity", 2))
    return found


def _term_matches(term: Json, node: Json) -> bool:
    labels = node["metadata"].get("labels") or {}
    fields = {"metadata.name": node["metadata"]["name"]}
    return all(matches_expression(e, labels) for e in term.get("matchExpressions") or []) and all(
        matches_expression(e, fields) for e in term.get("matchFields") or []
    )


def term_text(term: Json) -> str:
    """A node selector term in kubectl's words."""
    parts = [*(term.get("matchExpressions") or []), *(term.get("matchFields") or [])]
    return " and ".join(format_expression(part) for part in parts)


def host_ports(pod: Json) -> set[tuple[str, str, int]]:
    """(host address, protocol, port) a pod wants for itself on its node."""
    spec, found = pod.get("spec") or {}, set()
    for container in spec.get("containers") or []:
        for port in container.get("ports") or []:
            number = port.get("hostPort") or (port.get("containerPort") if spec.get("hostNetwork") else None)
            if number:
                found.add((port.get("hostIP") or "0.0.0.0", port.get("protocol") or "TCP", int(number)))
    return found


def _ports(snapshot: Snapshot, pod: Json, node: Json) -> list[Obstacle]:
    wanted = host_ports(pod)
    if not wanted:
        return []
    found = []
    for other in snapshot.pods_on(node["metadata"]["name"]):
        for port in sorted(wanted & host_ports(other)) if not is_finished(other) else ():
            text = f"host port {port[2]}/{port[1]} is taken by pod {other['metadata']['namespace']}/{other['metadata']['name']}"
            found.append(Obstacle("ports", text, "use a Service instead of hostPort, or another port", 2))
    return found


def smallest_change(pod: Json, nodes: Nodes) -> tuple[str, list[str], set[str], dict[str, list[str]]]:
    """(the sentence, a line for each node, the slugs that stand in the way on the best node, slug to its nodes)."""
    best: tuple[int, str, list[Obstacle]] | None = None
    lines: list[str] = []
    by_slug: dict[str, list[str]] = {}
    for node in nodes.nodes:
        name, obstacles = node["metadata"]["name"], nodes.obstacles(pod, node)
        for obstacle in obstacles:
            by_slug.setdefault(obstacle.slug, []).append(name)
        if obstacles:
            lines.append(f"{name}: {'; '.join(obstacle.text for obstacle in obstacles)}")
            weight = sum(obstacle.weight for obstacle in obstacles)
            if best is None or weight < best[0]:
                best = (weight, name, obstacles)
    if best is None:
        return "", lines, set(), by_slug
    changes = " and ".join(obstacle.change for obstacle in best[2])
    return f"node {best[1]} would take it: {changes}", lines, {obstacle.slug for obstacle in best[2]}, by_slug
