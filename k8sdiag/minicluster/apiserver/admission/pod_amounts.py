"""What a pod asks for and may use, all containers together
(component-helpers/resource/helpers.go PodRequests, PodLimits): init containers run one after the other before the rest,
those with restartPolicy Always stay."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.amounts import Amounts, added, amounts, largest


def pod_amounts(spec: Json, what: str, *, overhead: bool = True) -> Amounts:
    """The sum of `what` (`requests` or `limits`) of a pod's spec."""
    total: Amounts = {}
    for container in spec.get("containers") or []:
        total = added(total, container_amounts(container, what))
    if spec.get("initContainers"):
        total = _with_init(spec["initContainers"], what, total)
    if overhead and spec.get("overhead"):
        more = amounts(spec["overhead"])
        if what == "limits":  # overhead adds only to limits that there are
            more = {name: amount for name, amount in more.items() if name in total}
        total = added(total, more)
    return total


def container_amounts(container: Json, what: str) -> Amounts:
    """`requests` or `limits` of one container."""
    return amounts((container.get("resources") or {}).get(what))


def _with_init(containers: list[Json], what: str, total: Amounts) -> Amounts:
    sidecars: Amounts = {}
    most: Amounts = {}
    for container in containers:
        wanted = container_amounts(container, what)
        if container.get("restartPolicy") == "Always":
            total = added(total, wanted)
            sidecars = added(sidecars, wanted)
            wanted = sidecars
        else:
            wanted = added(wanted, sidecars)
        most = largest(most, wanted)
    return largest(total, most)
