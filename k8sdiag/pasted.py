"""Commands as the API server will take them: what is immutable in an object is mended by making it anew.

A playbook writes `kubectl edit {owner}`, and the owner may be a bare pod (core/validation ValidatePodUpdate), a Job
(its template cannot change, batch/validation ValidateJobSpecUpdate) or a CronJob (its template is one level down).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from k8sdiag.patterns import regex

JOB_IDENTITY = (
    'del(.spec.selector, .spec.template.metadata.labels["controller-uid"], '
    '.spec.template.metadata.labels["batch.kubernetes.io/controller-uid"], .status)'
)
"""What the API server has put into a Job, and refuses in a new one."""
RISKS = {
    "pod": "A pod without an owner cannot be changed in place: it is deleted and created anew from the edited file.",
    "job": "A Job's template cannot be changed: the Job is deleted with its pods and their logs, and created anew.",
}
_COMMAND = regex(
    r"kubectl (?:-n (?P<space>\S+) )?(?P<verb>edit|patch|scale|set (?:env|image|resources|serviceaccount)|"
    r"rollout (?:restart|undo|status|pause|resume)) (?P<kind>[a-z]+)/(?P<name>\S+)(?P<rest>.*)"
)
_TEMPLATE = regex(r'"template"|/spec/template')
_ROLLING = ("deployment", "daemonset", "statefulset")
_SCALED = ("deployment", "replicaset", "replicationcontroller", "statefulset")


def as_accepted(command: str) -> list[str]:
    """The command, or those that do the same where its object does not allow it; none where nothing does."""
    found = _COMMAND.fullmatch(command)
    if not found or "--list" in found.group("rest"):
        return [command]
    mend = _MENDS.get(found.group("kind"))
    return mend(found) if mend else _of_controller(found)


def risk_of(command: str) -> str:
    """What is lost by making the object anew instead of changing it."""
    found = _COMMAND.fullmatch(command)
    return RISKS.get(found.group("kind"), "") if found and as_accepted(command) not in ([command], []) else ""


def _of_pod(found: re.Match[str]) -> list[str]:
    verb, name = found.group("verb"), found.group("name")
    read = f"kubectl get pod {name}{_scope(found)} -o yaml"
    if verb == "rollout restart":
        return [f"{read} | kubectl replace --force -f -"]
    if verb.startswith("rollout") or verb == "scale" or (verb == "patch" and "strategy" in found.group("rest")):
        return []
    if verb == "set image" or (verb == "patch" and not _TEMPLATE.search(found.group("rest"))):
        return [found.group()]
    return _edited(read, f"{name}.yaml", found)


def _of_job(found: re.Match[str]) -> list[str]:
    verb, name = found.group("verb"), found.group("name")
    read = f"kubectl get job {name}{_scope(found)} -o json | jq '{JOB_IDENTITY}'"
    if verb == "rollout restart":
        return [f"{read} | kubectl replace --force -f -"]
    if verb.startswith("rollout") or verb == "scale" or (verb == "patch" and "strategy" in found.group("rest")):
        return []
    if verb == "patch" and not _TEMPLATE.search(found.group("rest")):
        return [found.group()]
    return _edited(read, f"{name}.json", found)


def _of_cronjob(found: re.Match[str]) -> list[str]:
    verb, name = found.group("verb"), found.group("name")
    if verb == "rollout restart":
        return [f"kubectl create job {name}-again{_scope(found)} --from=cronjob/{name}"]
    if verb.startswith("rollout") or verb == "scale" or (verb == "patch" and "strategy" in found.group("rest")):
        return []
    if verb == "patch":
        text = found.group().replace("/spec/template", "/spec/jobTemplate/spec/template")
        return [_DEEPER.sub(r"""'{"spec":{"jobTemplate":{"spec":\1}}}'""", text)]
    return [found.group()]


_DEEPER = regex(r"""'\{"spec":(\{"template":.*\})\}'""")


def _of_controller(found: re.Match[str]) -> list[str]:
    verb, kind = found.group("verb"), found.group("kind")
    rolls = not verb.startswith("rollout") or kind in _ROLLING
    scales = verb != "scale" or kind in _SCALED
    rolling = verb != "patch" or '"strategy"' not in found.group("rest") or kind == "deployment"
    return [found.group()] if rolls and scales and rolling else []


def _edited(read: str, file: str, found: re.Match[str]) -> list[str]:
    """The object into a file, and the edited file in its place."""
    rest = found.group("rest").strip()
    note = f"    {rest}" if rest.startswith("#") else ""
    return [f"{read} > {file}", f"${{EDITOR:-vi}} {file} && kubectl replace --force -f {file}{note}"]


def _scope(found: re.Match[str]) -> str:
    return f" -n {found.group('space')}" if found.group("space") else ""


_MENDS: dict[str, Callable[[re.Match[str]], list[str]]] = {"pod": _of_pod, "job": _of_job, "cronjob": _of_cronjob}
