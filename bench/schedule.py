"""The scheduler's own part of placing 10,000 pods on 5,000 nodes, no API server in between: within a millisecond a pod,
for bare pods, for those of one Service, and where nothing fits."""

import sys
import time
from random import Random

from k8sdiag.evidence import Json
from k8sdiag.minicluster.scheduler.plugin import Found, World
from k8sdiag.minicluster.scheduler.pods import PodInfo
from k8sdiag.minicluster.scheduler.preemption import decide
from k8sdiag.minicluster.scheduler.search import Search
from k8sdiag.minicluster.scheduler.shapes import Shapes
from k8sdiag.minicluster.scheduler.snapshot import Snapshot
from k8sdiag.minicluster.scheduler.spreading import Workloads

NODES, PODS = 5_000, 10_000
MILLISECONDS = 1.0
SERVICE = {"metadata": {"name": "web", "namespace": "shop"}, "spec": {"selector": {"app": "web"}}}


class Services:
    """All there is to look up."""

    def find(self, resource: str, namespace: str, name: str) -> Json | None:
        return next((each for each in self.list(resource, namespace) if each["metadata"]["name"] == name), None)

    def list(self, resource: str, namespace: str = "") -> Found:
        return [SERVICE] if resource == "services" and namespace in ("", "shop") else []


def main() -> int:
    over = 0
    for title, zones, labels, cpu in (
        ("bare pods", 0, {}, "100m"),
        ("pods of one Service", 0, {"app": "web"}, "100m"),
        ("pods of one Service, three zones", 3, {"app": "web"}, "100m"),
        ("pods that fit nowhere", 0, {}, "64"),
    ):
        count = PODS if cpu != "64" else 1_000
        each = _measure(zones, labels, cpu, count) * 1000
        over += each > MILLISECONDS
        print(f"{title}: {each:.3f} ms a pod, {1000 / each:,.0f} pods/s at {NODES:,} nodes (limit {MILLISECONDS} ms)")
    return int(over > 0)


def _measure(zones: int, labels: Json, cpu: str, count: int) -> float:
    snapshot = Snapshot()
    for index in range(NODES):
        snapshot.set_node(_node(index, zones))
    around = World(snapshot, Services())
    search = Search(around, Workloads(around.objects), Random(1))
    shapes = Shapes(search)
    made = [(_pod(index, labels, cpu), _pod(index, labels, cpu)) for index in range(count)]
    begin = time.perf_counter()
    for waiting, bound in made:
        outcome = shapes.find(PodInfo(waiting))
        assert outcome is not None
        if outcome.node is None:
            decide(PodInfo(waiting), outcome.diagnosis, outcome.prepared, around, search.random)
        else:
            bound["spec"]["nodeName"] = outcome.node.name
            snapshot.set_pod(PodInfo(bound))
    return (time.perf_counter() - begin) / count


def _node(index: int, zones: int) -> Json:
    labels = {"kubernetes.io/hostname": f"node-{index}"}
    if zones:
        labels["topology.kubernetes.io/zone"] = f"zone-{index % zones}"
    room = {"cpu": "4", "memory": "16Gi", "pods": "110"}
    return {"metadata": {"name": f"node-{index}", "labels": labels}, "status": {"allocatable": room}}


def _pod(index: int, labels: Json, cpu: str) -> Json:
    requests = {"cpu": cpu, "memory": "64Mi"}
    return {
        "metadata": {"name": f"pod-{index}", "namespace": "shop", "uid": f"uid-{index}", "labels": labels},
        "spec": {"containers": [{"name": "app", "image": "web:1", "resources": {"requests": requests}}]},
    }


if __name__ == "__main__":
    sys.exit(main())
