"""When a Job's pods fail it, or make it succeed early: podFailurePolicy and successPolicy
(pkg/controller/job/pod_failure_policy.go, success_policy.go)."""

from __future__ import annotations

from dataclasses import dataclass

from k8sdiag.evidence import Json
from k8sdiag.minicluster.controllers.job_indexes import parse_indexes


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the first rule that fits a failed pod says: '' for no rule at all."""

    action: str = ""
    message: str = ""

    @property
    def counts(self) -> bool:
        """Whether the failure counts against the back-off limit."""
        return self.action != "Ignore"


def judge(job: Json, pod: Json) -> Verdict:
    for number, rule in enumerate((job["spec"].get("podFailurePolicy") or {}).get("rules") or ()):
        found = _exit_code(rule, pod) if rule.get("onExitCodes") else _condition(rule, pod)
        if found:
            return Verdict(rule["action"], f"{found} matching {rule['action']} rule at index {number}")
    return Verdict()


def _exit_code(rule: Json, pod: Json) -> str:
    wanted, status, meta = rule["onExitCodes"], pod.get("status") or {}, pod["metadata"]
    for entry in [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]:
        code = ((entry.get("state") or {}).get("terminated") or {}).get("exitCode", 0)
        if not code or wanted.get("containerName") not in (None, entry["name"]):
            continue
        if (code in wanted["values"]) == (wanted["operator"] == "In"):
            return f"Container {entry['name']} for pod {meta['namespace']}/{meta['name']} failed with exit code {code}"
    return ""


def _condition(rule: Json, pod: Json) -> str:
    meta = pod["metadata"]
    for condition in (pod.get("status") or {}).get("conditions") or ():
        for pattern in rule.get("onPodConditions") or ():
            if (pattern["type"], pattern.get("status", "True")) == (condition["type"], condition["status"]):
                return f"Pod {meta['namespace']}/{meta['name']} has condition {condition['type']}"
    return ""


def succeeds_early(job: Json, succeeded: set[int]) -> str:
    """The message of the first success rule that the succeeded indexes meet; '' for none."""
    if not succeeded:
        return ""
    for number, rule in enumerate((job["spec"].get("successPolicy") or {}).get("rules") or ()):
        text, count = rule.get("succeededIndexes"), rule.get("succeededCount")
        wanted = parse_indexes(text, job["spec"]["completions"]) if text is not None else succeeded
        met = len(wanted & succeeded) >= count if count is not None else wanted <= succeeded
        if met:
            return f"Matched rules at index {number}"
    return ""
