"""The kubelet's journal. Sample:
`E1121 22:31:07.512300 811 pod_workers.go:1301] "Error syncing pod, skipping" err="failed to mount volume"`.
"""

from __future__ import annotations

from collections.abc import Iterator

from k8sdiag.collectors import Ask, Found, collector, journal_of
from k8sdiag.evidence import Scope


@collector("kubelet", timeout=15.0)
def kubelet(scope: Scope, found: Found) -> Iterator[Ask]:
    """What the kubelet of a node wrote."""
    yield from journal_of(scope, found, ("kubelet",), "the kubelet", "what it met with is unknown")
