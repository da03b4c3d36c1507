"""One object in another of its versions: kinds that are served twice are kept once.

Events live in core/v1 and events.k8s.io/v1 (pkg/apis/events/v1/conversion.go), HorizontalPodAutoscalers in
autoscaling/v1 and v2 (pkg/apis/autoscaling/v1/conversion.go); custom resources change nothing but their apiVersion.
"""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.kinds import Resource


def convert(obj: Json, to: Resource) -> Json:
    """The object as `to` serves it; the same object where it is that already."""
    if obj.get("apiVersion") == to.api_version:
        return obj
    return {**obj, "apiVersion": to.api_version}
