"""ValidatingAdmissionPolicy: expressions in CEL, which this server does not know. It says so when one is to be created,
rather than let a policy stand there that refuses nothing (apiserver/pkg/admission/plugin/policy/validating)."""

from __future__ import annotations

from k8sdiag.minicluster.apiserver.admission import Attributes, Context, refusal
from k8sdiag.minicluster.apiserver.admission.webhook_rules import GROUP, MUTATING, VALIDATING
from k8sdiag.minicluster.kinds import Resource

NAME = "ValidatingAdmissionPolicy"
ORDER = 840
_POLICIES = frozenset(
    f"{name}.{GROUP}"
    for name in (
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
        "mutatingadmissionpolicies",
        "mutatingadmissionpolicybindings",
    )
)


def handles(verb: str, resource: Resource, subresource: str) -> bool:
    concerned = resource.storage in _POLICIES or resource.storage in (MUTATING, VALIDATING)
    return concerned and verb in ("create", "update") and not subresource


def validate(attributes: Attributes, _: Context) -> None:
    obj = attributes.obj or {}
    if attributes.resource.storage in _POLICIES:
        if attributes.verb == "create":
            raise refusal(attributes, "this server does not evaluate CEL, so the policy would never refuse anything")
        return
    for webhook in obj.get("webhooks") or []:
        if webhook.get("matchConditions"):
            name = webhook.get("name", "")
            raise refusal(
                attributes, f'this server does not evaluate CEL, so webhook "{name}" cannot have matchConditions'
            )
