"""The fast path: pods that ask for the same share what was found out about each node.

Kubernetes 1.34 began to reuse results between pods alike ("opportunistic batching"); here it is what makes ten thousand
pods on five thousand nodes a matter of seconds. It serves pods for which a node's answer depends on that node alone:
no pod affinity around, no constraints, host ports or claims. A node's answer is dropped when the node is touched, so
a decision costs a few operations on slices instead of five hundred looks at nodes. Its decisions are those of `search`,
which a property test holds it to.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator

import orjson

from k8sdiag.minicluster.scheduler import node_affinity, resources, scores, spreading, taints
from k8sdiag.minicluster.scheduler.counts import HOSTNAME, ZONE_LABEL
from k8sdiag.minicluster.scheduler.pods import PodInfo
from k8sdiag.minicluster.scheduler.search import Outcome, Search, enough, pick, prepare
from k8sdiag.minicluster.scheduler.snapshot import Snapshot
from k8sdiag.minicluster.scheduler.status import Diagnosis, Status
from k8sdiag.minicluster.scheduler.terms import Selector

_UNKNOWN, _REFUSED = -1, -2
_KEPT = 128
_STRIDE = 64
_FEW = 100


class Shape:
    """What pods of one kind get of each node: a score, or an objection. By the node's index."""

    def __init__(self, pod: PodInfo, snapshot: Snapshot) -> None:
        self.pod = pod
        self._snapshot = snapshot
        self._requests = resources.prepare(pod)
        self.needs = node_affinity.wanted(pod)
        self._preferred = node_affinity.preferences(pod)
        self._epoch = -1
        self._seen = 0
        self._empty()

    def _empty(self) -> None:
        count = len(self._snapshot.nodes)
        self.totals = [_UNKNOWN] * count
        self.statuses: list[Status | None] = [None] * count
        self.unwelcome = [0] * count
        self.liking = [0] * count
        self.refusal: Diagnosis | None = None  # what was said when nothing would do, until something changes
        self.prefers = False  # whether any node is less welcome, or more liked, than another

    def refresh(self) -> None:
        """Forget what was found out about nodes that were touched since."""
        snapshot = self._snapshot
        if self._epoch != snapshot.epoch:
            self._epoch = snapshot.epoch
            self._empty()
        elif self._seen < len(snapshot.changes):
            self.refusal = None
            totals = self.totals
            for index in snapshot.changes[self._seen :]:
                totals[index] = _UNKNOWN
        self._seen = len(snapshot.changes)

    def look(self, index: int) -> None:
        node, pod = self._snapshot.nodes[index], self.pod
        status = (
            taints.check_cordon(None, pod, node)
            or taints.check_taints(None, pod, node)
            or (node_affinity.check(self.needs, pod, node) if self.needs is not None else None)
            or resources.check(self._requests, pod, node)
        )
        self.statuses[index] = status
        if status is not None:
            self.totals[index] = _REFUSED
            return
        self.totals[index] = scores.least_allocated(pod, node) + scores.balanced(pod, node)
        if node.preferring or self._preferred:
            self.unwelcome[index] = taints.unwelcome(pod, node)
            self.liking[index] = node_affinity.liking(self._preferred, node)
            self.prefers = self.prefers or bool(self.unwelcome[index] or self.liking[index])
        elif self.prefers:
            self.unwelcome[index] = self.liking[index] = 0

    def runs(self, start: int, most: int) -> Iterator[tuple[int, list[int]]]:
        """Stretches of scores from `start` on, until `most` nodes will do: (first index, scores)."""
        totals, count = self.totals, len(self.totals)
        at, left, seen = start, most, 0
        while left > 0 and seen < count:
            take = min(max(left, _STRIDE), count - seen, count - at)
            stretch = totals[at : at + take]
            if _UNKNOWN in stretch:
                for offset, total in enumerate(stretch):
                    if total == _UNKNOWN:
                        self.look(at + offset)
                stretch = totals[at : at + take]
            good = take - stretch.count(_REFUSED)
            if good > left:
                stretch = _cut(stretch, left)
                good, take = left, len(stretch)
            yield at, stretch
            left -= good
            seen += take
            at = (at + take) % count


def _cut(stretch: list[int], most: int) -> list[int]:
    """Up to the last of `most` that will do."""
    for offset, total in enumerate(stretch):
        if total >= 0:
            most -= 1
            if not most:
                return stretch[: offset + 1]
    return stretch


class Shapes:
    """A Search that remembers. `find` answers None for pods that only the plain path can place."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self._snapshot = search.world.snapshot
        self._shapes: OrderedDict[bytes, Shape] = OrderedDict()

    def find(self, pod: PodInfo) -> Outcome | None:
        snapshot = self._snapshot
        if not pod.simple or pod.node_name or pod.nominated or snapshot.nominated or self._wanted_by_others(pod):
            return None
        shape = self._shape(pod)
        if shape.needs is not None and shape.needs.names is not None:
            return None
        nodes, search = snapshot.nodes, self._search
        shape.refresh()
        if shape.refusal is not None:
            return Outcome(None, shape.refusal, prepare(pod, search.world))
        runs = list(shape.runs(search.start, enough(len(nodes))))
        seen = sum(len(stretch) for _, stretch in runs)
        refused = sum(stretch.count(_REFUSED) for _, stretch in runs)
        search.start = (search.start + seen) % len(nodes)
        if refused == seen:
            return Outcome(None, self._diagnosis(shape), prepare(pod, search.world))
        best = self._best(pod, shape, runs, seen - refused)
        node = nodes[best[0]] if len(best) == 1 else pick(search.random, [nodes[each] for each in best])
        return Outcome(node, Diagnosis(), [])

    def _wanted_by_others(self, pod: PodInfo) -> bool:
        """Whether pods that are there have a say in where this one goes. With very many such pods: perhaps."""
        others = self._snapshot.affine
        if not others:
            return False
        if len(others) > _FEW:
            return True
        labels = self._search.world.namespace_labels
        return any(term.matches(pod.namespace, pod.labels, labels) for other in others.values() for term in other.terms)

    def _shape(self, pod: PodInfo) -> Shape:
        spec = pod.spec
        node_rules = (spec.get("affinity") or {}).get("nodeAffinity")
        key = orjson.dumps(
            (pod.requests, pod.scored, spec.get("nodeSelector"), node_rules, pod.tolerations),
            option=orjson.OPT_SORT_KEYS,
        )
        shape = self._shapes.get(key)
        if shape is None:
            shape = self._shapes[key] = Shape(pod, self._snapshot)
            if len(self._shapes) > _KEPT:
                self._shapes.popitem(last=False)
        else:
            self._shapes.move_to_end(key)
        return shape

    def _diagnosis(self, shape: Shape) -> Diagnosis:
        if shape.refusal is None:
            pairs = zip(self._snapshot.nodes, shape.statuses, strict=True)
            statuses = {node.name: status for node, status in pairs if status is not None}
            counted = Counter(statuses.values())
            shape.refusal = Diagnosis(statuses, plugins={status.plugin for status in counted}, counted=counted)
        return shape.refusal

    def _best(self, pod: PodInfo, shape: Shape, runs: list[tuple[int, list[int]]], feasible: int) -> list[int]:
        """The indexes of the nodes with the highest score, in the order in which they were looked at."""
        images = scores.images_of(pod)
        local = scores.images_matter(images, self._snapshot.image_nodes)
        chosen = self._search.workloads.selector(pod)
        spread = chosen if chosen is not None and self._uneven(pod, chosen) else None
        if feasible > 1 and (shape.prefers or local or spread is not None):
            return self._weighed(pod, shape, runs, images if local else [], spread)
        highest = max(max(stretch) for _, stretch in runs)
        return [
            at + offset for at, stretch in runs if highest in stretch for offset, total in enumerate(stretch)
            if total == highest
        ]  # fmt: skip

    def _uneven(self, pod: PodInfo, chosen: Selector) -> bool:
        snapshot = self._snapshot
        return not snapshot.uniform or snapshot.counts(pod.namespace, chosen).total > 0

    def _weighed(
        self, pod: PodInfo, shape: Shape, runs: list[tuple[int, list[int]]], images: list[str], chosen: Selector | None
    ) -> list[int]:
        """As above, with the scores that depend on which nodes are compared."""
        snapshot = self._snapshot
        nodes = snapshot.nodes
        indexes = [at + offset for at, stretch in runs for offset, total in enumerate(stretch) if total >= 0]
        totals = [shape.totals[index] for index in indexes]
        extra: list[tuple[list[int], int]] = []
        if images:
            count = len(nodes)
            spread = snapshot.image_nodes
            extra.append(([scores.image_locality(images, nodes[each], spread, count) for each in indexes], 1))
        if shape.prefers:
            unwelcome = scores.normalized([shape.unwelcome[each] for each in indexes], reverse=True)
            extra.append((unwelcome, scores.TAINTS))
            extra.append((scores.normalized([shape.liking[each] for each in indexes]), scores.AFFINITY))
        if chosen is not None:
            extra.append((self._spread(pod, shape, indexes, chosen), scores.SPREAD))
        for values, weight in extra:
            totals = [total + value * weight for total, value in zip(totals, values, strict=True)]
        highest = max(totals)
        return [index for index, total in zip(indexes, totals, strict=True) if total == highest]

    def _spread(self, pod: PodInfo, shape: Shape, indexes: list[int], chosen: Selector) -> list[int]:
        """spreading.scores for the default constraints, from counts that are kept."""
        snapshot = self._snapshot
        nodes = snapshot.nodes
        counts = snapshot.counts(pod.namespace, chosen)
        zones = [nodes[each].labels.get(ZONE_LABEL) for each in indexes]
        in_zones = counts.zones if shape.needs is None else self._zones(shape.needs, counts.nodes)
        by_host, by_zone = spreading.weight(len(indexes)), spreading.weight(len({zone or "" for zone in zones}))
        known: dict[tuple[int, str | None], int] = {}
        raw: list[int | None] = []
        for index, zone in zip(indexes, zones, strict=True):
            number = counts.nodes[index] if HOSTNAME in nodes[index].labels else _UNKNOWN
            key = (number, zone)
            value = known.get(key)
            if value is None:
                total = 0.0
                if number != _UNKNOWN:
                    total += spreading.credit(number, spreading.HOST_SKEW, by_host)
                if zone is not None:
                    total += spreading.credit(in_zones.get(zone, 0), spreading.ZONE_SKEW, by_zone)
                value = known[key] = spreading.rounded(total)
            raw.append(value)
        return spreading.normalized(raw)

    def _zones(self, needs: node_affinity.Wanted, numbers: list[int]) -> dict[str, int]:
        """Matching pods by zone, on the nodes that the pod's node affinity allows."""
        found: dict[str, int] = {}
        for node, number in zip(self._snapshot.nodes, numbers, strict=True):
            zone = node.labels.get(ZONE_LABEL)
            if number and zone is not None and node_affinity.fits(needs, node):
                found[zone] = found.get(zone, 0) + number
        return found
