"""Each node held against a pending pod, in the order of the scheduler's filters, and the smallest change among them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from k8sdiag.evidence import Json, Snapshot
from k8sdiag.placement.labels import lacking, near_labels, wanted_labels
from k8sdiag.placement.message import Refusal
from k8sdiag.placement.neighbours import Asked, Neighbours, name_of
from k8sdiag.placement.requests import is_extended, pod_requests
from k8sdiag.placement.taints import CORDON, taint_text, untolerated
from k8sdiag.placement.volumes import Bound, bound_volumes, exclusive_holders, refusals
from k8sdiag.podstate import is_finished
from k8sdiag.quantity import format_quantity, parse_quantity
from k8sdiag.references import claim_names

ROOM = ("insufficient", "too-many-pods")
CONTROL_PLANE = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One thing on one node that keeps the pod off it: slug and subject (resource, taint key) as a Reason's `about`,
    the fact in words, a change that would remove it and how much that change is, the pods in the way, and the rule."""

    slug: str
    text: str
    change: str
    weight: int
    what: str = ""
    pods: tuple[str, ...] = ()
    rule: str = ""

    @property
    def about(self) -> tuple[str, str]:
        """As Reason.about."""
        return self.slug, self.what


@dataclass(frozen=True, slots=True)
class Verdict:
    """What stands in the way on each node, and the node where the least does ('' where no node is known)."""

    change: str
    nearest: str
    by_node: dict[str, list[Obstacle]]
    _told: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def main(self) -> set[tuple[str, str]]:
        """What stands in the way on the nearest node."""
        return {obstacle.about for obstacle in self.by_node.get(self.nearest, ())}

    def blocked(self, about: tuple[str, str]) -> list[str]:
        """Nodes where this stands in the way."""
        if about not in self._told:
            self._told[about] = [
                name for name, found in self.by_node.items() if any(item.about == about for item in found)
            ]
        return self._told[about]

    def roomless(self) -> list[str]:
        """Nodes that lack nothing but room."""
        return [name for name, found in self.by_node.items() if found and all(item.slug in ROOM for item in found)]

    def of(self, about: tuple[str, str]) -> list[tuple[str, Obstacle]]:
        """(node, obstacle) of one kind, the nearest node's first."""
        found = [(name, item) for name, items in self.by_node.items() for item in items if item.about == about]
        return sorted(found, key=lambda pair: pair[0] != self.nearest)

    def lines(self, most: int = 5) -> list[str]:
        """A line for each node, the nearest first."""
        held = [name for name, found in self.by_node.items() if found]
        held.sort(key=lambda name: name != self.nearest)
        shown = [f"{name}: {'; '.join(item.text for item in self.by_node[name])}" for name in held[:most]]
        return [*shown, *([f"and {len(held) - most} more nodes"] if len(held) > most else [])]


class Nodes:
    """Each node's room and pods, worked out once for all pending pods of a snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.nodes = sorted(snapshot.of_kind("Node"), key=lambda node: str(node["metadata"]["name"]))
        self.snapshot = snapshot
        self.neighbours = Neighbours(snapshot, self.nodes)
        self.room = {node["metadata"]["name"]: _allocatable(node) for node in self.nodes}
        self._used: dict[str, dict[str, float]] = {}
        self._asked: dict[str, list[tuple[str, dict[str, float]]]] = {}
        self._verdicts: dict[str, Verdict] = {}

    def used(self, node: str) -> dict[str, float]:
        """Requests of the pods bound to a node that have not finished; `pods` counts them."""
        if node not in self._used:
            total: dict[str, float] = {"pods": 0.0}
            for pod in self.snapshot.pods_on(node):
                if not is_finished(pod):
                    total["pods"] += 1
                    for name, amount in pod_requests(pod).items():
                        total[name] = total.get(name, 0.0) + amount
            self._used[node] = total
        return self._used[node]

    def largest(self, resource: str, of: Sequence[str] = ()) -> float:
        """The most that any node (of those named) has allocatable."""
        return max((self.room[name].get(resource, 0.0) for name in of or self.room), default=0.0)

    def freest(self, resource: str, of: Sequence[str] = ()) -> float:
        """The most that any node (of those named) has left."""
        return max((self.free(name, resource) for name in of or self.room), default=0.0)

    def free(self, node: str, resource: str) -> float:
        """What a node has left of a resource."""
        return self.room[node].get(resource, 0.0) - self.used(node).get(resource, 0.0)

    def named(self, names: Iterable[str]) -> list[Json]:
        """Nodes of these names, or all where none is given."""
        wanted = set(names)
        return [node for node in self.nodes if not wanted or node["metadata"]["name"] in wanted]

    def holders(self, node: str, resource: str) -> list[str]:
        """The pods that request most of a resource on a node: `shop/batch 1500m`."""
        if node not in self._asked:
            there = [pod for pod in self.snapshot.pods_on(node) if not is_finished(pod)]
            self._asked[node] = [(name_of(pod), pod_requests(pod)) for pod in there]
        asked = [(-requests.get(resource, 0.0), name) for name, requests in self._asked[node]]
        return [f"{name} {format_quantity(resource, -amount)}" for amount, name in sorted(asked)[:3] if amount]

    def verdict(self, pod: Json, refusal: Refusal) -> Verdict:
        """Every node held against a pod; worked out once for pods of the same making."""
        shape = _shape(pod, refusal)
        if shape not in self._verdicts:
            self._verdicts[shape] = verdict_of(self, pod, refusal)
        return self._verdicts[shape]


_SHAPE = (
    "nodeSelector",
    "affinity",
    "tolerations",
    "topologySpreadConstraints",
    "overhead",
    "resources",
    "hostNetwork",
)


def _shape(pod: Json, refusal: Refusal) -> str:
    """What a verdict depends on, in one text."""
    spec, meta = pod.get("spec") or {}, pod["metadata"]
    containers = [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]
    asks = [(item.get("resources"), item.get("ports"), item.get("restartPolicy")) for item in containers]
    rest = [spec.get(part) for part in _SHAPE]
    return repr((meta.get("namespace"), meta.get("labels"), sorted(claim_names(pod)), asks, rest, refusal.reasons))


def _allocatable(node: Json) -> dict[str, float]:
    """status.allocatable as numbers."""
    found = (node.get("status") or {}).get("allocatable") or {}
    return {name: parse_quantity(amount) or 0.0 for name, amount in found.items()}


def verdict_of(nodes: Nodes, pod: Json, refusal: Refusal) -> Verdict:
    """Each node's obstacles; where objects show none, what the scheduler said that no other node explains."""
    asked, bounds = nodes.neighbours.asked_by(pod), bound_volumes(nodes.snapshot, pod)
    holders = exclusive_holders(nodes.snapshot, pod)
    by_node: dict[str, list[Obstacle]] = {}
    for node in nodes.nodes:
        by_node[node["metadata"]["name"]] = [
            *_gates(pod, node),
            *_selection(pod, node),
            *_ports(nodes.snapshot, pod, node),
            *_no_room(nodes, pod, node),
            *_exclusive(holders),
            *_volumes(nodes.snapshot, bounds, node),
            *_neighbourly(asked, node),
        ]
    _fill_in(by_node, refusal, nodes, pod)
    held = {name: found for name, found in by_node.items() if found}
    if not held:
        return Verdict("", "", by_node)
    nearest = min(held, key=lambda name: sum(item.weight for item in held[name]))
    changes = list(dict.fromkeys(item.change for item in held[nearest]))
    return Verdict("; and ".join(changes), nearest, by_node)


def _fill_in(by_node: dict[str, list[Obstacle]], refusal: Refusal, nodes: Nodes, pod: Json) -> None:
    """Objects do not tell all (pods of other namespaces, extenders): the scheduler's word fills what is left open."""
    silent = [name for name, found in by_node.items() if not found]
    left = Counter({reason.about: reason.count or 0 for reason in refusal.reasons if reason.count})
    for found in by_node.values():
        left -= Counter({item.about for item in _first(found)})
    for reason in refusal.reasons if silent else ():
        if left[reason.about] > 0:
            for name in silent:
                by_node[name].append(_by_word(reason.about, reason.text, nodes, pod))


def _first(found: list[Obstacle]) -> list[Obstacle]:
    """What the scheduler said of a node: it stops at the first filter that refuses (room is one filter)."""
    return [item for item in found if item.slug == found[0].slug or (item.slug in ROOM and found[0].slug in ROOM)]


def _by_word(about: tuple[str, str], text: str, nodes: Nodes, pod: Json) -> Obstacle:
    slug, what = about
    if slug == "insufficient":
        wanted = format_quantity(what, pod_requests(pod).get(what, 0.0))
        have = format_quantity(what, nodes.largest(what))
        text = f"wants {wanted} {what} of {have} allocatable, and pods that were not collected request the rest"
        return Obstacle(slug, text, f"free {what}, or lower the request of {wanted}", 2, what)
    change = _WORDS.get(slug, f"remove what the scheduler names ({text})")
    return Obstacle(slug, f"the scheduler says: {text}", change, 4, what)


_WORDS = {
    "too-many-pods": "free a pod slot there, or raise the kubelet's maxPods",
    "ports": "give up the hostPort, or choose another",
    "pod-anti-affinity": "make the anti-affinity preferred, or add a node",
    "existing-anti-affinity": "relax the other pod's anti-affinity, or add a node",
    "pod-affinity": "start the pod that it wants beside it, or correct the podAffinity",
    "spread": "relax the topology spread constraint (whenUnsatisfiable: ScheduleAnyway), or add a node",
    "claim-unbound": "get the claim bound",
    "volume-none": "provide a volume for the claim",
    "volume-exclusive": "stop the other pod that uses the claim",
}


def _gates(pod: Json, node: Json) -> Iterator[Obstacle]:
    name, taints = node["metadata"]["name"], untolerated(pod, node)
    cordon = {"key": CORDON, "effect": "NoSchedule"}
    if (node.get("spec") or {}).get("unschedulable") and untolerated(pod, {"spec": {"taints": [cordon]}}):
        yield Obstacle("cordoned", "cordoned (spec.unschedulable: true)", f"uncordon it (kubectl uncordon {name})", 3)
    for taint in taints:
        key, shown = taint.get("key") or "", taint_text(taint)
        if key == CORDON:
            continue
        if key.startswith("node.kubernetes.io/"):
            yield Obstacle("taint", f"taint {shown}", f"mend the node (taint {key})", 7, key)
        elif key.startswith("node.cloudprovider.kubernetes.io/"):
            change = "start the cloud-controller-manager, which removes the taint"
            yield Obstacle("taint", f"taint {shown}", change, 7, key)
        else:
            weight = 8 if key in CONTROL_PLANE else 2
            yield Obstacle("taint", f"taint {shown}", f"tolerate or remove taint {shown}", weight, key)


def _selection(pod: Json, node: Json) -> Iterator[Obstacle]:
    for lack in lacking(pod, node):
        text = f"{lack.wanted} wanted, it has {lack.has or 'no such label'}"
        key, _, value = lack.label.partition("=")
        wanted = [(key, [value])] if key else wanted_labels(pod)
        near = [words for key, values in wanted for words in near_labels(key, values, [node])]
        if "metadata.name" in lack.wanted:
            yield Obstacle("affinity", text, "let the pod name this node", 60)
        elif key == "kubernetes.io/hostname":
            yield Obstacle("affinity", text, "let the pod select this host", 4)
        elif not lack.changeable:
            yield Obstacle("affinity", text, "select its platform, with an image that is built for it", 9)
        elif lack.label:
            change = f"label it {lack.label}" + (f", or correct the nodeSelector ({near[0]})" if near else "")
            yield Obstacle("affinity", text, change, 1 if near else 3)
        else:
            yield Obstacle("affinity", text, "label it as the node affinity wants, or relax that", 1 if near else 3)


def host_ports(pod: Json) -> set[tuple[str, str, int]]:
    """(host address, protocol, port) a pod wants for itself on its node (also of its sidecars)."""
    spec, found = pod.get("spec") or {}, set()
    sidecars = [item for item in spec.get("initContainers") or [] if item.get("restartPolicy") == "Always"]
    for container in [*(spec.get("containers") or []), *sidecars]:
        for port in container.get("ports") or []:
            number = port.get("hostPort") or (port.get("containerPort") if spec.get("hostNetwork") else None)
            if number:
                found.add((port.get("hostIP") or "0.0.0.0", port.get("protocol") or "TCP", int(number)))  # noqa: S104 all addresses
    return found


def _clash(one: tuple[str, str, int], other: tuple[str, str, int]) -> bool:
    every = ("0.0.0.0", "::")  # noqa: S104 what the scheduler calls all addresses
    return one[1:] == other[1:] and (one[0] == other[0] or one[0] in every or other[0] in every)


def _ports(snapshot: Snapshot, pod: Json, node: Json) -> Iterator[Obstacle]:
    wanted = host_ports(pod)
    for other in snapshot.pods_on(node["metadata"]["name"]) if wanted else ():
        taken = host_ports(other) if not is_finished(other) else set()
        for port in sorted(own for own in wanted if any(_clash(own, its) for its in taken)):
            text = f"host port {port[2]}/{port[1]} is taken by pod {name_of(other)}"
            change = f"give up hostPort {port[2]} (use a Service), choose another, or stop pod {name_of(other)}"
            yield Obstacle("ports", text, change, 2, pods=(name_of(other),), rule=f"{port[2]}/{port[1]}")


def _no_room(nodes: Nodes, pod: Json, node: Json) -> Iterator[Obstacle]:
    name = node["metadata"]["name"]
    for resource, wanted in {**pod_requests(pod), "pods": 1.0}.items():
        left = nodes.free(name, resource)
        if wanted == 0 or wanted <= left * (1 + 1e-12) + 1e-9:
            continue
        have = nodes.room[name].get(resource, 0.0)
        asks, rest, size = (format_quantity(resource, value) for value in (wanted, max(left, 0.0), have))
        if resource == "pods":
            yield Obstacle("too-many-pods", f"{size} pods run there, and no more may", _WORDS["too-many-pods"], 3)
        elif have == 0 and is_extended(resource):
            yield Obstacle("insufficient", f"it has no {resource}", f"install what provides {resource}", 9, resource)
        elif have == 0:
            yield Obstacle(
                "insufficient", f"it has 0 {resource} allocatable", f"set {resource} aside there", 9, resource
            )
        elif wanted > have:
            change = f"lower the {resource} request from {asks}" + (f" to at most {rest}" if left > 0 else "")
            text = f"wants {asks} {resource}, allocatable {size}"
            yield Obstacle("insufficient", text, f"{change}, or add a larger node", 4, resource)
        else:
            lower = f", or lower the request from {asks} to {rest}" if left > 0 else ""
            change = f"free {format_quantity(resource, wanted - left)} {resource} there{lower}"
            pods = tuple(nodes.holders(name, resource))
            text = f"wants {asks} {resource}, free {rest} of {size} (requested by {', '.join(pods)})"
            yield Obstacle("insufficient", text, change, 2, resource, pods)


def _exclusive(holders: list[str]) -> Iterator[Obstacle]:
    for holder in holders:
        text = f"pod {holder} uses the ReadWriteOncePod claim"
        yield Obstacle("volume-exclusive", text, f"stop pod {holder.split()[0]}", 2, pods=(holder,))


def _volumes(snapshot: Snapshot, bounds: list[Bound], node: Json) -> Iterator[Obstacle]:
    for item in refusals(snapshot, bounds, node):
        full = item.slug == "volume-count"
        change = "detach a volume there, or add a node" if full else "run the pod where its volume is"
        yield Obstacle(item.slug, item.text, change, 6, pods=item.pods)


def _neighbourly(asked: Asked, node: Json) -> Iterator[Obstacle]:
    for item in asked.objections(node):
        change = item.change or _WORDS[item.slug]
        yield Obstacle(item.slug, item.text, change, 3, pods=item.pods, rule=item.rule)
