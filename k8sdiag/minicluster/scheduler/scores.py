"""Raw scores of one node for one pod, those that need no other node.

plugins/noderesources/least_allocated.go and balanced_allocation.go, plugins/imagelocality/image_locality.go,
plugins/helper/normalize_score.go; the weights are the default profile's (apis/config/v1/default_plugins.go).
"""

from __future__ import annotations

from collections.abc import Mapping

from k8sdiag.minicluster.scheduler.nodes import NodeInfo
from k8sdiag.minicluster.scheduler.pods import PodInfo

MOST = 100
TAINTS, AFFINITY, SPREAD, NEIGHBOURS = 3, 2, 2, 2  # weights; the others weigh 1

_MB = 1024 * 1024
_LEAST_IMAGE = 23 * _MB
_MOST_IMAGE = 1000 * _MB


def least_allocated(pod: PodInfo, node: NodeInfo) -> int:
    """The emptier, the better; of cpu and memory alike."""
    total = weights = 0
    cpu, memory = node.allocatable.get("cpu", 0), node.allocatable.get("memory", 0)
    if cpu:
        weights += 1
        left = cpu - node.scored_cpu - pod.scored[0]
        if left > 0:
            total += left * MOST // cpu
    if memory:
        weights += 1
        left = memory - node.scored_memory - pod.scored[1]
        if left > 0:
            total += left * MOST // memory
    return total // weights if weights else 0


def balanced(pod: PodInfo, node: NodeInfo) -> int:
    """The more alike the used shares of cpu and memory, the better; pods that ask for neither are left out."""
    more_cpu, more_memory = pod.requests.get("cpu", 0), pod.requests.get("memory", 0)
    if not more_cpu and not more_memory:
        return 0
    cpu, memory = node.allocatable.get("cpu", 0), node.allocatable.get("memory", 0)
    if not cpu or not memory:
        return MOST
    one = min(1.0, (node.requested.get("cpu", 0) + more_cpu) / cpu)
    other = min(1.0, (node.requested.get("memory", 0) + more_memory) / memory)
    return int((1.0 - abs((one - other) / 2.0)) * MOST)


def images_of(pod: PodInfo) -> list[str]:
    """The images of all containers, as nodes list them (with a tag)."""
    spec = pod.spec
    found = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    return [normal_name(container.get("image") or "") for container in found]


def normal_name(image: str) -> str:
    return image if image.rfind(":") > image.rfind("/") else f"{image}:latest"


def image_locality(images: list[str], node: NodeInfo, spread: Mapping[str, int], nodes: int) -> int:
    """The more of the images are there, the better; one that few nodes have counts less, so as not to draw all pods
    to them."""
    have = node.images
    total = 0
    for image in images:
        size = have.get(image)
        if size is not None:
            total += int(size * (spread[image] / nodes))
    most = _MOST_IMAGE * len(images)
    total = min(max(total, _LEAST_IMAGE), most)
    return MOST * (total - _LEAST_IMAGE) // (most - _LEAST_IMAGE)


def images_matter(images: list[str], spread: Mapping[str, int]) -> bool:
    """Whether any node has any of them."""
    return any(spread.get(image) for image in images)


def normalized(raw: list[int], reverse: bool = False) -> list[int]:
    """To 0..100 by the largest (DefaultNormalizeScore)."""
    largest = max(raw, default=0)
    if largest == 0:
        return [MOST] * len(raw) if reverse else raw
    scaled = [MOST * value // largest for value in raw]
    return [MOST - value for value in scaled] if reverse else scaled
