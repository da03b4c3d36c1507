"""ValidatingAdmissionWebhook: webhooks that may refuse what all others have left of the object
(apiserver/pkg/admission/plugin/webhook/validating/dispatcher.go). The real server asks all of them at once."""

from __future__ import annotations

from k8sdiag.minicluster.apiserver.admission import Attributes, Context
from k8sdiag.minicluster.apiserver.admission.webhook_review import ask, denial
from k8sdiag.minicluster.apiserver.admission.webhook_rules import EXEMPT, VALIDATING, concerned
from k8sdiag.minicluster.kinds import Resource

NAME = "ValidatingAdmissionWebhook"
ORDER = 850


def handles(_: str, resource: Resource, __: str) -> bool:
    return resource.storage not in EXEMPT


def validate(attributes: Attributes, context: Context) -> None:
    for webhook in concerned(VALIDATING, attributes, context):
        verdict = ask(webhook, "validate", attributes, context)
        if verdict is not None and not verdict.allowed:
            raise denial(webhook, verdict)
