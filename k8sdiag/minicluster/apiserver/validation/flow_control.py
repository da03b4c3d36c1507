"""FlowSchemas (pkg/apis/flowcontrol/validation/validation.go ValidateFlowSchemaSpec)."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import invalid_value, required
from k8sdiag.minicluster.apiserver.validation import formats
from k8sdiag.minicluster.apiserver.validation.fields import Causes, text
from k8sdiag.minicluster.apiserver.validation.rules import Rules

_LOWEST = 10_000


def _flow_schema(obj: Json, out: Causes) -> None:
    spec = obj.get("spec") or {}
    precedence = spec.get("matchingPrecedence") or 0
    if precedence <= 0:
        out.append(invalid_value("spec.matchingPrecedence", precedence, "must be a positive value"))
    if precedence > _LOWEST:
        why = f"must not be greater than {_LOWEST}"
        out.append(invalid_value("spec.matchingPrecedence", precedence, why))
    where = "spec.priorityLevelConfiguration.name"
    name = (spec.get("priorityLevelConfiguration") or {}).get("name") or ""
    if not name:
        out.append(required(where, "must reference a priority level"))
    else:
        text(name, formats.dns_subdomain, where, out)


RULES = {"flowschemas.flowcontrol.apiserver.k8s.io": Rules(_flow_schema)}
