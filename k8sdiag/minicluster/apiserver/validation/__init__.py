"""What the API server refuses, with the paths and words of a real 1.33 one (pkg/apis/*/validation).

One file a noun; those that stand for a group list the rules of their kinds in `RULES`. An object gets here with its
defaults filled in. What is right costs little: texts and paths are put together only for a complaint.
"""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import Cause
from k8sdiag.minicluster.apiserver.validation import (
    aggregation,
    batch,
    claims,
    cluster,
    configuration,
    endpoints,
    flow_control,
    metadata,
    networking,
    pods,
    policy,
    rbac,
    service_ranges,
    services,
    storage,
    webhooks,
    workloads,
)
from k8sdiag.minicluster.apiserver.validation.rules import Rules
from k8sdiag.minicluster.kinds import Resource

_GROUPS = (
    pods, workloads, batch, services, endpoints, configuration, claims, storage, policy, networking, rbac, cluster,
    webhooks, aggregation, flow_control, service_ranges,
)  # fmt: skip
_RULES: dict[str, Rules] = {kind: rules for group in _GROUPS for kind, rules in group.RULES.items()}
_METADATA_ONLY = Rules()
_EXTENSIONS = ("apiextensions.k8s.io", "apiregistration.k8s.io")


def validate(resource: Resource, obj: Json, old: Json | None, subresource: str) -> list[Cause]:
    """All complaints about a new object (`old` is None) or an update of an old one; none means it is good."""
    rules = _RULES.get(resource.qualified, _METADATA_ONLY)
    out: list[Cause] = []
    core = bool(resource.definition) and resource.group not in _EXTENSIONS
    if old is None:
        metadata.create(obj["metadata"], resource.namespaced, rules.name, out, core)
        rules.whole(obj, out)
        if rules.created is not None:
            rules.created(obj, out)
        return out
    metadata.update(obj["metadata"], old["metadata"], out, core)
    if subresource == "status":
        if rules.status is not None:
            rules.status(obj, old, out)
    elif subresource:
        check = rules.subresources.get(subresource)
        if check is not None:
            check(obj, old, out)
    else:
        if rules.changed is not None:
            rules.changed(obj, old, out)
        if "spec" not in obj or obj["spec"] != old.get("spec"):  # what was good stays good
            rules.whole(obj, out)
    return out
