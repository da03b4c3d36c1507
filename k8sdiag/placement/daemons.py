"""On which nodes a DaemonSet wants no pod: its controller asks for selector, affinity and taints, and for no room."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from k8sdiag.evidence import Json
from k8sdiag.placement.labels import lacking
from k8sdiag.placement.taints import taint_text, untolerated

TOLERATED = tuple(
    {"key": f"node.kubernetes.io/{name}", "operator": "Exists"}
    for name in (
        *("not-ready", "unreachable", "unschedulable", "network-unavailable"),
        *("disk-pressure", "memory-pressure", "pid-pressure"),
    )
)
"""What the DaemonSet controller lets all its pods tolerate."""


def left_out(daemon_set: Json, nodes: Iterable[Json]) -> Iterator[str]:
    """Why a DaemonSet leaves nodes out, a node each: `node1 lacks nodeSelector disk=ssd (it has disk=hdd)`."""
    spec = dict((((daemon_set.get("spec") or {}).get("template") or {}).get("spec")) or {})
    spec["tolerations"] = [*(spec.get("tolerations") or []), *TOLERATED]
    pod = {"metadata": {}, "spec": spec}
    for node in nodes:
        lacks = lacking(pod, node)
        why = [f"lacks {lack.wanted}" + (f" (it has {lack.has})" if lack.has else "") for lack in lacks]
        why += [f"has taint {taint_text(taint)}, which it does not tolerate" for taint in untolerated(pod, node)]
        if why:
            yield f"{node['metadata']['name']} {' and '.join(why)}"
