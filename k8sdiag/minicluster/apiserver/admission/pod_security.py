"""PodSecurity: a namespace's labels say how much its pods may do
(pod-security-admission/admission/admission.go, api/helpers.go)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import errors
from k8sdiag.minicluster.apiserver.admission import Attributes, Context, refusal
from k8sdiag.minicluster.apiserver.admission.pod_security_checks import LATEST, Violation
from k8sdiag.minicluster.apiserver.admission.pod_security_restricted import violations
from k8sdiag.minicluster.kinds import Resource
from k8sdiag.patterns import regex

NAME = "PodSecurity"
ORDER = 80
PREFIX = "pod-security.kubernetes.io/"
LEVELS = ("privileged", "baseline", "restricted")
MAX_PODS = 3000  # of a namespace whose label changes
_VERSION = regex(r"v1\.(0|[1-9][0-9]*)")
_IGNORED = frozenset("exec attach binding eviction log portforward proxy status".split())
# Where the kinds that make pods keep their template.
_TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "podtemplates": ("template",),
    "replicationcontrollers": ("spec", "template"),
    "replicasets.apps": ("spec", "template"),
    "deployments.apps": ("spec", "template"),
    "statefulsets.apps": ("spec", "template"),
    "daemonsets.apps": ("spec", "template"),
    "jobs.batch": ("spec", "template"),
    "cronjobs.batch": ("spec", "jobTemplate", "spec", "template"),
}


@dataclass(frozen=True, slots=True)
class Level:
    """`restricted:latest`."""

    name: str = "privileged"
    version: str = "latest"

    def __str__(self) -> str:
        return f"{self.name}:{self.version}"

    @property
    def minor(self) -> int:
        return LATEST if self.version == "latest" else int(self.version.partition(".")[2])

    def violations(self, meta: Json, spec: Json) -> list[Violation]:
        return violations(self.name, self.minor, meta, spec)


@dataclass(frozen=True, slots=True)
class Policy:
    """What a namespace demands, and what is wrong with its labels."""

    enforce: Level = Level()
    warn: Level = Level()
    problems: tuple[errors.Cause, ...] = ()


_OPEN = Policy()


def handles(verb: str, resource: Resource, subresource: str) -> bool:
    if verb not in ("create", "update"):
        return False
    if resource.storage == "pods":
        return subresource not in _IGNORED
    return not subresource and (resource.storage == "namespaces" or resource.storage in _TEMPLATES)


def validate(attributes: Attributes, context: Context) -> None:
    storage = attributes.resource.storage
    if storage == "namespaces":
        _check_namespace(attributes, context)
        return
    namespace = context.storage.get("namespaces", "", attributes.namespace)
    policy = policy_of(((namespace or {}).get("metadata") or {}).get("labels") or {})
    obj = attributes.obj or {}
    if storage == "pods":
        if policy is not _OPEN and (attributes.verb == "create" or _is_significant(obj, attributes.old or {})):
            _check_pod(attributes, policy, obj["metadata"], obj.get("spec") or {})
        return
    template = obj
    for key in _TEMPLATES[storage]:
        template = template.get(key) or {}
    if template and policy is not _OPEN:
        _warn(attributes, policy, template.get("metadata") or {}, template.get("spec") or {})


def _check_pod(attributes: Attributes, policy: Policy, meta: Json, spec: Json) -> None:
    found = policy.enforce.violations(meta, spec)
    if found:
        raise refusal(attributes, f'violates PodSecurity "{policy.enforce}": {_joined(found)}')
    _warn(attributes, policy, meta, spec)


def _warn(attributes: Attributes, policy: Policy, meta: Json, spec: Json) -> None:
    found = policy.warn.violations(meta, spec)
    if found:
        attributes.warnings.append(f'would violate PodSecurity "{policy.warn}": {_joined(found)}')


def _joined(found: Sequence[Violation]) -> str:
    return ", ".join(map(str, found))


def _is_significant(pod: Json, old: Json) -> bool:
    """Of what can change in a pod, images and ephemeral containers count."""

    def images(obj: Json) -> list[tuple[str, str, str]]:
        spec = obj.get("spec") or {}
        kinds = ("containers", "initContainers", "ephemeralContainers")
        return [(kind, c.get("name", ""), c.get("image", "")) for kind in kinds for c in spec.get(kind) or []]

    return images(pod) != images(old)


def policy_of(labels: Mapping[str, str]) -> Policy:
    """A namespace's labels read. A level that is none counts as the strictest, but only warns of nothing."""
    if not any(key.startswith(PREFIX) for key in labels):
        return _OPEN
    problems: list[errors.Cause] = []
    enforce = _level(labels, "enforce", "restricted", problems)
    _level(labels, "audit", "privileged", problems)
    warn = _level(labels, "warn", "privileged", problems)
    # Whoever is refused later on is warned early: without a level of its own, warn takes over enforce's.
    if f"{PREFIX}warn" not in labels and LEVELS.index(enforce.name) > LEVELS.index(warn.name):
        warn = Level(enforce.name, warn.version if f"{PREFIX}warn-version" in labels else enforce.version)
    return Policy(enforce, warn, tuple(problems))


def _level(labels: Mapping[str, str], mode: str, fallback: str, problems: list[errors.Cause]) -> Level:
    name, version = labels.get(f"{PREFIX}{mode}", "privileged"), labels.get(f"{PREFIX}{mode}-version", "latest")
    if name not in LEVELS:
        text = f"must be one of {', '.join(LEVELS)}"
        problems.append(errors.invalid_value(f"metadata.labels[{PREFIX}{mode}]", name, text))
        name = fallback
    if version != "latest" and not _VERSION.fullmatch(version):
        text = 'must be "latest" or "v1.x"'
        problems.append(errors.invalid_value(f"metadata.labels[{PREFIX}{mode}-version]", version, text))
        version = "latest"
    return Level(name, version)


def _check_namespace(attributes: Attributes, context: Context) -> None:
    labels = (attributes.obj or {})["metadata"].get("labels") or {}
    policy = policy_of(labels)
    if attributes.verb == "create":
        if policy.problems:
            raise errors.invalid(attributes.resource, attributes.name, policy.problems)
        return
    before = policy_of(((attributes.old or {}).get("metadata") or {}).get("labels") or {})
    if policy.problems and policy.problems != before.problems:
        raise errors.invalid(attributes.resource, attributes.name, policy.problems)
    enforce, was = policy.enforce, before.enforce
    if enforce == was or enforce.name == "privileged":
        return
    if enforce.version == was.version and LEVELS.index(enforce.name) <= LEVELS.index(was.name):
        return
    attributes.warnings += _existing(attributes.name, enforce, context.storage.list("pods", attributes.name))


def _existing(namespace: str, enforce: Level, pods: Sequence[Json]) -> list[str]:
    """Warnings about pods that are there and would no longer be let in."""
    found: dict[str, list[str]] = {}
    for pod in pods[:MAX_PODS]:
        bad = enforce.violations(pod["metadata"], pod.get("spec") or {})
        if bad:
            found.setdefault(", ".join(violation.reason for violation in bad), []).append(pod["metadata"]["name"])
    warnings = []
    if len(pods) > MAX_PODS:
        warnings.append(
            f"new PodSecurity enforce level only checked against the first {MAX_PODS} of {len(pods)} existing pods"
        )
    if found:
        warnings.append(
            f'existing pods in namespace "{namespace}" violate the new PodSecurity enforce level "{enforce}"'
        )
    return warnings + sorted(f"{_and_others(names)}: {reasons}" for reasons, names in found.items())


def _and_others(names: Sequence[str]) -> str:
    first, others = min(names), len(names) - 1
    if not others:
        return first
    return f"{first} (and {others} other pod{'s' if others > 1 else ''})"
