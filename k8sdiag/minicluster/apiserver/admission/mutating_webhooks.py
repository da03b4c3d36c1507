"""MutatingAdmissionWebhook: one webhook after the other may patch the object
(apiserver/pkg/admission/plugin/webhook/mutating/dispatcher.go, reinvocationcontext.go)."""

from __future__ import annotations

from dataclasses import dataclass, field

import orjson

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import defaults
from k8sdiag.minicluster.apiserver.admission import Attributes, Context
from k8sdiag.minicluster.apiserver.admission.webhook_review import Verdict, ask, denial
from k8sdiag.minicluster.apiserver.admission.webhook_rules import EXEMPT, MUTATING, Webhook, concerned
from k8sdiag.minicluster.apiserver.conversion import convert
from k8sdiag.minicluster.apiserver.errors import internal
from k8sdiag.minicluster.apiserver.jsonpatch import MalformedPatchError, PatchError, apply_json_patch
from k8sdiag.minicluster.kinds import Resource

NAME = "MutatingAdmissionWebhook"
ORDER = 800


def handles(_: str, resource: Resource, __: str) -> bool:
    return resource.storage not in EXEMPT


@dataclass(slots=True)
class _Round:
    """What the first time round leaves for the second: who went, who must go again, and the object it left."""

    asked: set[tuple[str, str]] = field(default_factory=set)
    due: set[tuple[str, str]] = field(default_factory=set)
    left: Json | None = None


def mutate(attributes: Attributes, context: Context) -> None:
    webhooks = list(concerned(MUTATING, attributes, context))
    if not webhooks:
        return
    first: _Round = attributes.notes.setdefault(NAME, _Round())
    if attributes.again and attributes.obj != first.left:
        first.due |= first.asked
    for webhook in webhooks:
        who = (webhook.configuration, webhook.name)
        if attributes.again and who not in first.due:
            continue
        verdict = ask(webhook, "mutate", attributes, context)
        if verdict is not None:
            if not verdict.allowed:
                raise denial(webhook, verdict)
            if _apply(webhook, verdict, attributes) and not attributes.again:
                attributes.changed = True
                first.due |= first.asked
        if webhook.spec.get("reinvocationPolicy") == "IfNeeded":
            first.asked.add(who)
    if not attributes.again and attributes.obj is not None:
        first.left = orjson.loads(orjson.dumps(attributes.obj))  # in-tree plugins go on in place


def _apply(webhook: Webhook, verdict: Verdict, attributes: Attributes) -> bool:
    """Patch the object; has it changed?"""
    if not verdict.patch:
        return False
    if attributes.obj is None:
        raise internal(f'admission webhook "{webhook.name}" attempted to modify the object, which is not supported')
    before = attributes.obj
    kept = attributes.resource
    whole = attributes.subresource in ("", "status")
    seen = convert(before, webhook.resource) if whole else before
    try:
        patched = apply_json_patch(seen, list(verdict.patch))
    except (PatchError, MalformedPatchError) as error:
        raise internal(str(error)) from error
    if not isinstance(patched, dict):
        raise internal("the patched object is no object")
    after: Json = orjson.loads(orjson.dumps(patched))
    if whole:
        defaults.apply(webhook.resource, after)
        after = convert(after, kept)
    attributes.obj = after
    return after != before
