"""A pod's node with its lease and its system pods, or all nodes where a pod has none yet. Sample:
`conditions: [{type: Ready, status: Unknown, reason: NodeStatusUnknown}]`; its Lease says when the kubelet last lived.
"""

from __future__ import annotations

from collections.abc import Iterator

from k8sdiag.collectors import Ask, Found, Role, collector, listed, named
from k8sdiag.evidence import Scope

_LEASES = "kube-node-lease"


@collector("nodes")
def nodes(scope: Scope, found: Found) -> Iterator[Ask]:
    """Where a pod runs, or where it could."""
    if found.role is Role.SCAN:
        yield listed("Lease", _LEASES, "when each kubelet was last heard of is unknown")
    elif found.ref.kind == "Pod" and found.role in (Role.SUBJECT, Role.POD):
        name = (found.obj.get("spec") or {}).get("nodeName")
        if not name:
            yield listed("Node", "", "why no node fits cannot be told")
            yield listed("Pod", "", "how full the nodes are is unknown")
        elif scope.subject is not None:  # a scan has listed all nodes, and follows those in trouble
            yield from named("Node", "", name, "the state of the pod's node is unknown", Role.NODE)
    elif found.ref.kind == "Node" and found.role in (Role.SUBJECT, Role.NODE):
        name = found.ref.name
        yield from named("Lease", _LEASES, name, "when the kubelet was last heard of is unknown")
        yield from named("CSINode", "", name, "which storage drivers the node has is unknown")
        yield listed(
            "Pod", "", "the node's network plugin and load are unknown", fieldSelector=f"spec.nodeName={name}"
        )
