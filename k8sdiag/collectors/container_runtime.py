"""The container runtime's journal. Sample:
`level=error msg="failed to pull image" error="unexpected status 429 Too Many Requests"`.
"""

from __future__ import annotations

from collections.abc import Iterator

from k8sdiag.collectors import Ask, Found, collector, journal_of
from k8sdiag.evidence import Json, Scope

_UNITS = {"containerd": "containerd", "docker": "docker", "cri-o": "crio"}


@collector("container_runtime", timeout=15.0)
def container_runtime(scope: Scope, found: Found) -> Iterator[Ask]:
    """What the runtime of a node wrote, whichever it is."""
    yield from journal_of(scope, found, _units(found.obj), "the container runtime", "what it met with is unknown")


def _units(node: Json) -> tuple[str, ...]:
    """`containerRuntimeVersion: containerd://1.6.20` names the runtime; a node that never reported may have any."""
    version = ((node.get("status") or {}).get("nodeInfo") or {}).get("containerRuntimeVersion") or ""
    unit = _UNITS.get(version.partition("://")[0])
    return (unit,) if unit else tuple(_UNITS.values())
