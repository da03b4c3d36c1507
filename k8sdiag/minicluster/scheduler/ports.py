"""Host ports (plugins/nodeports/node_ports.go, framework/types.go HostPortInfo): one address, protocol and port is had
once on a node, and 0.0.0.0 stands for every address."""

from __future__ import annotations

from k8sdiag.minicluster.scheduler.nodes import NodeInfo
from k8sdiag.minicluster.scheduler.plugin import Filter, World
from k8sdiag.minicluster.scheduler.pods import PodInfo, Port
from k8sdiag.minicluster.scheduler.status import Status, rejected

NAME = "NodePorts"
_TAKEN = rejected(NAME, "node(s) didn't have free ports for the requested pod ports")
_ANY = "0.0.0.0"  # noqa: S104 (compared with, not listened on)


def prepare(pod: PodInfo, _world: World) -> tuple[Port, ...] | None:
    return pod.ports or None


def conflict(wanted: tuple[Port, ...], used: dict[Port, int]) -> bool:
    for address, protocol, port in wanted:
        for other_address, other_protocol, other_port in used:
            if (
                port == other_port
                and protocol == other_protocol
                and (address == other_address or _ANY in (address, other_address))
            ):
                return True
    return False


def check(state: tuple[Port, ...], _pod: PodInfo, node: NodeInfo) -> Status | None:
    return _TAKEN if node.ports and conflict(state, node.ports) else None


FILTER = Filter(NAME, prepare, check)
