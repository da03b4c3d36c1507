"""Kinds that are on their way out, and what the server says about them to whoever still asks
(apiserver/pkg/endpoints/deprecation/deprecation.go; APILifecycleDeprecated in staging/src/k8s.io/api)."""

from __future__ import annotations

from collections.abc import Mapping

from k8sdiag.minicluster.kinds import Resource

_WARNINGS: Mapping[tuple[str, str], str] = {
    ("v1", "ComponentStatus"): "v1 ComponentStatus is deprecated in v1.19+",
    ("v1", "Endpoints"): "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
}


def deprecation(resource: Resource) -> list[str]:
    """The warning that goes with every answer about a kind, if any."""
    warning = _WARNINGS.get((resource.api_version, resource.kind))
    return [warning] if warning else []
