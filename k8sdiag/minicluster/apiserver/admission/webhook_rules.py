"""Which webhooks a request concerns: rules, scopes and selectors
(apiserver/pkg/admission/plugin/webhook: generic/webhook.go, predicates)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.admission import Attributes, Context
from k8sdiag.minicluster.kinds import Resource
from k8sdiag.selectors import matches_selector

GROUP = "admissionregistration.k8s.io"
MUTATING = f"mutatingwebhookconfigurations.{GROUP}"
VALIDATING = f"validatingwebhookconfigurations.{GROUP}"
# Nobody is to lock himself out of mending a webhook.
EXEMPT = frozenset(
    {
        MUTATING,
        VALIDATING,
        f"validatingadmissionpolicies.{GROUP}",
        f"validatingadmissionpolicybindings.{GROUP}",
    }
)


@dataclass(frozen=True, slots=True)
class Webhook:
    """One webhook of a configuration, and the version in which it wants to see the object."""

    configuration: str
    spec: Json
    resource: Resource

    @property
    def name(self) -> str:
        return str(self.spec.get("name", ""))

    @property
    def fails_open(self) -> bool:
        return self.spec.get("failurePolicy") == "Ignore"


def concerned(kind: str, attributes: Attributes, context: Context) -> Iterator[Webhook]:
    """The webhooks of all configurations of a kind that are to be asked, in the real server's order."""
    for configuration in context.storage.list(kind):
        for spec in configuration.get("webhooks") or []:
            resource = _matched(spec, attributes, context)
            if resource is not None:
                yield Webhook(configuration["metadata"]["uid"], spec, resource)


def _matched(spec: Json, attributes: Attributes, context: Context) -> Resource | None:
    """The resource in the version that a rule names; None where none does."""
    rules = spec.get("rules") or []
    found = None
    if any(_rule_matches(rule, attributes, attributes.resource) for rule in rules):
        found = attributes.resource
    elif spec.get("matchPolicy") != "Exact":
        for other in _equivalents(attributes.resource, context):
            if any(_rule_matches(rule, attributes, other) for rule in rules):
                found = other
                break
    if found is None or not _namespace_selected(spec, attributes, context) or not _object_selected(spec, attributes):
        return None
    return found


def _equivalents(resource: Resource, context: Context) -> list[Resource]:
    """The same kind in its other versions."""
    key = ("equivalents", context.registry.generation)
    known: dict[str, list[Resource]] | None = context.memo.get(str(key))
    if known is None:
        known = context.memo[str(key)] = {}
        for each in context.registry.all():
            known.setdefault(each.storage, []).append(each)
    return [each for each in known.get(resource.storage, []) if each.api_version != resource.api_version]


def _rule_matches(rule: Json, attributes: Attributes, resource: Resource) -> bool:
    operations = rule.get("operations") or []
    if "*" not in operations and attributes.verb.upper() not in operations:
        return False
    for key, value in (("apiGroups", resource.group), ("apiVersions", resource.version)):
        wanted = rule.get(key) or []
        if "*" not in wanted and value not in wanted:
            return False
    clusterwide = resource.storage == "namespaces" or not attributes.namespace
    scope = rule.get("scope") or "*"
    if scope != "*" and (scope == "Cluster") != clusterwide:
        return False
    return any(_resource_matches(word, resource, attributes.subresource) for word in rule.get("resources") or [])


def _resource_matches(word: str, resource: Resource, subresource: str) -> bool:
    plural, _, below = word.partition("/")
    return plural in ("*", resource.plural) and below in ("*", subresource)


def _namespace_selected(spec: Json, attributes: Attributes, context: Context) -> bool:
    selector = spec.get("namespaceSelector")
    if not selector or not (selector.get("matchLabels") or selector.get("matchExpressions")):
        return True
    namespace: Json | None
    if attributes.resource.storage == "namespaces":
        namespace = attributes.obj or attributes.old
    elif attributes.namespace:
        namespace = context.storage.get("namespaces", "", attributes.namespace)
    else:
        return True
    return matches_selector(selector, ((namespace or {}).get("metadata") or {}).get("labels"))


def _object_selected(spec: Json, attributes: Attributes) -> bool:
    selector = spec.get("objectSelector")
    if not selector or not (selector.get("matchLabels") or selector.get("matchExpressions")):
        return True
    objects = [obj for obj in (attributes.obj, attributes.old) if obj is not None]
    return any(matches_selector(selector, (obj.get("metadata") or {}).get("labels")) for obj in objects)
