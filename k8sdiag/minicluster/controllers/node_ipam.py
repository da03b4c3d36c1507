"""A range of pod addresses for every node (pkg/controller/nodeipam/ipam/range_allocator.go)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.controllers import Context
from k8sdiag.minicluster.events import Recorder

NAME = "node-ipam-controller"

# 10.244.0.0/16 is what kubeadm's networks use; a cluster of more than 256 nodes goes on to 10.255 and then from 10.224.
_FIRST, _START, _LAST = 224, 244, 255
_BLOCKS = (_LAST - _FIRST + 1) * 256


def node_addresses(number: int) -> Json:
    """The ranges of the so-manieth node, as they stand in its `spec`."""
    block = (_START - _FIRST + number // 256) % (_LAST - _FIRST + 1)
    cidr = f"10.{_FIRST + block}.{number % 256}.0/24"
    return {"podCIDR": cidr, "podCIDRs": [cidr]}


def start(context: Context) -> None:
    _Ranges(context)


class _Ranges:
    def __init__(self, context: Context) -> None:
        self._client = context.client
        self._events = Recorder(context.client, context.clock, "cidrAllocator")
        self._taken: dict[str, str] = {}  # range to node
        self._next = 0
        self._queue = context.loop.queue("node-addresses", self._sync)
        self._client.watch("nodes", self._on_node)

    def _on_node(self, kind: str, node: Json, _: Json | None) -> None:
        name, cidr = node["metadata"]["name"], node["spec"].get("podCIDR")
        if kind == "DELETED":
            if cidr and self._taken.get(cidr) == name:
                del self._taken[cidr]
        elif cidr:
            self._taken[cidr] = name
        else:
            self._queue.add(name)

    def _sync(self, name: str) -> None:
        node = self._client.find("nodes", "", name)
        if node is None or node["spec"].get("podCIDR"):
            return
        for number in (*range(self._next, _BLOCKS), *range(self._next)):
            ranges = node_addresses(number)
            if ranges["podCIDR"] not in self._taken:
                self._next = number + 1
                self._client.update("nodes", {**node, "spec": {**node["spec"], **ranges}})
                return
        text = f"Node {name} status is now: CIDRNotAvailable"
        self._events.event(node, "Normal", "CIDRNotAvailable", text)
